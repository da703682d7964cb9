"""The model agrees with ml_dtypes, bitstring, gfloat and torch, and differs only where DIFFERENCES says so.

Every code is decoded, and every float16 value and every breakpoint with its neighbours is encoded, by the
model and by each package. Where the specification leaves a choice and a package chooses otherwise, the table
holds both answers, and both are asserted: a change in a package is noticed as well as one in the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from oracle_inputs import encode_inputs

import refmodel as mx
from refmodel.formats import E8M0, get_element

FLOATS = ("e5m2", "e4m3", "e3m2", "e2m3", "e2m1")
FP8 = ("e5m2", "e4m3")
SCALE = E8M0.name
REFUSED = None
"""The answer of what raises an error instead of giving a code."""


# --------------------------------------------------------------------------------------------------
# The packages
# --------------------------------------------------------------------------------------------------


class MlDtypes:
    """Asked in float32 only: from float64 it rounds twice (A-17)."""

    formats = FLOATS
    dtypes = (np.float32,)

    def __init__(self) -> None:
        package = pytest.importorskip("ml_dtypes")
        self._dtypes = {
            "e5m2": package.float8_e5m2,
            "e4m3": package.float8_e4m3fn,
            "e3m2": package.float6_e3m2fn,
            "e2m3": package.float6_e2m3fn,
            "e2m1": package.float4_e2m1fn,
            "e8m0": package.float8_e8m0fnu,
        }

    def decode(self, fmt: str, codes: np.ndarray) -> np.ndarray:
        return codes.view(self._dtypes[fmt]).astype(np.float64)

    def encode(self, fmt: str, values: np.ndarray, overflow: str) -> list[int | None]:
        with np.errstate(all="ignore"):
            return values.astype(self._dtypes[fmt]).view(np.uint8).tolist()


class Torch:
    """It has the FP8 formats and E8M0 with conversions; its E2M1 has none."""

    formats = FP8
    dtypes = (np.float32,)

    def __init__(self) -> None:
        self._torch = torch = pytest.importorskip("torch", minversion="2.13")
        self._dtypes = {"e5m2": torch.float8_e5m2, "e4m3": torch.float8_e4m3fn, "e8m0": torch.float8_e8m0fnu}

    def decode(self, fmt: str, codes: np.ndarray) -> np.ndarray:
        return self._torch.from_numpy(codes.copy()).view(self._dtypes[fmt]).to(self._torch.float64).numpy()

    def encode(self, fmt: str, values: np.ndarray, overflow: str) -> list[int | None]:
        return self._torch.from_numpy(values).to(self._dtypes[fmt]).view(self._torch.uint8).tolist()


class Bitstring:
    """The overflow mode is part of its type names; it rounds once, from float64 too (since version 5)."""

    formats = (*FLOATS, "int8")
    dtypes = (np.float32, np.float64)

    def __init__(self) -> None:
        self._bitstring = pytest.importorskip("bitstring", minversion="5.0")

    def _dtype(self, fmt: str, overflow: str):
        names = {"e5m2": f"e5m2mxfp_{overflow}", "e4m3": f"e4m3mxfp_{overflow}", "int8": "mxint"}
        return self._bitstring.Dtype(names.get(fmt, f"{fmt}mxfp"))

    def decode(self, fmt: str, codes: np.ndarray) -> np.ndarray:
        dtype, bits = (
            self._dtype(fmt, "saturate"),
            4 if fmt == "e2m1" else 6 if fmt in ("e3m2", "e2m3") else 8,
        )
        return np.array(
            [dtype.unpack(self._bitstring.Bits(f"uint:{bits}={code}")) for code in codes.tolist()]
        )

    def encode(self, fmt: str, values: np.ndarray, overflow: str) -> list[int | None]:
        dtype = self._dtype(fmt, overflow)
        return [_or_refused(lambda x: dtype.pack(x).u, value) for value in values.tolist()]


class Gfloat:
    """It rounds and encodes in two calls, from float64 exactly."""

    formats = (*FLOATS, "int8")
    dtypes = (np.float32, np.float64)

    def __init__(self) -> None:
        self._gfloat = pytest.importorskip("gfloat")
        self._formats = pytest.importorskip("gfloat.formats")

    def _info(self, fmt: str):
        return getattr(self._formats, f"format_info_ocp_{fmt}")

    def decode(self, fmt: str, codes: np.ndarray) -> np.ndarray:
        return self._gfloat.decode_ndarray(self._info(fmt), codes.astype(np.int64))

    def encode(self, fmt: str, values: np.ndarray, overflow: str) -> list[int | None]:
        info, saturate = self._info(fmt), overflow == "saturate"

        def encode(value: float) -> int:
            return int(self._gfloat.encode_float(info, self._gfloat.round_float(info, value, sat=saturate)))

        return [_or_refused(encode, value) for value in values.tolist()]


def _or_refused(encode: Callable[[float], int], value: float) -> int | None:
    try:
        return encode(value)
    except ValueError:
        return REFUSED


PACKAGES = {"ml_dtypes": MlDtypes, "torch": Torch, "bitstring": Bitstring, "gfloat": Gfloat}


# --------------------------------------------------------------------------------------------------
# The deliberate differences
# --------------------------------------------------------------------------------------------------

# Where rounding to nearest even leaves the range, and whether the bound itself does (MX-5.3.1-e, D-2).
OVERFLOW_BOUNDS = {
    "e5m2": (61440, True),
    "e4m3": (464, False),
    "e3m2": (30, True),
    "e2m3": (7.75, True),
    "e2m1": (7, True),
    "int8": (1.9921875, True),
}


def _overflows(fmt: str, magnitudes: np.ndarray) -> np.ndarray:
    bound, included = OVERFLOW_BOUNDS[fmt]
    return magnitudes >= bound if included else magnitudes > bound


INPUTS: dict[str, Callable[[str, np.ndarray], np.ndarray]] = {
    "+NaN": lambda fmt, x: np.isnan(x) & ~np.signbit(x),
    "-NaN": lambda fmt, x: np.isnan(x) & np.signbit(x),
    "above": lambda fmt, x: _overflows(fmt, x),
    "below": lambda fmt, x: _overflows(fmt, -x),
}
"""Classes of inputs; "above" and "below" are what rounds beyond the range, infinities included."""


@dataclass(frozen=True)
class Difference:
    """Every input of a class, encoded to one format in one overflow mode, gives two answers."""

    id: str
    package: str
    format: str
    overflow: str
    inputs: str
    theirs: int | None
    ours: int
    reason: str


_SAT, _OVF = "saturate", "overflow"
_NO_SATURATION = "A-14: its cast has only the overflow mode"
_ONLY_SATURATION = "A-14: its cast to this format only saturates, since version 2.13"
_NAN_SIGN = "A-15: it keeps the sign of NaN, we clear it"
_NAN_PATTERN = "A-15: its NaN is another pattern"
_NAN_NEGATIVE = "A-15: its NaN has the sign bit set"
_OVERFLOW_NAN = (
    "A-14, A-15: its overflow NaN has the sign bit set always, ours the sign of the input (OFP8-5.2.1-k)"
)
_NAN_TO_ZERO = "A-13: NaN becomes a zero of the other sign, with us the largest positive value"
_NAN_REFUSED = "A-13: it refuses NaN in a format without NaN"
_FULL_INT8 = "A-21: it uses the code of -2, we encode symmetrically"

# fmt: off
DIFFERENCES = [
    Difference(*row) for row in (
        ("ml-01", "ml_dtypes", "e5m2", _SAT, "above", 0x7C, 0x7B, _NO_SATURATION),
        ("ml-02", "ml_dtypes", "e5m2", _SAT, "below", 0xFC, 0xFB, _NO_SATURATION),
        ("ml-03", "ml_dtypes", "e4m3", _SAT, "above", 0x7F, 0x7E, _NO_SATURATION),
        ("ml-04", "ml_dtypes", "e4m3", _SAT, "below", 0xFF, 0xFE, _NO_SATURATION),
        ("ml-05", "ml_dtypes", "e5m2", _SAT, "-NaN", 0xFE, 0x7E, _NAN_SIGN),
        ("ml-06", "ml_dtypes", "e5m2", _OVF, "-NaN", 0xFE, 0x7E, _NAN_SIGN),
        ("ml-07", "ml_dtypes", "e4m3", _SAT, "-NaN", 0xFF, 0x7F, _NAN_SIGN),
        ("ml-08", "ml_dtypes", "e4m3", _OVF, "-NaN", 0xFF, 0x7F, _NAN_SIGN),
        ("ml-09", "ml_dtypes", "e3m2", _SAT, "+NaN", 0x20, 0x1F, _NAN_TO_ZERO),
        ("ml-10", "ml_dtypes", "e3m2", _SAT, "-NaN", 0x00, 0x1F, _NAN_TO_ZERO),
        ("ml-11", "ml_dtypes", "e2m3", _SAT, "+NaN", 0x20, 0x1F, _NAN_TO_ZERO),
        ("ml-12", "ml_dtypes", "e2m3", _SAT, "-NaN", 0x00, 0x1F, _NAN_TO_ZERO),
        ("ml-13", "ml_dtypes", "e2m1", _SAT, "+NaN", 0x8, 0x7, _NAN_TO_ZERO),
        ("ml-14", "ml_dtypes", "e2m1", _SAT, "-NaN", 0x0, 0x7, _NAN_TO_ZERO),
        ("to-01", "torch", "e5m2", _SAT, "above", 0x7C, 0x7B, _NO_SATURATION),
        ("to-02", "torch", "e5m2", _SAT, "below", 0xFC, 0xFB, _NO_SATURATION),
        ("to-03", "torch", "e4m3", _OVF, "above", 0x7E, 0x7F, _ONLY_SATURATION),
        ("to-04", "torch", "e4m3", _OVF, "below", 0xFE, 0xFF, _ONLY_SATURATION),
        ("to-05", "torch", "e5m2", _SAT, "+NaN", 0x7F, 0x7E, _NAN_PATTERN),
        ("to-06", "torch", "e5m2", _OVF, "+NaN", 0x7F, 0x7E, _NAN_PATTERN),
        ("to-07", "torch", "e5m2", _SAT, "-NaN", 0xFF, 0x7E, _NAN_PATTERN),
        ("to-08", "torch", "e5m2", _OVF, "-NaN", 0xFF, 0x7E, _NAN_PATTERN),
        ("to-09", "torch", "e4m3", _SAT, "-NaN", 0xFF, 0x7F, _NAN_SIGN),
        ("to-10", "torch", "e4m3", _OVF, "-NaN", 0xFF, 0x7F, _NAN_SIGN),
        *(
            (f"{key}-{number:02}", package, *rest)
            for key, package in (("bs", "bitstring"), ("gf", "gfloat"))
            for number, *rest in (
                (1, "e5m2", _SAT, "+NaN", 0xFF, 0x7E, _NAN_PATTERN),
                (2, "e5m2", _SAT, "-NaN", 0xFF, 0x7E, _NAN_PATTERN),
                (3, "e5m2", _OVF, "+NaN", 0xFF, 0x7E, _NAN_PATTERN),
                (4, "e5m2", _OVF, "-NaN", 0xFF, 0x7E, _NAN_PATTERN),
                (5, "e4m3", _SAT, "+NaN", 0xFF, 0x7F, _NAN_NEGATIVE),
                (6, "e4m3", _SAT, "-NaN", 0xFF, 0x7F, _NAN_NEGATIVE),
                (7, "e4m3", _OVF, "+NaN", 0xFF, 0x7F, _NAN_NEGATIVE),
                (8, "e4m3", _OVF, "-NaN", 0xFF, 0x7F, _NAN_NEGATIVE),
                (9, "e4m3", _OVF, "above", 0xFF, 0x7F, _OVERFLOW_NAN),
                (10, "e3m2", _SAT, "+NaN", REFUSED, 0x1F, _NAN_REFUSED),
                (11, "e3m2", _SAT, "-NaN", REFUSED, 0x1F, _NAN_REFUSED),
                (12, "e2m3", _SAT, "+NaN", REFUSED, 0x1F, _NAN_REFUSED),
                (13, "e2m3", _SAT, "-NaN", REFUSED, 0x1F, _NAN_REFUSED),
                (14, "e2m1", _SAT, "+NaN", REFUSED, 0x7, _NAN_REFUSED),
                (15, "e2m1", _SAT, "-NaN", REFUSED, 0x7, _NAN_REFUSED),
                (16, "int8", _SAT, "+NaN", REFUSED, 0x7F, _NAN_REFUSED),
                (17, "int8", _SAT, "-NaN", REFUSED, 0x7F, _NAN_REFUSED),
                (18, "int8", _SAT, "below", 0x80, 0x81, _FULL_INT8),
            )
        ),
    )
]

# Conversion of one number to E8M0, which the specification does not describe (MX-5.4.1-e, A-11). The model
# decodes E8M0 and selects it as a block scale; a number it refuses, so there is nothing to agree on.
E8M0_ENCODINGS = [
    # id, package, input, their answer, their choice
    ("ml-21", "ml_dtypes", 1.5, 0x80, "nearest, ties up"),
    ("ml-22", "ml_dtypes", 3.0, 0x81, "nearest, ties up"),
    ("ml-23", "ml_dtypes", 0.0, 0xFF, "zero is NaN"),
    ("ml-24", "ml_dtypes", -1.0, 0xFF, "a negative number is NaN"),
    ("ml-25", "ml_dtypes", np.inf, 0xFF, "Inf is NaN"),
    ("ml-26", "ml_dtypes", 2.0**-149, 0x00, "what is too small is the smallest scale"),
    ("to-21", "torch", 1.5, 0x80, "nearest, ties up"),
    ("to-22", "torch", 3.0, 0x81, "nearest, ties up"),
    ("to-23", "torch", 0.0, 0x00, "zero is the smallest scale"),
    ("to-24", "torch", -1.0, 0x7F, "the sign is dropped"),
    ("to-25", "torch", np.inf, 0xFF, "Inf is NaN"),
    ("gf-21", "gfloat", 1.5, 0x80, "nearest, ties to even code"),
    ("gf-22", "gfloat", 3.0, 0x80, "nearest, ties to even code"),
    ("gf-23", "gfloat", 0.0, 0xFF, "zero is NaN"),
    ("gf-24", "gfloat", np.inf, 0xFE, "Inf saturates"),
    ("gf-25", "gfloat", 2.0**-149, 0xFF, "what is too small is NaN"),
    ("bs-21", "bitstring", 1.5, REFUSED, "only powers of two"),
    ("bs-22", "bitstring", 0.0, REFUSED, "only powers of two"),
]

# fmt: on


# --------------------------------------------------------------------------------------------------
# The tests
# --------------------------------------------------------------------------------------------------

FORMATS = [(package, fmt) for package, adapter in PACKAGES.items() for fmt in adapter.formats]
MODES = [
    (package, fmt, mode) for package, fmt in FORMATS for mode in ((_SAT, _OVF) if fmt in FP8 else (_SAT,))
]


@pytest.mark.parametrize(("package", "fmt"), [*FORMATS, *((package, SCALE) for package in PACKAGES)])
def test_every_code_decodes_to_the_package_s_value(package, fmt):
    adapter = PACKAGES[package]()
    codes = np.arange(1 << (E8M0 if fmt == SCALE else get_element(fmt)).bits, dtype=np.uint8)
    theirs, ours = adapter.decode(fmt, codes), mx.decode(fmt, codes)
    for code, want, got in zip(codes.tolist(), theirs.tolist(), ours.tolist(), strict=True):
        same = (got, np.signbit(got)) == (want, np.signbit(want)) or (np.isnan(got) and np.isnan(want))
        assert same, f"{fmt} {code:#04x}: {package} {want!r}, we {got!r}"


@pytest.mark.parametrize(("package", "fmt", "overflow"), MODES)
def test_every_float16_and_every_breakpoint_encodes_to_the_package_s_code(
    package, fmt, overflow, record_property
):
    adapter = PACKAGES[package]()
    every_float16 = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    compared = 0
    for dtype in adapter.dtypes:
        values = encode_inputs(get_element(fmt), dtype)
        if dtype is np.float32:
            values = np.concatenate([every_float16, values])
        theirs, ours = (
            adapter.encode(fmt, values, overflow),
            mx.encode(fmt, values, overflow=overflow).tolist(),
        )
        expected = {}
        for row in DIFFERENCES:
            if (row.package, row.format, row.overflow) == (package, fmt, overflow):
                chosen = np.flatnonzero(INPUTS[row.inputs](fmt, values))
                assert chosen.size, row.id
                expected |= dict.fromkeys(chosen.tolist(), row)
        bits = values.view(f"u{values.itemsize}").tolist()
        for i, (their_code, our_code) in enumerate(zip(theirs, ours, strict=True)):
            where = f"{fmt} {overflow} {values.dtype} {bits[i]:#x} ({values[i]!r})"
            row = expected.get(i)
            if row is None:
                assert their_code == our_code, f"{where}: {package} {their_code}, we {our_code}"
            else:
                want = (row.theirs, row.ours)
                assert (their_code, our_code) == want, (
                    f"{where}: {row.id} says {want}, now {their_code}, {our_code}"
                )
        compared += values.size
    record_property("inputs", compared)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_power_of_two_scale_encodes_to_the_package_s_code(package):
    adapter = PACKAGES[package]()
    values = mx.decode(SCALE, np.arange(255, dtype=np.uint8)).astype(np.float32)
    assert adapter.encode(SCALE, values, _SAT) == list(range(255))


@pytest.mark.parametrize(
    ("package", "value", "theirs"),
    [row[1:4] for row in E8M0_ENCODINGS],
    ids=[row[0] for row in E8M0_ENCODINGS],
)
def test_the_packages_convert_numbers_to_e8m0_each_in_their_own_way(package, value, theirs):
    adapter = PACKAGES[package]()
    values = np.array([value], np.float32)
    assert adapter.encode(SCALE, values, _SAT) == [theirs]
    if theirs is not REFUSED:
        assert mx.encode(SCALE, values, options=mx.get_profile(package).encode_options(SCALE)) == [theirs]


@pytest.mark.parametrize("block_format", mx.OCP_FORMATS[:5])
def test_every_code_under_every_scale_has_the_value_of_the_float32_product_in_ml_dtypes(block_format):
    """D-7: the product is exact in Float32 or overflows, so one float32 multiplication gives the value."""
    adapter = MlDtypes()
    fmt = mx.get_format(block_format)
    codes = np.resize(np.arange(1 << fmt.element.bits, dtype=np.uint8), (8, fmt.block_size))
    scales = np.arange(256, dtype=np.uint8)
    blocks = mx.Blocks(
        fmt, np.broadcast_to(codes, (256, 8, fmt.block_size)), np.repeat(scales[:, None], 8, axis=1)
    )
    elements = adapter.decode(fmt.element.name, codes.reshape(-1)).astype(np.float32)
    with np.errstate(over="ignore"):
        theirs = adapter.decode(SCALE, scales).astype(np.float32)[:, None] * elements
    ours = mx.dequantize(blocks, dtype=np.float32)
    same = (theirs.view(np.uint32) == ours.view(np.uint32)) | (np.isnan(theirs) & np.isnan(ours))
    first = np.argwhere(~same)[:1]
    assert same.all(), f"{block_format}: scale, position {first}: {theirs[~same][:1]}, we {ours[~same][:1]}"


def test_the_ids_of_the_differences_are_unique_and_each_row_is_a_difference():
    ids = [row.id for row in DIFFERENCES] + [row[0] for row in E8M0_ENCODINGS]
    assert len(set(ids)) == len(ids)
    assert all(row.theirs != row.ours and row.package in PACKAGES for row in DIFFERENCES)
