"""Packing against hand-written examples, Python integers, numpy's bit packing and bitstring."""

import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refmodel as mx
from refmodel.formats import E2M1, E4M3, E8M0, BlockFormat, FloatFormat, IntegerFormat
from refmodel.layouts import Layout
from refmodel.packing import (
    block_bitstring,
    pack,
    pack_blocks,
    swizzle_scales,
    unpack,
    unpack_blocks,
    unswizzle_scales,
)

CASES = [(layout, bits) for bits in range(2, 9) for layout in mx.list_layouts(bits)]
STREAMS = ("le", "be", "low_first", "high_first", "le24")
ONE_BYTE_EACH = ("byte", "byte_high", "ptx")
OCP_BYTES = {
    "mxfp8_e5m2": 33,
    "mxfp8_e4m3": 33,
    "mxfp6_e3m2": 25,
    "mxfp6_e2m3": 25,
    "mxfp4_e2m1": 17,
    "mxint8": 33,
}


def reference(codes, bits, layout):
    """Pack one row of codes with Python integers and strings, each layout written out on its own."""
    n = len(codes)
    if layout in ("le", "low_first", "le24"):
        return sum(code << bits * i for i, code in enumerate(codes)).to_bytes(n * bits // 8, "little")
    if layout in ("be", "high_first"):
        text = "".join(f"{code:0{bits}b}" for code in codes)
        return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    if layout == "byte":
        return bytes(codes)
    if layout == "byte_high":
        return bytes(code * 2 ** (8 - bits) for code in codes)
    if layout == "ptx":
        return bytes(code * 4 if bits == 4 else code for code in codes)
    if layout == "ggml":
        return bytes(codes[j] + 16 * codes[j + n // 2] for j in range(n // 2))
    if layout == "quark_mxfp6":
        out = []
        for a, b, c, d in zip(codes[0::4], codes[1::4], codes[2::4], codes[3::4], strict=True):
            out.append(int("".join(f"{code:06b}"[:2] for code in (a, b, c, d)), 2))
            out.append(int(f"{a:06b}"[2:] + f"{b:06b}"[2:], 2))
            out.append(int(f"{c:06b}"[2:] + f"{d:06b}"[2:], 2))
        return bytes(out)
    part = n // 4
    if layout == "torchao_uint6":
        out = list(codes[: 3 * part])
        for j, last in enumerate(codes[3 * part :]):
            for k in range(3):
                out[j + k * part] += (last // 4**k % 4) * 64
        return bytes(out)
    assert layout == "torchao_uintx"
    low = [codes[j] % 16 + codes[j + n // 2] % 16 * 16 for j in range(n // 2)]
    high = [sum(codes[j + k * part] // 16 * 4**k for k in range(4)) for j in range(part)]
    return bytes(low + high)


@st.composite
def rows_of_codes(draw, bits):
    rows = draw(st.integers(0, 3))
    n = 8 * draw(st.integers(0, 9))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(0, 1 << bits, (rows, n), dtype=np.uint8)


class TestElements:
    @pytest.mark.parametrize(
        ("layout", "bits", "codes", "expected"),
        [
            ("low_first", 4, [0x1, 0x2, 0x3, 0xF], "21 f3"),
            ("high_first", 4, [0x1, 0x2, 0x3, 0xF], "12 3f"),
            ("ggml", 4, [0x1, 0x2, 0x3, 0x4], "31 42"),
            ("ggml", 4, [*range(16), *range(16)], "00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"),
            ("ptx", 4, [0x1, 0x8, 0xF], "04 20 3c"),
            ("byte", 4, [0x1, 0x8, 0xF], "01 08 0f"),
            ("byte_high", 4, [0x1, 0x8, 0xF], "10 80 f0"),
            ("le24", 6, [0x01, 0x00, 0x00, 0x00], "01 00 00"),
            ("le24", 6, [0x00, 0x01, 0x02, 0x03], "40 20 0c"),
            ("le24", 6, [0x3F, 0x00, 0x00, 0x20], "3f 00 80"),
            ("be", 6, [0x00, 0x01, 0x02, 0x03], "00 10 83"),
            ("ptx", 6, [0x01, 0x20, 0x3F], "01 20 3f"),
            ("byte", 6, [0x01, 0x20, 0x3F], "01 20 3f"),
            ("byte_high", 6, [0x01, 0x20, 0x3F], "04 80 fc"),
            ("quark_mxfp6", 6, [0b11_0001, 0b10_0010, 0b01_0100, 0b00_1000], "e4 12 48"),
            ("torchao_uint6", 6, [1, 2, 4, 0b11_01_10], "81 42 c4"),
            ("torchao_uint6", 6, [1, 2, 3, 4, 5, 6, 0b11_01_10, 0b00_10_01], "81 42 43 84 c5 06"),
            # The worked example in torchao's own bitpacking.py: planes 0, 105, 151, 37 and 39, 146.
            (
                "torchao_uintx",
                6,
                [0x30, 0x29, 0x17, 0x05, 0x20, 0x16, 0x09, 0x22],
                "00 69 97 25 27 92",
            ),
            ("le", 3, [7, 0, 0, 0, 0, 0, 0, 4], "07 00 80"),
            ("be", 3, [7, 0, 0, 0, 0, 0, 0, 4], "e0 00 04"),
            ("le", 2, [0, 1, 2, 3], "e4"),
            ("be", 2, [0, 1, 2, 3], "1b"),
            ("le", 8, [0x12, 0xFF], "12 ff"),
            ("ptx", 8, [0x12, 0xFF], "12 ff"),
        ],
    )
    def test_examples(self, layout, bits, codes, expected):
        packed = pack(codes, bits, layout)
        assert packed.dtype == np.uint8
        assert packed.tobytes() == bytes.fromhex(expected)
        assert unpack(packed, bits, layout).tolist() == codes

    @pytest.mark.parametrize(("layout", "bits"), CASES)
    def test_every_bit_alone(self, layout, bits):
        """Eight codes, one bit set at a time: against the written-out layout, and no two share a place."""
        seen = set()
        for code in range(8):
            for bit in range(bits):
                codes = np.zeros(8, np.uint8)
                codes[code] = 1 << bit
                packed = pack(codes, bits, layout).tobytes()
                assert packed == reference(codes.tolist(), bits, layout)
                assert int.from_bytes(packed, "big").bit_count() == 1
                seen.add(packed)
        assert len(seen) == 8 * bits

    @pytest.mark.parametrize(("layout", "bits"), CASES)
    @settings(max_examples=40, deadline=None)
    @given(data=st.data())
    def test_against_python_integers_and_back(self, layout, bits, data):
        codes = data.draw(rows_of_codes(bits))
        packed = pack(codes, bits, layout)
        assert packed.shape == (len(codes), codes.shape[1] * (8 if layout in ONE_BYTE_EACH else bits) // 8)
        assert [row.tobytes() for row in packed] == [reference(row, bits, layout) for row in codes.tolist()]
        back = unpack(packed, bits, layout)
        assert back.dtype == np.uint8
        assert np.array_equal(back, codes)

    @pytest.mark.parametrize("bits", range(2, 9))
    @pytest.mark.parametrize(("layout", "order"), [("le", "little"), ("be", "big")])
    def test_long_streams_against_numpy(self, bits, layout, order):
        """More units than one tile holds, and an end within a tile."""
        codes = np.random.default_rng(bits).integers(0, 1 << bits, 8 * 31_013, dtype=np.uint8)
        places = np.arange(bits) if order == "little" else np.arange(bits)[::-1]
        expected = np.packbits((codes[:, None] >> places & 1).ravel(), bitorder=order)
        assert np.array_equal(pack(codes, bits, layout), expected)
        assert np.array_equal(unpack(expected, bits, layout), codes)

    @pytest.mark.parametrize(("layout", "bits"), [case for case in CASES if case[0] not in STREAMS])
    def test_long_rows(self, layout, bits):
        codes = np.random.default_rng(bits).integers(0, 1 << bits, (2, 8 * 11_003), dtype=np.uint8)
        packed = pack(codes, bits, layout)
        assert [row.tobytes() for row in packed] == [reference(row, bits, layout) for row in codes.tolist()]
        assert np.array_equal(unpack(packed, bits, layout), codes)

    @pytest.mark.parametrize(("layout", "bits"), CASES)
    def test_any_strides_and_axes(self, layout, bits):
        base = np.random.default_rng(3).integers(0, 1 << bits, (6, 4, 64), dtype=np.uint8)
        views = [
            base[::2, ::-1],
            base[..., ::2],
            base[..., ::-1],
            base.transpose(2, 1, 0)[..., :0],
            base.T[:, :, :0],
        ]
        views += [base.transpose(0, 2, 1)[:, :, :4].swapaxes(1, 2), np.asfortranarray(base)]
        for view in views:
            packed = pack(view, bits, layout)
            assert packed.shape[:-1] == view.shape[:-1]
            assert np.array_equal(packed, pack(np.ascontiguousarray(view), bits, layout))
            assert np.array_equal(unpack(packed[::-1], bits, layout), view[::-1])
            assert np.array_equal(unpack(np.asfortranarray(packed), bits, layout), view)

    @pytest.mark.parametrize(("layout", "bits"), CASES)
    @pytest.mark.parametrize("shape", [(0,), (0, 8), (3, 0), (2, 0, 16)])
    def test_empty(self, layout, bits, shape):
        packed = pack(np.zeros(shape, np.uint8), bits, layout)
        assert packed.shape[:-1] == shape[:-1]
        assert packed.size == 0
        assert unpack(packed, bits, layout).shape == shape

    @pytest.mark.parametrize(("layout", "bits"), CASES)
    def test_results_share_no_memory(self, layout, bits):
        codes = np.ones(8, np.uint8)
        packed = pack(codes, bits, layout)
        assert not np.shares_memory(packed, codes)
        assert not np.shares_memory(unpack(packed, bits, layout), packed)

    def test_element_may_be_a_width_a_name_or_a_format(self):
        codes = np.arange(8, dtype=np.uint8)
        expected = pack(codes, 4).tobytes()
        for element in ("e2m1", E2M1, IntegerFormat("int4", 4, 2), np.int64(4)):
            assert pack(codes, element).tobytes() == expected
            assert np.array_equal(unpack(pack(codes, element), element), codes)

    @pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, np.uint64])
    def test_any_integer_dtype(self, dtype):
        assert pack(np.array([1, 2], dtype), "e2m1").tolist() == [0x21]

    def test_defaults_are_low_first_and_le24(self):
        codes = np.random.default_rng(1).integers(0, 16, 32, dtype=np.uint8)
        assert np.array_equal(pack(codes, "e2m1"), pack(codes, "e2m1", "low_first"))
        assert np.array_equal(pack(codes, "e3m2"), pack(codes, "e3m2", "le24"))
        assert np.array_equal(pack(codes, "e4m3"), codes)

    def test_listing(self):
        assert mx.list_layouts() == get_args(Layout)
        assert set(mx.list_layouts("e2m1")) == {
            "le",
            "be",
            "byte",
            "byte_high",
            "ptx",
            "low_first",
            "high_first",
            "ggml",
        }
        assert set(mx.list_layouts(5)) == {"le", "be", "byte", "byte_high"}


class TestElementDamage:
    @pytest.mark.parametrize(
        ("call", "error", "words"),
        [
            (lambda: pack([1, 2, 3], 4), mx.ShapeError, "3 codes .* multiple of 2 codes"),
            (lambda: pack([1, 2, 3], 4, "ggml"), mx.ShapeError, "3 codes .* 'ggml'"),
            (lambda: pack([1] * 6, 6), mx.ShapeError, "6 codes .* multiple of 4 codes"),
            (lambda: pack([1] * 4, 5), mx.ShapeError, "4 codes .* multiple of 8 codes"),
            (lambda: pack(np.uint8(1), 8), mx.ShapeError, "no axis"),
            (lambda: pack([1, 16], 4), mx.CodeRangeError, r"16 at index \[1\].* 4 bits"),
            (
                lambda: pack(np.uint8([[1, 2], [3, 64]]), "e2m3", "byte"),
                mx.CodeRangeError,
                r"64 at index \[1, 1\]",
            ),
            (lambda: pack([-1, 1], 4), mx.CodeRangeError, "-1 at index"),
            (lambda: pack([256, 1], 8), mx.CodeRangeError, "256 at index"),
            (lambda: pack([1.0, 2.0], 4), mx.DtypeError, "float64"),
            (lambda: pack(np.array([True, False]), 4), mx.DtypeError, "bool"),
            (
                lambda: pack([1, 2], 4, "le24"),
                mx.DefinitionError,
                "'le24' is for codes of 6 bits, not 4.*low_first",
            ),
            (lambda: pack([1, 2], 6, "low_first"), mx.DefinitionError, "'low_first' is for codes of 4 bits"),
            (lambda: pack([1, 2], 5, "ptx"), mx.DefinitionError, "4, 6, 8 bits, not 5"),
            (lambda: pack([1, 2], 1), mx.DefinitionError, "1-bit.*2 to 8"),
            (lambda: pack([1, 2], 9), mx.DefinitionError, "9-bit.*2 to 8"),
            (lambda: pack([1, 2], FloatFormat("f16", 5, 10, 15)), mx.DefinitionError, "f16: .*16 bits"),
            (lambda: pack([1, 2], "e9m9"), mx.UnknownNameError, "e9m9"),
            (lambda: pack([1, 2], True), mx.DefinitionError, "1-bit"),
            (lambda: pack([1, 2], 4, "middle"), mx.UnknownNameError, "middle.*low_first"),
            (lambda: pack([1, 2], 4, ["le"]), mx.UnknownNameError, "packing layout"),
            (lambda: unpack(np.zeros(4, np.uint8), 6), mx.ShapeError, "4 bytes .* multiple of 3 bytes"),
            (lambda: unpack(np.uint8(1), 8), mx.ShapeError, "no axis"),
            (lambda: unpack([1, 2], 4), mx.DtypeError, "int64"),
            (lambda: unpack(np.zeros(3, np.int8), 6), mx.DtypeError, "int8"),
            (lambda: unpack(b"\x01\x02", 4), mx.DtypeError, "frombuffer"),
        ],
    )
    def test_refused(self, call, error, words):
        with pytest.raises(error, match=words):
            call()

    @pytest.mark.parametrize(("layout", "bits"), [(n, b) for n, b in CASES if n in ONE_BYTE_EACH and b < 8])
    def test_stray_bits(self, layout, bits):
        packed = pack(np.full((2, 3), (1 << bits) - 1, np.uint8), bits, layout)
        used = int(packed[0, 0])
        assert used.bit_count() == bits
        for bit in range(8):
            damaged = packed.copy()
            damaged[1, 2] |= 1 << bit
            if used >> bit & 1:
                assert np.array_equal(unpack(damaged, bits, layout), unpack(packed, bits, layout))
            else:
                with pytest.raises(
                    mx.CodeRangeError, match=rf"{used | 1 << bit:#04x} at index \[1, 2\].*{used:#04x}"
                ):
                    unpack(damaged, bits, layout)

    @pytest.mark.parametrize(("layout", "bits"), [(n, b) for n, b in CASES if n not in ONE_BYTE_EACH])
    def test_dense_layouts_use_every_bit(self, layout, bits):
        full = np.full(8, (1 << bits) - 1, np.uint8)
        assert set(pack(full, bits, layout).tolist()) == {0xFF}


def some_blocks(name, lead=(3, 2), seed=0):
    fmt = mx.get_format(name)
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 1 << fmt.element.bits, (*lead, fmt.block_size), dtype=np.uint8)
    return mx.Blocks(fmt, codes, rng.integers(0, 256, lead, dtype=np.uint8))


class TestBlocks:
    @pytest.mark.parametrize("name", mx.list_formats())
    @pytest.mark.parametrize("position", ["apart", "first", "last"])
    def test_sizes_and_round_trip(self, name, position):
        blocks = some_blocks(name)
        for layout in mx.list_layouts(blocks.format.element):
            packed = pack_blocks(blocks, layout, scale_position=position)
            elements = pack(blocks.codes, blocks.format.element, layout)
            if position == "apart":
                assert np.array_equal(packed[0], elements)
                assert np.array_equal(packed[1], blocks.scales)
                assert not np.shares_memory(packed[1], blocks.scales)
            else:
                at, rest = (0, slice(1, None)) if position == "first" else (-1, slice(None, -1))
                assert np.array_equal(packed[..., at], blocks.scales)
                assert np.array_equal(packed[..., rest], elements)
                if layout not in ONE_BYTE_EACH:
                    assert packed.shape[-1] * 8 == blocks.format.block_bits
            back = unpack_blocks(packed, name, layout, scale_position=position)
            assert np.array_equal(back.codes, blocks.codes)
            assert np.array_equal(back.scales, blocks.scales)
            assert back.shape == blocks.shape

    @pytest.mark.parametrize(("name", "size"), OCP_BYTES.items())
    def test_table_1_of_the_specification(self, name, size):
        assert pack_blocks(some_blocks(name), scale_position="first").shape == (3, 2, size)

    def test_ggml_mxfp4_block(self):
        """E8M0 byte, then 16 bytes; element 0 in the low and element 16 in the high nibble of the first."""
        codes = np.zeros((1, 32), np.uint8)
        codes[0, 0], codes[0, 15], codes[0, 16], codes[0, 31] = 0x1, 0x2, 0x3, 0xF
        packed = pack_blocks(mx.Blocks("mxfp4_e2m1", codes, [0x7F]), "ggml", scale_position="first")
        assert packed.tobytes().hex() == "7f" + "31" + "00" * 14 + "f2"

    def test_original_shape_comes_back(self):
        x = np.random.default_rng(5).standard_normal((5, 70, 3)).astype(np.float32)
        blocks = mx.quantize(x, "mxfp6_e2m3", axis=1)
        packed = pack_blocks(blocks, scale_position="last")
        assert packed.shape == (5, 3, 3, 25)
        back = unpack_blocks(packed, "mxfp6_e2m3", scale_position="last", shape=x.shape, axis=1)
        assert np.array_equal(mx.dequantize(back), mx.dequantize(blocks))

    @pytest.mark.parametrize("lead", [(0,), (0, 4), (3, 0)])
    def test_empty(self, lead):
        blocks = some_blocks("mxfp6_e3m2", lead)
        for position in ("apart", "first", "last"):
            packed = pack_blocks(blocks, scale_position=position)
            assert unpack_blocks(packed, blocks.format, scale_position=position).codes.shape == (*lead, 32)

    def test_described_formats(self):
        for size, bits in [(8, 3), (16, 5), (8, 7), (2, 4), (1, 8)]:
            fmt = BlockFormat("own", IntegerFormat("own", bits, 0), E8M0, size)
            rng = np.random.default_rng(size)
            blocks = mx.Blocks(fmt, rng.integers(0, 1 << bits, (7, size)), rng.integers(0, 256, 7))
            packed = pack_blocks(blocks, scale_position="first")
            assert packed.shape == (7, fmt.block_bits // 8)
            assert np.array_equal(unpack_blocks(packed, fmt, scale_position="first").codes, blocks.codes)

    def test_scale_narrower_than_a_byte(self):
        ue4m3 = FloatFormat("ue4m3", 4, 3, 7, "fn", signed=False)
        fmt = BlockFormat("own", E2M1, ue4m3, 16)
        blocks = mx.Blocks(fmt, np.zeros((1, 16), np.uint8), [0x7E])
        packed = pack_blocks(blocks, scale_position="last")
        assert packed.tobytes().hex() == "00" * 8 + "7e"
        packed[0, -1] = 0x80
        with pytest.raises(mx.CodeRangeError, match="scale codes of ue4m3: 128"):
            unpack_blocks(packed, fmt, scale_position="last")

    FIRST = np.zeros((2, 25), np.uint8)

    @pytest.mark.parametrize(
        ("call", "error", "words"),
        [
            (
                lambda: pack_blocks(mx.Blocks(BlockFormat("odd", E2M1, E8M0, 5), np.zeros((1, 5), int), [0])),
                mx.ShapeError,
                "5 codes .* multiple of 2",
            ),
            (
                lambda: unpack_blocks(
                    np.zeros((1, 3), np.uint8), BlockFormat("odd", E2M1, E8M0, 5), scale_position="first"
                ),
                mx.ShapeError,
                "5 codes .* multiple of 2",
            ),
            (lambda: pack_blocks(some_blocks("mxint8"), "le24"), mx.DefinitionError, "not 8"),
            (
                lambda: pack_blocks(some_blocks("mxint8"), scale_position="middle"),
                mx.UnknownNameError,
                "scale position 'middle'.*apart, first, last",
            ),
            (
                lambda: unpack_blocks(TestBlocks.FIRST, "mxfp4_e2m1", scale_position="first"),
                mx.ShapeError,
                r"\(2, 25\); mxfp4_e2m1 .* 17\]",
            ),
            (
                lambda: unpack_blocks(TestBlocks.FIRST.ravel(), "mxfp6_e3m2", scale_position="last"),
                mx.ShapeError,
                r"\(50,\).*25\]",
            ),
            (
                lambda: unpack_blocks(TestBlocks.FIRST[0], "mxfp6_e3m2", scale_position="first"),
                mx.ShapeError,
                r"\(25,\).*n_blocks, 25\]",
            ),
            (
                lambda: unpack_blocks((TestBlocks.FIRST, np.zeros(2, np.uint8)), "mxfp6_e3m2"),
                mx.ShapeError,
                r"\(2, 25\).*apart needs .* 24\]",
            ),
            (
                lambda: unpack_blocks((TestBlocks.FIRST[:, 1:], np.zeros(3, np.uint8)), "mxfp6_e3m2"),
                mx.ShapeError,
                r"scale codes have shape \(3,\)",
            ),
            (lambda: unpack_blocks(TestBlocks.FIRST, "mxfp6_e3m2"), mx.ShapeError, "takes a pair"),
            (
                lambda: unpack_blocks((TestBlocks.FIRST,), "mxfp6_e3m2", scale_position="first"),
                mx.ShapeError,
                "takes one array",
            ),
            (
                lambda: unpack_blocks(np.uint8(0), "mxfp6_e3m2", scale_position="first"),
                mx.ShapeError,
                "no scale byte",
            ),
            (
                lambda: unpack_blocks(np.zeros((2, 0), np.uint8), "mxfp6_e3m2", scale_position="last"),
                mx.ShapeError,
                "no scale byte",
            ),
            (
                lambda: unpack_blocks(TestBlocks.FIRST.astype(int), "mxfp6_e3m2", scale_position="first"),
                mx.DtypeError,
                "int64",
            ),
            (
                lambda: unpack_blocks((TestBlocks.FIRST[:, 1:], np.zeros(2)), "mxfp6_e3m2"),
                mx.DtypeError,
                "scales: dtype float64",
            ),
            (
                lambda: unpack_blocks(
                    np.full((2, 33), 0x40, np.uint8), "mxfp6_e3m2", "ptx", scale_position="first"
                ),
                mx.CodeRangeError,
                r"0x40 at index \[0, 0\]",
            ),
            (
                lambda: unpack_blocks(TestBlocks.FIRST, "mxfp6_e3m2", scale_position="first", shape=(65,)),
                mx.ShapeError,
                "shape",
            ),
        ],
    )
    def test_refused(self, call, error, words):
        with pytest.raises(error, match=words):
            call()

    def test_scale_wider_than_a_byte_is_refused(self):
        blocks = some_blocks("mxfp8_e4m3")
        wide = replace(blocks.format, scale=FloatFormat("float32", 8, 23, 127, "ieee"))
        object.__setattr__(blocks, "format", wide)
        with pytest.raises(mx.DefinitionError, match="32 bits does not fit the scale byte"):
            pack_blocks(blocks)


class TestBitstring:
    def test_example(self):
        pytest.importorskip("bitstring")
        codes = np.zeros((1, 32), np.uint8)
        codes[0, :2] = 0b1011, 0b0001
        blocks = mx.Blocks("mxfp4_e2m1", codes, [0x7F])
        assert block_bitstring(blocks, 0).bin == "01111111" + "1011" + "0001" + "0000" * 30
        assert block_bitstring(blocks, 0, "last").bin == "1011" + "0001" + "0000" * 30 + "01111111"

    @pytest.mark.parametrize("name", mx.list_formats())
    def test_lengths_fields_and_the_big_endian_stream(self, name):
        pytest.importorskip("bitstring")
        blocks = some_blocks(name)
        width = blocks.format.element.bits
        stream = pack_blocks(blocks, "be", scale_position="first")
        for index in [(0, 0), (2, 1), (-1, -2)]:
            bits = block_bitstring(blocks, index)
            assert len(bits) == blocks.format.block_bits
            assert bits.tobytes() == stream[index].tobytes()
            assert bits[:8].u == blocks.scales[index]
            size = blocks.format.block_size
            fields = [bits[8 + width * i : 8 + width * (i + 1)].u for i in range(size)]
            assert fields == blocks.codes[index].tolist()

    def test_bitstring_reads_the_same_values(self):
        """bitstring's own MX types, applied to the fields, give the model's values."""
        pytest.importorskip("bitstring")
        blocks = some_blocks("mxfp6_e2m3", (1,))
        bits = block_bitstring(blocks, 0)
        values = [bits[8 + 6 * i : 14 + 6 * i].e2m3mxfp for i in range(32)]
        assert values == mx.decode("e2m3", blocks.codes[0]).tolist()

    @pytest.mark.parametrize("index", [3, -4, (0, 0), (), 0.5, "0", None])
    def test_no_such_block(self, index):
        pytest.importorskip("bitstring")
        with pytest.raises(mx.ShapeError, match=r"blocks have shape \[3\]"):
            block_bitstring(some_blocks("mxint8", (3,)), index)

    def test_unknown_position(self):
        pytest.importorskip("bitstring")
        with pytest.raises(mx.UnknownNameError, match="first, last"):
            block_bitstring(some_blocks("mxint8", (3,)), 0, "apart")

    def test_missing_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "bitstring", None)
        with pytest.raises(mx.MissingPackageError, match=r"pip install 'bitstring>=5'"):
            block_bitstring(some_blocks("mxint8", (3,)), 0)


def swizzle_one_by_one(scales):
    """The layout as cuBLAS prints it: a tile's place, then the offset within it."""
    rows, columns = scales.shape
    padded_columns = (columns + 3) // 4 * 4
    out = np.zeros((rows + 127) // 128 * 128 * padded_columns, np.uint8)
    for row in range(rows):
        for column in range(columns):
            tile = (column // 4 * 4 + row // 128 * padded_columns) * 128
            outer = row % 128
            out[tile + (outer % 32) * 16 + (outer // 32) * 4 + column % 4] = scales[row, column]
    return out


class TestSwizzle:
    @pytest.mark.parametrize(
        ("row", "column", "offset"),
        [
            (0, 0, 0),
            (0, 1, 1),
            (1, 0, 16),
            (31, 3, 499),
            (32, 0, 4),
            (64, 2, 10),
            (127, 3, 511),
            (0, 4, 512),
            (0, 7, 515),
            (128, 0, 1024),
            (161, 5, 1024 + 512 + 16 + 4 + 1),
            (255, 7, 2047),
        ],
    )
    def test_offsets_of_256_by_8(self, row, column, offset):
        scales = np.zeros((256, 8), np.uint8)
        scales[row, column] = 0x7F
        assert np.flatnonzero(swizzle_scales(scales)).tolist() == [offset]

    @pytest.mark.parametrize(
        "shape", [(1, 1), (1, 5), (33, 3), (128, 4), (129, 4), (128, 5), (130, 9), (300, 2)]
    )
    def test_against_the_printed_formula(self, shape):
        scales = np.random.default_rng(shape[0]).integers(0, 256, shape, dtype=np.uint8)
        swizzled = swizzle_scales(scales)
        assert np.array_equal(swizzled, swizzle_one_by_one(scales))
        assert np.array_equal(unswizzle_scales(swizzled, *shape), scales)

    @pytest.mark.parametrize(
        ("shape", "size"), [((0, 0), 0), ((0, 4), 0), ((5, 0), 0), ((0, 7, 3), 512), ((2, 3, 129, 5), 2048)]
    )
    def test_leading_axes_and_empty(self, shape, size):
        scales = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        swizzled = swizzle_scales(scales)
        assert swizzled.shape == (*shape[:-2], size)
        for index in np.ndindex(*shape[:-2]):
            assert np.array_equal(swizzled[index], swizzle_one_by_one(scales[index]))
        assert np.array_equal(unswizzle_scales(swizzled, *shape[-2:]), scales)

    def test_any_strides(self):
        scales = np.random.default_rng(2).integers(0, 256, (10, 260), dtype=np.uint8).T[::2, ::-1]
        assert np.array_equal(swizzle_scales(scales), swizzle_one_by_one(scales))
        back = unswizzle_scales(np.repeat(swizzle_scales(scales), 2)[::2], *scales.shape)
        assert np.array_equal(back, scales)

    def test_padding_is_ignored_on_the_way_back(self):
        scales = np.full((3, 3), 0x7F, np.uint8)
        swizzled = swizzle_scales(scales)
        swizzled[swizzled == 0] = 0xAA
        assert np.array_equal(unswizzle_scales(swizzled, 3, 3), scales)

    def test_scales_of_a_quantized_matrix(self):
        blocks = mx.quantize(np.ones((200, 320), np.float32), "mxfp8_e4m3")
        assert swizzle_scales(blocks.scales).shape == (2 * 3 * 512,)

    def test_results_share_no_memory(self):
        scales = np.zeros((128, 4), np.uint8)
        swizzled = swizzle_scales(scales)
        assert not np.shares_memory(swizzled, scales)
        assert not np.shares_memory(unswizzle_scales(swizzled, 128, 4), swizzled)

    @pytest.mark.parametrize(
        ("call", "error", "words"),
        [
            (lambda: swizzle_scales(np.zeros(4, np.uint8)), mx.ShapeError, "rows, columns"),
            (lambda: swizzle_scales(np.zeros((4, 4))), mx.DtypeError, "float64"),
            (lambda: swizzle_scales([[1, 2]]), mx.DtypeError, "int64"),
            (lambda: unswizzle_scales(np.zeros(512, np.uint8), 129, 4), mx.ShapeError, "2 x 1 tiles .* 1024"),
            (lambda: unswizzle_scales(np.uint8(0), 1, 1), mx.ShapeError, "512"),
            (lambda: unswizzle_scales(np.zeros(512, np.uint8), -1, 4), mx.ShapeError, "rows=-1"),
            (lambda: unswizzle_scales(np.zeros(512, np.uint8), 1, 0.5), mx.ShapeError, "columns=0.5"),
            (lambda: unswizzle_scales(np.zeros(512), 1, 1), mx.DtypeError, "float64"),
        ],
    )
    def test_refused(self, call, error, words):
        with pytest.raises(error, match=words):
            call()


class TestTorchao:
    """torchao itself, where it is installed with a torch that can load it."""

    @pytest.mark.parametrize("shape", [(1, 1), (128, 4), (130, 9), (512, 64)])
    def test_swizzle(self, shape):
        torch = pytest.importorskip("torch")
        utils = pytest.importorskip("torchao.prototype.mx_formats.utils", exc_type=ImportError)
        scales = np.random.default_rng(shape[0]).integers(0, 256, shape, dtype=np.uint8)
        theirs = utils.to_blocked(torch.from_numpy(scales)).numpy()
        assert np.array_equal(swizzle_scales(scales), theirs)
        back = utils.from_blocked(torch.from_numpy(theirs), *shape).numpy()
        assert np.array_equal(unswizzle_scales(theirs, *shape), back)

    def test_planes(self):
        torch = pytest.importorskip("torch")
        theirs = pytest.importorskip("torchao.prototype.dtypes.uintx.bitpacking", exc_type=ImportError)
        codes = np.random.default_rng(0).integers(0, 64, (5, 32), dtype=np.uint8)
        planes = theirs.pack_cpu(torch.from_numpy(codes), 6)
        assert np.array_equal(pack(codes, 6, "torchao_uintx"), torch.cat(planes, dim=-1).numpy())

    def test_nibbles(self):
        torch = pytest.importorskip("torch")
        kernels = pytest.importorskip("torchao.prototype.mx_formats.kernels", exc_type=ImportError)
        codes = np.random.default_rng(0).integers(0, 16, (5, 32), dtype=np.uint8)
        assert np.array_equal(
            pack(codes, "e2m1", "low_first"), kernels.pack_uint4(torch.from_numpy(codes)).numpy()
        )


def test_e4m3_blocks_are_their_codes():
    codes = np.arange(64, dtype=np.uint8).reshape(2, 32)
    elements, scales = pack_blocks(mx.Blocks(BlockFormat("b", E4M3, E8M0), codes, [1, 2]))
    assert np.array_equal(elements, codes)
    assert scales.tolist() == [1, 2]
