"""Each profile against the package that it reproduces, over wild Float32: every code is compared.

    python tests/profile_table.py [INPUTS] [PROFILE ...]

prints a table with a row for each profile and format: how many Float32 were converted (10^6 by default), how
many of the codes differ, and why. What is not explained by `DIFFERENCES` ends the run with exit code 1. A
block is 32 of the inputs; its codes are its 32 element codes and its scale code.

    python tests/profile_table.py --document > docs/profiles.md

writes the document that lists the profiles and the differences.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import profile_packages as packages
import pytest
from oracle_inputs import breakpoints, random_float_blocks
from profile_packages import MXFP, REFUSED, Package

import refmodel as mx
from refmodel.formats import E8M0, get_number_format

SEED = 20250312
# Of the array, where there is one: usual ones, the least and the largest of their kind, and 1.
TENSOR_SCALES = (1.0, 2.0**-149, 1e-38, 3e-12, 1.7e-3, 0.3, 2.0**20, 5e17, 3e30, 3.4e38)
FP8_BLOCKS = MXFP[:2]


# --------------------------------------------------------------------------------------------------
# Inputs
# --------------------------------------------------------------------------------------------------


def wild_numbers(fmt: str, count: int) -> np.ndarray:
    """Float32 for a conversion to *fmt*: see the comments; a function of its arguments alone."""
    rng = np.random.default_rng((SEED, sum(map(ord, fmt))))
    number_format = get_number_format(fmt)
    if number_format is E8M0:
        points = np.ldexp([[1.0], [1.5], [2**0.5]], np.arange(-149, 128)).ravel()
    else:
        points = np.array([float(point) for point in breakpoints(number_format)])
    points = points[points < 2.0**128].astype(np.float32)
    powers = np.ldexp(np.float32(1), np.arange(-149, 128))
    any_sign = rng.integers(0, 2, count, dtype=np.uint32) << np.uint32(31)
    kinds = [
        rng.integers(0, 1 << 32, count, dtype=np.uint64).astype(np.uint32),  # uniform bit patterns
        # Values and ties, and their neighbours; powers of two and up to 64 ulp beside them.
        _beside(rng.choice(points, count), rng.integers(-1, 2, count)) | any_sign,
        _beside(rng.choice(powers, count), rng.integers(-64, 65, count)) | any_sign,
        # Numbers of about the magnitudes of the format, which uniform patterns seldom have.
        (rng.choice(points, count) * rng.random(count, np.float32)).view(np.uint32) | any_sign,
        rng.integers(0, 1 << 23, count, dtype=np.uint32) | any_sign,  # subnormal
        rng.integers(0x7F800000, 0x80000000, count, dtype=np.uint32) | any_sign,  # NaN with payload
        rng.choice(np.array([0, 0x7F800000, 0x7F7FFFFF, 1], np.uint32), count) | any_sign,
    ]
    which = rng.choice(len(kinds), count, p=[0.3, 0.3, 0.1, 0.2, 0.05, 0.04, 0.01])
    return np.choose(which, kinds).astype(np.uint32).view(np.float32)


def _beside(values: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The bits of positive Float32 that many steps away."""
    return np.clip(values.view(np.int32).astype(np.int64) + steps, 0, 0x7F7FFFFF).astype(np.uint32)


