"""An array on its way to one block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from refmodel.blocks import Blocks
from refmodel.errors import DefinitionError, ExplanationError, ShapeError
from refmodel.explain.element import Prepared, explain_scaled, prepare
from refmodel.explain.encoding import Encoded
from refmodel.explain.exact import (
    Exact,
    FloatBits,
    as_bits,
    binary_text,
    class_of,
    code_text,
    decode_exact,
    fields,
    floor_log2,
    number_text,
    power_of_two,
    to_array,
)
from refmodel.explain.rounding import locate
from refmodel.explain.tree import Explanation, Step, Table
from refmodel.formats import FLOAT32, BlockFormat, IntegerFormat, get_format
from refmodel.options import QuantizeOptions
from refmodel.packing import pack_blocks
from refmodel.quantization import quantize
from refmodel.scales import divisor_exponents, float32_exponent


def explain_block(
    values: ArrayLike | Sequence[FloatBits],
    format: str | BlockFormat,
    options: QuantizeOptions | None = None,
    *,
    random: ArrayLike | None = None,
    detail: Iterable[int] | Literal["all"] = (),
) -> Explanation:
    """Explain how `refmodel.quantize` makes one block of up to block_size numbers.

    Args:
        values: Numbers along one axis, of a dtype that quantize takes, or `FloatBits` of one format.
        format: Block format with a power-of-two scale, by name or description.
        options: The choices MX leaves open; the defaults when None.
        random: The random integers of stochastic rounding, broadcast to values.
        detail: Numbers of the elements that are explained in full, as parts.

    Returns:
        An explanation whose result is the block's bytes in layout "le", the scale first, or the codes
        separated by spaces where they fill no whole bytes.

    Raises:
        ShapeError: If there is no value or more than a block of them, or no element of a number in detail.
        ExplanationError: If the stages do not lead to the model's codes, which is a defect of refmodel.
        DefinitionError: If the scale is no power of two.
        MxError: What `refmodel.quantize` raises.
    """
    block_format = get_format(format)
    if not block_format.scale.is_power_of_two:
        raise DefinitionError(
            f"{block_format.name}: blocks are explained whose scale is a power of two, unlike "
            f"{block_format.scale.name}"
        )
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
    model = quantize(to_array(inputs), block_format, options=options, random=random)
    randoms = _randoms(random, len(inputs), size)
    padded = inputs + [FloatBits(inputs[0].format, 0)] * (size - len(inputs))
    prepared = [prepare(each, options) for each in padded]

    steps, scale_code = _scale_steps(block_format, prepared, options)
    scale = decode_exact(block_format.scale, scale_code)
    is_nan = not scale.is_finite
    if is_nan:
        nothing = Encoded(0, (), "not encoded")
        elements: list[tuple[Encoded, tuple[Step, ...]]] = [(nothing, each.steps) for each in prepared]
    else:
        exponent = floor_log2(scale.magnitude)
        divisor = int(divisor_exponents(np.array(scale_code), block_format.scale, options))
        if divisor != exponent:
            text = f"the elements are divided by 2^{divisor} (lowest_divisor={options.lowest_divisor!r})"
            steps.append(Step("divisor", text, value=str(divisor), ids=("A-4",)))
        elements = [
            explain_scaled(block_format.element, each, exponent, divisor, options, drawn)
            for each, drawn in zip(prepared, randoms, strict=True)
        ]
    codes = [encoded.code for encoded, _ in elements]
    if scale_code != model.scales[0] or codes != model.codes[0].tolist():
        raise ExplanationError(
            f"block of {block_format.name}: the stages lead to scale {scale_code:#04x} and codes "
            f"{bytes(codes).hex()}, the model gives {int(model.scales[0]):#04x} and "
            f"{model.codes[0].tobytes().hex()} with {options}"
        )
    steps.append(_elements_step(block_format, prepared, elements, scale, len(inputs)))
    steps += _overflow_steps(block_format, codes, scale)
    result, packed = _packed(model)
    count = f"{len(inputs)} values" if len(inputs) != 1 else "1 value"
    title = f"{count} ({inputs[0].format}) to a block of {block_format.name}: scale {scale_code:#04x}"
    parts = tuple(
        Explanation(
            f"element {i}: {padded[i]} to {code_text(block_format.element, codes[i])}",
            code_text(block_format.element, codes[i]),
            elements[i][1],
        )
        for i in details
    )
    return Explanation(title, result, (*steps, packed), parts)


def _randoms(random: ArrayLike | None, count: int, size: int) -> list[int | None]:
    """Return a random integer for each element; padding takes 0, and rounds exactly whatever it takes."""
    if random is None:
        return [None] * size
    drawn = np.broadcast_to(np.asarray(random), (count,)).tolist()
    return [*drawn, *[0] * (size - count)]


def _scale_steps(
    fmt: BlockFormat, prepared: Sequence[Prepared], options: QuantizeOptions
) -> tuple[list[Step], int]:
    """Return the steps from the block's numbers to its scale code, and the code."""
    scale, element = fmt.scale, fmt.element
    nan_code = scale.nan_codes.start
    numbers = [each.exact for each in prepared]
    nans = [i for i, each in enumerate(numbers) if each.kind == "nan"]
    infinities = [i for i, each in enumerate(numbers) if each.kind == "infinite"]
    steps = []
    code: int | None = None
    why, ids = "", ["MX-5.4.1-b"]
    if nans:
        keeps = options.nan_in_block == "per_element"
        what = "left out of amax, encoded as elements" if keeps else "the scale becomes NaN"
        text = f"NaN at {_listed(nans)}: {what} (nan_in_block={options.nan_in_block!r})"
        steps.append(Step("nan", text, ids=("A-6",)))
        code, why = (None, "") if keeps else (nan_code, "there is a NaN")
    if infinities:
        what = {
            "nan_scale": "the scale becomes NaN",
            "max_scale": "the largest scale; the infinity is encoded as an element",
            "power": "amax is 2^128; the infinity is encoded as an element",
            "ignore": "left out of amax; encoded as an element",
        }[options.inf_in_block]
        text = f"infinity at {_listed(infinities)}: {what} (inf_in_block={options.inf_in_block!r})"
        steps.append(Step("infinity", text, ids=("A-7",)))
        if code is None and options.inf_in_block not in ("ignore", "power"):
            code = nan_code if options.inf_in_block == "nan_scale" else scale.max_code
            why = "there is an infinity"
    finite = [i for i, each in enumerate(numbers) if each.is_finite]
    if code is None:
        amax = max((numbers[i].magnitude for i in finite), default=Fraction(0))
        if infinities and options.inf_in_block == "power":
            amax = power_of_two(128)
        else:
            steps.append(_amax_step(prepared, finite, amax))
        if amax == 0:
            exponent = {
                "minimum": scale.emin,
                "min_normal": scale.emin,
                "one": 0,
                "negative_emax": -element.emax,
            }[options.zero_block]
            text = f"no number but zero counts (zero_block={options.zero_block!r})"
            steps.append(Step("zero block", text, value=str(exponent), ids=("A-3",)))
        else:
            exponent = _exponent_steps(fmt, prepared, amax, options, steps)
        code = _clamped(fmt, exponent, options, steps)
        why = f"exponent plus bias {scale.bias}" if code != nan_code else "out of range"
    if code == nan_code:
        ids += ["MX-5.1-h", "MX-5.4.1-c"]
        why += "; every value of the block is NaN, the element codes mean nothing"
    text = f"{code_text(scale, code)}: {why}"
    steps.append(Step("scale", text, fields(scale, code), str(decode_exact(scale, code)), tuple(ids)))
    return steps, code


