"""Torch tensors <-> MX blocks, and the element and scale types that torch has itself.

Codes and values share memory with the arrays of `refmodel.Blocks` wherever torch and NumPy have a type in
common. Blocks live on the CPU; a tensor of another device is copied there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from refmodel.blocks import Blocks, dequantize
from refmodel.elements import encode
from refmodel.errors import DtypeError, ValueRefusedError
from refmodel.formats import (
    BFLOAT16,
    E2M1,
    E4M3,
    E5M2,
    E8M0,
    FLOAT32,
    INT8,
    UE4M3,
    BlockFormat,
    NumberFormat,
    get_format,
)
from refmodel.options import QuantizeOptions
from refmodel.packing import pack, unpack
from refmodel.quantization import quantize

VALUE_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""What `to_mx` takes and `from_mx` gives."""

_PAIRS = torch.float4_e2m1fn_x2
"""Two E2M1 codes a byte, the first in the low bits; a type without conversions or most operations."""

ELEMENT_DTYPES: Mapping[NumberFormat, torch.dtype] = {
    E5M2: torch.float8_e5m2,
    E4M3: torch.float8_e4m3fn,
    E2M1: _PAIRS,
    INT8: torch.int8,
}
"""Element formats whose codes torch has a type for; that of INT8 holds 64 times the value."""

SCALE_DTYPES: Mapping[NumberFormat, torch.dtype] = {
    E8M0: torch.float8_e8m0fnu,
    UE4M3: torch.float8_e4m3fn,
    BFLOAT16: torch.bfloat16,
    FLOAT32: torch.float32,
}
"""Scale formats whose codes torch has a type for."""


@dataclass(frozen=True, slots=True, eq=False)
class MXTensor:
    """A tensor in an MX format: the blocks, and the options that made them.

    Attributes:
        blocks: Codes and scales as NumPy arrays, see `refmodel.Blocks`.
        options: The options of the conversion; the defaults where the blocks came as codes.
    """

    blocks: Blocks
    options: QuantizeOptions = field(default_factory=QuantizeOptions)

    @classmethod
    def from_codes(
        cls,
        format: str | BlockFormat,
        codes: torch.Tensor,
        scales: torch.Tensor,
        shape: tuple[int, ...] | None = None,
        axis: int | None = -1,
        tensor_scale: float | None = None,
    ) -> MXTensor:
        """Take codes that exist already, without a copy where they are bytes on the CPU.

        Args:
            format: Block format, by name or description.
            codes: [..., n_blocks, block_size] element codes: uint8, or the type of `ELEMENT_DTYPES`;
                float4_e2m1fn_x2 is [..., n_blocks, block_size / 2].
            scales: [..., n_blocks] scale codes: unsigned integers, or the type of `SCALE_DTYPES`.
            shape: Shape of the tensor that the blocks stand for; [..., n_blocks * block_size] when None.
            axis: The axis of that tensor along which blocks run, or None.
            tensor_scale: The scale of the tensor in a format that has one.

        Raises:
            DtypeError: If a tensor has another type than these.
            UnknownNameError, CodeRangeError, ShapeError, DefinitionError: As `refmodel.Blocks`.
        """
        block_format = get_format(format)
        element = _as_codes(codes, block_format.element, ELEMENT_DTYPES, "element codes")
        scale = _as_codes(scales, block_format.scale, SCALE_DTYPES, "scale codes")
        return cls(Blocks(block_format, element, scale, shape, axis, tensor_scale))

    @property
    def format(self) -> BlockFormat:
        """The block format."""
        return self.blocks.format

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor that the blocks stand for, without padding."""
        return torch.Size(self.blocks.shape)

    @property
    def axis(self) -> int | None:
        """The axis along which blocks run; None if through all of the tensor."""
        return self.blocks.axis

    @property
    def tensor_scale(self) -> float | None:
        """The Float32 scale that all blocks share, in a format that has one."""
        return None if self.blocks.tensor_scale is None else float(self.blocks.tensor_scale)

    @property
    def codes(self) -> torch.Tensor:
        """uint8 [..., n_blocks, block_size] element codes, memory shared with the blocks."""
        return as_torch(self.blocks.codes)

    @property
    def scales(self) -> torch.Tensor:
        """Unsigned [..., n_blocks] scale codes, memory shared with the blocks."""
        return as_torch(self.blocks.scales)

    def native_codes(self) -> torch.Tensor:
        """Return the element codes in torch's own type, shared memory but for float4_e2m1fn_x2.

        Raises:
            DtypeError: If torch has no type for the element format.
            ShapeError: If the block size is odd and codes are stored in pairs.
        """
        dtype = _native(self.format.element, ELEMENT_DTYPES)
        if dtype is _PAIRS:
            return as_torch(pack(self.blocks.codes, E2M1, "low_first")).view(dtype)
        return self.codes.view(dtype)

    def native_scales(self) -> torch.Tensor:
        """Return the scale codes in torch's own type, shared memory.

        Raises:
            DtypeError: If torch has no type for the scale format.
        """
        return self.scales.view(_native(self.format.scale, SCALE_DTYPES))


def to_mx(
    tensor: torch.Tensor,
    format: str | BlockFormat,
    axis: int | None = -1,
    options: QuantizeOptions | None = None,
    *,
    generator: torch.Generator | None = None,
    tensor_scale: float | None = None,
) -> MXTensor:
    """Convert a tensor to MX blocks along one axis, with the bits of `refmodel.quantize`.

    Args:
        tensor: float16, bfloat16, float32 or float64 of at least one dimension; any strides, any device.
            Gradients are not followed.
        format: Block format, by name or description.
        axis: The axis along which blocks run; None runs them through all of the tensor in C order.
        options: The choices MX leaves open; the defaults when None.
        generator: Source of the random integers of stochastic rounding; torch's own when None.
        tensor_scale: In a format that has one, the scale of the tensor; found when None.

    Raises:
        DtypeError: If this is no dense tensor of these types.
        ValueRefusedError: If it is on device "meta" and so has no values.
        MxError: What `refmodel.quantize` raises.
    """
    options = QuantizeOptions() if options is None else options
    array = as_numpy(tensor)
    random = None
    if options.rounding == "stochastic":
        random = torch.randint(0, 1 << options.random_bits, array.shape, generator=generator).numpy()
    threads = _threads(array.size)
    blocks = quantize(array, format, axis, options, random=random, tensor_scale=tensor_scale, threads=threads)
    return MXTensor(blocks, options)


def from_mx(mx: MXTensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return the values of an MX tensor, each rounded once to *dtype*.

    Args:
        mx: The tensor.
        dtype: float16, bfloat16, float32 or float64.

    Raises:
        DtypeError: If dtype is another.
    """
    if dtype not in VALUE_DTYPES:
        raise DtypeError(f"dtype {dtype} is not one of {_listed(VALUE_DTYPES)}")
    threads = _threads(mx.blocks.codes.size)
    if dtype is torch.bfloat16:
        # torch would go through Float32, which rounds the values of some formats a first time.
        values = dequantize(mx.blocks, np.float64, threads=threads)
        return as_torch(encode(BFLOAT16, values, overflow="overflow")).view(dtype)
    return torch.from_numpy(dequantize(mx.blocks, str(dtype).removeprefix("torch."), threads=threads))


