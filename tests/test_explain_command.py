"""The commands ``mxref explain`` and ``mxref formats``; the numbers are chapter 3 of the clause list."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import refmodel as mx
from refmodel import cli
from refmodel.cli.common import encode_options, quantize_options
from refmodel.explain.numbers import code_table, number_table
from refmodel.options import choices
from refmodel.vectors.files import read_dot_vectors


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def run(*arguments: str) -> int:
    try:
        return cli.main(arguments)
    except SystemExit as stop:  # how argparse ends
        return int(stop.code or 0)


# mxref formats

# label: e5m2, e4m3, e3m2, e2m3, e2m1
FLOAT_NUMBERS = {
    "sign/exp/mant": "1/5/2 | 1/4/3 | 1/3/2 | 1/2/3 | 1/2/1",
    "bias": "15 | 7 | 3 | 1 | 1",
    "emax": "15 | 8 | 4 | 2 | 2",
    "emin": "-14 | -6 | -2 | 0 | 0",
    "zero": "0x00 | 0x00 | 0x00 | 0x00 | 0x0",
    "min subnormal": "0x01 2^-16 | 0x01 2^-9 | 0x01 0.0625 | 0x01 0.125 | 0x1 0.5",
    "max subnormal": "0x03 3*2^-16 | 0x07 7*2^-9 | 0x03 0.1875 | 0x07 0.875 | 0x1 0.5",
    "min normal": "0x04 2^-14 | 0x08 0.015625 | 0x04 0.25 | 0x08 1 | 0x2 1",
    "largest 2^n": "0x78 32768 | 0x78 256 | 0x1c 16 | 0x18 4 | 0x6 4",
    "max normal": "0x7b 57344 | 0x7e 448 | 0x1f 28 | 0x1f 7.5 | 0x7 6",
    "max / 2^emax": "1.75 | 1.75 | 1.75 | 1.875 | 1.5",
    "Inf": "0x7c | none | none | none | none",
    "NaN": "0x7d-0x7f | 0x7f | none | none | none",
    "finite/Inf/NaN": "248/2/6 | 254/0/2 | 64/0/0 | 64/0/0 | 16/0/0",
    "half min": "2^-17 | 2^-10 | 0.03125 | 0.0625 | 0.25",
    "  goes to": "0 | 0 | 0 | 0 | 0",
    "tie above max": "61440 | 464 | 30 | 7.75 | 7",
    "  rounds to": "65536 | 448 | 32 | 8 | 8",
    "  overflow": ">= 61440 Inf | > 464 NaN | >= 30 | >= 7.75 | >= 7",
}
INT8_NUMBERS = {
    "bits": "8",
    "fraction bits": "6",
    "emax": "0",
    "zero": "0x00",
    "smallest": "0x01 0.015625",
    "largest 2^n": "0x40 1",
    "max": "0x7f 1.984375",
    "min, symmetric": "0x81 -1.984375",
    "min, full": "0x80 -2",
    "half min": "0.0078125",
    "  goes to": "0",
    "tie above max": "1.9921875",
    "  rounds to": "2",
    "  overflow": ">= 1.9921875",
}
E8M0_NUMBERS = {
    "sign/exp/mant": "0/8/0",
    "bias": "127",
    "emax": "127",
    "emin": "-127",
    "zero": "none",
    "min subnormal": "none",
    "max subnormal": "none",
    "min normal": "0x00 2^-127",
    "largest 2^n": "0xfe 2^127",
    "max normal": "0xfe 2^127",
    "max / 2^emax": "1",
    "Inf": "none",
    "NaN": "0xff",
    "finite/Inf/NaN": "255/0/1",
    "half min": "2^-128",
    "  goes to": "2^-127",
    "tie above max": "3*2^126",
    "  rounds to": "2^128",
    "  overflow": ">= 3*2^126 NaN",
}


@pytest.mark.parametrize(
    ("formats", "numbers"),
    [
        (("e5m2", "e4m3", "e3m2", "e2m3", "e2m1"), FLOAT_NUMBERS),
        (("int8",), INT8_NUMBERS),
        (("e8m0",), E8M0_NUMBERS),
    ],
)
def test_number_tables(formats: tuple[str, ...], numbers: dict[str, str]) -> None:
    described = [mx.get_scale(name) if name == "e8m0" else mx.get_element(name) for name in formats]
    table = number_table(described)
    assert table.columns == ("", *formats)
    assert {label: " | ".join(cells) for label, *cells in table.rows} == numbers


VALUES = {
    "e2m1": "0 0.5 1 1.5 2 3 4 6",
    "e2m3": "0 0.125 0.25 0.375 0.5 0.625 0.75 0.875 1 1.125 1.25 1.375 1.5 1.625 1.75 1.875 2 2.25 2.5 2.75 "
    "3 3.25 3.5 3.75 4 4.5 5 5.5 6 6.5 7 7.5",
    "e3m2": "0 0.0625 0.125 0.1875 0.25 0.3125 0.375 0.4375 0.5 0.625 0.75 0.875 1 1.25 1.5 1.75 2 2.5 3 3.5 "
    "4 5 6 7 8 10 12 14 16 20 24 28",
}


@pytest.mark.parametrize("name", VALUES)
def test_code_tables_list_every_value(name: str) -> None:
    values = VALUES[name].split()
    rows = code_table(mx.get_element(name)).rows
    assert [row[3] for row in rows] == values + ["-" + value for value in values]
    assert [int(row[0], 16) for row in rows] == list(range(2 * len(values)))


def test_code_tables_show_specials_ties_and_float32() -> None:
    e2m1 = code_table(mx.get_element("e2m1")).rows
    assert [row[5:] for row in e2m1[:8]] == [
        ("0.25", "0x0"),
        ("0.75", "0x2"),
        ("1.25", "0x2"),
        ("1.75", "0x4"),
        ("2.5", "0x4"),
        ("3.5", "0x6"),
        ("5", "0x6"),
        ("7", "0x7"),
    ]
    e5m2 = {row[0]: row[1:] for row in code_table(mx.get_element("e5m2")).rows}
    assert e5m2["0x7c"] == ("0 11111 00", "infinity", "Inf", "0x7f800000", "", "")
    assert e5m2["0xfd"] == ("1 11111 01", "NaN", "NaN", "0x7fc00000", "", "")
    assert e5m2["0x80"][:4] == ("1 00000 00", "zero", "-0", "0x80000000")
    int8 = {row[0]: row[1:] for row in code_table(mx.get_element("int8")).rows}
    assert int8["0x80"][:4] == ("10000000", "number", "-2", "0xc0000000")
    assert int8["0xff"][:4] == ("11111111", "number", "-0.015625", "0xbc800000")
    e8m0 = {row[0]: row[1:] for row in code_table(mx.get_scale("e8m0")).rows}
    float32 = {code: e8m0[code][3] for code in ("0x00", "0x01", "0x7f", "0xfe")}
    assert float32 == {"0x00": "0x00400000", "0x01": "0x00800000", "0x7f": "0x3f800000", "0xfe": "0x7f000000"}


def test_formats_prints_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("formats") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert [part.split()[0] for part in out.split("\n\n")] == [
        "format",
        "floating-point",
        "integer",
        "scales",
    ]
    assert run("formats", "mxfp4_e2m1") == 0
    out = capsys.readouterr().out
    assert "e2m1" in out
    assert "e8m0" in out
    assert "e4m3" not in out
    assert run("formats", "e4m3", "--codes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], len(lines)) == ("e4m3, all codes", 2 + 256)
    assert lines[2 + 0x7E].split() == [
        "0x7e",
        "0",
        "1111",
        "110",
        "normal",
        "448",
        "0x43e00000",
        "464",
        "0x7e",
    ]


# mxref explain


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert run("explain", *arguments, "--json") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    tree = json.loads(captured.out)
    assert isinstance(tree, dict)
    return tree


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        (["e4m3", "464"], "0x7e"),
        (["e4m3", "-465", "--overflow", "overflow"], "0xff"),
        (["e4m3", "-1e-3"], "0x81"),
        (["e5m2", "-inf", "--infinity", "keep"], "0xfc"),
        (["e4m3", "-NaN", "--nan-sign", "keep"], "0xff"),
        (["e2m1", "0x3fa00001", "--bits", "float32"], "0x3"),
        (["e2m1", "-0x1.4p0", "--rounding", "rdn", "--bits", "bfloat16"], "0xb"),
        (["e8m0", "3", "--tie-without-mantissa", "even_code"], "0x80"),
        (["e2m1", "1.125", "--rounding", "stochastic", "--random-bits", "4", "--random", "12"], "0x3"),
    ],
)
def test_explain_element(arguments: list[str], result: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(capsys, "element", *arguments)["result"] == result


@pytest.mark.parametrize("options_type", [mx.EncodeOptions, mx.QuantizeOptions])
def test_every_field_of_the_options_is_an_option(options_type: type[mx.EncodeOptions]) -> None:
    kind = "block" if options_type is mx.QuantizeOptions else "element"
    fmt = "mxfp8_e5m2" if kind == "block" else "e5m2"
    allowed = choices(options_type)
    for field in fields(options_type):
        for value in allowed.get(field.name, ("7",)):
            option = "--" + field.name.replace("_", "-")
            arguments = cli._parser().parse_args(["explain", kind, fmt, "1", option, value])
            expected = options_type(**{field.name: value if field.name in allowed else int(value)})
            asked = quantize_options if kind == "block" else encode_options
            described = mx.get_format(fmt) if kind == "block" else mx.get_element(fmt)
            assert asked(arguments, described) == expected


def test_a_profile_gives_the_options_that_are_not_given() -> None:
    arguments = ["explain", "element", "e5m2", "1", "--profile", "ml_dtypes", "--overflow", "saturate"]
    asked = encode_options(cli._parser().parse_args(arguments), mx.get_element("e5m2"))
    assert asked == mx.EncodeOptions(overflow="saturate", nan_sign="keep")


def test_the_help_describes_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("element", "block", "dot"):
        assert run("explain", kind, "--help") == 0
        out = " ".join(capsys.readouterr().out.split())
        assert "mxref explain" in out.split("example", 1)[1]
        if kind != "dot":
            assert "--subnormal-input {keep,flush} Subnormal inputs (A-20) (default keep)" in out
        if kind == "block":
            assert "How a power-of-two scale follows from the largest magnitude (A-1) (default floor)" in out


def test_explain_block(capsys: pytest.CaptureFixture[str]) -> None:
    tree = explained(
        capsys, "block", "mxfp4_e2m1", "1", "-7", "0.5", "--scale-rule", "rceil", "--detail", "1,2"
    )
    assert tree["result"] == "80e1" + "00" * 15
    assert [part["result"] for part in tree["parts"]] == ["0xe", "0x0"]
    x = np.random.default_rng(0).standard_normal((3, 70, 2)).astype(np.float32)
    np.save("x.npy", x)
    tree = explained(capsys, "block", "mxint8", "--input", "x.npy", "--axis", "1", "--index", "2,1,2")
    blocks = mx.quantize(x, "mxint8", axis=1)
    expected = mx.pack_blocks(blocks, scale_position="first")[2, 1, 2].tobytes().hex()
    assert tree["result"] == expected
    assert tree["title"].startswith("6 values")
    random = explained(
        capsys,
        "block",
        "mxint8",
        "1",
        "0.3",
        "--rounding",
        "stochastic",
        "--random",
        "5,60000",
        "--detail",
        "all",
    )
    assert len(random["parts"]) == 32


def test_explain_a_block_with_a_tensor_scale(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    tree = explained(capsys, "block", "nvfp4", "2688", "-1344")
    assert (tree["result"], tree["title"]) == (
        "7ed7" + "00" * 7,
        "2 values (float32) to a block of nvfp4: scale 0x7e, tensor scale 1",
    )
    # 6 / (6 * 0.5) = 2, and -1 / (2 * 0.5) = -1
    for scale in ("0.5", "0x3f000000"):
        tree = explained(capsys, "block", "nvfp4", "6", "-1", "--tensor-scale", scale)
        assert tree["result"] == "40a7" + "00" * 7
    tree = explained(capsys, "block", "e2m1/bfloat16/3", "3", "-1", "2")
    assert tree["result"] == "0x3f00 0x7 0xc 0x6"  # scale 3 / 6: 6, -2, 4
    # A block of a tensor has the tensor scale of all of it.
    x = np.ones((2, 40), np.float32)
    x[1, 39] = 3 * 2688
    np.save("x.npy", x)
    tree = explained(capsys, "block", "nvfp4", "--input", "x.npy", "--index", "0,2")
    assert (
        tree["title"] == "8 values (float32) to a block of nvfp4: scale 0x16, tensor scale 3"
    )  # 1 / 18 is 1.78 * 2^-5
    expected = mx.pack_blocks(mx.quantize(x, "nvfp4"), scale_position="first")[0, 2].tobytes().hex()
    assert tree["result"] == expected
    # In Float32 1 / (1 / e) is e for some maxima and its neighbour for others, which is said.
    call = ["--input", "x.npy", "--quotient", "float32_multiply"]
    said = set()
    for amax in range(1, 20):
        np.save("x.npy", np.full(16, amax, np.float32))
        assert run("explain", "block", "nvfp4", *call) == 0
        said.add(bool(capsys.readouterr().err))
    assert said == {False, True}


def test_explain_dot(capsys: pytest.CaptureFixture[str]) -> None:
    operands = ["--a-format", "mxfp8_e4m3", "--a", "7f:38,40", "--b", "80:b8", "--rule", "exact_fp32"]
    assert explained(capsys, "dot", *operands)["result"] == "0xc0000000"
    assert explained(capsys, "dot", *operands, "--c", "-1")["result"] == "0xc0400000"
    # 1 * 1 * 2^1, then 3 * 1.5 * 2^-1; the word is element 0 in its lowest digit
    two = [
        "--b-format",
        "mxfp4_e2m1",
        "--a",
        "7f:38",
        "--b",
        "80:2",
        "--a",
        "7e:44",
        "--b",
        "7f:" + "3".zfill(32),
    ]
    call = ["--a-format", "mxfp8_e4m3", *two, "--rule", "block32_fp32_add"]
    assert explained(capsys, "dot", *call)["result"] == "0x40880000"  # 4.25


def test_explain_a_dot_of_a_vector_directory(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    call = ["--a-format", "mxfp6_e2m3", "--rule", "block32_fp32_add", "--multi-block", "--count", "60"]
    assert run("vectors", *call, "--output", "out") == 0
    capsys.readouterr()
    vectors = read_dot_vectors("out")
    longest = int(np.argmax(np.diff(vectors.bounds)))
    for index in (0, longest, vectors.dots - 1):
        tree = explained(capsys, "dot", "--vectors", "out", "--index", str(index))
        assert int(tree["result"], 16) == vectors.results[index]
        assert len(tree["parts"]) == vectors.bounds[index + 1] - vectors.bounds[index] + 1
    # The same from the words of the files.
    line = int(vectors.bounds[longest])
    planes = {
        name: (folder / "out" / f"{name}.hex").read_text().split()[line : int(vectors.bounds[longest + 1])]
        for name in ("a_elements", "a_scale", "b_elements", "b_scale")
    }
    words: list[str] = []
    for side in ("a", "b"):
        for scale, codes in zip(planes[f"{side}_scale"], planes[f"{side}_elements"], strict=True):
            words += [f"--{side}", f"{scale}:{codes}"]
    tree = explained(capsys, "dot", "--a-format", "mxfp6_e2m3", "--rule", "block32_fp32_add", *words)
    assert int(tree["result"], 16) == vectors.results[longest]


def test_explain_takes_the_initial_value_of_the_set(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    call = ["--a-format", "mxfp4_e2m1", "--rule", "exact_fp32", "--initial-values", "--count", "1"]
    assert run("vectors", *call, "--output", "out") == 0
    capsys.readouterr()
    vectors = read_dot_vectors("out")
    assert vectors.c is not None
    for index in np.flatnonzero(vectors.c)[::60].tolist():
        tree = explained(capsys, "dot", "--vectors", "out", "--index", str(index))
        assert int(tree["result"], 16) == vectors.results[index]
    assert run("vectors", "--a-format", "e4m3", "--rule", "exact_fp32", "--count", "1", "--output", "plain") == 0
    assert run("explain", "dot", "--vectors", "plain") == 2
    assert "elements without block scales are not explained" in capsys.readouterr().err


def test_the_width_of_the_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("explain", "element", "e4m3", "0.3", "--width", "60") == 0
    narrow = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "60")
    assert run("explain", "element", "e4m3", "0.3") == 0
    assert capsys.readouterr().out == narrow
    assert 40 < max(map(len, narrow.splitlines())) <= 60


BAD = {
    "nothing": ([], "arguments are required: WHAT"),
    "no value": (["element", "e4m3"], "arguments are required: VALUE"),
    "no such format": (
        ["element", "e9m9", "1"],
        "unknown element or scale format 'e9m9'; choose one of: bfloat16",
    ),
    "no number": (["element", "e4m3", "one"], "'one' is not a number; write a decimal"),
    "pattern of no format": (["element", "e4m3", "0x3f800000"], "is a bit pattern; say of which format"),
    "pattern too long": (["element", "e4m3", "0x3f800000", "--bits", "float16"], "does not fit the 16 bits"),
    "unknown input format": (["element", "e4m3", "1", "--bits", "float8"], "unknown input format 'float8'"),
    "beyond the range": (["element", "e4m3", "1e39"], "1e39 is beyond the range of float32"),
    "unknown choice": (["element", "e4m3", "1", "--rounding", "up"], "--rounding: invalid choice: 'up'"),
    "no such overflow": (
        ["element", "int8", "1", "--overflow", "overflow"],
        "int8 has neither NaN nor infinity",
    ),
    "nan refused": (["element", "e2m1", "nan", "--nan-to-finite", "error"], "NaN cannot become e2m1"),
    "no random": (["element", "e4m3", "1", "--rounding", "stochastic"], "needs random integers"),
    "random": (["element", "e4m3", "1", "--random", "1"], "takes no random integers"),
    "bits of random": (["element", "e4m3", "1", "--random-bits", "40"], "random_bits=40 must be"),
    "no values": (["block", "mxint8"], "give either values or a tensor with --input"),
    "both": (["block", "mxint8", "1", "--input", "x.npy"], "give either values or a tensor with --input"),
    "index alone": (["block", "mxint8", "1", "--index", "0"], "--index chooses a block of a tensor"),
    "bits of a tensor": (
        ["block", "mxint8", "--input", "x.npy", "--bits", "float16"],
        "a tensor has its own",
    ),
    "too many": (["block", "mxint8", *["1"] * 33], "33 values; a block of mxint8 takes 1 to 32"),
    "refused part": (["block", "mxint8", "1", "--partial-block", "refuse"], "not a multiple of 32"),
    "no element": (["block", "mxint8", "1", "--detail", "32"], "element 32 is not in a block of 32"),
    "no detail": (["block", "mxint8", "1", "--detail", "x"], "--detail x: give element numbers"),
    "no block": (
        ["block", "mxint8", "--input", "x.npy", "--index", "0,3"],
        "no block [0, 3]; its blocks have",
    ),
    "no axis": (["block", "mxint8", "--input", "x.npy", "--axis", "2"], "axis 2 does not exist"),
    "two tensors": (["block", "mxint8", "--input", "xy.npz"], "xy.npz: holds 2 tensors; name one"),
    "no file": (["block", "mxint8", "--input", "y.npy"], "y.npy: cannot be read"),
    "no tensor scale": (["block", "mxint8", "1", "--tensor-scale", "1"], "mxint8 has no tensor scale"),
    "tensor scale of 0": (
        ["block", "nvfp4", "1", "--tensor-scale", "0"],
        "must be a positive finite Float32",
    ),
    "dot of another scale": (
        ["dot", "--a-format", "nvfp4", "--a", "7e:1", "--b", "7e:1", "--rule", "exact_fp32"],
        "nvfp4: dot products are explained of blocks whose scale is a power of two, unlike ue4m3",
    ),
    "no operands": (["dot", "--rule", "exact_fp32"], "give --a-format, --a, --b and --rule"),
    "no colon": (
        ["dot", "--a-format", "mxint8", "--a", "7f", "--b", "7f:1", "--rule", "exact_fp32"],
        "'7f' is not SCALE:CODES",
    ),
    "no rule": (
        ["dot", "--a-format", "mxint8", "--a", "7f:1", "--b", "7f:1"],
        "give --a-format, --a, --b and",
    ),
    "code too long": (
        ["dot", "--a-format", "mxfp6_e3m2", "--a", "7f:40", "--b", "7f:1", "--rule", "exact_fp32"],
        "code 40 does not fit the 6 bits of e3m2",
    ),
    "blocks differ": (
        ["dot", "--a-format", "mxint8", "--a", "7f:1", "--a", "7f:", "--b", "7f:1", "--rule", "exact_fp32"],
        "dot needs equal shapes",
    ),
    "no directory": (["dot", "--vectors", "nowhere"], "nowhere/manifest.json: cannot be read"),
    "vectors and operands": (["dot", "--vectors", "out", "--a", "7f:1"], "--vectors gives the operands"),
    "index of nothing": (["dot", "--index", "1"], "--index chooses a dot product of a vector directory"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_usage_is_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("x.npy", np.ones((2, 70)))
    np.savez("xy.npz", x=np.ones(3), y=np.ones(3))
    assert run("explain", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mxref: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
