"""Sets of tiles of matrix products: entries are the products of rows and columns, files hold them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import refmodel as mx
from refmodel.errors import DefinitionError, FileError
from refmodel.vectors.dotset import make_dot_vectors
from refmodel.vectors.files import read_vectors, write_vectors
from refmodel.vectors.tiles import TileVectors, make_tile_vectors
from refmodel.vectors.verify import check_results

FP16 = replace(mx.get_rule("exact_fp32"), name="exact_fp16", acc_format="fp16", nan_pattern=0x7E00)


@pytest.fixture(scope="module")
def tiles() -> TileVectors:
    return make_tile_vectors(
        "mxfp6_e2m3", "mxfp4_e2m1", rule=FP16, rows=3, columns=2, initial_values=True, count=40, seed=1
    )


def test_every_entry_is_the_product_of_its_row_and_column(tiles: TileVectors) -> None:
    assert tiles.c is not None
    assert tiles.results.dtype == np.uint16
    for i in range(0, tiles.vectors, 9):
        steps = tiles.rows_of(i)
        a, b = (
            mx.Blocks(x.format, x.codes[steps].swapaxes(0, 1), x.scales[steps].T) for x in (tiles.a, tiles.b)
        )
        c = tiles.c[i].reshape(3, 2).view(np.float32)
        product = mx.matmul(a, b, FP16, c).astype(np.float16).view(np.uint16)
        is_nan = (product & 0x7FFF) > 0x7C00
        assert np.array_equal(np.where(is_nan, 0x7E00, product), tiles.results[i].reshape(3, 2))


def test_the_diagonal_is_made_of_the_dot_products_of_a_set(tiles: TileVectors) -> None:
    dots = make_dot_vectors(
        "mxfp6_e2m3", "mxfp4_e2m1", rule=FP16, multi_block=True, initial_values=True, count=120, seed=1
    )
    assert dots.c is not None
    assert tiles.c is not None
    known = {
        (dots.a.codes[rows].tobytes(), dots.b.codes[rows].tobytes(), int(dots.c[i]), int(dots.results[i]))
        for i, rows in ((i, dots.dot_slice(i)) for i in range(dots.dots))
    }
    met = set()
    for i in range(tiles.vectors):
        steps = tiles.rows_of(i)
        for n in range(2):
            entry = n * tiles.columns + n
            met.add((
                tiles.a.codes[steps, n].tobytes(), tiles.b.codes[steps, n].tobytes(),
                int(tiles.c[i, entry]), int(tiles.results[i, entry]),
            ))  # fmt: skip
    assert met <= known
    assert len(met) > len(known) // 2
    assert [each.name for each in tiles.classes] == [each.name for each in dots.classes]
    assert sum(each.count for each in tiles.classes) == tiles.vectors >= 40


def test_initial_values_of_any_two_entries_differ_in_some_tile(tiles: TileVectors) -> None:
    assert tiles.c is not None
    entries = tiles.rows * tiles.columns
    for one, other in ((i, j) for i in range(entries) for j in range(i)):
        assert (tiles.c[:, one] != tiles.c[:, other]).mean() > 0.5


@pytest.mark.parametrize("formats", ["e4m3", "nvfp4"])
def test_a_set_of_tiles_is_read_as_written_and_verified(formats: str, tmp_path: Path) -> None:
    rule = "nv_hopper_fp8_fast" if formats == "e4m3" else "exact_fp32"
    made = make_tile_vectors(formats, formats, rule=rule, rows=2, columns=4, count=1, seed=3)
    read = read_vectors(write_vectors(made, tmp_path / "set"))
    assert isinstance(read, TileVectors)
    assert (read.rows, read.columns, read.rule, read.call) == (2, 4, made.rule, made.call)
    for mine, theirs in zip(made.planes(), read.planes(), strict=True):
        assert (mine.name, mine.bits) == (theirs.name, theirs.bits)
        assert np.array_equal(mine.codes, theirs.codes)
    assert [plane.name for plane in read.planes()][-1] == "result"
    assert read.planes()[-1].bits == 8 * 32
    assert check_results(read) > 0
    read.results[5, 3] ^= 1
    with pytest.raises(FileError, match=r"^result: word 6 is [0-9a-f]{64}, the model gives"):
        check_results(read)


def test_extents_out_of_range_are_refused() -> None:
    for rows, columns, count in ((0, 1, 1), (1, 257, 1), (256, 1, 100_000)):
        with pytest.raises(DefinitionError, match=rf"of {rows} x {columns}"):
            make_tile_vectors(
                "mxint8", "mxint8", rule="exact_fp32", rows=rows, columns=columns, count=count, seed=1
            )
