"""The model against mmasim, a simulator of matrix units (PyPI, 2.1.1, MIT): `python -m silicon.simulators`.

Every configuration of its instructions that differs in arithmetic, in operand types or in K is run on random
operands; shapes that differ only in M and N are the same dot product. Expected values come from mmasim alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.dot import dot
from refmodel.errors import MissingPackageError, MxError
from refmodel.operands import OPERAND_FORMATS
from silicon.cases import Cases, draw

_ELEMENTS = {
    "f16": "float16",
    "bf16": "bfloat16",
    "tf32": "float32",
    "f32": "float32",
    "fp8": "e4m3fnuz",
    "bf8": "e5m2fnuz",
}
_ARCHITECTURES = {
    "Volta": "volta",
    "Turing": "turing",
    "Ampere": "ampere",
    "Ada Lovelace": "ada",
    "Hopper": "hopper",
    "Blackwell": "blackwell",
    "RTX Blackwell": "blackwell",
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One instruction of mmasim.

    Attributes:
        name: Architecture and instruction, without M and N.
        rule: Name of the preset that stands for it.
        element_a, element_b: Names of the element formats.
        k: Elements of a dot product.
        block: Elements that share a scale, 0 without scales.
        scale: Name of the scale format, "" without scales.
        half_initial: Whether the initial value is FP16.
        nan_bits: Whether mmasim means the bits of a NaN; where not, any NaN is as good as another.
        make: Returns the operation of mmasim.
    """

    name: str
    rule: str
    element_a: str
    element_b: str
    k: int
    block: int
    scale: str
    half_initial: bool
    nan_bits: bool
    make: Callable[[], Any]


def configurations() -> list[Configuration]:
    """Return the configurations of mmasim, FP64 left out: the model has no FP64 accumulator.

    Raises:
        MissingPackageError: If mmasim is not installed.
    """
    try:
        import mmasim.amd
        import mmasim.nv_ptx  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"mmasim cannot be imported ({error}); install it: pip install 'mx-refmodel[silicon]'"
        ) from error
    found: dict[str, Configuration] = {}
    for configuration in (*_nvidia(), *_nvidia_scaled(), *_amd()):
        found.setdefault(configuration.name, configuration)
    return list(found.values())


def _nvidia() -> Iterator[Configuration]:
    from mmasim.nv_ptx import MMA, WGMMA, TCGen05MMA, isa_mma, isa_tcgen05mma, isa_wgmma

    kinds: tuple[tuple[str, Any, dict[str, list[str]]], ...] = (
        ("mma", MMA, isa_mma.mma_shape_and_type),
        ("wgmma", WGMMA, isa_wgmma.wgmma_shape_and_type),
        ("tcgen05", TCGen05MMA, isa_tcgen05mma.tcgen05mma_shape_and_type),
    )
    for kind, operation, by_architecture in kinds:
        for architecture, instructions in by_architecture.items():
            for instruction in instructions:
                shape, *words = instruction.split(".")
                words = [word for word in words if not word.startswith("kind::")]
                result, a, b = words[:3]
                c = words[3] if len(words) > 3 else result
                if "f64" in words:
                    continue
                k = int(shape.rpartition("k")[2])
                volta_shape = shape == "m8n8k4"
                yield Configuration(
                    name=f"{architecture} {kind} k{k} {result}.{a}.{b}.{c}",
                    rule=_nvidia_rule("Volta" if volta_shape else architecture, a, result),
                    element_a=_ELEMENTS.get(a, a),
                    element_b=_ELEMENTS.get(b, b),
                    k=k,
                    block=0,
                    scale="",
                    half_initial=c == "f16",
                    nan_bits=True,
                    make=partial(operation, architecture, instruction),
                )


def _nvidia_rule(architecture: str, element: str, result: str) -> str:
    machine = _ARCHITECTURES[architecture]
    if element == "tf32":
        name = f"nv_{'hopper' if machine == 'blackwell' else machine}_tf32"
    elif element in ("f16", "bf16"):
        name = f"nv_{machine}_{'fp16' if element == 'f16' else 'bf16'}"
    elif machine == "ada":
        name = "nv_ada_fp8"
    elif machine == "hopper":
        name = "nv_hopper_fp8_fast" if result == "f32" else "nv_hopper_fp8"
    else:
        name = "nv_blackwell_f8f6f4"
    return name if result == "f32" else f"{name}_acc16"


