"""The model equals the oracle under every option, and its tables equal its exact path.

Options are crossed where they meet (rounding and overflow; everything about E8M0; everything about blocks)
and drawn at random, all at once, elsewhere. With MXREF_FULL=1 in the environment all 2^16 float16 and all
2^16 bfloat16 inputs are tried where otherwise some are. Random samples are functions of their seeds alone.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from oracle_inputs import breakpoints, encode_inputs, random_float_blocks

import refmodel as mx
from refmodel import oracle
from refmodel.block_encoding import quantize_exact
from refmodel.encoding import encode_exact, prepare_input
from refmodel.formats import (
    BFLOAT16,
    E8M0,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    BlockFormat,
    FloatFormat,
    IntegerFormat,
)
from refmodel.options import EncodeOptions, QuantizeOptions, choices
from refmodel.tables import encode_by_table, has_encode_table, has_quantize_table, quantize_by_table

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SEED = 20250311
FULL = os.environ.get("MXREF_FULL") == "1"

BLOCKS = [mx.get_format(name) for name in mx.OCP_FORMATS]
ELEMENTS = [block.element for block in BLOCKS]
E5M2, E4M3, E3M2, E2M3, E2M1, INT8 = ELEMENTS
SATURATE_ONLY = [E3M2, E2M3, E2M1, INT8]

# Described by a user: unusual biases, no mantissa, other specials, one exponent bit, narrow integers.
DESCRIBED = [
    FloatFormat("e3m0", 3, 0, 3),
    FloatFormat("e5m0fn", 5, 0, 15, "fn"),
    FloatFormat("e1m1fn", 1, 1, 0, "fn"),
    FloatFormat("e2m2ieee", 2, 2, 1, "ieee"),
    FloatFormat("e2m5ieee", 2, 5, -9, "ieee"),
    FloatFormat("e4m3b40", 4, 3, 40),
    FloatFormat("e6m1ieee", 6, 1, 31, "ieee"),
    FloatFormat("e1m6", 1, 6, 2),
    IntegerFormat("int2", 2, 0),
    IntegerFormat("int4", 4, 2),
    IntegerFormat("int7", 7, -3),
]
# Without sign, without zero, or both.
UNUSUAL = [
    E8M0,
    FloatFormat("ue8m0all", 8, 0, 127, "none", signed=False, subnormals=False),
    FloatFormat("ue4m3", 4, 3, 7, "fn", signed=False),
    FloatFormat("ue4m4", 4, 4, 7, "none", signed=False),
    FloatFormat("ue5m3", 5, 3, 15, "ieee", signed=False),
    FloatFormat("ue1m7", 1, 7, 1, "none", signed=False),
    FloatFormat("ue4m2nozero", 4, 2, 7, "fn", signed=False, subnormals=False),
    FloatFormat("e4m2nozero", 4, 2, 7, "none", subnormals=False),
    FloatFormat("e5m2nozero", 5, 2, 15, "ieee", subnormals=False),
]

ROUNDINGS = ("rne", "rna", "rnz", "rtz", "rup", "rdn", "rto")
RULES = ("floor", "ceil", "rceil", "even", "midmax")

SOURCES = {np.float16: FLOAT16, np.float32: FLOAT32, np.float64: FLOAT64}


def name(thing):
    return getattr(thing, "name", None) or getattr(thing, "__name__", None) or str(thing)


def bits_of(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def has_nan(fmt) -> bool:
    return bool(getattr(fmt, "nan_codes", ()))


def changed(options) -> str:
    """The fields of options that are not the default, for messages."""
    default = type(options)()
    return " ".join(
        f"{field}={getattr(options, field)!r}"
        for field in (*choices(type(options)), "random_bits")
        if getattr(options, field) != getattr(default, field)
    )


def random_choices(rng, options_type, **fixed):
    """Options of that type with every field that is not fixed drawn at random."""
    drawn = {field: str(rng.choice(allowed)) for field, allowed in choices(options_type).items()}
    return options_type(**(drawn | {"random_bits": int(rng.integers(1, 33))} | fixed))


def draw_randoms(rng, options, shape):
    """The random integers that mx.encode takes under *options*: None, or half of them at the ends."""
    if options.rounding != "stochastic":
        return None
    top = (1 << options.random_bits) - 1
    return rng.choice([rng.integers(0, top + 1, shape), np.where(rng.random(shape) < 0.5, 0, top)])


def check_encode(fmt, source, bits, options, randoms=None) -> int:
    """Compare the model on *bits* of a *source* format with the oracle; return how many were compared."""
    values = (
        (bits.astype(np.uint32) << 16).view(np.float32)
        if source is BFLOAT16
        else bits.view(f"f{source.bits // 8}")
    )
    got = mx.encode(fmt, values, options=options, random=randoms)
    by_table = has_encode_table(fmt, options) and source is not FLOAT64
    if by_table:
        with np.errstate(invalid="ignore"):
            assert np.array_equal(encode_by_table(fmt, values.astype(np.float32), options), got)
    drawn = [0] * bits.size if randoms is None else randoms.tolist()
    for pattern, code, random in zip(bits.tolist(), got.tolist(), drawn, strict=True):
        want = oracle.convert(fmt, source, pattern, options, random)
        assert code == want, (
            f"{fmt} {changed(options)}: {source.name} {pattern:#x} ({oracle.decode(source, pattern)}), "
            f"random {random}: got {code:#04x}, want {want:#04x}"
        )
    return bits.size


def sixteen_bit_inputs(stride: int, phase: int = 0):
    """Both 16-bit sources; every *stride*-th bit pattern, all of them under MXREF_FULL=1."""
    step = 1 if FULL else stride
    for source in (FLOAT16, BFLOAT16):
        yield source, np.arange(phase % step, 1 << 16, step, dtype=np.uint16)


# --------------------------------------------------------------------------------------------------
# Numbers to codes
# --------------------------------------------------------------------------------------------------


def overflow_choices(fmt):
    """What decides about numbers beyond the range, as far as the format can express it."""
    yield {"overflow": "saturate"}
    yield {"overflow": "saturate", "infinity": "keep"}
    if has_nan(fmt):
        yield {"overflow": "overflow", "directed_overflow": "ieee"}
        yield {"overflow": "overflow", "directed_overflow": "table"}


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("fmt", ELEMENTS, ids=name)
def test_sixteen_bit_floats_under_every_rounding_and_overflow(fmt, rounding, record_property):
    compared = 0
    for number, overflow in enumerate(overflow_choices(fmt)):
        options = EncodeOptions(rounding=rounding, **overflow)
        for source, bits in sixteen_bit_inputs(97, 13 * number):
            compared += check_encode(fmt, source, bits, options)
    record_property("inputs", compared)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("fmt", [*ELEMENTS, *DESCRIBED], ids=name)
def test_breakpoints_under_every_rounding_and_overflow(fmt, rounding):
    bits = bits_of(encode_inputs(fmt, np.float32))
    for overflow in overflow_choices(fmt):
        options = EncodeOptions(rounding=rounding, **overflow)
        check_encode(fmt, FLOAT32, bits[:: 1 if FULL else 3], options)


def special_bits(source: FloatFormat) -> np.ndarray:
    """Zeros, subnormals, infinities and NaNs with all kinds of payload, of both signs."""
    infinity, one = source.infinity_code, 1 << source.mantissa_bits
    payloads = {1, one // 4, one // 2, one // 2 + 1, one * 3 // 4, one - 1, one * 5 // 8, one // 8}
    magnitudes = [0, 1, 2, one // 2, one - 1, one, one + 1, infinity - 1, infinity]
    magnitudes += [infinity + payload for payload in sorted(payloads)]
    signed = [sign | magnitude for magnitude in magnitudes for sign in (0, source.sign_mask)]
    return np.array(signed, f"u{source.bits // 8}")


@pytest.mark.parametrize("source", [FLOAT16, BFLOAT16, FLOAT32, FLOAT64], ids=name)
@pytest.mark.parametrize("fmt", [*ELEMENTS, *DESCRIBED, *UNUSUAL], ids=name)
def test_special_values_under_all_choices_about_them(fmt, source):
    fields = ["nan_sign", "nan_payload"] if has_nan(fmt) else ["nan_to_finite"]
    fields += ["infinity", "integer_minimum" if isinstance(fmt, IntegerFormat) else "negative_zero"]
    for row in product(*(choices(EncodeOptions)[field] for field in fields)):
        if "error" not in row:
            options = EncodeOptions(**dict(zip(fields, row, strict=True)))
            check_encode(fmt, source, special_bits(source), options)


@pytest.mark.parametrize("fmt", [*ELEMENTS, *DESCRIBED, *UNUSUAL], ids=name)
def test_random_choices_of_all_options_at_once(fmt, record_property):
    """Random options on breakpoints, on specials, and on float64 and float32 between any of them."""
    rng = np.random.default_rng((SEED, sum(map(ord, fmt.name))))
    inputs = {
        FLOAT32: bits_of(encode_inputs(fmt, np.float32)),
        FLOAT64: bits_of(encode_inputs(fmt, np.float64)),
    }
    inputs |= {source: np.arange(1 << 16, dtype=np.uint16) for source in (FLOAT16, BFLOAT16)}
    compared = 0
    for _ in range(2000 if FULL else 60):
        fixed = {} if has_nan(fmt) else {"overflow": "saturate", "nan_to_finite": "signed_max"}
        options = random_choices(rng, EncodeOptions, **fixed)
        if options.nan_to_finite == "error":
            options = replace(options, nan_to_finite="inverted_zero")
        source = list(inputs)[rng.integers(4)]
        some = np.concatenate([rng.choice(inputs[source], 40), rng.choice(special_bits(source), 10)])
        compared += check_encode(fmt, source, some, options, draw_randoms(rng, options, some.shape))
    record_property("inputs", compared)


def e8m0_boundaries() -> np.ndarray:
    """Float32 at and beside 2**n, 1.5 * 2**n and sqrt(2) * 2**n, subnormals, the ends, specials."""
    centres = [
        Fraction(2) ** n * significand
        for n in range(-149, 128)
        for significand in (1, Fraction(3, 2), Fraction(2**0.5))
    ]
    bits = {oracle.to_float32(oracle.number(centre)) for centre in centres} | {0x7F7FFFFF}
    beside = {bit + step for bit in bits for step in (-1, 0, 1)}
    magnitudes = np.array(sorted(beside | {0}), np.uint32)
    return np.concatenate([magnitudes, magnitudes | np.uint32(1 << 31), special_bits(FLOAT32)])


E8M0_CHOICES = [
    {"unsigned_zero": zero, "unsigned_negative": negative, "tie_without_mantissa": tie, **ends}
    for zero, negative, tie in product(
        ("minimum", "nan"), ("nan", "magnitude", "minimum"), ("larger", "even_code")
    )
    for ends in (
        {"overflow": "saturate"},
        {"overflow": "overflow", "unsigned_underflow": "nan"},
    )
]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_numbers_to_e8m0_under_every_choice(rounding, record_property):
    compared = 0
    for number, settings in enumerate(E8M0_CHOICES):
        options = EncodeOptions(rounding=rounding, **settings)
        for source, bits in sixteen_bit_inputs(769, 31 * number):
            compared += check_encode(E8M0, source, bits, options)
        compared += check_encode(E8M0, FLOAT32, e8m0_boundaries()[number % 7 :: 1 if FULL else 7], options)
    record_property("inputs", compared)


def test_negative_numbers_and_zeros_where_there_is_no_sign_or_no_zero():
    e8m0, ue4m3 = UNUSUAL[0], UNUSUAL[2]
    for fmt, value, settings, code in (
        (e8m0, -1.5, {}, 0xFF),
        (e8m0, -1.5, {"unsigned_negative": "magnitude", "rounding": "rup"}, 0x80),
        (e8m0, -1.5, {"unsigned_negative": "magnitude", "rounding": "rdn"}, 0x7F),
        (e8m0, -1.5, {"unsigned_negative": "minimum"}, 0x00),
        (e8m0, -np.inf, {"unsigned_negative": "magnitude"}, 0xFE),
        (e8m0, -0.0, {"unsigned_zero": "nan"}, 0xFF),
        (e8m0, 0.0, {}, 0x00),
        (ue4m3, -0.0, {}, 0x00),
        (ue4m3, -1e-30, {}, 0x7F),
        (UNUSUAL[1], -1.0, {}, 0xFF),  # no NaN: what NaN becomes, the largest
        (UNUSUAL[4], -1.0, {}, 0xFC),  # the quiet pattern
    ):
        got = mx.encode(fmt, np.array([value]), options=EncodeOptions(**settings))
        assert got.tolist() == [code], f"{fmt.name} {value} {settings}"


# --------------------------------------------------------------------------------------------------
# Stochastic rounding
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("random_bits", [1, 4, 8])
@pytest.mark.parametrize("fmt", [*ELEMENTS, *DESCRIBED[:4], E8M0], ids=name)
def test_the_mean_over_all_random_values_is_the_fraction_cut_to_random_bits(fmt, random_bits):
    """Between two values, 2**-random_bits of a step for each random value that rounds away (A-33)."""
    rng = np.random.default_rng((SEED, random_bits))
    low = np.sort(rng.choice(fmt.max_code, min(fmt.max_code, 5), replace=False))
    randoms = np.arange(1 << random_bits)
    options = EncodeOptions(rounding="stochastic", random_bits=random_bits)
    for code in low.tolist():
        below, above = (oracle.decode(fmt, c).magnitude for c in (code, code + 1))
        for part in (
            Fraction(0),
            Fraction(1, 2),
            Fraction(1, 3),
            Fraction(int(rng.integers(1, 2**20)), 2**20),
        ):
            value = np.full(randoms.shape, float(below + part * (above - below)))
            part = (Fraction(value[0]) - below) / (above - below)
            got = mx.encode(fmt, value, options=options, random=randoms)
            assert set(got.tolist()) <= {code, code + 1}
            away = sum(got.tolist()) - code * randoms.size
            assert Fraction(away, randoms.size) == Fraction(int(part * 2**random_bits), 2**random_bits)
            assert got.tolist() == sorted(got.tolist())
            check_encode(fmt, FLOAT64, bits_of(value), options, randoms)
            check_encode(fmt, FLOAT64, bits_of(-value), options, randoms)


def test_random_integers_are_asked_for_and_checked_whatever_the_size():
    stochastic = EncodeOptions(rounding="stochastic", random_bits=4)
    for size in (3, 5000):
        values = np.ones(size, np.float32)
        with pytest.raises(mx.DefinitionError, match="takes no random"):
            mx.encode("e4m3", values, random=np.zeros(size, int))
        with pytest.raises(mx.DefinitionError, match="needs random"):
            mx.encode("e4m3", values, options=stochastic)
        for bad in (16, -1):
            with pytest.raises(mx.CodeRangeError, match=r"0 to 2\*\*4 - 1"):
                mx.encode("e4m3", values, options=stochastic, random=np.full(size, bad))
        with pytest.raises(mx.DtypeError):
            mx.encode("e4m3", values, options=stochastic, random=np.zeros(size))
        with pytest.raises(mx.ShapeError):
            mx.encode("e4m3", values, options=stochastic, random=np.zeros(2, int))
    for random_bits in (0, 33, 2.5):
        with pytest.raises(mx.DefinitionError, match="1 to 32"):
            EncodeOptions(random_bits=random_bits)


# --------------------------------------------------------------------------------------------------
# Scale rules
# --------------------------------------------------------------------------------------------------


def boundary_significands(element) -> np.ndarray:
    """Float32 mantissa fields at, and one and a few steps beside, every threshold of a rule; below 2**n."""
    largest = Fraction(element.max_value) / Fraction(2) ** element.emax
    mantissa_bits = element.bits - 2 if isinstance(element, IntegerFormat) else element.mantissa_bits
    half = Fraction(1, 2 ** (mantissa_bits + 1))
    thresholds = {Fraction(1), largest, largest + half, 2 - half, Fraction(3, 2), (largest + 2) / 2}
    fields = {int((t - 1) * 2**23) + step for t in thresholds for step in (-1, 0, 1)}
    fields |= {2**23 - n for n in (*range(1, 65 if FULL else 4), 64)}
    return np.array(sorted(field for field in fields if 0 <= field < 2**23))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("element", [*ELEMENTS, *DESCRIBED], ids=name)
def test_scales_at_every_exponent_and_every_threshold(element, rule, record_property):
    """The scale of one number as a block: on float32 (by table) and on float64 (exactly)."""
    fmt = BlockFormat("single", element, E8M0, block_size=1)
    fields = np.arange(0, 255)[:: 1 if FULL or element in ELEMENTS else 3]
    normal = (fields[:, None] << 23) + boundary_significands(element)
    subnormal = np.concatenate([boundary_significands(element) + (1 << 23) >> n for n in range(1, 24)])
    bits = np.unique(np.concatenate([normal.ravel(), subnormal, [1, 2, 3]])).astype(np.uint32)
    bits = bits[bits > 0]
    wanted = [
        oracle.scale_exponent(element, oracle.decode(FLOAT32, pattern).magnitude, rule)
        for pattern in bits.tolist()
    ]
    for overflow, underflow in product(("clamp", "nan"), repeat=2):
        options = QuantizeOptions(scale_rule=rule, scale_overflow=overflow, scale_underflow=underflow)
        want = np.clip(wanted, -127, 127) + 127
        want = np.where((overflow == "nan") & (np.array(wanted) > 127), 255, want)
        want = np.where((underflow == "nan") & (np.array(wanted) < -127), 255, want)
        values = bits.view(np.float32)
        for x in (values, -values, values.astype(np.float64)):
            got = mx.quantize(x[:, None], fmt, options=options).scales[:, 0]
            wrong = np.flatnonzero(got != want)
            assert not wrong.size, (
                f"{element} {changed(options)} {x.dtype}, amax float32 {bits[wrong[0]]:#010x}: "
                f"got {got[wrong[0]]:#04x}, want {want[wrong[0]]:#04x}"
            )
    record_property("maxima", bits.size)


@pytest.mark.parametrize("arithmetic", ["float32_divide", "float32_multiply", "float32_log2"])
@pytest.mark.parametrize("rule", ["floor", "ceil", "rceil"])
@pytest.mark.parametrize("element", [E4M3, E2M3, E2M1, INT8, DESCRIBED[4], DESCRIBED[10]], ids=name)
def test_scales_in_float32_arithmetic(element, rule, arithmetic):
    """Maxima around powers of two, or those times the largest element, as far as a logarithm loses them."""
    fmt = BlockFormat("single", element, E8M0, block_size=1)
    options = QuantizeOptions(scale_rule=rule, scale_arithmetic=arithmetic)
    largest = element.max_value if rule == "rceil" else 1.0
    steps = [*range(-3, 4), *(sign * step for sign in (-1, 1) for step in (5, 6, 11, 12, 22, 23, 44, 45, 89))]
    centres = np.ldexp(largest, range(-149 - element.emax, 128, 1 if FULL else 5))
    centres = centres[(centres >= 2.0**-149) & (centres < 2.0**128)].astype(np.float32)
    bits = centres.view(np.int32)[:, None] + np.array(steps)
    bits = np.unique(bits[(bits > 0) & (bits < 0x7F800000)]).astype(np.uint32)
    values = bits.view(np.float32)
    got = mx.quantize(values[:, None], fmt, options=options).scales[:, 0].tolist()
    for pattern, code in zip(bits.tolist(), got, strict=True):
        want = oracle.convert_block(fmt, FLOAT32, [pattern], options).scale
        assert code == want, f"{pattern:#010x}: got {code:#04x}, want {want:#04x}"
    exact = mx.quantize(values[:, None], fmt, options=replace(options, scale_arithmetic="exact")).scales[:, 0]
    if arithmetic == "float32_log2":
        assert (exact != got).any()
    elif rule != "rceil":
        assert (exact == got).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("element", ELEMENTS, ids=name)
def test_scales_of_float64_maxima_outside_the_range_of_float32(element, rule):
    fmt = BlockFormat("single", element, E8M0, block_size=1)
    significands = 1 + boundary_significands(element) / 2**23
    tiny = [2.0**-52, -(2.0**-52)]
    for exponent in (-1060, -1022, -300, -160, -127 + element.emax, 0, 127 + element.emax, 300, 1023):
        values = np.ldexp([s + t for s in significands for t in (*tiny, 0.0)], exponent)
        values = values[(values > 0) & np.isfinite(values)]
        got = mx.quantize(values[:, None], fmt, options=QuantizeOptions(scale_rule=rule)).scales[:, 0]
        want = [oracle.scale_exponent(element, Fraction(v), rule) for v in values.tolist()]
        assert got.tolist() == [min(max(e, -127), 127) + 127 for e in want]


# --------------------------------------------------------------------------------------------------
# Blocks
# --------------------------------------------------------------------------------------------------

SCALES = [
    E8M0,
    FloatFormat("e4m0", 4, 0, 7, "fn", signed=False, subnormals=False),
    FloatFormat("e5m0", 5, 0, 40, "fn", signed=False, subnormals=False),
    FloatFormat("e6m0", 6, 0, -5, "fn", signed=False, subnormals=False),
    FloatFormat("e8m0b200", 8, 0, 200, "fn", signed=False, subnormals=False),
]


def check_quantize(fmt, values, options, randoms=None) -> int:
    """Compare the model on rows of *values* [rows, <= block_size] with the oracle; return the rows."""
    source = SOURCES[values.dtype.type]
    got = mx.quantize(values, fmt, options=options, random=randoms)
    for row, bits in enumerate(bits_of(values).tolist()):
        drawn = None if randoms is None else randoms[row].tolist()
        want = oracle.convert_block(fmt, source, bits, options, drawn)
        assert (got.scales[row, 0], tuple(got.codes[row, 0].tolist())) == (want.scale, want.codes), (
            f"{fmt} {changed(options)}\n{source.name} {[hex(b) for b in bits]} randoms {drawn}\n"
            f"got  {got.scales[row, 0]:02x} {got.codes[row, 0].tolist()}\n"
            f"want {want.scale:02x} {list(want.codes)}"
        )
    return len(values)


def special_blocks(fmt: BlockFormat, dtype) -> np.ndarray:
    """Blocks of four of all that an option is about: NaN, Inf, zeros, subnormals, numbers, tiny ones."""
    info = np.finfo(dtype)
    pool = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, info.smallest_subnormal, -info.tiny / 4, info.max]
    pool += [1.0, -fmt.element.max_value * 1.07, info.tiny, -3 * info.tiny]
    rows = np.array(list(product(pool, repeat=2)), dtype)
    with np.errstate(over="ignore"):
        filler = np.array([[0.0, -0.0], [0.7, -0.01], [info.tiny * 1.5, -0.0]], dtype)
    return np.concatenate([np.concatenate([rows, np.tile(f, (len(rows), 1))], axis=1) for f in filler])


@pytest.mark.parametrize("dtype", SOURCES, ids=name)
@pytest.mark.parametrize("fmt", BLOCKS, ids=name)
def test_special_blocks_under_every_value_of_every_option(fmt, dtype):
    fmt = replace(fmt, block_size=4)
    blocks = special_blocks(fmt, dtype)
    blocks = blocks if FULL else blocks[::3]
    for field, allowed in choices(QuantizeOptions).items():
        for value in allowed[1:]:
            if (field, value) == ("overflow", "overflow") and not has_nan(fmt.element):
                continue
            options = QuantizeOptions(
                **{field: value, "nan_in_block": "per_element", "inf_in_block": "ignore"}
            )
            randoms = draw_randoms(np.random.default_rng(SEED), options, blocks.shape)
            if (field, value) == ("nan_to_finite", "error") and not has_nan(fmt.element):
                kept = blocks[~np.isnan(blocks).any(axis=1)]
                check_quantize(fmt, kept, options)
            else:
                check_quantize(fmt, blocks, options, randoms)
    for settings in product(
        *(choices(QuantizeOptions)[f] for f in ("nan_in_block", "inf_in_block", "zero_block"))
    ):
        nan_in_block, inf_in_block, zero_block = settings
        options = QuantizeOptions(nan_in_block=nan_in_block, inf_in_block=inf_in_block, zero_block=zero_block)
        check_quantize(fmt, blocks[::2], options)


@pytest.mark.parametrize("element", [*ELEMENTS, *DESCRIBED, *[f for f in UNUSUAL if f is not E8M0]], ids=name)
def test_random_blocks_under_random_choices_of_all_options(element, record_property):
    rng = np.random.default_rng((SEED, sum(map(ord, element.name))))
    compared = 0
    for count in range(1500 if FULL else 40):
        scale = SCALES[int(rng.integers(len(SCALES))) if count % 2 else 0]
        fmt = BlockFormat("random", element, scale, block_size=int(rng.choice([1, 2, 5, 16])))
        fixed = {} if has_nan(element) else {"overflow": "saturate"}
        options = random_choices(rng, QuantizeOptions, partial_block="pad", **fixed)
        if options.nan_to_finite == "error":
            options = replace(options, nan_to_finite="positive_zero")
        dtype = list(SOURCES)[count % 3]
        values = random_float_blocks(fmt, dtype, 12, (SEED, count))
        values[:3, 0] = rng.choice(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype), 3)
        values = values[:, : int(rng.integers(1, fmt.block_size + 1))]
        compared += check_quantize(fmt, values, options, draw_randoms(rng, options, values.shape))
    record_property("blocks", compared)


def test_partial_blocks_are_padded_or_refused():
    fmt = BLOCKS[1]
    refuse = QuantizeOptions(partial_block="refuse")
    for length in (1, 31, 33, 63):
        values = np.linspace(-3, 5, 2 * length, dtype=np.float32).reshape(2, length)
        with pytest.raises(mx.ShapeError, match="multiple of 32"):
            mx.quantize(values, fmt, options=refuse)
        with pytest.raises(mx.ShapeError, match="multiple of 32"):
            mx.quantize(values.T, fmt, axis=0, options=refuse)
        got = mx.quantize(values, fmt)
        assert got.shape == values.shape
        for row, j in np.ndindex(2, -(-length // 32)):
            bits = bits_of(values[row, 32 * j : 32 * j + 32]).tolist()
            want = oracle.convert_block(fmt, FLOAT32, bits, QuantizeOptions())
            assert (got.scales[row, j], tuple(got.codes[row, j].tolist())) == (want.scale, want.codes)
    whole = np.ones((2, 64), np.float32)
    assert np.array_equal(mx.quantize(whole, fmt, options=refuse).codes, mx.quantize(whole, fmt).codes)
    with pytest.raises(mx.ShapeError):
        oracle.convert_block(fmt, FLOAT32, [0], refuse)


def test_stochastic_blocks_of_any_axis_and_size_take_the_random_integer_of_their_place():
    rng = np.random.default_rng(SEED)
    fmt = BLOCKS[4]
    values = rng.standard_normal((3, 70, 2)).astype(np.float32)
    options = QuantizeOptions(rounding="stochastic", random_bits=5)
    randoms = rng.integers(0, 32, values.shape)
    got = mx.quantize(values, fmt, axis=1, options=options, random=randoms)
    for i, j, k in np.ndindex(3, 3, 2):
        part = slice(32 * j, 32 * j + 32)
        want = oracle.convert_block(
            fmt, FLOAT32, bits_of(values[i, part, k]).tolist(), options, randoms[i, part, k].tolist()
        )
        assert (got.scales[i, k, j], tuple(got.codes[i, k, j].tolist())) == (want.scale, want.codes)


UNUSUAL_BLOCKS = [
    BlockFormat("far_scales", E5M2, FloatFormat("e8m0b100", 8, 0, 100, "fn", signed=False, subnormals=False)),
    BlockFormat("tiny_scales", IntegerFormat("int8f", 8, -80), SCALES[4]),
    BlockFormat("huge_elements", IntegerFormat("int4f", 4, -140), SCALES[4]),
    BlockFormat("tiny_elements", IntegerFormat("int5f", 5, 160), SCALES[3]),
]


@pytest.mark.parametrize("overflow", ["infinity", "saturate"])
@pytest.mark.parametrize("block_format", [*BLOCKS, *UNUSUAL_BLOCKS], ids=name)
def test_dequantized_values_beyond_the_range_of_the_result(block_format, overflow):
    fmt = replace(block_format, block_size=1)
    codes = np.arange(1 << fmt.element.bits, dtype=np.uint8)[:: 1 if FULL else 3]
    codes = np.union1d(
        codes, [fmt.element.max_code, getattr(fmt.element, "min_code", 0x80) % (1 << fmt.element.bits)]
    )
    scales = np.array([0, 1, 100, 112, 120, 126, 130, 138, 142, 143, 144, 239, 245, 249, 251, 253, 254, 255])
    scales = np.unique(scales % (1 << fmt.scale.bits))
    pairs = np.array(list(product(codes, scales)), np.uint8)
    blocks = mx.Blocks(fmt, pairs[:, :1, None], pairs[:, 1:])
    for dtype, target in SOURCES.items():
        got = bits_of(mx.dequantize(blocks, dtype, overflow=overflow)).ravel().tolist()
        for (code, scale), bits in zip(pairs.tolist(), got, strict=True):
            [value] = oracle.dequantize_block(oracle.Block(fmt, scale, [code]))
            want = oracle.to_bits(target, value, overflow)
            assert bits == want, f"{fmt.name} {code:#04x} scale {scale:#04x}: got {bits:#x}, want {want:#x}"


# --------------------------------------------------------------------------------------------------
# Tables
# --------------------------------------------------------------------------------------------------


def random_element(rng):
    """A format of 2 to 8 bits with any specials, sign, bias and emax."""
    if rng.random() < 0.25:
        return IntegerFormat("int", int(rng.integers(2, 9)), int(rng.integers(-70, 130)))
    while True:
        exponent_bits, mantissa_bits = int(rng.integers(1, 9)), int(rng.integers(0, 8))
        signed, specials = bool(rng.random() < 0.8), str(rng.choice(["none", "fn", "ieee"]))
        centre = 1 << (exponent_bits - 1)
        bias = centre + int(rng.choice([0, rng.integers(-8, 9), rng.integers(-150, 151)]))
        subnormals = bool(rng.random() < 0.9)
        if signed + exponent_bits + mantissa_bits > 8 or bias + mantissa_bits > 300:
            continue
        try:
            fmt = FloatFormat("float", exponent_bits, mantissa_bits, bias, specials, signed, subnormals)
        except mx.DefinitionError:
            continue
        if fmt.max_code > 0 and fmt.emax < 200:
            return fmt


def random_scale(rng):
    """E8M0, or a scale format of 1 to 8 bits with any bias."""
    if rng.random() < 0.3:
        return E8M0
    bits = int(rng.integers(2, 9))
    bias = int(rng.choice([(1 << (bits - 1)) - 1, rng.integers(-20, 260)]))
    return FloatFormat("scale", bits, 0, bias, "fn", signed=False, subnormals=False)


def nearby_floats(rng, fmt, count) -> np.ndarray:
    """Float32 bit patterns: any, specials, and values and ties of *fmt* with few or many low bits changed."""
    points = np.array([min(float(p), 3e38) for p in breakpoints(fmt)])
    chosen = rng.choice(points, count).astype(np.float32).view(np.uint32).astype(np.int64)
    chosen += rng.integers(-(2**20), 2**20, count) >> rng.integers(0, 21, count)
    chosen = np.clip(chosen, 0, 0x7FFFFFFF) | (rng.integers(0, 2, count) << 31)
    anything = rng.integers(0, 1 << 32, count)
    kind = rng.random(count)
    bits = np.where(
        kind < 0.3, anything, np.where(kind < 0.95, chosen, rng.choice(special_bits(FLOAT32), count))
    )
    return bits.astype(np.uint32)


def table_options(rng, options_type, **fixed):
    """Random options, most of them such as tables take as a rule."""
    if rng.random() < 0.8:
        fixed |= {
            "intermediate": "exact",
            "subnormal_input": "keep",
            "rounding": str(rng.choice(ROUNDINGS[:4])),
        }
        if options_type is QuantizeOptions:
            fixed["scale_arithmetic"] = "exact"
    return random_choices(rng, options_type, **fixed)


def test_encoding_by_table_is_encoding_exactly(record_property):
    rng = np.random.default_rng(SEED)
    accepted = 0
    fixed_formats = [*ELEMENTS, *DESCRIBED, *UNUSUAL]
    for count in range(2000 if FULL else 500):
        fmt = fixed_formats[count] if count < len(fixed_formats) else random_element(rng)
        options = table_options(rng, EncodeOptions)
        if not has_nan(fmt):
            options = replace(options, overflow="saturate")
        if not has_encode_table(fmt, options):
            continue
        accepted += 1
        values = nearby_floats(rng, fmt, 5000).view(np.float32)
        got = encode_by_table(fmt, values, options)
        want = encode_exact(fmt, prepare_input(values, options), options)
        wrong = np.flatnonzero(got != want)
        assert not wrong.size, (
            f"{fmt} {changed(options)}: float32 {bits_of(values)[wrong[0]]:#010x}: "
            f"table {got[wrong[0]]:#04x}, exact {want[wrong[0]]:#04x}"
        )
    assert accepted > 100
    record_property("formats", accepted)


def table_blocks(rng, fmt, count) -> np.ndarray:
    """Rows for `quantize_by_table`: mixtures, and maxima near the thresholds at the ends of the scales."""
    values = random_float_blocks(fmt, np.float32, count, int(rng.integers(1 << 30)))
    rows = np.arange(count // 2)
    sharp = boundary_significands(fmt.element)
    fields = rng.choice([0, 1, 2, rng.integers(0, 255), 253, 254], rows.size)
    bits = (fields << 23) + rng.choice(sharp, rows.size)
    halved = (rng.choice(sharp, rows.size) + (1 << 23)) >> rng.integers(1, 4, rows.size)
    bits = np.where(rng.random(rows.size) < 0.5, bits, halved).astype(np.uint32)
    values[rows] = 0
    values[rows, 0] = bits.view(np.float32)
    values[rows, -1] = np.where(rng.random(rows.size) < 0.1, np.inf, bits.view(np.float32))
    return values


@pytest.mark.parametrize("rule", RULES)
def test_quantizing_by_table_is_quantizing_exactly(rule, record_property):
    rng = np.random.default_rng((SEED, RULES.index(rule)))
    accepted = 0
    for count in range(1000 if FULL else 300):
        element = [*ELEMENTS, *DESCRIBED][count] if count < 17 else random_element(rng)
        fmt = BlockFormat(
            "block", element, E8M0 if count < 17 else random_scale(rng), int(rng.choice([1, 4, 32]))
        )
        options = table_options(rng, QuantizeOptions, scale_rule=rule)
        if not has_nan(element):
            options = replace(options, overflow="saturate")
        if not has_quantize_table(fmt, options):
            continue
        accepted += 1
        values = table_blocks(rng, fmt, 400)
        got = np.empty(values.shape, np.uint8)
        got_scales = quantize_by_table(values, fmt, options, got)
        want, want_scales = quantize_exact(prepare_input(values, options), fmt, options, None)
        wrong = np.flatnonzero((got != want).any(axis=1) | (got_scales != want_scales))
        assert not wrong.size, (
            f"{fmt} {changed(options)}\nvalues {[hex(b) for b in bits_of(values[wrong[0]])]}\n"
            f"table {got_scales[wrong[0]]:#04x} {got[wrong[0]]}\n"
            f"exact {want_scales[wrong[0]]:#04x} {want[wrong[0]]}"
        )
    assert accepted > 30
    record_property("formats", accepted)


# Each was accepted by a table that gave something else than the exact path.
TABLE_TRAPS = {
    "a tiny number below zero without a sign bit": (
        BlockFormat("b", UNUSUAL[3], E8M0, 2),
        {},
        [2.0**120, -(2.0**-130)],
    ),
    "a tiny number without a zero": (
        BlockFormat("b", UNUSUAL[7], E8M0, 2),
        {"unsigned_zero": "nan"},
        [2.0**120, 2.0**-130],
    ),
    "a maximum just above the threshold half a step below the lowest scale": (
        BlockFormat("b", INT8, E8M0, 1),
        {"scale_rule": "rceil", "scale_underflow": "nan"},
        [float(np.uint32(0x003F8001).view(np.float32))],
    ),
    "a scale whose reciprocal Float32 does not hold": (BlockFormat("b", E2M1, SCALES[4], 1), {}, [2.0**-149]),
    "a quotient that Float32 does not hold": (
        BlockFormat("b", E5M2, FloatFormat("s", 4, 0, 30, "fn", signed=False, subnormals=False), 1),
        {"infinity": "keep"},
        [2.0**127],
    ),
}


@pytest.mark.parametrize("case", TABLE_TRAPS, ids=str)
def test_float32_and_float64_blocks_have_the_same_codes(case):
    fmt, settings, values = TABLE_TRAPS[case]
    options = QuantizeOptions(**settings)
    single = mx.quantize(np.array(values, np.float32), fmt, options=options)
    double = mx.quantize(np.array(values), fmt, options=options)
    assert (single.scales.tolist(), single.codes.tolist()) == (double.scales.tolist(), double.codes.tolist())
    check_quantize(fmt, np.array([values], np.float32), options)


# --------------------------------------------------------------------------------------------------
# The oracle itself, and what is refused
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", [*ELEMENTS, *DESCRIBED], ids=name)
def test_the_oracle_of_all_options_is_the_plain_one_under_the_defaults(fmt):
    for overflow in ("saturate", "overflow") if has_nan(fmt) else ("saturate",):
        values = encode_inputs(fmt, np.float32)[:: 1 if FULL else 3]
        for value, bits in zip(values.tolist(), bits_of(values).tolist(), strict=True):
            want = oracle.encode(fmt, value, overflow)
            got = oracle.convert(fmt, FLOAT32, bits, EncodeOptions(overflow=overflow))
            assert got == want, f"{fmt.name} {overflow} {value!r}"
    blocks = BlockFormat("b", fmt, E8M0, 8)
    for row in random_float_blocks(blocks, np.float32, 60, SEED):
        want = oracle.quantize_block(blocks, row.tolist())
        assert oracle.convert_block(blocks, FLOAT32, bits_of(row).tolist(), QuantizeOptions()) == want


def test_what_the_options_refuse():
    nan = np.array([1.0, np.nan], np.float32)
    for fmt in SATURATE_ONLY:
        refusing = EncodeOptions(nan_to_finite="error")
        with pytest.raises(mx.ValueRefusedError, match="NaN"):
            mx.encode(fmt, nan, options=refusing)
        with pytest.raises(mx.ValueRefusedError):
            oracle.convert(fmt, FLOAT32, 0x7FC00000, refusing)
        assert mx.encode(fmt, nan[:1], options=refusing).size == 1
        block_format = BlockFormat("b", fmt, E8M0, 2)
        per_element = QuantizeOptions(nan_to_finite="error", nan_in_block="per_element")
        with pytest.raises(mx.ValueRefusedError):
            mx.quantize(nan, block_format, options=per_element)
        # Under a NaN scale no element is converted, so there is nothing to refuse.
        assert mx.quantize(nan, block_format, options=QuantizeOptions(nan_to_finite="error")).scales == 0xFF
        with pytest.raises(mx.DefinitionError, match="use 'saturate'"):
            mx.encode(fmt, nan, overflow="overflow")
        with pytest.raises(mx.DefinitionError):
            oracle.convert(fmt, FLOAT32, 0, EncodeOptions(overflow="overflow"))
    for scale in (UNUSUAL[1], UNUSUAL[3], FLOAT64):  # without NaN, without NaN, too wide
        with pytest.raises(mx.DefinitionError, match="scale format"):
            mx.quantize(nan, BlockFormat("b", E2M1, scale, 2))
    for field in choices(QuantizeOptions):
        with pytest.raises(mx.UnknownNameError, match=field):
            QuantizeOptions(**{field: "other"})


# --------------------------------------------------------------------------------------------------
# Anchors, typed from the clause list
# --------------------------------------------------------------------------------------------------

# Element, amax, and scale code -> value of the maximum under floor, ceil, rceil, even, midmax.
SCALE_ANCHORS = """
E2M1 4      7F→4     7F→4     7F→4     7F→4     7F→4
E2M1 5      7F→4     80→4     7F→4     7F→4     7F→4
E2M1 6      7F→6     80→6     7F→6     7F→6     7F→6
E2M1 6.5    7F→6     80→6     80→6     7F→6     7F→6
E2M1 7      7F→6     80→8     80→8     80→8     7F→6
E2M1 7.5    7F→6     80→8     80→8     80→8     80→8
E4M3 448    7F→448   80→448   7F→448   7F→448   7F→448
E4M3 464    7F→448   80→448   80→448   7F→448   7F→448
E4M3 465    7F→448   80→480   80→480   7F→448   80→480
E4M3 496    7F→448   80→512   80→512   80→512   80→512
E2M3 7.6    7F→7.5   80→7.5   80→7.5   7F→7.5   7F→7.5
E2M3 7.75   7F→7.5   80→8     80→8     80→8     7F→7.5
E5M2 61440  7F→57344 80→65536 80→65536 80→65536 7F→57344
E5M2 62000  7F→57344 80→65536 80→65536 80→65536 80→65536
"""


@pytest.mark.parametrize("line", SCALE_ANCHORS.split("\n")[1:-1], ids=lambda line: "_".join(line.split()[:2]))
def test_maxima_that_tell_the_scale_rules_apart(line):
    element, amax, *wanted = line.split()
    fmt = BlockFormat("single", mx.get_element(element.lower()), E8M0, 1)
    for rule, want in zip(RULES, wanted, strict=True):
        blocks = mx.quantize(np.array([float(amax)]), fmt, options=QuantizeOptions(scale_rule=rule))
        value = mx.dequantize(blocks).item()
        assert f"{blocks.scales.item():02X}→{value:g}" == want, rule


# Inputs; codes of E4M3, E5M2, E3M2, E2M3, E2M1, E8M0 as ml_dtypes gives them, in OVF mode.
SCALAR_ANCHORS = [
    ([np.nan], "7F 7E 20 20 8 FF"),
    ([-np.nan], "FF FE 00 00 0 FF"),
    ([np.inf], "7F 7C 1F 1F 7 FF"),
    ([-np.inf], "FF FC 3F 3F F FF"),
    ([464], "7E 5F 1F 1F 7 88"),
    ([465], "7F 5F 1F 1F 7 88"),
    ([61439], "7F 7B 1F 1F 7 8F"),
    ([61440], "7F 7C 1F 1F 7 8F"),
    ([-0.0], "80 80 20 20 8 FF"),
    ([0.0], "00 00 00 00 0 FF"),
    ([-1.0], "B8 BC 2C 28 A FF"),
    ([1.5, 3, 6], "3C,44,4C 3E,42,46 0E,12,16 0C,14,1C 3,5,7 80,81,82"),
    ([2.5, 5], "42,4A 41,45 11,15 12,1A 4,6 80,81"),
    ([0.25, 0.75], "28,34 34,3A 04,0A 02,06 0,2 7D,7F"),
    ([2.0**-127], "00 00 00 00 0 00"),
]


@pytest.mark.parametrize(("values", "wanted"), SCALAR_ANCHORS, ids=str)
def test_scalar_conversions_of_the_anchor_table(values, wanted):
    """That is: A-13 inverted zero, A-15 sign kept, A-11 NaN for zero and for what is below it."""
    for fmt, codes in zip((E4M3, E5M2, E3M2, E2M3, E2M1, E8M0), wanted.split(), strict=True):
        options = EncodeOptions(
            overflow="overflow" if has_nan(fmt) else "saturate",
            nan_to_finite="inverted_zero",
            nan_sign="keep",
            unsigned_zero="nan",
            unsigned_negative="nan",
        )
        want = [int(code, 16) for code in codes.split(",")]
        for dtype in (np.float32, np.float64):
            assert mx.encode(fmt, np.array(values, dtype), options=options).tolist() == want, fmt.name


def test_e8m0_ties_go_up_or_to_the_even_code():
    """A-11: ml_dtypes has 1.5 -> 0x80 and 3.0 -> 0x81, gfloat 1.5 -> 0x80 and 3.0 -> 0x80."""
    ties = np.array([1.5, 3.0, 2.0**-127 * 1.5, 2.0**127 * 1.5], np.float64)
    for options, codes in (
        (EncodeOptions(), [0x80, 0x81, 0x01, 0xFE]),
        (EncodeOptions(rounding="rna"), [0x80, 0x81, 0x01, 0xFE]),
        (EncodeOptions(tie_without_mantissa="even_code"), [0x80, 0x80, 0x00, 0xFE]),
        (EncodeOptions(overflow="overflow"), [0x80, 0x81, 0x01, 0xFF]),
        (EncodeOptions(rounding="rtz"), [0x7F, 0x80, 0x00, 0xFE]),
        (EncodeOptions(rounding="rup"), [0x80, 0x81, 0x01, 0xFE]),
    ):
        assert mx.encode(E8M0, ties, options=options).tolist() == codes, changed(options)


# D-10: log2 of the first scale under which a flushed Float32 subnormal gives the code of zero anyway.
FLUSH_LIMITS = {"e5m2": -109, "e4m3": -116, "e3m2": -121, "e2m3": -122, "e2m1": -124, "int8": -119}


@pytest.mark.parametrize("block_format", BLOCKS, ids=name)
def test_flushing_subnormal_inputs_matters_below_the_scale_of_d_10(block_format):
    fmt = replace(block_format, block_size=2)
    largest_subnormal = np.uint32(0x007FFFFF).view(np.float32)
    for exponent in range(-127, -100):
        amax = np.ldexp(np.float32(1), exponent + fmt.element.emax)
        values = np.array([amax, largest_subnormal], np.float32)
        kept, flushed = (
            mx.quantize(values, fmt, options=QuantizeOptions(subnormal_input=choice))
            for choice in ("keep", "flush")
        )
        if amax >= 2.0**-126:
            assert kept.scales == flushed.scales == exponent + 127
        same = np.array_equal(kept.codes, flushed.codes)
        assert same == (exponent >= FLUSH_LIMITS[fmt.element.name]), exponent


def test_floor_is_right_where_a_float32_logarithm_is_not():
    """D-15: the value just below 2**n, n from -125 to 127."""
    n = np.arange(-125, 128)
    below = np.nextafter(np.ldexp(np.float32(1), n), np.float32(0))
    assert (np.floor(np.log2(below)) != n - 1).sum() > 200
    for fmt in BLOCKS:
        blocks = mx.quantize(below[:, None], replace(fmt, block_size=1))
        assert blocks.scales[:, 0].tolist() == np.clip(n - 1 - fmt.element.emax + 127, 0, 254).tolist()


# D-16, D-17 and A-1 as comparisons of the 24-bit significand: the first one that takes twice the scale.
SIGNIFICANDS = {
    "e5m2": {"rceil": 0xE00001, "even": 0xF00000, "midmax": 0xF00001},
    "e4m3": {"rceil": 0xE00001, "even": 0xF80000, "midmax": 0xE80001},
    "e3m2": {"rceil": 0xE00001, "even": 0xF00000, "midmax": 0xF00001},
    "e2m3": {"rceil": 0xF00001, "even": 0xF80000, "midmax": 0xF80001},
    "e2m1": {"rceil": 0xC00001, "even": 0xE00000, "midmax": 0xE00001},
    "int8": {"rceil": 0xFE0001, "even": 0xFF0000, "midmax": 0xFF0001},
}


@pytest.mark.parametrize("block_format", BLOCKS, ids=name)
def test_rules_compare_significands_in_a_whole_binade(block_format):
    """All 2^23 Float32 from 1 to 2 under MXREF_FULL=1, else every 97th and those beside the step."""
    fmt = replace(block_format, block_size=1)
    limits = SIGNIFICANDS[fmt.element.name] | {"floor": 1 << 24, "ceil": 0x800001}
    for rule, first in limits.items():
        beside = np.clip(np.arange(first - 3, first + 3), 1 << 23, (1 << 24) - 1)
        significands = np.union1d(np.arange(1 << 23, 1 << 24, 1 if FULL else 97), beside)
        values = (significands.astype(np.float64) / 2**23).astype(np.float32)
        want = 127 - fmt.element.emax + (significands >= first)
        for x in (values, values.astype(np.float64)):
            got = mx.quantize(x[:, None], fmt, options=QuantizeOptions(scale_rule=rule)).scales[:, 0]
            assert np.array_equal(got, want), (rule, x.dtype)


@pytest.mark.parametrize("block_format", BLOCKS, ids=name)
def test_rceil_just_above_the_lowest_scale(block_format):
    """D-16: the Float32 just above largest * 2**-127 takes scale 0x01, which its Float32 quotient hides.

    Multiplying by the Float32 reciprocal hides it for every element, dividing for all but the integer.
    """
    fmt = replace(block_format, block_size=1)
    edge = np.float32(fmt.element.max_value * 2.0**-127)
    values = np.array([edge, np.nextafter(edge, np.float32(1))])
    options = QuantizeOptions(scale_rule="rceil")
    assert mx.quantize(values[:, None], fmt, options=options).scales[:, 0].tolist() == [0x00, 0x01]
    largest = np.float32(fmt.element.max_value)
    assert (values * (1 / largest) <= 2.0**-127).all()
    assert (values / largest <= 2.0**-127).all() == isinstance(fmt.element, FloatFormat)
