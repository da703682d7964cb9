"""Sums with a rounding at every addition: chains and trees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule, Rounding
from refmodel.summation.pairs import Pair
from refmodel.summation.rounder import Array, Rounder

_LANES = {"contiguous": 1, "even_odd": 2, "round_robin_4": 4}


def rounded_products(pair: Pair, rule: AccumulationRule) -> Array:
    """Return the products [k, ..., *batch] as `AccumulationRule.product` wants them."""
    products = pair.join(np.multiply, pair.a.values, pair.b.values)
    if rule.overflow == "product_inf_at_2^128":
        products = np.where(np.abs(products) >= 2.0**128, np.copysign(np.inf, products), products)
    if rule.product == "exact":
        return products
    mode: Rounding = "RTO" if rule.product.startswith("fp32_rto") else "RNE"
    return Rounder("fp32", mode, ftz=rule.product.endswith("_ftz")).round(products)


def chain_steps(products: Array, rule: AccumulationRule, rounder: Rounder) -> Array:
    """Return what a chain adds in order: the products of a group, or rounded sums of two of them."""
    if rule.order == "fma_chain":
        return products
    whole = len(products) - len(products) % 2
    sums = rounder.add(products[0:whole:2], products[1:whole:2])
    return np.concatenate([sums, rounder.round(products[whole:])])


def extend_chain(running: Array, products: Array, rounder: Rounder) -> Array:
    """Add the products [k, *batch] to *running* [*batch], one after the other."""
    for term in products:
        running = rounder.add(running, term)
    return running


def group_value(pair: Pair, rule: AccumulationRule) -> Array:
    """Return the sums [groups, *batch] of groups [k, groups, rows] that start from zero."""
    rounder = Rounder.of(rule)
    products = rounded_products(pair, rule)
    if rule.order.startswith("tree"):
        result = tree_sum(_leaves(products, rule, rounder), rule.order, rounder)
        return result + 0.0 if rule.zero_sign == "from_plus" and rule.acc_round != "RD" else result
    size, lanes = len(products), _LANES[rule.layout]
    steps = chain_steps(products, rule, rounder)
    chains = []
    for lane in range(lanes):
        start = np.zeros(products.shape[1:])
        chains.append(extend_chain(start, steps[lane::lanes], rounder))
    turned = [chains[(size + i) % lanes] for i in range(lanes)]
    return tree_sum(np.stack(turned), "tree_adjacent", rounder)


def _leaves(products: Array, rule: AccumulationRule, rounder: Rounder) -> Array:
    """Return what a tree adds: products, or rounded exact sums of inner_group of them."""
    inner = rule.inner_group
    if inner == 1:
        return products
    if len(products) % inner:
        # Zeros of the sign of the last product change no sum, nor the sign of a zero one.
        missing = -len(products) % inner
        products = np.concatenate([products, *[np.copysign(0.0, products[-1:])] * missing])
    return rounder.add(*(products[i::inner] for i in range(inner)))


def tree_sum(leaves: Array, shape: str, rounder: Rounder) -> Array:
    """Add leaves [n, ...] in a tree; without leaves the sum is +0."""
    if not len(leaves):
        return np.zeros(leaves.shape[1:])
    while len(leaves) > 1:
        n = len(leaves)
        half, whole = n // 2, n - n % 2
        if shape == "tree_adjacent":
            added = rounder.add(leaves[0:whole:2], leaves[1:whole:2])
            rest: NDArray[np.float64] = leaves[whole:]
        else:
            first = n - half  # ceil(n / 2)
            added = rounder.add(leaves[:half], leaves[first:])
            rest = leaves[half:first]
        leaves = np.concatenate([added, rest])
    root: Array = leaves[0]
    return root
