"""Random draws that are the same on every machine and with every numpy.

numpy keeps the raw stream of a bit generator for ever, but not what `Generator` methods make of it
(NEP 19). So every draw here is made from PCG64's raw 64-bit words by integer arithmetic alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BUFFERED = 1024


class Draws:
    """A stream of draws that is fixed by its key.

    Args:
        key: What the stream belongs to, such as a seed, a stimulus class and two formats. Streams of
            different keys are independent, so that no class influences another.
    """

    def __init__(self, *key: object) -> None:
        digest = hashlib.sha256("/".join(str(part) for part in key).encode()).digest()
        self._words = np.random.PCG64(int.from_bytes(digest, "big"))
        self._buffer: list[int] = []

    def integers(self, low: ArrayLike, high: ArrayLike, size: int | tuple[int, ...]) -> NDArray[np.int64]:
        """Return integers in [low, high), int64 of shape *size*; low and high broadcast against it.

        The span high - low is at most 2**31. Scaling 32 random bits to it favours no value by more than
        2**-1 in 2**32 / span, far below anything a stimulus depends on.
        """
        words = (self._words.random_raw(size) >> np.uint64(32)).astype(np.int64)
        first, end = (np.asarray(bound, np.int64) for bound in (low, high))
        drawn: NDArray[np.int64] = first + ((words * (end - first)) >> 32)
        return drawn

    def words(self, size: int | tuple[int, ...]) -> NDArray[np.uint64]:
        """Return random words, uint64 of shape *size*."""
        return self._words.random_raw(size)

    def bytes(self, size: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return random bytes, uint8 of shape *size*, whose last extent is a multiple of 8."""
        return self.words((*size[:-1], size[-1] // 8)).astype("<u8", copy=False).view(np.uint8)

    def below(self, bound: int) -> int:
        """Return one integer in [0, bound)."""
        if not self._buffer:
            self._buffer = self._words.random_raw(_BUFFERED).tolist()
        return (self._buffer.pop() * bound) >> 64

    def between(self, low: int, high: int) -> int:
        """Return one integer in [low, high], both included."""
        return low + self.below(high - low + 1)

    def permutation(self, n: int) -> NDArray[np.int64]:
        """Return the integers 0 ... n-1 in random order."""
        return np.argsort(self._words.random_raw(n), kind="stable")
