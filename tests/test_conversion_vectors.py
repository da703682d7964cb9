"""Sets of conversions: every class holds what it promises, results are the oracle's, files hold them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refmodel as mx
from refmodel.errors import DefinitionError, FileError, UnknownNameError
from refmodel.options import QuantizeOptions
from refmodel.vectors.conversions import (
    DequantizeVectors,
    QuantizeVectors,
    make_dequantize_vectors,
    make_quantize_vectors,
)
from refmodel.vectors.files import MANIFEST, read_dot_vectors, read_vectors, write_vectors
from refmodel.vectors.numbers import NUMBER_FORMATS
from refmodel.vectors.pairs import TensorPair
from refmodel.vectors.verify import check_results

FORMATS = ("mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4_e2m1", "mxint8", "nvfp4")
RCEIL = QuantizeOptions(scale_rule="rceil")
OVERFLOW = QuantizeOptions(overflow="overflow")

formats = pytest.mark.parametrize("fmt", FORMATS)
inputs = pytest.mark.parametrize("input_format", ["fp32", "bf16"])


def numbers(vectors: QuantizeVectors, name: str) -> np.ndarray:
    """Return the numbers of a class, float64 [n, block size]."""
    each = next(each for each in vectors.classes if each.name == name)
    bits = vectors.values[each.first : each.first + each.count].astype(np.uint32)
    with np.errstate(invalid="ignore"):
        return NUMBER_FORMATS[vectors.input_format].values(bits).astype(np.float64)


def finite_magnitudes(fmt: str) -> np.ndarray:
    values = mx.decode(mx.get_format(fmt).element, np.arange(1 << mx.get_format(fmt).element.bits))
    return np.unique(np.abs(values[np.isfinite(values)])).astype(np.float64)


@formats
@inputs
def test_breakpoints_are_met_exactly_and_one_place_beside_with_both_signs(fmt: str, input_format: Any) -> None:
    vectors = make_quantize_vectors(fmt, input_format=input_format, count=1, seed=1)
    met = set(numbers(vectors, "breakpoints").ravel().tolist())
    values = finite_magnitudes(fmt)
    values = values[values <= mx.get_format(fmt).element.max_value]
    for point in [*values, *(values[1:] + values[:-1]) / 2]:
        single = np.float32(point)
        beside = [np.nextafter(single, np.float32(side)) for side in (0, np.inf)]
        if input_format == "bf16":
            step = 2.0 ** (np.frexp(point)[1] - 8)
            beside = [point + step, point - (step if np.frexp(point)[0] != 0.5 else step / 2)]
        for number in [point, *beside] if point else [point]:
            assert {float(number), -float(number)} <= met, number


@pytest.mark.parametrize("fmt", FORMATS[:6])
def test_the_maximum_walks_up_to_64_places_around_powers_of_two_and_the_bounds_of_rceil(fmt: str) -> None:
    vectors = make_quantize_vectors(fmt, count=20_000, seed=1)
    met = set(np.abs(numbers(vectors, "maximum")).max(axis=1).astype(np.float32).view(np.uint32).tolist())
    element = mx.get_format(fmt).element
    for bound in (2.0**element.emax, element.max_value):
        bits = int(np.float32(bound).view(np.uint32))
        assert set(range(bits - 64, bits + 65)) <= met
    core = make_quantize_vectors(fmt, count=1, seed=1)
    least = set(np.abs(numbers(core, "maximum")).max(axis=1).astype(np.float32).view(np.uint32).tolist())
    assert {bits - 64, bits - 1, bits, bits + 1, bits + 64} <= least


def test_the_maximum_walks_over_every_boundary_of_a_scale_with_a_mantissa() -> None:
    vectors = make_quantize_vectors("nvfp4", count=1, seed=1)
    scales = mx.decode(mx.get_scale("ue4m3"), np.arange(0x7F)).astype(np.float64)
    met = set(np.abs(numbers(vectors, "maximum")).max(axis=1).tolist())
    for tie in 6 * (scales[1:] + scales[:-1]) / 2:
        assert {tie, float(np.nextafter(np.float32(tie), np.float32(0)))} <= met
    assert set(vectors.scales.tolist()) >= set(range(0x80))


@formats
def test_scales_are_clamped_at_both_ends_and_subnormal_inputs_meet_them(fmt: str) -> None:
    vectors = make_quantize_vectors(fmt, count=3000, seed=2)
    amax = np.abs(numbers(vectors, "scale_ends")).max(axis=1)
    assert amax.min() <= 2.0**-149
    assert amax.max() >= 2.0**127
    exponents = set((np.frexp(amax)[1] - 1).tolist())
    block_format = mx.get_format(fmt)
    edge = block_format.scale.emin + block_format.element.emax
    assert set(range(max(-149, edge - 3), edge + 3)) <= exponents
    subnormal = np.abs(numbers(vectors, "subnormals"))
    assert ((subnormal < 2.0**-126).sum(axis=1) >= block_format.block_size - 1).all()
    assert (subnormal.max(axis=1) < 2.0**-126).sum() > 10
    assert (subnormal.max(axis=1) >= 2.0**-126).sum() > 10


@formats
@inputs
def test_zeros_nan_and_infinities_are_in_every_place(fmt: str, input_format: Any) -> None:
    vectors = make_quantize_vectors(fmt, input_format=input_format, count=8000, seed=3)
    zeros = numbers(vectors, "zeros")
    whole = {tuple(np.signbit(row)) for row in zeros[(zeros == 0).all(axis=1)].tolist()}
    size = zeros.shape[1]
    assert {(False,) * size, (True,) * size, (False, True) * (size // 2)} <= whole
    special = numbers(vectors, "specials")
    assert np.isnan(special).any(axis=0).all()
    assert (special == np.inf).any(axis=0).all()
    assert (special == -np.inf).any(axis=0).all()
    both = np.isnan(special).any(axis=1) & np.isinf(special).any(axis=1)
    assert both.sum() > 10
    assert np.isnan(special).all(axis=1).any()
    nan = mx.get_format(fmt).scale.nan_codes[0]
    bad = ~np.isfinite(special).all(axis=1)
    each = next(each for each in vectors.classes if each.name == "specials")
    assert (vectors.scales[each.first : each.first + each.count][bad] == nan).all()


@formats
def test_every_lane_meets_every_tie_with_every_bit_below_it_and_every_distance(fmt: str) -> None:
    vectors = make_quantize_vectors(fmt, count=10_000, seed=1)
    tie = finite_magnitudes(fmt)[1] / 2
    with_a_bit = {tie, *(float(np.float32(tie * (1 + 2.0**-k))) for k in range(1, 24))}
    for lane in np.abs(numbers(vectors, "sticky")).T:
        assert with_a_bit <= set(lane.tolist())
    powers = {2.0**k for k in range(-149, 128)}
    for lane in np.abs(numbers(vectors, "distances")).T:
        assert powers <= set(lane.tolist())


@formats
@inputs
@pytest.mark.parametrize("options", [QuantizeOptions(), RCEIL, OVERFLOW], ids=["floor", "rceil", "overflow"])
def test_results_are_those_of_the_oracle(fmt: str, input_format: Any, options: QuantizeOptions) -> None:
    if options is OVERFLOW and fmt not in ("mxfp8_e5m2", "mxfp8_e4m3"):
        with pytest.raises(DefinitionError):
            make_quantize_vectors(fmt, input_format=input_format, options=options, count=1, seed=5)
        return
    pair = TensorPair("x", np.array([[1.0, np.nan, 3.0], [0.1, 2.0, -np.inf]]), np.linspace(-9, 9, 40)[None])
    vectors = make_quantize_vectors(fmt, input_format=input_format, options=options, count=1, seed=5, tensors=[pair])
    for i in range(0, vectors.vectors, 7):
        expected = vectors.by_oracle(i)
        assert vectors.elements[i].tolist() == expected["elements"], (i, vectors.class_of(i).name)
        assert [vectors.scales[i]] == expected["scale"], (i, vectors.class_of(i).name)
    assert {"breakpoints", "maximum", "tensor", "random"} <= {each.name for each in vectors.classes}


@formats
def test_dequantize_holds_every_code_under_every_scale_in_few_blocks(fmt: str) -> None:
    vectors = make_dequantize_vectors(fmt, count=2048, seed=1)
    n_codes = 1 << mx.get_format(fmt).element.bits
    met = np.zeros((256, n_codes), bool)
    met[np.repeat(vectors.scales[:, None], vectors.elements.shape[1], axis=1), vectors.elements] = True
    assert met.all()
    assert vectors.vectors == 2048
    small = make_dequantize_vectors(fmt, count=1, seed=1)
    assert set(small.scales.tolist()) == set(range(256))
    assert small.vectors <= 320
    for i in range(0, small.vectors, 3):
        assert small.values[i].tolist() == small.by_oracle(i)["values"]


def test_a_count_is_kept_and_calls_repeat_to_the_byte() -> None:
    for count in (1500, 4000):
        first, second = (make_quantize_vectors("mxfp4_e2m1", count=count, seed=9) for _ in range(2))
        assert first.vectors >= count
        assert first.vectors <= max(count, 1800)
        assert np.array_equal(first.values, second.values)
    other = make_quantize_vectors("mxfp4_e2m1", count=4000, seed=10)
    assert not np.array_equal(first.values, other.values)
    assert len(make_dequantize_vectors("mxint8", count=3000, seed=1).scales) == 3000


GOLDEN = "39cb659636ed20cd"


@pytest.fixture
def quantize_set(tmp_path: Path) -> Path:
    made = make_quantize_vectors("mxfp6_e3m2", input_format="bf16", options=RCEIL, count=1, seed=4)
    return write_vectors(made, tmp_path / "set")


def test_a_set_of_conversions_is_read_as_written(quantize_set: Path, tmp_path: Path) -> None:
    made = make_quantize_vectors("mxfp6_e3m2", input_format="bf16", options=RCEIL, count=1, seed=4)
    read = read_vectors(quantize_set)
    assert isinstance(read, QuantizeVectors)
    assert read.options == RCEIL
    assert (read.format, read.input_format, read.classes, read.call) == (
        made.format, "bf16", made.classes, made.call,
    )  # fmt: skip
    for mine, theirs in zip(made.planes(), read.planes(), strict=True):
        assert (mine.name, mine.direction, mine.bits) == (theirs.name, theirs.direction, theirs.bits)
        assert np.array_equal(mine.codes, theirs.codes)
    line = (quantize_set / "values.hex").read_text().split()[3]
    assert line == "".join(f"{word:04x}" for word in made.values[3].tolist()[::-1])
    numbers_made = make_dequantize_vectors("nvfp4", count=300, seed=4)
    numbers_read = read_vectors(write_vectors(numbers_made, tmp_path / "numbers"))
    assert isinstance(numbers_read, DequantizeVectors)
    assert np.array_equal(numbers_read.values, numbers_made.values)
    assert check_results(numbers_read) == numbers_read.vectors
    with pytest.raises(FileError, match="holds vectors of operation 'dequantize', not of 'dot'"):
        read_dot_vectors(tmp_path / "numbers")


@pytest.mark.parametrize("plane", ["elements", "scale"])
def test_a_wrong_result_is_named_with_its_line(plane: str, quantize_set: Path) -> None:
    read = read_vectors(quantize_set)
    assert check_results(read) > 100
    codes = next(each.codes for each in read.planes() if each.name == plane)
    codes[11, 0] ^= 1
    with pytest.raises(FileError, match=rf"^{plane}: word 12 is [0-9a-f]+, the model gives .* 1 of \d+ differ"):
        check_results(read)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["block_format"], "mxfp9", "field block_format is wrong: unknown block format"),
        (["input_format"], "fp64", 'field input_format is "fp64"; expected one of "fp32", "bf16"'),
        (["options", "scale_rule"], "up", "field options is wrong: "),
        (["options", "rounds"], "up", "field options.rounds is unknown"),
        (["operation"], "dequantize", "field input_format is unknown"),
        (["blocks"], 7, "field classes cover"),
        (["planes", "values", "bits"], 1024, "field planes.values.bits is 1024; expected 512"),
    ],
)
def test_a_wrong_field_is_named(path: list[str], value: Any, message: str, quantize_set: Path) -> None:
    manifest = json.loads((quantize_set / MANIFEST).read_text())
    inner = manifest
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    (quantize_set / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(FileError) as caught:
        read_vectors(quantize_set)
    assert message in str(caught.value)


def test_a_truncated_and_an_edited_plane_are_refused(quantize_set: Path) -> None:
    path = quantize_set / "values.hex"
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    with pytest.raises(FileError, match=r"values\.hex: ends in the middle of line \d+"):
        read_vectors(quantize_set)
    path.write_bytes((b"1" if data[:1] == b"0" else b"0") + data[1:])
    with pytest.raises(FileError, match=r"values\.hex: SHA-256 is"):
        read_vectors(quantize_set)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="input format"):
        make_quantize_vectors("mxint8", input_format="fp16", count=1, seed=1)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="stochastic"):
        make_quantize_vectors("mxint8", options=QuantizeOptions(rounding="stochastic"), count=1, seed=1)
    with pytest.raises(DefinitionError, match="count 0"):
        make_dequantize_vectors("mxint8", count=0, seed=1)


def test_the_planes_are_the_same_on_every_machine() -> None:
    """Fixed answers: if they change, every set in the world changes."""
    digest = hashlib.sha256()
    for fmt in ("mxfp8_e4m3", "nvfp4"):
        digest.update(make_quantize_vectors(fmt, count=1, seed=1).values.astype("<u4").tobytes())
    assert digest.hexdigest()[:16] == GOLDEN
