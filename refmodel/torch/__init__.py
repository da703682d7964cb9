"""MX formats in PyTorch: tensors, emulated layers, conversion of models; the only part that imports torch.

>>> import torch
>>> import refmodel.torch as mxt
>>> q = mxt.to_mx(torch.arange(64.0), "mxfp8_e4m3")
>>> q.scales, q.native_codes().dtype
(tensor([123, 124], dtype=torch.uint8), torch.float8_e4m3fn)
>>> mxt.from_mx(q)[:4]
tensor([0., 1., 2., 3.])
"""

from refmodel.errors import MissingPackageError

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise MissingPackageError("refmodel.torch needs PyTorch; run: pip install 'mx-refmodel[torch]'") from error

from refmodel.torch.attention import MultiheadAttention
from refmodel.torch.checkpoint import load, save
from refmodel.torch.config import MXQuantConfig
from refmodel.torch.conversion import convert, prepare
from refmodel.torch.functional import scaled_dot_product_attention
from refmodel.torch.layers import MXAttention, MXConv2d, MXEmbedding, MXLayer, MXLinear, MXMatmul
from refmodel.torch.spec import MXSpec
from refmodel.torch.tensors import MXTensor, from_mx, to_mx

__all__ = [
    "MXAttention",
    "MXConv2d",
    "MXEmbedding",
    "MXLayer",
    "MXLinear",
    "MXMatmul",
    "MXQuantConfig",
    "MXSpec",
    "MXTensor",
    "MultiheadAttention",
    "convert",
    "from_mx",
    "load",
    "prepare",
    "save",
    "scaled_dot_product_attention",
    "to_mx",
]
