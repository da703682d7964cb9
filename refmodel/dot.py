"""Dot products and matrix products of blocks under an accumulation rule (MX-6.1, MX-6.2)."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.blocks import Blocks
from refmodel.errors import DtypeError, ShapeError
from refmodel.inputs import as_array
from refmodel.operands import Elements, Operand
from refmodel.summation.chain import Run
from refmodel.summation.check import check_operands
from refmodel.summation.levels import evaluate, finish, tile_items

CANONICAL_NAN = np.uint32(0x7FC00000)
"""Float32 bits of the NaN that the rules of no machine give (A-29)."""


def dot(
    a: Operand, b: Operand, rule: str | AccumulationRule = "block32_fp32_add", c: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Return the dot product of each row of *a* with the same row of *b*.

    Args:
        a: Blocks [..., n_blocks], or Elements [..., K].
        b: The same kind of operand, shape and block size; the element format may differ (MX-6.1-b).
        rule: Accumulation rule, by name or description.
        c: Initial value, float32, broadcast to [...]; +0 when None.

    Returns:
        float32 [...], whose bits are normative for the rule; a rule with a narrower result format gives
        values of that format. NaN has the bits `AccumulationRule.nan_float32`.

    Raises:
        UnknownNameError: If there is no such rule.
        ShapeError: If shapes or block sizes differ, or c cannot be broadcast.
        DtypeError: If c is not float32.
        DefinitionError: If the rule does not take operands of these formats.
    """
    rule = get_rule(rule)
    shape = _item_shape(a)
    if shape != _item_shape(b) or type(a) is not type(b):
        raise ShapeError(f"operands have {_shape_text(a)} and {_shape_text(b)}; dot needs equal shapes")
    size = _common_block_size(a, b)
    check_operands(rule, a, b)
    lead = shape[:-1]
    rows = int(np.prod(lead))
    running = _initial_value(c, lead).reshape(rows)
    result = np.empty(rows, np.float32)
    a, b = _as_rows(a, rows), _as_rows(b, rows)
    step = tile_items(rule, a, b, shape[-1] * size, outer=False)
    for i in range(0, rows, step):
        chosen = slice(i, min(i + step, rows))
        run = Run(rule, a, b, chosen, chosen, outer=False)
        result[chosen] = _tile(run, shape[-1] * size, running[chosen])
    return result.reshape(lead)


def matmul(
    a: Operand, b: Operand, rule: str | AccumulationRule = "block32_fp32_add", c: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Return the dot product of every row of *a* with every row of *b*.

    Memory beside operands and result is that of one tile of the result and one stretch of K.

    Args:
        a: Blocks [M, n_blocks], or Elements [M, K].
        b: The same kind of operand [N, ...] of the same block size; the element format may differ (MX-6.1-b).
        rule: Accumulation rule, by name or description.
        c: Initial values, float32, broadcast to [M, N]; +0 when None.

    Returns:
        float32 [M, N], each entry with the bits that `dot` gives for its two rows.

    Raises:
        UnknownNameError: If there is no such rule.
        ShapeError: If an operand is not two-dimensional, the numbers of blocks or elements or the block sizes
            differ, or c cannot be broadcast.
        DtypeError: If c is not float32.
        DefinitionError: If the rule does not take operands of these formats.
    """
    rule = get_rule(rule)
    shape_a, shape_b = _item_shape(a), _item_shape(b)
    if len(shape_a) != 2 or len(shape_b) != 2 or shape_a[1] != shape_b[1] or type(a) is not type(b):
        raise ShapeError(
            f"operands have {_shape_text(a)} and {_shape_text(b)}; "
            "matmul needs [M, n_blocks] and [N, n_blocks] with the same n_blocks"
        )
    size = _common_block_size(a, b)
    check_operands(rule, a, b)
    m, n, length = shape_a[0], shape_b[0], shape_a[1] * size
    running = _initial_value(c, (m, n))
    result = np.empty((m, n), np.float32)
    step = max(1, int(tile_items(rule, a, b, length, outer=True) ** 0.5))
    for i, j in product(range(0, m, step), range(0, n, step)):
        rows, columns = slice(i, min(i + step, m)), slice(j, min(j + step, n))
        run = Run(rule, a, b, rows, columns, outer=True)
        result[rows, columns] = _tile(run, length, running[rows, columns])
    return result


def _tile(run: Run, length: int, initial: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(all="ignore"):
        return finish(evaluate(run, length, initial.astype(np.float64)), run.rule, run.a, run.b)


def _item_shape(operand: Operand) -> tuple[int, ...]:
    """Shape of blocks, or of elements."""
    return operand.scales.shape if isinstance(operand, Blocks) else operand.codes.shape


def _shape_text(operand: Operand) -> str:
    return f"{'blocks' if isinstance(operand, Blocks) else 'elements'} {list(_item_shape(operand))}"


def _as_rows(operand: Operand, rows: int) -> Operand:
    if isinstance(operand, Blocks):
        *_, blocks, size = operand.codes.shape
        codes, scales = operand.codes.reshape(rows, blocks, size), operand.scales.reshape(rows, blocks)
        return Blocks(operand.format, codes, scales, tensor_scale=operand.tensor_scale)
    return Elements(
        operand.format, operand.codes.reshape(rows, operand.codes.shape[-1]), operand.tensor_scale
    )


def _common_block_size(a: Operand, b: Operand) -> int:
    if not (isinstance(a, Blocks) and isinstance(b, Blocks)):
        return 1
    size = a.format.block_size
    if size != b.format.block_size:
        raise ShapeError(
            f"{a.format.name} has blocks of {size} elements and {b.format.name} of {b.format.block_size}"
        )
    return size


def _initial_value(c: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if c is None:
        return np.zeros(shape, np.float32)
    value = as_array(c, "c")
    if value.dtype != np.float32:
        raise DtypeError(
            f"c: dtype {value.dtype} is not float32; the initial value is a Float32, convert explicitly"
        )
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise ShapeError(f"c has shape {value.shape}; it must broadcast to {shape}") from None
