"""Laws of dot products: the model obeys each, and each is broken by a model with a fault of its kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from metamorphic import run
from metamorphic.laws import ADD, EXACT, LAWS, Bits
from metamorphic.stimulus import Dots, draw_dots
from refmodel.blocks import Blocks
from refmodel.dot import dot
from refmodel.formats import get_format
from refmodel.vectors.draws import Draws

PAIRS = [
    ("mxfp8_e4m3", "mxfp8_e4m3"),
    ("mxint8", "mxint8"),
    ("mxfp4_e2m1", "mxfp8_e5m2"),
    ("mxfp6_e3m2", "mxfp6_e2m3"),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_the_model_obeys_the_law(law):
    for rule in law.rules:
        results = [run.try_law(run.Trial(law, rule, a, b), 2_500, 3) for a, b in PAIRS]
        assert sum(each.tried for each in results) > 1_500
        assert not any(each.broken for each in results), next(each.first for each in results if each.first)


def bits(dots: Dots, rule: str = EXACT) -> Bits:
    return dot(dots.a, dots.b, rule, dots.c).view(np.uint32)


def _changed(blocks: Blocks, codes=None, scales=None) -> Blocks:
    return Blocks(blocks.format, blocks.codes if codes is None else codes, blocks.scales if scales is None else scales)


def _nan_scale_of_a_is_a_number(dots: Dots) -> Bits:
    return bits(Dots(_changed(dots.a, scales=np.minimum(dots.a.scales, 254)), dots.b, dots.c))


def _first_element_lost(dots: Dots) -> Bits:
    codes = dots.a.codes.copy()
    codes[..., 0] = 0
    return bits(Dots(_changed(dots.a, codes=codes), dots.b, dots.c))


def _rounded_after_each_block(dots: Dots) -> Bits:
    return bits(dots, ADD)


def _towards_positive(dots: Dots) -> Bits:
    found = bits(dots)
    finite = np.isfinite(found.view(np.float32)) & (found & 0x7FFFFFFF != 0)
    up = np.where(found >> 31 == 1, found - 1, found + 1)
    return np.where(finite, up, found).astype(np.uint32)


def _minus_of_a_lost(dots: Dots) -> Bits:
    return bits(Dots(_changed(dots.a, codes=dots.a.codes & 0x7F), dots.b, dots.c))


def _scale_0_is_zero(dots: Dots) -> Bits:
    codes = np.where(dots.a.scales[..., None] == 0, 0, dots.a.codes).astype(np.uint8)
    return bits(Dots(_changed(dots.a, codes=codes), dots.b, dots.c))


def _subnormals_flushed(dots: Dots) -> Bits:
    """In E2M1 alone: its subnormal is the code 1."""
    if dots.a.format.name != "mxfp4_e2m1":
        return bits(dots)
    codes = np.where(dots.a.codes & 7 == 1, dots.a.codes & 8, dots.a.codes).astype(np.uint8)
    return bits(Dots(_changed(dots.a, codes=codes), dots.b, dots.c))


def _last_scale_for_all(dots: Dots) -> Bits:
    return bits(Dots(_changed(dots.a, scales=np.repeat(dots.a.scales[:, -1:], dots.a.n_blocks, 1)), dots.b, dots.c))


FAULTS: dict[str, Callable[[Dots], Bits]] = {
    "commute": _nan_scale_of_a_is_a_number,
    "permute elements": _first_element_lost,
    "permute blocks": _rounded_after_each_block,
    "negate one": _towards_positive,
    "negate both": _minus_of_a_lost,
    "trade scales": _scale_0_is_zero,
    "shift scales": _scale_0_is_zero,
    "pad": _last_scale_for_all,
    "split": _rounded_after_each_block,
    "join": _last_scale_for_all,
    "embed": _subnormals_flushed,
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_fault_breaks_the_law(law):
    draws = Draws("fault", law.name)
    broken = 0
    for a, b in [("mxfp8_e4m3", "mxfp8_e4m3"), ("mxfp4_e2m1", "mxfp4_e2m1")]:
        dots = draw_dots(get_format(a), get_format(b), 3, 1_000, draws)
        broken += int(np.count_nonzero(law.check(FAULTS[law.name], dots, draws)[1]))
    assert broken


def test_the_command_counts_and_refuses(capsys):
    assert run.main(["--law", "commute", "--formats", "mxint8", "--count", "30", "--jobs", "1"]) == 0
    assert "90 comparisons, 0 broken" in capsys.readouterr().out
    for words, text in (
        (["--law", "associate"], "unknown law 'associate'"),
        (["--formats", "mxfp9"], "mxfp9"),
        (["--count", "0"], "count and jobs must be 1 or more"),
    ):
        assert run.main(words) == run.CANNOT_RUN
        assert text in capsys.readouterr().err
