"""Scales with a mantissa, tensor scales, blocks of any size: the model equals the oracle, and other facts.

Expected codes come from `refmodel.oracle`, which works on fractions, or are typed from the clause list.
"""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import refmodel as mx
from refmodel import oracle, tiles
from refmodel.formats import (
    BFLOAT16,
    E2M1,
    E4M3,
    E5M2,
    E8M0,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    INT4,
    INT8,
    UE4M3,
    BlockFormat,
    FloatFormat,
    IntegerFormat,
)
from refmodel.options import QuantizeOptions, choices
from refmodel.oracle.conversion import read
from refmodel.oracle.ratio_scales import NO_TENSOR_SCALE, given_tensor_scale, select_tensor_scale

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SEED = 20261122
FULL = os.environ.get("MXREF_FULL") == "1"
SOURCES = {np.float16: FLOAT16, np.float32: FLOAT32, np.float64: FLOAT64}
ELEMENTS = [E2M1, E4M3, E5M2, INT8, INT4, FloatFormat("e3m0", 3, 0, 3), IntegerFormat("int8i", 8, 0)]
SCALES = [
    UE4M3,
    BFLOAT16,
    FLOAT32,
    FLOAT16,
    E4M3,
    FloatFormat("ue5m3", 5, 3, 15, "none", signed=False),
    FloatFormat("ue4m4", 4, 4, 7, "ieee", signed=False),
    FloatFormat("ue6m2nozero", 6, 2, 31, "fn", signed=False, subnormals=False),
    FloatFormat("ue4m0", 4, 0, 7, "fn", signed=False),
    FloatFormat("ue8m0all", 8, 0, 127, "none", signed=False, subnormals=False),
]


def bits_of(values):
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def random_options(rng, scale, **fixed):
    """Every option drawn at random, save that no NaN is asked of a scale format without one."""
    drawn = {field: str(rng.choice(allowed)) for field, allowed in choices(QuantizeOptions).items()}
    # Only the defaults of what other tests are about, half of the time, so that drawn ones meet their like.
    if rng.random() < 0.5:
        drawn |= {"rounding": "rne", "subnormal_input": "keep", "intermediate": "exact"}
    drawn["overflow"] = "saturate"
    drawn["nan_to_finite"] = str(rng.choice(["positive_max", "inverted_zero"]))
    drawn["partial_block"] = "pad"
    if not scale.nan_codes:
        drawn |= {"nan_in_block": "per_element", "scale_overflow": "clamp"}
        drawn["inf_in_block"] = str(rng.choice(["max_scale", "ignore"]))
        drawn["scale_underflow"] = str(rng.choice(["clamp", "zero", "min_normal"]))
    return QuantizeOptions(**(drawn | {"random_bits": int(rng.integers(1, 33))} | fixed))


def wild_blocks(rng, fmt: BlockFormat, dtype, rows: int) -> np.ndarray:
    """Rows whose quotients by the scale sit on, and next to, what decides a code; specials among them."""
    size = fmt.block_size
    info = np.finfo(dtype)
    levels = mx.decode(fmt.element, np.arange(1 << fmt.element.bits))
    levels = np.unique(np.abs(levels[np.isfinite(levels)]))
    ties = np.concatenate([levels, (levels[1:] + levels[:-1]) / 2])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scales = mx.decode(fmt.scale, rng.integers(0, fmt.scale.max_code + 1, (rows, 1)))
        scales = np.where(rng.random((rows, 1)) < 0.5, np.abs(rng.standard_normal((rows, 1))), scales)
        values = rng.choice(ties, (rows, size)) * scales * rng.choice([1.0, 1.0, 0.75, 1e-3], (rows, size))
        values[:, 0] = np.where(rng.random(rows) < 0.7, levels[-1] * scales[:, 0], values[:, 0])
        values = np.clip(values, -float(info.max), float(info.max)).astype(dtype)
        step = rng.choice([-np.inf, 0, 0, np.inf], values.shape)
        values = np.where(step == 0, values, np.nextafter(values, step.astype(dtype)))
    values *= rng.choice([-1, 1], values.shape).astype(dtype)
    patterns = rng.integers(0, 1 << (8 * info.dtype.itemsize), (rows, size), dtype=np.uint64)
    uniform = patterns.astype(f"u{info.dtype.itemsize}").view(dtype)
    specials = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, info.smallest_subnormal, info.max], dtype)
    kind = rng.random((rows, 1))
    values = np.where(kind < 0.15, uniform, values)
    values = np.where(rng.random(values.shape) < 0.06, rng.choice(specials, values.shape), values)
    values[kind[:, 0] > 0.95] = rng.choice(specials[:2], size)
    return values


