"""The numpy model equals the oracle, bit for bit: on every code, at every breakpoint, on millions of blocks.

What is finite is exhausted: all codes and scales, all products of two codes, all pairs of scales. Block
conversions and dot products are sampled from weighted mixtures (tests/oracle_inputs.py), at least a million
blocks for each format. A failure prints the operands in hex and the call that makes the sample again.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np
import pytest
from oracle_inputs import (
    FLOAT_DTYPES,
    encode_inputs,
    random_code_rows,
    random_float_blocks,
    random_start_values,
)

import refmodel as mx
from refmodel import formats, oracle
from refmodel.formats import BlockFormat, FloatFormat, IntegerFormat
from refmodel.oracle import Block, exact, fast

SEED = 20230907
BLOCKS_PER_FORMAT = 1_000_000
CHUNK_BLOCKS = 10_000

BLOCKS = [mx.get_format(name) for name in mx.OCP_FORMATS]
ELEMENTS = [block.element for block in BLOCKS]
SCALE = formats.E8M0
RULES = ("exact_fp32", "block32_fp32_add")

# Described by a user: no mantissa, other specials, narrow integers, another block size.
DESCRIBED_ELEMENTS = [
    FloatFormat("e3m0", 3, 0, 3),
    FloatFormat("e5m0fn", 5, 0, 15, specials="fn"),
    FloatFormat("e1m2", 1, 2, 1),
    FloatFormat("e2m2ieee", 2, 2, 1, specials="ieee"),
    FloatFormat("e4m3b11fn", 4, 3, 11, specials="fn"),
    FloatFormat("e6m1ieee", 6, 1, 31, specials="ieee"),
    IntegerFormat("int4", 4, 2),
    IntegerFormat("int6", 6, 0),
]
DESCRIBED_BLOCKS = [BlockFormat(f"mx_{e.name}", e, SCALE, block_size=16) for e in DESCRIBED_ELEMENTS]

FLOAT16 = FloatFormat("float16", 5, 10, 15, specials="ieee")
NAN_BITS = 0x7FC00000


def name(thing):
    return getattr(thing, "name", None) or getattr(thing, "__name__", None) or str(thing)


def float_bits(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def in_hex(values) -> str:
    return " ".join(f"{int(v):02x}" for v in np.asarray(values).ravel())


# --------------------------------------------------------------------------------------------------
# Codes
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", [*ELEMENTS, SCALE, *DESCRIBED_ELEMENTS], ids=name)
def test_every_code_decodes_to_the_same_value(fmt, record_property):
    codes = np.arange(1 << fmt.bits)
    got = mx.decode(fmt, codes)
    assert got.dtype == np.float64
    for code, value in zip(codes.tolist(), got.tolist(), strict=True):
        want = oracle.to_float(oracle.decode(fmt, code))
        same = np.float64(value).tobytes() == np.float64(want).tobytes() or (value != value and want != want)
        assert same, f"{fmt.name} {code:#04x}: got {value.hex()}, want {want.hex()}"
    record_property("codes", codes.size)


@pytest.mark.parametrize("overflow", ["saturate", "overflow"])
@pytest.mark.parametrize("dtype", FLOAT_DTYPES, ids=name)
@pytest.mark.parametrize("fmt", [*ELEMENTS, *DESCRIBED_ELEMENTS], ids=name)
def test_encoding_at_every_breakpoint_and_exponent_gives_the_same_code(fmt, dtype, overflow, record_property):
    values = encode_inputs(fmt, dtype)
    if overflow == "overflow" and not getattr(fmt, "nan_codes", ()):
        with pytest.raises(mx.DefinitionError):
            mx.encode(fmt, values, overflow=overflow)
        with pytest.raises(mx.DefinitionError):
            oracle.encode(fmt, 1.0, overflow)
        return
    got = mx.encode(fmt, values, overflow=overflow)
    for bits, value, code in zip(float_bits(values).tolist(), values.tolist(), got.tolist(), strict=True):
        want = oracle.encode(fmt, value, overflow)
        assert code == want, (
            f"{fmt.name} {overflow} {values.dtype} {bits:#x} ({value!r}): got {code:#04x}, want {want:#04x}"
        )
    record_property("inputs", values.size)


@pytest.mark.parametrize("fmt", ELEMENTS, ids=name)
def test_encoding_every_float16_gives_the_same_code(fmt, record_property):
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    for overflow in ("saturate", "overflow") if getattr(fmt, "nan_codes", ()) else ("saturate",):
        got = mx.encode(fmt, values, overflow=overflow).tolist()
        for bits, value in enumerate(values.tolist()):
            want = oracle.encode(fmt, value, overflow)
            assert got[bits] == want, (
                f"{fmt.name} {overflow} float16 {bits:#06x}: got {got[bits]:#04x}, want {want:#04x}"
            )
    record_property("inputs", values.size)


# --------------------------------------------------------------------------------------------------
# Products, scales
# --------------------------------------------------------------------------------------------------


def dot_bits(a: mx.Blocks, b: mx.Blocks, rule: str, c: np.ndarray | None = None) -> np.ndarray:
    result = mx.dot(a, b, rule=rule, c=c)
    assert result.dtype == np.float32
    return float_bits(result)


@pytest.mark.parametrize("b_format", BLOCKS, ids=name)
@pytest.mark.parametrize("a_format", BLOCKS, ids=name)
def test_every_product_of_two_codes_is_the_same(a_format, b_format, record_property):
    """One product in each block, at every position in turn, +0 elsewhere; both scales 0x7F."""
    a_codes, b_codes = (range(1 << f.element.bits) for f in (a_format, b_format))
    pairs = np.array(list(product(a_codes, b_codes)))
    rows = np.arange(len(pairs))
    blocks = []
    for fmt, codes in zip((a_format, b_format), pairs.T, strict=True):
        spread = np.zeros((len(pairs), 1, fmt.block_size), np.uint8)
        spread[rows, 0, rows % fmt.block_size] = codes
        blocks.append(mx.Blocks(fmt, spread, np.full((len(pairs), 1), 0x7F, np.uint8)))
    got = {rule: dot_bits(*blocks, rule).tolist() for rule in RULES}
    a_numbers, b_numbers = (
        [oracle.decode(f.element, code) for code in codes]
        for f, codes in ((a_format, a_codes), (b_format, b_codes))
    )
    for row, (a, b) in enumerate(pairs.tolist()):
        want = oracle.to_float32(exact.total([exact.product(a_numbers[a], b_numbers[b])]))
        for rule in RULES:
            bits = got[rule][row]
            assert bits == want, (
                f"{a_format.name} {a:#04x} * {b_format.name} {b:#04x} under {rule}: "
                f"got {bits:#010x}, want {want:#010x}"
            )
    record_property("products", len(pairs))


# Element codes of A against ones: sums whose rounding, sign and specials the scales then meet.
SCALED_SUMS = {
    "one": (formats.get_format("mxfp8_e4m3"), [0x38]),
    "minus_tie_pattern": (formats.get_format("mxfp8_e5m2"), [0xF8, 0xB0, 0x81]),  # -(32768 + 0.125 + 2^-16)
    "wide": (formats.get_format("mxint8"), [0x7F, 0x55, 0x80, 0x01]),
    "zero": (formats.get_format("mxfp4_e2m1"), [0x1, 0x9]),
    "minus_infinity": (formats.get_format("mxfp8_e5m2"), [0xFC, 0x7B]),
}


@pytest.mark.parametrize("case", SCALED_SUMS, ids=str)
def test_every_pair_of_scales_gives_the_same_result(case, record_property):
    fmt, a_codes = SCALED_SUMS[case]
    one = oracle.encode(fmt.element, 1.0)
    codes = [np.array(c + [0] * (fmt.block_size - len(c)), np.uint8) for c in (a_codes, [one] * len(a_codes))]
    scales = np.array(list(product(range(256), repeat=2)), np.uint8)
    a, b = (
        mx.Blocks(fmt, np.broadcast_to(c, (len(scales), 1, fmt.block_size)), s[:, None])
        for c, s in zip(codes, scales.T, strict=True)
    )
    for rule in RULES:
        got = dot_bits(a, b, rule).tolist()
        for row, (scale_a, scale_b) in enumerate(scales.tolist()):
            want = fast.dot(
                [(Block(fmt, scale_a, codes[0].tolist()), Block(fmt, scale_b, codes[1].tolist()))], rule
            )
            assert got[row] == want, (
                f"{fmt.name} {case} scales {scale_a:#04x} {scale_b:#04x} under {rule}: "
                f"got {got[row]:#010x}, want {want:#010x}"
            )
    record_property("scale_pairs", len(scales))


@pytest.mark.parametrize("fmt", [*BLOCKS, *DESCRIBED_BLOCKS], ids=name)
def test_every_code_under_every_scale_dequantizes_to_the_same_value(fmt, record_property):
    """In float32, in float16 with its own rounding and overflow, and exactly in float64."""
    all_codes = np.arange(1 << fmt.element.bits, dtype=np.uint8)
    codes = np.resize(all_codes, (-(-all_codes.size // fmt.block_size), fmt.block_size))
    blocks = mx.Blocks(
        fmt,
        np.broadcast_to(codes, (256, *codes.shape)),
        np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None], (256, len(codes))),
    )
    single, half, double = (
        mx.dequantize(blocks, dtype=dtype) for dtype in (np.float32, np.float16, np.float64)
    )
    assert (single.dtype, half.dtype, double.dtype) == (np.float32, np.float16, np.float64)
    for scale in range(256):
        values = [v for row in codes.tolist() for v in oracle.dequantize_block(Block(fmt, scale, row))]
        for i, value in enumerate(values):
            where = f"{fmt.name} {codes.flat[i]:#04x} scale {scale:#04x}"
            if value.kind == "nan":
                assert all(np.isnan(x[scale, i]) for x in (single, half, double)), where
                continue
            for got, want in (
                (float_bits(single)[scale, i], oracle.to_float32(value)),
                (float_bits(half)[scale, i], oracle.encode(FLOAT16, value, "overflow")),
                (float_bits(double)[scale, i], np.float64(oracle.to_float(value)).view(np.uint64)),
            ):
                assert got == want, f"{where}: got {got:#x}, want {want:#x}"
    record_property("values", 256 * codes.size)


# --------------------------------------------------------------------------------------------------
# Millions of random blocks, on all cores
# --------------------------------------------------------------------------------------------------


def run_on_all_cores(calls: Iterable[tuple]) -> int:
    """Make every call (check, *arguments); return how many blocks were compared, fail with a mismatch."""
    compared = 0
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for count, mismatch in pool.imap_unordered(_apply, calls):
            if mismatch:
                pool.terminate()
                pytest.fail(mismatch)
            compared += count
    return compared


def _apply(call: tuple) -> tuple[int, str | None]:
    check, *arguments = call
    return check(*arguments)


def compare_quantize(
    fmt: BlockFormat, dtype: type[np.floating], count: int, seed: tuple
) -> tuple[int, str | None]:
    """Compare mx.quantize with the oracle on random_float_blocks(fmt, dtype, count, seed)."""
    values = random_float_blocks(fmt, dtype, count, seed)
    got = mx.quantize(values, fmt)
    codes, scales = got.codes[:, 0].tolist(), got.scales[:, 0].tolist()
    for row, block in enumerate(values.astype(np.float64).tolist()):
        want = fast.quantize_block(fmt, block)
        if scales[row] != want.scale or codes[row] != list(want.codes):
            return row, (
                f"row {row} of random_float_blocks({fmt.name}, {dtype.__name__}, {count}, {seed})\n"
                f"values {in_hex(float_bits(values[row]))}\n"
                f"got  scale {scales[row]:02x} codes {in_hex(codes[row])}\n"
                f"want scale {want.scale:02x} codes {in_hex(want.codes)}"
            )
    return count, None


def compare_dot(
    a_format: BlockFormat, b_format: BlockFormat, rows: int, n_blocks: int, with_start: bool, seed: tuple
) -> tuple[int, str | None]:
    """Compare mx.dot with the oracle on random_code_rows under both rules, with start values or without."""
    a_codes, b_codes, a_scales, b_scales = random_code_rows(a_format, b_format, rows, n_blocks, seed)
    a, b = mx.Blocks(a_format, a_codes, a_scales), mx.Blocks(b_format, b_codes, b_scales)
    operands = [x.tolist() for x in (a_codes, a_scales, b_codes, b_scales)]
    start = random_start_values(mx.dot(a, b, rule=RULES[0]), (*seed, 1)) if with_start else None
    got = {rule: dot_bits(a, b, rule, start).tolist() for rule in RULES}
    starts = [None] * rows if start is None else float_bits(start).tolist()
    for row, (codes_a, scales_a, codes_b, scales_b) in enumerate(zip(*operands, strict=True)):
        pairs = [
            (Block(a_format, x_scale, x), Block(b_format, y_scale, y))
            for x, x_scale, y, y_scale in zip(codes_a, scales_a, codes_b, scales_b, strict=True)
        ]
        for rule in RULES:
            want = fast.dot(pairs, rule, starts[row])
            if got[rule][row] != want:
                where = f"random_code_rows({a_format.name}, {b_format.name}, {rows}, {n_blocks}, {seed})"
                lines = [f"{a_format.name} x {b_format.name} under {rule}, row {row} of {where}"]
                for x, y in pairs:
                    lines.append(f"A scale {x.scale:02x} codes {in_hex(x.codes)}")
                    lines.append(f"B scale {y.scale:02x} codes {in_hex(y.codes)}")
                lines.append(f"c {'none' if starts[row] is None else f'{starts[row]:08x}'}")
                lines.append(f"got {got[rule][row]:08x}, want {want:08x}")
                return row * n_blocks, "\n".join(lines)
    return rows * n_blocks, None


def format_number(fmt: BlockFormat) -> int:
    return [*BLOCKS, *DESCRIBED_BLOCKS].index(fmt)


def quantize_calls(fmt: BlockFormat, total: int) -> Iterator[tuple]:
    for chunk in range(-(-total // CHUNK_BLOCKS)):
        dtype = (np.float32, np.float64, np.float32, np.float16)[chunk % 4]
        yield compare_quantize, fmt, dtype, CHUNK_BLOCKS, (SEED, format_number(fmt), chunk)


def dot_calls(a_format: BlockFormat, b_formats: list[BlockFormat], total: int) -> Iterator[tuple]:
    """Chunks over all partners, one to twelve blocks in a dot product, without start values and with them."""
    kinds = list(product((False, True), (1, 2, 1, 5, 1, 12, 1, 3), b_formats))
    for chunk in range(-(-total // CHUNK_BLOCKS)):
        with_start, n_blocks, b_format = kinds[chunk % len(kinds)]
        rows = -(-CHUNK_BLOCKS // n_blocks)
        seed = (SEED, format_number(a_format), chunk)
        yield compare_dot, a_format, b_format, rows, n_blocks, with_start, seed


@pytest.mark.parametrize("fmt", BLOCKS, ids=name)
def test_a_million_random_blocks_quantize_to_the_same_bits(fmt, record_property):
    compared = run_on_all_cores(quantize_calls(fmt, BLOCKS_PER_FORMAT))
    assert compared >= BLOCKS_PER_FORMAT
    record_property("blocks", compared)


@pytest.mark.parametrize("a_format", BLOCKS, ids=name)
def test_dot_products_of_a_million_random_blocks_have_the_same_bits(a_format, record_property):
    """A million blocks with *a_format* as A, all six formats as B."""
    compared = run_on_all_cores(dot_calls(a_format, BLOCKS, BLOCKS_PER_FORMAT))
    assert compared >= BLOCKS_PER_FORMAT
    record_property("blocks", compared)


def test_formats_described_by_a_user_quantize_to_the_same_bits(record_property):
    calls = [call for fmt in DESCRIBED_BLOCKS for call in quantize_calls(fmt, 4 * CHUNK_BLOCKS)]
    record_property("blocks", run_on_all_cores(calls))


def test_dot_products_in_formats_described_by_a_user_have_the_same_bits(record_property):
    calls = [call for fmt in DESCRIBED_BLOCKS for call in dot_calls(fmt, DESCRIBED_BLOCKS, 4 * CHUNK_BLOCKS)]
    record_property("blocks", run_on_all_cores(calls))


# --------------------------------------------------------------------------------------------------
# Shapes
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", BLOCKS, ids=name)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((1,), 0), ((31,), -1), ((33,), 0), ((3, 70, 2), 1), ((65, 2), 0), ((2, 1100 * 32 + 5), 1)],
    ids=str,
)
def test_rows_of_any_length_and_axis_are_blocked_and_padded_the_same(fmt, shape, axis):
    length = shape[axis]
    rows = np.prod(shape, dtype=int) // length
    n_blocks = -(-length // fmt.block_size)
    values = random_float_blocks(fmt, np.float32, rows * n_blocks, (SEED, length)).reshape(rows, -1)[
        :, :length
    ]
    others = [extent for i, extent in enumerate(shape) if i != axis % len(shape)]
    got = mx.quantize(np.moveaxis(values.reshape(*others, length), -1, axis), fmt, axis=axis)
    codes, scales = (
        got.codes.reshape(rows, n_blocks, -1).tolist(),
        got.scales.reshape(rows, n_blocks).tolist(),
    )
    for row in range(rows):
        for j in range(n_blocks):
            block = values[row, j * fmt.block_size : (j + 1) * fmt.block_size].astype(float).tolist()
            padded = block + [0.0] * (fmt.block_size - len(block))
            want = fast.quantize_block(fmt, padded)
            assert (scales[row][j], codes[row][j]) == (want.scale, list(want.codes)), f"{fmt.name} {block}"
    back = mx.dequantize(got, dtype=np.float64)
    assert back.shape == shape
    flat = np.moveaxis(back, axis, -1).reshape(rows, length)
    for row in range(rows):
        blocks = [Block(fmt, s, c) for s, c in zip(scales[row], codes[row], strict=True)]
        want = [oracle.to_float(v) for block in blocks for v in oracle.dequantize_block(block)][:length]
        assert np.array_equal(flat[row], want, equal_nan=True)


@pytest.mark.parametrize("b_format", BLOCKS, ids=name)
@pytest.mark.parametrize("a_format", BLOCKS, ids=name)
def test_matrix_products_have_the_bits_of_the_single_dot_products(a_format, b_format):
    """Small matrices with specials in them, under both rules, without and with initial values."""
    for seed, (m, n, n_blocks) in enumerate([(5, 7, 3), (1, 1, 1), (4, 3, 6), (0, 2, 1), (2, 3, 0)]):
        rows = max(m, n)
        a_codes, b_codes, a_scales, b_scales = random_code_rows(
            a_format, b_format, rows, n_blocks, (SEED, seed)
        )
        a_codes, a_scales, b_codes, b_scales = a_codes[:m], a_scales[:m], b_codes[:n], b_scales[:n]
        a, b = mx.Blocks(a_format, a_codes, a_scales), mx.Blocks(b_format, b_codes, b_scales)
        start = random_start_values(mx.matmul(a, b, rule=RULES[0]).reshape(-1), (SEED, seed)).reshape(m, n)
        for rule, c in product(RULES, (None, start)):
            got = mx.matmul(a, b, rule=rule, c=c)
            assert got.shape == (m, n)
            assert got.dtype == np.float32
            for i, j in np.ndindex(m, n):
                pairs = [
                    (Block(a_format, s, x), Block(b_format, t, y))
                    for s, x, t, y in zip(
                        a_scales[i].tolist(),
                        a_codes[i].tolist(),
                        b_scales[j].tolist(),
                        b_codes[j].tolist(),
                        strict=True,
                    )
                ]
                first = None if c is None else int(float_bits(c)[i, j])
                want = fast.dot(pairs, rule, first)
                bits = int(float_bits(got)[i, j])
                assert bits == want, (
                    f"{a_format.name} x {b_format.name} under {rule}, [{i}, {j}] of {(m, n, n_blocks)}, "
                    f"c {first}: got {bits:#010x}, want {want:#010x}\nA {pairs}"
                )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "formats_", [(BLOCKS[0], BLOCKS[0]), (BLOCKS[1], BLOCKS[4]), (BLOCKS[5], BLOCKS[0])], ids=str
)
def test_long_dot_products_and_large_matrices_have_the_same_bits(formats_, rule):
    """Thousands of blocks in a row, matrices of a thousand rows: beyond any size worked on at a time."""
    a_format, b_format = formats_
    for rows, n_blocks in ((3, 2100), (1100, 2)):
        a_codes, b_codes, a_scales, b_scales = random_code_rows(
            a_format, b_format, rows, n_blocks, (SEED, rows)
        )
        for scales in (a_scales, b_scales):
            scales[...] = np.where(scales == 0xFF, 0x7F, scales % 32 + 112)
        if rows == 3:  # specials in one row only, so that two long sums stay finite
            a_codes[:2] &= 0x3B
            b_codes[:2] &= 0x3B
        a, b = mx.Blocks(a_format, a_codes, a_scales), mx.Blocks(b_format, b_codes, b_scales)
        got, square = dot_bits(a, b, rule), float_bits(mx.matmul(a, b, rule=rule))
        checked = range(rows) if rows == 3 else range(0, rows, 37)
        for i, j in product(checked, checked):
            pairs = [
                (Block(a_format, s, x), Block(b_format, t, y))
                for s, x, t, y in zip(
                    a_scales[i].tolist(),
                    a_codes[i].tolist(),
                    b_scales[j].tolist(),
                    b_codes[j].tolist(),
                    strict=True,
                )
            ]
            want = fast.dot(pairs, rule)
            assert square[i, j] == want, f"matmul [{i}, {j}]: got {square[i, j]:#010x}, want {want:#010x}"
            if i == j:
                assert got[i] == want, f"dot [{i}]: got {got[i]:#010x}, want {want:#010x}"


def test_no_blocks_and_no_rows_give_the_start_values():
    for rule, c in product(RULES, (None, 0x00000000, 0x80000000, 0x3F800001, 0xFF800000, 0xFFC12345)):
        fmt = BLOCKS[0]
        none = mx.Blocks(fmt, np.zeros((2, 0, 32), np.uint8), np.zeros((2, 0), np.uint8))
        start = None if c is None else np.full(2, c, np.uint32).view(np.float32)
        assert dot_bits(none, none, rule, start).tolist() == [fast.dot([], rule, c)] * 2
    empty = mx.Blocks(BLOCKS[0], np.zeros((0, 4, 32), np.uint8), np.zeros((0, 4), np.uint8))
    assert mx.dot(empty, empty).shape == (0,)