def wild_rows(fmt: str, count: int) -> np.ndarray:
    """Rows of Float32, one block of *fmt* each.

    A mixture of uniform bit patterns, exponents near each other, maxima at and up to 64 ulp beside a power
    of two or near the ends of the scales, values and ties of the element times a scale, zeros and
    subnormals, a few rows with NaN or infinity; a NaN gets a payload. The maximum of some is the largest
    element times a scale, often the lowest, or one ulp beside it.
    """
    rng = np.random.default_rng((SEED, sum(map(ord, fmt))))
    bits = random_float_blocks(mx.get_format(fmt), np.float32, count, (SEED, len(fmt))).view(np.uint32)
    edges = rng.integers(0, count, count // 50)
    exponents = np.where(rng.random(edges.size) < 0.5, -127, rng.integers(-127, 110, edges.size))
    maxima = np.ldexp(mx.get_format(fmt).element.max_value, exponents).astype(np.float32)
    bits[edges] = (rng.random((edges.size, bits.shape[1]), np.float32) * maxima[:, None]).view(np.uint32)
    bits[edges, 7] = _beside(maxima, rng.integers(-1, 2, edges.size))
    nan = np.isnan(bits.view(np.float32))
    bits[nan] |= rng.integers(0, 1 << 22, int(nan.sum()), dtype=np.uint32)
    return bits.view(np.float32)


# --------------------------------------------------------------------------------------------------
# The differences that have a reason
# --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """Codes of a package that no options give.

    Attributes:
        packages: The adapters it is true of.
        formats: The formats it is true of.
        codes: Which codes may differ: of numbers x a mask of the same shape; of rows x, given our scale codes
            as well, one that fits [n, 33], the scale code first.
        reason: Why.
        theirs: The package's code for every one of them; None where it is not one code.
    """

    packages: tuple[type[Package], ...]
    formats: tuple[str, ...]
    codes: Callable[..., np.ndarray]
    reason: str
    theirs: int | None = None


SCALE = np.arange(33) == 0
"""The column of the scale codes."""


def _nan_rows(x, scales):
    return np.isnan(x).any(axis=1)[:, None]


def _infinite_rows(x, scales):
    return (np.isinf(x).any(axis=1) & ~np.isnan(x).any(axis=1))[:, None]


def _zero_quotients(x, scales):
    """+0, and positive numbers whose Float32 quotient by the scale is +0."""
    with np.errstate(over="ignore", invalid="ignore"):
        quotients = x / np.ldexp(np.float32(1), scales.astype(np.int32)[:, None] - 127)
    return np.pad((quotients == 0) & ~np.signbit(x), ((0, 0), (1, 0)))


def _tiny_rows(x, scales):
    return (np.abs(x).max(axis=1) < 2.0**-125)[:, None]


def _at_the_top(x, scales):
    """What rounds to 4 or 6 times 2^126."""
    return np.pad((np.abs(x) > 3.5 * 2.0**126) & (scales == 253)[:, None], ((0, 0), (1, 0)))


def _zero_times_infinity(x, scales):
    """Zeros of an NVFP4 array where (1 / tensor scale) / block scale is beyond Float32."""
    shares = [
        np.full(len(rows), scale) for rows, scale in zip(np.array_split(x, 10), TENSOR_SCALES, strict=True)
    ]
    with np.errstate(over="ignore"):
        reciprocal = (1 / np.concatenate(shares).astype(np.float32)) / mx.decode("ue4m3", scales).astype(
            np.float32
        )
    return np.pad((x == 0) & np.isinf(reciprocal)[:, None] & ~_nan_rows(x, scales), ((0, 0), (1, 0)))


def _is_power_of_two(x):
    return (x >= 2.0**-127) & np.isfinite(x) & (np.frexp(x)[0] == 0.5)


TORCHAO = (packages.TorchAo, packages.TorchAoCeil, packages.TorchAoEven, packages.TorchAoRceil)
E8M0_ONLY = ("e8m0",)

DIFFERENCES = (
    Difference(
        (packages.MlDtypes,),
        E8M0_ONLY,
        lambda x: (x > 2.0**-127) & (x < 1.5 * 2.0**-127),
        "2^-126, not 2^-127, is what a number between 2^-127 and 1.5 * 2^-127 becomes (A-11)",
        0x01,
    ),
    Difference(
        (packages.Torch,),
        E8M0_ONLY,
        lambda x: (np.abs(x) > 2.0**-127) & (np.abs(x) < 1.5 * 2.0**-127),
        "2^-126, not 2^-127, is what a number between 2^-127 and 1.5 * 2^-127 becomes (A-11)",
        0x01,
    ),
    Difference(
        (packages.Onnx,),
        E8M0_ONLY,
        lambda x: (x != 0) & (np.abs(x) <= 2.0**-127),
        "every subnormal number counts as more than 2^-127 and is rounded up to 2^-126 (A-11)",
        0x01,
    ),
    Difference((packages.Onnx,), E8M0_ONLY, np.isinf, "an infinity is NaN though saturate is 1 (A-11)", 0xFF),
    Difference(
        (packages.Gfloat,), E8M0_ONLY, np.isneginf, "-Inf is taken as Inf, which saturates (A-11)", 0xFE
    ),
    Difference(
        (packages.Bitstring,),
        E8M0_ONLY,
        lambda x: ~np.isnan(x) & ~_is_power_of_two(x),
        "everything but powers of two is refused (A-11)",
        REFUSED,
    ),
    Difference(
        (packages.BitstringOverflow,),
        ("e4m3",),
        lambda x: x > 464,
        "the NaN of an overflow has the sign bit set, ours has that of the number (A-15)",
        0xFF,
    ),
    Difference(
        (*TORCHAO, packages.Gfloat),
        FP8_BLOCKS,
        lambda x, scales: _nan_rows(x, scales) & ~SCALE,
        "element codes under a NaN scale mean nothing (MX-4-d); ours are 0",
    ),
    Difference(
        TORCHAO,
        tuple(fmt for fmt in MXFP if fmt not in FP8_BLOCKS),
        lambda x, scales: _nan_rows(x, scales) & ~SCALE,
        "element codes under a NaN scale mean nothing (MX-4-d); ours are 0",
    ),
    Difference(
        (packages.TorchAo,),
        ("nvfp4",),
        lambda x, scales: _nan_rows(x, scales) & ~SCALE[:17],
        "element codes under a NaN scale mean nothing (MX-4-d); ours are 0",
    ),
    Difference(
        (packages.TorchAo,),
        ("nvfp4",),
        _zero_times_infinity,
        "0 times an infinite reciprocal of the scales is NaN, whose bits become -1.5; ours is 6 (A-13, A-N5)",
        0xB,
    ),
    Difference(
        (packages.Gfloat,),
        tuple(fmt for fmt in mx.OCP_FORMATS if fmt not in FP8_BLOCKS),
        lambda x, scales: _nan_rows(x, scales) & SCALE,
        "a block with NaN is refused (A-6)",
        REFUSED,
    ),
    Difference(
        (packages.ModelOpt,),
        ("mxfp8_e4m3",),
        lambda x, scales: _nan_rows(x, scales) & SCALE,
        "the scale of a block with NaN is 2^-127 (A-6)",
        0x00,
    ),
    Difference(
        (packages.ModelOpt,),
        ("mxfp8_e4m3",),
        lambda x, scales: _nan_rows(x, scales) & ~SCALE,
        "which elements then saturate or are NaN; ours are 0 under the NaN scale (MX-4-d)",
    ),
    Difference(
        (packages.ModelOpt,),
        ("mxfp4_e2m1",),
        lambda x, scales: _zero_quotients(x, scales) & ~_nan_rows(x, scales) & ~_infinite_rows(x, scales),
        "the code of zero is 0x8 whatever its sign (A-19)",
        0x8,
    ),
    Difference(
        (packages.ModelOpt,),
        ("mxfp4_e2m1",),
        lambda x, scales: _nan_rows(x, scales) | _infinite_rows(x, scales),
        "a block with NaN or Inf gets a scale by conversion of NaN or Inf to an integer, which C leaves open",
    ),
    Difference(
        (packages.Gguf,),
        ("mxfp4_e2m1",),
        lambda x, scales: _nan_rows(x, scales) | _infinite_rows(x, scales),
        "a block with NaN or Inf gets a scale by conversion of NaN or Inf to an integer, which C leaves open",
    ),
    Difference(
        (packages.Gguf,),
        ("mxfp4_e2m1",),
        _tiny_rows,
        "below 2^-125 the scale byte wraps around, 2^-128 is 0xFE (A-4)",
    ),
    Difference(
        (packages.Gguf,),
        ("mxfp4_e2m1",),
        lambda x, scales: _at_the_top(x, scales) & ~_infinite_rows(x, scales) & ~_nan_rows(x, scales),
        "4 and 6 times 2^126 overflow Float32, so 3 counts as nearest",
    ),
)

# --------------------------------------------------------------------------------------------------
# The comparison
# --------------------------------------------------------------------------------------------------

# Adapter -> the profile it stands for, and the options that are replaced in it.
PROFILES: dict[type[Package], tuple[str, dict[str, str]]] = {
    packages.MlDtypes: ("ml_dtypes", {}),
    packages.Onnx: ("onnx", {}),
    packages.Torch: ("torch", {}),
    packages.TorchAo: ("torchao", {}),
    packages.TorchAoCeil: ("torchao", {"scale_rule": "ceil"}),
    packages.TorchAoEven: ("torchao", {"scale_rule": "even"}),
    packages.TorchAoRceil: ("torchao_rceil", {}),
    packages.Gfloat: ("gfloat", {}),
    packages.Bitstring: ("bitstring", {}),
    packages.BitstringOverflow: ("bitstring", {"overflow": "overflow"}),
    packages.Cuda: ("cuda", {}),
    packages.ModelOpt: ("modelopt", {}),
    packages.Gguf: ("gguf", {}),
}


@dataclass(frozen=True)
class Comparison:
    """What came out for one profile and format.

    Attributes:
        inputs: Float32 converted.
        codes: Codes compared.
        explained: Codes that differ, by reason.
        unexplained: Codes that differ without one, or do not where there is one.
        first: The first of those, in words.
    """

    inputs: int
    codes: int
    explained: dict[str, int]
    unexplained: int
    first: str = ""


def options_of(adapter: type[Package], fmt: str) -> mx.EncodeOptions:
    name, replaced = PROFILES[adapter]
    profile = mx.get_profile(name)
    options = profile.quantize_options(fmt) if fmt in mx.list_formats() else profile.encode_options(fmt)
    return replace(options, **replaced)


def compare(package: Package, fmt: str, inputs: int) -> Comparison:
    """Convert about that many wild Float32 to *fmt* with the package and with its profile."""
    options = options_of(type(package), fmt)
    if fmt in mx.list_formats():
        x = wild_rows(fmt, inputs // mx.get_format(fmt).block_size)
        ours, theirs = _quantize(package, fmt, x, options)
        context = (x, ours[:, 0])
    else:
        x = wild_numbers(fmt, inputs)
        theirs, ours = package.encode(fmt, x).astype(np.int64), _encode(fmt, x, options)
        context = (x,)
    differs = ours != theirs
    wrong, explained = differs.copy(), {}
    for row in DIFFERENCES:
        if type(package) in row.packages and fmt in row.formats:
            chosen = np.broadcast_to(row.codes(*context), ours.shape)
            explained[row.reason] = int(differs[chosen].sum())
            wrong[chosen] = False if row.theirs is None else theirs[chosen] != row.theirs
    first = ""
    if wrong.any():
        i, *j = np.argwhere(wrong)[0].tolist()
        bits = " ".join(f"{b:08x}" for b in np.atleast_1d(x[i]).view(np.uint32).tolist())
        where = f"{bits}, code {j[0]}" if j else bits
        first = f"{where}: theirs {theirs[i, *j]:#x}, ours {ours[i, *j]:#x}"
    return Comparison(x.size, ours.size, explained, int(wrong.sum()), first)


def _quantize(
    package: Package, fmt: str, x: np.ndarray, options: mx.QuantizeOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Our codes of rows and the package's, the scale code first."""
    has_tensor_scale = mx.get_format(fmt).tensor_scale is not None
    parts = np.array_split(x, len(TENSOR_SCALES)) if has_tensor_scale else [x]
    results: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for part, scale in zip(parts, TENSOR_SCALES, strict=False):
        given = (np.float32(scale),) if has_tensor_scale else ()
        blocks = mx.quantize(part, fmt, options=options, tensor_scale=given[0] if given else None)
        pairs = (blocks.scales, blocks.codes[:, 0]), package.quantize(fmt, part, *given)
        for result, (scales, codes) in zip(results, pairs, strict=True):
            result.append(np.column_stack([scales, codes]).astype(np.int64))
    return np.concatenate(results[0]), np.concatenate(results[1])


def _encode(fmt: str, x: np.ndarray, options: mx.EncodeOptions) -> np.ndarray:
    """Our codes, and REFUSED for the NaNs that the options refuse."""
    refused = np.zeros(x.shape, bool)
    if options.nan_to_finite == "error":
        refused = np.isnan(x)
    codes = mx.encode(fmt, np.where(refused, np.float32(0), x), options=options).astype(np.int64)
    if refused.any():
        with pytest.raises(mx.ValueRefusedError):
            mx.encode(fmt, x[refused], options=options)
    return np.where(refused, REFUSED, codes)


def rows(inputs: int, names: tuple[str, ...]) -> Iterator[tuple[str, str, str, Comparison]]:
    """Compare every installed package; yields profile, package with version, format and what came out."""
    for adapter, (name, _) in PROFILES.items():
        if names and name not in names:
            continue
        try:
            package = adapter()
        except pytest.skip.Exception as missing:
            print(f"{name}: {missing}", file=sys.stderr)
            continue
        shown = " ".join(_shown(adapter))
        for fmt in (*adapter.numbers, *adapter.blocks):
            yield shown, f"{adapter.package} {adapter.version()}", fmt, compare(package, fmt, inputs)


INTRODUCTION = """\
# Profiles

A profile is a set of options under which refmodel gives the codes of a public implementation, bit for bit:

    mx.quantize(x, "mxfp8_e4m3", options=mx.get_profile("torchao").quantize_options("mxfp8_e4m3"))
    mx.encode("e4m3", x, options=mx.get_profile("cuda").encode_options("e4m3"))

An option can be replaced as in any dataclass: `dataclasses.replace(options, scale_rule="even")`. The options
of a block format hold for any block size. A format that a profile does not list is refused, except by `ocp`,
which has the defaults for every one. `mxref profiles NAME` prints one profile; `tests/profile_table.py`
compares them with the packages that are installed and, given `--document`, prints this document. All of the
packages, next to those of `make test`:

    pip install torchao==0.18.0 onnx==1.23.2 gguf==0.19.0 nvidia-modelopt==0.47.0 huggingface_hub \\
        nvidia-cuda-runtime-cu12==12.9.79 nvidia-cuda-nvcc-cu12==12.9.86 nvidia-cuda-cccl-cu12
"""

DIFFERENCES_HEAD = """
## Differences

What a package gives and no option does; `tests/test_profiles.py` asserts each, and that all else is the same.
"""


def document() -> str:
    """The text of docs/profiles.md."""
    parts = [INTRODUCTION]
    for profile in map(mx.get_profile, mx.list_profiles()):
        parts.append(f"\n## {profile.name}\n\n{profile.summary} *Source*: {profile.source}.\n\n")
        by_options: dict[str, list[str]] = {}
        for fmt, changes in profile.changes().items():
            by_options.setdefault(changes, []).append(fmt)
        parts.append("| formats | options that differ from the defaults |\n| --- | --- |\n")
        for changes, formats in by_options.items():
            parts.append(f"| {', '.join(formats)} | {', '.join(f'`{each}`' for each in changes.split())} |\n")
        if profile.layouts:
            layouts = ", ".join(f"{bits} bits `{layout}`" for bits, layout in profile.layouts.items())
            parts.append(f"\nCodes in bytes: {layouts}.\n")
    parts.append(DIFFERENCES_HEAD + "\n| profile | formats | codes | reason |\n| --- | --- | --- | --- |\n")
    for row in DIFFERENCES:
        names = ", ".join(dict.fromkeys(" ".join(_shown(adapter)) for adapter in row.packages))
        code = {None: "several", REFUSED: "refused"}.get(row.theirs) or f"{row.theirs:#04x}"
        parts.append(f"| {names} | {', '.join(row.formats)} | {code} | {row.reason} |\n")
    return "".join(parts)


def _shown(adapter: type[Package]) -> list[str]:
    name, replaced = PROFILES[adapter]
    return [name, *(f"{field}={value}" for field, value in replaced.items())]


def main(arguments: list[str]) -> int:
    if arguments == ["--document"]:
        print(document(), end="")
        return 0
    inputs = int(arguments[0]) if arguments else 10**6
    failed = 0
    print(f"{'profile':34} {'package':36} {'format':12} {'inputs':>9} {'differ':>8}  explanation")
    for name, package, fmt, result in rows(inputs, tuple(arguments[1:])):
        explained = "; ".join(f"{count}: {reason}" for reason, count in result.explained.items() if count)
        failed += result.unexplained
        differ = sum(result.explained.values()) + result.unexplained
        print(
            f"{name:34} {package:36} {fmt:12} {result.inputs:9} {differ:8}  {explained}".rstrip(), flush=True
        )
        if result.unexplained:
            print(f"    {result.unexplained} UNEXPLAINED, first: {result.first}")
    return int(failed > 0)


if __name__ == "__main__":
    started = time.monotonic()
    code = main(sys.argv[1:])
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    sys.exit(code)
