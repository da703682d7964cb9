"""Reading and replaying recordings: an archive of made-up ones in the layout of the real one.

What was recorded is computed by the oracle, so a replay through the model must match it.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refmodel.elements import decode_table
from refmodel.errors import FileError
from refmodel.formats import E8M0
from refmodel.operands import OPERAND_FORMATS
from refmodel.oracle import machines
from refmodel.oracle.rules import Vector
from silicon import __main__ as command
from silicon import fetch as fetching
from silicon.recordings import Recording, codes_of_float32, read_archive, read_folder
from silicon.replay import replay

E4M3, E5M2 = OPERAND_FORMATS["e4m3"], OPERAND_FORMATS["e5m2"]


def results(machine: str, element_a: Any, a: Any, element_b: Any, b: Any, c: Any) -> Any:
    """Return the uint32 results of rows of codes."""
    rows = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    return np.array(
        [machines.dot(machine, Vector(element_a, x), Vector(element_b, y), z) for x, y, z in rows], np.uint32
    )


def operands(seed: int, shape: tuple[int, ...]) -> Any:
    """Codes without NaN and Inf in either format, of magnitudes that differ."""
    return np.random.default_rng(seed).integers(0, 0x7C, shape).astype(np.uint8) | (
        np.random.default_rng(seed + 1).integers(0, 2, shape) << 7
    ).astype(np.uint8)


def initial(seed: int, shape: tuple[int, ...]) -> Any:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * 1000).astype(np.float32).view(np.uint32)


def npz(arrays: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def members() -> dict[str, bytes]:
    """Return the files of an archive: two recordings of instructions, a case of another kind, a toolbox."""
    a, b, c = operands(1, (2, 4, 32)), operands(2, (2, 3, 32)), initial(3, (2, 4, 3))
    wide = (2, 4, 3, 32)
    rows_a = np.broadcast_to(a[:, :, None], wide).reshape(-1, 32)
    rows_b = np.broadcast_to(b[:, None], wide).reshape(-1, 32)
    tile = results("nv_ada_fp8", E4M3, rows_a, E5M2, rows_b, c.reshape(-1)).reshape(c.shape)
    v, w, start = operands(4, (30, 16)), operands(5, (30, 16)), initial(6, (30,))
    vector = results("nv_ada_fp8", E4M3, v, E4M3, w, start)

    def case(name: str, layout: str, fmt_b: str, keys: str) -> dict[str, Any]:
        return {
            "id": name,
            "kind": "mma",
            "params": {"fmt_a": "e4m3", "fmt_b": fmt_b, "layout": layout, "preset": "ada", "K": 32},
            "inputs": {x: ["c.npz", keys + x] for x in "abc"},
            "expect": {"bits": ["c.npz", keys + "d"], "dtype": "float32"},
        }

    index = {
        "format": "mmaemu-hwmini/1",
        "cases": [
            case("one", "tile", "e5m2", "t"),
            {"id": "two", "kind": "gemm", "outputs": []},
            case("three", "vector", "e4m3", "v"),
        ],
    }
    arrays = {"ta": a, "tb": b, "tc": c, "td": tile, "va": v, "vb": w, "vc": start, "vd": vector}
    p, q, zero = operands(7, (20, 32)) & 0xBF, operands(8, (20, 32)) & 0xBF, np.zeros(20, np.uint32)
    toolbox = {
        name: values
        for machine, rule, c20 in (
            ("Ada", "nv_ada_fp8", initial(9, (20,))),
            ("H100", "nv_hopper_fp8_fast", zero),
        )
        for name, values in (
            (f"{machine}a", bits_of(p)),
            (f"{machine}b", bits_of(q)),
            (f"{machine}c", c20 if machine == "Ada" else initial(9, (20,))),
            (f"{machine}d", results(rule, E4M3, p, E4M3, q, c20)),
        )
    }
    sets = [{"gpu": g, "fmt": "e4m3", **{x: g + x for x in "abcd"}} for g in ("Ada", "H100")]
    sets.append({"gpu": "B200", "fmt": "e4m3", **{x: "Ada" + x for x in "abcd"}})
    return {
        "tests/data/hw_mini/index.json": json.dumps(index).encode(),
        "tests/data/hw_mini/c.npz": npz(arrays),
        "tests/data/toolbox/SOURCES.json": json.dumps(
            {"format": "mmaemu-toolbox-vectors/1", "sets": sets}
        ).encode(),
        "tests/data/toolbox/vectors.npz": npz(toolbox),
    }


def bits_of(codes: Any) -> Any:
    """Return E4M3 codes as the Float32 bits of their values."""
    return decode_table(E4M3)[codes].astype(np.float32).view(np.uint32)


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package-1/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("silicon") / "a.tar.gz", members())


def test_every_recording_is_read_and_matches(archive):
    recordings = list(read_archive(archive))
    assert [(r.machine, r.rule, r.a.shape, len(r.d)) for r in recordings] == [
        ("RTX 4060, tiles", "nv_ada_fp8", (24, 32), 24),
        ("RTX 4060, vectors", "nv_ada_fp8", (30, 16), 30),
        ("Ada, toolbox", "nv_ada_fp8", (20, 32), 20),
        ("H100, toolbox", "nv_hopper_fp8_fast", (20, 32), 20),
    ]
    for recording in recordings:
        found = replay(recording)
        assert (found.outputs, found.mismatches) == (len(recording.d), 0), found.first


def test_the_command_prints_counts_and_notices_a_wrong_bit(archive, tmp_path, capsys):
    assert command.main(["--archive", str(archive), "--recordings", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "94 outputs read" in text
    assert "Every output matches, and every wrong rule is noticed." in text
    assert "12 fraction bits, not 13" in text

    files = members()
    with np.load(io.BytesIO(files["tests/data/hw_mini/c.npz"])) as loaded:
        arrays = dict(loaded)
    arrays["td"][1, 2, 1] ^= 1
    damaged = write_archive(tmp_path / "b.tar.gz", {**files, "tests/data/hw_mini/c.npz": npz(arrays)})
    assert command.main(["--archive", str(damaged), "--recordings", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "first: one, output 19: recorded 0x" in text
    assert "FAILED" in text


def test_further_recordings_are_read_from_a_folder(tmp_path, archive, capsys):
    a, b, c = operands(1, (5, 64)), operands(2, (5, 64)), initial(3, (5,))
    scales = np.full((5, 2), 130, np.uint8)
    rows = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    d = [
        machines.dot(
            "nv_mxf8f6f4",
            *(Vector(E4M3, x, E8M0, [130, 130], 32) for x in (u, v)),
            start,
        )
        for u, v, start in rows
    ]
    fields = {"rule": "nv_mxf8f6f4", "element_a": "e4m3", "element_b": "e4m3", "a": a, "b": b, "c": c}
    np.savez(tmp_path / "probe.npz", **fields, d=np.array(d, np.uint32), scales_a=scales, scales_b=scales)
    [recording] = read_folder(tmp_path)
    assert (recording.name, recording.machine) == ("probe", "probe")
    assert replay(recording).mismatches == 0
    assert command.main(["--archive", str(archive), "--recordings", str(tmp_path)]) == 0
    assert "probe                   nv_mxf8f6f4" in capsys.readouterr().out
    assert list(read_folder(tmp_path / "none")) == []
    assert command.main(["--archive", str(archive), "--recordings", str(tmp_path / "none")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_what_is_not_a_recording_is_refused(tmp_path, capsys):
    with pytest.raises(FileError, match=r"none\.tar\.gz"):
        list(read_archive(tmp_path / "none.tar.gz"))
    (tmp_path / "text.tar.gz").write_text("no archive")
    with pytest.raises(FileError, match=r"text\.tar\.gz"):
        list(read_archive(tmp_path / "text.tar.gz"))
    files = members()
    index = json.loads(files["tests/data/hw_mini/index.json"])
    for change, message in (
        ({"format": "mmaemu-hwmini/2"}, "this reads 'mmaemu-hwmini/1'"),
        ({"cases": [{"kind": "mma"}]}, "not the layout"),
        ({"cases": [{**index["cases"][0], "inputs": {x: ["c.npz", "no"] for x in "abc"}}]}, "not the layout"),
    ):
        changed = json.dumps({**index, **change}).encode()
        path = write_archive(tmp_path / "c.tar.gz", {**files, "tests/data/hw_mini/index.json": changed})
        with pytest.raises(FileError, match=message):
            list(read_archive(path))
    assert command.main(["--archive", str(path), "--recordings", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_damaged_files_of_a_folder_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    path.write_text("no zip")
    with pytest.raises(FileError, match=r"x\.npz"):
        list(read_folder(tmp_path))
    np.savez(path, a=np.zeros(1))
    with pytest.raises(FileError, match="no rule, element_a"):
        list(read_folder(tmp_path))
    a, c = np.zeros((3, 4), np.uint8), np.zeros(3, np.uint32)
    for wrong in ({"c": c[:2]}, {"b": a[:, :2]}, {"d": c.astype(np.int64)}, {"scales_a": np.zeros((3, 2))}):
        with pytest.raises(FileError, match="must be"):
            Recording(
                **{"name": "x", "machine": "m", "rule": "r", "element_a": "e4m3", "element_b": "e4m3",
                   "a": a, "b": a, "c": c, "d": c, **wrong}
            )  # fmt: skip


def test_operands_must_be_values_of_the_format():
    assert codes_of_float32("e4m3", np.array([0x3F800000, 0x80000000, 0xC3E00000], np.uint32)).tolist() == [
        0x38,
        0x80,
        0xFE,
    ]
    with pytest.raises(FileError, match="not values of e4m3"):
        codes_of_float32("e4m3", np.array([0x3F800001], np.uint32))


def test_the_download_is_checked(tmp_path, monkeypatch):
    """Without a network: what pip does is replaced, the digest is checked."""

    def failing(*arguments: Any, **options: Any) -> Any:
        return subprocess.CompletedProcess(arguments, 1, "", "note\nERROR: No matching distribution\n")

    monkeypatch.setattr(fetching.subprocess, "run", failing)
    with pytest.raises(FileError, match=r"cannot download mmaemu==0\.1\.0: ERROR: No matching distribution"):
        fetching.fetch(tmp_path / "new")
    (tmp_path / fetching.ARCHIVE).write_bytes(b"other")
    with pytest.raises(FileError, match="SHA-256"):
        fetching.fetch(tmp_path)
    monkeypatch.setattr(fetching, "SHA256", hashlib.sha256(b"other").hexdigest())
    assert fetching.fetch(tmp_path) == tmp_path / fetching.ARCHIVE