def _amax_step(prepared: Sequence[Prepared], finite: Sequence[int], amax: Fraction) -> Step:
    fmt = prepared[0].source.fmt
    first = next((i for i in finite if prepared[i].exact.magnitude == amax), None)
    bits = fields(fmt, locate(fmt, amax).code)
    text = "there is no finite value"
    if first is not None:
        source = prepared[first].source
        text = f"largest magnitude, that of element {first}, {source}; as {fmt.name} without its sign"
    return Step("amax", text, bits, number_text(amax), ("MX-6.3-b",))


def _exponent_steps(
    fmt: BlockFormat,
    prepared: Sequence[Prepared],
    amax: Fraction,
    options: QuantizeOptions,
    steps: list[Step],
) -> int:
    """Append the steps from amax to the exponent of the scale, and return it, before clamping."""
    source, element, rule = prepared[0].source.fmt, fmt.element, options.scale_rule
    if options.scale_arithmetic != "exact" and rule not in ("even", "midmax"):
        sexp = float32_exponent(np.array(float(amax)), element, options).item()
        text = f"scale_rule={rule!r} in Float32 arithmetic (scale_arithmetic={options.scale_arithmetic!r})"
        steps.append(Step("sexp", text, value=str(sexp), ids=("A-1", "A-2", "D-15", "D-16")))
        return sexp
    field = locate(source, amax).code >> source.mantissa_bits
    exponent = floor_log2(amax)
    text = f"floor(log2 amax) from the bits: exponent field {field} - {source.bias}"
    if field == 0:
        text = f"floor(log2 amax) from the bits: a subnormal, its leading one stands for 2^{exponent}"
    steps.append(Step("exponent", text, value=str(exponent), ids=("A-2", "D-15")))
    significand = amax / power_of_two(exponent)
    mantissa_bits = element.bits - 2 if isinstance(element, IntegerFormat) else element.mantissa_bits
    largest = decode_exact(element, element.max_code).magnitude / power_of_two(element.emax)
    half_step = power_of_two(-mantissa_bits - 1)
    # rule -> threshold, whether the threshold itself counts, what the threshold is
    thresholds = {
        "ceil": (Fraction(1), False, "a power of two"),
        "rceil": (largest, False, f"largest element / 2^{element.emax}"),
        "even": (2 - half_step, True, f"what rounds up to 2 with {mantissa_bits} fraction bits"),
        "midmax": (largest + half_step, False, f"half a step above largest element / 2^{element.emax}"),
    }
    up = False
    if rule == "floor":
        text = "the exponent as it is"
        bits = ""
    else:
        threshold, inclusive, meaning = thresholds[rule]
        up = significand > threshold or (inclusive and significand == threshold)
        relation = "at least" if inclusive else "above"
        text = (
            f"significand {number_text(significand)} is {'' if up else 'not '}{relation} "
            f"{number_text(threshold)}, {meaning}: {'one more' if up else 'the exponent as it is'}"
        )
        bits = binary_text(significand)
    ids = ("MX-6.3-b", "A-1", "D-1") if rule == "floor" else ("MX-6.3-f", "A-1")
    steps.append(Step("rule", f"scale_rule={rule!r}: {text}", bits, str(exponent + up), ids))
    sexp = exponent + up - element.emax
    text = f"less emax of {element.name}: {exponent + up} - {element.emax}"
    steps.append(Step("sexp", text.replace("- -", "+ "), value=str(sexp), ids=("D-1", "D-3")))
    return sexp


