"""Dot products of one block have the bits of the general way, whatever the formats, scales and initial values."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import refmodel as mx
from refmodel.accumulate import get_rule
from refmodel.summation import chain
from refmodel.summation.single import sums_block_in_float64
from refmodel.vectors.dotset import make_dot_vectors

EXACT = get_rule("exact_fp32")
RULES = (EXACT, get_rule("block32_fp32_add"), replace(EXACT, name="cut", acc_round="RZ", acc_format="e8m13"))
FORMATS = ("mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e3m2", "mxfp4_e2m1", "mxint8", "nvfp4")
PAIRS = [(a, b) for a, b in product(FORMATS, repeat=2) if (a == "nvfp4") == (b == "nvfp4")]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_a_single_block_is_summed_as_several_are(a: str, b: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for rule in RULES:
        vectors = make_dot_vectors(a, b, rule=rule, count=1000, seed=4, initial_values=rule != EXACT)
        blocks = [mx.Blocks(x.format, x.codes[:, None], x.scales[:, None]) for x in (vectors.a, vectors.b)]
        assert sums_block_in_float64(rule, *blocks, vectors.lanes)
        with monkeypatch.context() as patch:
            patch.setattr(chain, "sums_block_in_float64", lambda *_: False)
            wanted = vectors.by_model()["result"][:, 0]
        assert np.array_equal(vectors.results, wanted), f"{a} x {b}, {rule.name}"


@pytest.mark.parametrize("rule", ["seq_fma_fp32", "block32_exact_fused"])
def test_rules_that_see_more_than_the_sum_are_left_alone(rule: str) -> None:
    blocks = mx.Blocks("mxfp8_e4m3", np.zeros((1, 1, 32), np.uint8), np.full((1, 1), 127, np.uint8))
    assert not sums_block_in_float64(get_rule(rule), blocks, blocks, 32)
