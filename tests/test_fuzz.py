"""The command and the file readers on everything a fuzzer thinks of: refused in one line or done, never half.

Every case runs in this process, in a folder whose other files must not change. The suite takes some thousand
cases, always the same; MXREF_FULL=1 takes more than 100,000, other ones every time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import struct
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import refmodel as mx
from refmodel import cli
from refmodel.accumulate import list_rules
from refmodel.options import QuantizeOptions, choices

FULL = bool(os.environ.get("MXREF_FULL"))
LONGEST_SECONDS = 20
VECTORS = ["vectors", "--a-format", "mxfp4_e2m1", "--rule", "exact_fp32", "--count", "40", "--output", "good"]


ORIGINALS: dict[str, bytes] = {}
"""The files of the folder and what they hold."""


def cases(quick: int, full: int) -> settings:
    """Return the settings of a test that tries so many cases in the suite, and in a full run."""
    return settings(
        max_examples=full if FULL else quick,
        deadline=None,
        derandomize=not FULL,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run in a folder with good files of every sort."""
    path, old = tmp_path_factory.mktemp("fuzz"), Path.cwd()
    os.chdir(path)
    x = np.random.default_rng(0).standard_normal((3, 40)).astype(np.float32)
    np.save("x.npy", x)
    np.save("half.npy", x.T.astype(np.float16))
    np.save("wild.npy", np.array([np.nan, np.inf, -np.inf, -0.0, 1e300, 5e-324]))
    np.save("scalar.npy", np.float32(3))
    np.save("empty.npy", np.zeros((0, 32), np.float32))
    np.save("codes.npy", np.arange(64, dtype=np.uint8).reshape(2, 32))
    np.save("negative.npy", np.arange(-4, 4))
    np.save("object.npy", np.array([None, "x"], dtype=object), allow_pickle=True)
    np.savez("many.npz", **{"q.weight": x, "q.input": x[:2], "codes": np.arange(8), "text": np.array("abc")})
    Path("numbers.txt").write_text("1 2 3\n-1e9 nan 0x1p-3\n")
    Path("blocks.txt").write_text("7f:38,40\nff:00\n")
    Path("memory.hex").write_text("38\n// comment\nbc\n")
    Path("keep.npy").write_bytes(b"mine")
    Path("dir.npy").mkdir()
    run = cli.main
    for name in ("q.npz", "q.safetensors"):
        assert run(["quantize", "mxfp4_e2m1", "x.npy", "-o", name]) == 0
    assert run(["quantize", "mxint8", "x.npy", "-o", "packed.npz", "--scale-position", "last"]) == 0
    with contextlib.redirect_stdout(io.StringIO()):
        assert run([*VECTORS, "--multi-block"]) == 0
    ORIGINALS.update({each.name: each.read_bytes() for each in path.iterdir() if each.is_file()})
    yield path
    os.chdir(old)


def snapshot() -> dict[str, str]:
    """Return every file below the folder, and what changes when it is written."""
    found = {}
    for root, folders, files in os.walk("."):
        found.update({os.path.join(root, name): "folder" for name in folders})
        for name in files:
            path = os.path.join(root, name)
            status = os.lstat(path)
            found[path] = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
    return found


def expire(*_: object) -> None:
    raise AssertionError(f"no end after {LONGEST_SECONDS} seconds")


def check(arguments: Sequence[str], stdin: bytes = b"", may_write: Sequence[str] = ()) -> int:
    """Run the command and check all that must hold of any call; return its exit code.

    Args:
        arguments: The command line.
        stdin: Standard input.
        may_write: Names of files or folders that a success may make or replace; they are removed again.
    """
    before = snapshot()
    out, err = io.StringIO(), io.StringIO()
    old_stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
    old_handler = signal.signal(signal.SIGALRM, expire)
    signal.alarm(LONGEST_SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                code = cli.main(arguments)
            except SystemExit as stop:  # how argparse ends
                code = int(stop.code or 0)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old_handler)
        sys.stdin = old_stdin
    after = snapshot()
    errors = err.getvalue()
    assert code in (0, 2), (code, errors)
    if code == 2:
        assert out.getvalue() == ""
        assert errors.startswith("mxref: error: "), errors
        assert errors.count("\n") == 1, errors
        assert errors[:-1].isprintable(), errors
        assert len(errors) < 2000, errors
        assert after == before
    else:
        assert all(line.startswith("mxref: ") for line in errors.splitlines()), errors
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert all(path.split(os.sep)[1] in may_write for path in changed), changed
        for path in {path.split(os.sep)[1] for path in changed}:
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
            if path in ORIGINALS:  # the next case must find what this one replaced
                Path(path).write_bytes(ORIGINALS[path])
    return code


