"""A model of float layers -> a model of MX layers: prepare, run it on calibration data if need be, convert.

The model that is given is never changed; what comes back is a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from refmodel.errors import DefinitionError, ModuleError, MxError, UnknownNameError, unknown_name
from refmodel.torch import ptq
from refmodel.torch.attention import MultiheadAttention
from refmodel.torch.config import Method, MXQuantConfig
from refmodel.torch.functional import quantized
from refmodel.torch.layers import MXAttention, MXConv2d, MXEmbedding, MXLayer, MXLinear
from refmodel.torch.spec import MXSpec
from refmodel.torch.tensors import as_numpy

_LAYERS: tuple[tuple[type[nn.Module], type[MXLayer]], ...] = (
    (nn.Linear, MXLinear),
    (nn.Conv2d, MXConv2d),
    (nn.Embedding, MXEmbedding),
)
_STATE = "_mx_prepared"


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one layer.

    Attributes:
        layer: The layer that takes its place; MXAttention is kept and takes the specification.
        spec: Formats, options, rule.
        method: How the codes of its weight are found.
    """

    layer: type[MXLayer] | type[MXAttention]
    spec: MXSpec
    method: Method


@dataclass(slots=True)
class Prepared:
    """What `prepare` leaves at a model for `convert`.

    Attributes:
        plan: Name of a layer -> what becomes of it.
        hook: Records the arguments of calls of the model.
        calls: Those arguments.
    """

    plan: dict[str, Step]
    hook: Any = None
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)


