"""Blocks on their way to one dot product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.blocks import Blocks
from refmodel.dot import CANONICAL_NAN, dot
from refmodel.errors import DefinitionError, ExplanationError, ShapeError
from refmodel.explain.encoding import encode_float32
from refmodel.explain.exact import (
    NAN,
    Exact,
    FloatBits,
    about,
    code_text,
    decode_exact,
    fields,
    multiplied,
    number_text,
    power_of_two,
)
from refmodel.explain.tree import Explanation, Step, Table
from refmodel.formats import FLOAT32, ElementFormat

_EXPLAINED = get_rule("exact_fp32"), get_rule("block32_fp32_add")


def explain_dot(
    a: Blocks,
    b: Blocks,
    rule: str | AccumulationRule = "block32_fp32_add",
    c: float | np.floating | FloatBits | None = None,
) -> Explanation:
    """Explain how `refmodel.dot` makes one Float32 of the blocks of one dot product.

    Args:
        a: Blocks [n_blocks]; leading axes of length 1 are ignored.
        b: Blocks of the same shape and block size; the element format may differ (MX-6.1-b).
        rule: Accumulation rule, by name or description.
        c: Initial value, a NumPy float32 or `FloatBits`; +0 when None.

    Returns:
        An explanation with a part for each block and one for the result, the Float32 in hexadecimal.

    Raises:
        ShapeError: If there is more than one dot product.
        DefinitionError: If a scale is no power of two, as those of nvfp4, or the rule is not exact_fp32
            or block32_fp32_add.
        ExplanationError: If the stages do not lead to the model's bits, which is a defect of refmodel.
        MxError: What `refmodel.dot` raises.
    """
    rule = get_rule(rule)
    if rule not in _EXPLAINED:
        names = " and ".join(each.name for each in _EXPLAINED)
        raise DefinitionError(f"rule {rule.name!r}: dot products are explained under {names} only")
    for fmt in (a.format, b.format):
        if not fmt.scale.is_power_of_two:
            raise DefinitionError(
                f"{fmt.name}: dot products are explained of blocks whose scale is a power of two, unlike "
                f"{fmt.scale.name}"
            )
    if isinstance(c, FloatBits):
        c = np.uint32(c.bits).view(np.float32) if c.fmt is FLOAT32 else c.bits
    model = dot(a, b, rule, None if c is None else np.asarray(c))
    if model.size != 1:
        raise ShapeError(
            f"operands have blocks {list(a.scales.shape)}; give those of one dot product, [n_blocks]"
        )
    expected = int(model.reshape(-1).view(np.uint32)[0])
    initial = 0 if c is None else int(np.asarray(c).reshape(-1).view(np.uint32)[0])
    sums = [BlockSum.of(a, b, i) for i in range(a.n_blocks)]
    bits, parts = (_add_rounded if rule.rounds_per_block else _add_exactly)(sums, initial)
    if bits != expected:
        raise ExplanationError(
            f"dot of {a.format.name} and {b.format.name} under {rule.name}: the stages lead to {bits:#010x}, "
            f"the model gives {expected:#010x}"
        )
    result = code_text(FLOAT32, bits)
    count = f"{a.n_blocks} block{'' if a.n_blocks == 1 else 's'}"
    title = f"dot of {a.format.name} and {b.format.name}, {count}, {rule.name}: {result}"
    steps = [Step("rule", rule.summary, ids=("A-27", "A-31"))]
    if c is not None:
        text = f"initial value {code_text(FLOAT32, initial)}, {FloatBits('float32', initial)}"
        steps.append(Step("c", text, fields(FLOAT32, initial), str(decode_exact(FLOAT32, initial))))
    return Explanation(title, result, tuple(steps), parts)


@dataclass(frozen=True, slots=True)
class BlockSum:
    """The dot product of two blocks.

    Attributes:
        index: Number of the block.
        total: The exact scaled sum; NaN or infinite where special values make it so.
        steps: How it came about.
    """

    index: int
    total: Exact
    steps: tuple[Step, ...]

    @staticmethod
    def of(a: Blocks, b: Blocks, index: int) -> BlockSum:
        """Return the dot product of block *index* of each operand."""
        elements = [x.codes.reshape(-1, x.format.block_size)[index].tolist() for x in (a, b)]
        scale_codes = [int(x.scales.reshape(-1)[index]) for x in (a, b)]
        scales = [decode_exact(x.format.scale, code) for x, code in zip((a, b), scale_codes, strict=True)]
        formats = a.format.element, b.format.element
        grid = sum(fmt.quantum_exponent for fmt in formats)
        products, product_step = _product_step(formats, elements, grid)
        shown = [
            f"{code_text(x.format.scale, code)} = {_power_text(scale)}"
            for x, code, scale in zip((a, b), scale_codes, scales, strict=True)
        ]
        bits = " ".join(fields(x.format.scale, code) for x, code in zip((a, b), scale_codes, strict=True))
        scale_step = Step("scales", f"A {shown[0]}, B {shown[1]}", bits, ids=("MX-5.4.1-b", "MX-5.4.1-d"))
        element_sum = _total(products)
        special = _special(scales, element_sum)
        if special is not None:
            return BlockSum(index, special[0], (scale_step, product_step, special[1]))
        total = Exact.of(element_sum.signed * scales[0].magnitude * scales[1].magnitude)
        sum_steps = _sum_step(element_sum, grid), _scaled_step(element_sum, scales, total)
        return BlockSum(index, total, (scale_step, product_step, *sum_steps))

    def explain(self, result: str, rounding: Sequence[Step] = ()) -> Explanation:
        """Return the explanation of the block, with what follows its exact sum."""
        return Explanation(f"block {self.index}: {result}", result, (*self.steps, *rounding))


def _product_step(
    formats: Sequence[ElementFormat], codes: Sequence[Sequence[int]], grid: int
) -> tuple[list[Exact], Step]:
    """Return the products of the elements, and the step that shows them in units of 2**grid."""
    products, rows = [], []
    for i, pair in enumerate(zip(*codes, strict=True)):
        x, y = (decode_exact(fmt, code) for fmt, code in zip(formats, pair, strict=True))
        product = multiplied(x, y)
        integer = str(product.signed / power_of_two(grid)) if product.is_finite else str(product)
        bits = [fields(fmt, code) for fmt, code in zip(formats, pair, strict=True)]
        products.append(product)
        rows.append((str(i), bits[0], str(x), bits[1], str(y), integer))
    table = Table(("i", "A", "value", "B", "value", f"product / 2^{grid}"), tuple(rows))
    quanta = " + ".join(str(fmt.quantum_exponent) for fmt in formats).replace("+ -", "- ")
    text = f"elements decoded; a finite product is an integer times 2^{grid}: {quanta} = {grid}"
    return products, Step("products", text, ids=("MX-6.1-a", "D-11"), table=table)


def _sum_step(total: Exact, grid: int) -> Step:
    integer = total.signed / power_of_two(grid)
    if not integer:
        return Step("sum", "exactly zero: +0, whatever the signs of the products", value="0", ids=("A-30",))
    text = f"{integer} * 2^{grid}, an integer of {abs(int(integer)).bit_length()} bits: exact in any order"
    return Step("sum", text, value=number_text(total.signed), ids=("MX-6.1-c", "MX-6.1-d", "A-27"))


def _total(numbers: Sequence[Exact]) -> Exact:
    """Return the exact sum; an exact zero is +0."""
    infinite = {each.negative for each in numbers if each.kind == "infinite"}
    if any(each.kind == "nan" for each in numbers) or len(infinite) == 2:
        return NAN
    if infinite:
        return Exact("infinite", infinite.pop())
    return Exact.of(sum((each.signed for each in numbers), Fraction(0)))


def _special(scales: Sequence[Exact], element_sum: Exact) -> tuple[Exact, Step] | None:
    """Return the result of a block that NaN or infinity decides and the step that says so, or None."""
    names = " and ".join(name for name, scale in zip(("A", "B"), scales, strict=True) if scale.kind == "nan")
    if names:
        text = f"the scale of {names} is NaN: every element of that block is NaN, and so is the sum"
        return NAN, Step("special", text, value="NaN", ids=("MX-5.1-h", "A-29"))
    if element_sum.is_finite:
        return None
    text = "an infinity among the products: the scales leave it as it is"
    if element_sum.kind == "nan":
        text = "a NaN element, Inf * 0, or infinities of both signs make the sum NaN"
    return element_sum, Step("special", text, value=str(element_sum), ids=("MX-5.1-i", "A-29"))


def _scaled_step(element_sum: Exact, scales: Sequence[Exact], total: Exact) -> Step:
    exponents = [_exponent(scale) for scale in scales]
    if None in exponents:
        text = f"times both scales: {element_sum} * {scales[0]} * {scales[1]}"
    else:
        shown = " + ".join(map(str, exponents)).replace("+ -", "- ")
        text = f"times both scales, as a sum of exponents: {shown} = {sum(filter(None, exponents))}; exact"
    return Step("scaled", text, value=str(total), ids=("A-28", "D-13"))


def _exponent(scale: Exact) -> int | None:
    """Return the exponent of a scale that is a power of two."""
    exponent = scale.magnitude.numerator.bit_length() - scale.magnitude.denominator.bit_length()
    return exponent if scale.magnitude and scale.magnitude == power_of_two(exponent) else None


def _power_text(scale: Exact) -> str:
    exponent = _exponent(scale) if scale.is_finite else None
    return str(scale) if exponent is None else f"2^{exponent}"


def _to_float32(number: Exact, name: str) -> tuple[int, list[Step]]:
    """Return the Float32 nearest to a number, and the steps to it, of which the last has this name."""
    encoded = encode_float32(number)
    bits, value = fields(FLOAT32, encoded.code), str(decode_exact(FLOAT32, encoded.code))
    if number.kind == "nan":
        return encoded.code, [Step(name, "every NaN has these bits", bits, "NaN", ("A-29",))]
    if not number.is_finite:
        return encoded.code, [Step(name, "infinite", bits, value, ("A-29",))]
    if number.is_zero:
        return encoded.code, [Step(name, "zero", bits, value, ("A-30",))]
    if encoded.words == "exact":
        return encoded.code, [Step(name, "a Float32 value: nothing is rounded", bits, value)]
    # Of the range only what changes the number is worth a line.
    steps = [step for step in encoded.steps if step.name != "sign" and (step.name != "range" or step.value)]
    ids = {"binade": ("A-30",), "rounding": ("A-27", "MX-4.1-g"), "range": ("A-30",)}
    steps = [Step(step.name, step.text, step.bits, step.value, ids.get(step.name, ())) for step in steps]
    text = f"{code_text(FLOAT32, encoded.code)}, {encoded.words}"
    return encoded.code, [*steps, Step(name, text, bits, value)]


def _add_exactly(sums: Sequence[BlockSum], initial: int) -> tuple[int, tuple[Explanation, ...]]:
    """One exact sum over the initial value and all blocks, rounded once."""
    total = _total([decode_exact(FLOAT32, initial), *(each.total for each in sums)])
    text = "the exact sum of all blocks and the initial value"
    if total.is_finite:
        text += f", about {about(total.signed)}"
    else:
        text = "a NaN, or infinities of both signs" if total.kind == "nan" else "an infinity"
    step = Step("total", text, value=str(total), ids=("MX-6.2-c", "A-31"))
    bits, rounding = _to_float32(total, "float32")
    blocks = [each.explain(str(each.total)) for each in sums]
    return bits, (*blocks, _result(bits, (step, *rounding)))


def _add_rounded(sums: Sequence[BlockSum], initial: int) -> tuple[int, tuple[Explanation, ...]]:
    """Each block rounded to Float32 and added in Float32, in order."""
    running, parts = initial, []
    if not sums and decode_exact(FLOAT32, running).kind == "nan":
        running = int(CANONICAL_NAN)
    for each in sums:
        rounded, steps = _to_float32(each.total, "float32")
        before, addend = decode_exact(FLOAT32, running), decode_exact(FLOAT32, rounded)
        total = _total([before, addend])
        if before.is_zero and addend.is_zero:  # two zeros keep a common sign
            total = Exact("finite", before.negative and addend.negative)
        running, rounding = _to_float32(total, "running")
        steps.append(Step("add", f"{before} + {addend}", value=str(total), ids=("MX-6.2-c", "A-31")))
        steps += rounding
        parts.append(each.explain(code_text(FLOAT32, rounded), steps))
    return running, (*parts, _result(running, ()))


def _result(bits: int, steps: Sequence[Step]) -> Explanation:
    result, number = code_text(FLOAT32, bits), decode_exact(FLOAT32, bits)
    text = f"{result}, {FloatBits('float32', bits)}"
    final = Step("result", text, fields(FLOAT32, bits), str(number), ("MX-6.2-a",))
    return Explanation(f"result: {result}", result, (*steps, final))