# Command lines

ODD_TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            " ",
            "-",
            "--",
            "-1",
            "\0",
            "é",
            "\n",
            "a\nb",
            "x" * 5000,
            "[1]",
            "None",
            "1e999",
            "%s",
            "{}",
            "∞",
        ]
    ),
)
SOURCES = st.one_of(
    st.sampled_from(
        [
            "x.npy",
            "x.npy",
            "x.npy:x",
            "half.npy",
            "wild.npy",
            "scalar.npy",
            "empty.npy",
            "codes.npy",
            "negative.npy",
            "object.npy",
            "many.npz",
            "many.npz:q.weight",
            "many.npz:q.input",
            "many.npz:codes",
            "many.npz:text",
            "many.npz:none",
            "q.npz",
            "q.npz:codes",
            "q.safetensors",
            "q.safetensors:scales",
            "packed.npz",
            "numbers.txt",
            "memory.hex",
            "blocks.txt",
            "keep.npy",
            "dir.npy",
            "good",
            "-",
            "-",
            ".",
            "no.npy",
            "no.txt",
            "/dev/null",
        ]
    ),
    ODD_TEXT,
)
NUMBER_FORMATS = st.one_of(
    st.sampled_from(
        ["e4m3", "e5m2", "e3m2", "e2m3", "e2m1", "int8", "int4", "e8m0", "ue4m3", "bfloat16", "float32"]
    ),
    st.from_regex(
        r"e[0-9]m[0-9](:(none|fn|ieee|unsigned|no-subnormals|bias=-?[0-9]{1,3}|ignored=[0-9])){0,4}",
        fullmatch=True,
    ),
    st.from_regex(r"int[0-9]{1,2}(:fraction=-?[0-9]{1,3})?", fullmatch=True),
    ODD_TEXT,
)
BLOCK_FORMATS = st.one_of(
    st.sampled_from([*mx.list_formats(), "e3m4:fn/e8m0/8", "int4/float32/40"]),
    st.builds(
        "/".join,
        st.tuples(NUMBER_FORMATS, NUMBER_FORMATS, st.sampled_from(["1", "3", "32", "65536", "0", "x"])),
    ),
    NUMBER_FORMATS,
)
INTEGERS = st.one_of(st.integers(-3, 40).map(str), st.integers().map(str), ODD_TEXT)
VALUES = st.one_of(
    st.floats().map(repr),
    st.sampled_from(
        [
            "0x1.8p-3",
            "0x3f800000",
            "-inf",
            "nan",
            "-0",
            "1e400",
            "0x1p99999999",
            "1e-99999999",
            "1_0",
            "٣",
            "1e",
        ]
    ),
    ODD_TEXT,
)
BLOCKS = st.one_of(
    st.from_regex(r"[0-9a-f]{1,3}:[0-9a-f]{1,3}(,[0-9a-f]{1,2}){0,3}", fullmatch=True), ODD_TEXT
)
RULES = st.one_of(st.sampled_from(["exact_fp32", *list_rules()]), ODD_TEXT)
OUTPUTS = st.one_of(
    st.sampled_from(
        [
            f"new{suffix}"
            for suffix in (".npy", ".npz", ".safetensors", ".bin", ".hex", ".txt", ".NPY", ".pt", "")
        ]
    ),
    st.sampled_from(["keep.npy", "dir.npy", "x.npy/y.npy", "none/y.npy", ".", "/dev/null", "good"]),
)
LAYOUTS = st.one_of(st.sampled_from([*mx.list_layouts(), "none"]))
FLAG = st.none()


def _options(options_type: type) -> dict[str, st.SearchStrategy]:
    allowed = choices(options_type)
    found = {
        f"--{name.replace('_', '-')}": st.sampled_from([*values, "none"]) for name, values in allowed.items()
    }
    return found | {"--random-bits": INTEGERS, "--profile": st.sampled_from([*mx.list_profiles(), "none"])}


