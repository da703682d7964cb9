"""Codes of weights, found after training: searched scales, GPTQ, error diffusion; docs/ptq.md tells what they do.

Everything is float64 NumPy on weights [N, K] with blocks along K; the elements are encoded by the arithmetic of
`refmodel.quantize` under the scales that a method chose.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.block_encoding import block_amax, choose_scales, encode_blocks
from refmodel.blocks import Blocks, block_values
from refmodel.elements import decode
from refmodel.encoding import code_dtype
from refmodel.errors import DefinitionError, ValueRefusedError
from refmodel.formats import BlockFormat
from refmodel.options import QuantizeOptions
from refmodel.quantization import find_tensor_scale, quantize
from refmodel.ratio_scales import NO_TENSOR_SCALE, TensorScale
from refmodel.torch.tensors import MXTensor

Floats = NDArray[np.float64]

CALIBRATED = ("gptq", "error_diffusion")
"""The methods that need inputs of the layer."""

DAMPING = 0.01
"""GPTQ adds this part of the mean of the diagonal to it, so that the matrix has an inverse."""

MOST_SWEEPS = 100
"""Error diffusion ends long before, when nothing changes; the bound is for errors that differ in last bits only."""


class Moments:
    """Sums over the rows of a layer's inputs: X before any layer is converted, Z those the layer multiplies now.

    Attributes:
        gram: Z^T Z [K, K].
        cross: Z^T X [K, K].
        rows: How many rows there were.
    """

    def __init__(self, size: int) -> None:
        self.gram: Floats = np.zeros((size, size))
        self.cross: Floats = np.zeros((size, size))
        self.rows = 0

    def add(self, before: NDArray[np.float32], now: NDArray[np.float32]) -> None:
        """Add rows [M, K] of X and of Z.

        Raises:
            ValueRefusedError: If there are NaN or infinities among them.
        """
        x, z = before.astype(np.float64), now.astype(np.float64)
        if not (np.isfinite(x).all() and np.isfinite(z).all()):
            raise ValueRefusedError("an input in calibration has NaN or infinities")
        self.gram += z.T @ z
        self.cross += z.T @ x
        self.rows += len(x)


def searched(weight: NDArray[Any], fmt: BlockFormat, axis: int, options: QuantizeOptions) -> MXTensor:
    """Return a weight under the scale of each block that leaves the least squared error.

    Tried are the scale of `refmodel.quantize` and its neighbours: one code up and down for a power of two, and eight,
    one binade of UE4M3, for a scale with a mantissa. The first wins a tie; a block with a NaN scale keeps it.
    """
    _refuse_stochastic(options)
    direct = quantize(weight, fmt, axis, options)
    rows = np.moveaxis(weight, axis, -1).astype(np.float64)
    padded = np.zeros((*rows.shape[:-1], direct.n_blocks * fmt.block_size))
    padded[..., : rows.shape[-1]] = rows
    values = padded.reshape(direct.codes.shape)
    codes, scales = _Coder(fmt, options, direct.tensor_scale).search(values)
    return MXTensor(Blocks(fmt, codes, scales, direct.shape, axis, direct.tensor_scale), options)


def gptq(weight: NDArray[Any], fmt: BlockFormat, options: QuantizeOptions, moments: Moments) -> MXTensor:
    """Return a weight [N, K] whose errors later columns make good, by least squares on the inputs of calibration."""
    rows = _finite(weight)
    gram = moments.gram.copy()
    unused = np.diag(gram) == 0
    gram[unused, unused] = 1
    gram[np.diag_indices_from(gram)] += DAMPING * np.diag(gram).mean()
    # The upper factor U of the inverse, U^T U: row i says how the columns after i make good an error of column i.
    inverse = np.linalg.inv(gram)
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    work = _Columns(rows, fmt, options)
    for start, stop in work.blocks():
        work.choose_scales(start, stop)
        for i in range(start, stop):
            error = (work.rows[:, i] - work.quantize_column(i, work.rows[:, i])) / upper[i, i]
            work.rows[:, i + 1 :] -= np.outer(error, upper[i, i + 1 :])
    return work.result()


def error_diffusion(weight: NDArray[Any], fmt: BlockFormat, options: QuantizeOptions, moments: Moments) -> MXTensor:
    """Return a weight [N, K] each of whose columns takes over the error of the layer's output so far.

    When all columns have codes, what is left of the error is diffused again, column by column, into codes that lower
    it, until a whole sweep changes none.
    """
    rows = _finite(weight)
    work = _Columns(rows, fmt, options)
    gram, cross = moments.gram, moments.cross
    energy = np.diag(gram)
    chosen = np.zeros_like(rows)
    for start, stop in work.blocks():
        work.choose_scales(start, stop)
        for i in range(start, stop):
            target = rows[:, i]
            if energy[i] > 0:
                error = rows[:, : i + 1] @ cross[i, : i + 1] - chosen[:, :i] @ gram[i, :i]
                target = error / energy[i]
            chosen[:, i] = work.quantize_column(i, target)
    left = rows @ cross.T - chosen @ gram  # Z^T (X W^T - Z Q^T), transposed
    for _ in range(MOST_SWEEPS):
        changes = 0
        for i in np.flatnonzero(energy > 0).tolist():
            before, codes = chosen[:, i].copy(), work.column(i).copy()
            step = work.quantize_column(i, before + left[:, i] / energy[i]) - before
            # The squared error of the output falls by step * (2 left - step energy).
            better = step * (2 * left[:, i] - step * energy[i]) > 0
            work.column(i)[~better] = codes[~better]
            chosen[better, i] += step[better]
            left[better] -= np.outer(step[better], gram[i])
            changes += int(np.count_nonzero(better))
        if not changes:
            break
    return work.result()


class _Coder:
    """Elements under given scales: the arithmetic of `refmodel.quantize`."""

    def __init__(self, fmt: BlockFormat, options: QuantizeOptions, tensor_scale: np.float32 | None) -> None:
        self.fmt, self.options = fmt, options
        self.tensor_scale = NO_TENSOR_SCALE if tensor_scale is None else TensorScale.of(tensor_scale)
        self._shared = tensor_scale

    def encode(self, values: Floats, scales: NDArray[Any]) -> NDArray[np.uint8]:
        return encode_blocks(values, scales, self.fmt, self.options, None, self.tensor_scale)

    def decode(self, codes: NDArray[np.uint8], scales: NDArray[Any]) -> Floats:
        values: Floats = block_values(self.fmt, codes, scales, np.dtype(np.float64), self._shared)
        return values

    def choose(self, values: Floats) -> NDArray[Any]:
        return choose_scales(block_amax(values, self.options), self.fmt, self.options, self.tensor_scale)

    def search(self, values: Floats) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        """Return codes [..., size] and scales [...] of blocks, under the scales that leave the least squared error."""
        best_scales = self.choose(values)
        best_codes = self.encode(values, best_scales)
        with np.errstate(invalid="ignore"):
            best = np.square(values - self.decode(best_codes, best_scales)).sum(-1)
            for scales in self._neighbours(best_scales):
                codes = self.encode(values, scales)
                error = np.square(values - self.decode(codes, scales)).sum(-1)
                better = error < best
                best_codes[better], best_scales[better], best[better] = codes[better], scales[better], error[better]
        return best_codes, best_scales

    def _neighbours(self, scales: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the scale codes tried beside *scales*; where there is no such code, *scales* again."""
        scale = self.fmt.scale
        reach = 1 if scale.is_power_of_two else 1 << scale.mantissa_bits
        lowest = 1 if scale.subnormals else 0  # a scale of zero is no scale
        found = []
        for step in (*range(1, reach + 1), *range(-1, -reach - 1, -1)):
            moved = scales.astype(np.int64) + step
            usable = np.isfinite(decode(scale, scales)) & (moved >= lowest) & (moved <= scale.max_code)
            found.append(np.where(usable, moved, scales).astype(code_dtype(scale)))
        return found


