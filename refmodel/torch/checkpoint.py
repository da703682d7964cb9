"""Converted models in ``.safetensors`` files, weights as packed codes and scales.

The metadata has one text, ``mx_model``, JSON with ``version`` and

    split        names of the MultiheadAttention modules that are replaced by their parts
    layers       name -> type, spec (formats, options, rule, seed), and of the weight: format, shape, axis,
                 tensor_scale, layout; null for a weight that stays Float32

The tensors of layer NAME, if its weight has a format:

    NAME.weight.codes    uint8 [..., n_blocks, bytes]   the element codes of each block, in the layout
    NAME.weight.scales   unsigned [..., n_blocks]       the scale codes

and every other parameter and buffer of the model under its own name. The blocked axis comes last, as in
`refmodel.Blocks`. The layout is ``le``, a little-endian stream of bits, or ``byte`` if a block does not fill bytes.
"""

from __future__ import annotations

import copy
import json
import os
from dataclasses import asdict, fields
from typing import Any

import torch
from torch import nn

from refmodel.accumulate.text import from_dict, to_dict
from refmodel.arrayfiles import printable
from refmodel.blocks import Blocks
from refmodel.descriptions import describe_format, format_from_description
from refmodel.errors import FileError, MissingPackageError, ModuleError, MxError
from refmodel.layouts import Layout
from refmodel.options import QuantizeOptions
from refmodel.packing import pack, unpack
from refmodel.torch.attention import MultiheadAttention
from refmodel.torch.conversion import install, take_apart
from refmodel.torch.layers import MXAttention, MXConv2d, MXEmbedding, MXLayer, MXLinear
from refmodel.torch.spec import MXSpec
from refmodel.torch.tensors import MXTensor, as_torch
from refmodel.writing import check_new_file, write_file

KEY = "mx_model"
VERSION = 1
_TYPES: dict[str, type[MXLayer] | type[MXAttention]] = {
    kind.__name__: kind for kind in (MXLinear, MXConv2d, MXEmbedding, MXAttention)
}
_FORMATS = ("weight", "activation", "gradient", "weight_backward", "activation_backward")


def save(model: nn.Module, path: str | os.PathLike[str], *, replace: bool = False) -> None:
    """Write a converted model.

    Args:
        model: What `convert` or `load` returned, trained since or not.
        path: A ``.safetensors`` file.
        replace: Whether a file that is there already may be replaced.

    Raises:
        ModuleError: If the model has no MX layer.
        FileError: If the file cannot be written.
    """
    package = _package()
    target = check_new_file(path, (".safetensors",), replace=replace)
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    layers: dict[str, Any] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if not isinstance(module, MXLayer | MXAttention):
            continue
        described: dict[str, Any] = {"type": type(module).__name__, "spec": _describe_spec(module.spec), "weight": None}
        if isinstance(module, MXLayer) and module.spec.weight is not None:
            weight = module.weight_mx
            assert weight is not None
            blocks = weight.blocks
            layout: Layout = "byte" if blocks.format.block_size * blocks.format.element.bits % 8 else "le"
            del tensors[f"{name}.weight"]
            tensors[f"{name}.weight.codes"] = as_torch(pack(blocks.codes, blocks.format.element, layout))
            tensors[f"{name}.weight.scales"] = as_torch(blocks.scales).clone()
            described["weight"] = {
                "format": describe_format(blocks.format),
                "shape": list(blocks.shape),
                "axis": blocks.axis,
                "tensor_scale": None if blocks.tensor_scale is None else float(blocks.tensor_scale),
                "layout": layout,
            }
        layers[name] = described
    if not layers:
        raise ModuleError("the model has no MX layer; convert it first, or use torch.save")
    split = [name for name, module in model.named_modules() if isinstance(module, MultiheadAttention)]
    text = json.dumps({"version": VERSION, "split": split, "layers": layers})
    try:
        data = package.save(tensors, {KEY: text})
        write_file(target, lambda stream: stream.write(data))
    except OSError as error:
        raise FileError(f"{printable(os.fspath(path))}: cannot be written: {error.strerror}") from error


