"""Matrix products, convolution, lookup and attention on MX operands, with gradients.

The forward pass multiplies dequantized values in Float32, or blocks under the accumulation rule of the
specification; the backward pass multiplies dequantized values, quantized along the axes it sums over.
Rounding is passed through: the derivative of a conversion is taken as 1, also where it saturates.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from torch.nn import grad as convolution_gradients

from refmodel.blocks import Blocks
from refmodel.dot import matmul as matmul_blocks
from refmodel.errors import DtypeError, ShapeError
from refmodel.formats import BlockFormat
from refmodel.options import QuantizeOptions
from refmodel.torch.spec import MXSpec
from refmodel.torch.tensors import VALUE_DTYPES, MXTensor, from_mx, to_mx


class Quantized(NamedTuple):
    """An operand after its conversion.

    Attributes:
        values: float32 values, on the CPU.
        blocks: Its blocks; None for an operand that stays as it is.
    """

    values: torch.Tensor
    blocks: MXTensor | None


class WeightCache:
    """The quantized forms of a weight, as long as the weight keeps its bits.

    Comparing is far cheaper than converting, and sees every way a tensor can change. Forms that come from
    stochastic rounding are not kept.
    """

    def __init__(self) -> None:
        self._bits: torch.Tensor | None = None
        self._forms: dict[tuple[BlockFormat, int, QuantizeOptions], Quantized] = {}

    def find(self, weight: torch.Tensor, key: tuple[BlockFormat, int, QuantizeOptions]) -> Quantized | None:
        """Return the form that was kept for a weight of these bits, or None."""
        if self._bits is None or not _same_bits(self._bits, weight):
            return None
        return self._forms.get(key)

    def keep(self, weight: torch.Tensor, key: tuple[BlockFormat, int, QuantizeOptions], form: Quantized) -> None:
        """Keep a form of this weight; those of other bits are dropped."""
        if self._bits is None or not _same_bits(self._bits, weight):
            self._bits, self._forms = weight.detach().clone(), {}
        self._forms[key] = form


def quantized(
    tensor: torch.Tensor,
    fmt: BlockFormat | None,
    axis: int,
    options: QuantizeOptions,
    generator: torch.Generator | None = None,
    cache: WeightCache | None = None,
) -> Quantized:
    """Return a tensor in a format along an axis, or as it is if the format is None; Float32 either way."""
    tensor = tensor.detach()
    if fmt is None:
        return Quantized(tensor.to("cpu", torch.float32), None)
    key = (fmt, axis, options)
    found = None if cache is None else cache.find(tensor, key)
    if found is None:
        blocks = to_mx(tensor, fmt, axis, options, generator=generator)
        found = Quantized(from_mx(blocks), blocks)
        if cache is not None and options.rounding != "stochastic":
            cache.keep(tensor, key, found)
    return found


def matmul(a: torch.Tensor, b: torch.Tensor, spec: MXSpec, *, generator: torch.Generator | None = None) -> torch.Tensor:
    """Return a @ b of MX operands, with gradients.

    Args:
        a: [..., M, K], in the format of the activation.
        b: [..., K, N], in the format of the weight; leading axes broadcast.
        spec: Formats, options, rule.
        generator: Source of the random integers of stochastic rounding.

    Returns:
        [..., M, N] of the type of a; computed in Float32. Under a rule each entry has the bits that
        `refmodel.matmul` gives for the blocks of that row and that column.

    Raises:
        ShapeError: If the shapes do not fit, or one has fewer than two axes.
        DtypeError: If an operand is not of a floating-point type.
        MxError: What `to_mx` and `refmodel.matmul` raise.
    """
    _check_floating(a, "a")
    _check_floating(b, "b")
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ShapeError(f"a {list(a.shape)} and b {list(b.shape)} must be [..., M, K] and [..., K, N]")
    try:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(f"leading axes of a {list(a.shape)} and b {list(b.shape)} do not broadcast") from None
    a, b = a.expand(*lead, *a.shape[-2:]), b.expand(*lead, *b.shape[-2:])
    return _product(a, b.mT, spec, generator, None).to(a.dtype)


def linear(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    spec: MXSpec,
    *,
    generator: torch.Generator | None = None,
    cache: WeightCache | None = None,
) -> torch.Tensor:
    """Return x @ weight.T + bias of MX operands, with gradients.

    Args:
        x: [..., K] activation; its leading axes are one axis of the product, also where gradients sum over it.
        weight: [N, K].
        bias: [N], added in Float32 after the product, or None.
        spec: Formats, options, rule.
        generator: Source of the random integers of stochastic rounding.
        cache: Of the weight.

    Raises:
        ShapeError: If the shapes do not fit.
        DtypeError: If an operand is not of a floating-point type.
    """
    _check_floating(x, "x")
    if x.ndim < 1 or x.shape[-1] != weight.shape[-1]:
        raise ShapeError(f"x {list(x.shape)} must be [..., {weight.shape[-1]}]")
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    y = _product(rows, weight, spec, generator, cache)
    if bias is not None:
        y = y + bias.float()
    return y.to(x.dtype).reshape(*x.shape[:-1], weight.shape[0])


def conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    spec: MXSpec,
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
    generator: torch.Generator | None = None,
    cache: WeightCache | None = None,
) -> torch.Tensor:
    """Return the two-dimensional convolution of MX operands, with gradients; nothing is padded.

    Blocks run along the channels of a group, so that each pixel is quantized once for all windows it is in. Under
    a rule the products of a window are summed in the order kernel row, kernel column, block of channels.
    In the backward pass blocks run along the output channels of a group for the gradient of x, and
    along the batch for that of the weight.

    Args:
        x: [B, C, H, W].
        weight: [O, C / groups, KH, KW].
        bias: [O], added in Float32 after the product, or None.
        spec: Formats, options, rule.
        stride: As in torch.
        dilation: As in torch.
        groups: As in torch.
        generator: Source of the random integers of stochastic rounding.
        cache: Of the weight.

    Raises:
        ShapeError: If the shapes do not fit.
        DtypeError: If an operand is not of a floating-point type.
    """
    _check_floating(x, "x")
    reach = [step * (size - 1) + 1 for step, size in zip(dilation, weight.shape[2:], strict=True)]
    if (
        x.ndim != 4
        or x.shape[1] != weight.shape[1] * groups
        or any(have < need for have, need in zip(x.shape[2:], reach, strict=True))
    ):
        raise ShapeError(
            f"x {list(x.shape)} must be [B, {weight.shape[1] * groups}, H, W], padding included at least "
            f"{reach[0]} by {reach[1]}"
        )
    geometry = _Geometry(stride, dilation, groups)
    y = cast(torch.Tensor, _Conv2d.apply(x, weight, spec, geometry, generator, cache))  # type: ignore[no-untyped-call]
    return (y if bias is None else y + bias.float()[:, None, None]).to(x.dtype)


def embedding(
    indices: torch.Tensor,
    weight: torch.Tensor,
    spec: MXSpec,
    *,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
    generator: torch.Generator | None = None,
    cache: WeightCache | None = None,
) -> torch.Tensor:
    """Return rows of an MX weight [V, D], blocks along D; gradients of the rows are quantized along D as well."""
    values = cast(torch.Tensor, _PassThrough.apply(weight, spec, generator, cache))  # type: ignore[no-untyped-call]
    rows = F.embedding(indices, values, padding_idx, scale_grad_by_freq=scale_grad_by_freq)
    return cast(torch.Tensor, _QuantizeGradient.apply(rows, spec, generator))  # type: ignore[no-untyped-call]


def scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    spec: MXSpec,
    attn_mask: torch.Tensor | None = None,
    *,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Return softmax(query @ key.T * scale + mask) @ value, both products of MX operands.

    All operands have the format of the activation. Scaling, mask and softmax are Float32.

    Args:
        query: [..., L, E].
        key: [..., S, E].
        value: [..., S, V].
        spec: Formats, options, rule.
        attn_mask: [..., L, S]: True where attention is allowed, or numbers to add; None for none.
        dropout_p: Probability that a weight of attention is dropped.
        is_causal: Position i attends to positions up to i; not with attn_mask.
        scale: 1 / sqrt(E) when None.
        generator: Source of the random integers of stochastic rounding.

    Raises:
        ShapeError: If the shapes do not fit, or there are a mask and is_causal.
        DtypeError: If an operand is not of a floating-point type.
    """
    if attn_mask is not None and is_causal:
        raise ShapeError("give attn_mask or is_causal, not both")
    if is_causal:
        shape = query.shape[-2], key.shape[-2]
        attn_mask = torch.ones(shape, dtype=torch.bool, device=query.device).tril()
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1])
    return attention(query, key, value, spec, attn_mask, dropout_p, scale, generator)[0]


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    spec: MXSpec,
    mask: torch.Tensor | None,
    dropout: float,
    scale: float,
    generator: torch.Generator | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do the work of `scaled_dot_product_attention`; return the weights of attention, too, before dropout."""
    spec = spec.of_activations()
    scores = matmul(query.float(), key.float().mT, spec, generator=generator) * scale
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
    weights = torch.softmax(scores, -1)
    y = matmul(F.dropout(weights, dropout), value.float(), spec, generator=generator)
    return y.to(query.dtype), weights


def _product(
    a: torch.Tensor,
    b: torch.Tensor,
    spec: MXSpec,
    generator: torch.Generator | None,
    cache: WeightCache | None,
) -> torch.Tensor:
    return cast(torch.Tensor, _Product.apply(a, b, spec, generator, cache))  # type: ignore[no-untyped-call]


class _Product(torch.autograd.Function):
    """a [..., M, K] times the transpose of b [..., N, K]."""

    @staticmethod
    def forward(
        ctx: Any,
        a: torch.Tensor,
        b: torch.Tensor,
        spec: MXSpec,
        generator: torch.Generator | None,
        cache: WeightCache | None,
    ) -> torch.Tensor:
        left = quantized(a, spec.activation, -1, spec.options, generator)
        right = quantized(b, spec.weight, -1, spec.options, generator, cache)
        with torch.autocast("cpu", enabled=False):
            fast = spec.rule is None
            y = left.values @ right.values.mT if fast else _exact_product(left.blocks, right.blocks, spec)
        _save(ctx, a, b, left.values, right.values, spec)
        ctx.spec, ctx.generator, ctx.cache = spec, generator, cache
        return y.to(a.device)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        a, b = ctx.saved_tensors
        spec, options = ctx.spec, ctx.spec.options_backward
        wants_a, wants_b = ctx.needs_input_grad[:2]
        gradient_a = gradient_b = None
        with torch.autocast("cpu", enabled=False):
            if wants_a:
                g = quantized(gradient, spec.gradient, -1, options, ctx.generator).values
                other = _again(b, spec, "weight", -2, ctx.generator, ctx.cache)
                gradient_a = (g @ other).to(a.device, a.dtype)
            if wants_b:
                g = quantized(gradient, spec.gradient, -2, options, ctx.generator).values
                other = _again(a, spec, "activation", -2, ctx.generator, None)
                gradient_b = (g.mT @ other).to(b.device, b.dtype)
        return gradient_a, gradient_b, None, None, None


class _Geometry(NamedTuple):
    """How windows lie in an image."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


