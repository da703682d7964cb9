"""Emulated layers: forward and backward against products of what the model quantizes, written out here.

Ten seconds of processor time.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

import refmodel as mx

torch = pytest.importorskip("torch", minversion="2.13")
mxt = pytest.importorskip("refmodel.torch")
nn, F = torch.nn, torch.nn.functional

FORMATS = (*mx.OCP_FORMATS, "nvfp4")


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def q(x: torch.Tensor, fmt: str | None, axis: int = -1, options=None) -> torch.Tensor:
    """Values of x in a format, by the model alone."""
    if fmt is None:
        return x.detach()
    return torch.from_numpy(mx.dequantize(mx.quantize(x.detach().numpy(), fmt, axis, options)))


def bits(x: torch.Tensor) -> list[int]:
    return x.detach().contiguous().view(torch.int32).flatten().tolist()


# Forward


@pytest.mark.parametrize("fmt", FORMATS)
def test_linear_multiplies_what_the_model_quantizes(fmt):
    spec = mxt.MXSpec(weight=fmt, activation=fmt)
    layer = mxt.MXLinear(72, 40, spec=spec)
    x = drawn(2, 5, 72)
    expected = q(x.reshape(10, 72), fmt) @ q(layer.weight, fmt).T + layer.bias
    assert torch.equal(layer(x), expected.reshape(2, 5, 40))


@pytest.mark.parametrize("rule", ["exact_fp32", "block32_fp32_add", "dequant_seq_fma_fp32", "nv_mxf8f6f4"])
def test_under_a_rule_the_bits_are_those_of_the_model(rule):
    fmt = "mxfp6_e2m3" if rule.startswith("nv") else "mxfp8_e5m2"
    layer = mxt.MXLinear(128, 24, bias=False, spec=mxt.MXSpec(weight="mxfp4_e2m1", activation=fmt, rule=rule))
    x = drawn(6, 128) * 2.0 ** torch.arange(-60, 60, 20)[:, None]
    x[1, 3], x[2, 4] = torch.nan, torch.inf
    x[3] = -0.0
    weight = layer.weight.detach().numpy()
    expected = mx.matmul(mx.quantize(x.numpy(), fmt), mx.quantize(weight, "mxfp4_e2m1"), rule)
    assert bits(layer(x)) == expected.view(np.int32).ravel().tolist()
    biased = mxt.MXLinear.from_float(nn.Linear(128, 24), layer.spec)
    biased.weight = layer.weight
    np.testing.assert_array_equal(biased(x).detach(), expected + biased.bias.detach().numpy())


@pytest.mark.parametrize("shape", [(0, 64), (3, 0), (1, 33), (2, 3, 4, 32), (32,)])
def test_linear_takes_every_shape(shape):
    for rule in (None, "exact_fp32"):
        layer = mxt.MXLinear(shape[-1], 5, spec=mxt.MXSpec(weight="mxint8", activation="mxint8", rule=rule))
        x = drawn(*shape).requires_grad_()
        y = layer(x)
        assert y.shape == (*shape[:-1], 5)
        y.sum().backward()
        assert x.grad.shape == x.shape


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_types_are_computed_in_float32(dtype):
    layer = mxt.MXLinear(64, 8, spec=mxt.MXSpec(weight="mxfp8_e4m3", activation="mxfp8_e4m3"))
    x = drawn(3, 64).to(dtype)
    y = layer(x)
    assert y.dtype is dtype
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), y)
    if dtype is not torch.float64:
        product = q(x.float(), "mxfp8_e4m3") @ q(layer.weight, "mxfp8_e4m3").T
        assert torch.equal(y, (product + layer.bias).to(dtype))


@pytest.mark.parametrize("rule", [None, "exact_fp32"])
def test_matmul_broadcasts(rule):
    spec = mxt.MXSpec(weight="mxfp6_e3m2", activation="mxfp8_e4m3", rule=rule)
    a, b = drawn(2, 1, 5, 40), drawn(3, 40, 7, seed=1)
    y = mxt.MXMatmul(spec)(a, b)
    assert y.shape == (2, 3, 5, 7)
    for i in range(2):
        for j in range(3):
            left, right = mx.quantize(a[i, 0].numpy(), "mxfp8_e4m3"), mx.quantize(b[j].numpy(), "mxfp6_e3m2", 0)
            if rule:
                assert bits(y[i, j]) == mx.matmul(left, right, rule).view(np.int32).ravel().tolist()
            else:
                np.testing.assert_allclose(y[i, j], mx.dequantize(left) @ mx.dequantize(right), rtol=1e-5, atol=1e-5)


CONVOLUTIONS = [
    {},
    {"stride": 2, "padding": 1},
    {"groups": 2, "dilation": (2, 1), "padding": "same"},
    {"padding": (2, 1), "padding_mode": "reflect", "stride": (1, 2)},
    {"groups": 4, "bias": False},
]


@pytest.mark.parametrize("arguments", CONVOLUTIONS, ids=str)
def test_convolution_has_blocks_along_channels(arguments):
    fmt = "mxfp8_e4m3"
    plain = nn.Conv2d(40 if arguments.get("groups") != 4 else 136, 8, 3, **arguments)
    layer = mxt.MXConv2d.from_float(plain, mxt.MXSpec(weight="mxfp4_e2m1", activation=fmt))
    x = drawn(2, plain.in_channels, 7, 9)
    groups = plain.groups
    values = q(x.unflatten(1, (groups, -1)), fmt, 2).reshape(x.shape)
    reference = copy.deepcopy(plain)
    reference.weight.data = q(plain.weight, "mxfp4_e2m1", 1)
    torch.testing.assert_close(layer(x), reference(values), rtol=2e-6, atol=2e-6)
    assert layer(x[0]).shape == plain(x[0]).shape
    exact = mxt.MXConv2d.from_float(plain, replace(layer.spec, rule="exact_fp32"))
    # The exact sum, rounded once: float64 does not round these products, and its sums far less than Float32.
    double = reference.double()(values.double())
    bias = 0 if plain.bias is None else plain.bias.detach()[:, None, None]
    expected = (double - (0 if plain.bias is None else bias.double())).float() + bias
    assert torch.equal(exact(x), expected)


def test_convolution_sums_under_a_rule_in_the_stated_order():
    spec = mxt.MXSpec(weight="mxfp8_e4m3", activation="mxfp8_e4m3", rule="block32_fp32_add")
    layer = mxt.MXConv2d(33, 4, (2, 3), bias=False, spec=spec)
    x = drawn(1, 33, 4, 5) * 2.0 ** torch.arange(-8, 8).repeat(3)[:33, None, None]
    wide_x, wide_w = F.pad(x, (0, 0, 0, 0, 0, 31)), F.pad(layer.weight.detach(), (0, 0, 0, 0, 0, 31))
    window = wide_x[0, :, 1:3, 2:5].permute(1, 2, 0).reshape(1, -1).numpy()
    kernel = wide_w.permute(0, 2, 3, 1).reshape(4, -1).numpy()
    expected = mx.matmul(mx.quantize(window, "mxfp8_e4m3"), mx.quantize(kernel, "mxfp8_e4m3"), spec.rule)
    assert bits(layer(x)[0, :, 1, 2]) == expected.view(np.int32).ravel().tolist()


def test_embedding_looks_up_quantized_rows():
    layer = mxt.MXEmbedding(10, 48, padding_idx=2, spec=mxt.MXSpec(weight="mxfp4_e2m1", gradient="mxfp8_e5m2"))
    indices = torch.tensor([[1, 2, 1], [9, 0, 3]])
    y = layer(indices)
    assert torch.equal(y, q(layer.weight, "mxfp4_e2m1")[indices])
    g = drawn(2, 3, 48)
    y.backward(g)
    expected = torch.zeros(10, 48).index_add_(0, indices.flatten(), q(g, "mxfp8_e5m2").flatten(0, 1))
    expected[2] = 0
    torch.testing.assert_close(layer.weight.grad, expected)


def test_attention_without_formats_is_that_of_torch():
    query, key, value = drawn(2, 3, 5, 8), drawn(2, 3, 7, 8, seed=1), drawn(2, 3, 7, 6, seed=2)
    mask = torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) > 0.3
    for kwargs in ({}, {"attn_mask": mask}, {"attn_mask": mask.float()}, {"is_causal": True}, {"scale": 0.5}):
        found = mxt.MXAttention(mxt.MXSpec())(query, key, value, **kwargs)
        torch.testing.assert_close(found, F.scaled_dot_product_attention(query, key, value, **kwargs))


def test_attention_quantizes_along_the_axes_it_sums_over():
    fmt = "mxfp8_e4m3"
    query, key, value = drawn(1, 5, 64), drawn(1, 40, 64, seed=1), drawn(1, 40, 6, seed=2)
    found = mxt.scaled_dot_product_attention(query, key, value, mxt.MXSpec(activation=fmt))
    weights = torch.softmax(q(query, fmt) @ q(key, fmt).mT / 8, -1)
    torch.testing.assert_close(found, q(weights, fmt) @ q(value, fmt, 1))


# Backward


def gradients(layer: nn.Module, x: torch.Tensor, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = x.clone().requires_grad_()
    layer.zero_grad()
    layer(x).backward(g)
    return x.grad, layer.weight.grad


@pytest.mark.parametrize("rule", [None, "exact_fp32"])
def test_gradients_of_linear(rule):
    x, g = drawn(3, 11, 72), drawn(3, 11, 40, seed=1)
    rows, flat = x.reshape(33, 72), g.reshape(33, 40)
    plain = mxt.MXSpec(weight="mxfp4_e2m1", activation="mxfp6_e2m3", rule=rule)
    layer = mxt.MXLinear(72, 40, spec=plain)
    w = layer.weight

    def check(spec, weight_format, activation_format, gradient_format, axis):
        layer.spec = spec
        found_x, found_w = gradients(layer, x, g)
        expected_x = q(flat, gradient_format, 1) @ q(w, weight_format, axis if weight_format == "mxfp4_e2m1" else 0)
        expected_w = q(flat, gradient_format, 0).T @ q(rows, activation_format, axis)
        assert torch.equal(found_x.reshape(33, 72), expected_x)
        assert torch.equal(found_w, expected_w)

    check(plain, "mxfp4_e2m1", "mxfp6_e2m3", None, 1)  # the values of the forward pass
    check(replace(plain, gradient="mxfp8_e5m2"), "mxfp4_e2m1", "mxfp6_e2m3", "mxfp8_e5m2", 0)
    other = replace(plain, gradient="mxfp6_e3m2", weight_backward="mxfp8_e4m3", activation_backward="mxint8")
    check(other, "mxfp8_e4m3", "mxint8", "mxfp6_e3m2", 0)


def test_gradients_of_matmul_sum_over_broadcast_axes():
    spec = mxt.MXSpec(weight="mxfp8_e4m3", activation="mxfp8_e4m3", gradient="mxfp8_e5m2")
    a, b = drawn(2, 1, 5, 40).requires_grad_(), drawn(3, 40, 7, seed=1).requires_grad_()
    g = drawn(2, 3, 5, 7, seed=2)
    mxt.MXMatmul(spec)(a, b).backward(g)
    wide_a, wide_b = a.expand(2, 3, 5, 40), b.expand(2, 3, 40, 7)
    expected_a = q(g, "mxfp8_e5m2", -1) @ q(wide_b, "mxfp8_e4m3", -1).mT
    expected_b = q(wide_a, "mxfp8_e4m3", -2).mT @ q(g, "mxfp8_e5m2", -2)
    torch.testing.assert_close(a.grad, expected_a.sum(1, keepdim=True))
    torch.testing.assert_close(b.grad, expected_b.sum(0))


@pytest.mark.parametrize("arguments", CONVOLUTIONS, ids=str)
def test_gradients_of_convolution(arguments):
    plain = nn.Conv2d(40, 36, 3, **arguments)
    layer = mxt.MXConv2d.from_float(plain, mxt.MXSpec())
    x = drawn(5, 40, 7, 9)
    g = drawn(*plain(x).shape, seed=1)
    for found, expected in zip(gradients(layer, x, g), gradients(plain, x, g), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    fmt, groups = "mxfp8_e4m3", plain.groups
    layer.spec = mxt.MXSpec(weight=fmt, activation=fmt, gradient=fmt)
    found_x, found_w = gradients(layer, x, g)
    # The same derivative of a float layer, of operands quantized along output channels, and along the batch.
    reference = copy.deepcopy(plain)
    reference.weight.data = q(plain.weight.unflatten(0, (groups, -1)), fmt, 1).reshape(plain.weight.shape)
    expected_x, _ = gradients(reference, x, q(g.unflatten(1, (groups, -1)), fmt, 2).reshape(g.shape))
    _, expected_w = gradients(reference, q(x, fmt, 0), q(g, fmt, 0))
    torch.testing.assert_close(found_x, expected_x, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found_w, expected_w, rtol=1e-4, atol=1e-4)


def test_stochastic_gradients_follow_the_seed():
    stochastic = mx.QuantizeOptions(rounding="stochastic", random_bits=16)
    x, g = drawn(64, 64), drawn(64, 64, seed=1)

    def once(seed):
        spec = mxt.MXSpec(weight="mxfp4_e2m1", activation="mxfp4_e2m1", gradient="mxfp4_e2m1",
                          backward_options=stochastic, seed=seed)  # fmt: skip
        layer = mxt.MXLinear.from_float(plain, spec)
        return [gradients(layer, x, g)[1] for _ in range(2)]

    plain = nn.Linear(64, 64)
    first, second = once(3)
    assert torch.equal(once(3)[0], first)
    assert not torch.equal(first, second)
    assert not torch.equal(once(4)[0], first)


# Weights that are kept


def test_a_changed_weight_is_quantized_again():
    layer = mxt.MXLinear(64, 8, bias=False, spec=mxt.MXSpec(weight="mxfp4_e2m1"))
    x = drawn(3, 64)
    changes = [
        lambda: torch.optim.SGD(layer.parameters(), 0.5).step(),
        lambda: layer.weight.data.mul_(-3),  # no version counter of the parameter sees this
        lambda: layer.weight.data.numpy().__setitem__((0, 0), 100),  # nor this
        lambda: layer.load_state_dict({"weight": drawn(8, 64)}),
        lambda: setattr(layer, "weight", nn.Parameter(drawn(8, 64, seed=5))),
        lambda: layer.weight.data.view(torch.int32).fill_(0x7FC00000),
    ]
    layer(x).sum().backward()
    for change in changes:
        change()
        expected = x @ q(layer.weight, "mxfp4_e2m1").T
        assert bits(layer(x)) == bits(expected)


def test_an_unchanged_weight_is_not_quantized_again(monkeypatch):
    layer = mxt.MXLinear(64, 8, spec=mxt.MXSpec(weight="mxfp4_e2m1"))
    layer(drawn(3, 64))
    calls = []
    monkeypatch.setattr("refmodel.torch.functional.to_mx", lambda *a, **k: calls.append(a))
    layer(drawn(3, 64))
    assert not calls


def test_codes_from_elsewhere_are_used_until_the_weight_changes():
    layer = mxt.MXLinear(64, 8, spec=mxt.MXSpec(weight="mxfp4_e2m1", activation="mxfp4_e2m1", rule="exact_fp32"))
    draw = np.random.default_rng(0)
    codes = draw.integers(0, 4, (8, 2, 32), np.uint8)  # no block has a large element: casting would shift scales
    blocks = mxt.MXTensor(mx.Blocks("mxfp4_e2m1", codes, np.full((8, 2), 127)))
    layer.set_weight_mx(blocks)
    assert layer.weight_mx is blocks
    for copied in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert np.array_equal(copied.weight_mx.blocks.codes, codes)
    layer.weight.data[0, 0] += 1
    assert layer.weight_mx.blocks.scales.max() < 127


# Taking over layers


def test_a_layer_that_is_taken_over_stays_as_it_is():
    plain = nn.Linear(32, 4)
    seen = []
    plain.register_forward_hook(lambda *_: seen.append(1))
    before = dict(plain.__dict__)
    layer = mxt.MXLinear.from_float(plain, mxt.MXSpec(weight="mxint8"))
    layer.extra = 1
    layer.register_buffer("more", torch.zeros(1))
    assert plain.__dict__ == before
    assert not hasattr(plain, "extra")
    assert layer.weight is plain.weight
    layer(drawn(2, 32))
    assert seen == [1]
    half = mxt.MXLinear.from_float(nn.Linear(32, 4, dtype=torch.bfloat16), mxt.MXSpec(weight="mxint8"))
    assert half.weight.dtype is torch.float32
    assert half(drawn(2, 32).bfloat16()).dtype is torch.bfloat16


class Sub(nn.Linear):
    pass


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: mxt.MXLinear.from_float(nn.Conv2d(1, 1, 1), mxt.MXSpec()), mx.ModuleError),
        (lambda: mxt.MXLinear.from_float(Sub(1, 1), mxt.MXSpec()), mx.ModuleError),
        (lambda: mxt.MXLinear.from_float(nn.LazyLinear(1), mxt.MXSpec()), mx.ModuleError),
        (lambda: mxt.MXLinear.from_float(nn.Linear(1, 1, device="meta"), mxt.MXSpec()), mx.ModuleError),
        (lambda: mxt.MXLinear.from_float(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), mxt.MXSpec()),
         mx.ModuleError),
        (lambda: mxt.MXEmbedding(3, 32, max_norm=1.0, spec=mxt.MXSpec()), mx.ModuleError),
        (lambda: mxt.MXEmbedding.from_float(nn.Embedding(3, 32, sparse=True), mxt.MXSpec()), mx.ModuleError),
        (lambda: mxt.MXSpec(weight="mxfp5"), mx.UnknownNameError),
        (lambda: mxt.MXSpec(rule="exact"), mx.UnknownNameError),
        (lambda: mxt.MXSpec(weight="mxfp8_e4m3", rule="exact_fp32"), mx.DefinitionError),
        (lambda: mxt.MXSpec(weight="mxint8", activation="mxint8", rule="nv_mxf4"), mx.DefinitionError),
        (lambda: mxt.MXSpec(weight="nvfp4", activation="mxfp4_e2m1", rule="exact_fp32"), mx.ShapeError),
        (lambda: mxt.MXSpec(weight="mxint8", options=mx.QuantizeOptions(overflow="overflow")), mx.DefinitionError),
        (lambda: mxt.MXLinear(32, 1, spec=mxt.MXSpec())(torch.zeros(2, 31)), mx.ShapeError),
        (lambda: mxt.MXLinear(32, 1, spec=mxt.MXSpec())(torch.zeros(2, 32, dtype=torch.int64)), mx.DtypeError),
        (lambda: mxt.MXMatmul(mxt.MXSpec())(torch.zeros(2, 3), torch.zeros(2, 3)), mx.ShapeError),
        (lambda: mxt.MXMatmul(mxt.MXSpec())(torch.zeros(2, 2, 3), torch.zeros(3, 3, 2)), mx.ShapeError),
        (lambda: mxt.MXConv2d(3, 1, 5, spec=mxt.MXSpec())(torch.zeros(1, 3, 4, 9)), mx.ShapeError),
    ],
)  # fmt: skip
def test_what_is_refused(call, error):
    with pytest.raises(error):
        call()
