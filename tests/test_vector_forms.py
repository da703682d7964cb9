"""Every form of a vector directory holds the whole set, and every damage to it is noticed and named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from refmodel.errors import DefinitionError, FileError, UnknownNameError
from refmodel.vectors.conversions import make_dequantize_vectors, make_quantize_vectors
from refmodel.vectors.dotset import make_dot_vectors
from refmodel.vectors.files import MANIFEST, read_vectors, write_vectors
from refmodel.vectors.forms import FORMS
from refmodel.vectors.packings import PackVectors, UnpackVectors, make_pack_vectors
from refmodel.vectors.singles import make_decode_vectors, make_encode_vectors
from refmodel.vectors.tiles import make_tile_vectors
from refmodel.vectors.vectorset import VectorSet, pack_words

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "vectors" / "manifest.schema.json").read_text())

SETS: dict[str, Callable[[], VectorSet]] = {
    "dot": lambda: make_dot_vectors(
        "mxfp6_e3m2", "mxint8", rule="block32_exact_fused", multi_block=True, initial_values=True, count=20, seed=1
    ),
    "matmul_tile": lambda: make_tile_vectors(
        "mxfp4_e2m1", "mxfp4_e2m1", rule="exact_fp32", rows=2, columns=3, count=5, seed=1
    ),
    "quantize": lambda: make_quantize_vectors("nvfp4", input_format="bf16", count=50, seed=1),
    "dequantize": lambda: make_dequantize_vectors("mxfp6_e2m3", count=50, seed=1),
    "decode": lambda: make_decode_vectors("e8m0", count=1, seed=1),
    "encode": lambda: make_encode_vectors("e2m1", input_format="bf16", count=50, seed=1),
    "pack": lambda: make_pack_vectors("mxfp6_e3m2", scale_position="first", count=1, seed=1, kind=PackVectors),
    "unpack": lambda: make_pack_vectors("mxfp4_e2m1", layout="ggml", count=1, seed=1, kind=UnpackVectors),
}

# Of the words of all planes, in the order of their names.
GOLDEN = {
    "mxfp8_e4m3": "d892164583c2ff26",
    "mxfp6_e3m2": "259aeedbbb1078af",
    "nvfp4": "42adacc3ddbb81dc",
    "mxint8": "ac4c176a1d863ee4",
}


@pytest.fixture(scope="module", params=list(SETS))
def vectors(request: pytest.FixtureRequest) -> VectorSet:
    return SETS[request.param]()


@pytest.mark.parametrize("form", list(FORMS))
def test_a_form_alone_is_the_set(form: str, vectors: VectorSet, tmp_path: Path) -> None:
    read = read_vectors(write_vectors(vectors, tmp_path / "set", [form]))
    assert {path.suffix for path in (tmp_path / "set").iterdir()} == {f".{form}", ".json"}
    for mine, theirs in zip(vectors.planes(), read.planes(), strict=True):
        assert (mine.name, mine.shape) == (theirs.name, theirs.shape)
        assert np.array_equal(mine.codes, theirs.codes)
    assert (read.classes, read.call, read.parameters()) == (vectors.classes, vectors.call, vectors.parameters())


def test_all_forms_stand_together_and_others_can_read_them(tmp_path: Path) -> None:
    vectors = SETS["dot"]()
    path = write_vectors(vectors, tmp_path / "set", list(FORMS))
    read_vectors(path)
    planes = {plane.name: plane for plane in vectors.planes()}
    with np.load(path / "vectors.npz") as arrays:
        assert all(np.array_equal(arrays[name], plane.codes) for name, plane in planes.items())
    words = np.fromfile(path / "a_elements.bin", np.uint8).reshape(-1, 24)
    assert int.from_bytes(words[7], "little") == int((path / "a_elements.hex").read_text().split()[7], 16)
    assert np.array_equal(np.fromfile(path / "result.bin", "<u4"), planes["result"].codes[:, 0])
    lines = [json.loads(line) for line in (path / "vectors.jsonl").read_text().splitlines()]
    number = next(i for i, line in enumerate(lines) if len(line["a_elements"]) > 1)
    rows = vectors.rows_of(number)
    assert lines[number]["b_elements"] == planes["b_elements"].codes[rows].tolist()
    assert lines[number]["c"] == planes["c"].codes[number, 0]
    assert lines[number]["class"] == vectors.class_of(number).name
    table = [line.split(",") for line in (path / "vectors.csv").read_text().splitlines()]
    assert table[0] == ["vector", "class", *planes]
    assert table[1 + rows.start][2] == (path / "a_elements.hex").read_text().split()[rows.start]
    assert (table[1 + rows.start][-1], table[rows.stop][-1]) == ("", f"{lines[number]['result']:08x}")


@pytest.mark.parametrize("bits", [4, 6, 1, 3])
def test_words_are_packed_without_gaps(bits: int) -> None:
    codes = np.random.default_rng(bits).integers(0, 1 << bits, (5, 32)).astype(np.uint8)
    for row, words in zip(codes.tolist(), pack_words(codes, bits), strict=True):
        assert int.from_bytes(words.tobytes(), "little") == sum(code << i * bits for i, code in enumerate(row))


@pytest.mark.parametrize(
    ("form", "file", "damage", "message"),
    [
        ("bin", "c.bin", lambda data: data[:-1], r"c\.bin: has \d+ bytes; \d+ words of 4 bytes are"),
        ("bin", "last.bin", lambda data: b"\2" + data[1:], r"last\.bin: word 1 is 02; expected a 1-bit word"),
        ("bin", "c.bin", lambda data: b"\2" + data[1:], r"c\.bin: SHA-256 is .* field forms\.bin\.c\.bin says"),
        ("npz", "vectors.npz", lambda data: data[:-1], r"vectors\.npz: SHA-256 is"),
        ("npz", "vectors.npz", lambda data: b"", r"vectors\.npz: SHA-256 is"),
        ("jsonl", "vectors.jsonl", lambda data: data[:-3], r"vectors\.jsonl: SHA-256 is"),
        ("csv", "vectors.csv", lambda data: data.replace(b"f", b"e", 1), r"vectors\.csv: SHA-256 is"),
    ],
)
def test_damage_is_named(form: str, file: str, damage: Any, message: str, tmp_path: Path) -> None:
    path = write_vectors(SETS["dot"](), tmp_path / "set", [form])
    (path / file).write_bytes(damage((path / file).read_bytes()))
    with pytest.raises(FileError, match=message):
        read_vectors(path)


@pytest.mark.parametrize(
    ("form", "damage", "message"),
    [
        ("npz", lambda data: b"PK" + data[4:], "not an .npz file of arrays"),
        ("jsonl", lambda data: data.replace(b"vector", b"number", 1), "line 1 is not a vector of this set"),
        ("jsonl", lambda data: data.replace(b"[[0,", b"[[256,", 1), "row 1 has a code that is not of 6 bits"),
        ("jsonl", lambda data: data.replace(b"[[0,", b"[[", 1), "a_elements does not hold rows of 32 codes"),
        ("jsonl", lambda data: data[: data.index(b"\n") + 1], r"a_elements is \[1, 32\]; expected"),
        ("csv", lambda data: data.replace(b"class", b"kind", 1), "its columns are vector, kind"),
        ("csv", lambda data: data.replace(b",7f,", b",xy,", 1), "column a_scale: not hex digits"),
        ("csv", lambda data: data[: data.rindex(b"\n", 0, -1) + 1], r"column a_elements has \d+ words; expected"),
    ],
)
def test_damage_that_the_digest_does_not_show_is_named(form: str, damage: Any, message: str, tmp_path: Path) -> None:
    path = write_vectors(SETS["dot"](), tmp_path / "set", [form])
    file = path / f"vectors.{form}"
    _put(path, form, file.name, damage(file.read_bytes()))
    with pytest.raises(FileError, match=message) as caught:
        read_vectors(path)
    assert file.name in str(caught.value)


def test_forms_that_differ_are_noticed(tmp_path: Path) -> None:
    path = write_vectors(SETS["dot"](), tmp_path / "set", ["hex", "bin"])
    data = bytearray((path / "result.bin").read_bytes())
    data[4 * 6] ^= 1
    _put(path, "bin", "result.bin", bytes(data))
    with pytest.raises(FileError, match="word 7 of plane result is one in form hex, another in form bin"):
        read_vectors(path)


def _put(path: Path, form: str, file: str, data: bytes) -> None:
    """Change a file and the digest that the manifest has of it."""
    (path / file).write_bytes(data)
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["forms"][form][file] = hashlib.sha256(data).hexdigest()
    (path / MANIFEST).write_text(json.dumps(manifest))


def test_forms_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    vectors = SETS["dequantize"]()
    with pytest.raises(UnknownNameError, match="unknown form 'xml'; choose one of"):
        write_vectors(vectors, tmp_path / "set", ["xml"])
    for forms in ([], ["hex", "hex"]):
        with pytest.raises(DefinitionError, match="give one or more of hex, bin, npz, jsonl, csv, each once"):
            write_vectors(vectors, tmp_path / "set", forms)
    assert not list(tmp_path.iterdir())


def test_the_manifest_follows_the_published_schema(vectors: VectorSet, tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    path = write_vectors(vectors, tmp_path / "set", list(FORMS))
    text = (path / MANIFEST).read_text()
    validator.validate(json.loads(text))
    required = [*SCHEMA["required"], *vectors.parameters(), *vectors.counts()]
    for key in required:
        manifest = json.loads(text)
        del manifest[key]
        assert not validator.is_valid(manifest), key
    for change in (
        lambda m: m.update(extra=1),
        lambda m: m["planes"].popitem()[1].update(x=1) or m["planes"].update(y={}),
        lambda m: m["forms"].update(xml={}),
        lambda m: m["forms"]["npz"].update({"vectors.npz": "0"}),
        lambda m: m["call"].update(seed=-1),
        lambda m: m["classes"][0].update(count="1"),
        lambda m: m["classes"][0].update(flags=[1]),
        lambda m: next(iter(m["flags"].values())).update(outcome="perhaps"),
        lambda m: m.update(acceptable={"undeclared": [], "vectors": 0, "sha256": "0" * 64}),
    ):
        manifest = json.loads(text)
        change(manifest)
        assert not validator.is_valid(manifest)


def test_calls_give_the_words_that_they_gave() -> None:
    """Fixed answers: if they change, every set in the world changes."""
    made: list[VectorSet] = [
        make_dot_vectors("mxfp8_e4m3", "mxfp8_e4m3", rule="exact_fp32", count=3000, seed=1),
        make_dot_vectors(
            "mxfp6_e3m2",
            "mxint8",
            rule="block32_exact_fused",
            multi_block=True,
            initial_values=True,
            count=1500,
            seed=1,
        ),
        make_quantize_vectors("nvfp4", input_format="bf16", count=2000, seed=1),
        make_tile_vectors("mxint8", "mxint8", rule="exact_fp32", rows=2, columns=3, count=200, seed=1),
    ]
    for (name, golden), vectors in zip(GOLDEN.items(), made, strict=True):
        digest = hashlib.sha256()
        for plane in sorted(vectors.planes(), key=lambda plane: plane.name):
            digest.update(FORMS["hex"].encode(plane.words(), plane.bits))  # type: ignore[attr-defined]
        assert digest.hexdigest()[:16] == golden, name
