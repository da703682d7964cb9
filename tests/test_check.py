"""Results with a known fault are judged: the fault is named, whatever form the results come in.

The faulty results are worked out here, in integers, by a design of a few lines that knows nothing of the model.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refmodel import cli
from refmodel.accumulate import get_rule
from refmodel.conformance.causes import CAUSES, expected_results
from refmodel.conformance.check import Judgement
from refmodel.conformance.clauses import list_clauses
from refmodel.vectors.conversions import make_dequantize_vectors, make_quantize_vectors
from refmodel.vectors.dotset import DotVectors, make_dot_vectors
from refmodel.vectors.files import write_vectors
from refmodel.vectors.tiles import make_tile_vectors
from refmodel.vectors.vectorset import VectorSet

NAN, INFINITY, CANONICAL = math.nan, math.inf, 0x7FC00000

# ---------------------------------------------------------------------------------------------------------
# A design of dot products, and what can be wrong with it
# ---------------------------------------------------------------------------------------------------------

# Exponent bits, mantissa bits, bias.
FLOATS = {"e5m2": (5, 2, 15), "e4m3": (4, 3, 7), "e3m2": (3, 2, 3), "e2m3": (2, 3, 1), "e2m1": (2, 1, 1)}


@dataclasses.dataclass(frozen=True)
class Design:
    """Its faults: what differs from these defaults."""

    scale_ff: str = "nan"  # or the number 2**128
    scale_00: int | None = -127  # exponent; None for zero
    scale_shift: int = 0
    scales_used: str = "ab"
    e4m3_specials: str = "fn"
    subnormals: str = "gradual"  # or flushed, or with a hidden one
    int8_fraction_a: int = 6
    int8_fraction_b: int = 6
    int8_codes: str = "two's complement"
    lanes_a: tuple[int, ...] = tuple(range(32))
    rounding: str = "even"
    subnormal_results: bool = True
    overflow: int = 0x7F800000
    nan: int = CANONICAL
    uses_c: bool = True
    restarts: bool = False
    sequential: bool = False


@cache
def element(name: str, design: Design, fraction: int) -> tuple[np.ndarray, int]:
    """Return (values in units of 2**-q, or NaN or Inf, as objects; q) of all codes."""
    if name == "int8":
        codes = range(256)
        if design.int8_codes == "sign and magnitude":
            values = [code if code < 128 else -(code & 127) for code in codes]
        else:
            lowest = -127 if design.int8_codes == "clamped" else -128
            values = [max(code - 256 if code >= 128 else code, lowest) for code in codes]
        return np.array(values, object), fraction
    exponent_bits, mantissa_bits, bias = FLOATS[name]
    q = bias - 1 + mantissa_bits
    if design.subnormals == "hidden one":
        q += 1
    values = []
    for code in range(1 << 1 + exponent_bits + mantissa_bits):
        digits = f"{code:0{1 + exponent_bits + mantissa_bits}b}"
        sign, field = -1 if digits[0] == "1" else 1, int(digits[1 : 1 + exponent_bits], 2)
        mantissa = int(digits[1 + exponent_bits :], 2)
        is_top = field == (1 << exponent_bits) - 1
        specials = {"e5m2": "ieee", "e4m3": design.e4m3_specials}.get(name, "none")
        if specials == "ieee" and is_top:
            values.append(NAN if mantissa else sign * INFINITY)
        elif specials == "fn" and is_top and mantissa == (1 << mantissa_bits) - 1:
            values.append(NAN)
        elif field or design.subnormals == "hidden one":
            shift = field - bias - mantissa_bits + q
            values.append(sign * ((1 << mantissa_bits) + mantissa << shift))
        else:
            values.append(0 if design.subnormals == "flushed" else sign * mantissa)
    return np.array(values, object), q


def scale(code: int, design: Design) -> int | float | None:
    """Return the exponent of a scale, NaN, or None for zero."""
    if code == 0xFF:
        return NAN if design.scale_ff == "nan" else 128
    return design.scale_00 if code == 0 else code - 127


def add(terms: list[tuple[Any, int]], design: Design) -> int:
    """Return the Float32 bits of a sum of n * 2**e, rounded once; n may be NaN or Inf."""
    special = [n for n, _ in terms if isinstance(n, float)]
    if special:
        total = sum(special)
        return design.nan if math.isnan(total) else 0x7F800000 if total > 0 else 0xFF800000
    terms = [term for term in terms if term[0]]
    lowest = min((e for _, e in terms), default=0)
    return float32(sum(n << e - lowest for n, e in terms), lowest, design)


def float32(n: int, e: int, design: Design) -> int:
    """Return the Float32 bits of n * 2**e."""
    sign, magnitude = (0x80000000 if n < 0 else 0), abs(n)
    if not magnitude:
        return 0
    place = max(magnitude.bit_length() + e - 24, -149)  # of the last bit of the result
    shift = place - e
    if shift <= 0:
        kept, rest, half = magnitude << -shift, 0, 1
    else:
        kept, rest, half = magnitude >> shift, magnitude & ((1 << shift) - 1), 1 << shift - 1
    if design.rounding == "sticky lost":
        rest &= half
    elif design.rounding == "sticky lost, two's complement" and rest:
        rest = rest & half if n > 0 else half if rest <= half else 2 * half
    up = {
        "away": rest >= half,
        "cut": False,
        "down": n < 0 and rest > 0,
    }.get(design.rounding, rest > half or (rest == half and kept % 2 == 1))
    kept += up
    if kept >> 24:
        kept, place = kept >> 1, place + 1
    if kept < 1 << 23:
        return sign | (kept if design.subnormal_results else 0)
    bits = (place + 150 << 23) + kept - (1 << 23)
    return sign | (bits if bits < 0x7F800000 else design.overflow)


def of_float32(bits: int) -> tuple[Any, int]:
    """Return a Float32 as n * 2**e."""
    sign, field, fraction = -1 if bits >> 31 else 1, bits >> 23 & 0xFF, bits & 0x7FFFFF
    if field == 255:
        return (NAN if fraction else sign * INFINITY), 0
    return sign * (fraction + (0x800000 if field else 0)), max(field, 1) - 150


def run(vectors: DotVectors, design: Design) -> np.ndarray:
    """Return the results of the design: for each block the running value and the block are added and rounded once."""
    products, exponents = [], []
    (a_values, a_q), (b_values, b_q) = (
        element(blocks.format.element.name, design, fraction)
        for blocks, fraction in ((vectors.a, design.int8_fraction_a), (vectors.b, design.int8_fraction_b))
    )
    codes, scales = (vectors.a.codes[:, design.lanes_a], vectors.b.codes), (vectors.a.scales, vectors.b.scales)
    for codes_a, codes_b, scale_a, scale_b in zip(*codes, *(each.tolist() for each in scales), strict=True):
        used = {"ab": (scale_a, scale_b), "a": (scale_a, 127), "aa": (scale_a, scale_a)}[design.scales_used]
        x, y = (scale(code, design) for code in used)
        with np.errstate(invalid="ignore"):
            row = [NAN if p != p else p for p in (a_values[codes_a] * b_values[codes_b]).tolist()]
        if x != x or y != y:
            row = [NAN]
        elif x is None or y is None:
            row, x, y = [p * 0 for p in row], 0, 0
        products.append(row)
        exponents.append(0 if x != x or y != y else x + y - a_q - b_q + design.scale_shift)
    results = []
    for i in range(vectors.dots):
        value = initial = int(vectors.c[i]) if vectors.c is not None and design.uses_c else 0
        for block in range(*vectors.dot_slice(i).indices(vectors.blocks)[:2]):
            start = initial if design.restarts else value
            if design.sequential:
                signs = (codes[0][block] ^ codes[1][block]) >> 7  # of formats of 8 bits
                for product, sign in zip(products[block], signs.tolist(), strict=False):
                    if product or not sign or value != 0x80000000:  # -0 and -0 is -0
                        value = add([of_float32(value), (product, exponents[block])], design)
            else:
                value = add([of_float32(start), *((p, exponents[block]) for p in products[block])], design)
        results.append(value)
    return np.array(results, np.uint32)


# Exact zeros are +0, as the design has them.
FUSED = dataclasses.replace(get_rule("block32_exact_fused"), name="fused", zero_sign="from_plus")

SETS: dict[str, Callable[[], VectorSet]] = {
    "e4m3": lambda: make_dot_vectors("mxfp8_e4m3", "mxfp8_e4m3", rule="exact_fp32", count=1, seed=3),
    "e5m2": lambda: make_dot_vectors("mxfp8_e5m2", "mxfp8_e4m3", rule="exact_fp32", count=1, seed=3),
    "int8": lambda: make_dot_vectors("mxint8", "mxint8", rule="exact_fp32", count=1, seed=3),
    "e2m1": lambda: make_dot_vectors("mxfp4_e2m1", "mxfp4_e2m1", rule="exact_fp32", count=1, seed=3),
    "blocks": lambda: make_dot_vectors(
        "mxfp6_e3m2", "mxint8", rule=FUSED, multi_block=True, initial_values=True, count=1, seed=3
    ),
    "quantize": lambda: make_quantize_vectors("mxfp8_e4m3", count=1, seed=3),
    "dequantize": lambda: make_dequantize_vectors("mxfp8_e4m3", count=1, seed=3),
    "dequantize int8": lambda: make_dequantize_vectors("mxint8", count=1, seed=3),
    "tile": lambda: make_tile_vectors(
        "mxint8", "mxint8", rule="exact_fp32", rows=2, columns=2, count=1, seed=3
    ),
}


@cache
def vector_set(name: str) -> Any:
    return SETS[name]()


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "int8", "e2m1", "blocks"])
def test_the_design_without_a_fault_is_right(name: str) -> None:
    vectors = vector_set(name)
    results = run(vectors, Design())
    assert np.array_equal(results, vectors.results)
    assert Judgement(vectors, {"result": results[:, None]}).groups == []


DOT_FAULTS: list[tuple[str, str, dict[str, Any]]] = [
    ("e4m3", "nan-scale-ignored", {"scale_ff": "number"}),
    ("e4m3", "scale-00-as-zero", {"scale_00": None}),
    ("e4m3", "scale-00-as-2^-126", {"scale_00": -126}),
    ("e4m3", "scale-bias-not-subtracted", {"scale_shift": 127}),
    ("e4m3", "scale-biases-not-subtracted", {"scale_shift": 254}),
    ("e4m3", "scale-off-by-a-power-of-two", {"scale_shift": 1}),
    ("e2m1", "scale-off-by-a-power-of-two", {"scale_shift": -1}),
    ("e5m2", "scale-off-by-a-power-of-two", {"scale_shift": 14}),
    ("e4m3", "scale-b-ignored", {"scales_used": "a"}),
    ("e4m3", "scale-a-for-both", {"scales_used": "aa"}),
    ("e4m3", "e4m3-as-ieee", {"e4m3_specials": "ieee"}),
    ("e5m2", "e4m3-as-ieee", {"e4m3_specials": "ieee"}),
    ("e4m3", "fp8-specials-as-numbers", {"e4m3_specials": "none"}),
    ("e4m3", "subnormal-elements-flushed", {"subnormals": "flushed"}),
    ("e5m2", "subnormal-elements-flushed", {"subnormals": "flushed"}),
    ("e2m1", "subnormal-elements-hidden-one", {"subnormals": "hidden one"}),
    ("int8", "int8-grid-factor-missing", {"int8_fraction_a": 0, "int8_fraction_b": 0}),
    ("int8", "int8-grid-factor-missing-b", {"int8_fraction_b": 0}),
    ("int8", "int8-sign-magnitude", {"int8_codes": "sign and magnitude"}),
    ("int8", "int8-80-as-81", {"int8_codes": "clamped"}),
    ("e4m3", "lanes-reversed", {"lanes_a": tuple(range(31, -1, -1))}),
    ("e2m1", "lanes-swapped", {"lanes_a": tuple(i ^ 1 for i in range(32))}),
    ("e4m3", "sticky-lost", {"rounding": "sticky lost"}),
    ("e5m2", "sticky-lost", {"rounding": "sticky lost"}),
    ("blocks", "sticky-lost", {"rounding": "sticky lost"}),
    ("e4m3", "sticky-lost-negative", {"rounding": "sticky lost, two's complement"}),
    ("blocks", "sticky-lost-negative", {"rounding": "sticky lost, two's complement"}),
    ("e4m3", "ties-away", {"rounding": "away"}),
    ("blocks", "ties-away", {"rounding": "away"}),
    ("e4m3", "truncated", {"rounding": "cut"}),
    ("e5m2", "rounded-down", {"rounding": "down"}),
    ("e4m3", "subnormal-results-flushed", {"subnormal_results": False}),
    ("e4m3", "inf-as-largest", {"overflow": 0x7F7FFFFF}),
    ("e4m3", "nan-pattern", {"nan": 0xFFFFFFFF}),
    ("e5m2", "nan-pattern", {"nan": 0x7F800001}),
    ("e5m2", "nan-as-inf", {"nan": 0x7F800000}),
    ("e4m3", "nan-as-zero", {"nan": 0}),
    ("blocks", "initial-value-ignored", {"uses_c": False}),
    ("blocks", "only-last-block", {"restarts": True}),
    ("e4m3", "rule-seq_fma_fp32", {"sequential": True}),
]  # fmt: skip


@pytest.mark.parametrize(("set_name", "cause", "faults"), DOT_FAULTS, ids=[f"{s}-{c}" for s, c, _ in DOT_FAULTS])
def test_a_fault_of_dot_products_is_named(set_name: str, cause: str, faults: dict[str, Any]) -> None:
    vectors = vector_set(set_name)
    results = run(vectors, Design(**faults))
    judgement = Judgement(vectors, {"result": results[:, None]})
    (group,) = judgement.groups
    assert cause in (group.cause.name, *group.also)
    assert len(group.vectors) == judgement.wrong.size
    assert group.contradicted == 0


def test_every_pair_of_causes_has_its_own_name() -> None:
    names = [cause.name for cause in CAUSES]
    assert len(set(names)) == len(names)
    assert all(cause.description.endswith(".") for cause in CAUSES)
    known = {clause.id for clause in list_clauses()}
    assert {clause for cause in CAUSES for clause in cause.clauses} <= known


# ---------------------------------------------------------------------------------------------------------
# Conversions
# ---------------------------------------------------------------------------------------------------------


def converter(
    vectors: Any, *, largest: float = 448, ties: str = "even", shift: int = 0, code_shift: int = 0, flush: bool = False
) -> dict[str, np.ndarray]:
    """Return E4M3 blocks of Float32 numbers by section 6.3, with faults; NaN and Inf as the defaults have them."""
    table = sorted({float(v) / 2**9 for v in element("e4m3", Design(), 0)[0].tolist() if v == v and v >= 0})
    table = [value for value in table if value <= largest]
    top = math.frexp(largest)[1] - 1
    elements, scales = [], []
    with np.errstate(invalid="ignore"):  # of signalling NaN
        rows = vectors.values.view(np.float32).astype(float).tolist()
    for row in rows:
        if not all(map(math.isfinite, row)):
            elements.append([0] * 32)
            scales.append(0xFF)
            continue
        amax = max(map(abs, row))
        exponent = -127 if amax == 0 else min(max(math.frexp(amax)[1] - 1 - top + shift, -127), 127)
        codes = []
        for number in row:
            scaled = min(abs(math.ldexp(number, -exponent)), largest)
            place = min(bisect_left(table, scaled), len(table) - 1)
            if place and table[place] != scaled:
                below, above = scaled - table[place - 1], table[place] - scaled
                place -= below < above or (below == above and ties == "even" and place % 2 == 1)
            if flush and place < 8:
                place = 0
            codes.append(place | (0x80 if math.copysign(1, number) < 0 else 0))
        elements.append(codes)
        scales.append(exponent + 127 + code_shift & 0xFF)
    return {"elements": np.array(elements, np.uint8), "scale": np.array(scales, np.uint8)[:, None]}


@pytest.mark.parametrize(
    ("cause", "faults"),
    [
        (None, {}),
        ("option-rounding=rna", {"ties": "away"}),
        ("encoded-as-ieee", {"largest": 240.0}),
        ("scale-one-high", {"shift": 1}),
        ("scale-one-low", {"shift": -1}),
        ("scale-code-one-low", {"code_shift": -1}),
        ("elements-flushed", {"flush": True}),
    ],
)
def test_a_fault_of_a_conversion_to_blocks_is_named(cause: str | None, faults: dict[str, Any]) -> None:
    vectors = vector_set("quantize")
    judgement = Judgement(vectors, converter(vectors, **faults))
    assert [group.cause.name for group in judgement.groups] == ([cause] if cause else [])
    assert judgement.unexplained == 0


def numbers_of(vectors: Any, design: Design, flush: bool = False, saturate: bool = False) -> np.ndarray:
    """Return the Float32 bits of blocks, the products exact in float64."""
    values, q = element(vectors.format.element.name, design, design.int8_fraction_a)
    exact = values.astype(float)[vectors.elements] * 2.0**-q
    exponents = [scale(code, design) for code in vectors.scales.tolist()]
    factors = np.array([0.0 if e is None else NAN if e != e else math.ldexp(1, e) for e in exponents])
    with np.errstate(all="ignore"):
        numbers = (exact * factors[:, None]).astype(np.float32)
    numbers = np.where(np.isnan(numbers), np.float32(NAN), numbers)
    minus = (vectors.elements >> 7 == 1) & (numbers == 0) & (vectors.format.element.name != "int8")
    bits = np.where(minus, np.uint32(0x80000000), numbers.view(np.uint32))
    bits = np.where(np.isnan(numbers), np.uint32(CANONICAL), bits)
    if flush:
        bits = np.where(bits & 0x7F800000 == 0, bits & 0x80000000, bits)
    return np.where(saturate & (bits & 0x7FFFFFFF == 0x7F800000), bits - 1, bits).astype(np.uint32)


@pytest.mark.parametrize(
    ("set_name", "cause", "faults"),
    [
        ("dequantize", None, {}),
        ("dequantize int8", None, {}),
        ("dequantize", "nan-scale-ignored", {"design": Design(scale_ff="number")}),
        ("dequantize", "scale-00-as-zero", {"design": Design(scale_00=None)}),
        ("dequantize", "e4m3-as-ieee", {"design": Design(e4m3_specials="ieee")}),
        ("dequantize", "subnormal-elements-flushed", {"design": Design(subnormals="flushed")}),
        ("dequantize int8", "int8-grid-factor-missing", {"design": Design(int8_fraction_a=0)}),
        ("dequantize", "subnormal-results-flushed", {"flush": True}),
        ("dequantize", "inf-as-largest", {"saturate": True}),
    ],
)
def test_a_fault_of_a_conversion_to_numbers_is_named(set_name: str, cause: str | None, faults: dict[str, Any]) -> None:
    vectors = vector_set(set_name)
    judgement = Judgement(vectors, {"values": numbers_of(vectors, **{"design": Design(), **faults})})
    assert [group.cause.name for group in judgement.groups] == ([cause] if cause else [])
    assert judgement.unexplained == 0


# ---------------------------------------------------------------------------------------------------------
# Right results in the wrong place
# ---------------------------------------------------------------------------------------------------------

MISPLACED: list[tuple[str, str, str, Callable[[np.ndarray], np.ndarray]]] = [
    ("e4m3", "result", "bytes-reversed", lambda codes: codes.byteswap()),
    ("e4m3", "result", "one-late", lambda codes: np.roll(codes, 1, axis=0)),
    ("e4m3", "result", "one-early", lambda codes: np.roll(codes, -1, axis=0)),
    ("e4m3", "result", "constant", lambda codes: np.zeros_like(codes)),
    ("e4m3", "result", "negated", lambda codes: np.where(codes == CANONICAL, codes, codes ^ np.uint32(1 << 31))),
    ("quantize", "elements", "codes-reversed", lambda codes: codes[:, ::-1]),
    ("quantize", "elements", "codes-swapped", lambda codes: codes[:, np.arange(32) ^ 1]),
    ("tile", "result", "tile-transposed", lambda codes: codes[:, [0, 2, 1, 3]]),
]


@pytest.mark.parametrize(
    ("set_name", "plane", "cause", "move"), MISPLACED, ids=[f"{s}-{cause}" for s, _, cause, _ in MISPLACED]
)
def test_results_in_the_wrong_place_are_recognised(
    set_name: str, plane: str, cause: str, move: Callable[[np.ndarray], np.ndarray]
) -> None:
    vectors = vector_set(set_name)
    seen = expected_results(vectors)
    judgement = Judgement(vectors, {**seen, plane: move(seen[plane])})
    assert judgement.groups[0].cause.name == cause
    assert len(judgement.groups[0].vectors) >= judgement.tried.size - 2


def test_two_faults_are_two_groups_and_noise_is_neither() -> None:
    vectors = vector_set("e4m3")
    results = run(vectors, Design(rounding="away", scale_ff="number"))
    right = np.flatnonzero(results == vectors.results)
    results[right[[10, 200, 400]]] ^= np.uint32(0x00400000)
    judgement = Judgement(vectors, {"result": results[:, None]})
    assert [group.cause.name for group in judgement.groups] == ["nan-scale-ignored", "ties-away"]
    assert judgement.unexplained == 3
    assert sum(wrong for _, _, wrong in judgement.by_class) == judgement.wrong.size
    firsts = [group.vectors[0] for group in judgement.groups]
    assert judgement.examples(3) == [*firsts, int(right[10])]
    assert "scale A 0x" in "\n".join(judgement.explain(firsts[0]))


def test_of_many_wrong_results_a_selection_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refmodel.conformance.check.MOST_TRIED", 50)
    vectors = vector_set("e4m3")
    judgement = Judgement(vectors, {"result": run(vectors, Design(scale_shift=1))[:, None]})
    (group,) = judgement.groups
    assert judgement.wrong.size > 500
    assert group.cause.name == "scale-off-by-a-power-of-two"
    assert len(group.vectors) == judgement.tried.size == 50


# ---------------------------------------------------------------------------------------------------------
# Files and the command
# ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    write_vectors(vector_set("e4m3"), folder / "dot")
    write_vectors(vector_set("quantize"), folder / "quantize")
    return folder


@pytest.fixture
def check(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Runs ``mxref check`` in the folder of the vectors; returns exit code, stdout and stderr."""
    monkeypatch.chdir(folder)

    def run_check(vectors: str, *results: str) -> tuple[int, str, str]:
        given = [argument for each in results for argument in ("--results", each)]
        code = cli.main(["check", vectors, *given])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run_check


