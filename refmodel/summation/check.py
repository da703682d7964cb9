"""Whether a rule takes two operands."""

from __future__ import annotations

from refmodel.accumulate.rule import MULTIPLIES_SUM, AccumulationRule
from refmodel.blocks import Blocks
from refmodel.errors import DefinitionError
from refmodel.formats import ElementFormat, IntegerFormat
from refmodel.operands import Operand
from refmodel.summation.aligned import check_bounds
from refmodel.summation.decoded import scales_elements, sums_exactly


def check_operands(rule: AccumulationRule, a: Operand, b: Operand) -> None:
    """Refuse operands that the rule does not take.

    Raises:
        DefinitionError: If so; the message says why.
    """
    for operand in (a, b):
        _check_operand(rule, operand)
    elements = [_element(operand) for operand in (a, b)]
    if rule.align_bits is not None:
        largest = elements[0].max_value * elements[1].max_value
        size = rule.group_size
        if isinstance(size, int):
            check_bounds(rule, rule.inner_group if rule.term_exponent == "scale_only" else size, largest)
        else:
            size = a.format.block_size if size == "block" and isinstance(a, Blocks) else _length(a)
            check_bounds(rule, size, largest)
    scales = [operand.format.scale for operand in (a, b) if isinstance(operand, Blocks)]
    significands = scales_elements(rule, a, b) and any(scale.mantissa_bits for scale in scales)
    if rule.term_exponent == "normalised_product" and significands:
        raise DefinitionError(
            f"rule {rule.name!r}: normalised products with scales that are no powers of two need groups "
            "within a block"
        )
    bits = sum(_digits(operand, rule) for operand in (a, b))
    if bits > 53 and not sums_exactly(rule):
        raise DefinitionError(
            f"rule {rule.name!r}: products of {elements[0].name} and {elements[1].name} with their scales "
            f"have {bits} significant bits, 53 is the most"
        )


def _check_operand(rule: AccumulationRule, operand: Operand) -> None:
    element = _element(operand)
    if rule.elements and element.name not in rule.elements:
        raise DefinitionError(
            f"rule {rule.name!r} takes elements {', '.join(rule.elements)}, not {element.name}"
        )
    if not isinstance(operand, Blocks):
        if rule.group_size == "block":
            raise DefinitionError(
                f"rule {rule.name!r} adds block by block; elements without scales have no blocks"
            )
        return
    scale, size = operand.format.scale, operand.format.block_size
    if rule.scale_apply == "epilogue_tensor":
        raise DefinitionError(
            f"rule {rule.name!r} takes no block scales; give the element codes as Elements, "
            f"not {operand.format.name}"
        )
    if rule.scale_format not in (None, scale.name):
        raise DefinitionError(f"rule {rule.name!r} takes scales {rule.scale_format}, not {scale.name}")
    if rule.block not in (None, size):
        raise DefinitionError(f"rule {rule.name!r} takes blocks of {rule.block}, not of {size}")
    whole: int = rule.inner_group if rule.term_exponent == "scale_only" else 1
    if rule.scale_apply in MULTIPLIES_SUM and isinstance(rule.group_size, int):
        whole = rule.group_size
    if size % whole:
        raise DefinitionError(f"rule {rule.name!r}: blocks of {size} are not whole groups of {whole}")
    for run in (rule.promote_every, rule.split_k.tile if rule.split_k else None):
        if run is not None and run % size:
            raise DefinitionError(f"rule {rule.name!r}: runs of {run} elements cut blocks of {size} apart")


def _element(operand: Operand) -> ElementFormat:
    return operand.format.element if isinstance(operand, Blocks) else operand.format


def _length(operand: Operand) -> int:
    last: int = operand.codes.shape[-1]
    return last * operand.n_blocks if isinstance(operand, Blocks) else last


def _digits(operand: Operand, rule: AccumulationRule) -> int:
    """Significant bits of an element, times its scale where that enters products."""
    element = _element(operand)
    bits = element.bits - 1 if isinstance(element, IntegerFormat) else element.mantissa_bits + 1
    if isinstance(operand, Blocks) and rule.scale_apply in ("product_exponent", "group_exponent"):
        bits += operand.format.scale.mantissa_bits + (operand.format.scale.mantissa_bits > 0)
    return bits
