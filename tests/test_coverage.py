"""Functional coverage counts what was compared, reports what was missed, and knows what cannot be met."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("cocotb", reason="the bench needs the extra sim: pip install -e '.[sim]'")

from cocotb_tests.coverage import code
from cocotb_tests.coverage.facts import dot_facts, quantize_facts
from cocotb_tests.coverage.model import Coverpoint, Facts, count, read_model
from cocotb_tests.coverage.reach import reachable
from cocotb_tests.coverage.rounding import ABOVE_TIE, BELOW_TIE, EXACT, TIE_DOWN, TIE_UP, situation
from cocotb_tests.coverage.run import Covered, representatives
from cocotb_tests.museum.faults import unit_named
from refmodel import oracle
from refmodel.conformance.explanation import oracle_blocks
from refmodel.errors import DefinitionError
from refmodel.vectors.conversions import make_quantize_vectors
from refmodel.vectors.dotset import make_dot_vectors

MODEL = {each.name: each for each in read_model()}
DOT = unit_named("mx_dot", "mxfp4_e2m1 exact_fp32 fp32 lanes 32 depth 3")[1]
NVFP4 = unit_named("mx_nvfp4_dot", "nvfp4 exact_fp32 fp32 lanes 16 depth 3")[1]
FLOWING = 1


def test_only_what_was_compared_counts():
    cross = Coverpoint("", "dot", ("result", "handshake"), (("a", "b"), ("flowing", "stalled")))
    facts = Facts({"result": np.array([0, 1, 1])}, np.arange(3), np.arange(3))
    assert count(cross, facts, np.array([1, 0, 3], np.uint8)).tolist() == [[1, 0], [1, 1]]
    assert count(cross, facts, np.zeros(3, np.uint8)).sum() == 0
    unplayed = replace(facts, item=np.array([0, -1, 1]))
    assert count(cross, unplayed, np.array([1, 1], np.uint8)).tolist() == [[1, 0], [1, 0]]


def test_a_missed_bin_is_reported_and_so_is_an_impossible_one():
    vectors = make_dot_vectors("mxfp4_e2m1", "mxfp4_e2m1", rule="exact_fp32", multi_block=False, count=3_000, seed=1)
    facts, cross = dot_facts(vectors, DOT), MODEL["element pairs"]
    met = np.full(vectors.dots, FLOWING, np.uint8)
    allowed = reachable(cross, DOT, multi_block=False)
    assert not Covered(cross, count(cross, facts, met), allowed).missed
    # Without the items that hold -largest * +0 that bin is missed.
    pair = (facts.axes["a_element"] == 7) & (facts.axes["b_element"] == 0)
    met[pair.any(axis=1)] = 0
    assert Covered(cross, count(cross, facts, met), allowed).missed == ["a_element -largest, b_element +0"]
    allowed[4, 4] = False
    assert "a_element +normal, b_element +normal" in Covered(cross, count(cross, facts, met), allowed).impossible


@pytest.mark.parametrize(
    ("n", "e", "expected"),
    [
        (1 << 24, 0, EXACT),
        ((1 << 24) + 1, 0, TIE_DOWN),
        ((1 << 24) + 3, 0, TIE_UP),
        ((1 << 26) + 1, 0, BELOW_TIE),
        (-(1 << 26) - 5, 0, ABOVE_TIE),
        (1, -150, TIE_DOWN),
        (3, -150, TIE_UP),
        (1, -149, EXACT),
        (0, -300, EXACT),
    ],
)
def test_roundings_are_told_apart(n, e, expected):
    assert situation(n, e) == expected


def test_roundings_of_a_set_are_those_of_exact_fractions():
    vectors = make_dot_vectors(
        "mxfp8_e4m3", "mxfp4_e2m1", rule="exact_fp32", multi_block=False, initial_values=True, count=600, seed=3
    )
    bins = dot_facts(vectors, DOT).axes["rounding"]
    results = vectors.results.view(np.float32)
    finite = np.isfinite(results) & (bins > 0)
    assert finite.sum() > 300
    for i in np.flatnonzero(finite)[::7]:
        rows = range(vectors.blocks)[vectors.dot_slice(i)]
        pairs = zip(oracle_blocks(vectors.a, rows), oracle_blocks(vectors.b, rows), strict=True)
        exact = sum((oracle.block_dot(a, b).value for a, b in pairs), Fraction(float(vectors.c.view(np.float32)[i])))
        assert (exact == Fraction(float(results[i]))) == (bins[i] == EXACT)


def test_what_cannot_be_met_is_enumerated():
    results = reachable(MODEL["results and their rounding"], NVFP4, multi_block=False)
    names = MODEL["results and their rounding"].bins[0]
    assert results[names.index("+subnormal")].tolist() == [False, True, False, False, False, False]
    assert not results[names.index("-0")].any()
    assert results[names.index("+normal"), 1:].all()


def test_the_enumeration_of_conversions_holds_all_that_a_set_meets():
    configuration = unit_named("mx_nvfp4_quantize", "nvfp4 fp32 lanes 16 depth 2")[1]
    facts = quantize_facts(make_quantize_vectors("nvfp4", count=2_000, seed=1))
    met = np.full(len(facts.item), FLOWING, np.uint8)
    for name in ("numbers and their elements", "elements under scales", "elements and their rounding"):
        allowed = reachable(MODEL[name], configuration, multi_block=False)
        assert not Covered(MODEL[name], count(MODEL[name], facts, met), allowed).impossible


def test_each_bin_of_a_cross_with_the_handshake_has_a_representative():
    vectors = make_dot_vectors("mxfp4_e2m1", "mxfp4_e2m1", rule="exact_fp32", multi_block=False, count=1_000, seed=1)
    facts, cross = dot_facts(vectors, DOT), MODEL["element pairs and the handshake"]
    met = np.zeros(vectors.dots, np.uint8)
    met[representatives([cross], [facts])] = FLOWING
    some, every = (count(cross, facts, each)[..., 0] > 0 for each in (met, np.full_like(met, FLOWING)))
    assert (some == every).all()


def test_counters_are_read_and_exclusions_are_held_to_what_they_exclude(tmp_path):
    lines = [
        "# SystemC::Coverage-3",
        "C '\x01f\x02rtl/mx_x.sv\x01l\x0212\x01n\x025\x01page\x02v_toggle/mx_x\x01o\x02a[0]:0->1' 3",
        "C '\x01f\x02rtl/mx_x.sv\x01l\x0212\x01n\x025\x01page\x02v_toggle/mx_x\x01o\x02a[1]:0->1' 0",
        "C '\x01f\x02rtl/mx_x.sv\x01l\x0214\x01n\x023\x01page\x02v_line/mx_x\x01o\x02block' 0",
    ]
    path = tmp_path / "results.coverage"
    path.write_text("\n".join(lines))
    counts = code.add([code.read_counts(path)] * 2)
    assert sorted(counts.values()) == [0, 0, 6]
    sound = code.Exclusion("mx_x", "toggle", r"a\[1\].*", "always zero", "2026-11-24")
    stale = replace(sound, name="b.*")
    tallies = code.tally(counts, [sound])["mx_x"]
    assert (tallies["toggle"].hit, tallies["toggle"].points, tallies["toggle"].excluded) == (1, 1, 1)
    assert [point.line for point in tallies["line"].missed] == [14]
    assert code.unused(counts, [sound, stale]) == [stale]
    path.write_text("C nonsense")
    with pytest.raises(DefinitionError, match="line 1 is no coverage point"):
        code.read_counts(path)
