"""An array on its way to one block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from refmodel.blocks import Blocks
from refmodel.errors import ExplanationError, ShapeError
from refmodel.explain.element import Prepared, explain_scaled, prepare
from refmodel.explain.encoding import Encoded
from refmodel.explain.exact import Exact, FloatBits, as_bits, code_text, decode_exact, fields, to_array
from refmodel.explain.ratio_scale import choose_tensor_scale
from refmodel.explain.scale import choose_scale, choose_scaling, listed
from refmodel.explain.tree import Explanation, Step, Table
from refmodel.formats import FLOAT32, BlockFormat, get_format
from refmodel.options import QuantizeOptions
from refmodel.packing import pack_blocks
from refmodel.quantization import quantize


def explain_block(
    values: ArrayLike | Sequence[FloatBits],
    format: str | BlockFormat,
    options: QuantizeOptions | None = None,
    *,
    random: ArrayLike | None = None,
    tensor_scale: float | np.float32 | None = None,
    detail: Iterable[int] | Literal["all"] = (),
) -> Explanation:
    """Explain how `refmodel.quantize` makes one block of up to block_size numbers.

    Args:
        values: Numbers along one axis, of a dtype that quantize takes, or `FloatBits` of one format.
        format: Block format, by name or description.
        options: The choices MX leaves open; the defaults when None.
        random: The random integers of stochastic rounding, broadcast to values.
        tensor_scale: In a format that has one, the Float32 scale of the array that the block is of; from the
            values alone when None.
        detail: Numbers of the elements that are explained in full, as parts.

    Returns:
        An explanation whose result is the block's bytes in layout "le", the scale first, or the codes
        separated by spaces where they fill no whole bytes.

    Raises:
        ShapeError: If there is no value or more than a block of them, or no element of a number in detail.
        ExplanationError: If the stages do not lead to the model's codes, which is a defect of refmodel.
        MxError: What `refmodel.quantize` raises.
    """
    block_format = get_format(format)
    options = QuantizeOptions() if options is None else options
    inputs = as_bits(values)
    size = block_format.block_size
    if not 1 <= len(inputs) <= size:
        raise ShapeError(f"{len(inputs)} values; a block of {block_format.name} takes 1 to {size}")
    if not isinstance(detail, Iterable):
        raise ShapeError(f"detail={detail!r} must be 'all' or numbers of elements")
    details = range(size) if isinstance(detail, str) and detail == "all" else tuple(detail)
    if missing := [i for i in details if not isinstance(i, int) or not 0 <= i < size]:
        raise ShapeError(f"element {missing[0]!r} is not in a block of {size}")
    array = to_array(inputs)
    model = quantize(array, block_format, options=options, random=random, tensor_scale=tensor_scale)
    randoms = _randoms(random, len(inputs), size)
    padded = inputs + [FloatBits(inputs[0].format, 0)] * (size - len(inputs))
    prepared = [prepare(each, options) for each in padded]

    given = None if tensor_scale is None else Fraction(float(tensor_scale))
    tensor = choose_tensor_scale(block_format, prepared, options, given)
    steps = list(tensor.steps)
    scale_code = choose_scale(block_format, prepared, options, tensor, steps)
    factor: Fraction | None = None
    if not decode_exact(block_format.scale, scale_code).is_finite:
        nothing = Encoded(0, (), "not encoded")
        elements: list[tuple[Encoded, tuple[Step, ...]]] = [(nothing, each.steps) for each in prepared]
    else:
        scaling = choose_scaling(block_format, scale_code, options, tensor, steps)
        factor = scaling.factor
        elements = [
            explain_scaled(block_format.element, each, scaling, options, drawn)
            for each, drawn in zip(prepared, randoms, strict=True)
        ]
    codes = [encoded.code for encoded, _ in elements]
    shared = None if block_format.tensor_scale is None else tensor.decode
    _check(model, scale_code, codes, shared, options)
    steps.append(_elements_step(block_format, prepared, elements, factor, len(inputs), options))
    if factor is not None:
        steps += _overflow_steps(block_format, codes, factor)
    result, packed = _packed(model)
    count = f"{len(inputs)} values" if len(inputs) != 1 else "1 value"
    title = f"{count} ({inputs[0].format}) to a block of {block_format.name}: "
    title += f"scale {code_text(block_format.scale, scale_code)}"
    if shared is not None:
        title += f", tensor scale {shared}"
    parts = tuple(
        Explanation(
            f"element {i}: {padded[i]} to {code_text(block_format.element, codes[i])}",
            code_text(block_format.element, codes[i]),
            elements[i][1],
        )
        for i in details
    )
    return Explanation(title, result, (*steps, packed), parts)


def _check(
    model: Blocks, scale_code: int, codes: list[int], tensor_scale: Exact | None, options: QuantizeOptions
) -> None:
    """Raise ExplanationError unless the stages lead to what the model gives."""
    fmt, model_scale = model.format, int(model.scales[0])
    model_tensor = None if model.tensor_scale is None else Exact.of(Fraction(float(model.tensor_scale)))
    if (scale_code, codes, tensor_scale) == (model_scale, model.codes[0].tolist(), model_tensor):
        return
    lead, gives = "", ""
    if fmt.tensor_scale is not None:
        lead, gives = f"tensor scale {tensor_scale}, ", f"tensor scale {model_tensor}, "
    raise ExplanationError(
        f"block of {fmt.name}: the stages lead to {lead}scale {code_text(fmt.scale, scale_code)} and codes "
        f"{bytes(codes).hex()}, the model gives {gives}{code_text(fmt.scale, model_scale)} and "
        f"{model.codes[0].tobytes().hex()} with {options}"
    )


def _randoms(random: ArrayLike | None, count: int, size: int) -> list[int | None]:
    """Return a random integer for each element; padding takes 0, and rounds exactly whatever it takes."""
    if random is None:
        return [None] * size
    drawn = np.broadcast_to(np.asarray(random), (count,)).tolist()
    return [*drawn, *[0] * (size - count)]


def _elements_step(
    fmt: BlockFormat,
    prepared: Sequence[Prepared],
    elements: Sequence[tuple[Encoded, tuple[Step, ...]]],
    factor: Fraction | None,
    count: int,
    options: QuantizeOptions,
) -> Step:
    """Return the step with one row for each element."""
    rows = []
    for i, (each, (encoded, _)) in enumerate(zip(prepared, elements, strict=True)):
        if i > count:  # one row stands for all of the padding
            break
        code = encoded.code
        value = decode_exact(fmt.element, code)
        shown = "NaN" if factor is None else str(value.times(factor))
        name = str(i) if i < count else f"{i}.." * (i + 1 < fmt.block_size) + f"{fmt.block_size - 1}"
        rows.append((name, str(each.source), encoded.split, encoded.words, fields(fmt.element, code), shown))
    table = Table(("i", "input", "kept|g|r|s", "rounding", "code", "value"), tuple(rows))
    padding = (
        f"; the last row stands for {fmt.block_size - count} of padding, +0" if count < fmt.block_size else ""
    )
    quotient, value_text = "input / scale", "scale times element"
    ids: tuple[str, ...] = ("MX-6.3-d", "A-16", "MX-5.1-k")
    if fmt.tensor_scale is not None:
        quotient, value_text = "input / (scale * tensor scale)", "tensor scale times scale times element"
    if not fmt.scale.is_power_of_two:
        ids = ("NV-Q-d", "A-16", "MX-5.1-k" if fmt.tensor_scale is None else "NV-FMT-e")
        if options.quotient != "exact":
            quotient = "input * factor in Float32"
    text = f"{quotient} rounded to {fmt.element.name}; value is {value_text}{padding}"
    ids = (*ids, *(("A-9",) if padding else ()))
    if factor is None:
        text, ids = f"not encoded, for the scale is NaN{padding}", ("MX-5.1-h", "MX-4-d")
    return Step("elements", text, ids=ids, table=table)


def _overflow_steps(fmt: BlockFormat, codes: Sequence[int], factor: Fraction) -> list[Step]:
    """Return the step that names values beyond Float32, if there are any."""
    largest = decode_exact(FLOAT32, FLOAT32.max_code).magnitude
    beyond = [
        i
        for i, code in enumerate(codes)
        if (value := decode_exact(fmt.element, code)).is_finite and factor * value.magnitude > largest
    ]
    if not beyond:
        return []
    text = f"beyond the range of Float32: values {listed(beyond)}; they dequantize to infinity by default"
    return [Step("overflow", text, ids=("MX-5.1-j", "A-23"))]


def _packed(blocks: Blocks) -> tuple[str, Step]:
    """Return the bytes of the block in hexadecimal, and the step that shows them."""
    fmt = blocks.format
    if fmt.element.bits * fmt.block_size % 8 or fmt.scale.bits != 8:
        why = f"{fmt.block_bits} bits fill no whole bytes"
        if fmt.scale.bits != 8:
            why = f"a scale of {fmt.scale.bits} bits is not packed with its elements"
        text = f"{why}; the scale and the element codes, element 0 first"
        codes = [code_text(fmt.scale, int(blocks.scales[0]))]
        codes += [code_text(fmt.element, code) for code in blocks.codes[0].tolist()]
        return " ".join(codes), Step("packed", text, " ".join(codes), ids=("MX-5.1-d",))
    packed = pack_blocks(blocks, scale_position="first")[0].tobytes()
    text = (
        f"{len(packed)} bytes: the scale first, then the elements as a little-endian bit stream, "
        "element 0 in the low bits (layout 'le')"
    )
    if fmt.tensor_scale is not None:
        text += "; the tensor scale is kept apart"
    ids = ("MX-5.1-d", "MX-5.1-e", {4: "A-24", 6: "A-25"}.get(fmt.element.bits, ""), "A-26")
    return packed.hex(), Step("packed", text, packed.hex(" "), ids=tuple(filter(None, ids)))