ENCODE_OPTIONS, QUANTIZE_OPTIONS = _options(mx.EncodeOptions), _options(QuantizeOptions)
OUTPUT_OPTIONS = {"--output": OUTPUTS, "--force": FLAG}
TEXT_OPTIONS = {"--bits": st.sampled_from(["float16", "bfloat16", "float32", "float64", "int"])}
RANDOM = {"--random": st.one_of(INTEGERS, SOURCES), "--rounding": st.just("stochastic")}
FLOAT_OPTIONS = {"--dtype": st.sampled_from(["float16", "float32", "float64", "int8"]), "--hex": FLAG}
JSON_OPTIONS = {"--json": FLAG, "--width": INTEGERS}

# Command -> its positional arguments and its options; None stands for an option without a value.
COMMANDS: dict[tuple[str, ...], tuple[list[st.SearchStrategy], dict[str, st.SearchStrategy]]] = {
    ("encode",): (
        [NUMBER_FORMATS, SOURCES],
        {**ENCODE_OPTIONS, **OUTPUT_OPTIONS, **TEXT_OPTIONS, **RANDOM, "--layout": LAYOUTS},
    ),
    ("decode",): ([NUMBER_FORMATS, SOURCES], {**OUTPUT_OPTIONS, **FLOAT_OPTIONS, "--layout": LAYOUTS}),
    ("quantize",): (
        [BLOCK_FORMATS, SOURCES],
        {
            **QUANTIZE_OPTIONS,
            **OUTPUT_OPTIONS,
            **TEXT_OPTIONS,
            **RANDOM,
            "--layout": LAYOUTS,
            "--axis": st.one_of(INTEGERS, st.just("none")),
            "--tensor-scale": VALUES,
            "--threads": st.sampled_from(["1", "2", "0", "-1", "x", "1000000"]),
            "--scale-position": st.sampled_from(["apart", "first", "last", "none"]),
        },
    ),
    ("dequantize",): (
        [SOURCES],
        {
            **OUTPUT_OPTIONS,
            **FLOAT_OPTIONS,
            "--format": BLOCK_FORMATS,
            "--overflow": st.sampled_from(["infinity", "saturate", "none"]),
        },
    ),
    ("dot",): (
        [SOURCES, SOURCES, st.just("--rule"), RULES],
        {
            **QUANTIZE_OPTIONS,
            **OUTPUT_OPTIONS,
            "--hex": FLAG,
            "--matmul": FLAG,
            "--format": BLOCK_FORMATS,
            "--b-format": BLOCK_FORMATS,
            "--c": st.one_of(VALUES, SOURCES),
        },
    ),
    ("explain", "element"): (
        [NUMBER_FORMATS, VALUES],
        {**ENCODE_OPTIONS, **TEXT_OPTIONS, **JSON_OPTIONS, "--random": INTEGERS},
    ),
    ("explain", "block"): (
        [BLOCK_FORMATS, VALUES],
        {
            **QUANTIZE_OPTIONS,
            **TEXT_OPTIONS,
            **JSON_OPTIONS,
            "--random": INTEGERS,
            "--input": SOURCES,
            "--index": INTEGERS,
            "--axis": INTEGERS,
            "--detail": st.one_of(INTEGERS, st.just("all")),
            "--tensor-scale": VALUES,
        },
    ),
    ("explain", "dot"): (
        [],
        {
            **JSON_OPTIONS,
            "--a-format": BLOCK_FORMATS,
            "--b-format": BLOCK_FORMATS,
            "--a": BLOCKS,
            "--b": BLOCKS,
            "--rule": RULES,
            "--c": VALUES,
            "--vectors": SOURCES,
            "--index": INTEGERS,
        },
    ),
    ("formats",): ([NUMBER_FORMATS], {"--codes": FLAG}),
    ("rules",): ([], {}),
    ("profiles",): ([st.sampled_from([*mx.list_profiles(), "none", ""])], {}),
    ("digests", "list"): ([], {}),
    ("digests", "check"): ([SOURCES], {"--digests": SOURCES}),
    ("vectors",): (
        [
            st.just("--a-format"),
            BLOCK_FORMATS,
            st.just("--rule"),
            RULES,
            st.just("--count"),
            st.sampled_from(["1", "5", "0", "-1", "x", "9" * 30]),
            st.just("--output"),
            OUTPUTS,
        ],
        {
            "--b-format": BLOCK_FORMATS,
            "--multi-block": FLAG,
            "--seed": INTEGERS,
            "--input": SOURCES,
            "--input-b": SOURCES,
        },
    ),
    ("verify",): ([SOURCES], {}),
}


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Return a command line: as the help has it, with good and bad values, then sometimes cut up."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    positional, options = COMMANDS[command]
    arguments = [draw(each) for each in positional]
    for option in (
        draw(st.lists(st.sampled_from(sorted(options)), max_size=4, unique=True)) if options else []
    ):
        value = draw(options[option])
        arguments += [option] if value is None else [option, value]
    line = [*command, *arguments]
    match draw(st.integers(0, 9)):
        case 0:
            del line[draw(st.integers(0, len(line) - 1))]
        case 1:
            line.insert(draw(st.integers(0, len(line))), draw(ODD_TEXT))
        case 2:
            line = draw(st.permutations(line))
    return line