def _nvidia_scaled() -> Iterator[Configuration]:
    from mmasim.nv_ptx import MMABlockScale, TCGen05MMABlockScale, isa_mma, isa_tcgen05mma

    kinds: tuple[tuple[str, Any, dict[str, list[str]]], ...] = (
        ("mma", MMABlockScale, isa_mma.mma_block_scale_shape_and_type),
        ("tcgen05", TCGen05MMABlockScale, isa_tcgen05mma.tcgen05mma_block_scale_shape_and_type),
    )
    for kind, operation, by_architecture in kinds:
        for architecture, instructions in by_architecture.items():
            for instruction in instructions:
                shape, kind_word, block, _, a, b, *_, scale = instruction.split(".")
                k = int(shape.rpartition("k")[2])
                size = int(block.removeprefix("block"))
                if k == 32:
                    rule = "nv_mxf8f6f4"
                elif scale == "ue4m3":
                    rule = "nv_nvf4"
                else:
                    rule = "nv_mxf4" if size == 32 else "nv_mxf4nvf4_e8m0"
                word = kind_word.removeprefix("kind::")
                yield Configuration(
                    name=f"{architecture} {kind} k{k} {word}.{block} {a}.{b}.{scale}",
                    rule=rule,
                    element_a=a,
                    element_b=b,
                    k=k,
                    block=size,
                    scale=scale.removeprefix("u") if scale == "ue8m0" else scale,
                    half_initial=False,
                    nan_bits=True,
                    make=partial(operation, architecture, instruction),
                )


def _amd() -> Iterator[Configuration]:
    from mmasim.amd import MFMA, isa_mfma

    for architecture, suffixes in isa_mfma.arch_mfma_suffix.items():
        for suffix in suffixes:
            operation = MFMA(architecture, suffix)
            if suffix.startswith("f64"):
                continue
            parts = suffix.split("_")
            a, b = _amd_types(suffix)
            machine = architecture.lower()
            if a == "f32":
                rule = "amd_cdna_fp32"
            elif a in ("fp8", "bf8"):
                rule = "amd_cdna3_fp8"
            elif a == "xf32":
                rule = "amd_cdna3_xf32"
            elif machine == "cdna3" or parts[-1] == "1k" or a == "f16":
                rule = f"amd_{machine}_fp16"
            else:
                rule = f"amd_{machine}_bf16"
            word = "bf16_1k" if parts[-1] == "1k" else a
            yield Configuration(
                name=f"{architecture} mfma k{operation.k} f32.{word}.{b}",
                rule=rule,
                element_a=_ELEMENTS.get(a, "float32"),
                element_b=_ELEMENTS.get(b, "float32"),
                k=operation.k,
                block=0,
                scale="",
                half_initial=False,
                nan_bits=False,
                make=partial(MFMA, architecture, suffix),
            )


def _amd_types(suffix: str) -> tuple[str, str]:
    """Return the element types of an instruction such as f32_16x16x32_fp8_bf8 or f32_32x32x8bf16_1k."""
    parts = suffix.removesuffix("_1k").split("_")
    if parts[-1] in ("fp8", "bf8"):
        return parts[-2], parts[-1]
    for word in ("xf32", "bf16", "f16", "f32"):
        if parts[-1].endswith(word):
            return word, word
    raise ValueError(suffix)


# --------------------------------------------------------------------------------------------------
# Running both
# --------------------------------------------------------------------------------------------------


KNOWN = """\
Known differences, counted apart:
  CDNA1, CDNA3  mmasim starts its sums from +0, and so never returns -0 where running value and products are
                all -0. No source says what the machines do.
  TF32, XF32    mmasim cuts 13 bits off a NaN, too, and so makes an infinity of one without higher payload
                bits; the model leaves a NaN a NaN.
  FP16 c        where only c is FP16, mmasim clamps its exponent at -14, the model at -126 as in Float32.
  CDNA3 FP8     mmasim takes the exponent of a NaN or infinite running value to be -1, and so drops it beside
                products of 2**24 and more; the model keeps it."""


@dataclass(slots=True)
class Comparison:
    """Dot products compared, differences, those of them that are known, and the first that is not."""

    dots: int = 0
    mismatches: int = 0
    known: int = 0
    first: str = ""

    def add(self, other: Comparison) -> None:
        """Count *other*, too."""
        self.dots += other.dots
        self.mismatches += other.mismatches
        self.known += other.known
        self.first = self.first or other.first


def simulate(configuration: Configuration, cases: Cases, rule: AccumulationRule) -> NDArray[np.uint32]:
    """Return the Float32 bits of mmasim's results, FP16 ones widened as the model widens them."""
    import torch

    operation = configuration.make()

    def tensor(codes: NDArray[Any], name: str) -> Any:
        types = {
            "float16": torch.float16,
            "bfloat16": torch.bfloat16,
            "float32": torch.float32,
            "e4m3": torch.float8_e4m3fn,
            "e5m2": torch.float8_e5m2,
            "e4m3fnuz": torch.float8_e4m3fnuz,
            "e5m2fnuz": torch.float8_e5m2fnuz,
            "e8m0": torch.float8_e8m0fnu,
            "ue4m3": torch.float8_e4m3fn,
        }
        if name in types:
            signed = {1: np.uint8, 2: np.int16, 4: np.int32}[codes.dtype.itemsize]
            return torch.from_numpy(np.ascontiguousarray(codes).view(signed)).view(types[name])
        if configuration.k == 64:  # two FP4 elements a byte, the first in the upper half
            return torch.from_numpy(codes[:, ::2] << 4 | codes[:, 1::2])
        return torch.from_numpy(codes << 2 if name == "e2m1" else codes)  # FP4 sits in bits 5 to 2

    a, b = tensor(cases.a, configuration.element_a), tensor(cases.b, configuration.element_b)
    c = torch.from_numpy(cases.c.view(np.float32).copy()).to(operation.c_type)
    if cases.scales_a is None or cases.scales_b is None:
        result = operation.dpa(a, b, c)
    else:
        alpha, beta = (tensor(s, configuration.scale) for s in (cases.scales_a, cases.scales_b))
        result = operation.dpa(a, b, c, alpha, beta)
    bits: NDArray[np.uint32] = result.float().contiguous().numpy().view(np.uint32).copy()
    nan = result.isnan().numpy()
    if operation.d_type == torch.float16:  # whose NaN pattern the widening by torch need not keep
        half = result.contiguous().view(torch.int16).numpy().view(np.uint16).astype(np.uint32)
        bits[nan] = (half[nan] & 0x8000) << 16 | 0x7F800000 | (half[nan] & 0x3FF) << 13
    if not configuration.nan_bits:
        bits[nan] = rule.nan_float32
    return bits


