"""Which accumulation rule the FP8 matrix product of a CUDA device follows: ``python -m benchmarks.gpu_probe``.

Runs the experiments E1 to E11 through `torch._scaled_mm`, with and without fast accumulation, prints what the model
predicts beside what the device returns, and lets `refmodel.identify` say which rules are consistent with the device.
Needs a build of torch for CUDA and a device of compute capability 8.9 or more.

A probe is a row of A and a column of B, and the diagonal is read. Probes are repeated until the product is of some
hundred rows, at several places each, so that neither tile nor place can matter unnoticed. cuBLASLt gets no workspace,
which keeps it from splitting K. Where the kernel is not one of wgmma, it is another unit that is seen.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate import AccumulationRule, get_rule, list_rules
from refmodel.dot import dot, matmul
from refmodel.errors import MxError
from refmodel.formats import E4M3, E5M2, ElementFormat
from refmodel.identify import Interface, Probes, identify
from refmodel.identify.directed import code_of
from refmodel.identify.stimulus import stimulus
from refmodel.operands import Elements

INTERFACE = Interface(E5M2, E4M3, lengths=(32, 128, 512), c_format=None)
"""Both operands as E5M2 is refused by the library call; this pair has the widest range."""

RULES = {(8, 9): ("nv_ada_fp8", "nv_ada_fp8"), (9, 0): ("nv_hopper_fp8_fast", "nv_hopper_fp8_slow128")}
"""By compute capability, the rules expected with and without fast accumulation."""

_OTHER = ("nv_blackwell_f8f6f4", "nv_blackwell_f8f6f4")


class Unit(Protocol):
    """What multiplies matrices.

    Attributes:
        name: What it is.
        places: Rows and columns of a product at least; a multiple of 16.
    """

    name: str
    places: int

    def product(self, a: Elements, b: Elements, *, fast: bool, out: str = "float32") -> NDArray[np.float32]:
        """Return a [M, K] times the transpose of b [N, K], as Float32s that hold values of *out*."""


class TorchUnit:
    """`torch._scaled_mm` on a device."""

    places = 256

    def __init__(self, device: str) -> None:
        import torch

        self._torch, self._device = torch, device
        self.name = device
        if device.startswith("cuda"):
            self.name = f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, CUDA {torch.version.cuda}"

    def product(self, a: Elements, b: Elements, *, fast: bool, out: str = "float32") -> NDArray[np.float32]:
        """Return the product; see `Unit`."""
        torch = self._torch
        x, y = (self._tensor(operand) for operand in (a, b))
        scales = [
            torch.tensor(float(1 if each.tensor_scale is None else each.tensor_scale), device=self._device)
            for each in (a, b)
        ]
        result = torch._scaled_mm(
            x, y.t(), scale_a=scales[0], scale_b=scales[1], out_dtype=getattr(torch, out), use_fast_accum=fast
        )
        return np.asarray(result.float().cpu().numpy(), np.float32)

    def _tensor(self, operand: Elements) -> Any:
        kinds = {"e5m2": self._torch.float8_e5m2, "e4m3": self._torch.float8_e4m3fn}
        codes = self._torch.from_numpy(np.ascontiguousarray(operand.codes)).to(self._device)
        return codes.view(kinds[operand.format.name])

    def kernels(self) -> list[str]:
        """Return the names of the kernels that one product of each kind runs."""
        from torch.profiler import ProfilerActivity, profile

        ones = [Elements(fmt, np.full((self.places, 128), code_of(fmt, 1.0), np.uint8)) for fmt in (E5M2, E4M3)]
        with profile(activities=[ProfilerActivity.CUDA]) as profiled:
            for fast in (True, False):
                self.product(*ones, fast=fast)
        return sorted({event.key for event in profiled.key_averages() if "mm" in event.key.lower()})


class ModelUnit:
    """A stand-in that follows two rules, by the model."""

    places = 16

    def __init__(self, fast: AccumulationRule, slow: AccumulationRule) -> None:
        self._rules = {True: fast, False: slow}
        self.name = f"model of {fast.name} and {slow.name}"

    def product(self, a: Elements, b: Elements, *, fast: bool, out: str = "float32") -> NDArray[np.float32]:
        """Return the product; see `Unit`."""
        return matmul(a, b, _output(self._rules[fast], out))


def _output(rule: AccumulationRule, out: str) -> AccumulationRule:
    if out == "float32":
        return rule
    fmt, nan = {"bfloat16": ("bf16", 0x7FFF), "float16": ("fp16", 0x7FFF)}[out]
    return replace(rule, out_format=fmt, nan_pattern=nan)  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------------------
# Probes and experiments
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Probe:
    """One dot product of an experiment.

    Attributes:
        name: Experiment and variant.
        terms: Factors of A and B by position; the others are zero.
        length: K.
        fast: With fast accumulation, without, or both.
        out: Type of the result.
        alpha: Tensor scales of A and B.
    """

    name: str
    terms: dict[int, tuple[float, float]]
    length: int = 128
    fast: tuple[bool, ...] = (True, False)
    out: str = "float32"
    alpha: tuple[float, float] | None = None

    def operands(self) -> tuple[Elements, Elements]:
        """Return A and B, one row each."""
        sides = []
        for side, fmt in enumerate((E5M2, E4M3)):
            codes = np.zeros((1, self.length), np.uint8)
            for i, factors in self.terms.items():
                codes[0, i] = _code(fmt, factors[side])
            sides.append(Elements(fmt, codes, None if self.alpha is None else np.float32(self.alpha[side])))
        return sides[0], sides[1]


def _code(fmt: ElementFormat, value: float) -> int:
    code = code_of(fmt, value)
    if code is None:
        raise AssertionError(f"{value} is no {fmt.name}")
    return code


def _power(e: int) -> tuple[float, float]:
    return 2.0 ** (e - e // 2), 2.0 ** (e // 2)


def experiments() -> list[Probe]:
    """Return the dot products of E1 to E8, E10 and E11."""
    one, minus = (1.0, 1.0), (-1.0, 1.0)
    nan, inf = float("nan"), float("inf")
    probes = [Probe(f"E1 j={j}", {0: one, 1: minus, 2: _power(-j)}) for j in range(10, 17)]
    probes.append(Probe("E2", {0: one, 1: minus, 2: (-1.5 * 2.0**-7, 2.0**-7)}))
    probes.append(Probe("E3", {0: one, 1: one, 2: (1.5 * 2.0**-6, 2.0**-6)}))
    for j in (1, 31, 32, 64, 127):
        ones = dict.fromkeys(range(128), one)
        probes.append(Probe(f"E4 j={j}", {**ones, 0: (256.0, 256.0), j: (-256.0, 256.0)}))
    tiny = dict.fromkeys(range(32, 64), (2.0**-7, 2.0**-7))
    probes.append(Probe("E5", {**tiny, 0: one}))
    probes += [Probe(f"E6 p={p}", {0: (128.0, 128.0), p: one}, 256) for p in (1, 32, 127, 128, 255)]
    probes.append(Probe("E7", dict.fromkeys(range(32768), (2.0**-4, 2.0**-4)), 32768))
    probes.append(Probe("E8", {0: (256.0, 256.0), 128: (1.5 * 2.0**-4, 2.0**-4)}, 256, (False,)))
    specials = {
        "NaN": {0: (nan, 1.0)},
        "NaN of B": {0: (1.0, nan)},
        "Inf": {0: (inf, 1.0)},
        "-Inf": {0: (inf, -1.0)},
        "Inf*0": {0: (inf, 0.0)},
        "Inf-Inf": {0: (inf, 1.0), 64: (-inf, 1.0)},
        "-0": dict.fromkeys(range(128), (-0.0, 1.0)),
    }
    probes += [Probe(f"E10 {name}", terms) for name, terms in specials.items()]
    for out, bits in (("bfloat16", 8), ("float16", 11)):
        for name, low in (("tie", None), ("above", -12)):
            terms = {0: one, 1: _power(-bits)}
            probes.append(Probe(f"E11 {out} {name}", terms | ({2: _power(low)} if low else {}), out=out))
    probes.append(Probe("E11 alpha", {0: one, 1: _power(-9)}, alpha=(1.1, 0.7)))
    probes.append(Probe("E11 alpha bfloat16", {0: one, 1: _power(-9)}, out="bfloat16", alpha=(1.1, 0.7)))
    return probes


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: bits predicted and seen; None where places disagree."""

    name: str
    fast: bool
    predicted: int
    seen: int | None

    @property
    def agrees(self) -> bool:
        """Whether the device returns what the model predicts; every NaN is one."""
        if self.seen is None:
            return False
        return self.predicted == self.seen


