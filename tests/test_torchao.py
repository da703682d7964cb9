"""torchao and refmodel.torch give the same bits where both define the same thing; skipped without torchao.

torchao differs by intent in what its profile says (docs/profiles.md), so the options are those of the profile.
"""

from __future__ import annotations

import numpy as np
import pytest

import refmodel as mx

torch = pytest.importorskip("torch", minversion="2.13")
mxt = pytest.importorskip("refmodel.torch")
ao = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor")

ELEMENTS = {
    "mxfp8_e5m2": torch.float8_e5m2,
    "mxfp8_e4m3": torch.float8_e4m3fn,
    "mxfp6_e3m2": ao.DTYPE_FP6_E3M2,
    "mxfp6_e2m3": ao.DTYPE_FP6_E2M3,
    "mxfp4_e2m1": torch.float4_e2m1fn_x2,
}
MODES = {"floor": "torchao", "ceil": "torchao", "even": "torchao", "rceil": "torchao_rceil"}


def rows(seed: int = 0) -> torch.Tensor:
    """Every magnitude, zeros of both signs, subnormals, infinities."""
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((2000, 64)) * 2.0 ** draw.integers(-140, 125, (2000, 1))
    x[0], x[1], x[2, ::2] = 0, -0.0, 0
    x[3, 5], x[4, 40] = np.inf, -np.inf
    return torch.from_numpy(x.astype(np.float32))


def options(fmt: str, mode: str) -> mx.QuantizeOptions:
    from dataclasses import replace

    found = mx.get_profile(MODES[mode]).blocks[fmt]
    return found if mode == "rceil" else replace(found, scale_rule=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fmt", ELEMENTS)
def test_codes_and_values_of_to_mx(fmt, mode):
    x = rows()
    if fmt.startswith("mxfp4"):
        x = x[(x.abs() < 2.0**120).all(1)]  # its cast to FP4 is refused above
    scales, codes = ao.to_mx(x, ELEMENTS[fmt], 32, ao.ScaleCalculationMode(mode))
    q = mxt.to_mx(x, fmt, -1, options(fmt, mode))
    assert torch.equal(scales.view(torch.uint8), q.scales)
    usable = q.scales != 255  # the codes of a block whose scale is NaN mean nothing
    if fmt.startswith("mxfp6"):
        theirs = codes.view(torch.uint8).reshape(q.codes.shape)
        assert torch.equal(theirs[usable], q.codes[usable])
    else:
        theirs = codes.view(torch.uint8).reshape(*q.scales.shape, -1)
        assert torch.equal(theirs[usable], q.native_codes().view(torch.uint8)[usable])
    # Values: theirs from their codes, ours from their codes taken in.
    values = ao.to_dtype(codes, scales, ELEMENTS[fmt], 32, torch.float32)
    native = q.codes
    if not fmt.startswith("mxfp6"):
        native = codes.view(torch.uint8).reshape(*q.scales.shape, -1).view(ELEMENTS[fmt])
    taken = mxt.MXTensor.from_codes(fmt, native, scales)
    ours = mxt.from_mx(taken)
    # Scale code 0 they take for 2^-126.
    taken_alike = usable & (q.scales > 0)
    finite = taken_alike.repeat_interleave(32, -1) & (ours.abs() < torch.inf)
    assert torch.equal(values[finite], ours[finite])
    assert finite.float().mean() > 0.85


def test_matrix_product_of_dequantized_values():
    """What torchao's emulated linear layer computes: both operands to MX along K, back to float, multiplied."""
    x, weight = torch.randn(40, 96), torch.randn(24, 96)
    fmt = "mxfp8_e4m3"
    layer = mxt.MXLinear(96, 24, bias=False, spec=mxt.MXSpec(weight=fmt, activation=fmt, options=options(fmt, "floor")))
    layer.weight.data = weight
    a, b = (ao.MXTensor.to_mx(t, torch.float8_e4m3fn, 32).dequantize(torch.float32) for t in (x, weight))
    assert torch.equal(layer(x), a @ b.T)


def test_nvfp4_with_a_scale_of_the_tensor():
    nvfp4 = pytest.importorskip("torchao.prototype.mx_formats.nvfp4_tensor")
    x = torch.randn(64, 128)
    shared = nvfp4.per_tensor_amax_to_scale(x.abs().max())
    scales, codes = nvfp4.nvfp4_quantize(x, 16, shared)
    q = mxt.to_mx(x, "nvfp4", -1, mx.get_profile("torchao").blocks["nvfp4"], tensor_scale=float(shared))
    assert torch.equal(scales.view(torch.uint8).reshape(q.scales.shape), q.scales)
    assert torch.equal(codes.view(torch.uint8).reshape(*q.scales.shape, 8), q.native_codes().view(torch.uint8))