STDIN = st.one_of(
    st.binary(max_size=40),
    st.lists(VALUES, max_size=5).map(lambda tokens: " ".join(tokens).encode("utf-8", "surrogatepass")),
    st.lists(BLOCKS, max_size=3).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")),
    st.just(b"1 2 3"),
)


@cases(700, 45_000)
@given(command_lines(), STDIN)
def test_any_command_line(arguments: list[str], stdin: bytes) -> None:
    # Where a command line is cut up, any word may end up behind --output.
    check(arguments, stdin, may_write=[*arguments, "good"])
    if not Path("good").exists():
        with contextlib.redirect_stdout(io.StringIO()):
            assert cli.main([*VECTORS, "--multi-block"]) == 0


@cases(300, 15_000)
@given(
    st.sampled_from(
        [
            ["encode", "e2m1", "-"],
            ["encode", "e8m0", "-", "--bits", "float64"],
            ["decode", "e4m3", "-"],
            ["encode", "e5m2", "-", "--bits", "bfloat16"],
            ["decode", "e3m2", "-", "--layout", "le"],
            ["quantize", "mxfp8_e4m3", "-"],
            ["dequantize", "-", "--format", "mxfp6_e3m2"],
            ["dot", "-", "x.npy", "--format", "mxint8", "--rule", "exact_fp32"],
        ]
    ),
    st.one_of(
        st.lists(
            st.lists(st.one_of(VALUES, BLOCKS, st.integers(0, 300).map(hex)), max_size=4), max_size=3
        ).map(lambda rows: "\n".join(" ".join(row) for row in rows).encode("utf-8", "surrogatepass")),
        st.binary(max_size=60),
        st.binary(max_size=60).map(lambda data: b"\x93NUMPY" + data),
    ),
)
def test_any_text_on_standard_input(arguments: list[str], stdin: bytes) -> None:
    check(arguments, stdin)


# Damaged files

READ_BY = {
    "npy": [["encode", "e4m3", "FILE"], ["decode", "e5m2", "FILE"], ["quantize", "mxint8", "FILE"]],
    "npz": [
        ["dequantize", "FILE"],
        ["encode", "e4m3", "FILE"],
        ["decode", "e8m0", "FILE:scales"],
        ["dot", "FILE", "FILE", "--rule", "exact_fp32"],
    ],
}
READ_BY["safetensors"] = READ_BY["npz"]


def npy_file(header: str, values: bytes, version: tuple[int, int] = (1, 0)) -> bytes:
    encoded = header.encode("latin1" if version < (3, 0) else "utf-8", "replace")
    length = struct.pack("<H" if version == (1, 0) else "<I", len(encoded))
    return b"\x93NUMPY" + bytes(version) + length + encoded + values


EXTENTS = st.one_of(
    st.integers(0, 5), st.integers(-3, 2**70), st.sampled_from([2**31, 2**62, 2**63, -1, 10**30])
)
SHAPES = st.lists(EXTENTS, max_size=4)
DESCRS = st.sampled_from(
    [
        "<f4",
        "<f8",
        "<f2",
        ">f4",
        "|u1",
        "|i1",
        "<i8",
        ">u2",
        "|O",
        "|V1",
        "|V2",
        "<U3",
        "|S4",
        "<c8",
        "<M8[s]",
        "|b1",
        "<f16",
        "<U2000000000",
        "|V0",
        "<U0",
        "f4,f4",
        "",
        "x",
    ]
)