def hex_text(words: np.ndarray) -> str:
    return "".join(f"{word:08X}\n" for word in words.tolist())


def in_every_form(words: np.ndarray) -> dict[str, Callable[[Path], object]]:
    lines = [f"{word:08x}" for word in words.tolist()]
    commented = "\n".join(f"{x[:4]}_{x[4:]} // {i}" for i, x in enumerate(lines))
    middle = len(lines) // 2
    moved = f"@{middle:x}\n" + "\n".join(lines[middle:]) + "\n/* and\nthen */ @0 " + " ".join(lines[:middle])
    rows = [f"{i},0x{x}" for i, x in enumerate(lines)]
    titled = "\r\n".join(["Result, Index", *(f"{x},{i}" for i, x in enumerate(lines))])
    return {
        "plain.hex": lambda path: path.write_text(hex_text(words)),
        "commented.mem": lambda path: path.write_text(f"/* results\n */\n{commented}"),
        "moved.hex": lambda path: path.write_text(moved),
        "raw.bin": lambda path: words.astype("<u4").tofile(path),
        "backwards.csv": lambda path: path.write_text("\n".join(reversed(rows))),
        "titled.csv": lambda path: path.write_text(titled),
        "codes.npy": lambda path: np.save(path, words),
        "numbers.npy": lambda path: np.save(path, words.view(np.float32)[:, None]),
        "any_name.npz": lambda path: np.savez(path, x=words.astype(np.int64)),
        "two.npz": lambda path: np.savez(path, x=np.zeros(3), result=words),
    }


