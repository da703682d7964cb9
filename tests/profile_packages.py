"""The packages that profiles reproduce, each behind two calls: numbers to codes, and rows to blocks.

An adapter takes Float32 arrays. `numbers` and `blocks` name the formats that it converts to; `encode` gives
the code of every number, REFUSED for what the package raises an error on; `quantize` gives scale codes [n]
and element codes [n, 32], a scale REFUSED where it raises. A package that is missing skips the test.
"""

from __future__ import annotations

import ctypes
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

import refmodel as mx

REFUSED = -1

FP8, FP6 = ("e5m2", "e4m3"), ("e3m2", "e2m3")
FLOATS = (*FP8, *FP6, "e2m1")
MXFP = tuple(name for name in mx.OCP_FORMATS if name.startswith("mxfp"))


def scalar_codes(convert: Callable[[float], int], values: np.ndarray) -> np.ndarray:
    """The code of each number from a function that takes one, asked once for each bit pattern."""
    patterns, where = np.unique(values.view(np.uint32), return_inverse=True)
    codes = []
    for value in patterns.view(np.float32).tolist():
        try:
            codes.append(int(convert(value)))
        except ValueError:
            codes.append(REFUSED)
    return np.array(codes)[where]


class Package:
    """What adapters have in common.

    Attributes:
        package: Name of the distribution, for its version.
        numbers: Formats that `encode` converts to.
        blocks: Block formats that `quantize` converts to.
    """

    package = ""
    numbers: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()

    @classmethod
    def version(cls) -> str:
        try:
            return version(cls.package)
        except PackageNotFoundError:
            return "not installed"

    def encode(self, fmt: str, values: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def quantize(self, fmt: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


class MlDtypes(Package):
    package = "ml_dtypes"
    numbers = (*FLOATS, "e8m0")
    dtypes = {  # noqa: RUF012
        "e5m2": "float8_e5m2",
        "e4m3": "float8_e4m3fn",
        "e3m2": "float6_e3m2fn",
        "e2m3": "float6_e2m3fn",
        "e2m1": "float4_e2m1fn",
        "e8m0": "float8_e8m0fnu",
    }

    def __init__(self) -> None:
        self._package = pytest.importorskip("ml_dtypes")

    def encode(self, fmt, values):
        with np.errstate(all="ignore"):
            return values.astype(getattr(self._package, self.dtypes[fmt])).view(np.uint8)


class Onnx(MlDtypes):
    """The operator Cast of its reference evaluator, saturate=1, round_mode="up"."""

    package = "onnx"

    def __init__(self) -> None:
        super().__init__()
        self._onnx = pytest.importorskip("onnx")
        self._cast = pytest.importorskip("onnx.reference.ops.op_cast").cast_to

    def encode(self, fmt, values):
        name = self.dtypes[fmt].upper().replace("_", "").replace("E5M2FN", "E5M2")
        name = {"FLOAT8E8M0FNU": "FLOAT8E8M0", "FLOAT4E2M1FN": "FLOAT4E2M1"}.get(name, name)
        name = name.removesuffix("FN") if name.startswith("FLOAT6") else name
        with np.errstate(all="ignore"):
            cast = self._cast(values, getattr(self._onnx.TensorProto, name), True, "up")
        return cast.view(np.uint8)


class Torch(Package):
    package = "torch"
    numbers = (*FP8, "e8m0")

    def __init__(self) -> None:
        self._torch = torch = pytest.importorskip("torch", minversion="2.13")
        self._dtypes = {"e5m2": torch.float8_e5m2, "e4m3": torch.float8_e4m3fn, "e8m0": torch.float8_e8m0fnu}

    def encode(self, fmt, values):
        torch = self._torch
        return torch.from_numpy(values).to(self._dtypes[fmt]).view(torch.uint8).numpy()


class TorchAo(Package):
    """to_mx, in the mode whose name is that of a scale rule."""

    package = "torchao"
    blocks = (*MXFP, "nvfp4")
    mode = "floor"

    def __init__(self) -> None:
        self._torch = torch = pytest.importorskip("torch")
        pytest.importorskip("torchao")
        module = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor")
        self._to_mx, self._mode = module.to_mx, module.ScaleCalculationMode(self.mode)
        self._dtypes = {
            "mxfp8_e5m2": torch.float8_e5m2,
            "mxfp8_e4m3": torch.float8_e4m3fn,
            "mxfp6_e3m2": module.DTYPE_FP6_E3M2,
            "mxfp6_e2m3": module.DTYPE_FP6_E2M3,
            "mxfp4_e2m1": torch.float4_e2m1fn_x2,
        }

    def quantize(self, fmt, rows, tensor_scale=None):
        torch = self._torch
        if fmt == "nvfp4":
            nvfp4 = pytest.importorskip("torchao.prototype.mx_formats.nvfp4_tensor")
            given = None if tensor_scale is None else torch.tensor(tensor_scale)
            scales, codes = nvfp4.nvfp4_quantize(torch.from_numpy(rows), 16, given)
            return scales.view(torch.uint8).numpy()[:, 0], mx.unpack(
                codes.numpy(), "e2m1", layout="low_first"
            )
        scales, codes = self._to_mx(torch.from_numpy(rows), self._dtypes[fmt], 32, self._mode)
        codes = codes.view(torch.uint8).numpy()
        if fmt == "mxfp4_e2m1":
            codes = mx.unpack(codes, "e2m1", layout="low_first")
        return scales.view(torch.uint8).numpy()[:, 0], codes


class TorchAoCeil(TorchAo):
    blocks = MXFP
    mode = "ceil"


class TorchAoEven(TorchAo):
    blocks = MXFP
    mode = "even"


class TorchAoRceil(TorchAo):
    blocks = MXFP
    mode = "rceil"


class Gfloat(Package):
    """round_float with saturation and encode_float; encode_block with the scale of compute_scale_amax."""

    package = "gfloat"
    numbers = (*FLOATS, "int8", "e8m0")
    blocks = mx.OCP_FORMATS

    def __init__(self) -> None:
        self._gfloat = pytest.importorskip("gfloat")
        self._formats = pytest.importorskip("gfloat.formats")
        self._block = pytest.importorskip("gfloat.block")

    def encode(self, fmt, values):
        info, gfloat = getattr(self._formats, f"format_info_ocp_{fmt}"), self._gfloat
        return scalar_codes(
            lambda x: gfloat.encode_float(info, gfloat.round_float(info, x, sat=True)), values
        )

    def quantize(self, fmt, rows):
        element = mx.get_format(fmt).element.name
        info = self._block.BlockFormatInfo(
            fmt,
            getattr(self._formats, f"format_info_ocp_{element}"),
            32,
            self._formats.format_info_ocp_e8m0,
        )
        scales, codes = np.full(len(rows), REFUSED), np.zeros(rows.shape, np.int64)
        with np.errstate(all="ignore"):
            for i, row in enumerate(rows):
                try:
                    scale = self._block.compute_scale_amax(info.etype.emax, row)
                    scales[i], *codes[i] = self._block.encode_block(info, scale, row / scale)
                except ValueError:
                    pass
        return scales, codes


class Bitstring(Package):
    package = "bitstring"
    numbers = (*FLOATS, "int8", "e8m0")
    mode = "saturate"

    def __init__(self) -> None:
        self._bitstring = pytest.importorskip("bitstring", minversion="5.0")

    def encode(self, fmt, values):
        names = {"e5m2": f"e5m2mxfp_{self.mode}", "e4m3": f"e4m3mxfp_{self.mode}", "int8": "mxint"}
        dtype = self._bitstring.Dtype(names.get(fmt, f"{fmt}mxfp"))
        return scalar_codes(lambda x: dtype.pack(x).u, values)


class BitstringOverflow(Bitstring):
    numbers = FP8
    mode = "overflow"


class Cuda(Package):
    """The constructors of the CUDA headers: their host code, compiled by g++ from the packages on PyPI."""

    package = "nvidia-cuda-runtime-cu12"
    numbers = (*FLOATS, "e8m0")
    source = """
#include <cstddef>
#include <cuda_fp4.h>
#include <cuda_fp6.h>
#include <cuda_fp8.h>
#define CONVERT(name, type) extern "C" void name(const float *x, unsigned char *code, size_t n) \\
    { for (size_t i = 0; i < n; ++i) code[i] = static_cast<unsigned char>(type(x[i]).__x); }
CONVERT(e5m2, __nv_fp8_e5m2)
CONVERT(e4m3, __nv_fp8_e4m3)
CONVERT(e3m2, __nv_fp6_e3m2)
CONVERT(e2m3, __nv_fp6_e2m3)
CONVERT(e2m1, __nv_fp4_e2m1)
CONVERT(e8m0, __nv_fp8_e8m0)
"""

    def __init__(self) -> None:
        packages = Path(sysconfig.get_paths()["purelib"]) / "nvidia"
        include = [packages / name / "include" for name in ("cuda_runtime", "cuda_nvcc", "cuda_cccl")]
        headers = ("cuda_fp4.h", "crt/host_defines.h", "nv/target")
        for folder, header in zip(include, headers, strict=True):
            if not (folder / header).is_file():
                pytest.skip(f"{header} of the package nvidia-{folder.parent.name.replace('_', '-')}-cu12")
        with tempfile.TemporaryDirectory() as folder:
            library = Path(folder) / "convert.so"
            flags = ["-O2", "-shared", "-fPIC", "-xc++", *(f"-I{path}" for path in include)]
            try:
                subprocess.run(
                    ["g++", *flags, "-", "-o", library], input=self.source, text=True, check=True, timeout=100
                )
            except FileNotFoundError:
                pytest.skip("no g++")
            self._library = ctypes.CDLL(str(library))

    def encode(self, fmt, values):
        values = np.ascontiguousarray(values, np.float32)
        codes = np.empty(values.size, np.uint8)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (values, codes)]
        getattr(self._library, fmt)(*pointers, ctypes.c_size_t(values.size))
        return codes


class ModelOpt(Package):
    """MXFP8QTensor and MXFP4QTensor of Model Optimizer, the Python code that runs without a GPU."""

    package = "nvidia-modelopt"
    blocks = ("mxfp8_e4m3", "mxfp4_e2m1")

    def __init__(self) -> None:
        self._torch = pytest.importorskip("torch")
        self._qtensor = pytest.importorskip("modelopt.torch.quantization.qtensor")

    def quantize(self, fmt, rows):
        torch, values = self._torch, self._torch.from_numpy(rows)
        if fmt == "mxfp8_e4m3":
            tensor, scales = self._qtensor.MXFP8QTensor.quantize(values)
            codes = tensor._quantized_data.view(torch.uint8).numpy()
        else:
            tensor, scales = self._qtensor.MXFP4QTensor.quantize(values, 32)
            codes = mx.unpack(tensor._quantized_data.numpy(), "e2m1", layout="low_first")
        return scales.numpy()[:, 0], codes


class Gguf(Package):
    """The MXFP4 of ggml, in the Python code of gguf."""

    package = "gguf"
    blocks = ("mxfp4_e2m1",)

    def __init__(self) -> None:
        self._quants = pytest.importorskip("gguf.quants")

    def quantize(self, fmt, rows):
        with np.errstate(all="ignore"):
            packed = self._quants.MXFP4.quantize_blocks(rows)
        return packed[:, 0], mx.unpack(packed[:, 1:], "e2m1", layout="ggml")
