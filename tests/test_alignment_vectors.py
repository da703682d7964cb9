"""Sets for rules that align, chain or add in trees: a rule that differs in one field gives other results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import refmodel as mx
from refmodel.vectors.dotset import DotVectors, dot_results, make_dot_vectors
from refmodel.vectors.suite import STIMULUS_CLASSES

SETS = {
    "nv_mxf8f6f4": ("mxfp8_e4m3", "mxfp8_e5m2"),
    "late accumulator": ("mxfp8_e4m3", "mxfp8_e5m2"),
    "nv_hopper_fp8_fast": ("e4m3", "e4m3"),
    "nv_ada_fp8": ("e5m2", "e4m3"),
    "nv_mxf4": ("mxfp4_e2m1", "mxfp4_e2m1"),
    "nv_nvf4": ("nvfp4", "nvfp4"),
    "seq_fma_fp32": ("mxfp8_e5m2", "mxfp8_e5m2"),
    "pairwise_fp32": ("mxfp6_e3m2", "mxfp8_e5m2"),
}

COMMON: list[dict[str, Any]] = [
    *({"align_round": rounding} for rounding in ("RD", "RNE", "RTO")),
    *({"acc_round": rounding} for rounding in ("RD", "RNE")),
    {"acc_in_align": False},
]
PRODUCTS: list[dict[str, Any]] = [{"term_exponent": f"normalised_{of}"} for of in ("product", "inputs")]

RULES = {"late accumulator": replace(mx.get_rule("nv_mxf8f6f4"), acc_in_align=False)}
"""Rules of SETS that have no name in the model."""

CHANGES: dict[str, list[dict[str, Any]]] = {
    "nv_mxf8f6f4": [
        *COMMON, *PRODUCTS, {"align_bits": 24}, {"align_bits": 26}, {"group_size": 16}, {"group_size": 64},
        {"exp_floor": -134}, {"exp_floor": -132}, {"exp_floor": None}, {"acc_format": "e8m13"},
    ],
    "late accumulator": [
        {"floor_when": "always"}, {"exp_floor": -134}, {"exp_floor": -132}, {"align_round": "RD"},
        {"acc_round": "RNE"}, {"acc_in_align": True},
    ],
    "nv_hopper_fp8_fast": [
        *COMMON, *PRODUCTS, {"align_bits": 12}, {"align_bits": 14}, {"group_size": 16}, {"group_size": 64},
        {"acc_format": "fp32"},
    ],
    "nv_ada_fp8": [{"align_bits": 12}, {"align_bits": 14}, {"group_size": 8}, {"group_size": 32}],
    "nv_mxf4": [
        *COMMON, {"align_bits": 34}, {"align_bits": 36}, {"group_size": 32}, {"group_size": 128},
        {"inner_group": 8}, {"inner_group": 32},
    ],
    "nv_nvf4": [*COMMON, {"align_bits": 34}, {"align_bits": 36}, {"group_size": 32}, {"group_size": 128}],
    "seq_fma_fp32": [{"order": "pair_sum_chain"}, {"acc_in_align": False}, {"acc_round": "RZ"}],
    "pairwise_fp32": [{"order": "tree_halves"}, {"group_size": 32}, {"product": "fp32_rto"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def sets() -> dict[str, DotVectors]:
    return {
        rule: make_dot_vectors(
            *pair, rule=RULES.get(rule, rule), multi_block=True, initial_values=True, count=2500, seed=1
        )
        for rule, pair in SETS.items()
    }


@pytest.mark.parametrize(
    ("rule", "change"), [(rule, change) for rule, changes in CHANGES.items() for change in changes], ids=str
)
def test_a_rule_that_differs_in_one_field_is_told_apart(
    rule: str, change: dict[str, Any], sets: dict[str, DotVectors]
) -> None:
    vectors = sets[rule]
    other = replace(vectors.rule, **change)
    differs = vectors.results != dot_results(
        vectors.a, vectors.b, vectors.last, other, vectors.c, vectors.scaled
    )
    aimed = next(each for each in vectors.classes if each.name == "alignment")
    assert differs[aimed.first : aimed.first + aimed.count].any()


@pytest.mark.parametrize("rule", SETS)
@pytest.mark.parametrize("multi_block", [False, True])
def test_results_are_those_of_the_oracle(rule: str, multi_block: bool) -> None:
    a, b = SETS[rule]
    for initial_values in (False, True):
        vectors = make_dot_vectors(
            a, b, rule=RULES.get(rule, rule), multi_block=multi_block, initial_values=initial_values, count=400, seed=6
        )
        for i in range(0, vectors.dots, 1 + vectors.blocks // 150):
            assert vectors.by_oracle(i)["result"] == [vectors.results[i]], (i, vectors.class_of(i).name)


def test_only_rules_that_depend_on_the_order_have_the_class() -> None:
    names = {each.name for each in STIMULUS_CLASSES if each.only_for == "order"}
    for rule, has in (("exact_fp32", False), ("block32_exact_fused", False), ("seq_fma_fp32", True)):
        vectors = make_dot_vectors("mxfp4_e2m1", "mxfp4_e2m1", rule=rule, count=1, seed=1)
        assert (names <= {each.name for each in vectors.classes}) == has
        assert vectors.c is None


def by_value(vectors: DotVectors) -> dict[tuple[tuple[float, ...], float], int]:
    """Return the result of every dot of one block of the class, by its products other than 0 and its c."""
    aimed = next(each for each in vectors.classes if each.name == "alignment")
    found = {}
    assert vectors.c is not None
    for i in aimed.dots:
        rows = vectors.dot_slice(i)
        a, b = (mx.dequantize(mx.Blocks(x.format, x.codes[rows], x.scales[rows]), np.float64)
                for x in (vectors.a, vectors.b))  # fmt: skip
        products = tuple(sorted((a * b)[a * b != 0].tolist(), key=lambda p: (-abs(p), -p)))
        found[products, float(vectors.c[i : i + 1].view(np.float32)[0])] = int(vectors.results[i])
    return found


def test_discriminating_sums_are_in_the_set_with_the_results_that_are_published() -> None:
    """Expected bits worked out by hand from the descriptions of the machines."""
    hopper = by_value(make_dot_vectors("e4m3", "e4m3", rule="nv_hopper_fp8_fast", initial_values=True, count=1, seed=1))
    assert hopper[(1.0, -1.0, 2.0**-13), 0.0] == 0x39000000
    assert hopper[(1.0, -1.0, 2.0**-14), 0.0] == 0
    assert hopper[(1.0, -1.0, -1.5 * 2.0**-14), 0.0] == 0
    assert hopper[(1.0, 1.0, 1.5 * 2.0**-12), 0.0] == 0x40000400
    assert hopper[(2.0**-14,) * 32, 1.0] == 0x3F800000
    scaled = by_value(
        make_dot_vectors("mxfp8_e4m3", "mxfp8_e4m3", rule="nv_mxf8f6f4", initial_values=True, count=1, seed=1)
    )
    assert scaled[(4.0,), 0.0] == 0x40800000
    assert scaled[(2.0**-26,) * 32, 1.0] == 0x3F800000
    assert scaled[(2.0**-25,) * 32, 1.0] == 0x3F800008
    assert scaled[(448.0 * 448 * 2.0**254, -448.0 * 448 * 2.0**254), 3.0] == 0
    assert scaled[(), 3.0] == 0x40400000
    assert scaled[(2.0**-148,), 0.0] == 2
    assert scaled[(2.0**-149,), 0.0] == 1
    assert scaled[(2.0**-150,), 0.0] == 0
