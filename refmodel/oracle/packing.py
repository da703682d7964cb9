"""Where bits of element codes are in memory, once more: a block as a list of bits, put in place (A-24, A-25).

Each layout is written down here as its source has it, in bits and bytes; `refmodel.layouts` has the same as moves of
words.
"""

from __future__ import annotations

from collections.abc import Sequence


def pack(codes: Sequence[int], bits: int, layout: str) -> list[int]:
    """Return the bytes of *codes*, each of so many bits; all of them are one group."""
    match layout:
        case "le" | "low_first" | "le24":
            return _bytes([code >> i & 1 for code in codes for i in range(bits)])
        case "be" | "high_first":
            stream = [code >> i & 1 for code in codes for i in reversed(range(bits))]
            # The first bit of a byte is its most significant one.
            return _bytes([bit for start in range(0, len(stream), 8) for bit in reversed(stream[start : start + 8])])
        case "byte":
            return list(codes)
        case "byte_high":
            return [code << 8 - bits for code in codes]
        case "ptx":
            return [code << 2 if bits == 4 else code for code in codes]
        case "ggml":
            half = len(codes) // 2
            return [codes[j] | codes[j + half] << 4 for j in range(half)]
        case "quark_mxfp6":
            return [byte for start in range(0, len(codes), 4) for byte in _quark(codes[start : start + 4])]
        case "torchao_uint6":
            quarter = len(codes) // 4
            high = [codes[3 * quarter + j % quarter] >> 2 * (j // quarter) & 3 for j in range(3 * quarter)]
            return [codes[j] | high[j] << 6 for j in range(3 * quarter)]
        case "torchao_uintx":
            half, quarter = len(codes) // 2, len(codes) // 4
            low = [codes[j] & 15 | (codes[j + half] & 15) << 4 for j in range(half)]
            return low + [sum((codes[j + i * quarter] >> 4) << 2 * i for i in range(4)) for j in range(quarter)]
    raise AssertionError(f"no such layout: {layout}")


def _quark(codes: Sequence[int]) -> list[int]:
    top = 0
    for code in codes:
        top = top << 2 | code >> 4
    return [top, (codes[0] & 15) << 4 | codes[1] & 15, (codes[2] & 15) << 4 | codes[3] & 15]


def _bytes(stream: Sequence[int]) -> list[int]:
    """Return a stream of bits as bytes, the first bit of each its least significant one."""
    return [
        sum(bit << i for i, bit in enumerate(stream[start : start + 8])) for start in range(0, len(stream), 8)
    ]