def _clamped(fmt: BlockFormat, sexp: int, options: QuantizeOptions, steps: list[Step]) -> int:
    """Append the step that compares the exponent with the scale's range, and return the scale code."""
    scale = fmt.scale
    clamped = min(max(sexp, scale.emin), scale.emax)
    where = f"{scale.emin} to {scale.emax}, the exponents of {scale.name}"
    if clamped == sexp:
        steps.append(Step("clamp", f"within {where}", value=str(sexp), ids=("MX-5.4.1-b",)))
        return sexp + scale.bias
    name, identifier = ("scale_underflow", "A-4") if sexp < clamped else ("scale_overflow", "A-5")
    choice = getattr(options, name)
    value = "NaN" if choice == "nan" else str(clamped)
    text = f"{sexp} is outside {where} ({name}={choice!r})"
    steps.append(Step("clamp", text, value=value, ids=("MX-5.4.1-b", identifier)))
    return scale.nan_codes.start if choice == "nan" else clamped + scale.bias


def _elements_step(
    fmt: BlockFormat,
    prepared: Sequence[Prepared],
    elements: Sequence[tuple[Encoded, tuple[Step, ...]]],
    scale: Exact,
    count: int,
) -> Step:
    """Return the step with one row for each element."""
    rows = []
    for i, (each, (encoded, _)) in enumerate(zip(prepared, elements, strict=True)):
        if i > count:  # one row stands for all of the padding
            break
        code = encoded.code
        value = decode_exact(fmt.element, code)
        shown = "NaN" if not scale.is_finite else str(value)
        if scale.is_finite and value.is_finite:
            shown = str(value.scaled(floor_log2(scale.magnitude)))
        name = str(i) if i < count else f"{i}.." * (i + 1 < fmt.block_size) + f"{fmt.block_size - 1}"
        rows.append((name, str(each.source), encoded.split, encoded.words, fields(fmt.element, code), shown))
    table = Table(("i", "input", "kept|g|r|s", "rounding", "code", "value"), tuple(rows))
    padding = (
        f"; the last row stands for {fmt.block_size - count} of padding, +0" if count < fmt.block_size else ""
    )
    text = f"input / scale rounded to {fmt.element.name}; value is scale times element{padding}"
    ids = ("MX-6.3-d", "A-16", "MX-5.1-k", *(("A-9",) if padding else ()))
    if not scale.is_finite:
        text, ids = f"not encoded, for the scale is NaN{padding}", ("MX-5.1-h", "MX-4-d")
    return Step("elements", text, ids=ids, table=table)


