"""The vector directory: what is written is what the format says, and every damage is noticed and named."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact_vectors import PAIRS, code_bits

from refmodel.errors import FileError
from refmodel.vectors.dotset import DotVectors, make_dot_vectors
from refmodel.vectors.files import MANIFEST, read_dot_vectors, write_vectors
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.verify import check_results

PLANES = ("a_elements", "a_scale", "b_elements", "b_scale", "last", "result")


def small_set(a: str = "mxfp6_e2m3", b: str = "mxfp4_e2m1", seed: int = 3) -> DotVectors:
    tensors = [TensorPair("x y", np.ones((2, 40)), np.full((3, 40), 1.5, np.float32))]
    return make_dot_vectors(
        a, b, rule="block32_fp32_add", multi_block=True, count=20, seed=seed, tensors=tensors
    )


@pytest.fixture(scope="module")
def vectors() -> DotVectors:
    return small_set()


@pytest.fixture
def directory(tmp_path: Path, vectors: DotVectors) -> Path:
    return write_vectors(vectors, tmp_path / "set")


# Written


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_every_line_is_the_word_that_the_format_describes(a: str, b: str, tmp_path: Path) -> None:
    vectors = small_set(a, b)
    path = write_vectors(vectors, tmp_path / "set")
    words = {name: (path / f"{name}.hex").read_text().split("\n") for name in PLANES}
    assert all(lines.pop() == "" for lines in words.values())
    for side, blocks in (("a", vectors.a), ("b", vectors.b)):
        bits = code_bits(blocks.format.name)
        for line, codes in zip(words[f"{side}_elements"], blocks.codes.tolist(), strict=True):
            assert line == format(sum(code << (i * bits) for i, code in enumerate(codes)), f"0{8 * bits}x")
        assert words[f"{side}_scale"] == [format(scale, "02x") for scale in blocks.scales.tolist()]
    assert words["last"] == [format(mark, "d") for mark in vectors.last.tolist()]
    assert words["result"] == [format(bits, "08x") for bits in vectors.results.tolist()]


def test_what_is_read_is_what_was_written(directory: Path, vectors: DotVectors) -> None:
    read = read_dot_vectors(directory)
    for mine, theirs in ((read.a, vectors.a), (read.b, vectors.b)):
        assert mine.format == theirs.format
        assert np.array_equal(mine.codes, theirs.codes)
        assert np.array_equal(mine.scales, theirs.scales)
    assert np.array_equal(read.last, vectors.last)
    assert np.array_equal(read.results, vectors.results)
    assert read.results.dtype == np.uint32
    assert (read.rule, read.classes, read.call) == (vectors.rule, vectors.classes, vectors.call)


def test_the_manifest_says_what_the_files_hold(directory: Path, vectors: DotVectors) -> None:
    manifest = json.loads((directory / MANIFEST).read_text())
    assert list(manifest) == [
        *("format", "version", "operation", "a_format", "b_format", "lanes", "rule"),
        *("call", "blocks", "dots", "flags", "classes", "planes", "forms"),
    ]
    assert (manifest["format"], manifest["version"], manifest["operation"]) == (
        "mx-refmodel-vectors",
        4,
        "dot",
    )
    assert (manifest["a_format"], manifest["b_format"]) == ("mxfp6_e2m3", "mxfp4_e2m1")
    assert manifest["blocks"] == int((directory / "last.hex").read_bytes().count(b"\n"))
    assert manifest["dots"] == (directory / "last.hex").read_text().count("1")
    widths = {"a_elements": 192, "a_scale": 8, "b_elements": 128, "b_scale": 8, "last": 1, "result": 32}
    for name, plane in manifest["planes"].items():
        data = (directory / f"{name}.hex").read_bytes()
        assert plane == {
            "direction": "output" if name == "result" else "input",
            "codes": 32 if name.endswith("elements") else 1,
            "bits": widths.pop(name),
            "rows": data.count(b"\n"),
        }
        assert manifest["forms"]["hex"][f"{name}.hex"] == hashlib.sha256(data).hexdigest()
    assert not widths
    assert manifest["call"]["inputs"][0]["b"] == {
        "dtype": "float32",
        "shape": [3, 40],
        "sha256": hashlib.sha256(np.full((3, 40), 1.5, "<f4").tobytes()).hexdigest(),
    }
    assert sum(each["count"] for each in manifest["classes"]) == vectors.dots


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np\n"
        "from refmodel.vectors.dotset import make_dot_vectors\n"
        "from refmodel.vectors.files import write_vectors\n"
        "from refmodel.vectors.pairs import TensorPair\n"
        "x = np.linspace(-3, 3, 640).reshape(10, 64)\n"
        "tensors = [TensorPair('x', x, x[:5])]\n"
        "for multi_block in (False, True):\n"
        "    vectors = make_dot_vectors('mxfp8_e5m2', 'mxint8', rule='exact_fp32', multi_block=multi_block,\n"
        "                               count=1500, seed=11, tensors=tensors)\n"
        "    write_vectors(vectors, f'{sys.argv[1]}/{multi_block}')\n"
    )
    contents = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        environment = os.environ | {"PYTHONHASHSEED": str(len(contents) + 1)}
        subprocess.run([sys.executable, "-c", script, str(tmp_path / name)], check=True, env=environment)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    assert len(contents[0]) == 14
    assert contents[0] == contents[1]


def test_a_written_set_has_the_models_and_the_oracles_results(directory: Path) -> None:
    read = read_dot_vectors(directory)
    assert check_results(read) == read.dots


@pytest.mark.parametrize("oracle_only", [False, True])
def test_a_wrong_result_is_found_by_the_model_and_by_the_oracle(
    directory: Path, monkeypatch: pytest.MonkeyPatch, oracle_only: bool
) -> None:
    read = read_dot_vectors(directory)
    read.results[17] ^= 1
    if oracle_only:  # a model that makes the mistake that the file has
        monkeypatch.setattr("refmodel.vectors.dotset.dot_results", lambda *_: read.results.copy())
    judge = "oracle" if oracle_only else "model"
    with pytest.raises(
        FileError, match=rf"^result: word 18 is .*the {judge} gives .*1 of {read.dots} differ"
    ):
        check_results(read)


# Replaced or refused


def test_a_vector_directory_is_replaced_as_a_whole(directory: Path) -> None:
    other = small_set("mxint8", "mxint8")
    write_vectors(other, directory)
    assert read_dot_vectors(directory).a.format.name == "mxint8"
    assert sorted(os.listdir(directory)) == sorted([MANIFEST, *(f"{name}.hex" for name in PLANES)])
    assert os.listdir(directory.parent) == ["set"]


def test_missing_folders_are_made_and_an_empty_one_is_used(tmp_path: Path, vectors: DotVectors) -> None:
    write_vectors(vectors, tmp_path / "a" / "b" / "set")
    (tmp_path / "empty").mkdir()
    write_vectors(vectors, tmp_path / "empty")
    assert read_dot_vectors(tmp_path / "empty").dots == read_dot_vectors(tmp_path / "a/b/set").dots == vectors.dots
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o777 & ~mask


@pytest.mark.parametrize("content", ["file", "notes.txt", "foreign manifest", "broken manifest", "extra"])
def test_what_is_not_ours_is_left_as_it_is(content: str, tmp_path: Path, vectors: DotVectors) -> None:
    target = tmp_path / "set"
    if content == "file":
        target.write_text("mine")
    elif content == "extra":
        write_vectors(vectors, target)
        (target / "notes.txt").write_text("mine")
    else:
        target.mkdir()
        text = {"foreign manifest": '{"format": "other"}', "broken manifest": "{"}.get(content)
        (target / ("notes.txt" if text is None else MANIFEST)).write_text(text or "mine")
    before = _snapshot(tmp_path)
    with pytest.raises(
        FileError, match=r"set: (is a file|exists and is not a vector|also holds 'notes.txt')"
    ):
        write_vectors(vectors, target)
    assert _snapshot(tmp_path) == before


@pytest.mark.parametrize("failing", ["open", "first rename", "second rename"])
def test_a_failure_leaves_the_old_set_and_nothing_else(
    failing: str, directory: Path, vectors: DotVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _snapshot(directory.parent)
    calls = []
    real_rename = Path.rename

    def rename(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == {"first rename": 1, "second rename": 2}.get(failing):
            raise OSError(28, "No space left on device")
        return real_rename(self, target)

    def refuse(*_: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", rename)
    if failing == "open":
        monkeypatch.setattr("refmodel.vectors.forms.hex_lines", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_vectors(vectors, directory)
    monkeypatch.undo()
    assert _snapshot(directory.parent) == before


def _snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


# Damaged planes


def edit(path: Path, change: Any) -> None:
    path.write_bytes(change(path.read_bytes()))


def other_digit(data: bytes) -> bytes:
    """Return *data* with its last digit changed to another."""
    return data[:-2] + (b"1" if data[-2:-1] == b"0" else b"0") + data[-1:]


@pytest.mark.parametrize("name", PLANES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            other_digit,
            r"{name}\.hex: SHA-256 is [0-9a-f]{{64}}, but manifest\.json field forms\.hex\.{name}\.hex says",
        ),
        (lambda data: data[:-2] + b"G\n", r"{name}\.hex: line {rows} is '.*G\\n'; expected a \d+-bit word"),
        (lambda data: b"A" + data[1:], r"{name}\.hex: line 1 is 'A.*'; expected a \d+-bit word"),
        (
            lambda data: data[:-1],
            r"{name}\.hex: ends in the middle of line {rows}; manifest\.json says {rows} rows",
        ),
        (
            lambda data: data[: data.index(b"\n") + 1],
            r"{name}\.hex: ends after line 1; manifest\.json says {rows} rows",
        ),
        (lambda data: b"", r"{name}\.hex: ends after line 0; manifest\.json says {rows} rows"),
        (lambda data: data + data[: data.index(b"\n") + 1], r"{name}\.hex: line {extra} is one too many"),
        (lambda data: b"0" + data, r"{name}\.hex: line 1 is '0.*', \d+ characters; expected \d+"),
        (
            lambda data: data.replace(b"\n", b"\r\n"),
            r"{name}\.hex: line 1 is '.*\\r', \d+ characters; expected",
        ),
        (lambda data: data.replace(b"\n", b" "), r"{name}\.hex: line 1 is '.* '; expected"),
        (lambda data: data.replace(b"\n", b" ", 1), r"{name}\.hex: line 1 is '.* '; expected"),
        (lambda data: b"\xff" + data[1:], r"{name}\.hex: line 1 is '\\\\xff"),
    ],
    ids=[
        *("edited digit", "not a digit", "upper case", "no last newline", "one line", "empty", "extra line"),
        *("extra digit", "CRLF", "one long line", "lost newline", "not text"),
    ],
)
def test_a_damaged_plane_is_named_with_its_line_or_field(
    name: str, change: Any, message: str, directory: Path, vectors: DotVectors
) -> None:
    rows = vectors.dots if name == "result" else vectors.blocks
    edit(directory / f"{name}.hex", change)
    with pytest.raises(FileError, match=message.format(name=name, rows=rows, extra=rows + 1)) as caught:
        read_dot_vectors(directory)
    assert "\n" not in str(caught.value)


def test_a_word_too_large_for_its_width_is_named(directory: Path) -> None:
    edit(directory / "last.hex", lambda data: b"2" + data[1:])
    with pytest.raises(FileError, match=r"last\.hex: line 1 is '2\\n'; expected a 1-bit word"):
        read_dot_vectors(directory)


def test_a_missing_plane_and_a_missing_directory_are_named(directory: Path) -> None:
    (directory / "b_scale.hex").unlink()
    with pytest.raises(FileError, match=r"b_scale\.hex: cannot be read: No such file"):
        read_dot_vectors(directory)
    with pytest.raises(FileError, match=r"nowhere/manifest\.json: cannot be read: No such file"):
        read_dot_vectors(directory / "nowhere")


def test_marks_that_do_not_make_the_dots_are_named(directory: Path, vectors: DotVectors) -> None:
    """The digest is made to match, so that the mistake itself is what is found."""
    data = bytearray((directory / "last.hex").read_bytes())
    several = int(np.flatnonzero(~vectors.last)[0])
    for change, message in (
        ([(several, b"1")], r"last\.hex: marks \d+ last blocks, but manifest\.json field dots says"),
        (
            [(several, b"1"), (vectors.blocks - 1, b"0")],
            r"last\.hex: line \d+ is 0; the last of the blocks of the file must end",
        ),
    ):
        changed = bytearray(data)
        for row, mark in change:
            changed[2 * row : 2 * row + 1] = mark
        (directory / "last.hex").write_bytes(changed)
        _edit_manifest(directory, ["forms", "hex", "last.hex"], hashlib.sha256(changed).hexdigest())
        with pytest.raises(FileError, match=message):
            read_dot_vectors(directory)


# Damaged manifests

DELETE = object()


def _edit_manifest(directory: Path, path: list[Any], value: Any) -> None:
    manifest = json.loads((directory / MANIFEST).read_text())
    *parents, key = path
    inner = manifest
    for parent in parents:
        inner = inner[parent]
    if value is DELETE:
        del inner[key]
    else:
        inner[key] = value
    (directory / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], "wavedrom", 'field format is "wavedrom"; expected "mx-refmodel-vectors"'),
        (["format"], DELETE, "field format is missing"),
        (["version"], 2, "field version is 2; expected 4"),
        (["version"], True, "field version is true; expected 4"),
        (["version"], 3.0, "field version is 3.0; expected 4"),
        (["operation"], "add", 'field operation is "add"; expected one of "dot"'),
        (["a_format"], "mxfp9", "field a_format is wrong: unknown block format 'mxfp9'; choose one of"),
        (["a_format"], "mxint8", "field planes.a_elements.bits is 192; expected 256"),
        (["b_format"], 4, "field b_format is 4; expected a name"),
        (["rule"], "nearest", "field rule is wrong: unknown accumulation rule 'nearest'; choose one of"),
        (["rule"], DELETE, "field rule is missing"),
        (["rule"], {"name": "x"}, "field rule is wrong: accumulation rule: missing field"),
        (["lanes"], 16, "field lanes is 16; expected 32"),
        (["call", "initial_values"], True, "field planes.c is missing"),
        (["planes", "last", "direction"], "output", 'field planes.last.direction is "output"; expected "input"'),
        (["blocks"], 0, "field blocks is 0; expected a positive integer"),
        (["blocks"], "10", 'field blocks is "10"; expected a positive integer'),
        (["blocks"], 10**6, "field planes.a_elements.rows is {blocks}; expected 1000000"),
        (["dots"], 10**6, "field dots is 1000000, more than blocks, {blocks}"),
        (["dots"], 3, "field classes cover {dots} dots; field dots says 3"),
        (["extra"], 1, "field extra is unknown; the keys here are format, version"),
        (["call"], [], "field call is []; expected an object"),
        (["call", "seed"], -1, "field call.seed is -1; expected a non-negative integer"),
        (["call", "count"], 0, "field call.count is 0; expected a positive integer"),
        (["call", "multi_block"], 1, "field call.multi_block is 1; expected true or false"),
        (["call", "inputs"], {}, "field call.inputs is {}; expected a list"),
        (["call", "inputs", 0], 7, "field call.inputs[0] is 7; expected an object"),
        (["call", "inputs", 0, "label"], 7, "field call.inputs[0].label is 7; expected text"),
        (
            ["call", "inputs", 0, "a", "shape"],
            [3],
            "field call.inputs[0].a.shape is [3]; expected two positive",
        ),
        (["call", "inputs", 0, "a", "dtype"], None, "field call.inputs[0].a.dtype is null; expected text"),
        (["call", "inputs", 0, "b", "sha256"], "ab", 'field call.inputs[0].b.sha256 is "ab"; expected 64'),
        (["call", "inputs", 0, "b", "sha256"], DELETE, "field call.inputs[0].b.sha256 is missing"),
        (
            ["call", "when"],
            "now",
            "field call.when is unknown; the keys here are seed, count, multi_block, initial_values, inputs, shard",
        ),
        (["call", "shard"], [2, 2], "field call.shard is [2, 2]; expected two integers"),
        (["classes"], "all", 'field classes is "all"; expected a list'),
        (["classes", 0], 1, "field classes[0] is 1; expected an object"),
        (["classes", 1, "first"], 0, "field classes[1].first is 0; expected {first}"),
        (["classes", 1, "count"], -1, "field classes[1].count is -1; expected a non-negative integer"),
        (
            ["classes", 1, "name"],
            "exhaustive",
            "field classes[1].name is 'exhaustive', like that of a class before",
        ),
        (["classes", 1, "description"], DELETE, "field classes[1].description is missing"),
        (["classes", 1, "why"], "", "field classes[1].why is unknown"),
        (["planes", "last"], DELETE, "field planes.last is missing"),
        (["planes", "c_scale"], {}, "field planes.c_scale is unknown; the keys here are a_elements, a_scale"),
        (["planes", "last"], "last.hex", 'field planes.last is "last.hex"; expected an object'),
        (["planes", "last", "file"], "../last.hex", "field planes.last.file is unknown; the keys here are direction"),
        (["planes", "last", "codes"], 2, "field planes.last.codes is 2; expected 1"),
        (["forms"], {}, 'field forms is empty; expected one of "hex"'),
        (["forms", "xml"], {}, 'field forms.xml is unknown; expected one of "hex"'),
        (["forms", "hex"], [], "field forms.hex is []; expected an object"),
        (["forms", "hex", "../x"], "", "field forms.hex.../x is unknown; the keys here are a_elements.hex"),
        (["forms", "hex", "last.hex"], DELETE, "field forms.hex.last.hex is missing"),
        (["planes", "last", "bits"], 2, "field planes.last.bits is 2; expected 1"),
        (["planes", "result", "rows"], 2, "field planes.result.rows is 2; expected {dots}"),
        (["forms", "hex", "result.hex"], "0" * 63 + "G", "field forms.hex.result.hex is"),
        (["forms", "hex", "result.hex"], "0" * 64, "manifest.json field forms.hex.result.hex says 0000"),
        (["planes", "result", "rows"], DELETE, "field planes.result.rows is missing"),
        (["planes", "result", "mode"], "hex", "field planes.result.mode is unknown"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, list) and value else None,
)
def test_a_wrong_field_of_the_manifest_is_named(
    path: list[Any], value: Any, message: str, directory: Path, vectors: DotVectors
) -> None:
    _edit_manifest(directory, path, value)
    with pytest.raises(FileError) as caught:
        read_dot_vectors(directory)
    known = {"blocks": vectors.blocks, "dots": vectors.dots, "first": vectors.classes[1].first}
    for name, number in known.items():
        message = message.replace(f"{{{name}}}", str(number))
    assert message in str(caught.value)
    assert str(directory) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "line 1: not valid JSON: Expecting value"),
        (b'{\n "format": "x",\n}', "not valid JSON"),
        (b'{\n "a": 1\n "b": 2}', "line 3: not valid JSON: Expecting ',' delimiter"),
        (b"[]", "holds []; expected an object"),
        (b"\xff\xfe{}", "not UTF-8 text: invalid start byte at byte 0"),
        (b'{"format": 1, "format": 2}', "key 'format' occurs twice in one object"),
        (b"[" * 200_000, "not valid JSON"),
        (b'{"version": ' + b"9" * 5000 + b"}", "not valid JSON"),
    ],
)
def test_a_manifest_that_is_not_json_is_refused(data: bytes, message: str, directory: Path) -> None:
    (directory / MANIFEST).write_bytes(data)
    with pytest.raises(FileError) as caught:
        read_dot_vectors(directory)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_cut_of_the_manifest_is_refused(directory: Path) -> None:
    data = (directory / MANIFEST).read_bytes()
    for length in range(0, len(data) - 1, 97):
        (directory / MANIFEST).write_bytes(data[:length])
        with pytest.raises(FileError):
            read_dot_vectors(directory)
