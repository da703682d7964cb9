"""Vector sets with initial values and narrow results: what the class aims at is met, and results are right."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from exact_vectors import NAN, Exact, add, block_values, dots, from_float32, largest_sum

import refmodel as mx
from refmodel.accumulate import AccumulationRule
from refmodel.vectors.dotset import DotVectors, make_dot_vectors
from refmodel.vectors.draws import Draws
from refmodel.vectors.files import read_dot_vectors, write_vectors
from refmodel.vectors.initial import SPECIAL_BITS, accumulator, float32_bits
from refmodel.vectors.stimulus import Request, Stimulus
from refmodel.vectors.target import FLOAT32, Target, target_of
from refmodel.vectors.verify import check_results

EXACT, ADD, FUSED = (mx.get_rule(f"{name}") for name in ("exact_fp32", "block32_fp32_add", "block32_exact_fused"))
NANS = {"fp32": 0x7FC00000, "bf16": 0x7FC0, "fp16": 0x7E00}


def once(rule: AccumulationRule, fmt: str) -> AccumulationRule:
    """Return *rule* with a running value of this format."""
    return replace(rule, name=f"{rule.name}_{fmt}", acc_format=fmt, nan_pattern=NANS[fmt])


def twice(rule: AccumulationRule, fmt: str) -> AccumulationRule:
    """Return *rule* with its Float32 result rounded again."""
    return replace(rule, name=f"{rule.name}_to_{fmt}", out_format=fmt, nan_pattern=NANS[fmt])


RULES = [EXACT, ADD, FUSED, *(once(EXACT, f) for f in ("bf16", "fp16")), *(twice(ADD, f) for f in ("bf16", "fp16"))]
RULES += [once(ADD, "bf16"), once(FUSED, "fp16"), mx.get_rule("nv_mxf8f6f4"), mx.get_rule("seq_fma_fp32")]

PAIRS = [("mxfp8_e4m3",) * 2, ("mxfp8_e5m2",) * 2, ("mxfp4_e2m1",) * 2, ("mxint8",) * 2, ("mxfp6_e3m2", "mxint8")]
pairs_of_formats = pytest.mark.parametrize(("a", "b"), PAIRS, ids=["-".join(pair) for pair in PAIRS])

TARGETS = {"fp32": FLOAT32, "bf16": target_of(once(EXACT, "bf16")), "fp16": target_of(once(EXACT, "fp16"))}


@cache
def generate(a: str, b: str, target: Target, count: int = 4500) -> Stimulus:
    request = Request(Draws(1), mx.get_format(a), mx.get_format(b), count, False, target=target)
    return accumulator(request)


@cache
def sums(a: str, b: str, target: Target) -> list[tuple[Exact, Exact]]:
    """Return (block sum, initial value) of every generated dot in which both are finite."""
    stimulus = generate(a, b, target)
    assert stimulus.c is not None
    values = zip(block_values(stimulus), (from_float32(bits) for bits in stimulus.c.tolist()), strict=True)
    return [(x, c) for x, c in values if isinstance(x, Exact) and isinstance(c, Exact)]


def leading(value: Exact) -> int:
    return abs(value.total).bit_length() - 1 + value.exponent


def test_float32_bits_are_those_of_numpy() -> None:
    patterns = np.random.default_rng(1).integers(0, 1 << 32, 2000, np.uint64).astype(np.uint32)
    for bits in [*patterns.tolist(), *SPECIAL_BITS]:
        value = float(np.uint32(bits).view(np.float32))
        if np.isfinite(value) and value:
            exact = Fraction(value)
            number, exponent = exact.numerator, 1 - exact.denominator.bit_length()
            assert float32_bits(number, exponent) == bits
            assert float32_bits(number * 4, exponent - 2) == bits
    assert float32_bits((1 << 24) + 1, 0) is None
    assert float32_bits(1, 128) is None
    assert float32_bits(1, -150) is None
    assert float32_bits(0, 7) == 0


@pairs_of_formats
def test_every_distance_up_to_60_is_met_with_all_signs(a: str, b: str) -> None:
    met = {(leading(x) - leading(c), x.total < 0, c.total < 0) for x, c in sums(a, b, FLOAT32) if x.total and c.total}
    assert {(gap, x, c) for gap in range(-60, 61) for x in (True, False) for c in (True, False)} <= met


@pairs_of_formats
@pytest.mark.parametrize("name", TARGETS)
def test_initial_values_cancel_exactly_and_to_one_unit_at_every_depth(a: str, b: str, name: str) -> None:
    depths, zeros = set(), 0
    for x, c in sums(a, b, TARGETS[name]):
        rest = add(x, c)
        if x.total and rest.total == 0:
            zeros += 1
        elif x.total and c.total and abs(rest.total) & (abs(rest.total) - 1) == 0:
            depths.add(leading(c) - leading(rest))
    assert zeros > 10
    assert set(range(2, 24)) <= depths


@pairs_of_formats
@pytest.mark.parametrize("name", TARGETS)
def test_initial_values_make_ties_of_every_kind_and_their_neighbours(a: str, b: str, name: str) -> None:
    target = TARGETS[name]
    seen, distances = set(), set()
    for x, c in sums(a, b, target):
        total = add(x, c)
        if not total.total or not x.total or not c.total:
            continue
        last = max(leading(total) - target.precision + 1, target.quantum)
        where = "subnormal" if leading(total) < target.emin else "normal"
        n, rest = divmod(abs(total.total) * Fraction(2) ** (total.exponent - last), 1)
        if leading(total) > target.emax:
            continue
        away = abs(rest - Fraction(1, 2))
        if away == 0:
            seen.add((where, "up" if n % 2 else "down"))
            if n == (1 << target.precision) - 1:
                seen.add((where, "carries"))
            # Which of the two brings the halfway bit.
            half = Fraction(2) ** (last - 1)
            for term, name_of in ((x, "block"), (c, "initial value")):
                if (term.total * Fraction(2) ** term.exponent / half).denominator == 1:
                    odd = (term.total * Fraction(2) ** term.exponent / half).numerator % 2
                    seen.add((where, f"half in {name_of}") if odd else (where, "other"))
        elif away.numerator == 1 and rest:
            seen.add((where, "above" if rest > Fraction(1, 2) else "below"))
            distances.add(away.denominator.bit_length() - 1)
    wanted = {"up", "down", "carries", "above", "below", "half in block", "other"}
    wanted |= {"half in initial value"} if target is not FLOAT32 else set()
    assert {("normal", kind) for kind in wanted} <= seen
    assert {("subnormal", kind) for kind in ("up", "down", "above", "below")} <= seen
    # One bit far below the tie: in the initial value, or as far down as a block reaches.
    reach = largest_sum(a, b).bit_length()
    assert set(range(2, 40 if target.precision < 24 or reach > 26 else reach - 5)) <= distances


@pytest.mark.parametrize("name", TARGETS)
def test_initial_values_overflow_and_undo_it(name: str) -> None:
    target = TARGETS[name]
    seen = set()
    for x, c in sums("mxfp8_e4m3", "mxfp8_e4m3", target):
        total = add(x, c)
        if total.total and leading(total) > target.emax:
            inside = [leading(term) <= target.emax for term in (x, c) if term.total]
            seen.add("both in range, the sum not" if inside == [True, True] else "beyond")
        elif total.total and x.total and leading(x) > target.emax:
            seen.add("both beyond, the sum in range" if leading(c) > target.emax else "the block beyond alone")
    wanted = {"both in range, the sum not", "beyond", "the block beyond alone"}
    if target.is_narrow:
        wanted.add("both beyond, the sum in range")
    assert wanted <= seen


@pairs_of_formats
def test_special_initial_values_meet_every_kind_of_sum(a: str, b: str) -> None:
    stimulus = generate(a, b, FLOAT32, 1)
    assert stimulus.c is not None
    met: dict[str, set[int]] = {}
    for x, bits, a_codes in zip(block_values(stimulus), stimulus.c.tolist(), stimulus.a.codes.any(axis=1), strict=True):
        if isinstance(x, str):
            met.setdefault("NaN" if x == NAN else x, set()).add(bits)
        else:
            met.setdefault("finite" if x.total else "cancelled" if a_codes else "zeros", set()).add(bits)
    kinds = {"finite", "zeros"} | ({"+inf", "-inf"} if "mxfp8_e5m2" in (a, b) else set())
    for kind in kinds:
        assert set(SPECIAL_BITS) <= met[kind], kind
    later = generate(a, b, FLOAT32)
    assert later.c is not None
    nan = {bits for x, bits in zip(block_values(later), later.c.tolist(), strict=True) if x == NAN}
    assert set(SPECIAL_BITS) <= nan


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("multi_block", [False, True])
def test_results_are_those_of_the_oracle_under_every_rule(rule: AccumulationRule, multi_block: bool) -> None:
    a, b = ("mxfp8_e5m2", "mxfp8_e4m3") if multi_block else ("mxfp6_e2m3", "mxfp4_e2m1")
    vectors = make_dot_vectors(a, b, rule=rule, multi_block=multi_block, initial_values=True, count=400, seed=4)
    assert vectors.results.dtype == (np.uint32 if rule.result_format == "fp32" else np.uint16)
    assert vectors.c is not None
    assert len(set(vectors.c.tolist())) > vectors.dots // 5
    for i in range(0, vectors.dots, 1 + vectors.blocks // 400):
        assert vectors.by_oracle(i)["result"] == [vectors.results[i]], (i, vectors.class_of(i).name)


def test_operands_are_the_same_with_and_without_initial_values() -> None:
    without, with_c = (
        make_dot_vectors("mxint8", "mxint8", rule=EXACT, count=1, seed=7, initial_values=each) for each in (False, True)
    )
    for stimulus_class in without.classes:
        other = next(each for each in with_c.classes if each.name == stimulus_class.name)
        count = min(stimulus_class.count, other.count)
        mine, theirs = (slice(each.first, each.first + count) for each in (stimulus_class, other))
        assert np.array_equal(without.a.codes[mine], with_c.a.codes[theirs])


@pytest.fixture
def narrow() -> DotVectors:
    return make_dot_vectors(
        "mxfp6_e3m2", "mxfp8_e4m3", rule=once(EXACT, "bf16"), multi_block=True, initial_values=True, count=1, seed=2
    )


def test_a_set_with_initial_values_and_narrow_results_is_read_as_written(tmp_path, narrow: DotVectors) -> None:
    read = read_dot_vectors(write_vectors(narrow, tmp_path / "set"))
    assert read.c is not None
    assert narrow.c is not None
    assert np.array_equal(read.c, narrow.c)
    assert np.array_equal(read.results, narrow.results)
    assert read.results.dtype == np.uint16
    assert read.rule == narrow.rule
    assert (read.classes, read.call) == (narrow.classes, narrow.call)
    lines = [(tmp_path / "set" / f"{name}.hex").read_text().split() for name in ("c", "result")]
    assert lines[0] == [f"{bits:08x}" for bits in narrow.c.tolist()]
    assert lines[1] == [f"{bits:04x}" for bits in narrow.results.tolist()]
    assert check_results(read) > 0


def test_a_wrong_initial_value_is_found(tmp_path, narrow: DotVectors) -> None:
    assert narrow.c is not None
    finite = int(np.argmax((narrow.results & 0x7F80) != 0x7F80))
    narrow.c[finite] = 0x7FC00000
    message = rf"^result: word {finite + 1} is [0-9a-f]{{4}}, the model gives 7fc0 for mxfp6_e3m2 x mxfp8_e4m3"
    with pytest.raises(mx.FileError, match=message):
        check_results(narrow)


def test_blocks_of_a_dot_follow_the_one_that_meets_the_initial_value() -> None:
    request = Request(Draws(3), mx.get_format("mxint8"), mx.get_format("mxint8"), 2000, True)
    lengths = {len(blocks) for blocks in dots(accumulator(request))}
    assert lengths == {1, 3}


GOLDEN = {
    ("mxfp8_e4m3", "exact_fp32", False): "166acd83b3f087d2",
    ("mxfp4_e2m1", "nv_mxf4", True): "85162d746379afb0",
    ("e5m2", "nv_hopper_fp8_fast", True): "de91337240df864e",
    ("nvfp4", "exact_fp32", True): "b2fee5fd765d5abe",
}


@pytest.mark.parametrize(("fmt", "rule", "multi_block"), GOLDEN)
def test_the_planes_are_the_same_on_every_machine(fmt: str, rule: str, multi_block: bool) -> None:
    """Fixed answers: if they change, every set in the world changes."""
    vectors = make_dot_vectors(fmt, fmt, rule=rule, multi_block=multi_block, initial_values=True, count=1, seed=1)
    digest = hashlib.sha256()
    for plane in vectors.planes():
        digest.update(plane.words().tobytes())
    assert digest.hexdigest()[:16] == GOLDEN[fmt, rule, multi_block]
