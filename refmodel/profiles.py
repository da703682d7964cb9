"""Profiles: the choices of public implementations, each as a named set of options.

A profile holds, for each format that the implementation converts to, the options that make `refmodel`
give its codes. Where no option expresses what an implementation does, its `source` says so. The ids are
those of the project's clause list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TypeVar

from refmodel.errors import DefinitionError, unknown_name
from refmodel.formats import BlockFormat, NumberFormat, get_format, get_number_format
from refmodel.options import EncodeOptions, QuantizeOptions

_Options = TypeVar("_Options", bound=EncodeOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The choices of one implementation.

    Attributes:
        name: Lower-case name used in calls and on the command line.
        summary: What it reproduces, in one sentence.
        source: What it was tested against, package and version, or which documents it follows.
        numbers: Options of the conversion of numbers, by element or scale format.
        blocks: Options of the conversion to blocks, by block format; they hold for any block size.
        layouts: The layout of element codes in bytes (`refmodel.list_layouts`), by code width in bits.
        any_number: Options for every other format, or None where there are none.
        any_block: The same for block formats.
    """

    name: str
    summary: str
    source: str
    numbers: Mapping[str, EncodeOptions] = field(default_factory=lambda: MappingProxyType({}))
    blocks: Mapping[str, QuantizeOptions] = field(default_factory=lambda: MappingProxyType({}))
    layouts: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    any_number: EncodeOptions | None = None
    any_block: QuantizeOptions | None = None

    def encode_options(self, fmt: str | NumberFormat) -> EncodeOptions:
        """Return the options with which `refmodel.encode` gives the codes of the implementation.

        A format described by the user is one of the named ones if all but its name is the same.

        Raises:
            UnknownNameError: If there is no such format.
            DefinitionError: If the implementation has no such conversion; the message lists those it has.
        """
        number_format = get_number_format(fmt)
        named = {
            name: options
            for name, options in self.numbers.items()
            if _same_numbers(number_format, get_number_format(name))
        }
        return self._only(number_format.name, "numbers", named, self.any_number, tuple(self.numbers))

    def quantize_options(self, fmt: str | BlockFormat) -> QuantizeOptions:
        """Return the options with which `refmodel.quantize` gives the blocks of the implementation.

        A format described by the user is one of the named ones if element and scale are.

        Raises:
            UnknownNameError: If there is no such format.
            DefinitionError: If the implementation has no such conversion; the message lists those it has.
        """
        block_format = get_format(fmt)
        named = {name: options for name, options in self.blocks.items() if _has_parts_of(block_format, name)}
        return self._only(block_format.name, "arrays", named, self.any_block, tuple(self.blocks))

    def changes(self) -> dict[str, str]:
        """Return for each format the options that differ from the defaults, as ``field=value`` and blanks."""
        every: dict[str, EncodeOptions | None] = {
            **self.numbers,
            **self.blocks,
            "any element or scale": self.any_number,
            "any block": self.any_block,
        }
        return {name: _changed(options) for name, options in every.items() if options is not None}

    def _only(
        self,
        name: str,
        what: str,
        named: Mapping[str, _Options],
        other: _Options | None,
        all: tuple[str, ...],
    ) -> _Options:
        for options in (*named.values(), other):
            if options is not None:
                return options
        covers = f"covers {', '.join(all)}" if all else "has no such conversion to any format"
        raise DefinitionError(f"profile {self.name!r}: no conversion of {what} to {name}; it {covers}")


def _changed(options: EncodeOptions) -> str:
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    changed = (
        f"{field.name}={values[field.name]}"
        for field in fields(options)
        if values[field.name] != field.default
    )
    return " ".join(changed) or "none"


def _has_parts_of(block_format: BlockFormat, name: str) -> bool:
    named = get_format(name)
    return (
        _same_numbers(block_format.element, named.element)
        and _same_numbers(block_format.scale, named.scale)
        and block_format.tensor_scale == named.tensor_scale
    )


def _same_numbers(one: NumberFormat, other: NumberFormat) -> bool:
    return replace(one, name="") == replace(other, name="")


def get_profile(name: str | Profile) -> Profile:
    """Return the profile of that name; a profile passes through unchanged.

    Raises:
        UnknownNameError: If there is no such profile.
    """
    if isinstance(name, Profile):
        return name
    if isinstance(name, str) and name in _PROFILES:
        return _PROFILES[name]
    raise unknown_name("profile", name, _PROFILES)


def list_profiles() -> tuple[str, ...]:
    """Return the names of all profiles."""
    return tuple(_PROFILES)


