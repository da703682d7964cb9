"""`mxref identify DUT.toml`: a described design answers probes in simulation."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cocotb", reason="the bench needs the extra sim: pip install -e '.[sim]'")

from cocotb_tests import probing
from cocotb_tests.selection import Filters
from refmodel.cli import main
from refmodel.dot import dot
from refmodel.errors import DescriptionError
from refmodel.identify.stimulus import random_probes

RTL = Path(__file__).parent.parent / "rtl"


def test_a_design_answers_a_round_of_several_lengths():
    """All lengths of a round in one simulation; special values and zeros of both signs among them."""
    design = probing.choose(RTL / "mx_dot_general.toml", Filters(formats=("mxfp8_e4m3",)))
    drawn = random_probes(design.interface, np.random.default_rng(1))
    batch = [probes.take(range(0, len(probes), 9)) for probes in drawn]
    assert len({probes.length for probes in batch}) > 1
    described = design.configuration.rule
    assert described is not None
    for probes, answers in zip(batch, design.answer(batch, 1), strict=True):
        expected = dot(*probes.operands(), described.rule, probes.c.view(np.float32)).view(np.uint32)
        assert np.array_equal(answers, expected)
        assert len(set(expected.tolist())) > len(expected) // 4


def test_of_formats_mixed_at_run_time_one_pair_is_asked():
    names = [pair.name for pair in probing.choose(RTL / "mx_dot_multi.toml", Filters()).configuration.pairs]
    design = probing.choose(RTL / "mx_dot_multi.toml", Filters(formats=(names[3],)))
    assert design.configuration.pairs[design.chosen].name == names[3]
    probes = next(iter(random_probes(design.interface, np.random.default_rng(2)))).take(range(40))
    described = design.configuration.rule
    assert described is not None
    expected = dot(*probes.operands(), described.rule, probes.c.view(np.float32)).view(np.uint32)
    assert np.array_equal(design.answer([probes], 1)[0], expected)
    assert len(set(expected.tolist())) > 10


def test_a_port_that_the_design_lacks_is_named(tmp_path: Path):
    shutil.copytree(RTL, tmp_path / "rtl")
    file = tmp_path / "rtl" / "mx_dot_general.toml"
    text = file.read_text()
    file.write_text(text.replace('b_scale = "b_scale_i"', 'b_scale = "b_exponent_i"'))
    assert file.read_text() != text
    design = probing.choose(file, Filters(formats=("mxfp8_e4m3",)))
    batch = [probes.take([0]) for probes in random_probes(design.interface, np.random.default_rng(1))]
    with pytest.raises(DescriptionError, match="has no port b_exponent_i"):
        design.answer(batch, 1)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["rtl/mx_dot.toml", "--a", "e4m3"], "--a is said by the description"),
        (["rtl/mx_dot.toml", "--black-box", "m:f"], "give one of DUT.toml, --black-box"),
        (["--black-box", "m:f", "--a", "e4m3", "--rule", "exact_fp32"], "--rule chooses a configuration"),
        (["rtl/mx_dot.toml", "--rule", "no_such"], "unknown rule 'no_such'"),
        (["rtl/no_such.toml"], "no_such.toml"),
    ],
)
def test_bad_usage_is_one_line(arguments, reason, capsys, monkeypatch):
    monkeypatch.chdir(RTL.parent)
    assert main(["identify", *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(re.escape(reason), error), error
    assert error.count("\n") == 1


@pytest.mark.parametrize("codes", [[0x7C01, 0x7E00, 0xFC00, 0x0001, 0x8000, 0x3C00]])
def test_narrow_results_are_widened(codes):
    wide = probing._float32_bits(np.array(codes, np.uint32), "fp16")
    assert wide.tolist() == [0x7F802000, 0x7FC00000, 0xFF800000, 0x33800000, 0x80000000, 0x3F800000]
    assert probing._float32_bits(np.array([0x7FC1], np.uint32), "bf16").tolist() == [0x7FC10000]