def test_results_are_read_in_every_form(folder: Path, check: Callable[..., Any]) -> None:
    right, wrong = vector_set("e4m3").results, run(vector_set("e4m3"), Design(nan=0x7FFFFFFF))
    shown = set()
    for words in (right, wrong):
        for name, write in in_every_form(words).items():
            write(folder / name)
            code, out, err = check("dot", name)
            assert (code, err) == (int(words is wrong), ""), name
            shown.add(out)
    assert len(shown) == 2


def test_the_command_names_classes_causes_and_examples(folder: Path, check: Callable[..., Any]) -> None:
    vectors = vector_set("e4m3")
    (folder / "ff.hex").write_text(hex_text(run(vectors, Design(scale_ff="number"))))
    code, out, _ = check("dot", "ff.hex")
    wrong = int(np.count_nonzero(run(vectors, Design(scale_ff="number")) != vectors.results))
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == f"dot: mxfp8_e4m3 x mxfp8_e4m3, exact_fp32: {vectors.dots} compared, {wrong} wrong"
    assert lines[2].split() == ["class", "vectors", "wrong"]
    assert f"{wrong:>8}  nan-scale-ignored: The NaN code of a scale is taken for the number" in out
    assert "breaks MX-5.1-h, MX-5.4.1-c" in out
    assert "hint: NaN handling: the result must be NaN because scale" in out
    assert out.count("\nvector ") == 3


