"""Layers of torch.nn whose products are of MX operands; the weights stay Float32 and can be trained.

Each is a subclass of the layer it stands for, made anew or by `from_float`, which takes over the
parameters, buffers and hooks of a layer that exists and leaves that layer as it is.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from torch import nn
from torch.nn import functional as F

from refmodel.errors import ModuleError
from refmodel.torch import functional
from refmodel.torch.functional import Quantized, WeightCache
from refmodel.torch.spec import MXSpec
from refmodel.torch.tensors import MXTensor, from_mx


class MXLayer(nn.Module):
    """What the layers share: the specification, the source of random integers, quantized weights.

    Attributes:
        spec: Formats, options, rule.
        generator: Source of the random integers of stochastic rounding, None without it.
        weight_axis: The axis of the weight along which its blocks run in the forward pass.
    """

    weight_axis: ClassVar[int] = -1

    spec: MXSpec
    generator: torch.Generator | None
    _cache: WeightCache

    def _start(self, spec: MXSpec) -> None:
        self.spec = spec
        self.generator = torch.Generator().manual_seed(spec.seed) if spec.is_stochastic else None
        self._cache = WeightCache()

    @classmethod
    def from_float(cls, module: nn.Module, spec: MXSpec) -> Self:
        """Return this layer with the parameters, buffers, hooks and mode of *module*, which stays as it is.

        Parameters are shared, so what trained or tied them before still does; those of other types become
        Float32.

        Raises:
            ModuleError: If the module is not what this layer stands for, or computes its weight elsewhere.
        """
        cls.check(module)
        layer = cls.__new__(cls)
        state = {name: value.copy() if isinstance(value, dict) else value for name, value in module.__dict__.items()}
        layer.__dict__.update(state)
        layer._parameters = {name: None if p is None else _as_float32(p) for name, p in module._parameters.items()}
        layer._start(spec)
        return layer

    @classmethod
    def check(cls, module: nn.Module) -> None:
        """Raise ModuleError unless `from_float` can take this module."""
        base = cls.__mro__[2] if cls.__mro__[1] is MXLayer else cls.__mro__[1]
        if type(module) is not base:
            raise ModuleError(f"{type(module).__name__} is not torch.nn.{base.__name__}; exclude it")
        weight = module._parameters.get("weight")
        if weight is None:
            raise ModuleError(f"{base.__name__} computes its weight elsewhere (weight_norm?); exclude it")
        if isinstance(weight, nn.parameter.UninitializedParameter) or weight.device.type == "meta":
            raise ModuleError(f"{base.__name__} has a weight without values; initialise it, or exclude it")
        if not weight.is_floating_point() or weight.layout is not torch.strided:
            raise ModuleError(f"{base.__name__} has a weight of {weight.dtype}, {weight.layout}; exclude it")

    @property
    def weight_mx(self) -> MXTensor | None:
        """The weight of the forward pass in its format; None if it stays Float32."""
        weight: torch.Tensor = self._parameters["weight"]  # type: ignore[assignment]
        spec = self.spec
        return functional.quantized(
            weight, spec.weight, self.weight_axis, spec.options, self.generator, self._cache
        ).blocks

    def set_weight_mx(self, blocks: MXTensor) -> None:
        """Take codes found in another way: the weight becomes a parameter of their values, they its quantized form.

        They are used as long as the weight is not changed. What shared the weight before keeps the old one.
        """
        weight = self._parameters["weight"]
        assert weight is not None
        assert self.spec.weight is not None
        values = from_mx(blocks)
        weight = nn.Parameter(values.to(weight.device, copy=True), weight.requires_grad)
        self._parameters["weight"] = weight
        key = (self.spec.weight, self.weight_axis, self.spec.options)
        self._cache.keep(weight, key, Quantized(values, blocks))

    def extra_repr(self) -> str:
        """Describe the layer with its formats."""
        spec, base = self.spec, super().extra_repr()
        names = {"weight": spec.weight, "activation": spec.activation, "gradient": spec.gradient, "rule": spec.rule}
        given = [f"{name}={value.name}" for name, value in names.items() if value is not None]
        return ", ".join(filter(None, [base, *given]))


class MXLinear(MXLayer, nn.Linear):
    """torch.nn.Linear on MX operands; arguments as there, and the specification."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, spec: MXSpec, **kwargs: Any) -> None:
        nn.Linear.__init__(self, in_features, out_features, bias, **kwargs)
        self._start(spec)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return input @ weight.T + bias, see `functional.linear`."""
        return functional.linear(input, self.weight, self.bias, self.spec, generator=self.generator, cache=self._cache)


class MXConv2d(MXLayer, nn.Conv2d):
    """torch.nn.Conv2d on MX operands; arguments as there, and the specification."""

    weight_axis = 1

    def __init__(self, *args: Any, spec: MXSpec, **kwargs: Any) -> None:
        nn.Conv2d.__init__(self, *args, **kwargs)
        self._start(spec)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the convolution, see `functional.conv2d`; [C, H, W] without a batch as well."""
        batched = input if input.ndim == 4 else input[None]
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        if any(self._reversed_padding_repeated_twice):
            batched = F.pad(batched, self._reversed_padding_repeated_twice, mode)
        y = functional.conv2d(
            batched,
            self.weight,
            self.bias,
            self.spec,
            stride=(self.stride[0], self.stride[1]),
            dilation=(self.dilation[0], self.dilation[1]),
            groups=self.groups,
            generator=self.generator,
            cache=self._cache,
        )
        return y if input.ndim == 4 else y[0]


