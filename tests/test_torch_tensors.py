"""Torch tensors to blocks and back: the bits of the model for every format, dtype, stride and special value.

Five seconds of processor time.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import refmodel as mx

torch = pytest.importorskip("torch", minversion="2.13")
mxt = pytest.importorskip("refmodel.torch")

FORMATS = (*mx.OCP_FORMATS, "nvfp4")
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def hard_values(rows: int = 48, columns: int = 96) -> torch.Tensor:
    """Blocks of every magnitude, with zeros of both signs, subnormals, ties, NaN and infinities."""
    draw = np.random.default_rng(7)
    x = draw.standard_normal((rows, columns)) * 2.0 ** draw.integers(-149, 127, (rows, 1))
    x[0] = 0
    x[1] = -0.0
    x[2] = np.arange(columns) * 2.0**-149
    x[3, ::7] = np.nan
    x[4, 5] = np.inf
    x[5, 40] = -np.inf
    x[6] = np.arange(columns) / 16 + 1 / 32  # ties
    x[7] = np.float32(3.4028235e38)
    x[8, :32] = [*range(16)] * 2
    return torch.from_numpy(x)


def same(q, blocks: mx.Blocks) -> bool:
    return (
        np.array_equal(q.codes.numpy(), blocks.codes)
        and np.array_equal(q.scales.numpy(), blocks.scales)
        and q.blocks.tensor_scale == blocks.tensor_scale
        and (tuple(q.shape), q.axis) == (blocks.shape, blocks.axis)
    )


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_codes_are_those_of_the_model(fmt, dtype):
    x = hard_values().to(dtype)
    array = x.float().numpy() if dtype is torch.bfloat16 else x.numpy()
    choices = [{"scale_rule": rule} for rule in ("floor", "rceil", "even")]
    if fmt in ("mxfp8_e4m3", "mxfp8_e5m2"):
        choices += [{"overflow": "overflow", "scale_rule": rule} for rule in ("floor", "rceil")]
    choices += [{"nan_in_block": "per_element", "inf_in_block": "max_scale"}]
    for axis, choice in [*((-1, choice) for choice in choices), (0, choices[0]), (None, choices[0])]:
        options = mx.QuantizeOptions(**choice)
        q = mxt.to_mx(x, fmt, axis, options)
        assert same(q, mx.quantize(array, fmt, axis, options))
        assert q.options == options
        back = mxt.from_mx(q)
        assert np.array_equal(back.numpy().view(np.uint32), mx.dequantize(q.blocks).view(np.uint32))


@pytest.mark.parametrize("fmt", FORMATS)
def test_strides_shapes_and_gradients(fmt):
    x = hard_values().float()
    for view in (x.T, x[::3, 1::2], x[:, :33], x[:0], x[:, :0], x.expand(2, *x.shape)[:, :5], x[3]):
        assert same(mxt.to_mx(view, fmt), mx.quantize(view.numpy(), fmt))
    followed = x.clone().requires_grad_()
    assert same(mxt.to_mx(followed * 1, fmt), mx.quantize(x.numpy(), fmt))
    assert mxt.from_mx(mxt.to_mx(x[:, :33], fmt)).shape == (48, 33)
    imaginary = torch.complex(torch.zeros_like(x[:8]), x[:8]).conj().imag  # negation is only noted
    assert imaginary.is_neg()
    assert same(mxt.to_mx(imaginary, fmt), mx.quantize(-x[:8].numpy(), fmt))


@pytest.mark.parametrize("fmt", ["mxfp8_e5m2", "mxfp8_e4m3", "mxfp4_e2m1", "mxint8", "nvfp4"])
def test_types_of_torch_in_and_out(fmt):
    q = mxt.to_mx(hard_values().float(), fmt)
    codes, scales = q.native_codes(), q.native_scales()
    again = mxt.MXTensor.from_codes(fmt, codes, scales, tuple(q.shape), q.axis, q.tensor_scale)
    assert same(again, q.blocks)
    plain = mxt.MXTensor.from_codes(fmt, q.codes, q.scales, tensor_scale=q.tensor_scale)
    assert same(plain, q.blocks)
    assert plain.codes.data_ptr() == q.codes.data_ptr() == q.blocks.codes.ctypes.data
    if codes.dtype.itemsize == 1 and codes.dtype is not torch.float4_e2m1fn_x2:
        assert codes.data_ptr() == q.codes.data_ptr()
    assert scales.data_ptr() == q.blocks.scales.ctypes.data


def test_the_types_of_torch_have_the_values_of_the_formats():
    every = torch.arange(256, dtype=torch.uint8)
    for name, dtype in (("mxfp8_e5m2", torch.float8_e5m2), ("mxfp8_e4m3", torch.float8_e4m3fn)):
        values = mx.decode(mx.get_format(name).element, every.numpy()).astype(np.float32)
        np.testing.assert_array_equal(every.view(dtype).float().numpy(), values)
    codes = np.arange(32, dtype=np.uint8)[None] % 16
    q = mxt.MXTensor.from_codes("mxfp4_e2m1", torch.from_numpy(codes), torch.tensor([127], dtype=torch.uint8))
    assert q.native_codes().dtype is torch.float4_e2m1fn_x2
    assert q.native_codes().view(torch.uint8)[0, :2].tolist() == [0x10, 0x32]


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_are_rounded_once(fmt, dtype):
    draw = np.random.default_rng(3)
    block = mx.get_format(fmt)
    codes = draw.integers(0, 1 << block.element.bits, (512, block.block_size), np.uint8)
    scales = draw.integers(0, 128 if fmt == "nvfp4" else 256, 512, np.uint8)
    tensor_scale = float(np.float32(1 / 3)) if fmt == "nvfp4" else None
    q = mxt.MXTensor(mx.Blocks(fmt, codes, scales, tensor_scale=tensor_scale))
    exact = mx.dequantize(q.blocks, np.float64)
    values = mxt.from_mx(q, dtype)
    assert values.dtype is dtype
    # Nothing of the type is nearer, and ties are even: the error is at most half a step.
    target = mx.FloatFormat("t", *{2: (8, 7, 127) if dtype is torch.bfloat16 else (5, 10, 15), 4: (8, 23, 127),
                                   8: (11, 52, 1023)}[dtype.itemsize], specials="ieee")  # fmt: skip
    if dtype.itemsize < 8:
        width = f"u{dtype.itemsize}"
        bits = values.view(getattr(torch, f"uint{8 * dtype.itemsize}")).numpy().view(width)
        assert np.array_equal(bits, mx.encode(target, exact, overflow="overflow").astype(width))
    else:
        np.testing.assert_array_equal(values.numpy(), exact)


def test_stochastic_rounding_follows_its_generator():
    x = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
    options = mx.QuantizeOptions(rounding="stochastic", random_bits=16)
    first, again, other = (
        mxt.to_mx(x, "mxfp4_e2m1", -1, options, generator=torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    assert same(first, again.blocks)
    assert not same(first, other.blocks)
    drawn = torch.randint(0, 1 << 16, x.shape, generator=torch.Generator().manual_seed(5)).numpy()
    assert same(first, mx.quantize(x.numpy(), "mxfp4_e2m1", -1, options, random=drawn))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: mxt.to_mx(torch.arange(32), "mxfp8_e4m3"), mx.DtypeError),
        (lambda: mxt.to_mx(torch.zeros(32, dtype=torch.complex64), "mxfp8_e4m3"), mx.DtypeError),
        (lambda: mxt.to_mx(torch.zeros(32).to(torch.float8_e4m3fn), "mxfp8_e4m3"), mx.DtypeError),
        (lambda: mxt.to_mx(torch.eye(32).to_sparse(), "mxfp8_e4m3"), mx.DtypeError),
        (lambda: mxt.to_mx([1.0] * 32, "mxfp8_e4m3"), mx.DtypeError),
        (lambda: mxt.to_mx(torch.zeros(32, device="meta"), "mxfp8_e4m3"), mx.ValueRefusedError),
        (lambda: mxt.to_mx(torch.tensor(1.0), "mxfp8_e4m3"), mx.ShapeError),
        (lambda: mxt.to_mx(torch.zeros(32), "mxfp8_e4m3", 1), mx.ShapeError),
        (lambda: mxt.to_mx(torch.zeros(33), "mxfp8_e4m3", -1, mx.QuantizeOptions(partial_block="refuse")),
         mx.ShapeError),
        (lambda: mxt.to_mx(torch.zeros(32), "mxfp7"), mx.UnknownNameError),
        (lambda: mxt.from_mx(mxt.to_mx(torch.zeros(32), "mxint8"), torch.int32), mx.DtypeError),
        (lambda: mxt.to_mx(torch.zeros(32), "mxfp6_e3m2").native_codes(), mx.DtypeError),
        (lambda: mxt.MXTensor.from_codes("mxfp8_e4m3", torch.zeros(1, 32).to(torch.float8_e5m2),
                                         torch.zeros(1, dtype=torch.uint8)), mx.DtypeError),
        (lambda: mxt.MXTensor.from_codes("mxfp6_e3m2", torch.full((1, 32), 64, dtype=torch.uint8),
                                         torch.zeros(1, dtype=torch.uint8)), mx.CodeRangeError),
        (lambda: mxt.MXTensor.from_codes("mxfp8_e4m3", torch.zeros(1, 16, dtype=torch.uint8),
                                         torch.zeros(1, dtype=torch.uint8)), mx.ShapeError),
    ],
)  # fmt: skip
def test_what_is_refused(call, error):
    with pytest.raises(error):
        call()


def test_refmodel_does_not_import_torch():
    code = "import sys, refmodel, refmodel.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
