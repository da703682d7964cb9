"""Large sets of dot products: the same bytes in any number of shards, in the memory of a piece, of all classes."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refmodel.errors import DefinitionError
from refmodel.vectors import bulk, dotstream
from refmodel.vectors.dotset import DotVectors, make_dot_vectors
from refmodel.vectors.dotstream import WHOLE, Shard, stream_dot_vectors
from refmodel.vectors.files import read_dot_vectors, write_vectors
from refmodel.vectors.verify import check_results

NAN = 0x7F800000


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of few dot products, so that sets of several are made at once."""
    monkeypatch.setattr(dotstream, "FIRST", 1 << 11)
    monkeypatch.setattr(bulk, "PIECE", 1 << 10)


def stream(a: str, b: str, count: int, shard: Shard = WHOLE, **call: Any) -> list[DotVectors]:
    arguments = {"rule": "exact_fp32", "seed": 5, **call}
    return list(stream_dot_vectors(a, b, count=count, shard=shard, **arguments))


def piece(parts: list[DotVectors], name: str) -> list[DotVectors]:
    return [part for part in parts if part.classes[0].name == name]


@pytest.mark.parametrize("multi_block", [False, True])
def test_shards_after_each_other_are_the_set(multi_block: bool, tmp_path: Path) -> None:
    call = {"multi_block": multi_block, "initial_values": multi_block, "rule": "block32_exact_fused"}
    whole = write_vectors(stream("mxfp6_e3m2", "mxfp4_e2m1", 9000, **call), tmp_path / "whole", ["bin"])
    read = read_dot_vectors(whole)
    assert read.dots == 9000
    assert [each.name for each in read.classes][-3:] == ["pairs", "variations", "uniform"]
    assert check_results(read) > 0
    for of in (2, 3, 5):
        parts = []
        for index in range(of):
            made = stream("mxfp6_e3m2", "mxfp4_e2m1", 9000, Shard(index, of), **call)
            parts.append(write_vectors(made, tmp_path / f"{of}.{index}", ["bin"]))
            assert read_dot_vectors(parts[-1]).call["shard"] == [index, of]
        for file in whole.glob("*.bin"):
            assert file.read_bytes() == b"".join((part / file.name).read_bytes() for part in parts), file.name


def test_a_set_of_one_piece_is_what_it_was() -> None:
    (only,) = stream("mxint8", "mxint8", 2000)
    alone = make_dot_vectors("mxint8", "mxint8", rule="exact_fp32", count=2000, seed=5)
    assert all(np.array_equal(x.codes, y.codes) for x, y in zip(only.planes(), alone.planes(), strict=True))


@pytest.mark.parametrize(("a", "b"), [("mxfp8_e5m2", "mxfp8_e5m2"), ("mxint8", "mxfp8_e4m3"), ("nvfp4", "nvfp4")])
def test_variations_have_the_sums_of_the_dots_they_vary_or_their_negatives(a: str, b: str) -> None:
    parts = stream(a, b, 20_000, initial_values=True)
    first, varied = parts[0], piece(parts, "variations")
    aimed = [each.dots for each in first.classes if each.name not in ("exhaustive", "random")]
    sources = np.concatenate(aimed)
    results = np.concatenate([part.results for part in varied])
    wanted = first.results[sources[np.arange(len(results)) % len(sources)]]
    same, negated = results == wanted, (results ^ wanted) == 1 << 31
    zeros = (wanted << 1 == 0) & (results << 1 == 0)
    assert (same | negated | zeros).all()
    assert 0.05 < negated.mean() < 0.6
    codes = np.concatenate([part.a.codes for part in varied])
    origin = first.a.codes[sources[np.arange(len(results)) % len(sources)]]
    movable = (origin != origin[:, :1]).any(axis=1)  # equal codes have no other order
    assert movable.mean() > 0.5
    assert (codes != origin).any(axis=1)[movable].mean() > 0.9


@pytest.mark.parametrize("unscaled", [False, True])
def test_pairs_are_all_pairs_and_uniform_codes_are_all_codes(unscaled: bool) -> None:
    name = "e2m3" if unscaled else "mxfp6_e2m3"
    parts = stream(name, name, 40_000)
    pairs = piece(parts, "pairs")
    a, b = (np.concatenate([getattr(part, side).codes for part in pairs]).max(axis=1) for side in "ab")
    assert len({*zip(a.tolist(), b.tolist(), strict=True)}) == 64 * 64
    uniform = piece(parts, "uniform")
    codes = np.concatenate([part.a.codes for part in uniform])
    assert set(np.unique(codes)) == set(range(64))
    scales = np.concatenate([part.a.scales for part in uniform])
    assert set(np.unique(scales)) == ({127} if unscaled else set(range(256)))
    lanes = (codes != 0).mean(axis=0)
    assert lanes.min() > 0.8


def test_few_uniform_blocks_are_not_finite() -> None:
    for name in ("mxfp8_e5m2", "mxfp8_e4m3"):
        results = np.concatenate([part.results for part in piece(stream(name, name, 20_000), "uniform")])
        assert 0.005 < ((results & 0x7FFFFFFF) >= NAN).mean() < 0.1


def test_memory_does_not_grow_with_the_count(tmp_path: Path) -> None:
    peaks = []
    for count in (6_000, 60_000):
        tracemalloc.start()
        parts = stream_dot_vectors("mxfp8_e4m3", "mxfp8_e4m3", rule="exact_fp32", count=count, seed=1)
        write_vectors(parts, tmp_path / str(count), ["hex", "bin", "npz"])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize(
    ("count", "shard", "message"),
    [
        (0, (0, 1), "count 0 is not between 1 and"),
        (10_000, (2, 2), "shard 2/2: shards of 2 are 0/2 and up"),
        (10_000, (0, 0), "shard 0/0"),
        (1000, (0, 2), "shard 0/2: a set of 1000 has 1 pieces"),
    ],
)
def test_wrong_counts_and_shards_are_refused(count: int, shard: tuple[int, int], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        stream("mxint8", "mxint8", count, Shard(*shard))