def test_several_results_of_a_vector_are_named(folder: Path, check: Callable[..., Any]) -> None:
    vectors = vector_set("quantize")
    np.savez(folder / "both.npz", elements=vectors.elements, scale=vectors.scales)
    vectors.elements.tofile(folder / "e.bin")
    for given in (["both.npz"], ["elements=quantize/elements.hex", "scale=quantize/scale.hex"]):
        assert check("quantize", *given)[0] == 0
    words = [row[::-1].tobytes().hex() for row in vectors.elements]
    rows = [f"{i},{scale:02x},{words[i]}\n" for i, scale in enumerate(vectors.scales.tolist())]
    (folder / "both.csv").write_text("".join(["index,scale,elements\n", *rows]))
    assert check("quantize", "both.csv")[0] == 0
    for given, message in {
        ("e.bin",): "e.bin can hold one of the results only; write --results elements=FILE or --results scale=FILE",
        ("elements=e.bin",): "no results 'scale'; give them as --results scale=FILE",
        ("elements=e.bin", "both.npz"): "results 'elements' are given twice, the second time in both.npz",
        ("values=e.bin",): "--results values=e.bin: the results are elements, scale",
    }.items():
        assert check("quantize", *given) == (2, "", f"mxref: error: {message}\n")


def damaged(words: np.ndarray) -> dict[str, tuple[str | bytes, str]]:
    """Return file name -> (content, message)."""
    count, text = len(words), hex_text(words)
    lines = text.splitlines(keepends=True)
    x = "".join([*lines[:4], "3f80xxxx\n", *lines[5:]])
    wrong_width = "digits; expected words of 32 bits in 8 digits"
    missing = "too few; the first that is missing is that of vector"
    return {
        "few.hex": ("".join(lines[:7]), f"has 7 results of {count}: {missing} 7"),
        "many.hex": (f"{text}0\n{'0' * 8}", f"line {count + 1} has '0', 1 {wrong_width}"),
        "more.hex": (
            text + "0" * 8,
            f"line {count + 1} is the result of vector {count}, of which there are {count}: too many results",
        ),
        "cut.hex": (text[:-4], f"line {count} has '{text[-9:-4].lower()}', 5 {wrong_width}"),
        "x.hex": (x, "line 5 has '3f80xxxx': digit 'x' is unknown or not driven"),
        "z.mem": ("Z" * 8, "line 1 has 'zzzzzzzz': digit 'z' is unknown or not driven"),
        "word.hex": ("0000000g", "line 1 has '0000000g'; expected hex digits"),
        "binary.hex": (b"\xff\xfe\x00", r"line 1 has '\xff\xfe\x00'; expected hex digits"),
        "address.hex": ("@xyz\n", "line 1 has '@xyz', which is no address"),
        "twice.hex": ("@3 00000000\n@3 00000000", "line 2 is a second result of vector 3"),
        "open.hex": ("00000000\n/* never ends", "line 2 begins a comment that does not end"),
        "empty.hex": ("", f"has 0 results of {count}: {missing} 0"),
        "few.bin": (b"\0" * 6, f"6 bytes, 1.5 words of 4 bytes; expected {count} words: too few results"),
        "many.bin": (b"\0" * (4 * count + 4), f"{count + 1} words of 4 bytes; expected {count} words: too many"),
        "title.csv": ("number,result\n", "line 1 names 'number, result'; expected index, result"),
        "fields.csv": ("0,00000000\n1,2,3\n", "line 2 has 3 fields; expected index, result"),
        "index.csv": ("0,00000000\n-1,00000000\n", "line 2 has index '-1'; expected a number from 0"),
        "bytes.csv": (b"0,\xff\n", "not UTF-8 text: invalid start byte at byte 2"),
        "results.txt": (text, "unknown suffix '.txt'; known are .hex, .mem, .bin, .csv, .npy, .npz, .safetensors"),
        "broken.npy": (b"\x93NUMPY", "broken.npy"),
    }


