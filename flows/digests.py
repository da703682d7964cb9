"""The digest by which a result says what decided it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def digest_of(parts: Iterable[str]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of texts in this order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
