"""Sets of single numbers and of blocks in memory: what they hold, and that model and oracle agree on all of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import refmodel as mx
from refmodel import cli
from refmodel.errors import DefinitionError, FileError, UnknownNameError, ValueRefusedError
from refmodel.layouts import list_layouts
from refmodel.options import EncodeOptions
from refmodel.oracle.packing import pack
from refmodel.vectors.files import read_vectors, write_vectors
from refmodel.vectors.forms import FORMS
from refmodel.vectors.packings import PackVectors, UnpackVectors, make_pack_vectors
from refmodel.vectors.selection import select_vectors
from refmodel.vectors.singles import EncodeVectors, make_decode_vectors, make_encode_vectors
from refmodel.vectors.verify import check_results

CODES = ("e5m2", "e4m3", "e3m2", "e2m3", "e2m1", "int8", "e8m0", "ue4m3")


@pytest.mark.parametrize("fmt", CODES)
def test_decode_has_every_code(fmt: str) -> None:
    vectors = make_decode_vectors(fmt, count=1, seed=1)
    assert vectors.codes.tolist() == list(range(1 << vectors.format.bits))
    assert check_results(vectors) == vectors.vectors


@pytest.mark.parametrize("fmt", CODES)
@pytest.mark.parametrize("input_format", ["fp32", "bf16"])
def test_encode_has_every_breakpoint_and_its_neighbours(fmt: str, input_format: str) -> None:
    vectors = make_encode_vectors(fmt, input_format=input_format, count=8000, seed=1)  # type: ignore[arg-type]
    assert check_results(vectors) == vectors.vectors == 8000
    shift = 16 if input_format == "bf16" else 0
    with np.errstate(invalid="ignore"):
        numbers = (vectors.values.astype(np.uint32) << np.uint32(shift)).view(np.float32).astype(np.float64)
    table = mx.decode(fmt, np.arange(1 << vectors.format.bits))
    values = np.unique(np.abs(table[np.isfinite(table)]))
    met = set(numbers.tolist())
    bits = set(vectors.values.tolist())
    for point in [*values, *(values[1:] + values[:-1]) / 2]:
        number = np.float32(point).view(np.uint32) >> np.uint32(shift)
        if (number << np.uint32(shift)).view(np.float32) == point:
            assert {point, -point} <= met
        near = {max(0, int(number) + ulps) for ulps in (-1, 0, 1)}
        assert near | {each | 1 << 31 - shift for each in near} <= bits


def test_sticky_bits_are_alone() -> None:
    vectors = make_encode_vectors("e4m3", count=30_000, seed=1)
    each = next(each for each in vectors.classes if each.name == "sticky")
    walked = vectors.values[each.first : each.first + each.count]
    one = 0x3F800000
    assert {one | 1 << i for i in range(23)} <= set(walked.tolist())


def test_encode_under_options() -> None:
    for options in (
        EncodeOptions(rounding="rtz", overflow="overflow"),
        EncodeOptions(rounding="rup", nan_sign="keep", negative_zero="positive"),
        EncodeOptions(rounding="rna", subnormal_input="flush", intermediate="float16"),
    ):
        check_results(make_encode_vectors("e5m2", options=options, count=3000, seed=2))


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(DefinitionError, match="stochastic"):
        make_encode_vectors("e4m3", options=EncodeOptions(rounding="stochastic"), count=1, seed=1)
    with pytest.raises(DefinitionError, match="neither NaN nor infinity"):
        make_encode_vectors("e2m1", options=EncodeOptions(overflow="overflow"), count=1, seed=1)
    with pytest.raises(ValueRefusedError):
        make_encode_vectors("e2m1", options=EncodeOptions(nan_to_finite="error"), count=1, seed=1)
    with pytest.raises(DefinitionError, match="at most 8 bits"):
        make_decode_vectors("bfloat16", count=1, seed=1)
    with pytest.raises(UnknownNameError):
        make_decode_vectors("e9m9", count=1, seed=1)
    with pytest.raises(DefinitionError, match="layout 'ggml' is for codes of 4 bits, not 8"):
        make_pack_vectors("mxint8", layout="ggml", count=1, seed=1, kind=PackVectors)
    with pytest.raises(UnknownNameError, match="place of the scale"):
        make_pack_vectors("mxint8", scale_position="middle", count=1, seed=1, kind=PackVectors)  # type: ignore[arg-type]


@pytest.mark.parametrize("fmt", ["mxfp8_e4m3", "mxfp6_e2m3", "mxfp4_e2m1", "nvfp4"])
def test_packing_is_the_oracles(fmt: str) -> None:
    for layout in list_layouts(mx.get_format(fmt).element):
        for position in ("apart", "first", "last"):
            for kind in (PackVectors, UnpackVectors):
                vectors = make_pack_vectors(fmt, layout=layout, scale_position=position, count=1, seed=1, kind=kind)  # type: ignore[arg-type]
                assert check_results(vectors) == vectors.vectors


def test_the_oracle_packs_as_people_write() -> None:
    assert bytes(pack([0x1, 0x2, 0x3, 0xF], 4, "le")).hex() == "21f3"
    assert bytes(pack([0x1, 0x2, 0x3, 0xF], 4, "be")).hex() == "123f"
    assert bytes(pack([0b111111, 0, 0, 0b000001], 6, "be")).hex() == "fc0001"


def test_a_wrong_byte_is_found_by_the_oracle() -> None:
    """Each of model and oracle notices a result that the other would pass."""
    for kind in (PackVectors, UnpackVectors):
        vectors = make_pack_vectors("mxfp4_e2m1", count=300, seed=1, kind=kind)
        vectors.packed[5, 3] ^= 0x10
        with pytest.raises(FileError, match="word 6 is"):
            check_results(vectors)


@pytest.mark.parametrize("make", ["decode", "encode", "pack", "unpack"])
def test_files_hold_the_set_in_every_form(make: str, tmp_path: Path) -> None:
    vectors = {
        "decode": lambda: make_decode_vectors("e3m2", count=1, seed=1),
        "encode": lambda: make_encode_vectors("e8m0", input_format="bf16", count=100, seed=1),
        "pack": lambda: make_pack_vectors("mxfp6_e3m2", scale_position="first", count=500, seed=1, kind=PackVectors),
        "unpack": lambda: make_pack_vectors("mxfp6_e3m2", layout="byte", count=500, seed=1, kind=UnpackVectors),
    }[make]()
    for form in FORMS:
        path = write_vectors(vectors, tmp_path / form, [form])
        found = read_vectors(path)
        assert (found.parameters(), found.classes, found.call) == (vectors.parameters(), vectors.classes, vectors.call)
        for one, other in zip(found.planes(), vectors.planes(), strict=True):
            assert (one.name, one.direction, one.code_bits) == (other.name, other.direction, other.code_bits)
            assert np.array_equal(one.codes, other.codes)
        check_results(found)


def test_selected_vectors_are_a_set() -> None:
    vectors = make_encode_vectors("e4m3", count=500, seed=1)
    some = select_vectors(vectors, np.array([0, 3, 499]))
    assert isinstance(some, EncodeVectors)
    assert some.vectors == 3
    check_results(some)


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "set"
    start = ["vectors", "--a-format", "e4m3", "--operation", "encode", "--level", "smoke", "--output", str(path)]
    assert cli.main([*start, "--rounding", "rtz"]) == 0
    assert cli.main(["verify", str(path)]) == 0
    assert "the model gives all 2000 results" in capsys.readouterr().out
    results = tmp_path / "code.hex"
    lines = (path / "code.hex").read_text().split()
    lines[7] = "55"
    results.write_text("\n".join(lines) + "\n")
    assert cli.main(["check", str(path), "--results", str(results)]) == 1
    assert "vector 7 (class specials)" in capsys.readouterr().out
    for wrong, message in (
        (["--operation", "pack", "--a-format", "mxint8", "--layout", "le24"], "layout 'le24' is for codes of 6 bits"),
        (["--operation", "decode", "--a-format", "e4m3", "--layout", "le"], "--layout is not for operation 'decode'"),
    ):
        assert cli.main(["vectors", *wrong, "--count", "9", "--output", str(tmp_path / "no")]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "no").exists()