class _Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        spec: MXSpec,
        geometry: _Geometry,
        generator: torch.Generator | None,
        cache: WeightCache | None,
    ) -> torch.Tensor:
        left = quantized(_split(x, 1, geometry.groups), spec.activation, 2, spec.options, generator)
        right = quantized(weight, spec.weight, 1, spec.options, generator, cache)
        values = left.values.reshape(x.shape)
        with torch.autocast("cpu", enabled=False):
            if spec.rule is None:
                y = F.conv2d(values, right.values, None, geometry.stride, 0, geometry.dilation, geometry.groups)
            else:
                y = _exact_conv2d(left.blocks, right.blocks, weight.shape, geometry, spec)
        _save(ctx, x, weight, values, right.values, spec)
        ctx.spec, ctx.geometry, ctx.generator, ctx.cache = spec, geometry, generator, cache
        return y.to(x.device)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        x, weight = ctx.saved_tensors
        spec, geometry, options = ctx.spec, ctx.geometry, ctx.spec.options_backward
        stride, dilation, groups = geometry
        gradient_x = gradient_weight = None
        with torch.autocast("cpu", enabled=False):
            if ctx.needs_input_grad[0]:
                g = quantized(_split(gradient, 1, groups), spec.gradient, 2, options, ctx.generator).values
                # Output channels of a group are the axis that this product sums over.
                w = _again(_split(weight, 0, groups), spec, "weight", 1, ctx.generator, None)
                gradient_x = convolution_gradients.conv2d_input(  # type: ignore[no-untyped-call]
                    x.shape, w.reshape(weight.shape), g.reshape(gradient.shape), stride, 0, dilation, groups
                ).to(x.device, x.dtype)
            if ctx.needs_input_grad[1]:
                g = quantized(gradient, spec.gradient, 0, options, ctx.generator).values
                inputs = _again(x, spec, "activation", 0, ctx.generator, None)
                gradient_weight = convolution_gradients.conv2d_weight(  # type: ignore[no-untyped-call]
                    inputs, weight.shape, g, stride, 0, dilation, groups
                ).to(weight.device, weight.dtype)
        return gradient_x, gradient_weight, None, None, None, None