def check(fmt: BlockFormat, values: np.ndarray, options: QuantizeOptions, tensor_scale=None) -> int:
    """Compare the model on rows of *values* with the oracle, one array; return the number of blocks."""
    source = SOURCES[values.dtype.type]
    got = mx.quantize(values, fmt, options=options, tensor_scale=tensor_scale)
    rows = bits_of(values).tolist()
    tensor = NO_TENSOR_SCALE
    if fmt.tensor_scale is not None:
        everything = [read(source, bits, options) for row in rows for bits in row]
        tensor = (
            select_tensor_scale(fmt, everything, options)
            if tensor_scale is None
            else given_tensor_scale(Fraction(float(tensor_scale)))
        )
        assert Fraction(float(got.tensor_scale)) == tensor.decode, f"{fmt.name} {options}"
    for row, bits in enumerate(rows):
        want = oracle.convert_block(fmt, source, bits, options, None, tensor)
        assert (got.scales[row, 0], tuple(got.codes[row, 0].tolist())) == (want.scale, want.codes), (
            f"{fmt}\n{options}\n{values[row]!r} tensor scale {got.tensor_scale}\n"
            f"got  {got.scales[row, 0]:x} {got.codes[row, 0].tolist()}\n"
            f"want {want.scale:x} {list(want.codes)}"
        )
    return len(rows)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_blocks_under_random_options(scale, record_property):
    rng = np.random.default_rng([SEED, SCALES.index(scale)])
    blocks = 0
    for element in ELEMENTS:
        for dtype in (np.float32, np.float32, np.float16, np.float64):
            fmt = BlockFormat("b", element, scale, int(rng.integers(1, 7)))
            for _ in range(10 if FULL else 2):
                options = random_options(rng, scale)
                if options.rounding == "stochastic":
                    options = replace(options, rounding="rne")
                blocks += check(fmt, wild_blocks(rng, fmt, dtype, 6), options)
    record_property("blocks", blocks)


@pytest.mark.parametrize("name", ["nvfp4", "nvint4"])
@pytest.mark.parametrize("quotient", ["exact", "float32_multiply", "float32_divide"])
def test_arrays_with_a_tensor_scale(name, quotient, record_property):
    rng = np.random.default_rng([SEED, 100, len(quotient)])
    fmt = replace(mx.get_format(name), block_size=5)
    blocks = 0
    for turn in range(300 if FULL else 30):
        options = random_options(rng, fmt.scale, quotient=quotient)
        if turn % 3 == 0 or options.rounding == "stochastic":
            options = QuantizeOptions(quotient=quotient)
        values = wild_blocks(rng, fmt, [np.float32, np.float32, np.float64][turn % 3], 5)
        if turn % 4 == 1:  # near the ends of what a tensor scale can be
            with np.errstate(all="ignore"):
                values *= values.dtype.type(2.0) ** int(rng.choice([-140, -120, 100, 120]))
        given = None if turn % 5 else np.float32(2.0) ** np.float32(rng.normal(0, 8))
        blocks += check(fmt, values, options, given)
    record_property("blocks", blocks)


