"""Each profile gives the codes of its package, but for the differences that have a reason.

Every adapter of `profile_packages` whose package is installed is asked; `python tests/profile_table.py` asks
with 10^6 Float32 a format, and so does this file with MXREF_FULL=1 in the environment.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from profile_packages import Cuda, MlDtypes, Package
from profile_table import DIFFERENCES, PROFILES, compare, document, options_of, wild_numbers, wild_rows

import refmodel as mx
from refmodel.cli import main
from refmodel.formats import BlockFormat, FloatFormat

FULL = os.environ.get("MXREF_FULL") == "1"

CONVERSIONS = [(adapter, fmt) for adapter in PROFILES for fmt in (*adapter.numbers, *adapter.blocks)]
# These convert one number at a time.
SLOW = {"gfloat", "bitstring"}


def label(thing) -> str:
    return thing.__name__ if isinstance(thing, type) else str(thing)


@cache
def installed(adapter: type[Package]) -> Package:
    return adapter()


@pytest.mark.parametrize(("adapter", "fmt"), CONVERSIONS, ids=label)
def test_the_codes_are_those_of_the_package(adapter, fmt, record_property):
    package = installed(adapter)
    result = compare(package, fmt, 10**6 if FULL else 9600 if adapter.package in SLOW else 64000)
    assert not result.unexplained, f"{result.unexplained} of {result.codes} differ: {result.first}"
    unseen = [reason for reason, count in result.explained.items() if not count]
    assert not unseen
    record_property("inputs", result.inputs)


class Wrong(MlDtypes):
    """Gives one wrong code."""

    def encode(self, fmt, values):
        codes = super().encode(fmt, values).copy()
        codes[np.flatnonzero(values == 1.0)[0]] ^= 1
        return codes


def test_a_single_wrong_code_is_found(monkeypatch):
    monkeypatch.setitem(PROFILES, Wrong, PROFILES[MlDtypes])
    result = compare(Wrong(), "e4m3", 6400)
    assert result.unexplained == 1
    assert result.first.startswith("3f800000: theirs 0x39, ours 0x38")


def test_a_difference_that_is_gone_is_found(monkeypatch):
    class Right(MlDtypes):
        def encode(self, fmt, values):
            return mx.encode(fmt, values, options=options_of(MlDtypes, fmt))

    monkeypatch.setitem(PROFILES, Right, PROFILES[MlDtypes])
    [row] = [row for row in DIFFERENCES if row.packages == (MlDtypes,)]
    monkeypatch.setattr("profile_table.DIFFERENCES", (replace(row, packages=(Right,)),))
    assert compare(Right(), "e8m0", 6400).unexplained > 10


# --------------------------------------------------------------------------------------------------
# Profiles without a package to ask here: what their documents state
# --------------------------------------------------------------------------------------------------


def codes_of(profile: str, fmt: str, *values: float) -> list[int]:
    options = mx.get_profile(profile).encode_options(fmt)
    return mx.encode(fmt, np.array(values, np.float32), options=options).tolist()


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("fmt", "values", "codes"),
    [
        # NV-CVT-c: NaN is the positive maximum, large values keep their sign.
        ("e2m1", [NAN, -NAN, INF, -INF, 100, -7], [0x7, 0x7, 0x7, 0xF, 0x7, 0xF]),
        ("e2m3", [NAN, -NAN, INF, -INF], [0x1F, 0x1F, 0x1F, 0x3F]),
        ("e3m2", [NAN, -NAN, INF, -INF], [0x1F, 0x1F, 0x1F, 0x3F]),
        # NV-CVT-d: the absolute value, rounded up, saturating; NaN is 0xFF.
        ("e8m0", [0, -0.0, 1, -1, 1.01, -3, 2.0**-140, 2.0**-127], [0, 0, 0x7F, 0x7F, 0x80, 0x81, 0, 0]),
        ("e8m0", [2.0**127, 3e38, -INF, NAN, 1.0001 * 2.0**-127], [0xFE, 0xFE, 0xFE, 0xFF, 0x01]),
        # NV-CVT-e: the constructors saturate; NaN from Float32 is 0x7F in both.
        ("e4m3", [465, -1e9, INF, NAN], [0x7E, 0xFE, 0x7E, 0x7F]),
        ("e5m2", [61440, -1e9, -INF, NAN, -NAN], [0x7B, 0xFB, 0xFB, 0x7F, 0x7F]),
    ],
)  # fmt: skip
def test_cuda_constructors_as_documented(fmt, values, codes):
    assert codes_of("cuda", fmt, *values) == codes


def test_cuda_on_every_float32():
    """All 2^32 under MXREF_FULL=1, otherwise 2^24 of them, against the host code of the headers."""
    cuda = installed(Cuda)
    part = 1 << 24
    parts = range(0, 1 << 32, part) if FULL else [0x3F800000 - part // 2]
    for fmt in Cuda.numbers:
        options = options_of(Cuda, fmt)
        for first in parts:
            x = np.arange(first, first + part, dtype=np.uint64).astype(np.uint32).view(np.float32)
            theirs, ours = cuda.encode(fmt, x), mx.encode(fmt, x, options=options)
            wrong = np.flatnonzero(theirs != ours)
            assert not wrong.size, f"{fmt}: {x.view(np.uint32)[wrong[0]]:#010x}"


def test_transformer_engine_as_in_its_source():
    """rceil by a Float32 product, NaN left out of amax, Inf the largest scale, factor 1 at scale 0x00."""
    options = mx.get_profile("transformer_engine").quantize_options("mxfp8_e4m3")

    def quantize(*values):
        row = np.zeros((1, 32), np.float32)
        row[0, : len(values)] = values
        blocks = mx.quantize(row, "mxfp8_e4m3", options=options)
        return int(blocks.scales[0, 0]), blocks.codes[0, 0, : len(values)].tolist()

    assert quantize(448.0) == (0x7F, [0x7E])
    assert quantize(np.nextafter(np.float32(448), np.float32(449))) == (0x80, [0x76])
    assert quantize(0.0, -0.0) == (0x00, [0x00, 0x80])
    assert quantize(NAN, -448.0) == (0x7F, [0x7F, 0xFE])
    assert quantize(NAN, NAN) == (0x00, [0x7F, 0x7F])
    assert quantize(INF, -1.0) == (0xFE, [0x7E, 0x80])
    assert quantize(2.0**-130) == (0x00, [0x00])
    # D-16: just above 448 * 2^-127 the product rounds down to 2^-127.
    assert quantize(np.nextafter(np.float32(448 * 2.0**-127), np.float32(1))) == (0x00, [0x00])
    with pytest.raises(mx.ShapeError):
        mx.quantize(np.zeros(33, np.float32), "mxfp8_e4m3", options=options)


def test_microxcaling_as_documented():
    """Ties away from zero (A-16), and floor of a Float32 logarithm (A-2, D-15), NaN above 2^127 (A-5)."""
    profile = mx.get_profile("microxcaling")
    row = np.zeros((1, 32), np.float32)
    row[0, :4] = 4, 2.5, -0.25, 5
    blocks = mx.quantize(row, "mxfp4_e2m1", options=profile.quantize_options("mxfp4_e2m1"))
    assert (blocks.scales.item(), blocks.codes[0, 0, :4].tolist()) == (0x7F, [6, 5, 9, 7])
    below = np.nextafter(np.float32(2.0**100), np.float32(0))
    for amax, scale in ((below, 0x7F + 100), (np.finfo(np.float32).max, 0xFF)):
        row[0, 0] = amax
        blocks = mx.quantize(row, "mxint8", options=profile.quantize_options("mxint8"))
        assert blocks.scales.item() == scale


# --------------------------------------------------------------------------------------------------
# The profiles themselves
# --------------------------------------------------------------------------------------------------

EVERY = [
    (profile.name, fmt)
    for profile in map(mx.get_profile, mx.list_profiles())
    for fmt in (*profile.numbers, *profile.blocks)
]


@pytest.mark.parametrize(("name", "fmt"), EVERY)
def test_every_option_of_a_profile_matters(name, fmt):
    """With any of them at its default some wild input gives another code, or is no longer refused."""
    profile = mx.get_profile(name)
    is_block = fmt in profile.blocks
    options = profile.blocks[fmt] if is_block else profile.numbers[fmt]

    def outcome(x, options):
        try:
            if not is_block:
                return mx.encode(fmt, x, options=options).tobytes()
            blocks = mx.quantize(x, fmt, options=options)
        except (mx.ValueRefusedError, mx.ShapeError) as error:
            return type(error)
        return blocks.codes.tobytes() + blocks.scales.tobytes()

    x = wild_rows(fmt, 8000) if is_block else wild_numbers(fmt, 20000)
    has_nan = np.isnan(x).any(axis=1) if is_block else np.isnan(x)
    inputs = [x[has_nan], x[~has_nan], np.ones(33, np.float32)]
    wanted = [outcome(part, options) for part in inputs]
    for field in fields(options):
        if getattr(options, field.name) != field.default:
            without = replace(options, **{field.name: field.default})
            assert [outcome(part, without) for part in inputs] != wanted, field.name


def test_ocp_is_the_defaults_for_any_format():
    ocp = mx.get_profile("ocp")
    custom = FloatFormat("e3m3", 3, 3, 3)
    for fmt in ("e4m3", "e8m0", "int8", custom):
        assert ocp.encode_options(fmt) == mx.EncodeOptions()
    for block in (*mx.list_formats(), BlockFormat("custom", custom, mx.get_scale("e8m0"), 7)):
        assert ocp.quantize_options(block) == mx.QuantizeOptions()
    assert mx.get_profile(ocp) is ocp


def test_a_described_format_is_a_named_one_if_its_parts_are():
    torchao = mx.get_profile("torchao")
    e4m3, e8m0 = mx.get_element("e4m3"), mx.get_scale("e8m0")
    assert torchao.quantize_options(BlockFormat("mine", e4m3, e8m0, 16)) == torchao.blocks["mxfp8_e4m3"]
    with pytest.raises(
        mx.DefinitionError, match="'torchao': no conversion of arrays to mine; it covers mxfp8"
    ):
        torchao.quantize_options(BlockFormat("mine", replace(e4m3, bias=8), e8m0))
    assert mx.get_profile("cuda").encode_options(e4m3) == mx.EncodeOptions()
    same_but_for_its_name = replace(e4m3, name="fp8")
    assert mx.get_profile("cuda").encode_options(same_but_for_its_name) == mx.EncodeOptions()


def test_what_a_profile_does_not_cover_is_refused():
    with pytest.raises(mx.UnknownNameError, match="unknown profile 'nvidia'; choose one of: bitstring, cuda"):
        mx.get_profile("nvidia")
    with pytest.raises(mx.DefinitionError, match="it covers e5m2, e4m3, e3m2, e2m3, e2m1, e8m0"):
        mx.get_profile("cuda").encode_options("int8")
    with pytest.raises(
        mx.DefinitionError, match="'ml_dtypes': no conversion of arrays to mxint8; it has no such"
    ):
        mx.get_profile("ml_dtypes").quantize_options("mxint8")
    with pytest.raises(mx.UnknownNameError, match="block format"):
        mx.get_profile("torchao").quantize_options("mxfp9")


def test_the_document_lists_the_profiles_and_the_differences():
    path = Path(__file__).parents[1] / "docs" / "profiles.md"
    assert path.read_text(encoding="utf-8") == document()


def test_layouts_exist_for_the_widths_they_are_given_for():
    for profile in map(mx.get_profile, mx.list_profiles()):
        for bits, layout in profile.layouts.items():
            assert layout in mx.list_layouts(bits)


def test_bitstring_packs_as_its_layout_says():
    bitstring = pytest.importorskip("bitstring", minversion="5.0")
    layouts = mx.get_profile("bitstring").layouts
    for fmt, bits in (("e2m1", 4), ("e2m3", 6)):
        values = mx.decode(fmt, np.arange(1, 9))
        array = bitstring.Array(f"{fmt}mxfp", values.tolist())
        assert (
            array.to_bytes() == mx.pack(np.arange(1, 9, dtype=np.uint8), fmt, layout=layouts[bits]).tobytes()
        )


def test_the_command_shows_every_profile(capsys):
    for name in mx.list_profiles():
        assert main(["profiles", name]) == 0
        out = capsys.readouterr().out
        assert all(fmt in out for fmt in mx.get_profile(name).changes())
    assert main(["profiles"]) == 0
    assert capsys.readouterr().out.count("\n    [") == len(mx.list_profiles())
    assert main(["profiles", "other"]) == 2
    assert "unknown profile 'other'" in capsys.readouterr().err
