"""Every stimulus class holds what it promises, by integers worked out from the codes alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from exact_vectors import (
    FORMATS,
    INF_BITS,
    NAN,
    NAN_BITS,
    NEGATIVE_INF,
    PAIRS,
    POSITIVE_INF,
    SIGN_BIT,
    Exact,
    add,
    block_values,
    code_bits,
    dots,
    element,
    float32,
    from_float32,
    grid_exponent,
    largest_sum,
    running_values,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import refmodel as mx
from refmodel import oracle
from refmodel.errors import DefinitionError, DtypeError, ShapeError, UnknownNameError
from refmodel.vectors.construct import operands
from refmodel.vectors.dotset import MAX_COUNT, make_dot_vectors
from refmodel.vectors.draws import Draws
from refmodel.vectors.pairs import TensorPair, load_pairs
from refmodel.vectors.sampled import even_selection
from refmodel.vectors.stimulus import Request, Stimulus
from refmodel.vectors.suite import STIMULUS_CLASSES, plan

pairs_of_formats = pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda name: name.removeprefix("mx"))

ONES = {"mxfp8_e5m2": 0x3C, "mxfp8_e4m3": 0x38, "mxfp6_e3m2": 0x0C, "mxfp6_e2m3": 0x08, "mxfp4_e2m1": 0x2}
ONES["mxint8"] = 0x40


def share_of(name: str, count: int, multi_block: bool) -> int:
    return {c.name: share for c, share in plan(count, multi_block=multi_block, has_tensors=True)}[name]


def generate(
    name: str,
    a: str,
    b: str,
    count: int | None = None,
    *,
    multi_block: bool = False,
    seed: int = 1,
    tensors: list[TensorPair] | None = None,
) -> Stimulus:
    """Run one class, by default with its share of a set of 20,000 dots."""
    count = share_of(name, 20_000, multi_block) if count is None else count
    stimulus_class = next(c for c in STIMULUS_CLASSES if c.name == name)
    draws = Draws(seed, name, a, b, multi_block)
    request = Request(draws, mx.get_format(a), mx.get_format(b), count, multi_block, tensors or [])
    return stimulus_class.generate(request)


def finite(stimulus: Stimulus) -> list[Exact]:
    return [value for value in block_values(stimulus) if isinstance(value, Exact)]


def placed_in_grid(value: Exact) -> tuple[int, int, int, bool]:
    """Return |value| as (n, r, s, subnormal): n + r / 2**s in units of the last place of Float32 there."""
    magnitude = abs(value.total)
    last_place = max(magnitude.bit_length() + value.exponent - 24, -149)
    shift = last_place - value.exponent
    if shift <= 0:
        return magnitude << -shift, 0, 0, False
    n, r = divmod(magnitude, 1 << shift)
    return n, r, shift, magnitude.bit_length() + value.exponent <= -126


# Draws

GOLDEN_INTEGERS = [371, 122, 393, 552]
GOLDEN_BELOW = [248244466, 313082863, 456836941]
GOLDEN_PERMUTATION = [7, 5, 2, 4, 3, 1, 0, 6]
GOLDEN_RANDOM = "e43426baf9df83fcf3182b1b28f92d5ea3861e17b1f08bf02042a6ba603f4686"


def test_draws_are_the_same_with_every_numpy() -> None:
    """Fixed answers: if they change, every vector set in the world changes."""
    draws = Draws(1, "class", "a", "b")
    assert draws.integers(-5, 1000, 4).tolist() == GOLDEN_INTEGERS
    assert [draws.below(10**9) for _ in range(3)] == GOLDEN_BELOW
    assert draws.permutation(8).tolist() == GOLDEN_PERMUTATION


def test_random_blocks_are_the_same_on_every_machine() -> None:
    stimulus = generate("random", "mxfp8_e4m3", "mxint8", 500, multi_block=True)
    digest = hashlib.sha256()
    for blocks in (stimulus.a, stimulus.b):
        digest.update(blocks.codes.tobytes() + blocks.scales.tobytes())
    assert digest.hexdigest() == GOLDEN_RANDOM


def test_draws_stay_within_their_bounds() -> None:
    draws = Draws("bounds")
    values = draws.integers(-3, 4, 5000)
    assert set(values.tolist()) == set(range(-3, 4))
    assert {draws.between(0, 3) for _ in range(200)} == {0, 1, 2, 3}
    assert sorted(draws.permutation(100).tolist()) == list(range(100))
    assert draws.integers(np.array([[0], [10]]), np.array([[1], [12]]), (2, 50)).max(axis=1).tolist() == [
        0,
        11,
    ]


# Construction


@pairs_of_formats
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_number_becomes_a_block_of_that_value(a: str, b: str, data: st.DataObject) -> None:
    kit = operands(mx.get_format(a), mx.get_format(b))
    bits = data.draw(st.integers(1, min(25, kit.significand_bits)))
    number = data.draw(st.integers(1 << (bits - 1), (1 << bits) - 1)) * data.draw(st.sampled_from((1, -1)))
    exponent = data.draw(st.integers(-180, 130))
    draws = Draws(data.draw(st.integers(0, 1 << 40)))
    placed = kit.place(number, exponent, draws)
    assert placed is not None
    pair = kit.with_sum(placed, draws)
    stimulus = Request(draws, kit.a_format, kit.b_format, 1, False).stack_blocks([pair])
    (value,) = block_values(stimulus)
    assert isinstance(value, Exact)
    assert value.exponent + placed.scale_sum - value.exponent == pair.a_scale + pair.b_scale
    assert add(value, Exact(-number, exponent)).total == 0


def test_what_the_scales_cannot_express_is_not_placed() -> None:
    kit = operands(mx.get_format("mxfp4_e2m1"), mx.get_format("mxfp4_e2m1"))
    assert kit.place(1, 400, Draws()) is None
    assert kit.place(1, -400, Draws()) is None
    assert kit.place(1 << 13, 0, Draws()) is None


# Exhaustive


@pairs_of_formats
def test_exhaustive_meets_every_code_of_both_with_one_however_small_the_count(a: str, b: str) -> None:
    stimulus = generate("exhaustive", a, b, 1)
    codes = _lone_codes(stimulus)
    assert {x for x, y, _ in codes if y == ONES[b]} == set(range(1 << code_bits(a)))
    assert {y for x, y, _ in codes if x == ONES[a]} == set(range(1 << code_bits(b)))
    assert len(codes) == (1 << code_bits(a)) + (1 << code_bits(b)) - 1
    assert {lane for x, y, lane in codes if x or y} == set(range(32)) or code_bits(b) < 6


@pairs_of_formats
def test_exhaustive_is_every_pair_where_the_count_allows_it(a: str, b: str) -> None:
    n_pairs = 1 << (code_bits(a) + code_bits(b))
    codes = _lone_codes(generate("exhaustive", a, b, n_pairs))
    assert len(codes) == n_pairs
    assert len({(x, y) for x, y, _ in codes}) >= n_pairs - 1  # +0 with +0 shows in no lane


def test_exhaustive_repeats_small_formats_in_other_lanes() -> None:
    codes = _lone_codes(generate("exhaustive", "mxfp4_e2m1", "mxfp4_e2m1", 10_000))
    assert len(codes) == 32 * 256
    assert len({code for code in codes if code[0] and code[1]}) == 32 * 225


def test_exhaustive_chooses_different_pairs_for_different_seeds() -> None:
    first, second = (
        set(_lone_codes(generate("exhaustive", "mxfp8_e4m3", "mxfp8_e4m3", 8000, seed=seed)))
        for seed in (1, 2)
    )
    assert len(first) >= 7999
    assert len(first & second) < 4000


def _lone_codes(stimulus: Stimulus) -> list[tuple[int, int, int]]:
    """Return (code of A, code of B, lane) of blocks of which one lane is used, all scales 1.0."""
    assert set(stimulus.a.scales.tolist()) == set(stimulus.b.scales.tolist()) == {0x7F}
    used = (stimulus.a.codes != 0) | (stimulus.b.codes != 0)
    assert used.sum(axis=1).max() == 1
    lanes = np.argmax(used, axis=1)
    rows = np.arange(lanes.size)
    return list(
        zip(
            stimulus.a.codes[rows, lanes].tolist(),
            stimulus.b.codes[rows, lanes].tolist(),
            lanes.tolist(),
            strict=True,
        )
    )


# Specials


def _edge_codes(name: str) -> set[int]:
    """Zeros, least and greatest subnormal, least and greatest normal, Inf and NaN, by value."""
    values = {code: element(name, code) for code in range(1 << code_bits(name))}
    if name == "mxint8":
        return {0x00, 0x01, 0xFF, 0x40, 0xC0, 0x7F, 0x81, 0x80}
    mantissa_bits = {"mxfp8_e5m2": 2, "mxfp8_e4m3": 3, "mxfp6_e3m2": 2, "mxfp6_e2m3": 3, "mxfp4_e2m1": 1}[
        name
    ]
    largest = max(value for value in values.values() if isinstance(value, int))
    wanted = {0, 1, (1 << mantissa_bits) - 1, 1 << mantissa_bits, largest}
    return {code for code, value in values.items() if isinstance(value, str) or abs(value) in wanted}


@pairs_of_formats
def test_specials_cross_every_edge_code_of_a_with_every_edge_code_of_b(a: str, b: str) -> None:
    stimulus = generate("specials", a, b)
    met: dict[tuple[int, int], set[int]] = {}
    for lane in (0, 1, 15, 16, 31):
        for pair in zip(stimulus.a.codes[:, lane].tolist(), stimulus.b.codes[:, lane].tolist(), strict=True):
            met.setdefault(pair, set()).add(lane)
    for x in _edge_codes(a):
        for y in _edge_codes(b):
            assert (x, y) in met, f"{x:#x} x {y:#x}"
        assert set().union(*(met[x, y] for y in _edge_codes(b))) == {0, 1, 15, 16, 31}
    for y in _edge_codes(b):
        assert set().union(*(met[x, y] for x in _edge_codes(a))) == {0, 1, 15, 16, 31}
    everywhere = (stimulus.a.codes == stimulus.a.codes[:, :1]).all(axis=1)
    everywhere &= (stimulus.b.codes == stimulus.b.codes[:, :1]).all(axis=1)
    alike = set(
        zip(stimulus.a.codes[everywhere, 0].tolist(), stimulus.b.codes[everywhere, 0].tolist(), strict=True)
    )
    assert {(x, y) for x in _edge_codes(a) for y in _edge_codes(b)} <= alike


@pytest.mark.parametrize(("a", "b"), [pair for pair in PAIRS if "mxfp8_e5m2" in pair])
def test_specials_of_e5m2_hold_inf_minus_inf_inf_times_zero_and_plain_inf(a: str, b: str) -> None:
    stimulus = generate("specials", a, b)
    seen = set()
    for x, y, x_scale, y_scale in zip(
        *(
            blocks.tolist()
            for blocks in (stimulus.a.codes, stimulus.b.codes, stimulus.a.scales, stimulus.b.scales)
        ),
        strict=True,
    ):
        values = [(element(a, p), element(b, q)) for p, q in zip(x, y, strict=True)]
        infinite = [{POSITIVE_INF, NEGATIVE_INF} & set(map(str, pair)) and pair for pair in values]
        infinite = [pair for pair in infinite if pair]
        if not infinite or any(NAN in pair for pair in values) or 0xFF in (x_scale, y_scale):
            continue
        if any(0 in pair for pair in infinite):
            seen.add("Inf * 0")
        else:
            signs = {sum(str(v).startswith("-") for v in pair) % 2 for pair in infinite}
            seen.add("Inf - Inf" if len(signs) == 2 else f"Inf, sign {signs.pop()}")
            seen.add(f"scale {x_scale:#x}")
    assert {"Inf * 0", "Inf - Inf", "Inf, sign 0", "Inf, sign 1", "scale 0x0", "scale 0xfe"} <= seen


def test_specials_of_int8_hold_a_block_of_minus_two_times_minus_two() -> None:
    totals = [abs(value.total) for value in finite(generate("specials", "mxint8", "mxint8"))]
    assert max(totals) == 32 * 128 * 128


# Scales


@pairs_of_formats
def test_scales_cross_the_edge_codes_and_reach_the_critical_sums_over_every_content(a: str, b: str) -> None:
    stimulus = generate("scales", a, b)
    edges = (0x00, 0x01, 0x7E, 0x7F, 0x80, 0xFD, 0xFE, 0xFF)
    contents: dict[str, set[tuple[int, int]]] = {}
    ones, maxima = (
        (ONES[a], ONES[b]),
        tuple(max(range(1 << code_bits(n)), key=_finite_value(n)) for n in (a, b)),
    )
    for x, y, scales in zip(
        stimulus.a.codes.tolist(),
        stimulus.b.codes.tolist(),
        zip(stimulus.a.scales.tolist(), stimulus.b.scales.tolist(), strict=True),
        strict=True,
    ):
        products = {element(a, p) * element(b, q) for p, q in zip(x, y, strict=True)}
        kinds = {
            "zeros": not any(x) and not any(y),
            "ones": set(x) == {ones[0]} and set(y) == {ones[1]},
            "max": set(x) == {maxima[0]} and set(y) == {maxima[1]},
            "-max": set(x) == {maxima[0]} and len(set(y)) == 1 and max(products) < 0,
            "cancelling": len(products) == 2 and sum(products) == 0,
            "smallest": products == {0, 1},
        }
        for kind in (kind for kind, holds in kinds.items() if holds):
            contents.setdefault(kind, set()).add(scales)
    assert set(contents) == {"zeros", "ones", "max", "-max", "cancelling", "smallest"}
    for kind, met in contents.items():
        assert {(x, y) for x in edges for y in edges} <= met, kind
        sums = {x + y for x, y in met if 0xFF not in (x, y)}
        assert {0, 1, 127, 254, 381, 508} <= sums, kind


def _finite_value(name: str):
    return lambda code: value if isinstance(value := element(name, code), int) else -1


@pairs_of_formats
def test_a_nan_scale_over_zeros_and_an_absolute_one_have_their_results(a: str, b: str) -> None:
    stimulus = generate("scales", a, b)
    zeros = ~stimulus.a.codes.any(axis=1) & ~stimulus.b.codes.any(axis=1)
    nan_scale = (stimulus.a.scales == 0xFF) | (stimulus.b.scales == 0xFF)
    ones = (stimulus.a.codes == ONES[a]).all(axis=1) & (stimulus.b.codes == ONES[b]).all(axis=1)
    ones &= (stimulus.a.scales == 0x7F) & (stimulus.b.scales == 0x7F)
    values = block_values(stimulus)
    assert {values[i] for i in np.flatnonzero(zeros & nan_scale)} == {NAN}
    assert {float32(values[i]) for i in np.flatnonzero(ones)} == {0x42000000}  # 32.0


# Cancellation


@pairs_of_formats
def test_cancellation_leaves_zero_or_one_unit_at_every_depth(a: str, b: str) -> None:
    stimulus = generate("cancellation", a, b)
    depths: dict[bool, set[int]] = {False: set(), True: set()}
    zeros = negative_zeros = negatives = 0
    for x, y, value in zip(
        stimulus.a.codes.tolist(), stimulus.b.codes.tolist(), finite(stimulus), strict=True
    ):
        products = [element(a, p) * element(b, q) for p, q in zip(x, y, strict=True)]
        assert sum(products) == value.total
        if value.total == 0 and any(products):
            zeros += 1
        elif value.total == 0:
            assert all(_has_sign(a, p) != _has_sign(b, q) for p, q in zip(x, y, strict=True))
            negative_zeros += 1
        elif max(products) < 0:
            negatives += 1
        else:
            assert abs(value.total) == 1
            largest = max(map(abs, products))
            # Adjacent: the large product stands alone, and smaller ones take it back but for the unit.
            depths[sum(abs(p) == largest for p in products) == 1].add(largest.bit_length() - 1)
    assert min(zeros, negative_zeros, negatives) >= 4
    powers = {p.bit_length() - 1 for p in _products(a, b) if p & (p - 1) == 0}
    assert len(powers) >= 7
    assert depths[False] >= powers - {0}
    assert depths[True] >= powers - {0, 1}


def _has_sign(name: str, code: int) -> bool:
    """Return the sign bit of a float, the sign of an integer."""
    return code >= 1 << (code_bits(name) - 1)


def _products(a: str, b: str) -> set[int]:
    values_a, values_b = (
        {v for c in range(1 << code_bits(n)) if isinstance(v := element(n, c), int) and v > 0} for n in (a, b)
    )
    return {x * y for x in values_a for y in values_b}


# Ties


@pairs_of_formats
def test_ties_are_ties_and_have_neighbours_one_bit_away(a: str, b: str) -> None:
    seen = set()
    for value in finite(generate("ties", a, b)):
        n, r, s, subnormal = placed_in_grid(value)
        where = "subnormal" if subnormal else "normal"
        sign = "-" if value.total < 0 else "+"
        if r == 0:
            kind = "exact"
        elif 2 * r == 1 << s:
            kind = "tie up" if n % 2 else "tie down"
            if n & (n + 1) == 0 and n:
                seen.add((where, sign, "tie that carries"))
        else:
            # All else is one single bit away from a tie or from an exact value.
            away_from_tie, away_from_exact = abs(r - (1 << (s - 1))), min(r, (1 << s) - r)
            nearest = min(away_from_tie, away_from_exact)
            assert nearest & (nearest - 1) == 0, value
            kind = (
                "beside exact"
                if away_from_exact < away_from_tie
                else "below tie"
                if 2 * r < 1 << s
                else "above tie"
            )
            if abs(value.total) % 2 and nearest == 1:
                seen.add((where, sign, f"{kind}, one smallest unit"))
        seen.add((where, sign, kind))
    reach = largest_sum(a, b).bit_length()
    kinds = {"exact", "tie up", "tie down", "tie that carries", "beside exact", "below tie", "above tie"}
    for where in ("subnormal", "normal") if reach >= 27 else ("subnormal",):
        for sign in "+-":
            found = {kind for w, s, kind in seen if (w, s) == (where, sign)}
            # A quarter of a unit, the nearest that 26 bits get, counts as beside the tie.
            assert kinds - ({"beside exact"} if (where, reach) == ("normal", 27) else set()) <= found, (
                where,
                sign,
            )
            assert {"below tie, one smallest unit", "above tie, one smallest unit"} <= found, (where, sign)
    if reach < 25:
        assert not {(w, k) for w, _, k in seen if w == "normal" and "tie" in k}


def test_a_tie_of_the_normal_range_is_out_of_reach_of_the_narrow_formats_only() -> None:
    """D-11, D-12: which pairs of formats have block sums of more than 24 bits."""
    narrow = {"mxfp6_e3m2", "mxfp6_e2m3", "mxfp4_e2m1", "mxint8"}
    for a in FORMATS:
        for b in FORMATS:
            assert (largest_sum(a, b).bit_length() <= 24) == ({a, b} <= narrow)


@pairs_of_formats
def test_single_bits_below_the_halfway_bit_walk_over_every_distance(a: str, b: str) -> None:
    """One bit alone decides, at each distance that block sums of these formats have."""
    distances = set()
    for value in finite(generate("ties", a, b)):
        n, r, s, _ = placed_in_grid(value)
        away = abs(r - (1 << (s - 1))) if s else 0
        if n and away and away & (away - 1) == 0:
            distances.add(s - 1 - (away.bit_length() - 1))
    # Two bits of the sum are significant besides, and the largest sums take more lanes than there are.
    assert set(range(1, largest_sum(a, b).bit_length() - 5)) <= distances


# Range


@pytest.mark.parametrize("count", [1, None], ids=["core", "share"])
@pairs_of_formats
def test_range_holds_the_ends_of_float32_and_their_neighbours(a: str, b: str, count: int | None) -> None:
    values = finite(generate("range", a, b, count))
    magnitudes = {_reduced(value) for value in values}
    signed = {(_reduced(value), value.total < 0) for value in values}
    width = min(24, largest_sum(a, b).bit_length() - 2)
    wanted = {
        _reduced(Exact((1 << width) - 1, 128 - width)): "largest finite that the width allows",
        _reduced(Exact(1, 128)): "2**128",
        _reduced(Exact(1, 127)): "2**127",
        _reduced(Exact(1, -126)): "smallest normal",
        _reduced(Exact(5, -128)): "just above the smallest normal",
        _reduced(Exact(1, -149)): "smallest subnormal",
        _reduced(Exact(1, -150)): "half of it",
        _reduced(Exact(3, -152)): "just below half",
        _reduced(Exact(5, -152)): "just above half",
        _reduced(Exact(3, -150)): "tie above the smallest subnormal",
        _reduced(Exact(1, -151)): "a quarter",
        _reduced(
            Exact(1, grid_exponent(a) + grid_exponent(b) - 254)
        ): "smallest product under the smallest scales",
    }
    wanted |= {_reduced(Exact(1, e)): f"2**{e}" for e in range(-149, -125)}
    if largest_sum(a, b).bit_length() >= 27:
        tie = (1 << 25) - 1
        wanted |= {
            _reduced(Exact(tie, 103)): "tie between the largest finite and 2**128",
            _reduced(Exact(2 * tie - 1, 102)): "just below that tie",
            _reduced(Exact(2 * tie + 1, 102)): "just above that tie",
            _reduced(Exact((1 << 24) - 1, -150)): "tie below the smallest normal",
            _reduced(Exact((1 << 23) - 1, -149)): "largest subnormal",
        }
    for magnitude, what in wanted.items():
        assert magnitude in magnitudes, what
        assert {(magnitude, False), (magnitude, True)} <= signed, what
    results = {float32(value) for value in values}
    assert {0, SIGN_BIT, 1, SIGN_BIT | 1, INF_BITS, SIGN_BIT | INF_BITS, 0x00800000} <= results


def _reduced(value: Exact) -> tuple[int, int]:
    """Return the magnitude as (odd integer, exponent)."""
    magnitude = abs(value.total)
    zeros = (magnitude & -magnitude).bit_length() - 1
    return magnitude >> zeros, value.exponent + zeros


# Random


@pairs_of_formats
def test_random_blocks_are_of_every_kind(a: str, b: str) -> None:
    stimulus = generate("random", a, b, 2000)
    assert stimulus.dots == 2000
    for blocks in (stimulus.a, stimulus.b):
        name = blocks.format.name
        assert set(blocks.codes.ravel().tolist()) == set(range(1 << code_bits(name)))
        scales = blocks.scales.astype(int)
        assert 5 < np.count_nonzero(scales == 0xFF) < 80
        assert np.count_nonzero(abs(scales - 0x7F) <= 16) > 1000
        assert np.unique(scales // 32).size == 8
        largest = max(v for c in range(1 << code_bits(name)) if isinstance(v := element(name, c), int))
        values = np.array(
            [[v if isinstance(v := element(name, c), int) else 0 for c in row] for row in blocks.codes]
        )
        spans = [v[v > 0] for v in np.abs(values)]
        ratios = np.array([v.max() / v.min() for v in spans if v.size])
        assert np.count_nonzero(ratios <= 16) > 100  # narrow bands
        assert np.count_nonzero(ratios >= min(1000, largest / 4)) > 100  # wide spread


def test_random_dots_of_a_multi_block_set_have_1_to_16_blocks() -> None:
    stimulus = generate("random", "mxfp8_e5m2", "mxfp8_e5m2", 1000, multi_block=True)
    lengths = np.diff(np.concatenate([[-1], np.flatnonzero(stimulus.last)]))
    assert set(lengths.tolist()) == set(range(1, 17))


# Sequence


@pairs_of_formats
def test_sequence_puts_running_value_and_next_block_up_to_2_to_the_60_apart(a: str, b: str) -> None:
    gaps = set()
    for dot in dots(generate("sequence", a, b, multi_block=True)):
        if len(dot) == 2 and all(isinstance(v, Exact) and v.total for v in dot):
            x, y = dot
            distance = x.total.bit_length() + x.exponent - y.total.bit_length() - y.exponent
            gaps.add((distance, x.total < 0, y.total < 0))
    wanted = {(gap, x, y) for gap in range(-60, 61) for x in (False, True) for y in (False, True)}
    assert wanted <= gaps


@pairs_of_formats
def test_sequence_cancels_overflows_and_ties_across_blocks(a: str, b: str) -> None:
    seen = set()
    lengths = set()
    halves = set()
    for dot in dots(generate("sequence", a, b, multi_block=True)):
        lengths.add(len(dot))
        running = Exact(0, 0)
        bits = [0, *running_values(dot)]
        for position, block in enumerate(dot):
            before, after = bits[position], bits[position + 1]
            running, rounded = from_float32(before), from_float32(float32(block))
            if isinstance(running, str) or isinstance(rounded, str):
                if (
                    isinstance(running, str)
                    and running != NAN
                    and isinstance(rounded, Exact)
                    and rounded.total
                ):
                    seen.add("finite block after overflow")
                if after == NAN_BITS and NAN not in (running, rounded):
                    seen.add("Inf - Inf")
                continue
            total = add(running, rounded)
            if after & 0x7FFFFFFF == INF_BITS:
                seen.add("overflow of the accumulation")
            if running.total and rounded.total and total.total == 0:
                seen.add("cancels to zero")
            if float32(block) == SIGN_BIT:
                seen.add("a block that underflows to -0")
            n, r, s, _ = placed_in_grid(total)
            if abs(running.total) >= 1 << 23:
                # The block in 2**-9 of the last place of the running value: 256 is half of it.
                shift = rounded.exponent - running.exponent + 9
                halves.add(abs(rounded.total) * 2.0**shift)
            if running.total and r and 2 * r == 1 << s:
                seen.add("tie up" if n % 2 else "tie down")
                if n == (1 << 24) - 1:
                    seen.add("tie that carries")
            elif running.total and r:
                seen.add("below tie" if 2 * r < 1 << s else "above tie")
            if total.total and after & 0x7F800000 == 0:
                seen.add("subnormal running value")
        block_infinite = [not isinstance(v, str) and float32(v) & 0x7FFFFFFF == INF_BITS for v in dot]
        if any(block_infinite):
            seen.add("overflow of a block")
    assert lengths == set(range(1, 17))
    assert {256} | {256 + side * (256 >> sticky) for sticky in range(1, 8) for side in (-1, 1)} <= halves
    assert seen == {
        "finite block after overflow",
        "Inf - Inf",
        "overflow of the accumulation",
        "overflow of a block",
        "cancels to zero",
        "a block that underflows to -0",
        "tie up",
        "tie down",
        "tie that carries",
        "below tie",
        "above tie",
        "subnormal running value",
    }


@pairs_of_formats
def test_sequence_has_nan_and_inf_blocks_first_in_the_middle_and_last(a: str, b: str) -> None:
    places: dict[str, set[str]] = {}
    for dot in dots(generate("sequence", a, b, multi_block=True)):
        for position, block in enumerate(dot):
            if isinstance(block, str) and len(dot) >= 3:
                where = {0: "first", len(dot) - 1: "last"}.get(position, "middle")
                places.setdefault(block, set()).add(where)
    expected = {NAN, POSITIVE_INF, NEGATIVE_INF} if "mxfp8_e5m2" in (a, b) else {NAN}
    assert set(places) == expected
    assert all(where == {"first", "middle", "last"} for where in places.values())


# Tensor

EXACT = np.array([0.0, 0.5, -1.0, 1.5, 2.0, -3.0, 4.0, 6.0], np.float32)
"""Values that every block of E2M1 holds without rounding, as long as 4 or 6 is among them."""


def exact_matrix(rows: int, columns: int, seed: int) -> np.ndarray:
    matrix = EXACT[np.random.default_rng(seed).integers(0, EXACT.size, (rows, columns))]
    matrix[:, ::32] = 6.0
    return matrix


def test_tensor_single_blocks_are_blocks_of_two_rows_at_the_same_place() -> None:
    a, b = exact_matrix(6, 70, 1), exact_matrix(4, 70, 2)
    stimulus = generate("tensor", "mxfp4_e2m1", "mxfp4_e2m1", 1000, tensors=[TensorPair("x", a, b)])
    assert stimulus.dots == 6 * 4 * 3
    padded_a, padded_b = (np.pad(m, ((0, 0), (0, 26))).reshape(len(m), 3, 32) for m in (a, b))
    expected = {
        (padded_a[i, k].tobytes(), padded_b[j, k].tobytes())
        for i in range(6)
        for j in range(4)
        for k in range(3)
    }
    decoded_a, decoded_b = (
        np.array([[element("mxfp4_e2m1", c) for c in row] for row in blocks.codes])
        / 2
        * np.exp2(blocks.scales[:, None].astype(float) - 127)
        for blocks in (stimulus.a, stimulus.b)
    )
    met = {
        (x.astype(np.float32).tobytes(), y.astype(np.float32).tobytes())
        for x, y in zip(decoded_a + 0.0, decoded_b + 0.0, strict=True)
    }
    assert met == expected


def test_tensor_multi_block_dots_are_products_of_whole_rows() -> None:
    a, b = exact_matrix(5, 70, 3), exact_matrix(3, 70, 4)
    vectors = make_dot_vectors(
        "mxfp4_e2m1",
        "mxfp4_e2m1",
        rule="block32_fp32_add",
        multi_block=True,
        count=500,
        seed=1,
        tensors=[TensorPair("x", a, b)],
    )
    tensor = next(c for c in vectors.classes if c.name == "tensor")
    assert tensor.count == 15
    results = vectors.results[tensor.first : tensor.first + 15].view(np.float32)
    assert sorted(results) == sorted((a @ b.T).ravel())
    assert {vectors.dot_slice(i).stop - vectors.dot_slice(i).start for i in tensor.dots} == {3}


@pytest.mark.parametrize("multi_block", [False, True])
def test_tensor_selects_rows_evenly_and_never_twice(multi_block: bool) -> None:
    # Row i holds 2**i in every element, so the scale of each block tells its row.
    rows_a, rows_b = 50, 40
    a, b = (
        np.exp2(np.arange(rows, dtype=np.float64))[:, None].repeat(96, axis=1) for rows in (rows_a, rows_b)
    )
    stimulus = generate(
        "tensor", "mxint8", "mxint8", 1000, multi_block=multi_block, tensors=[TensorPair("x", a, b)]
    )
    assert stimulus.dots == 1000
    first = np.flatnonzero(np.concatenate([[True], stimulus.last[:-1]]))
    counts_a = np.bincount(stimulus.a.scales[first].astype(int) - 127, minlength=rows_a)
    counts_b = np.bincount(stimulus.b.scales[first].astype(int) - 127, minlength=rows_b)
    assert set(counts_a.tolist()) == {20}
    assert set(counts_b.tolist()) == {25}
    met = set(zip(stimulus.a.scales[first].tolist(), stimulus.b.scales[first].tolist(), strict=True))
    assert len(met) == 1000


@pytest.mark.parametrize(
    ("m", "n", "places"), [(1, 1, 1), (6, 4, 3), (12, 8, 6), (2, 3, 6), (5, 7, 1), (1, 9, 4)]
)
def test_a_selection_is_even_at_every_size_and_complete_at_last(m: int, n: int, places: int) -> None:
    a, b, place = even_selection(m * n * places, m, n, places)
    triples = list(zip(a.tolist(), b.tolist(), place.tolist(), strict=True))
    assert set(triples) == {(x, y, z) for x in range(m) for y in range(n) for z in range(places)}
    for count in range(1, m * n * places + 1, 7):
        chosen = even_selection(count, m, n, places)
        assert list(zip(*(each.tolist() for each in chosen), strict=True)) == triples[:count]
        for rows, total in ((chosen[0], m), (chosen[1], n)):
            counts = np.bincount(rows, minlength=total)
            assert counts.max() - counts.min() <= 1
    places_of_row = np.zeros((m, places), int)
    np.add.at(places_of_row, (a[: m * n], place[: m * n]), 1)
    assert np.ptp(places_of_row, axis=1).max() <= 1


def test_a_selection_smaller_than_the_rows_is_spread_over_all_of_them() -> None:
    a, b, place = even_selection(100, 5000, 3000, 48)
    for rows, total in ((a, 5000), (b, 3000), (place, 48)):
        assert np.diff(np.sort(rows)).max() <= 4 * total / min(100, total)
        assert rows.max() > 0.95 * total - 2


def test_tensor_shares_the_count_over_pairs_and_none_is_left_out() -> None:
    small = TensorPair("small", np.ones((1, 8)), np.ones((1, 8)))
    large = TensorPair("large", np.full((40, 64), 4.0), np.full((40, 64), 2.0))
    stimulus = generate("tensor", "mxint8", "mxint8", 100, tensors=[small, large, small])
    assert stimulus.dots == 100
    assert np.count_nonzero(stimulus.a.scales == 0x7F) == 2
    assert generate("tensor", "mxint8", "mxint8", 1, tensors=[small] * 5).dots == 5


def test_tensor_keeps_nan_and_inf_of_the_users_data() -> None:
    a = np.ones((2, 64), np.float16)
    a[0, 3], a[1, 40] = np.nan, -np.inf
    stimulus = generate(
        "tensor", "mxfp8_e4m3", "mxfp8_e4m3", 100, tensors=[TensorPair("x", a, np.ones((1, 64)))]
    )
    assert sorted(map(str, block_values(stimulus))).count(NAN) == 2


def test_long_rows_do_not_swell_a_multi_block_set() -> None:
    pair = TensorPair("long", np.ones((8, 32 * 4096), np.float16), np.ones((8, 32 * 4096), np.float16))
    stimulus = generate("tensor", "mxfp4_e2m1", "mxfp4_e2m1", 100, multi_block=True, tensors=[pair])
    assert stimulus.dots == 3
    assert stimulus.last.size == 3 * 4096


# Pairs of tensors from files


def test_pairs_of_one_file_are_weights_with_their_inputs(tmp_path) -> None:
    path = tmp_path / "model.npz"
    weight, activation, other = np.ones((3, 8)), np.ones((2, 5, 8), np.float32), np.ones(7)
    np.savez(path, **{"q.weight": weight, "q.input": activation, "bias": other, "k.weight": other})
    (pair,) = load_pairs(str(path))
    assert (pair.label, pair.a.shape, pair.b.shape) == ("model.npz:q", (3, 8), (10, 8))
    assert pair.b.dtype == np.float32
    (own,) = load_pairs(f"{path}:q.input")
    assert (own.label, own.a.shape, own.b.shape) == ("model.npz:q.input", (10, 8), (10, 8))


def test_a_file_without_pairs_gives_each_tensor_against_itself(tmp_path) -> None:
    path = tmp_path / "two.npz"
    np.savez(path, x=np.ones((3, 8)), y=np.ones(5))
    assert [(p.label, p.a.shape, p.b.shape) for p in load_pairs(str(path))] == [
        ("two.npz:x", (3, 8), (3, 8)),
        ("two.npz:y", (1, 5), (1, 5)),
    ]


def test_two_files_meet_where_the_last_axes_are_equal(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((3, 8)), y=np.ones((2, 5)))
    np.savez(tmp_path / "b.npz", u=np.ones(8), v=np.ones((4, 9)), w=np.ones((6, 5)))
    first, second = str(tmp_path / "a.npz"), str(tmp_path / "b.npz")
    assert [p.label for p in load_pairs(first, second)] == ["a.npz:x x b.npz:u", "a.npz:y x b.npz:w"]
    with pytest.raises(ShapeError, match=r"x \[3, 8\] against v \[4, 9\]"):
        load_pairs(f"{first}:x", f"{second}:v")


def test_a_weight_and_an_input_of_different_rows_are_refused(tmp_path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, **{"q.weight": np.ones((3, 8)), "q.input": np.ones((3, 9))})
    with pytest.raises(ShapeError, match=r"q\.weight has rows of 8 and q\.input rows of 9"):
        load_pairs(str(path))


# Sets


@pairs_of_formats
@pytest.mark.parametrize("multi_block", [False, True])
def test_every_result_is_what_integers_and_the_oracle_give(a: str, b: str, multi_block: bool) -> None:
    rule = "block32_fp32_add" if multi_block else "exact_fp32"
    vectors = make_dot_vectors(a, b, rule=rule, multi_block=multi_block, count=900, seed=5)
    for i, dot in enumerate(dots(Stimulus(vectors.a, vectors.b, vectors.last))):
        expected = running_values(dot)[-1] if multi_block else float32(dot[0])
        assert vectors.results[i] == expected, (vectors.class_of(i).name, i)
    for i in range(0, vectors.dots, 37):
        chosen = vectors.dot_slice(i)
        blocks = [
            [
                oracle.Block(x.format, int(scale), tuple(codes))
                for codes, scale in zip(x.codes[chosen].tolist(), x.scales[chosen], strict=True)
            ]
            for x in (vectors.a, vectors.b)
        ]
        assert vectors.results[i] == oracle.dot(list(zip(*blocks, strict=True)), rule)


@pytest.mark.parametrize("multi_block", [False, True])
@pytest.mark.parametrize("count", [1, 500, 3000])
def test_a_set_has_every_class_and_at_least_its_count(multi_block: bool, count: int) -> None:
    tensors = [TensorPair("x", np.ones((9, 64)), np.ones((9, 64)))]
    vectors = make_dot_vectors(
        "mxfp6_e3m2",
        "mxfp8_e4m3",
        rule="exact_fp32",
        multi_block=multi_block,
        count=count,
        seed=0,
        tensors=tensors,
    )
    names = [
        c.name for c in STIMULUS_CLASSES if (multi_block or c.name != "sequence") and c.only_for is None
    ]
    assert [c.name for c in vectors.classes] == names
    assert all(c.count > 0 for c in vectors.classes)
    assert vectors.dots == sum(c.count for c in vectors.classes) == np.count_nonzero(vectors.last)
    assert count <= vectors.dots <= max(count, 1100)
    assert multi_block or vectors.blocks == vectors.dots
    assert sum(vectors.blocks_of(c) for c in vectors.classes) == vectors.blocks


def test_the_shares_of_a_set_add_up() -> None:
    plain = [c for c in STIMULUS_CLASSES if c.only_for is None]
    assert sum(c.single_percent for c in plain) == sum(c.multi_percent for c in plain) == 100


def test_classes_do_not_influence_each_other() -> None:
    tensors = [TensorPair("x", np.ones((20, 64)), np.ones((20, 64)))]
    with_tensors, without = (
        make_dot_vectors("mxint8", "mxint8", rule="exact_fp32", count=3000, seed=7, tensors=each)
        for each in (tensors, ())
    )
    for each in without.classes[:-1]:
        other = next(c for c in with_tensors.classes if c.name == each.name)
        assert each == other or each.first == other.first
        chosen = slice(each.first, each.first + each.count)
        assert np.array_equal(without.a.codes[chosen], with_tensors.a.codes[chosen])
        assert np.array_equal(without.b.scales[chosen], with_tensors.b.scales[chosen])


def test_seeds_and_formats_give_different_stimulus() -> None:
    first, second, other = (
        generate("random", a, "mxint8", 100, seed=seed)
        for a, seed in (("mxint8", 1), ("mxint8", 2), ("mxfp8_e4m3", 1))
    )
    assert not np.array_equal(first.a.codes, second.a.codes)
    assert not np.array_equal(first.b.codes, other.b.codes)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"a_format": "mxfp9"}, UnknownNameError, "mxfp9.*choose one of.*mxfp8_e4m3"),
        ({"rule": "nearest"}, UnknownNameError, "nearest.*choose one of: block32_exact_fused"),
        ({"count": 0}, DefinitionError, "count 0"),
        ({"count": MAX_COUNT + 1}, DefinitionError, f"between 1 and {MAX_COUNT}"),
        ({"seed": -1}, DefinitionError, "seed -1"),
        ({"tensors": [TensorPair("x", np.ones((1, 4), complex), np.ones((1, 4)))]}, DtypeError, "complex128"),
        (
            {"b_format": mx.BlockFormat("k16", mx.get_element("e2m1"), mx.get_scale("e8m0"), 16)},
            ShapeError,
            "blocks of 32 elements and k16 of 16",
        ),
    ],
)
def test_a_wrong_argument_is_refused(change: dict, error: type[Exception], message: str) -> None:
    arguments = {"a_format": "mxint8", "b_format": "mxint8", "rule": "exact_fp32", "count": 10, "seed": 1}
    with pytest.raises(error, match=message):
        make_dot_vectors(**(arguments | change))


@pytest.mark.parametrize(
    "fmt", [mx.BlockFormat("k8", mx.get_element("e2m1"), mx.get_scale("e8m0"), 8), "bfloat16", "float32"]
)
def test_formats_without_stimulus_classes_are_refused(fmt):
    with pytest.raises(DefinitionError, match=r"vector sets are of (blocks of 32 or 16|elements of at most 8)"):
        make_dot_vectors(fmt, fmt, rule="exact_fp32", count=10, seed=1)


def test_blocks_do_not_meet_elements_without_scales():
    with pytest.raises(DefinitionError, match="either both have block scales or neither"):
        make_dot_vectors("mxfp8_e4m3", "e4m3", rule="exact_fp32", count=10, seed=1)
