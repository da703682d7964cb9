"""The published sweeps: what the model makes of every Float32, in the order of the bit patterns.

A sweep is cut into chunks of 2**24 inputs. Each chunk gives 2**24 bytes, one code a byte in its low bits;
vectors/digests/ holds the SHA-256 of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refmodel.elements import encode
from refmodel.errors import unknown_name
from refmodel.formats import E8M0, OCP_FORMATS, BlockFormat, ElementFormat, NumberFormat, get_format
from refmodel.options import EncodeOptions, Overflow, QuantizeOptions, Rounding, ScaleRule
from refmodel.quantization import quantize

CHUNK = 1 << 24
_TILE = 1 << 18
"""Inputs worked on at a time, so that temporaries stay within a level-2 cache."""

IEEE_MODES: tuple[Rounding, ...] = ("rne", "rna", "rtz", "rup", "rdn")
SCALE_RULES: tuple[ScaleRule, ...] = ("floor", "ceil", "rceil", "even", "midmax")


@dataclass(frozen=True, slots=True)
class EncodeSweep:
    """Every Float32, bit patterns 0x00000000 to 0xFFFFFFFF, encoded to one format.

    Attributes:
        format: Element or scale format.
        options: The choices the specifications leave open; those not in the name are the defaults.
    """

    format: NumberFormat
    options: EncodeOptions
    chunks: int = field(default=256, init=False)

    @property
    def name(self) -> str:
        """Name in files and on the command line."""
        return f"encode-{self.format.name}-{self.options.rounding}-{self.options.overflow}"

    @property
    def description(self) -> str:
        """What the codes are, in a line."""
        options = f"rounding={self.options.rounding}, overflow={self.options.overflow}"
        return f"codes of {self.format.name} for Float32 0x00000000 to 0xffffffff; {options}"

    def codes(self, chunk: int) -> NDArray[np.uint8]:
        """Return the model's codes of a chunk, uint8 [2**24]."""
        codes = np.empty(CHUNK, np.uint8)
        for place, bits in tiles(chunk):
            codes[place] = encode(self.format, bits.view(np.float32), options=self.options)
        return codes


@dataclass(frozen=True, slots=True)
class ScaleSweep:
    """Every Float32 magnitude, bit patterns 0x00000000 to 0x7FFFFFFF, as the largest one of a block.

    Attributes:
        element: Element format; the scale is E8M0.
        options: Defaults but for the scale rule.
    """

    element: ElementFormat
    options: QuantizeOptions
    chunks: int = field(default=128, init=False)

    @property
    def name(self) -> str:
        """Name in files and on the command line."""
        return f"scale-{self.element.name}-{self.options.scale_rule}"

    @property
    def description(self) -> str:
        """What the codes are, in a line."""
        return (
            f"E8M0 scale codes of blocks of {self.element.name} for largest magnitudes Float32 0x00000000 to "
            f"0x7fffffff; scale_rule={self.options.scale_rule}"
        )

    def codes(self, chunk: int) -> NDArray[np.uint8]:
        """Return the model's scale codes of a chunk, uint8 [2**24]."""
        scales = np.empty(CHUNK, np.uint8)
        for place, bits in tiles(chunk):
            scales[place], _ = self.quantize(bits)
        return scales

    def quantize(self, bits: NDArray[np.uint32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Quantize blocks of one element each, given by Float32 *bits* [n], which may have a sign.

        Returns:
            uint8 scale codes [n] and element codes [n].
        """
        blocks = quantize(bits.view(np.float32), _single_format(self.element), options=self.options)
        return blocks.scales, blocks.codes[:, 0]


Sweep = EncodeSweep | ScaleSweep


def list_sweeps() -> tuple[Sweep, ...]:
    """Return all published sweeps."""
    return _sweeps()


def get_sweep(name: str) -> Sweep:
    """Return the published sweep of that name.

    Raises:
        UnknownNameError: If there is none.
    """
    by_name = {sweep.name: sweep for sweep in _sweeps()}
    if name not in by_name:
        raise unknown_name("sweep", name, by_name)
    return by_name[name]


def overflows(fmt: NumberFormat) -> tuple[Overflow, ...]:
    """Return the overflow options that *fmt* can express."""
    return ("saturate", "overflow") if getattr(fmt, "nan_codes", ()) else ("saturate",)


def tiles(chunk: int) -> Iterator[tuple[slice, NDArray[np.uint32]]]:
    """Yield the bit patterns of a chunk in pieces, each with its place in the chunk."""
    first = chunk * CHUNK
    for start in range(0, CHUNK, _TILE):
        patterns = np.arange(first + start, first + start + _TILE, dtype=np.int64).astype(np.uint32)
        yield slice(start, start + _TILE), patterns


@lru_cache(maxsize=1)
def _sweeps() -> tuple[Sweep, ...]:
    elements = [get_format(name).element for name in OCP_FORMATS]
    encoding = [
        EncodeSweep(fmt, EncodeOptions(rounding=rounding, overflow=overflow))
        for fmt in (*elements, E8M0)
        for overflow in overflows(fmt)
        for rounding in IEEE_MODES
    ]
    scaling = [
        ScaleSweep(element, QuantizeOptions(scale_rule=rule)) for element in elements for rule in SCALE_RULES
    ]
    return (*encoding, *scaling)


@lru_cache(maxsize=16)
def _single_format(element: ElementFormat) -> BlockFormat:
    return BlockFormat(f"single_{element.name}", element, E8M0, 1)
