"""Large sets of every operation come in pieces: shards join to the whole, pieces are right, files verify."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refmodel import cli
from refmodel.errors import DefinitionError, FileError
from refmodel.vectors import bulk, conversions, dotstream, packings, pieces, singles
from refmodel.vectors.acceptable import ACCEPTABLE
from refmodel.vectors.conversions import dequantize_pieces, quantize_pieces
from refmodel.vectors.files import MANIFEST, write_vectors
from refmodel.vectors.packings import PackVectors, UnpackVectors, pack_pieces
from refmodel.vectors.pieces import Pieces, Shard
from refmodel.vectors.singles import decode_pieces, encode_pieces, make_encode_vectors
from refmodel.vectors.tilestream import tile_pieces
from refmodel.vectors.verify import check_results, verify_directory

MADE: dict[str, Callable[[int], Pieces[Any]]] = {
    "quantize": lambda count: quantize_pieces("mxfp8_e4m3", input_format="bf16", count=count, seed=3),
    "dequantize": lambda count: dequantize_pieces("mxint8", count=count, seed=3),
    "encode": lambda count: encode_pieces("e3m2", count=count, seed=3),
    "pack": lambda count: pack_pieces("mxfp6_e3m2", count=count, seed=3, kind=PackVectors),
    "unpack": lambda count: pack_pieces("mxfp4_e2m1", scale_position="last", count=count, seed=3, kind=UnpackVectors),
    "tiles": lambda count: tile_pieces(
        "mxfp4_e2m1", "mxfp4_e2m1", rule="exact_fp32", rows=2, columns=3, count=count, seed=3
    ),
}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (conversions, packings, singles, dotstream):
        monkeypatch.setattr(module, "FIRST", 1 << 10)
    for module in (pieces, bulk):
        monkeypatch.setattr(module, "PIECE", 1 << 9)


def joined(parts: list[Any]) -> dict[str, np.ndarray]:
    names = [plane.name for plane in parts[0].planes()]
    return {name: np.concatenate([part.planes()[i].codes for part in parts]) for i, name in enumerate(names)}


@pytest.mark.parametrize("name", MADE)
def test_shards_join_to_the_whole_and_every_piece_is_right(name: str, tmp_path: Path) -> None:
    count = 800 if name == "tiles" else 3000
    made = MADE[name](count)
    parts = list(made.parts())
    assert len(parts) == made.total > 3
    for part in (parts[1], parts[-1]):
        check_results(part)
        assert part.call["count"] == count
    assert sum(part.vectors for part in parts) >= count
    again = MADE[name](count)
    sharded = [part for i in range(3) for part in again.parts(Shard(i, 3))]
    for plane, codes in joined(parts).items():
        assert np.array_equal(codes, joined(sharded)[plane])
    later = [plane.codes.tobytes() for part in parts[1:] for plane in part.planes() if plane.direction == "input"]
    assert len({text for text in later if len(text) > 600}) == len([text for text in later if len(text) > 600])
    path = write_vectors(made.parts(), tmp_path / "set", ["bin"])
    vectors, _ = verify_directory(path)
    assert vectors.vectors == sum(part.vectors for part in parts)


def test_a_set_of_codes_is_one_piece() -> None:
    assert decode_pieces("e4m3", count=pieces.MAX_STREAM, seed=1).total == 1
    with pytest.raises(DefinitionError, match="a set of 9 has 1 pieces and no more shards"):
        next(decode_pieces("e4m3", count=9, seed=1).parts(Shard(1, 2)))
    with pytest.raises(DefinitionError, match="count 0 is not between 1 and"):
        encode_pieces("e4m3", count=0, seed=1)


def test_verify_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_vectors(make_encode_vectors("e2m1", count=300, seed=1), tmp_path / "set", ["hex"], ["nan_to_finite"])
    assert cli.main(["vectors", "verify", str(path)]) == 0
    capsys.readouterr()

    def refused(message: str) -> None:
        assert cli.main(["vectors", "verify", str(path)]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert message in captured.err

    (path / "notes.txt").write_text("")
    refused("also holds notes.txt, of which manifest.json knows nothing")
    (path / "notes.txt").unlink()
    good = (path / "code.hex").read_text()
    (path / "code.hex").write_text(good[:-3])
    refused("code.hex: ends in the middle of line 299; manifest.json says 300 rows")
    (path / "code.hex").write_text(good.replace("\n", "", 1))
    refused("code.hex: line 1 is")
    (path / "code.hex").write_text(good)
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**manifest, "version": 5}))
    refused("field version is 5; expected 4")
    # An edited line whose digest was made again is found by computing it again.
    lines = (path / ACCEPTABLE).read_text().replace('{"code":[15]}', '{"code":[14]}', 1)
    (path / ACCEPTABLE).write_text(lines)
    manifest["acceptable"]["sha256"] = hashlib.sha256(lines.encode()).hexdigest()
    (path / MANIFEST).write_text(json.dumps(manifest))
    refused("acceptable.jsonl: line")
    with pytest.raises(FileError, match="what the model gives under the choices left open"):
        verify_directory(path)