def _same(options: _Options, *names: str) -> dict[str, _Options]:
    return dict.fromkeys(names, options)


_FP8 = ("mxfp8_e5m2", "mxfp8_e4m3")
_FP6 = ("mxfp6_e3m2", "mxfp6_e2m3")

_TORCHAO_BLOCKS = QuantizeOptions(inf_in_block="power", lowest_divisor="double", partial_block="refuse")

_OCP = Profile(
    name="ocp",
    summary="The defaults: the specification where it speaks, the most common choice where it does not.",
    source="OCP MX v1.0 and OFP8 Rev 1.0",
    any_number=EncodeOptions(),
    any_block=QuantizeOptions(),
)

_ML_DTYPES = Profile(
    name="ml_dtypes",
    summary="The casts of ml_dtypes, and so of JAX.",
    source="tested against ml_dtypes 0.6.0",
    numbers={
        **_same(EncodeOptions(overflow="overflow", nan_sign="keep"), "e5m2", "e4m3"),
        **_same(EncodeOptions(nan_to_finite="inverted_zero"), "e3m2", "e2m3", "e2m1"),
        "e8m0": EncodeOptions(overflow="overflow", unsigned_zero="nan"),
    },
    layouts={4: "byte", 6: "byte"},
)

_TORCH = Profile(
    name="torch",
    summary="The casts of PyTorch, E4M3 saturating since 2.13; float4_e2m1fn_x2 has none.",
    source="tested against torch 2.13.0",
    numbers={
        "e5m2": EncodeOptions(overflow="overflow", nan_sign="keep", nan_payload="ones"),
        "e4m3": EncodeOptions(nan_sign="keep"),
        "e8m0": EncodeOptions(overflow="overflow", unsigned_negative="magnitude"),
    },
)

_TORCHAO = Profile(
    name="torchao",
    summary="to_mx of torchao in mode FLOOR (for CEIL and EVEN replace scale_rule), and its nvfp4_quantize.",
    source="tested against torchao 0.18.0 with torch 2.13.0",
    blocks={
        **_same(_TORCHAO_BLOCKS, *_FP8, *_FP6, "mxfp4_e2m1"),
        "nvfp4": QuantizeOptions(
            quotient="float32_divide",
            zero_block="min_normal",
            scale_underflow="min_normal",
            inf_in_block="max_scale",
            partial_block="refuse",
        ),  # under a tensor scale above 0, which torchao takes as an argument
    },
    layouts={4: "low_first", 6: "byte"},
)

_TORCHAO_RCEIL = Profile(
    name="torchao_rceil",
    summary="to_mx of torchao in mode RCEIL as it runs without a GPU: with a Float32 logarithm.",
    source="tested against torchao 0.18.0 with torch 2.13.0",
    blocks=_same(
        QuantizeOptions(
            scale_rule="rceil",
            scale_arithmetic="float32_log2",
            inf_in_block="max_scale",
            lowest_divisor="one",
            partial_block="refuse",
        ),
        *_FP8,
        *_FP6,
        "mxfp4_e2m1",
    ),
    layouts={4: "low_first", 6: "byte"},
)

_NEGATIVE_NAN = {
    "e5m2": EncodeOptions(nan_sign="negative", nan_payload="ones"),
    "e4m3": EncodeOptions(nan_sign="negative"),
    **_same(EncodeOptions(nan_to_finite="error"), "e3m2", "e2m3", "e2m1"),
    "int8": EncodeOptions(nan_to_finite="error", integer_minimum="full"),
}

_GFLOAT_BLOCKS = QuantizeOptions(scale_arithmetic="float32_log2", inf_in_block="max_scale")

_GFLOAT = Profile(
    name="gfloat",
    summary="round_float with saturation and encode_float of gfloat; encode_block of Float32 arrays.",
    source="tested against gfloat 0.5.2",
    numbers={
        **_NEGATIVE_NAN,
        "e8m0": EncodeOptions(
            tie_without_mantissa="even_code", unsigned_zero="nan", unsigned_underflow="nan"
        ),
    },
    blocks={
        **_same(
            QuantizeOptions(scale_arithmetic="float32_log2", inf_in_block="max_scale"),
            *_FP8,
            *_FP6,
            "mxfp4_e2m1",
        ),
        "mxint8": QuantizeOptions(
            scale_arithmetic="float32_log2", inf_in_block="max_scale", integer_minimum="full"
        ),
    },
)