class _Columns:
    """A weight whose columns are quantized one after the other."""

    def __init__(self, rows: Floats, fmt: BlockFormat, options: QuantizeOptions) -> None:
        _refuse_stochastic(options)
        self.rows = rows.copy()
        self.shape = rows.shape
        shared = None
        if fmt.tensor_scale is not None:
            shared = find_tensor_scale(rows, fmt, options).decode
        self.coder = _Coder(fmt, options, shared)
        self.tensor_scale = shared
        size = fmt.block_size
        n_blocks = -(-rows.shape[1] // size)
        self.codes = np.zeros((rows.shape[0], n_blocks, size), np.uint8)
        self.scales = np.zeros((rows.shape[0], n_blocks), code_dtype(fmt.scale))

    def blocks(self) -> list[tuple[int, int]]:
        size, length = self.codes.shape[-1], self.shape[1]
        return [(start, min(start + size, length)) for start in range(0, length, size)]

    def choose_scales(self, start: int, stop: int) -> None:
        """Search the scales of a block of columns for what they hold now."""
        self.scales[:, start // self.codes.shape[-1]] = self.coder.search(self.rows[:, start:stop])[1]

    def quantize_column(self, i: int, target: Floats) -> Floats:
        """Take the codes of the elements nearest to *target* as column i; return their values."""
        scales = self.scales[:, i // self.codes.shape[-1]]
        codes = self.coder.encode(target[:, None], scales)
        self.column(i)[:] = codes[:, 0]
        values: Floats = self.coder.decode(codes, scales)[:, 0]
        return values

    def column(self, i: int) -> NDArray[np.uint8]:
        """Return the codes of column i, to read or to replace."""
        block, place = divmod(i, self.codes.shape[-1])
        return self.codes[:, block, place]

    def result(self) -> MXTensor:
        fmt = self.coder.fmt
        blocks = Blocks(fmt, self.codes, self.scales, self.shape, -1, self.tensor_scale)
        return MXTensor(blocks, self.coder.options)


def _finite(weight: NDArray[Any]) -> Floats:
    rows: Floats = weight.astype(np.float64)
    if not np.isfinite(rows).all():
        raise ValueRefusedError("the weight has NaN or infinities, of which no output can be made good")
    return rows


def _refuse_stochastic(options: QuantizeOptions) -> None:
    if options.rounding == "stochastic":
        raise DefinitionError("rounding='stochastic' draws new codes at every call; method 'direct' does that")