def test_every_scale_of_a_binade_of_maxima_against_exact_fractions():
    """amax * k in UE4M3 steps: at, below and above each midpoint of two scales, both roundings."""
    fmt = BlockFormat("b", E2M1, UE4M3, 1)
    scales = [Fraction(float(v)) for v in mx.decode("ue4m3", np.arange(0x7F))]
    midpoints = [(low + high) / 2 for low, high in pairwise(scales)]
    maxima = np.array([float(6 * x) for x in (*scales[1:], *midpoints)], np.float32)
    for near in (np.nextafter(maxima, np.float32(0)), maxima, np.nextafter(maxima, np.float32(np.inf))):
        for rounding in ("rne", "rup"):
            got = mx.quantize(near[:, None], fmt, options=QuantizeOptions(scale_rounding=rounding))
            for amax, code in zip(near.tolist(), got.scales[:, 0].tolist(), strict=True):
                exact = Fraction(amax) / 6
                below = max(i for i, s in enumerate(scales) if s <= exact)
                if scales[below] == exact or below == 0x7E:
                    want = below
                elif rounding == "rup":
                    want = below + 1
                else:
                    middle = (scales[below] + scales[below + 1]) / 2
                    want = below + (exact > middle or (exact == middle and below % 2 == 1))
                assert code == max(want, 1), f"{amax} {rounding}"


def test_nvfp4_by_hand():
    """NV-Q-a to NV-Q-d with numbers that need no rounding, and those that do."""
    x = np.zeros(32, np.float32)
    x[:4] = 2688, -1344, 448 * 0.5, -0.0
    x[16:19] = 6, 3, 0.25
    q = mx.quantize(x, "nvfp4")
    assert q.tensor_scale == 1
    assert q.scales.tolist() == [0x7E, 0x38]
    assert q.codes[0, :5].tolist() == [0x7, 0xD, 0x1, 0x8, 0x0]
    assert q.codes[1, :3].tolist() == [0x7, 0x5, 0x0]  # 0.25 is a tie, to the even code
    assert mx.dequantize(q)[:3].tolist() == [2688, -1344, 224]
    q = mx.quantize(x * np.float32(3), "nvfp4")
    assert q.tensor_scale == 3
    assert mx.dequantize(q)[0] == 3 * 2688


@pytest.mark.parametrize(
    ("options", "zero_block", "underflow"),
    [
        ({}, 0x00, 0x01),
        ({"zero_block": "min_normal", "scale_underflow": "min_normal"}, 0x08, 0x08),
        ({"zero_block": "one", "scale_underflow": "zero"}, 0x38, 0x00),
        ({"zero_block": "negative_emax", "scale_underflow": "nan"}, 0x28, 0x7F),
    ],
)
def test_zero_blocks_and_scales_below_the_range(options, zero_block, underflow):
    """A-N2 and A-N3: the codes of the implementations that the clause list names."""
    x = np.zeros((3, 16), np.float32)
    x[0, 0] = 2688
    x[1, 0] = 6 * 2.0**-11
    q = mx.quantize(x, "nvfp4", options=QuantizeOptions(**options))
    assert q.scales[:, 0].tolist() == [0x7E, underflow, zero_block]
    if options.get("scale_underflow") == "zero":
        assert not q.codes[1].any()


def test_values_of_blocks_are_products_rounded_once():
    rng = np.random.default_rng(SEED)
    described = BlockFormat("b", INT8, FLOAT32, 4), BlockFormat("b", E5M2, BFLOAT16, 4)
    for fmt in (mx.get_format("nvfp4"), *described):
        scales = rng.integers(0, 1 << fmt.scale.bits, (50, 2))
        codes = rng.integers(0, 1 << fmt.element.bits, (50, 2, fmt.block_size))
        tensor_scale = None if fmt.tensor_scale is None else np.float32(rng.normal() ** 2)
        blocks = mx.Blocks(fmt, codes, scales, tensor_scale=tensor_scale)
        for target, dtype in ((FLOAT16, np.float16), (FLOAT32, np.float32), (FLOAT64, np.float64)):
            values = mx.dequantize(blocks, dtype).reshape(codes.shape)
            got = bits_of(values)
            for index in np.ndindex(*codes.shape):
                scale = oracle.decode(fmt.scale, int(scales[index[:2]]))
                element = oracle.decode(fmt.element, int(codes[index]))
                if scale.kind == "infinite" or (scale.negative and element.kind == "infinite"):
                    continue  # quantizing makes no such scales, and no clause speaks of them
                value = element if scale.kind == "finite" else scale
                if value.kind == "finite":
                    factor = Fraction(1) if tensor_scale is None else Fraction(float(tensor_scale))
                    negative = scale.negative != element.negative
                    value = oracle.Number("finite", negative, scale.magnitude * element.magnitude * factor)
                if value.kind == "nan":
                    assert np.isnan(values[index])
                else:
                    assert got[index] == oracle.to_bits(target, value)