def compare(configuration: Configuration, count: int, seed: int = 1, batch: int = 20_000) -> Comparison:
    """Compare model and mmasim on *count* random dot products."""
    rule = get_rule(configuration.rule)
    rng = np.random.default_rng([seed, *configuration.name.encode()])
    a, b = OPERAND_FORMATS[configuration.element_a], OPERAND_FORMATS[configuration.element_b]
    found = Comparison()
    for done in range(0, count, batch):
        n = min(batch, count - done)
        cases = draw(rng, rule, n, configuration.k, a, b)
        if configuration.half_initial:
            cases = replace(cases, c=_to_half(cases.c))
        expected = simulate(configuration, cases, rule)
        model = dot(*cases.operands(), rule, cases.c.view(np.float32)).view(np.uint32)
        differs = model != expected
        known = differs & _known(configuration, cases, rule, expected, model)
        found.dots += n
        found.known += int(known.sum())
        wrong = np.flatnonzero(differs & ~known)
        found.mismatches += len(wrong)
        if len(wrong) and not found.first:
            i = wrong[0]
            found.first = (
                f"a={cases.a[i].tolist()} b={cases.b[i].tolist()} c={cases.c[i]:#010x} "
                f"scales={_scales_text(cases, i)}: mmasim {expected[i]:#010x}, model {model[i]:#010x}"
            )
    return found


def _to_half(bits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    with np.errstate(over="ignore", invalid="ignore"):
        return bits.view(np.float32).astype(np.float16).astype(np.float32).view(np.uint32)


def _known(
    configuration: Configuration,
    cases: Cases,
    rule: AccumulationRule,
    expected: NDArray[np.uint32],
    model: NDArray[np.uint32],
) -> NDArray[np.bool_]:
    """Return where a difference is one of those that `KNOWN` describes."""
    known = np.zeros(len(model), np.bool_)
    if configuration.rule.startswith(("amd_cdna1", "amd_cdna3")):
        known |= (expected == 0) & (model == 0x80000000)
    if rule.input_drop_bits:
        lowest = 1 << rule.input_drop_bits  # a NaN with no payload above the bits cut off
        for codes in (cases.a, cases.b):
            known |= ((codes << 1 > 0xFF000000) & (codes << 1 < 0xFF000000 + 2 * lowest)).any(axis=1)
    if configuration.half_initial and rule.acc_format != "fp16":
        known |= np.abs(cases.c.view(np.float32)) < 2.0**-14
    if configuration.rule == "amd_cdna3_fp8":
        running = cases.c
        for i in range(0, configuration.k, 16):
            known |= running << 1 >= 0xFF000000
            group = replace(cases, a=cases.a[:, i : i + 16], b=cases.b[:, i : i + 16], c=running)
            running = dot(*group.operands(), rule, running.view(np.float32)).view(np.uint32)
    return known


def _scales_text(cases: Cases, i: int) -> str:
    if cases.scales_a is None or cases.scales_b is None:
        return "none"
    return f"{cases.scales_a[i].tolist()},{cases.scales_b[i].tolist()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 if model and mmasim agree everywhere, 1 if not, 2 on an error."""
    parser = argparse.ArgumentParser(
        prog="python -m silicon.simulators", description="Compare the model with the simulator mmasim."
    )
    parser.add_argument("--count", type=int, default=100_000, help="dot products a configuration")
    parser.add_argument("--only", default="", help="only configurations or rules whose name contains this")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    try:
        chosen = [c for c in configurations() if given.only in c.name or given.only in c.rule]
        failed = False
        print(f"{'configuration':50}{'rule':27}{'dots':>10}{'mismatches':>12}{'known':>8}{'seconds':>9}")
        for configuration in chosen:
            start = perf_counter()
            found = compare(configuration, given.count, given.seed)
            seconds = perf_counter() - start
            print(
                f"{configuration.name:50}{configuration.rule:27}{found.dots:10,}{found.mismatches:12,}"
                f"{found.known:8,}{seconds:9.1f}",
                flush=True,
            )
            if found.mismatches:
                failed = True
                print(f"  {found.first}", flush=True)
        print(KNOWN)
        return int(failed)
    except MxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