class _PassThrough(torch.autograd.Function):
    """A quantized weight whose gradient goes to the weight itself."""

    @staticmethod
    def forward(
        ctx: Any,
        weight: torch.Tensor,
        spec: MXSpec,
        generator: torch.Generator | None,
        cache: WeightCache | None,
    ) -> torch.Tensor:
        values = quantized(weight, spec.weight, -1, spec.options, generator, cache).values
        return values.to(weight.device, weight.dtype, copy=True)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        return gradient, None, None, None


class _QuantizeGradient(torch.autograd.Function):
    """The tensor itself; its gradient is quantized along the last axis."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor, spec: MXSpec, generator: torch.Generator | None) -> torch.Tensor:
        ctx.spec, ctx.generator = spec, generator
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        spec = ctx.spec
        values = quantized(gradient, spec.gradient, -1, spec.options_backward, ctx.generator).values
        return values.to(gradient.device, gradient.dtype), None, None


def _save(
    ctx: Any, a: torch.Tensor, b: torch.Tensor, a_values: torch.Tensor, b_values: torch.Tensor, spec: MXSpec
) -> None:
    """Save for the backward pass what it starts from: the operands, or their values in the forward pass."""
    ctx.save_for_backward(
        a if _is_converted_again(spec, "activation") else a_values.to(a.dtype),
        b if _is_converted_again(spec, "weight") else b_values.to(b.dtype),
    )


def _is_converted_again(spec: MXSpec, operand: str) -> bool:
    return spec.gradient is not None or getattr(spec, f"{operand}_backward") is not None


def _again(
    saved: torch.Tensor,
    spec: MXSpec,
    operand: str,
    axis: int,
    generator: torch.Generator | None,
    cache: WeightCache | None,
) -> torch.Tensor:
    """Return the values of a saved operand in the backward pass, in the shape it is given."""
    if not _is_converted_again(spec, operand):
        return saved.float()
    fmt = getattr(spec, f"{operand}_backward") or getattr(spec, operand)
    return quantized(saved, fmt, axis, spec.options_backward, generator, cache).values


def _exact_product(a: MXTensor | None, b: MXTensor | None, spec: MXSpec) -> torch.Tensor:
    """Multiply blocks along the last axes under the rule; both are there, as `MXSpec` has checked."""
    assert a is not None
    assert b is not None
    assert spec.rule is not None
    *lead, m, _ = a.shape
    n = b.shape[-2]
    y = np.empty((math.prod(lead), m, n), np.float32)
    rows, columns = (_batches(operand.blocks, math.prod(lead)) for operand in (a, b))
    for index, (left, right) in enumerate(zip(rows, columns, strict=True)):
        y[index] = matmul_blocks(left, right, spec.rule)
    return torch.from_numpy(y.reshape(*lead, m, n))


def _batches(blocks: Blocks, count: int) -> list[Blocks]:
    codes = blocks.codes.reshape(count, *blocks.codes.shape[-3:])
    scales = blocks.scales.reshape(count, *blocks.scales.shape[-2:])
    return [Blocks(blocks.format, codes[i], scales[i], tensor_scale=blocks.tensor_scale) for i in range(count)]


def _exact_conv2d(
    x: MXTensor | None, weight: MXTensor | None, shape: torch.Size, geometry: _Geometry, spec: MXSpec
) -> torch.Tensor:
    """Convolve x, blocks [B, G, H, W, n_blocks] along channels, with weight [O, KH, KW, n_blocks]."""
    assert x is not None
    assert weight is not None
    assert spec.rule is not None
    outputs, _, *kernel = shape
    groups, reach = geometry.groups, [d * (k - 1) for d, k in zip(geometry.dilation, kernel, strict=True)]
    batch, _, _, height, width = x.shape
    size = [(n - r - 1) // s + 1 for n, r, s in zip((height, width), reach, geometry.stride, strict=True)]
    y = np.empty((batch, outputs, *size), np.float32)
    per_group = outputs // groups
    for group in range(groups):
        codes, scales = (_windows(array[:, group], kernel, geometry) for array in (x.blocks.codes, x.blocks.scales))
        block = codes.shape[-1]
        rows = Blocks(
            x.format,
            codes.reshape(batch * math.prod(size), -1, block),
            scales.reshape(batch * math.prod(size), -1),
            tensor_scale=x.blocks.tensor_scale,
        )
        chosen = slice(group * per_group, (group + 1) * per_group)
        columns = Blocks(
            weight.format,
            weight.blocks.codes[chosen].reshape(per_group, -1, block),
            weight.blocks.scales[chosen].reshape(per_group, -1),
            tensor_scale=weight.blocks.tensor_scale,
        )
        products = matmul_blocks(rows, columns, spec.rule)
        y[:, chosen] = np.moveaxis(products.reshape(batch, *size, per_group), -1, 1)
    return torch.from_numpy(y)


def _windows(array: NDArray[Any], kernel: list[int], geometry: _Geometry) -> NDArray[Any]:
    """Return [B, OH, OW, KH, KW, ...]: what the windows over [B, H, W, ...] see."""
    reach = tuple(d * (k - 1) + 1 for d, k in zip(geometry.dilation, kernel, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(array, reach, axis=(1, 2))
    strided = windows[:, :: geometry.stride[0], :: geometry.stride[1]]
    chosen = strided[..., :: geometry.dilation[0], :: geometry.dilation[1]]
    return np.ascontiguousarray(np.moveaxis(chosen, (-2, -1), (3, 4)))


def _split(tensor: torch.Tensor, axis: int, groups: int) -> torch.Tensor:
    """Return a tensor with its axis of channels as [groups, channels of a group]."""
    shape = tensor.shape
    return tensor.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def _same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    if a.dtype != b.dtype or a.shape != b.shape or a.device != b.device:
        return False
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[a.element_size()]
    return torch.equal(a.view(integer), b.detach().view(integer))


def _check_floating(tensor: torch.Tensor, what: str) -> None:
    if not isinstance(tensor, torch.Tensor) or tensor.dtype not in VALUE_DTYPES:
        kind = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        accepted = ", ".join(str(dtype).removeprefix("torch.") for dtype in VALUE_DTYPES)
        raise DtypeError(f"{what}: {kind} is not a tensor of {accepted}")