def prepare(model: nn.Module, config: MXQuantConfig) -> nn.Module:
    """Return a copy of a model that records what it is called with, ready for `convert`.

    Linear, Conv2d and MultiheadAttention of torch.nn are to be converted, and Embedding if the configuration says so;
    MultiheadAttention is replaced by its parts, q_proj, k_proj, v_proj, out_proj and attention.

    Raises:
        ModuleError: If a layer that is not excluded cannot be converted: one of a subclass, with a weight that is
            computed elsewhere, without values, or with arguments that have no counterpart; or if the method
            does not work for it.
        UnknownNameError: If a name in exclude or overrides means no layer.
        DefinitionError: If there is nothing to convert.
    """
    prepared = copy.deepcopy(model)
    if isinstance(prepared, nn.MultiheadAttention | nn.Linear | nn.Conv2d | nn.Embedding):
        raise ModuleError(f"the model is a single {type(model).__name__}; use from_float, or put it in a module")
    _take_apart(prepared, config)
    plan = _plan(prepared, config)
    for module in prepared.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            # Its fused kernel takes the weights of its layers and does not call them; this keeps it from that.
            module.activation_relu_or_gelu = 0
    state = Prepared(plan)

    def record(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        state.calls.append(_detached((args, kwargs)))

    if any(step.method in ptq.CALIBRATED for step in plan.values()):
        state.hook = prepared.register_forward_pre_hook(record, with_kwargs=True)
    prepared.__dict__[_STATE] = state
    return prepared


def convert(model: nn.Module) -> nn.Module:
    """Return a copy of a prepared model with its layers converted.

    Methods that need calibration take the layers in the order in which the model calls them: a layer sees the inputs
    that the layers before it give when they are converted, and those they gave before.

    Raises:
        DefinitionError: If the model is not one that `prepare` returned, or a method needs calibration and the
            model, or a layer of it, was not run.
        ValueRefusedError: If a layer's input in calibration has NaN or infinities.
    """
    state = model.__dict__.get(_STATE)
    if not isinstance(state, Prepared):
        raise DefinitionError("the model is not a prepared one: call prepare(model, config) first")
    calibrated = [name for name, step in state.plan.items() if step.method in ptq.CALIBRATED]
    if calibrated and not state.calls:
        raise DefinitionError(
            f"method {state.plan[calibrated[0]].method!r} needs calibration: run the prepared model on data first"
        )
    converted = copy.deepcopy(model, {id(state): None})
    del converted.__dict__[_STATE]
    if state.hook is not None:
        del converted._forward_pre_hooks[state.hook.id]
        converted._forward_pre_hooks_with_kwargs.pop(state.hook.id, None)
    install(converted, {name: (step.layer, step.spec) for name, step in state.plan.items()})
    for name, step in state.plan.items():
        if step.method == "searched":
            layer = converted.get_submodule(name)
            assert isinstance(layer, MXLayer)
            assert step.spec.weight is not None
            weight = as_numpy(layer.get_parameter("weight"))
            found = ptq.searched(weight, step.spec.weight, layer.weight_axis, step.spec.options)
            layer.set_weight_mx(found)
    if calibrated:
        _calibrate(model, converted, state, calibrated)
    return converted


def install(model: nn.Module, plan: Mapping[str, tuple[type[MXLayer] | type[MXAttention], MXSpec]]) -> None:
    """Put MX layers in the place of those of the plan, in every place where the model has them."""
    places: dict[int, list[tuple[nn.Module, str]]] = {}
    for parent in model.modules():
        for name, child in parent._modules.items():
            if child is not None:
                places.setdefault(id(child), []).append((parent, name))
    for name, (kind, spec) in plan.items():
        module = model.get_submodule(name)
        layer = MXAttention(spec) if issubclass(kind, MXAttention) else kind.from_float(module, spec)
        layer.train(module.training)
        for parent, key in places[id(module)]:
            parent._modules[key] = layer


def take_apart(model: nn.Module, name: str) -> None:
    """Replace a MultiheadAttention of the model by its parts.

    Raises:
        ModuleError: If it cannot be taken apart.
    """
    module = model.get_submodule(name)
    MultiheadAttention.check(module)
    assert isinstance(module, nn.MultiheadAttention)
    parts = MultiheadAttention(module)
    for parent in list(model.modules()):
        for key, child in parent._modules.items():
            if child is module:
                parent._modules[key] = parts


def matches(name: str, patterns: Any) -> bool:
    """Return whether a pattern means a layer: its name, or that of a module around it."""
    parts = name.split(".")
    around = [".".join(parts[: i + 1]) for i in range(len(parts))]
    return any(fnmatchcase(each, pattern) for pattern in patterns for each in around)


def _take_apart(model: nn.Module, config: MXQuantConfig) -> None:
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.MultiheadAttention) and not matches(name, config.exclude):
            with _named(name):
                take_apart(model, name)


def _plan(model: nn.Module, config: MXQuantConfig) -> dict[str, Step]:
    plan: dict[str, Step] = {}
    used: set[str] = set()
    names = list(_targets(model, config))
    for name, module, kind in names:
        found = [pattern for pattern in (*config.exclude, *config.overrides) if matches(name, [pattern])]
        used.update(found)
        if any(pattern in config.exclude for pattern in found):
            continue
        own = replace(config, overrides={})
        for pattern in found:
            own = replace(own, **config.overrides[pattern])
        with _named(name):
            if issubclass(kind, MXLayer):
                kind.check(module)
            spec = own.spec(len(plan))
            if own.method in ptq.CALIBRATED and kind not in (MXLinear, MXAttention):
                raise ModuleError(f"method {own.method!r} is for linear layers; override it, or exclude the layer")
        plan[name] = Step(kind, spec, "direct" if kind is MXAttention else own.method)
    for module_name, module in model.named_modules():  # what was left as a whole
        if isinstance(module, nn.MultiheadAttention):
            used.update(p for p in config.exclude if matches(module_name, [p]))
    for pattern in (*config.exclude, *config.overrides):
        if pattern not in used:
            raise unknown_name("layer", pattern, [name for name, _, _ in names])
    if not plan:
        raise DefinitionError("the model has no layer to convert: Linear, Conv2d or MultiheadAttention")
    return plan