@st.composite
def npy_files(draw: st.DrawFn) -> bytes:
    """Return a .npy file: a header with anything in it, before a few bytes."""
    shape: object = draw(
        st.one_of(SHAPES.map(tuple), st.sampled_from([None, "x", (1.5,), [2], ("a",), (True,), ((1,),)]))
    )
    fields = {
        "descr": draw(DESCRS),
        "fortran_order": draw(st.sampled_from([False, True, 0, "x"])),
        "shape": shape,
    }
    if draw(st.integers(0, 9)) == 0:
        fields["descr"] = draw(
            st.sampled_from([[("a", "<f4")], [("a", "<f4", (2, 2))], {}, 3, [("a", "|O")]])
        )  # type: ignore[assignment]
    if draw(st.integers(0, 9)) == 0:
        del fields[draw(st.sampled_from(sorted(fields)))]
    header = repr(fields)
    if draw(st.integers(0, 9)) == 0:
        header = draw(
            st.sampled_from(
                ["__import__('os')", "(" * 300, "{" + "'a':" * 200, "[]", "{}", "\0", " " * 70000, "9" * 5000]
            )
        )
    version = draw(st.sampled_from([(1, 0), (2, 0), (3, 0), (1, 0), (4, 0), (0, 0)]))
    size = draw(st.sampled_from([0, 1, 4, 8, 16, 24, 100]))
    return npy_file(header[:65000] if version == (1, 0) else header, bytes(range(size)), version)


@st.composite
def npz_files(draw: st.DrawFn) -> bytes:
    """Return an archive of such files, of good ones and of rubbish, some names twice, some sizes wrong."""
    stream = io.BytesIO()
    names = st.sampled_from(["codes", "scales", "mx_blocks", "blocks", "a", "é", "a/b", "../up", "\n"])
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")
        for _ in range(draw(st.integers(0, 4))):
            content = draw(
                st.one_of(npy_files(), st.binary(max_size=30), st.sampled_from([bytes(5000), GOOD_NPY]))
            )
            method = draw(
                st.sampled_from(
                    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
                )
            )
            archive.writestr(draw(names) + draw(st.sampled_from([".npy", ".npy", ""])), content, method)
    data = bytearray(stream.getvalue())
    central = data.find(b"PK\x01\x02")
    if central >= 0 and draw(st.booleans()):  # the sizes, compressed and not, in the directory
        struct.pack_into(
            "<I", data, central + draw(st.sampled_from([20, 24, 42])), draw(st.integers(0, 2**32 - 1))
        )
    return bytes(data)


@st.composite
def safetensors_files(draw: st.DrawFn) -> bytes:
    """Return a .safetensors file whose header lies: offsets that overlap or leave gaps, shapes, types."""
    entries = []
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(["codes", "scales", "a", "a", "é", "", "__metadata__"]))
        begin, end = draw(EXTENTS), draw(EXTENTS)
        entry: dict[str, object] = {
            "dtype": draw(
                st.sampled_from(["F32", "U8", "BF16", "F8_E4M3", "I64", "BOOL", "F4", "F6_E2M3", "x", ""])
            ),
            "shape": draw(st.one_of(SHAPES, st.just("x"))),
            "data_offsets": draw(
                st.sampled_from([[begin, end], [0, 8], [8, 16], [8, 0], [0], [0.5, 1], "x"])
            ),
        }
        if draw(st.integers(0, 9)) == 0:
            entry[draw(st.sampled_from(["dtype", "more"]))] = draw(st.sampled_from([None, 1, []]))
        entries.append(f"{json.dumps(name)}:{json.dumps(entry)}")
    if draw(st.booleans()):
        entries.append(
            '"__metadata__":' + draw(st.sampled_from(['{"mx_blocks":"{}"}', "{}", "[]", '{"a":1}', "null"]))
        )
    header = ("{" + ",".join(entries) + "}").encode()
    header = draw(
        st.sampled_from([header, header, header, b"[" * 3000, b"{}", b"\xff", b"", b'{"a":' * 1000])
    )
    length = draw(
        st.sampled_from([len(header), len(header), len(header), 0, 2**63, 2**64 - 1, len(header) + 1])
    )
    return struct.pack("<Q", length) + header + bytes(draw(st.sampled_from([0, 8, 16])))