def diagonal(unit: Unit, a: Elements, b: Elements, fast: bool, out: str = "float32") -> list[int | None]:
    """Return the bits of each row of a times the same row of b; None where places of a probe differ."""
    n = len(a.codes)
    size = -(-max(unit.places, n) // 16) * 16
    rows = np.arange(size) % n
    x, y = (Elements(each.format, each.codes[rows], each.tensor_scale) for each in (a, b))
    found = np.ascontiguousarray(np.diagonal(unit.product(x, y, fast=fast, out=out)), np.float32).view(np.uint32)
    return [int(own[0]) if len(set(own.tolist())) == 1 else None for own in (found[rows == i] for i in range(n))]


def run_experiments(unit: Unit, rules: dict[bool, AccumulationRule]) -> list[Row]:
    """Return what *unit* returns for `experiments` beside what the rules predict."""
    found = []
    for probe in experiments():
        a, b = probe.operands()
        for fast in probe.fast:
            predicted = int(dot(a, b, _output(rules[fast], probe.out)).view(np.uint32)[0])
            (seen,) = diagonal(unit, a, b, fast, probe.out)
            found.append(Row(probe.name, fast, predicted, seen))
    return found


def run_random(
    unit: Unit, rules: dict[bool, AccumulationRule], count: int, seed: int = 1
) -> list[tuple[str, int, int]]:
    """Return for E9, by kind, dot products and how many differ.

    At least *count* each with and without fast accumulation, of several lengths, of all codes and of narrow ranges;
    every row meets every column.
    """
    rng = np.random.default_rng(seed)
    lengths = (32, 128, 512, 4096)
    side = max(16, -(-int(np.ceil(np.sqrt(count / len(lengths) / 2))) // 16) * 16)
    found = []
    for fast in (True, False):
        for length in lengths:
            narrow = stimulus(replace(INTERFACE, lengths=(length,)), rng, side, length)
            everything = rng.integers(0, 256, (2, side, length), dtype=np.uint8)
            wrong = 0
            for codes in ((narrow.a, narrow.b), (everything[0], everything[1])):
                a, b = Elements(E5M2, codes[0]), Elements(E4M3, codes[1])
                predicted = matmul(a, b, rules[fast]).view(np.uint32)
                seen = np.ascontiguousarray(unit.product(a, b, fast=fast), np.float32).view(np.uint32)
                wrong += int(np.count_nonzero(predicted != seen))
            found.append((f"E9 {'fast' if fast else 'slow'} K={length}", 2 * side * side, wrong))
    return found


def black_box(unit: Unit, fast: bool) -> Any:
    """Return *unit* as `identify` asks it."""

    def answer(probes: Probes) -> NDArray[np.uint32]:
        bits = diagonal(unit, Elements(E5M2, probes.a), Elements(E4M3, probes.b), fast)
        if None in bits:
            raise MxError("the result of a probe depends on its place; no rule of elements alone describes that")
        return np.array(bits, np.uint32)

    return answer


# --------------------------------------------------------------------------------------------------
# The command
# --------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 if everything is as predicted, 1 if not, 2 without a device or on an error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_probe", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="random dot products of E9 (default %(default)s)")
    parser.add_argument(
        "--stand-in", action="store_true", help="ask the model of --expect in place of a device, to try the script"
    )
    parser.add_argument(
        "--expect", nargs=2, metavar=("FAST", "SLOW"), help="rules to predict with (default: by the device)"
    )
    given = parser.parse_args(arguments)
    # No workspace, no split K; read by torch when it first calls cuBLASLt.
    os.environ.setdefault("CUBLASLT_WORKSPACE_SIZE", "0")
    try:
        unit, names = _unit(given)
        rules = {fast: get_rule(name) for fast, name in zip((True, False), names, strict=True)}
        return report(unit or ModelUnit(rules[True], rules[False]), rules, given.count)
    except MxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _unit(given: argparse.Namespace) -> tuple[Unit | None, Sequence[str]]:
    """Return the device and the rules to predict with; None for a stand-in."""
    if given.stand_in:
        return None, given.expect or RULES[9, 0]
    try:
        import torch
    except ImportError:
        raise MxError(
            "torch is not installed; install a build of it for CUDA, or try the script with --stand-in"
        ) from None
    if not torch.cuda.is_available():
        raise MxError("torch finds no CUDA device; run this where there is one, or try the script with --stand-in")
    capability = torch.cuda.get_device_capability()
    if capability < (8, 9):
        raise MxError(f"compute capability {capability[0]}.{capability[1]} has no FP8 products; 8.9 is the least")
    return TorchUnit("cuda"), given.expect or RULES.get(capability, _OTHER)


def report(unit: Unit, rules: dict[bool, AccumulationRule], count: int) -> int:
    """Print the tables and identifications; return 1 if something is not as predicted."""
    print(f"{unit.name}; predicted by {rules[True].name} (fast) and {rules[False].name} (slow)")
    if isinstance(unit, TorchUnit):
        print("kernels: " + (", ".join(unit.kernels()) or "not named by the profiler"))
    print(f"\n{'experiment':24}{'accum.':8}{'predicted':>12}{'seen':>12}")
    failed = False
    for row in run_experiments(unit, rules):
        failed = failed or not row.agrees
        seen = "by place" if row.seen is None else f"{row.seen:#010x}"
        mark = "" if row.agrees else "  DIFFERS"
        print(f"{row.name:24}{'fast' if row.fast else 'slow':8}  {row.predicted:#010x}{seen:>12}{mark}")
    for name, dots, wrong in run_random(unit, rules, count):
        failed = failed or wrong > 0
        print(f"{name:32}{dots:12,} dots{wrong:10,} differ")
    for fast in (True, False):
        found = identify(black_box(unit, fast), INTERFACE)
        print(f"\nwith{'' if fast else 'out'} fast accumulation\n{found}")
        failed = failed or rules[fast].name not in found.presets
    print(f"\npresets known: {len(list_rules())}; " + ("NOT all as predicted" if failed else "all as predicted"))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