def load(model: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Return a copy of a float model with the MX layers, codes and other tensors of a file.

    Args:
        model: The model as it was before `prepare`, with any values; it stays as it is.
        path: What `save` wrote.

    Raises:
        FileError: If the file is missing, damaged, of another version or no such file; if the model lacks a layer of
            it, has layers of another type or shape in their places, or their tensors are not those of the model.
    """
    where = printable(os.fspath(path))
    tensors, text = _read(path, where)
    try:
        content = json.loads(text)
        version = content["version"]
        if version != VERSION:
            raise FileError(f"{where}: version {json.dumps(version)[:40]} of {KEY!r}; this reads {VERSION}")
        layers, split = dict(content["layers"]), list(content["split"])
        loaded = copy.deepcopy(model)
        for name in split:
            _module(loaded, name, where)
            take_apart(loaded, name)
        plan = {}
        for name, described in layers.items():
            module, kind = _module(loaded, name, where), _TYPES[described["type"]]
            if isinstance(module, MXLayer):
                raise FileError(f"{where}: layer {name!r} of the model is converted already; give the float model")
            plan[name] = (kind, _spec(described["spec"]))
        install(loaded, _first_names(loaded, plan))
        for name, described in layers.items():
            if described["weight"] is not None:
                _load_weight(loaded, name, described["weight"], tensors, where)
        expected = loaded.state_dict()
        for name, value in tensors.items():
            if name in expected and value.shape != expected[name].shape:
                have, need = list(value.shape), list(expected[name].shape)
                raise FileError(f"{where}: tensor {name!r} has shape {have}; the model needs {need}")
        missing, unexpected = loaded.load_state_dict(tensors, strict=False)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        if isinstance(error, MxError):
            raise error if isinstance(error, FileError) else FileError(f"{where}: {error}") from error
        raise FileError(f"{where}: {KEY!r} is damaged: {type(error).__name__} {error}") from error
    weights = {f"{name}.weight" for name, described in layers.items() if described["weight"] is not None}
    if lacking := [name for name in missing if name not in weights]:
        raise FileError(f"{where}: no tensor {lacking[0]!r}, which the model has")
    if unexpected:
        raise FileError(f"{where}: tensor {unexpected[0]!r} is not one of the model")
    return loaded


def _load_weight(
    model: nn.Module, name: str, described: dict[str, Any], tensors: dict[str, torch.Tensor], where: str
) -> None:
    layer = model.get_submodule(name)
    assert isinstance(layer, MXLayer)
    fmt = format_from_description(described["format"])
    try:
        codes, scales = tensors.pop(f"{name}.weight.codes"), tensors.pop(f"{name}.weight.scales")
    except KeyError as error:
        raise FileError(f"{where}: no tensor {error.args[0]!r}") from None
    shape = list(layer.get_parameter("weight").shape)
    if described["shape"] != shape or fmt != layer.spec.weight or described["axis"] != layer.weight_axis:
        raise FileError(
            f"{where}: layer {name!r} has a weight {described['shape']} in {fmt.name} along axis {described['axis']}; "
            f"the model needs {shape} along axis {layer.weight_axis}"
        )
    unpacked = unpack(codes.numpy(), fmt.element, described["layout"])
    blocks = Blocks(fmt, unpacked, scales.numpy(), tuple(shape), described["axis"], described["tensor_scale"])
    layer.set_weight_mx(MXTensor(blocks, layer.spec.options))


def _first_names(model: nn.Module, plan: dict[str, Any]) -> dict[str, Any]:
    """Return the plan with each module once, also if the model has it in several places."""
    seen: set[int] = set()
    chosen = {}
    for name, step in plan.items():
        module = model.get_submodule(name)
        if id(module) not in seen:
            seen.add(id(module))
            chosen[name] = step
    return chosen


def _module(model: nn.Module, name: str, where: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise FileError(f"{where}: has a layer {name!r}, which the model lacks") from None


def _describe_spec(spec: MXSpec) -> dict[str, Any]:
    described: dict[str, Any] = {
        name: None if getattr(spec, name) is None else describe_format(getattr(spec, name)) for name in _FORMATS
    }
    described["options"] = asdict(spec.options)
    described["backward_options"] = None if spec.backward_options is None else asdict(spec.backward_options)
    described["rule"] = None if spec.rule is None else to_dict(spec.rule)
    described["seed"] = spec.seed
    return described


def _spec(described: dict[str, Any]) -> MXSpec:
    given = dict(described)
    if sorted(given) != sorted(each.name for each in fields(MXSpec)):
        raise ValueError("a spec has other fields")
    for name in _FORMATS:
        if given[name] is not None:
            given[name] = format_from_description(given[name])
    for name in ("options", "backward_options"):
        if given[name] is not None:
            given[name] = QuantizeOptions(**given[name])
    if given["rule"] is not None:
        given["rule"] = from_dict(given["rule"])
    return MXSpec(**given)


def _read(path: str | os.PathLike[str], where: str) -> tuple[dict[str, torch.Tensor], str]:
    package = _package()
    from safetensors import SafetensorError, safe_open

    try:
        with open(path, "rb") as stream:
            data = stream.read()
        tensors = package.load(data)
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except OSError as error:
        raise FileError(f"{where}: cannot be read: {error.strerror or error}") from error
    except (SafetensorError, ValueError, KeyError) as error:
        raise FileError(f"{where}: damaged, or no .safetensors file: {error}") from error
    if KEY not in metadata:
        raise FileError(f"{where}: holds no converted model, for there is no {KEY!r}; refmodel.torch.save makes them")
    return tensors, metadata[KEY]


def _package() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingPackageError(
            "this needs the package safetensors; run: pip install 'mx-refmodel[torch]'"
        ) from error
    return safetensors.torch
