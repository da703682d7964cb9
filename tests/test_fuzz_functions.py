"""The public functions on wrong and odd arguments: whatever is refused is refused by an MxError.

Arguments are drawn from pools of good and bad values, so that most calls are nearly right. The suite takes
over a thousand calls, always the same; MXREF_FULL=1 takes more than 50,000, other ones every time.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import refmodel as mx
from refmodel.descriptions import format_from_description, parse_format, parse_number_format
from refmodel.explain.source import read_blocks, read_number
from refmodel.options import choices
from refmodel.tensors import parse_source, read_tensors

FULL = bool(os.environ.get("MXREF_FULL"))
CASES = settings(
    max_examples=1_500 if FULL else 40,
    deadline=None,
    derandomize=not FULL,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    database=None,
    suppress_health_check=list(HealthCheck),
)

ODD = st.sampled_from(
    [
        None,
        "",
        "x",
        b"x",
        0,
        -1,
        1.5,
        float("nan"),
        True,
        (),
        [],
        {},
        2**70,
        object(),
        np.float32(1),
        np.int8(-3),
        int,
    ]
)
DTYPES = st.sampled_from(
    [
        "f2",
        "f4",
        "f8",
        ">f4",
        "u1",
        "i1",
        "u2",
        "i8",
        "u8",
        "?",
        "c8",
        "O",
        "U3",
        "S2",
        "M8[s]",
        "V1",
        "V4",
        "g",
    ]
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
PLAIN = st.one_of(
    st.builds(lambda shape, dtype: np.zeros(shape, dtype), SHAPES, DTYPES),
    hnp.arrays(st.sampled_from(["f2", "f4", "f8"]), SHAPES),
    hnp.arrays(st.sampled_from(["u1", "i2", "u4", "i8", "u8"]), SHAPES),
    st.sampled_from(
        [[[1, 2], [3]], [1, "x"], [None], "abc", [[]], [1 + 2j], {1: 2}, [2**70], 3, 1.5, [0.5, -1], True]
    ),
)
ARRAYS = st.one_of(PLAIN, PLAIN, ODD)
CODES = st.one_of(
    hnp.arrays("u1", st.sampled_from([(32,), (2, 32), (1, 2, 32), (4, 16), (0, 32), (2, 2, 3)])), ARRAYS
)
SCALES = st.one_of(hnp.arrays("u1", st.sampled_from([(2,), (1, 2), (4,), (0,)])), ARRAYS)
NUMBER_FORMATS = st.one_of(
    st.sampled_from(["e4m3", "e5m2", "e3m2", "e2m1", "int8", "int4", "e8m0", "ue4m3", "float32", "bfloat16"]),
    st.builds(mx.get_element, st.sampled_from(["e4m3", "int6"])),
    st.sampled_from(
        [parse_number_format("e3m4:ieee"), parse_number_format("int3"), parse_number_format("e7m0:none")]
    ),
    ODD,
)
BLOCK_FORMATS = st.one_of(
    st.sampled_from([*mx.list_formats()]),
    st.sampled_from(
        [
            parse_format("e3m4:fn/e8m0/3"),
            parse_format("int4/float32/16"),
            parse_format("e2m1/ue4m3/2/float32"),
        ]
    ),
    ODD,
)
INTEGERS = st.one_of(st.integers(-3, 5), ODD)
RULES = st.one_of(st.sampled_from(mx.list_rules()), ODD)
LAYOUTS = st.one_of(st.sampled_from(mx.list_layouts()), ODD)
POSITIONS = st.one_of(st.sampled_from(["apart", "first", "last"]), ODD)
TEXT = st.one_of(
    st.text(max_size=10), st.sampled_from(["1e999999", "0x", "7f:1", "nan", "e3m4:fn", "e2m1/e8m0/3", "a:b"])
)


def _of(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), ODD)


def _option_values(options_type: type[mx.EncodeOptions]) -> st.SearchStrategy[dict[str, Any]]:
    found = {name: _of(values) for name, values in choices(options_type).items()} | {"random_bits": INTEGERS}
    good = {name: st.sampled_from(values) for name, values in choices(options_type).items()}
    one = st.sampled_from(sorted(found)).flatmap(lambda name: st.fixed_dictionaries({name: found[name]}))
    return st.one_of(st.fixed_dictionaries({}, optional=good), one)


def _options(options_type: type[mx.EncodeOptions]) -> st.SearchStrategy[mx.EncodeOptions | None]:
    good = {name: st.sampled_from(values) for name, values in choices(options_type).items()}
    return st.one_of(st.none(), st.builds(options_type, **good))


ENCODE_OPTIONS, QUANTIZE_OPTIONS = _options(mx.EncodeOptions), _options(mx.QuantizeOptions)


@st.composite
def good_blocks(draw: st.DrawFn) -> mx.Blocks:
    fmt = mx.get_format(draw(st.sampled_from(["mxfp4_e2m1", "mxint8", "mxfp8_e5m2", "nvfp4", "mxfp6_e2m3"])))
    lead = draw(st.sampled_from([(), (1,), (2, 1), (0,)]))
    n = draw(st.integers(0, 2))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    codes = rng.integers(0, 1 << fmt.element.bits, (*lead, n, fmt.block_size), np.uint8)
    return mx.Blocks(fmt, codes, rng.integers(0, 256, (*lead, n), np.uint8))


BLOCKS = st.one_of(good_blocks(), good_blocks(), good_blocks())

# Function -> arguments by position, then by name.
CALLS: dict[str, tuple[Callable[..., object], list[st.SearchStrategy], dict[str, st.SearchStrategy]]] = {
    "decode": (mx.decode, [NUMBER_FORMATS, CODES], {}),
    "encode": (
        mx.encode,
        [NUMBER_FORMATS, ARRAYS],
        {
            "rounding": _of(["rne", "rup"]),
            "overflow": _of(["overflow"]),
            "options": ENCODE_OPTIONS,
            "random": ARRAYS,
        },
    ),
    "quantize": (
        mx.quantize,
        [ARRAYS, BLOCK_FORMATS],
        {
            "axis": INTEGERS,
            "options": QUANTIZE_OPTIONS,
            "random": ARRAYS,
            "tensor_scale": ODD,
            "threads": INTEGERS,
        },
    ),
    "dequantize": (
        mx.dequantize,
        [BLOCKS],
        {"dtype": st.one_of(DTYPES, ODD), "overflow": _of(["saturate"]), "threads": INTEGERS},
    ),
    "Blocks": (
        mx.Blocks,
        [BLOCK_FORMATS, CODES, SCALES],
        {"shape": st.one_of(SHAPES, ODD), "axis": INTEGERS, "tensor_scale": ODD},
    ),
    "dot": (mx.dot, [BLOCKS, BLOCKS], {"rule": RULES, "c": ARRAYS}),
    "matmul": (mx.matmul, [BLOCKS, BLOCKS], {"rule": RULES, "c": ARRAYS}),
    "pack": (mx.pack, [CODES, NUMBER_FORMATS], {"layout": LAYOUTS}),
    "unpack": (mx.unpack, [CODES, NUMBER_FORMATS], {"layout": LAYOUTS}),
    "pack_blocks": (mx.pack_blocks, [BLOCKS], {"layout": LAYOUTS, "scale_position": POSITIONS}),
    "unpack_blocks": (
        mx.unpack_blocks,
        [st.one_of(CODES, st.tuples(CODES, SCALES)), BLOCK_FORMATS],
        {"layout": LAYOUTS, "scale_position": POSITIONS, "shape": st.one_of(SHAPES, ODD), "axis": INTEGERS},
    ),
    "swizzle_scales": (mx.swizzle_scales, [CODES], {}),
    "unswizzle_scales": (mx.unswizzle_scales, [CODES, INTEGERS, INTEGERS], {}),
    "block_bitstring": (
        mx.block_bitstring,
        [BLOCKS, st.one_of(INTEGERS, SHAPES)],
        {"scale_position": POSITIONS},
    ),
    "explain_element": (
        mx.explain_element,
        [NUMBER_FORMATS, st.one_of(st.floats(), ARRAYS)],
        {"options": ENCODE_OPTIONS, "random": INTEGERS},
    ),
    "explain_block": (
        mx.explain_block,
        [ARRAYS, BLOCK_FORMATS],
        {
            "options": QUANTIZE_OPTIONS,
            "random": ARRAYS,
            "detail": st.one_of(st.just("all"), st.lists(INTEGERS, max_size=2), ODD),
            "tensor_scale": st.one_of(st.just(None), st.floats(), ODD),
        },
    ),
    "explain_dot": (mx.explain_dot, [BLOCKS, BLOCKS], {"rule": RULES, "c": ODD}),
    "get_format": (mx.get_format, [BLOCK_FORMATS], {}),
    "get_element": (mx.get_element, [NUMBER_FORMATS], {}),
    "get_scale": (mx.get_scale, [NUMBER_FORMATS], {}),
    "get_rule": (mx.get_rule, [RULES], {}),
    "get_profile": (mx.get_profile, [_of(mx.list_profiles())], {}),
    "list_layouts": (mx.list_layouts, [st.one_of(NUMBER_FORMATS, INTEGERS)], {}),
    "EncodeOptions": (lambda given: mx.EncodeOptions(**given), [_option_values(mx.EncodeOptions)], {}),
    "QuantizeOptions": (lambda given: mx.QuantizeOptions(**given), [_option_values(mx.QuantizeOptions)], {}),
    "FloatFormat": (
        mx.FloatFormat,
        [st.just("f"), st.integers(-1, 9), st.integers(-1, 9), st.integers(-300, 300)],
        {"specials": _of(["none", "fn", "ieee"]), "signed": st.booleans(), "subnormals": st.booleans()},
    ),
    "IntegerFormat": (mx.IntegerFormat, [st.just("i"), st.integers(-1, 9), st.integers(-9, 9)], {}),
    "BlockFormat": (
        mx.BlockFormat,
        [st.just("b"), st.just(mx.get_element("e4m3")), st.just(mx.get_scale("ue4m3")), st.integers(-1, 9)],
        {"tensor_scale": st.sampled_from([None, mx.get_scale("e8m0"), mx.get_scale("float32")])},
    ),
    "parse_format": (parse_format, [TEXT], {}),
    "parse_number_format": (parse_number_format, [TEXT], {}),
    "format_from_description": (
        format_from_description,
        [st.one_of(ODD, st.dictionaries(TEXT, ODD, max_size=3))],
        {},
    ),
    "parse_source": (parse_source, [TEXT], {}),
    "read_number": (read_number, [TEXT], {"format": _of(["float16", "float64"])}),
    "read_blocks": (read_blocks, [BLOCK_FORMATS, st.lists(TEXT, max_size=3)], {}),
    "read_tensors": (read_tensors, [TEXT], {"name": st.one_of(st.none(), TEXT)}),
}


@pytest.mark.parametrize("name", CALLS)
@CASES
@given(st.data())
def test_only_typed_errors_come_out(name: str, data: st.DataObject) -> None:
    function, positional, named = CALLS[name]
    arguments = [data.draw(each) for each in positional]
    chosen = data.draw(st.lists(st.sampled_from(sorted(named)), unique=True)) if named else []
    keywords = {each: data.draw(named[each]) for each in chosen}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(mx.MxError):
            function(*arguments, **keywords)