_BITSTRING = Profile(
    name="bitstring",
    summary="The mxfp and mxint types of bitstring, saturating; for e4m3mxfp_overflow replace overflow.",
    source="tested against bitstring 5.0.0",
    numbers={**_NEGATIVE_NAN, "e8m0": EncodeOptions()},  # of E8M0 it accepts powers of two and NaN
    layouts={4: "be", 6: "be"},
)

_ONNX = Profile(
    name="onnx",
    summary="The operator Cast of ONNX, saturate=1 and round_mode='up', in its reference evaluator.",
    source="tested against onnx 1.23.2 with ml_dtypes 0.6.0",
    numbers={
        **_same(EncodeOptions(nan_sign="keep"), "e5m2", "e4m3"),
        **_same(EncodeOptions(nan_to_finite="inverted_zero"), "e3m2", "e2m3", "e2m1"),
        "e8m0": EncodeOptions(rounding="rup", unsigned_negative="magnitude"),
    },
    layouts={4: "low_first"},
)

_MODELOPT = Profile(
    name="modelopt",
    summary="MXFP8QTensor and MXFP4QTensor of Model Optimizer, without a GPU.",
    source="tested against nvidia-modelopt 0.47.0 with torch 2.13.0",
    blocks={
        "mxfp8_e4m3": QuantizeOptions(
            scale_rule="rceil", scale_arithmetic="float32_log2", inf_in_block="max_scale"
        ),
        "mxfp4_e2m1": QuantizeOptions(
            rounding="rnz", scale_rule="rceil", scale_arithmetic="float32_log2", partial_block="refuse"
        ),
    },
    layouts={4: "low_first"},
)

_GGUF = Profile(
    name="gguf",
    summary="MXFP4 of ggml, as the Python package gguf makes it.",
    source="tested against gguf 0.19.0",
    blocks={
        "mxfp4_e2m1": QuantizeOptions(
            rounding="rnz", negative_zero="positive", scale_arithmetic="float32_log2", partial_block="refuse"
        )
    },
    layouts={4: "ggml"},
)

_CUDA = Profile(
    name="cuda",
    summary="The constructors of the CUDA headers cuda_fp8.h, cuda_fp6.h and cuda_fp4.h from Float32.",
    source="tested against the host code of these headers in nvidia-cuda-runtime-cu12 12.9.79",
    numbers={
        "e5m2": EncodeOptions(nan_payload="ones"),
        **_same(EncodeOptions(), "e4m3", "e3m2", "e2m3", "e2m1"),
        "e8m0": EncodeOptions(rounding="rup", unsigned_negative="magnitude"),
    },
    layouts={4: "low_first", 6: "byte"},
)

_MICROXCALING_BLOCKS = QuantizeOptions(rounding="rna", scale_arithmetic="float32_log2")

_MICROXCALING = Profile(
    name="microxcaling",
    summary="The Python code of microxcaling, round='nearest'; for round='even' replace rounding by rne.",
    source="documents only; of zeros it keeps no sign, and an INT8 block of zeros has scale 2^-126 there",
    blocks={
        **_same(_MICROXCALING_BLOCKS, *_FP8, *_FP6, "mxfp4_e2m1"),
        "mxint8": replace(_MICROXCALING_BLOCKS, scale_overflow="nan"),  # of others it cannot overflow
    },
)

_TRANSFORMER_ENGINE_BLOCKS = QuantizeOptions(
    scale_rule="rceil",
    scale_arithmetic="float32_multiply",
    lowest_divisor="one",
    nan_in_block="per_element",
    inf_in_block="max_scale",
    partial_block="refuse",
)

_TRANSFORMER_ENGINE = Profile(
    name="transformer_engine",
    summary="MXFP8 and NVFP4 of Transformer Engine from Float32.",
    source="documents and source code only: quantize_mxfp8.cuh, core_nvfp4.cuh and ptx.cuh, for GPUs alone",
    blocks={
        "mxfp8_e5m2": replace(_TRANSFORMER_ENGINE_BLOCKS, nan_payload="ones"),
        "mxfp8_e4m3": _TRANSFORMER_ENGINE_BLOCKS,
        "nvfp4": QuantizeOptions(
            quotient="float32_multiply",
            tensor_infinity="one",
            scale_underflow="zero",
            nan_in_block="per_element",
            inf_in_block="max_scale",
            partial_block="refuse",
        ),
    },
)

_PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        *(_OCP, _ML_DTYPES, _ONNX, _TORCH, _TORCHAO, _TORCHAO_RCEIL, _GFLOAT, _BITSTRING, _CUDA),
        *(_MODELOPT, _MICROXCALING, _TRANSFORMER_ENGINE, _GGUF),
    )
}