MADE: dict[str, st.SearchStrategy[bytes]] = {
    "npy": npy_files(),
    "npz": npz_files(),
    "safetensors": safetensors_files(),
}
GOOD_NPY = npy_file(repr({"descr": "<f4", "fortran_order": False, "shape": (2, 2)}), bytes(16))
GOOD = {
    "npy": ["x.npy", "codes.npy"],
    "npz": ["q.npz", "packed.npz", "many.npz"],
    "safetensors": ["q.safetensors"],
}


def damaged(draw: Callable, content: bytes) -> bytes:
    """Return the bytes with a few of them changed, removed, doubled or cut off."""
    data = bytearray(content)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.integers(0, 4)):
            case 0 | 1 if data:
                data[at] = draw(st.integers(0, 255))
            case 2:
                del data[at : at + draw(st.integers(0, 9))]
            case 3:
                data[at:at] = data[at : at + draw(st.integers(0, 9))]
            case 4:
                data[at : at + 4] = struct.pack("<I", draw(st.integers(0, 2**32 - 1)))
    if draw(st.integers(0, 3)) == 0:
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@cases(600, 30_000)
@given(st.data())
def test_any_damage_to_an_array_file(data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(sorted(MADE)))
    if data.draw(st.booleans()):
        content = data.draw(MADE[suffix])
    else:
        content = damaged(data.draw, Path(data.draw(st.sampled_from(GOOD[suffix]))).read_bytes())
    name = f"fuzzed.{suffix}"
    # A new file is made many times faster than an old one is emptied.
    Path(name).unlink(missing_ok=True)
    Path(name).write_bytes(content)
    try:
        arguments = data.draw(st.sampled_from(READ_BY[suffix]))
        check([each.replace("FILE", name) for each in arguments])
    finally:
        Path(name).unlink()


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from([2**70, -1, "mxint8"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


def with_json_changed(draw: Callable, value: object) -> object:
    """Return a JSON value with something in it replaced, left out or added."""
    if isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        match draw(st.integers(0, 9)):
            case 0:
                return {name: each for name, each in value.items() if name != key}
            case 1:
                return value | {draw(st.text(max_size=5)): draw(JSON)}
        return value | {key: with_json_changed(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], with_json_changed(draw, value[at]), *value[at + 1 :]]
    if type(value) is int and draw(st.booleans()):
        return value + draw(st.integers(-2, 2))
    return draw(JSON)


@cases(200, 10_000)
@given(st.data())
def test_any_description_of_blocks(data: st.DataObject) -> None:
    with np.load("q.npz") as archive:
        arrays = dict(archive)
    described = with_json_changed(data.draw, json.loads(arrays.pop("mx_blocks").item()))
    try:
        np.savez("fuzzed.npz", mx_blocks=np.array(json.dumps(described)), **arrays)
        check(["dequantize", "fuzzed.npz"])
    finally:
        Path("fuzzed.npz").unlink()


@cases(200, 10_000)
@given(st.data())
def test_any_damage_to_a_vector_directory(data: st.DataObject) -> None:
    shutil.copytree("good", "bad")
    try:
        manifest = json.loads(Path("bad/manifest.json").read_text())
        match data.draw(st.integers(0, 4)):
            case 0:
                file = Path("bad", data.draw(st.sampled_from(sorted(os.listdir("bad")))))
                file.write_bytes(damaged(data.draw, file.read_bytes()))
            case 1 | 2:  # with the digest of the damaged plane, so that its words are what is checked
                plane = data.draw(st.sampled_from(sorted(manifest["planes"])))
                file = Path("bad", f"{plane}.hex")
                content = damaged(data.draw, file.read_bytes())
                file.write_bytes(content)
                manifest["forms"]["hex"][file.name] = hashlib.sha256(content).hexdigest()
                Path("bad/manifest.json").write_text(json.dumps(manifest))
            case 3:
                Path("bad/manifest.json").write_text(json.dumps(with_json_changed(data.draw, manifest)))
            case 4:
                file = Path("bad", data.draw(st.sampled_from(sorted(os.listdir("bad")))))
                file.unlink()
                if data.draw(st.booleans()):
                    file.mkdir()
        command = data.draw(st.sampled_from([["verify", "bad"], ["explain", "dot", "--vectors", "bad"]]))
        check(command)
    finally:
        shutil.rmtree("bad")