class MXEmbedding(MXLayer, nn.Embedding):
    """torch.nn.Embedding of an MX weight; arguments as there, and the specification."""

    def __init__(self, *args: Any, spec: MXSpec, **kwargs: Any) -> None:
        nn.Embedding.__init__(self, *args, **kwargs)
        self._check_options(self)
        self._start(spec)

    @classmethod
    def check(cls, module: nn.Module) -> None:
        """Raise ModuleError unless `from_float` can take this module."""
        super().check(module)
        assert isinstance(module, nn.Embedding)
        cls._check_options(module)

    @staticmethod
    def _check_options(module: nn.Embedding) -> None:
        if module.max_norm is not None or module.sparse:
            raise ModuleError("Embedding with max_norm or sparse gradients has no MX counterpart; exclude it")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the rows, see `functional.embedding`."""
        return functional.embedding(
            input,
            self.weight,
            self.spec,
            padding_idx=self.padding_idx,
            scale_grad_by_freq=self.scale_grad_by_freq,
            generator=self.generator,
            cache=self._cache,
        )


class MXMatmul(nn.Module):
    """The product of two tensors of MX operands, see `functional.matmul`."""

    def __init__(self, spec: MXSpec) -> None:
        super().__init__()
        self.spec = spec
        self.generator = torch.Generator().manual_seed(spec.seed) if spec.is_stochastic else None

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return a @ b."""
        return functional.matmul(a, b, self.spec, generator=self.generator)


class MXAttention(nn.Module):
    """The two matrix products of attention on MX operands, see `functional.scaled_dot_product_attention`."""

    def __init__(self, spec: MXSpec) -> None:
        super().__init__()
        self.spec = spec
        self.generator = torch.Generator().manual_seed(spec.seed) if spec.is_stochastic else None

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
    ) -> torch.Tensor:
        """Take the arguments of torch.nn.functional.scaled_dot_product_attention."""
        return functional.scaled_dot_product_attention(
            query,
            key,
            value,
            self.spec,
            attn_mask,
            dropout_p=dropout_p,
            is_causal=is_causal,
            scale=scale,
            generator=self.generator,
        )


def _as_float32(parameter: nn.Parameter) -> nn.Parameter:
    if parameter.dtype == torch.float32:
        return parameter
    return nn.Parameter(parameter.detach().float(), requires_grad=parameter.requires_grad)