def _targets(
    model: nn.Module, config: MXQuantConfig
) -> Iterator[tuple[str, nn.Module, type[MXLayer] | type[MXAttention]]]:
    inside = {id(m.out_proj) for m in model.modules() if isinstance(m, nn.MultiheadAttention)}
    for name, module in model.named_modules():
        if id(module) in inside:
            continue
        if isinstance(module, MXAttention):
            yield name, module, MXAttention
        for base, kind in _LAYERS:
            if isinstance(module, base) and (config.embeddings or kind is not MXEmbedding):
                yield name, module, kind


class _named:
    """Put the name of the layer before the message of an error."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, MxError) and not isinstance(error, UnknownNameError):
            raise type(error)(f"layer {self.name!r}: {error}") from error


def _detached(value: Any) -> Any:
    """Return nested arguments with copies of their tensors."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        return type(value)(_detached(each) for each in value)
    if type(value) is dict:
        return {key: _detached(each) for key, each in value.items()}
    return value


class _Enough(Exception):
    """Ends a run of the model when a layer has been called as often as it will be."""


def _calibrate(model: nn.Module, converted: nn.Module, state: Prepared, names: list[str]) -> None:
    modes = {module: module.training for each in (model, converted) for module in each.modules()}
    enabled = dict(model._forward_pre_hooks)
    model._forward_pre_hooks.pop(state.hook.id)
    try:
        model.eval()
        converted.eval()
        order = _calls(model, state, names)
        for name in sorted(names, key=lambda each: order[each][0]):
            step = state.plan[name]
            layer = converted.get_submodule(name)
            assert isinstance(layer, MXLinear)
            assert step.spec.weight is not None
            moments = ptq.Moments(layer.in_features)
            for index, call in enumerate(state.calls):
                count = order[name][1][index]
                before = _inputs(model, name, call, count)
                after = _inputs(converted, name, call, count)
                for x, given in zip(before, after, strict=True):
                    seen = quantized(given, step.spec.activation, -1, step.spec.options).values
                    with _named(name):
                        moments.add(as_numpy(x.float()), as_numpy(seen))
            weight = as_numpy(layer.weight)
            find = ptq.gptq if step.method == "gptq" else ptq.error_diffusion
            layer.set_weight_mx(find(weight, step.spec.weight, step.spec.options, moments))
    finally:
        model._forward_pre_hooks.clear()
        model._forward_pre_hooks.update(enabled)
        for module, mode in modes.items():
            module.training = mode


def _calls(model: nn.Module, state: Prepared, names: list[str]) -> dict[str, tuple[int, list[int]]]:
    """Return for each layer when it is called first, and how often in each recorded call of the model."""
    order: dict[str, int] = {}
    counts = {name: [0] * len(state.calls) for name in names}
    for index, call in enumerate(state.calls):

        def count(name: str, index: int = index) -> Any:
            def hook(*_: Any) -> None:
                order.setdefault(name, len(order))
                counts[name][index] += 1

            return hook

        handles = [model.get_submodule(name).register_forward_pre_hook(count(name)) for name in names]
        try:
            with torch.no_grad():
                model(*call[0], **call[1])
        finally:
            for handle in handles:
                handle.remove()
    for name in names:
        if name not in order:
            raise DefinitionError(f"layer {name!r} was not called in calibration; exclude it, or use other data")
    return {name: (order[name], counts[name]) for name in names}


def _inputs(model: nn.Module, name: str, call: Any, count: int) -> list[torch.Tensor]:
    """Return the inputs of a layer in one call of the model."""
    found: list[torch.Tensor] = []

    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x = args[0] if args else kwargs["input"]
        found.append(x.reshape(-1, x.shape[-1]))
        if len(found) == count:
            raise _Enough

    if not count:
        return found
    handle = model.get_submodule(name).register_forward_pre_hook(hook, with_kwargs=True)
    try:
        with torch.no_grad():
            args, kwargs = copy.deepcopy(call)
            model(*args, **kwargs)
    except _Enough:
        pass
    finally:
        handle.remove()
    return found
