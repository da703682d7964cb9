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

from refmodel.torch.tensors import MXTensor, from_mx, to_mx

__all__ = ["MXTensor", "from_mx", "to_mx"]
