"""The inputs that are known to tell rules apart, D1 to D15, E6 and M1 to M14, for any formats.

Products are written as numbers, c beside them. Where the formats cannot hold a product, all of an input is multiplied
by a power of two; an input that fits nowhere is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product as pairs_of

import numpy as np

from refmodel.elements import decode_table
from refmodel.formats import FLOAT32, ElementFormat, FloatFormat, NumberFormat, ScaleFormat
from refmodel.identify.probes import Interface, Probes, code_type, initial_bits

Term = float | tuple[float, float]


@dataclass(frozen=True, slots=True)
class Draft:
    """An input before it has codes.

    Attributes:
        name: What it is for.
        terms: Products, or pairs of factors, by position; the other elements are +0.
        c: Initial value.
        least: It needs a length of at least this.
        exponents: By block, the exponents of the two scales; 0, 0 for blocks not named.
        raw_scales: By block, codes of scales, in place of an exponent.
        fixed: Do not multiply by a power of two.
        fill: Product of the elements not named.
    """

    name: str
    terms: dict[int, Term]
    c: float = 0.0
    least: int = 1
    exponents: dict[int, tuple[int, int]] = field(default_factory=dict)
    raw_scales: dict[int, tuple[int, int]] = field(default_factory=dict)
    fixed: bool = False
    fill: Term = 0.0


def directed(interface: Interface) -> list[Probes]:
    """Return the probes of all drafts that the interface can be given, one array a length."""
    found: dict[int, list[tuple[Draft, _Row]]] = {}
    drafts = [*_drafts(interface), *(_scaled(interface, interface.scale) if interface.scale else ())]
    for draft in drafts:
        if draft.c != 0 and interface.c_format is None:
            continue
        length = interface.length_for(max(draft.least, *(i + 1 for i in draft.terms), 1))
        if length is None:
            continue
        row = _place(draft, interface, length)
        if row is not None:
            found.setdefault(length, []).append((draft, row))
    return [_probes(interface, found[length]) for length in sorted(found)]


@dataclass(frozen=True, slots=True)
class _Row:
    a: list[int]
    b: list[int]
    c: float
    scales_a: list[int]
    scales_b: list[int]


def _probes(interface: Interface, rows: list[tuple[Draft, _Row]]) -> Probes:
    unique = {(tuple(r.a), tuple(r.b), str(r.c), tuple(r.scales_a), tuple(r.scales_b)): (d, r) for d, r in rows}
    rows = list(unique.values())
    scaled = interface.scale is not None
    return Probes(
        interface,
        np.array([r.a for _, r in rows], code_type(interface.a)),
        np.array([r.b for _, r in rows], code_type(interface.b)),
        initial_bits(interface, np.array([r.c for _, r in rows], np.float64)),
        np.array([r.scales_a for _, r in rows], np.uint8) if scaled else None,
        np.array([r.scales_b for _, r in rows], np.uint8) if scaled else None,
        tuple(d.name for d, _ in rows),
    )


# --------------------------------------------------------------------------------------------------
# From numbers to codes
# --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _codes(fmt: NumberFormat) -> dict[tuple[float, bool], int]:
    values = decode_table(fmt)
    return {(float(v), bool(np.signbit(v))): code for code, v in reversed(list(enumerate(values))) if v == v}


def code_of(fmt: NumberFormat, value: float) -> int | None:
    """Return a code of exactly *value*, NaN included, or None."""
    if value != value:
        if not isinstance(fmt, FloatFormat):
            return None
        return fmt.quiet_nan_code
    if fmt == FLOAT32:
        with np.errstate(over="ignore"):
            single = np.float32(value)
        return int(single.view(np.uint32)) if float(single) == value else None
    return _codes(fmt).get((value, bool(np.signbit(value))))


@lru_cache(maxsize=4096)
def _factors(a: ElementFormat, b: ElementFormat, value: float) -> tuple[int, int] | None:
    """Return codes whose product is *value*, the second a power of two, both as far from the ends as may be."""
    if value == 0 or not np.isfinite(value):
        one = code_of(b, 1.0)
        code = code_of(a, value)
        return None if code is None or one is None else (code, one)
    fraction, exponent = np.frexp(value)
    low = (int(exponent) - 1) // 2
    for distance in range(0, 160):
        for e in (low + distance, low - distance):
            with np.errstate(over="ignore"):
                second = float(np.ldexp(1.0, e))
                first = float(np.ldexp(fraction, int(exponent) - e))
            codes = code_of(a, first), code_of(b, second)
            if codes[0] is not None and codes[1] is not None:
                return codes[0], codes[1]
    return None


def _place(draft: Draft, interface: Interface, length: int) -> _Row | None:
    largest = max([1.0, *(abs(t) for t in draft.terms.values() if isinstance(t, float) and np.isfinite(t))])
    top = int(np.log2(largest))
    shifts = [0] if draft.fixed else sorted(range(-top - 40, 41), key=abs)
    for shift in shifts:
        row = _place_shifted(draft, interface, length, 2.0**shift)
        if row is not None:
            return row
    return None


def _place_shifted(draft: Draft, interface: Interface, length: int, unit: float) -> _Row | None:
    codes: list[tuple[int, int]] = []
    fill = _term(interface, draft.fill, unit)
    if fill is None:
        return None
    for i in range(length):
        pair = _term(interface, draft.terms[i], unit) if i in draft.terms else fill
        if pair is None:
            return None
        codes.append(pair)
    scales: tuple[list[int], list[int]] = ([], [])
    if interface.scale is not None:
        for block in range(length // interface.block):
            exponents = draft.exponents.get(block, (0, 0))
            raw = draft.raw_scales.get(block)
            for side in (0, 1):
                code = raw[side] if raw else code_of(interface.scale, 2.0 ** exponents[side])
                if code is None:
                    return None
                scales[side].append(code)
    elif draft.exponents or draft.raw_scales:
        return None
    return _Row([x for x, _ in codes], [y for _, y in codes], draft.c * unit, *scales)


def _term(interface: Interface, term: Term, unit: float) -> tuple[int, int] | None:
    if isinstance(term, tuple):
        x, y = code_of(interface.a, term[0] * unit), code_of(interface.b, term[1])
        return None if x is None or y is None else (x, y)
    return _factors(interface.a, interface.b, term * unit)


# --------------------------------------------------------------------------------------------------
# The inputs
# --------------------------------------------------------------------------------------------------


def _row(*terms: Term) -> dict[int, Term]:
    return dict(enumerate(terms))


def _drafts(interface: Interface) -> Iterator[Draft]:
    yield from _widths()
    yield from _orders()
    yield from _chains(interface)
    yield from _range_ends(interface)
    yield from _specials(interface)


def _widths() -> Iterable[Draft]:
    """How many bits survive the alignment, how they are cut off, what the accumulator keeps."""
    for j in range(6, 42):
        yield Draft(f"D1 j={j}", _row(1.0, -1.0, 2.0**-j))
        yield Draft(f"D2 j={j}", _row(1.0, -1.0, -1.5 * 2.0 ** -(j + 1)))
    for j in (7, 10, 13, 23, 24, 25, 26, 35):
        yield Draft(f"D3 j={j}", _row((1.5, 1.5), (1.5, -1.5), 2.0**-j))
        yield Draft(f"D2 up j={j}", _row(1.0, -1.0, 1.5 * 2.0 ** -(j + 1)))
    for j in (8, 9, 11, 12, 14, 16, 20, 24, 25, 26, 27, 28, 30, 36):
        yield Draft(f"D4 j={j}", dict.fromkeys(range(32), 2.0 ** (-j)), c=1.0)
        yield Draft(f"D4 one j={j}", _row(2.0**-j, -1.0), c=1.0)
    for j in (5, 6, 7, 8, 9, 10, 11, 12, 13, 21, 22, 23):
        for sign, odd in pairs_of((1.0, -1.0), (1.5, 1.0)):
            yield Draft(f"D5 j={j}", _row(sign, sign, sign * odd * 2.0**-j))
    for j in (8, 11, 14, 24):
        yield Draft(f"D9 j={j}", _row(1.0, 2.0**-j, 2.0 ** -(2 * j + 2)))
        yield Draft(f"D9 c j={j}", _row(2.0**-j, 2.0**-25), c=1.0)
    for dot, c in ((32, 24), (24, 26), (31, 24), (24, 24)):
        terms = _row(-(2.0**-8), 2.0 ** -(dot - 7), 2.0**-dot)
        yield Draft(f"D10 {dot}/{c}", terms, c=1.0)
        yield Draft(f"D10 c {dot}/{c}", _row(1.0, -1.0), c=1.5 * 2.0**-c)


def _orders() -> Iterable[Draft]:
    """Which elements meet first."""
    for p in (9, 12, 15, 24, 27, 30):
        big = 2.0**p
        yield Draft(f"D6 p={p}", _row(big, 1.0, 1.0, -big))
        yield Draft(f"D6b p={p}", _row(big, 1.0, -big, 1.0))
        yield Draft(f"D6 far p={p}", {0: big, 3: 1.0, 17: 1.0, 16: -big, 31: 1.0}, least=32)
        yield Draft(f"D6 c p={p}", {0: 1.0, 5: -big, 9: 1.0, 20: 1.0}, c=big, least=32)
    for p, small in ((20, -10), (16, -6), (12, -8), (20, -4)):
        yield Draft(f"D11 1 p={p}", _row(2.0**p, -(2.0**small), -(2.0**p)))
        yield Draft(f"D11 4 p={p}", _row(2.0**p, 0.0, -(2.0**p), 0.0, -(2.0**small)))
        yield Draft(f"D11 c p={p}", _row(-(2.0**p), 0.0, 2.0**p, -(2.0**small)), c=2.0 ** (small + 1))


def _chains(interface: Interface) -> Iterable[Draft]:
    """Where groups, blocks and promoted runs end."""
    top = _largest_power(interface)
    places = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 127)
    for big, sign in pairs_of({min(30, top), min(26, top), 15}, (1.0, -1.0)):
        for j in places:
            terms: dict[int, Term] = {0: sign * 2.0**big, j: -sign * 2.0**big}
            yield Draft(f"D7 j={j} 2^{big}", terms, fill=sign, least=128, fixed=True)
    for big in {min(14, top), min(24, top), min(26, top)}:
        for p in (32, 64, 96, 127, 128, 191, 192, 255, 256, 384, 511):
            terms = {0: 2.0**big, p: 1.0}
            yield Draft(f"E6 p={p} 2^{big}", terms, least=512, fixed=True)
            terms = {0: 2.0**big, p - 1: 1.0, p: -(2.0**big)}
            yield Draft(f"E6 back p={p} 2^{big}", terms, least=512, fixed=True)
    yield Draft("E8", {0: 2.0**16, 128: 1.5 * 2.0**-8, 384: 1.5 * 2.0**-8}, least=512, fixed=True)
    yield Draft("D8", {}, c=64.0, fill=2.0**-8, least=512)
    yield Draft("D8 c=0", {}, fill=2.0**-8, least=512)


def _smallest_normal(element: ElementFormat) -> int:
    return element.emin if isinstance(element, FloatFormat) else element.quantum_exponent


def _largest_power(interface: Interface) -> int:
    return min(100, interface.a.emax + interface.b.emax)


def _range_ends(interface: Interface) -> Iterable[Draft]:
    """Subnormal and huge numbers, of elements, products, c and results; zeros."""
    for value in (2.0**-149, -(2.0**-149), 2.0**-139, 1.5 * 2.0**-127, -(2.0**-130), 2.0**-126):
        yield Draft("D14", {}, c=value, fixed=True)
        yield Draft("D14 cancel", _row(1.0, -1.0), c=value, fixed=True)
    for value in (2.0**-15, -1.5 * 2.0**-16, 2.0**-24, 1.5 * 2.0**-24, 2.0**-25, 1.5 * 2.0**-25):
        yield Draft("D14 half", {}, c=value, fixed=True)
        yield Draft("D14 half", _row(value), fixed=True)
    for c, zero in pairs_of((0.0, -0.0), ((-0.0, 1.0), (0.0, 1.0))):
        yield Draft("D15 zeros", {}, c=c, fill=zero)
        yield Draft("D15 one group", dict.fromkeys(range(16), zero), c=c)
    for c in (0.0, -0.0):
        yield Draft("D15 1-1", _row(1.0, -1.0), c=c)
        yield Draft("D15 c-1", _row(-1.0), c=1.0)
    smallest = 2.0**interface.a.quantum_exponent, 2.0**interface.b.quantum_exponent
    wide = 2.0 ** (_smallest_normal(interface.a) - 1)  # subnormal, and kept if low bits of elements are dropped
    for x, y in ((smallest[0], 1.0), (1.0, smallest[1]), smallest, (wide, 1.0)):
        for sign in (1.0, -1.0):
            yield Draft("daz", _row((sign * x, y)), fixed=True)
            yield Draft("daz, c", _row((sign * x, y)), c=-sign * x * y, fixed=True)
        for j in (8, 13, 20, 24, 25):
            terms = _row((2.0, 2.0), (-2.0, 2.0), (x, y), (-x, y), 4.0 * 2.0**-j)
            yield Draft(f"M9 j={j}", terms, fixed=True)
            yield Draft(f"M9 alone j={j}", {0: x * y * 2.0**-j, 8: (x, y), 9: (-x, y)}, fixed=True)
    for x, large in pairs_of((smallest[0], wide), (interface.b.emax // 2, interface.b.emax)):
        y = 2.0**large
        yield Draft("daz large", _row((x, y)), fixed=True)
        for j in (4, 8, 10, 13, 14, 15, 20, 21, 22, 23, 24, 25, 33):
            yield Draft(f"M9 large j={j}", _row((x, y), (-x, y), x * y * 2.0**-j), fixed=True)
    yield Draft("D12", _row((2.0**64, 2.0**64), (2.0**64, -(2.0**64))), fixed=True)
    yield Draft("D12 c", _row((2.0**64, 2.0**64), (2.0**64, -(2.0**63))), c=-(2.0**127), fixed=True)
    first = ((2 - 2.0**-7) * 2.0**-75, 2.0**-75)
    for count, small in ((4, -159), (2, -158), (1, -157), (8, -160), (3, -156)):
        terms = _row(first, *[(2.0 ** (small // 2), 2.0 ** (small - small // 2))] * count)
        yield Draft(f"D13 {count}", terms, fixed=True)
        yield Draft(f"D13 {count} c", terms, c=2.0**-149, fixed=True)
    for small in (-155, -156, -157, -158, -160):
        fill = (2.0 ** (small // 2), 2.0 ** (small - small // 2))
        yield Draft("D13 dense", {0: first}, c=2.0**-149, fill=fill, fixed=True)
        yield Draft("D13 dense", {0: first}, fill=fill, fixed=True)
    biggest = float(np.finfo(np.float32).max)
    for c in (biggest, -biggest, biggest * 0.75, 65504.0, -65504.0):
        for term in (1.0, 16.0, 8.0, -16.0, 2.0**14, 2.0**30, 2.0**103, 2.0**102):
            yield Draft("overflow", _row(float(np.copysign(term, c * term))), c=c, fixed=True)
    for term in (2.0**15, 2.0**16, 65504.0):
        yield Draft("overflow 16", _row(term, term), fixed=True)
        yield Draft("overflow 16", _row(-term, -term, -16.0, -16.0), fixed=True)


def _specials(interface: Interface) -> Iterable[Draft]:
    inf, nan = float("inf"), float("nan")
    for name, terms in {
        "E10 NaN": _row((nan, 1.0)),
        "E10 NaN b": _row((1.0, nan)),
        "E10 NaN*0": _row((nan, 0.0)),
        "E10 Inf": _row((inf, 1.0)),
        "E10 -Inf": _row((1.0, -inf)),
        "E10 Inf*0": _row((inf, 0.0)),
        "E10 Inf-Inf": _row((inf, 1.0), (-inf, 1.0)),
        "E10 Inf+1": _row(1.0, (inf, 1.0), -1.0),
    }.items():
        yield Draft(name, terms, fixed=True)
    for c in (inf, -inf, nan):
        yield Draft(f"E10 c={c}", {}, c=c, fixed=True)
        yield Draft(f"E10 c={c} 1-1", _row(1.0, -1.0), c=c, fixed=True)
        yield Draft(f"E10 c={c} Inf", _row((inf, 1.0)), c=c, fixed=True)


def _everywhere(interface: Interface, x: int, y: int) -> dict[int, tuple[int, int]]:
    return dict.fromkeys(range(interface.lengths[-1] // interface.block), (x, y))


def _scaled(interface: Interface, scale: ScaleFormat) -> Iterator[Draft]:
    """M1 to M14."""
    size = interface.block
    one: dict[int, Term] = {0: 1.0}
    yield Draft("M1", {0: 4.0}, exponents={0: (127, -127)}, fixed=True)
    yield Draft("M1 back", {0: 4.0}, exponents={0: (-127, 127)}, fixed=True)
    for x, y in ((127, 127), (64, 64), (64, 63), (100, 28), (20, 20), (10, 5), (8, 8)):
        cancel: dict[int, Term] = {0: 4.0, 1: -4.0}
        yield Draft(f"M2 {x},{y}", cancel, c=3.0, exponents={0: (x, y)}, fixed=True)
        yield Draft(f"M3 {x},{y}", {}, c=3.0, exponents={0: (x, y)}, fixed=True)
        yield Draft(f"M6 {x},{y}", one, exponents={0: (x, y)}, fixed=True)
        yield Draft(f"M6 -{x},{y}", {0: -1.0, 1: 0.5}, exponents={0: (x, y)}, fixed=True)
    for x, y in ((-80, -80), (-70, -70), (-64, -64), (-75, -74), (-127, 60), (-127, -20)):
        full: dict[int, Term] = dict.fromkeys(range(size), 4.0)
        yield Draft(f"M4 {x},{y}", full, exponents={0: (x, y)}, fixed=True)
    for total in (-120, -126, -130, -136, -139, -140, -148, -149, -150, -151, -154):
        x = total // 2
        for value in (1.0, 1.5, -1.25):
            yield Draft(f"M7 {total}", {0: value}, exponents={0: (x, total - x)}, fixed=True)
    for k in range(-20, 21):
        yield Draft(f"M8 {k}", dict.fromkeys(range(size), 2.0 ** (-8)), c=1.0, exponents={0: (k, 0)}, fixed=True)
        deep: dict[int, Term] = {0: 1.0, size: 1.0, size + 1: -1.0}
        yield Draft(f"M9 {k}", deep, exponents={0: (k - 30, 0), 1: (0, 0)}, fixed=True)
    for k in (13, 22, 23, 24, 25, 26, 30, 32, 33, 34, 35, 36, 37):
        yield Draft(f"M13 {k}", {0: 1.0, size: 1.0}, c=-1.0, exponents={1: (-k, 0)}, fixed=True)
        cancelling: dict[int, Term] = {i: 4.0 if i < size // 2 else -4.0 for i in range(size)}
        yield Draft(f"M12 {k}", {**cancelling, size: 0.25}, exponents={1: (-k, 0)}, fixed=True)
        yield Draft(f"M11 {k}", {0: 1.0, 1: -1.0}, c=1.0, exponents={0: (k, 0)}, fixed=True)
    for total in (-120, -128, -130, -133, -136, -139):
        half = total // 2
        for extra in (8, 12, 16, 20, 24, 28):
            terms: dict[int, Term] = {0: 1.75, size: 1.0, size + 1: 1.0}
            low = total - extra
            exponents = {0: (half, total - half), 1: (low // 2, low - low // 2)}
            yield Draft(f"D13 scaled {total}", terms, exponents=exponents, fixed=True)
    for m, n in pairs_of(range(153, 166), (2, 3, 4)):
        # Just below 2**-149 by as much as 2**n elements of 2**-m, which cross it unless the alignment drops them.
        nearly: dict[int, Term] = {i - 150: 2.0 ** (156 - i) for i in range(150, m - n + 1)}
        yield Draft("D13 cross", nearly, fill=2.0 ** (156 - m), exponents=_everywhere(interface, -78, -78), fixed=True)
    top = (1 << scale.bits) - 1
    middle = scale.bias << scale.mantissa_bits
    for codes in ((top, middle), (middle, top), (0x80 | middle, middle), (0, middle), (0, 0), (1, 1)):
        yield Draft("M10", {}, raw_scales={0: codes}, fixed=True)
        yield Draft("M14", one, raw_scales={0: codes}, fixed=True)
        yield Draft("M14 c", {0: -1.5}, c=3.0, raw_scales={0: codes}, fixed=True)
