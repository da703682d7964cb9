"""The levels of suites: what they ask for, and that the smallest is small for every operation and rule."""

from __future__ import annotations

import pytest

from refmodel import cli
from refmodel.errors import UnknownNameError
from refmodel.vectors.conversions import make_dequantize_vectors, make_quantize_vectors
from refmodel.vectors.dotset import make_dot_vectors
from refmodel.vectors.levels import LEVELS, SMOKE_LIMIT, get_level
from refmodel.vectors.tiles import make_tile_vectors

SMOKE = get_level("smoke").counts


def test_levels_rise_for_every_operation() -> None:
    assert list(LEVELS) == ["smoke", "standard", "signoff", "soak"]
    operations = {tuple(level.counts) for level in LEVELS.values()}
    assert len(operations) == 1
    for operation in operations.pop():
        counts = [level.counts[operation] for level in LEVELS.values()]
        assert sorted(set(counts)) == counts
    assert [level.name for level in LEVELS.values() if level.endless] == ["soak"]
    with pytest.raises(UnknownNameError, match="unknown level 'night'; choose one of: signoff, smoke, soak, standard"):
        get_level("night")


@pytest.mark.parametrize(
    ("fmt", "rule"),
    [
        ("mxfp8_e5m2", "exact_fp32"),
        ("e4m3", "nv_hopper_fp8_fast"),
        ("nvfp4", "block32_fp32_add"),
        ("mxint8", "exact_fp32"),
    ],
)
def test_smoke_is_small(fmt: str, rule: str) -> None:
    for multi_block in (False, True):
        dots = make_dot_vectors(
            fmt, fmt, rule=rule, multi_block=multi_block, initial_values=True, count=SMOKE["dot"], seed=1
        )
        assert dots.vectors <= SMOKE_LIMIT
    for rows, columns in ((1, 1), (2, 4)):
        tiles = make_tile_vectors(
            fmt, fmt, rule=rule, rows=rows, columns=columns, initial_values=True, count=SMOKE["matmul_tile"], seed=1
        )
        assert tiles.vectors <= SMOKE_LIMIT


def test_smoke_of_conversions_is_small() -> None:
    for fmt in ("mxfp8_e5m2", "mxint8", "nvfp4"):
        assert make_quantize_vectors(fmt, count=SMOKE["quantize"], seed=1).vectors <= SMOKE_LIMIT
        assert make_dequantize_vectors(fmt, count=SMOKE["dequantize"], seed=1).vectors <= SMOKE_LIMIT


def test_the_command_takes_a_level(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["vectors", "--operation", "quantize", "--a-format", "mxfp4_e2m1", "--output", str(tmp_path / "set")]
    assert cli.main([*arguments, "--level", "smoke"]) == 0
    assert "1000 blocks" in capsys.readouterr().out
    assert cli.main([*arguments, "--level", "soak"]) == 2
    assert "level 'soak' is endless: give --shard I/N" in capsys.readouterr().err
    for wrong in ([], ["--level", "smoke", "--count", "3"], ["--level", "night"]):
        with pytest.raises(SystemExit) as exit_:
            cli.main([*arguments, *wrong])
        assert exit_.value.code == 2