DAMAGED = damaged(np.zeros(1, np.uint32))


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_results_are_one_line_with_file_and_place(name: str, folder: Path, check: Callable[..., Any]) -> None:
    content, message = damaged(vector_set("e4m3").results)[name]
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    code, out, err = check("dot", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"mxref: error: {name}: ")
    assert message in err


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3, np.uint32), "array of shape [3]; expected"),
        (np.zeros((2, 2), np.uint32), "array of shape [2, 2]; expected"),
        ("wide", "index 5 holds a code that does not fit 32 bits"),
        ("doubles", "array of float64; expected codes of 32 bits"),
        ("texts", "expected codes in unsigned integers, or numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(array: Any, message: str, folder: Path, check: Callable[..., Any]) -> None:
    right = vector_set("e4m3").results
    if isinstance(array, str):
        array = {"wide": right.astype(np.int64), "doubles": right.astype(np.float64), "texts": right.astype(str)}[array]
        if array.dtype == np.int64:
            array[5] = 1 << 32
    np.save(folder / "array.npy", array)
    code, out, err = check("dot", "array.npy")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_missing_files_are_named(check: Callable[..., Any]) -> None:
    assert check("dot", "none.hex") == (2, "", "mxref: error: none.hex: cannot be read: No such file or directory\n")
    assert "none/manifest.json" in check("none", "none.hex")[2]