def _overflow_steps(fmt: BlockFormat, codes: Sequence[int], scale: Exact) -> list[Step]:
    """Return the step that names values beyond Float32, if there are any."""
    largest = decode_exact(FLOAT32, FLOAT32.max_code).magnitude
    beyond = [
        i
        for i, code in enumerate(codes)
        if scale.is_finite
        and class_of(fmt.element, code) not in ("NaN", "infinity")
        and scale.magnitude * decode_exact(fmt.element, code).magnitude > largest
    ]
    if not beyond:
        return []
    text = f"beyond the range of Float32: values {_listed(beyond)}; they dequantize to infinity by default"
    return [Step("overflow", text, ids=("MX-5.1-j", "A-23"))]


def _packed(blocks: Blocks) -> tuple[str, Step]:
    """Return the bytes of the block in hexadecimal, and the step that shows them."""
    fmt = blocks.format
    if fmt.element.bits * fmt.block_size % 8 or fmt.scale.bits != 8:
        text = f"{fmt.block_bits} bits fill no whole bytes; the scale and the element codes, element 0 first"
        codes = [code_text(fmt.scale, int(blocks.scales[0]))]
        codes += [code_text(fmt.element, code) for code in blocks.codes[0].tolist()]
        return " ".join(codes), Step("packed", text, " ".join(codes), ids=("MX-5.1-d",))
    packed = pack_blocks(blocks, scale_position="first")[0].tobytes()
    text = (
        f"{len(packed)} bytes: the scale first, then the elements as a little-endian bit stream, "
        "element 0 in the low bits (layout 'le')"
    )
    ids = ("MX-5.1-d", "MX-5.1-e", {4: "A-24", 6: "A-25"}.get(fmt.element.bits, ""), "A-26")
    return packed.hex(), Step("packed", text, packed.hex(" "), ids=tuple(filter(None, ids)))


def _listed(indices: Sequence[int]) -> str:
    shown = ", ".join(map(str, indices[:8]))
    return f"{shown} and {len(indices) - 8} more" if len(indices) > 8 else shown
