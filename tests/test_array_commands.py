"""mxref encode, decode, quantize, dequantize and dot: what comes out, and what is refused.

Expected codes and values are those of the oracle, of ml_dtypes, of numpy itself, or written down by hand.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
from fractions import Fraction
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import refmodel as mx
from refmodel import cli, oracle
from refmodel.blockfiles import read_blocks, write_blocks
from refmodel.descriptions import describe_format, format_from_description, parse_format, parse_number_format
from refmodel.formats import OCP_FORMATS, FloatFormat, IntegerFormat
from refmodel.oracle.block_conversion import convert_block
from refmodel.oracle.conversion import convert
from refmodel.oracle.fast import dot as oracle_dot

FLOAT32 = FloatFormat("float32", 8, 23, 127, "ieee")
E4M3 = mx.get_element("e4m3")
X = np.random.default_rng(0).standard_normal((4, 70)).astype(np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    return tmp_path


@pytest.fixture
def mxref(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run the command with bytes or text on standard input and return what it prints; it must succeed."""

    def run(*arguments: str, stdin: bytes | str = b"") -> str:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert cli.main(arguments) == 0, capsys.readouterr().err
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return run


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line that the command prints before it exits with 2."""
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("mxref: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def float32_bits(values: np.ndarray) -> list[int]:
    return np.ascontiguousarray(values, np.float32).view(np.uint32).reshape(-1).tolist()


# encode and decode


def test_encode_gives_the_codes_of_ml_dtypes_under_its_profile(mxref):
    wild = np.random.default_rng(1).integers(0, 1 << 32, 3000, np.uint32).view(np.float32).reshape(30, 100)
    np.save("wild.npy", wild)
    for name, dtype in (("e5m2", ml_dtypes.float8_e5m2), ("e4m3", ml_dtypes.float8_e4m3fn)):
        mxref("encode", name, "wild.npy", "-o", f"{name}.npy", "--profile", "ml_dtypes")
        with np.errstate(invalid="ignore", over="ignore"):
            expected = wild.astype(dtype).view(np.uint8)
        assert np.load(f"{name}.npy").tolist() == expected.tolist()


@pytest.mark.parametrize("rounding", ["rne", "rna", "rtz", "rup", "rdn", "rto"])
def test_an_option_beside_a_profile_replaces_its_choice(mxref, rounding):
    values = [3.3, -3.3, 500.0, 1e-9, -448.1, 0.0]
    given = ["--profile", "ml_dtypes", "--rounding", rounding]
    out = mxref("encode", "e4m3", "-", *given, stdin=npy(np.float32(values)))
    options = mx.EncodeOptions(rounding=rounding, overflow="overflow", nan_sign="keep")
    expected = [convert(E4M3, FLOAT32, bits, options) for bits in float32_bits(np.array(values))]
    assert [int(code, 16) for code in out.split()] == expected


def test_encode_takes_text_and_prints_a_line_a_row(mxref):
    text = "1.5 -3e38 nan 0x1p-3\n\n  -0 6 2.5\t1e-9  \n"
    # E2M1: 1.5 is 3; beyond the range and NaN become -6 and 6; 0.125 is below the tie 0.25; 2.5 ties to 2.
    assert mxref("encode", "e2m1", "-", stdin=text) == "3 f 7 0\n8 7 4 0\n"
    Path("t.txt").write_text(text)
    assert mxref("encode", "e2m1", "t.txt") == "3 f 7 0\n8 7 4 0\n"
    assert mxref("encode", "e4m3", "-", "--bits", "float16", stdin="0x3c00 1 0xfc00") == "38 38 fe\n"


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors", ".bin", ".hex", ".txt"])
def test_every_form_of_output_holds_the_codes(mxref, suffix):
    expected = [[oracle.encode(mx.get_element("e3m2"), float(v)) for v in row] for row in X]
    mxref("encode", "e3m2", "x.npy", "-o", f"out{suffix}")
    if suffix == ".npy":
        codes = np.load("out.npy")
        assert codes.dtype == np.uint8
    elif suffix == ".npz":
        codes = np.load("out.npz")["codes"]
    elif suffix == ".safetensors":
        with safe_open("out.safetensors", "numpy") as file:
            codes = file.get_tensor("codes")
    elif suffix == ".bin":
        codes = np.frombuffer(Path("out.bin").read_bytes(), np.uint8).reshape(X.shape)
    elif suffix == ".hex":
        lines = Path("out.hex").read_text().splitlines()
        assert {len(line) for line in lines} == {2}
        codes = np.array([int(line, 16) for line in lines]).reshape(X.shape)
    else:
        codes = np.array(
            [[int(code, 16) for code in line.split()] for line in Path("out.txt").read_text().splitlines()]
        )
    assert codes.tolist() == expected


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
def test_any_shape_order_and_dtype_survives_encode_and_decode(mxref, shape, order, dtype):
    values = np.asarray(np.random.default_rng(2).choice([0.5, -6, 1.5, 0], shape), dtype, order=order)
    np.save("v.npy", values)
    mxref("encode", "e2m1", "v.npy", "-o", "codes.npy")
    mxref("decode", "e2m1", "codes.npy", "-o", "back.npy", "--dtype", "float64")
    back = np.load("back.npy")
    assert back.dtype == np.float64
    assert back.shape == values.shape
    assert back.tolist() == values.tolist()


def test_decode_prints_every_code_as_it_is(mxref):
    codes = " ".join(f"0x{code:02X}" for code in range(256))
    values = np.array(mxref("decode", "e5m2", "-", stdin=codes).split(), np.float32)
    expected = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e5m2).astype(np.float32)
    np.testing.assert_array_equal(values, expected)
    assert np.signbit(values[0x80])
    assert mxref("decode", "e8m0", "-", "--hex", stdin="0 7f ff") == "00400000 3f800000 7fc00000\n"
    # 2**-127 is below half of the smallest Float16, 2**127 above the largest.
    assert mxref("decode", "e8m0", "-", "--dtype", "float16", stdin="0 fe") == "0.0 inf\n"


def test_decode_takes_the_memory_file_of_a_simulation(mxref):
    Path("dut.hex").write_text("// result\n38\nbc // -1.5\n\n7e\n")
    assert mxref("decode", "e4m3", "dut.hex") == "1.0 -1.5 448.0\n"
    mxref("encode", "e2m3", "x.npy", "-o", "codes.hex")
    mxref("decode", "e2m3", "codes.hex", "-o", "values.npy")
    expected = [oracle.encode(mx.get_element("e2m3"), float(v)) for v in X.reshape(-1)]
    values = [float(oracle.to_float(oracle.decode(mx.get_element("e2m3"), code))) for code in expected]
    assert np.load("values.npy").tolist() == values


def test_decode_takes_the_fp8_types_of_safetensors_and_numpy(mxref):
    raw = bytes([0x38, 0xBC, 0x7E])
    header = json.dumps({"w": {"dtype": "F8_E4M3", "shape": [3], "data_offsets": [0, 3]}}).encode()
    Path("w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + raw)
    assert mxref("decode", "e4m3", "w.safetensors") == "1.0 -1.5 448.0\n"
    np.save("w.npy", np.frombuffer(raw, ml_dtypes.float8_e4m3fn))
    assert mxref("decode", "e4m3", "w.npy") == "1.0 -1.5 448.0\n"


def test_layouts_pack_and_unpack(mxref):
    mxref("encode", "e2m1", "-", "-o", "low.bin", "--layout", "low_first", stdin="1 1.5 -1 6")
    assert Path("low.bin").read_bytes().hex() == "327a"
    mxref("encode", "e2m1", "-", "-o", "high.npy", "--layout", "high_first", stdin="1 1.5 -1 6")
    assert np.load("high.npy").tobytes().hex() == "23a7"
    assert mxref("decode", "e2m1", "high.npy", "--layout", "high_first") == "1.0 1.5 -1.0 6.0\n"


def test_stochastic_rounding_takes_one_integer_or_an_array(mxref):
    options = ["--rounding", "stochastic", "--random-bits", "1"]
    # 1.1 in E2M1 lies 0.2 of a step above 1: one bit 1 is a half, 0.2 + 0.5 < 1. 1.3 lies 0.6 above.
    assert mxref("encode", "e2m1", "-", *options, "--random", "1", stdin="1.1 1.3") == "2 3\n"
    np.save("r.npy", np.array([1, 0]))
    assert (
        mxref("encode", "e2m1", "-", *options, "--random", "r.npy", stdin="1.3 1.3\n1.1 1.3") == "3 2\n2 2\n"
    )


def test_large_arrays_are_encoded_in_parts_and_in_place_order(mxref, monkeypatch):
    monkeypatch.setattr(cli.encode, "_CHUNK", 7)
    np.save("f.npy", np.asfortranarray(X))
    np.save("r.npy", np.arange(70) % 2)
    options = mx.EncodeOptions(rounding="stochastic", random_bits=1)
    expected = [
        [convert(E4M3, FLOAT32, bits, options, j % 2) for j, bits in enumerate(float32_bits(row))]
        for row in X
    ]
    for name in ("x.npy", "f.npy"):
        mxref("encode", "e4m3", name, "-o", "c.npy", "--force", "--rounding", "stochastic",
              "--random-bits", "1", "--random", "r.npy")  # fmt: skip
        assert np.load("c.npy").tolist() == expected


# Formats described in text


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("e3m4:fn", FloatFormat("e3m4:fn", 3, 4, 3, "fn")),
        ("e3m4:bias=5:ieee", FloatFormat("e3m4:ieee:bias=5", 3, 4, 5, "ieee")),
        ("e3m4:none:bias=3", FloatFormat("e3m4:none", 3, 4, 3)),
        ("e5m3:unsigned:fn", FloatFormat("e5m3:fn:unsigned", 5, 3, 15, "fn", signed=False)),
        (
            "e8m0:unsigned:none:no-subnormals:bias=129",
            FloatFormat("e8m0:none:bias=129:unsigned:no-subnormals", 8, 0, 129, "none", False, False),
        ),
        ("e4m2:fn:ignored=2", FloatFormat("e4m2:fn:ignored=2", 4, 2, 7, "fn", ignored_bits=2)),
        ("int5", IntegerFormat("int5", 5, 3)),
        ("int5:fraction=-2", IntegerFormat("int5:fraction=-2", 5, -2)),
        ("e4m3", mx.get_element("e4m3")),
        ("e8m0", mx.get_scale("e8m0")),
    ],
)  # fmt: skip
def test_a_described_number_format_and_its_name_are_the_same(text, fmt):
    assert parse_number_format(text) == fmt
    assert parse_number_format(fmt.name) == fmt


BLOCK_FORMATS = ["nvfp4", "mxint8", "e3m4:fn:bias=1/e8m0/7", "int4/bfloat16/65536", "e2m1/ue4m3/16/float32"]


@pytest.mark.parametrize("text", BLOCK_FORMATS)
def test_a_block_format_survives_its_name_and_its_description(text):
    fmt = parse_format(text)
    assert fmt.name == text
    assert format_from_description(json.loads(json.dumps(describe_format(fmt)))) == fmt


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e3m4", "unknown element or scale format 'e3m4'"),
        ("e3m4:bias=3", "say which codes are no numbers: none, fn, ieee"),
        ("e3m4:fn:ieee", "specials is given twice"),
        ("e3m4:fn:fraction=1", "fraction= is for integers"),
        ("int5:bias=1", "bias is for floating point"),
        ("e3m4:fn:wide", "'wide' means nothing here"),
        ("e0m3:fn", "exponent_bits=0 must be at least 1"),
        ("int1", "bits=1 must be at least 2"),
        ("e9m2:none", "Float32 must hold all of them"),
        ("e4m30:none", "a code has at most 32"),
        ("e4m3:fn:bias=-200", "Float32 must hold all of them"),
        ("fp8", "unknown element or scale format 'fp8'; choose one of: bfloat16"),
        ("", "unknown element or scale format ''"),
    ],
)
def test_a_number_format_that_contradicts_itself(text, message, capsys):
    assert message in refused(capsys, "encode", text, "x.npy")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e4m3/e8m0", "write ELEMENT/SCALE/SIZE"),
        ("e4m3/e8m0/0", "block_size=0 must be at least 1"),
        ("e4m3/e8m0/65537", "65536 is the most"),
        ("e4m3/e8m0/x", "block size 'x' is not an integer, or axis"),
        ("e4m3/int8/32", "a scale is a floating-point format"),
        ("bfloat16/e8m0/32", "unknown element format 'bfloat16'"),
        ("e8m7:ieee/e8m0/32", "an element has 8 at most"),
        ("e4m3/ue4m3/32/e8m0", "tensor_scale='e8m0' must be None or 'float32'"),
        ("mxfp9", "unknown block format 'mxfp9'; choose one of: mxfp4_e2m1"),
    ],
)
def test_a_block_format_that_contradicts_itself(text, message, capsys):
    assert message in refused(capsys, "quantize", text, "x.npy")


def test_formats_shows_a_described_format(mxref):
    # 3 exponent bits, bias 3, 4 mantissa bits, NaN at the top: 2**(7 - 3) * (1 + 14/16) = 30 is the largest.
    assert "max normal      0x7e 30" in mxref("formats", "e3m4:fn")
    assert "int4/bfloat16/64" in mxref("formats", "int4/bfloat16/64")


def test_a_described_format_encodes_as_the_oracle_has_it(mxref):
    fmt = FloatFormat("any", 3, 4, 5, "ieee")
    mxref("encode", "e3m4:ieee:bias=5", "x.npy", "-o", "c.npy")
    assert np.load("c.npy").tolist() == [[oracle.encode(fmt, float(v)) for v in row] for row in X]


# quantize and dequantize


def oracle_blocks(fmt: mx.BlockFormat, rows: np.ndarray, options: mx.QuantizeOptions) -> list[oracle.Block]:
    """Return the blocks of the rows of a matrix, the last of each padded with 0."""
    size = fmt.block_size
    padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % size)))
    return [convert_block(fmt, FLOAT32, float32_bits(each), options) for each in padded.reshape(-1, size)]


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".txt"])
@pytest.mark.parametrize("name", [*OCP_FORMATS, "e3m4:fn/e8m0/16"])
def test_quantize_gives_the_blocks_of_the_oracle(mxref, name, suffix):
    fmt = parse_format(name)
    options = mx.QuantizeOptions(scale_rule="rceil")
    expected = oracle_blocks(fmt, X, options)
    mxref("quantize", name, "x.npy", "-o", f"q{suffix}", "--scale-rule", "rceil")
    if suffix == ".txt":
        lines = [line.split(":") for line in Path("q.txt").read_text().splitlines()]
        found = [(int(scale, 16), tuple(int(c, 16) for c in codes.split(","))) for scale, codes in lines]
    else:
        blocks = read_blocks(f"q{suffix}")
        assert (blocks.format, blocks.shape, blocks.axis) == (fmt, (4, 70), -1)
        codes = blocks.codes.reshape(-1, fmt.block_size).tolist()
        found = list(zip(blocks.scales.reshape(-1).tolist(), map(tuple, codes), strict=True))
    assert found == [(block.scale, tuple(block.codes)) for block in expected]


@pytest.mark.parametrize("axis", ["0", "-2", "1"])
def test_dequantize_gives_back_the_shape_and_the_values(mxref, axis):
    fmt = mx.get_format("mxfp6_e3m2")
    mxref("quantize", fmt.name, "x.npy", "-o", "q.npz", "--axis", axis)
    mxref("dequantize", "q.npz", "-o", "v.npy")
    values = np.load("v.npy")
    rows = X if axis == "1" else X.T
    blocks = oracle_blocks(fmt, rows, mx.QuantizeOptions())
    bits = np.array([oracle.dequantize_block_float32(block) for block in blocks], np.uint32)
    expected = bits.view(np.float32).reshape(len(rows), -1)[:, : rows.shape[1]]
    assert values.dtype == np.float32
    assert values.tolist() == (expected if axis == "1" else expected.T).tolist()


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("position", ["apart", "first", "last"])
@pytest.mark.parametrize("layout", ["byte", "be", "ggml", "ptx"])
def test_block_files_survive_every_layout(mxref, suffix, position, layout):
    mxref("quantize", "mxfp4_e2m1", "x.npy", "-o", "plain.npz")
    given = ["--layout", layout, "--scale-position", position]
    mxref("quantize", "mxfp4_e2m1", "x.npy", "-o", f"q{suffix}", *given)
    plain, packed = read_blocks("plain.npz"), read_blocks(f"q{suffix}")
    assert packed.codes.tolist() == plain.codes.tolist()
    assert packed.scales.tolist() == plain.scales.tolist()
    assert (packed.format, packed.shape, packed.axis) == (plain.format, plain.shape, plain.axis)


def test_a_block_file_says_what_it_holds_to_numpy_and_safetensors(mxref):
    mxref("quantize", "mxfp4_e2m1", "x.npy", "-o", "q.npz", "--layout", "low_first", "--axis", "0")
    mxref("quantize", "mxfp4_e2m1", "x.npy", "-o", "q.safetensors", "--layout", "low_first", "--axis", "0")
    with np.load("q.npz") as archive, safe_open("q.safetensors", "numpy") as file:
        text = archive["mx_blocks"].item()
        assert file.metadata() == {"mx_blocks": text}
        described = json.loads(text)
        for name, shape in (("codes", (70, 1, 16)), ("scales", (70, 1))):
            assert archive[name].dtype == np.uint8
            assert archive[name].shape == shape
            assert archive[name].tolist() == file.get_tensor(name).tolist()
    assert described["format"]["element"] == {
        "kind": "float", "name": "e2m1", "exponent_bits": 2, "mantissa_bits": 1, "bias": 1,
        "specials": "none", "signed": True, "subnormals": True, "ignored_bits": 0,
    }  # fmt: skip
    assert (described["shape"], described["axis"], described["layout"]) == ([4, 70], 0, "low_first")


def test_what_quantize_prints_dequantize_reads(mxref):
    text = mxref("quantize", "mxfp8_e4m3", "-", stdin="1 2 -448 1e-3")
    # floor(log2 448) - 8 = 0: the scale is 1, 0x7f; 1e-3 is half of a step of 2**-9 and more: code 1.
    assert text == "7f:38,40,fe,01" + ",00" * 28 + "\n"
    given = ["dequantize", "-", "--format", "mxfp8_e4m3"]
    values = mxref(*given, stdin=text).split()
    assert values == ["1.0", "2.0", "-448.0", "0.001953125", *["0.0"] * 28]
    assert mxref(*given, "--hex", stdin="80:38").startswith("40000000 00000000")


def test_dequantize_overflow_and_dtype_are_options(mxref):
    given = ["dequantize", "-", "--format", "mxfp8_e4m3"]
    assert mxref(*given, stdin="fe:7e,fe").split()[:2] == ["inf", "-inf"]
    largest = str(np.finfo(np.float32).max)
    assert mxref(*given, "--overflow", "saturate", stdin="fe:7e,fe").split()[:2] == [largest, "-" + largest]
    exact = float(Fraction(448) * 2**127)
    wide = mxref(*given, "--dtype", "float64", stdin="fe:7e,fe").split()
    assert [float(each) for each in wide[:2]] == [exact, -exact]


def test_nvfp4_has_the_scales_of_its_definition_and_survives_a_file(mxref):
    e2m1, e4m3 = mx.get_element("e2m1"), mx.get_element("e4m3")
    fmt = mx.get_format("nvfp4")
    padded = np.pad(X, ((0, 0), (0, 10))).reshape(4, 5, 16)
    exact = [[[Fraction(float(v)) for v in block] for block in row] for row in padded]
    amax = max(abs(v) for row in exact for block in row for v in block)
    tensor_scale = Fraction(float(np.float32(float(amax / (6 * 448)))))
    scales = [
        [oracle.encode(e4m3, max(map(abs, block)) / (6 * tensor_scale)) for block in row] for row in exact
    ]
    codes = []
    for row, row_scales in zip(exact, scales, strict=True):
        for block, code in zip(row, row_scales, strict=True):
            divisor = Fraction(oracle.to_float(oracle.decode(e4m3, code))) * tensor_scale
            # A quotient of zero has lost the sign of the number.
            codes.append([oracle.encode(e2m1, v / divisor) | (8 if v < 0 else 0) for v in block])
    for suffix in (".npz", ".safetensors"):
        mxref("quantize", "nvfp4", "x.npy", "-o", f"q{suffix}")
        blocks = read_blocks(f"q{suffix}")
        assert blocks.format == fmt
        assert Fraction(float(blocks.tensor_scale)) == tensor_scale
        assert blocks.scales.tolist() == scales
        assert blocks.codes.reshape(-1, 16).tolist() == codes
    given = ["nvfp4", "x.npy", "-o", "given.npz", "--tensor-scale", "0x3f000000"]
    mxref("quantize", *given, "--layout", "le", "--scale-position", "first")
    blocks = read_blocks("given.npz")
    assert blocks.tensor_scale == np.float32(0.5)
    mxref("dequantize", "given.npz", "-o", "v.npy", "--dtype", "float64", "--threads", "2")
    element_values = blocks.codes.view(ml_dtypes.float4_e2m1fn).astype(np.float64)
    scale_values = blocks.scales.view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    expected = (element_values * scale_values[..., None] * 0.5).reshape(4, 80)[:, :70]
    assert np.load("v.npy").tolist() == expected.tolist()


def test_one_scale_a_channel_or_for_all_of_an_array(mxref):
    # INT8 with Float32 scales: amax / 127 * 64 is the scale, and the largest code is 127.
    mxref("quantize", "int8/float32/axis", "x.npy", "-o", "channel.npz")
    channel = read_blocks("channel.npz")
    assert channel.codes.shape == (4, 1, 70)
    assert channel.scales.dtype == np.uint32
    expected = [np.float32(Fraction(float(np.abs(row).max())) * 64 / 127) for row in X]
    assert channel.scales.view(np.float32).tolist() == [[each] for each in expected]
    assert np.abs(channel.codes.view(np.int8)).max(axis=(1, 2)).tolist() == [127] * 4
    mxref("quantize", "int8/float32/axis", "x.npy", "-o", "tensor.safetensors", "--axis", "none")
    tensor = read_blocks("tensor.safetensors")
    assert (tensor.codes.shape, tensor.axis, tensor.shape) == ((1, 280), None, (4, 70))
    assert tensor.scales.view(np.float32).tolist() == [max(expected)]
    mxref("dequantize", "tensor.safetensors", "-o", "v.npy")
    assert np.abs(np.load("v.npy") - X).max() <= max(expected) / 128


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), (1, 1, 33)])
def test_blocks_of_any_shape_survive_a_file(mxref, shape):
    np.save("v.npy", np.ones(shape, np.float32))
    for suffix in (".npz", ".safetensors"):
        mxref("quantize", "mxint8", "v.npy", "-o", f"q{suffix}")
        mxref("dequantize", f"q{suffix}", "-o", f"{suffix[1:]}.npy")
        assert np.load(f"{suffix[1:]}.npy").shape == shape


# dot


def test_dot_gives_the_bits_of_the_oracle(mxref):
    y = np.random.default_rng(3).standard_normal((4, 70)).astype(np.float32)
    np.savez("y.npz", other=np.arange(3), y=y)
    mxref("quantize", "mxfp8_e5m2", "x.npy", "-o", "a.npz")
    mxref("quantize", "mxfp4_e2m1", "y.npz:y", "-o", "b.safetensors")
    a, b = (
        np.array(oracle_blocks(mx.get_format(name), values, mx.QuantizeOptions()), object).reshape(4, 3, -1)
        for name, values in (("mxfp8_e5m2", X), ("mxfp4_e2m1", y))
    )
    as_blocks = lambda rows: [[oracle.Block(*block) for block in row] for row in rows]  # noqa: E731
    a, b = as_blocks(a), as_blocks(b)
    for rule in ("exact_fp32", "block32_fp32_add"):
        expected = [oracle_dot(list(zip(p, q, strict=True)), rule) for p, q in zip(a, b, strict=True)]
        out = mxref("dot", "a.npz", "b.safetensors", "--rule", rule, "--hex")
        assert [int(bits, 16) for bits in out.split()] == expected
        straight = ["x.npy", "y.npz", "--format", "mxfp8_e5m2", "--b-format", "mxfp4_e2m1"]
        assert mxref("dot", *straight, "--rule", rule, "--hex") == out
        given = ["a.npz", "y.npz:y", "--b-format", "mxfp4_e2m1", "--rule", rule, "--matmul"]
        mxref("dot", *given, "-o", f"{rule}.npy")
        every = [[oracle_dot(list(zip(p, q, strict=True)), rule) for q in b] for p in a]
        assert np.load(f"{rule}.npy").view(np.uint32).tolist() == every


def test_dot_takes_an_initial_value(mxref):
    np.save("one.npy", np.float32([[1] * 32, [2] * 32]))
    given = ["dot", "one.npy", "one.npy", "--format", "mxfp8_e4m3", "--rule", "exact_fp32"]
    assert mxref(*given) == "32.0 128.0\n"
    assert mxref(*given, "--c", "-0.5") == "31.5 127.5\n"
    assert mxref(*given, "--c", "-inf") == "-inf -inf\n"
    assert mxref(*given, "--c", "0xbf000000") == "31.5 127.5\n"
    np.save("c.npy", np.float32([-32, 1]))
    assert mxref(*given, "--c", "c.npy") == "0.0 129.0\n"


# Files are whole, and nothing is overwritten


def test_output_is_not_overwritten_unless_forced(mxref, capsys):
    Path("out.npy").write_text("mine")
    line = refused(capsys, "encode", "e4m3", "x.npy", "-o", "out.npy")
    assert "out.npy: exists; --force replaces it" in line
    assert Path("out.npy").read_text() == "mine"
    mxref("encode", "e4m3", "x.npy", "-o", "out.npy", "--force")
    assert np.load("out.npy").shape == X.shape
    mxref("encode", "e4m3", "x.npy", "-o", "x.npy", "--force")  # its own input, which is mapped
    assert np.load("x.npy").tolist() == np.load("out.npy").tolist()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("out.pt", "out.pt: unknown suffix '.pt'; the suffix decides the form: .npy"),
        ("out", "out: no suffix"),
        ("", "no suffix"),
        ("nowhere/out.npy", "nowhere/out.npy: there is no folder nowhere"),
        ("x.npy/out.npy", "x.npy/out.npy: "),
        ("dir.npy", "dir.npy: exists and is not a regular file"),
        ("pipe.npy", "pipe.npy: exists and is not a regular file"),
        ("loop.npy", "loop.npy: "),
        ("n" * 300 + ".npy", "File name too long"),
        ("nul\0.npy", "not a path"),
    ],
)
def test_output_that_cannot_be_made(output, message, capsys, folder):
    os.mkdir("dir.npy")
    os.mkfifo("pipe.npy")
    os.symlink("loop.npy", "loop.npy")
    before = sorted(os.listdir())
    assert message in refused(capsys, "encode", "e4m3", "x.npy", "--force", "-o", output)
    assert sorted(os.listdir()) == before


def test_a_write_that_fails_leaves_the_old_file(monkeypatch, capsys):
    Path("out.npy").write_text("mine")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("refmodel.writing.npy_format.write_array", full)
    line = refused(capsys, "encode", "e4m3", "x.npy", "--force", "-o", "out.npy")
    assert "out.npy: cannot be written: No space left on device" in line
    assert sorted(os.listdir()) == ["out.npy", "x.npy"]
    assert Path("out.npy").read_text() == "mine"


# Bad input

BAD = {
    "too much to print": (["encode", "e4m3", "big.npy"], "70000 items are too many to print; give a file"),
    "force alone": (["encode", "e4m3", "x.npy", "--force"], "--force replaces the file of --output"),
    "integers": (["encode", "e4m3", "int.npy"], "int.npy: tensor 'int' is int64; accepted: float16"),
    "floats as codes": (["decode", "e4m3", "x.npy"], "codes are integers, or bytes of an FP8 type"),
    "code too large": (["decode", "e2m1", "int.npy"], "16 at index [16] exceeds 4 bits"),
    "several": (["encode", "e4m3", "two.npz"], "two.npz: holds 2 tensors; name one: two.npz:a"),
    "bits of a file": (["encode", "e4m3", "x.npy", "--bits", "float16"], "--bits is the type of numbers"),
    "bad word": (["encode", "e4m3", "bad.txt"], "'one' is not a number"),
    "bad code": (["decode", "e4m3", "bad.txt"], "'one' is not a code in hex"),
    "code beyond": (["decode", "e2m1", "ff.txt"], "code ff does not fit the 4 bits of e2m1"),
    "ragged": (["encode", "e4m3", "ragged.txt"], "row 2 has 1 items and row 1 2"),
    "empty text": (["encode", "e4m3", "empty.txt"], "holds no items"),
    "not ascii": (["encode", "e4m3", "latin.txt"], "latin.txt: neither .npy nor ASCII text: byte 0"),
    "no such text": (["encode", "e4m3", "no.txt"], "no.txt: not a regular file"),
    "axis": (["quantize", "mxint8", "x.npy", "--axis", "2"], "axis 2 does not exist"),
    "overflow": (["encode", "int8", "x.npy", "--overflow", "overflow"], "int8 has neither NaN nor infinity"),
    "nan": (["encode", "e2m1", "nan.npy", "--nan-to-finite", "error"], "NaN cannot become e2m1"),
    "profile": (["quantize", "mxfp4_e2m1", "x.npy", "--profile", "ml_dtypes"], "profile 'ml_dtypes'"),
    "no random": (["encode", "e4m3", "x.npy", "--rounding", "stochastic"], "needs random integers"),
    "random": (["encode", "e4m3", "x.npy", "--random", "3"], "takes no random integers"),
    "random shape": (
        ["encode", "e4m3", "x.npy", "--rounding", "stochastic", "--random", "int.npy"],
        "random has shape (20,); it must broadcast to (4, 70)",
    ),
    "layout": (["encode", "e4m3", "x.npy", "--layout", "ggml"], "'ggml' is for codes of 4 bits, not 8"),
    "layout of output": (
        ["quantize", "mxfp8_e4m3", "x.npy", "-o", "q.npz", "--layout", "ggml"],
        "layout 'ggml' is for codes of 4 bits, not 8",
    ),
    "no blocks": (["dequantize", "two.npz"], "two.npz: holds no blocks"),
    "no blocks in npy": (["dequantize", "x.npy"], "x.npy: holds no blocks"),
    "text without format": (["dequantize", "bad.txt"], "bad.txt: unknown suffix '.txt'"),
    "no text": (["dequantize", "x.npy", "--format", "mxint8"], "x.npy"),
    "dot without format": (["dot", "x.npy", "x.npy", "--rule", "exact_fp32"], "--format says what blocks"),
    "dot rule": (["dot", "x.npy", "x.npy", "--rule", "x", "--format", "mxint8"], "unknown accumulation rule"),
    "dot twice stdin": (["dot", "-", "-", "--rule", "exact_fp32"], "cannot both be standard input"),
    "dot shapes": (
        ["dot", "x.npy", "big.npy", "--rule", "exact_fp32", "--format", "mxint8"], "dot needs equal shapes"
    ),
    "dot c": (
        ["dot", "x.npy", "x.npy", "--rule", "exact_fp32", "--format", "mxint8", "--c", "none"],
        "'none' is not a number",
    ),
    "dot c double": (
        ["dot", "x.npy", "x.npy", "--rule", "exact_fp32", "--format", "mxint8", "--c", "nan.npy"],
        "c: dtype float64 is not float32",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_exit_2_and_nothing_left_behind(arguments, message, folder, capsys):
    np.save("big.npy", np.zeros(70000, np.float32))
    np.save("int.npy", np.arange(20))
    np.save("nan.npy", np.array([1, np.nan]))
    np.savez("two.npz", a=X, b=X)
    for name, text in {"bad": "one two", "ff": "f ff", "ragged": "1 2\n3", "empty": "\n \n"}.items():
        Path(f"{name}.txt").write_text(text)
    Path("latin.txt").write_bytes(b"\xff 1")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert message in refused(capsys, *arguments)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def description(**changes: object) -> str:
    described: dict[str, object] = {
        "version": 1, "format": describe_format(mx.get_format("mxint8")), "shape": [4, 70], "axis": -1,
        "tensor_scale": None, "layout": "byte", "scale_position": "apart", **changes,
    }  # fmt: skip
    return json.dumps({key: value for key, value in described.items() if value != "left out"})


def format_with(**changes: object) -> dict[str, object]:
    return describe_format(mx.get_format("mxint8")) | changes


def integer(bits: object) -> dict[str, object]:
    return {"kind": "integer", "name": "mine", "bits": bits, "fraction_bits": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "must be an object with just the keys version, format, shape"),
        (description(axis="left out"), "must be an object with just the keys"),
        (description(more=1), "must be an object with just the keys"),
        (description(version=2), "version is 2; this reads 1"),
        (description(shape=[4, -1]), "shape must be a list of integers of at least 0"),
        (description(shape=[4, True]), "shape must be a list of integers"),
        (description(shape="4"), "shape must be a list of integers"),
        (description(shape=[4, 71]), None),
        (description(shape=[4, 97]), "do not fit element codes"),
        (description(axis=2), "axis must be null or an integer that is an axis of shape [4, 70]"),
        (description(axis=0.5), "axis must be null or an integer"),
        (description(tensor_scale="1"), "tensor_scale must be null or a number with a point"),
        (description(tensor_scale=1), "tensor_scale must be null or a number with a point"),
        (description(tensor_scale=1.0), "mxint8 has no tensor scale"),
        (description(layout="le9"), "unknown packing layout 'le9'"),
        (description(layout=["le"]), "unknown packing layout ['le']"),
        (description(layout="ggml"), "layout 'ggml' is for codes of 4 bits"),
        (description(scale_position="top"), "scale_position must be one of apart, first, last"),
        (description(scale_position="first"), "no tensor 'blocks', which its 'mx_blocks' asks for"),
        (description(format="mxint8"), "must be an object with just the keys name, element"),
        (description(format=format_with(block_size="32")), "block_size an integer"),
        (description(format=format_with(block_size=16)), "'mxint8' is the name of another format"),
        (description(format=format_with(name="mine", block_size=16)), "element codes of mine have shape"),
        (description(format=format_with(element={"kind": "int"})), "kind 'float' or 'integer'"),
        (
            description(format=format_with(element=integer(bits=10**9))),
            "a number is beyond 4096",
        ),
        (
            description(format=format_with(element=integer(bits="8"))),
            "bits must be of type int",
        ),
    ],
)
def test_a_block_file_whose_description_is_wrong(text, message, capsys):
    blocks = mx.quantize(X, "mxint8")
    np.savez("q.npz", codes=blocks.codes, scales=blocks.scales, mx_blocks=np.array(text))
    save_file({"codes": blocks.codes, "scales": blocks.scales}, "q.safetensors", {"mx_blocks": text})
    for name in ("q.npz", "q.safetensors"):
        if message is None:
            assert cli.main(["dequantize", name]) == 0
            capsys.readouterr()
        else:
            line = refused(capsys, "dequantize", name)
            assert message in line
            assert line.startswith(f"mxref: error: {name}: ")


def test_a_block_file_without_its_arrays_or_with_others(capsys):
    blocks = mx.quantize(X, "mxint8")
    for arrays, message in (
        ({"codes": blocks.codes}, "no tensor 'scales'"),
        ({"codes": blocks.codes, "scales": blocks.scales * 1.0}, "'scales' is float64; codes are unsigned"),
        ({"codes": blocks.codes[:, :2], "scales": blocks.scales}, "need one scale per block"),
        ({"codes": blocks.codes.astype(int) + 200, "scales": blocks.scales}, "dtype int64 is not uint8"),
    ):
        np.savez("q.npz", mx_blocks=np.array(description()), **arrays)
        assert message in refused(capsys, "dequantize", "q.npz")


def test_block_files_are_the_same_bytes_every_time(tmp_path):
    blocks = mx.quantize(X, "mxint8")
    for suffix in (".npz", ".safetensors"):
        first, second = io.BytesIO(), io.BytesIO()
        write_blocks(first, suffix, blocks)
        write_blocks(second, suffix, blocks)
        assert first.getvalue() == second.getvalue()