@pytest.mark.parametrize("scale", [E8M0, BFLOAT16, FLOAT32], ids=lambda scale: scale.name)
@pytest.mark.parametrize("element", [E4M3, INT8], ids=lambda element: element.name)
@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_one_scale_per_channel_or_array(element, scale, axis, monkeypatch):
    """Blocks larger than a tile have the codes of blocks that fit one, which are those of the oracle."""
    rng = np.random.default_rng(SEED)
    x = rng.standard_normal((6, 5, 7)).astype(np.float32)[:, ::-1]
    length = x.size if axis is None else x.shape[axis]
    fmt = BlockFormat("channel", element, scale, length)
    whole = mx.quantize(x, fmt, axis)
    rows = x.reshape(1, -1) if axis is None else np.moveaxis(x, axis, -1).reshape(-1, length)
    for row, bits in enumerate(bits_of(rows).tolist()):
        want = oracle.convert_block(fmt, FLOAT32, bits, QuantizeOptions())
        assert whole.scales.reshape(-1)[row] == want.scale
        assert tuple(whole.codes.reshape(-1, length)[row].tolist()) == want.codes
    values = mx.dequantize(whole)
    assert values.shape == x.shape
    for size in (1, 2, 64):
        monkeypatch.setattr(tiles, "TILE_ELEMENTS", size)
        monkeypatch.setattr("refmodel.quantization.TILE_ELEMENTS", size)
        parts = mx.quantize(x, fmt, axis)
        assert np.array_equal(parts.codes, whole.codes)
        assert np.array_equal(parts.scales, whole.scales)
        assert np.array_equal(mx.dequantize(parts), values)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(threads, monkeypatch):
    monkeypatch.setattr(tiles, "TILE_ELEMENTS", 256)
    x = np.random.default_rng(SEED).standard_normal((37, 130)).astype(np.float32)
    for name in mx.list_formats():
        for axis in (0, 1):
            one, several = mx.quantize(x, name, axis), mx.quantize(x, name, axis, threads=threads)
            assert np.array_equal(one.codes, several.codes)
            assert np.array_equal(one.scales, several.scales)
            assert np.array_equal(mx.dequantize(one), mx.dequantize(one, threads=threads))


def test_what_is_refused():
    x = np.ones(16, np.float32)
    with pytest.raises(mx.DefinitionError, match="mxfp4_e2m1 has no tensor scale"):
        mx.quantize(x, "mxfp4_e2m1", tensor_scale=1.0)
    for bad in (0.0, -1.0, np.inf, np.nan, 0.1, 1e300):
        with pytest.raises(mx.DefinitionError, match="positive finite Float32"):
            mx.quantize(x, "nvfp4", tensor_scale=bad)
    with pytest.raises(mx.DefinitionError, match="threads=0"):
        mx.quantize(x, "nvfp4", threads=0)
    with pytest.raises(mx.DefinitionError, match="threads=0"):
        mx.dequantize(mx.quantize(x, "nvfp4"), threads=0)
    with pytest.raises(mx.DefinitionError, match="8 is the most"):
        mx.quantize(x, BlockFormat("b", FLOAT16, E8M0))
    with pytest.raises(mx.DefinitionError, match="None or 'float32'"):
        BlockFormat("b", E2M1, UE4M3, 16, tensor_scale=BFLOAT16)
    for scale in (E8M0, FLOAT32):
        with pytest.raises(mx.DefinitionError, match="mantissa and at most 8 bits"):
            BlockFormat("b", E2M1, scale, 16, tensor_scale=FLOAT32)
    no_nan = BlockFormat("b", E2M1, FloatFormat("ue5m3", 5, 3, 15, signed=False))
    with pytest.raises(mx.DefinitionError, match="has no NaN; use 'per_element'"):
        mx.quantize(x, no_nan)
    with pytest.raises(mx.CodeRangeError, match="ue4m3"):
        mx.decode("ue4m3", [256])