def as_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """Return the values as an array: float32 for bfloat16, which NumPy lacks, else memory shared if on the CPU.

    Raises:
        DtypeError: If this is no dense tensor of the types of `to_mx`.
        ValueRefusedError: If it has no values.
    """
    tensor = _on_cpu(tensor, "tensor")
    if tensor.dtype not in VALUE_DTYPES:
        dtype = tensor.dtype
        known = {*ELEMENT_DTYPES.values(), *SCALE_DTYPES.values()}
        hint = "; MXTensor.from_codes takes codes" if dtype in known else ""
        raise DtypeError(f"tensor: dtype {dtype} is not one of {_listed(VALUE_DTYPES)}{hint}")
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()


def as_torch(array: NDArray[Any]) -> torch.Tensor:
    """Return an array as a tensor, memory shared unless it is read-only."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _threads(size: int) -> int:
    """Return how many threads convert so many elements: for a few milliseconds of work one is the fastest."""
    return torch.get_num_threads() if size > 1 << 20 else 1


def _as_codes(
    tensor: torch.Tensor, fmt: NumberFormat, native: Mapping[NumberFormat, torch.dtype], what: str
) -> NDArray[Any]:
    tensor = _on_cpu(tensor, what)
    dtype = native.get(fmt)
    width = np.min_scalar_type((1 << fmt.bits) - 1)
    if tensor.dtype is dtype:
        # A type of torch is stored as an unsigned integer of the same width.
        raw = tensor.contiguous().view(getattr(torch, str(width)))
        array: NDArray[Any] = raw.numpy()
        return unpack(array, fmt, "low_first") if dtype is _PAIRS else array
    if tensor.dtype in (torch.uint8, torch.uint16, torch.uint32):
        return tensor.numpy()
    accepted = _listed([t for t in (torch.uint8, torch.uint16, torch.uint32, dtype) if t is not None])
    raise DtypeError(f"{what} of {fmt.name}: dtype {tensor.dtype} is not one of {accepted}")


def _on_cpu(tensor: torch.Tensor, what: str) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor):
        raise DtypeError(f"{what}: {type(tensor).__name__} is not a torch.Tensor")
    if tensor.layout is not torch.strided or tensor.is_quantized:
        raise DtypeError(f"{what}: layout {tensor.layout}, dtype {tensor.dtype} is not a dense tensor")
    if tensor.device.type == "meta":
        raise ValueRefusedError(f"{what}: a tensor on device 'meta' has no values")
    return tensor.detach().cpu().resolve_conj().resolve_neg()


def _native(fmt: NumberFormat, native: Mapping[NumberFormat, torch.dtype]) -> torch.dtype:
    if fmt not in native:
        raise DtypeError(f"torch has no dtype for {fmt.name}; codes are plain bytes")
    return native[fmt]


def _listed(dtypes: Any) -> str:
    return ", ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
