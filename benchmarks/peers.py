"""What the other packages have to offer, each called as its users would call it."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import gfloat
import gfloat.formats
import ml_dtypes
import numpy as np
import torch
from numpy.typing import NDArray
from torchao.prototype.mx_formats.constants import DTYPE_FP6_E2M3, DTYPE_FP6_E3M2
from torchao.prototype.mx_formats.mx_tensor import to_dtype, to_mx

from refmodel.formats import get_format

Work = Callable[[], object]
Codes = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Element codes and scale codes."""

BLOCK = 32

_ML_DTYPES = {
    "mxfp8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "mxfp8_e4m3": np.dtype(ml_dtypes.float8_e4m3fn),
    "mxfp6_e3m2": np.dtype(ml_dtypes.float6_e3m2fn),
    "mxfp6_e2m3": np.dtype(ml_dtypes.float6_e2m3fn),
    "mxfp4_e2m1": np.dtype(ml_dtypes.float4_e2m1fn),
}
_TORCHAO = {
    "mxfp8_e5m2": torch.float8_e5m2,
    "mxfp8_e4m3": torch.float8_e4m3fn,
    "mxfp6_e3m2": DTYPE_FP6_E3M2,
    "mxfp6_e2m3": DTYPE_FP6_E2M3,
    "mxfp4_e2m1": torch.float4_e2m1fn_x2,
}
# Exponent of the largest power of two of the element, and the largest element.
_RANGE = {
    "mxfp8_e5m2": (15, 57344),
    "mxfp8_e4m3": (8, 448),
    "mxfp6_e3m2": (4, 28),
    "mxfp6_e2m3": (2, 7.5),
    "mxfp4_e2m1": (2, 6),
    "mxint8": (0, 127 / 64),
}
_CHUNK_BLOCKS = 1 << 11
"""Blocks that the composition works on at a time, so that its temporaries stay in a level-2 cache."""


def use_one_thread() -> None:
    """Keep the packages that have threads to one."""
    torch.set_num_threads(1)


def versions() -> list[str]:
    """Return the versions of everything that is compared."""
    names = ("numpy", "torch", "torchao", "ml_dtypes", "gfloat")
    return [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)]


def ml_dtype(name: str) -> np.dtype[Any] | None:
    """Return the element type of a block format in ml_dtypes, if it has it."""
    return _ML_DTYPES.get(name)


def torchao_quantizer(array: NDArray[np.float32], name: str) -> Work | None:
    """Return torchao's `to_mx` for a format, if it has it."""
    if name not in _TORCHAO:
        return None
    tensor = torch.from_numpy(array)
    return lambda: to_mx(tensor, _TORCHAO[name], BLOCK)


def torchao_dequantizer(array: NDArray[np.float32], name: str) -> Work | None:
    """Return torchao's `to_dtype` for a format, if it has it."""
    if name not in _TORCHAO:
        return None
    scales, codes = to_mx(torch.from_numpy(array), _TORCHAO[name], BLOCK)
    return lambda: to_dtype(codes, scales, _TORCHAO[name], BLOCK, torch.float32)


def torchao_codes(array: NDArray[np.float32], name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Return element and scale codes of torchao, one a byte."""
    if name not in _TORCHAO:
        return None
    scales, codes = to_mx(torch.from_numpy(array), _TORCHAO[name], BLOCK)
    found = codes.view(torch.uint8).numpy()
    if name == "mxfp4_e2m1":
        found = np.stack([found & 15, found >> 4], axis=-1)
    return found, scales.view(torch.uint8).numpy()


def compose_quantize(array: NDArray[np.float32], name: str) -> Codes:
    """Return element and scale codes as numpy and ml_dtypes give them, for finite input.

    The exponent of the largest magnitude comes from its bits, the scale is divided out by a product, and the
    cast rounds; clamping first makes it saturate.
    """
    emax, largest = _RANGE[name]
    blocks = array.reshape(-1, BLOCK)
    codes, scales = np.empty(blocks.shape, np.uint8), np.empty(len(blocks), np.uint8)
    dtype = _ML_DTYPES.get(name)
    for first in range(0, len(blocks), _CHUNK_BLOCKS):
        part = blocks[first : first + _CHUNK_BLOCKS]
        exponent = (np.abs(part).max(axis=1).view(np.int32) >> 23) - 127 - emax
        exponent = np.clip(exponent, -127, 127)
        scales[first : first + _CHUNK_BLOCKS] = exponent + 127
        scaled = part * np.ldexp(np.float32(1), -exponent)[:, None]
        np.clip(scaled, -largest, largest, out=scaled)
        if dtype is None:
            rounded = np.rint(scaled * 64).astype(np.int8).view(np.uint8)
        else:
            rounded = scaled.astype(dtype).view(np.uint8)
        codes[first : first + _CHUNK_BLOCKS] = rounded
    return codes, scales


def gfloat_quantizer(array: NDArray[np.float32], name: str) -> Work:
    """Return gfloat's way to a block format: scale, round and encode arrays."""
    info = getattr(gfloat.formats, f"format_info_ocp_{get_format(name).element.name}")
    emax, _ = _RANGE[name]
    blocks = array.reshape(-1, BLOCK).astype(np.float64)

    def work() -> object:
        exponent = np.floor(np.log2(np.abs(blocks).max(axis=1))) - emax
        scaled = blocks / np.exp2(exponent)[:, None]
        return gfloat.encode_ndarray(info, gfloat.round_ndarray(info, scaled, sat=True))

    return work
