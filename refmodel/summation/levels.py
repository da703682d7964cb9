"""Above a single run: split K, promotion, the last rounding; and how large a tile may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from refmodel.accumulate.rule import AccumulationRule, SplitK
from refmodel.blocks import Blocks
from refmodel.operands import Elements, Operand
from refmodel.summation.chain import Run
from refmodel.summation.decoded import sums_exactly
from refmodel.summation.narrow import narrow_plan
from refmodel.summation.rounder import Array, Rounder
from refmodel.summation.sequential import tree_sum

# Running values and products of a tile: float64, within a level-2 cache.
_TILE_RESULTS = 1 << 16
_TILE_PRODUCTS = 1 << 17
# Of narrow products, which take fewer arrays, in a tile of a matrix product.
_NARROW_PRODUCTS = 1 << 19

_FLOAT32 = Rounder("fp32", "RNE")


def tile_items(rule: AccumulationRule, a: Operand, b: Operand, length: int, *, outer: bool) -> int:
    """Return how many results to work on at a time."""
    size = rule.group_size
    plan = narrow_plan(rule, a, b) if outer else None
    if plan is not None:
        return min(_TILE_RESULTS, _NARROW_PRODUCTS // plan.size)
    if sums_exactly(rule) or (rule.order == "fma_chain" and rule.acc_in_align):
        depth = 1
    elif size == "block" and isinstance(a, Blocks):
        depth = a.format.block_size
    else:
        depth = min(size, max(1, length)) if isinstance(size, int) else max(1, length)
    return max(1, min(_TILE_RESULTS, _TILE_PRODUCTS // depth))


def evaluate(run: Run, length: int, initial: Array) -> Array:
    """Return the result of all *length* elements from *initial* [*batch], float64."""
    split = run.rule.split_k
    if split is None:
        return _promote(run, length, initial)
    results = []
    for part in _parts(split, length):
        columns = np.concatenate([np.arange(start, min(start + split.tile, length)) for start in part])
        chosen = replace(run, a=_take(run.a, columns), b=_take(run.b, columns))
        results.append(_promote(chosen, len(columns), np.zeros(initial.shape)))
    if split.combine == "pairwise":
        return (
            _FLOAT32.add(initial, tree_sum(np.stack(results), "tree_adjacent", _FLOAT32))
            if results
            else initial
        )
    for result in results:
        initial = _FLOAT32.add(initial, result)
    return initial


def _parts(split: SplitK, length: int) -> list[list[int]]:
    """First elements of the tiles of each part."""
    tiles = list(range(0, length, split.tile))
    if split.deal == "interleaved":
        parts = [tiles[s :: split.splits] for s in range(split.splits)]
    else:
        share = max(1, -(-len(tiles) // split.splits))
        parts = [tiles[s : s + share] for s in range(0, len(tiles), share)]
    return [part for part in parts if part]


def _take(operand: Operand, columns: NDArray[np.int64]) -> Operand:
    """Return an operand of those elements, whole blocks."""
    if isinstance(operand, Elements):
        return Elements(operand.format, operand.codes[:, columns], operand.tensor_scale)
    size = operand.format.block_size
    blocks = columns[::size] // size
    codes, scales = operand.codes[:, blocks], operand.scales[:, blocks]
    return Blocks(operand.format, codes, scales, tensor_scale=operand.tensor_scale)


def _promote(run: Run, length: int, initial: Array) -> Array:
    every = run.rule.promote_every
    if every is None:
        return run.evaluate(0, length, initial)
    running = initial
    for start in range(0, length, every):
        partial = run.evaluate(start, min(start + every, length), np.zeros(initial.shape))
        running = _FLOAT32.add(running, partial)
    return running


def finish(result: Array, rule: AccumulationRule, a: Operand, b: Operand) -> NDArray[np.float32]:
    """Apply tensor scales, out_format and nan_pattern."""
    scales = [scale for scale in (a.tensor_scale, b.tensor_scale) if scale is not None]
    if scales:
        alpha = np.float64(np.prod(np.array(scales, np.float32), dtype=np.float32))
        result = _FLOAT32.round(result * alpha + 0.0)  # 24 times 24 bits are exact
    if scales or rule.out_format is not None:
        result = Rounder(rule.result_format, rule.out_round).round(result)
    rounded = result.astype(np.float32)
    rounded.view(np.uint32)[np.isnan(rounded)] = rule.nan_float32
    return rounded
