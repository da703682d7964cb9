"""Multi-head attention in parts that can be converted one by one: four linear layers and the two products."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import nn

from refmodel.errors import ModuleError, ShapeError
from refmodel.torch import functional
from refmodel.torch.layers import MXAttention
from refmodel.torch.spec import MXSpec


class MultiheadAttention(nn.Module):
    """torch.nn.MultiheadAttention as the modules q_proj, k_proj, v_proj, out_proj and attention.

    The call is the same. The attributes that torch.nn.TransformerEncoderLayer looks at say that there is no packed
    projection, so that its fused kernel, which would pass by the modules, is not taken.
    """

    in_proj_bias = None
    _qkv_same_embed_dim = False

    def __init__(self, module: nn.MultiheadAttention) -> None:
        super().__init__()
        self.embed_dim, self.num_heads, self.head_dim = module.embed_dim, module.num_heads, module.head_dim
        self.batch_first, self.dropout = module.batch_first, module.dropout
        if module._qkv_same_embed_dim:
            weights = [*cast(torch.Tensor, module.in_proj_weight).detach().chunk(3)]
        else:
            weights = [
                cast(torch.Tensor, w).detach()
                for w in (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
            ]
        packed: torch.Tensor | None = module.in_proj_bias
        biases = [None] * 3 if packed is None else packed.detach().chunk(3)
        self.q_proj, self.k_proj, self.v_proj = (
            _linear(weight, bias) for weight, bias in zip(weights, biases, strict=True)
        )
        self.out_proj = _linear(module.out_proj.weight.detach(), module.out_proj.bias)
        self.attention = MXAttention(MXSpec())
        self.train(module.training)

    @staticmethod
    def check(module: nn.Module) -> None:
        """Raise ModuleError unless *module* can be taken apart."""
        if type(module) is not nn.MultiheadAttention:
            raise ModuleError(f"{type(module).__name__} is not torch.nn.MultiheadAttention; exclude it")
        if module.bias_k is not None or module.bias_v is not None or module.add_zero_attn:
            raise ModuleError("MultiheadAttention with add_bias_kv or add_zero_attn has no MX counterpart; exclude it")
        if module._forward_hooks or module._forward_pre_hooks:
            raise ModuleError("MultiheadAttention with hooks cannot be taken apart; remove them, or exclude it")

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Take and return what torch.nn.MultiheadAttention does.

        Raises:
            ShapeError: If is_causal is given without the mask that torch asks for, too.
        """
        if is_causal and attn_mask is None:
            raise ShapeError("is_causal is a hint about attn_mask, which is missing")
        batched = query.ndim == 3
        inputs = [query, key, value]
        if not batched:
            inputs = [x.unsqueeze(0) for x in inputs]
        elif not self.batch_first:
            inputs = [x.transpose(0, 1) for x in inputs]
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (self._heads(layer(x)) for layer, x in zip(projections, inputs, strict=True))
        mask = _mask(attn_mask, key_padding_mask, self.num_heads)
        y, weights = functional.attention(
            q,
            k,
            v,
            self.attention.spec,
            mask,
            self.dropout if self.training else 0.0,
            1 / math.sqrt(self.head_dim),
            self.attention.generator,
        )
        y = self.out_proj(y.transpose(1, 2).flatten(2))
        if average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            return y[0], weights[0] if need_weights else None
        return y if self.batch_first else y.transpose(0, 1), weights if need_weights else None

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        """Return [B, L, E] as [B, heads, L, E / heads]."""
        return x.reshape(*x.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)


def _mask(attn_mask: torch.Tensor | None, padding: torch.Tensor | None, heads: int) -> torch.Tensor | None:
    """Return numbers to add to the scores [B, heads, L, S]; True in the masks of torch's layer means to leave out."""
    total: torch.Tensor | None = None
    if attn_mask is not None:
        total = _as_numbers(attn_mask)
        if total.ndim == 3:
            total = total.reshape(-1, heads, *total.shape[1:])
    if padding is not None:
        numbers = _as_numbers(padding if padding.ndim == 2 else padding[None])[:, None, None]
        total = numbers if total is None else total + numbers
    return total


def _as_numbers(mask: torch.Tensor) -> torch.Tensor:
    if mask.dtype != torch.bool:
        return mask.float()
    return torch.zeros(mask.shape, device=mask.device).masked_fill(mask, -math.inf)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, weight.device, weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer
