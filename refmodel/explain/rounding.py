"""Where a number lies on the grid of a format, and to which of its neighbours it goes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from refmodel.explain.exact import floor_log2, power_of_two
from refmodel.formats import FloatFormat, IntegerFormat, NumberFormat
from refmodel.options import EncodeOptions

HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Position:
    """A magnitude between two neighbours on the grid of a format without upper end.

    Attributes:
        exponent: floor(log2) of the magnitude; None for zero.
        step_exponent: The neighbours are 2**step_exponent apart.
        kept: The lower one, in steps.
        rest: What is above it, in steps; 0 <= rest < 1.
        base: Magnitude code of the lower neighbour less kept.
        point: How many of the bits of kept stand after the point.
    """

    exponent: int | None
    step_exponent: int
    kept: int
    rest: Fraction
    base: int
    point: int

    @property
    def code(self) -> int:
        """Magnitude code of the lower neighbour; that of the upper one is the next."""
        return self.base + self.kept

    @property
    def guard(self) -> int:
        """The first bit that is dropped."""
        return int(self.rest >= HALF)

    @property
    def round(self) -> int:
        """The second bit that is dropped."""
        return int(self.rest % HALF >= HALF / 2)

    @property
    def sticky(self) -> int:
        """Whether any bit after those two is set."""
        return int(self.rest % (HALF / 2) > 0)

    def bits(self, kept: int | None = None) -> str:
        """Return kept, or another number of steps, in binary."""
        digits = f"{self.kept if kept is None else kept:0{max(self.point, 0) + 1}b}"
        if len(digits) > 64:  # an integer format far out of range
            return f"{digits[:16]}... ({len(digits)} bits)"
        if self.point <= 0:
            return digits
        return digits[: -self.point] + "." + digits[-self.point :]

    @property
    def split(self) -> str:
        """kept|guard|round|sticky"""
        return f"{self.bits()}|{self.guard}|{self.round}|{self.sticky}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Which neighbour a number goes to.

    Attributes:
        away: Whether it is the one farther from zero.
        words: The reason in a few words, the same wherever it is the same.
        text: The reason in a clause.
    """

    away: bool
    words: str
    text: str


def locate(fmt: NumberFormat, magnitude: Fraction) -> Position:
    """Return where a magnitude lies on the grid of *fmt*, whose exponents are taken to have no upper end.

    In a format without subnormals what is below the smallest value takes its place.
    """
    exponent = floor_log2(magnitude) if magnitude else None
    if isinstance(fmt, IntegerFormat):
        kept, rest = divmod(magnitude / power_of_two(-fmt.fraction_bits), 1)
        return Position(exponent, -fmt.fraction_bits, kept, rest, 0, fmt.fraction_bits)
    # Below emin the grid stops getting finer.
    binade = fmt.emin if exponent is None else max(exponent, fmt.emin)
    step_exponent = binade - fmt.mantissa_bits
    if not fmt.subnormals:
        magnitude = max(magnitude, power_of_two(fmt.emin))
    kept, rest = divmod(magnitude / power_of_two(step_exponent), 1)
    # kept includes the leading one, which adds one to the exponent field of a normal number.
    base = (binade - fmt.emin - (not fmt.subnormals)) << fmt.mantissa_bits
    return Position(exponent, step_exponent, kept, rest, base, fmt.mantissa_bits)


def decide(position: Position, negative: bool, options: EncodeOptions, random: int | None) -> Decision:
    """Return which neighbour the number goes to under options.rounding (A-16)."""
    rest, mode = position.rest, options.rounding
    # The digit and the code are of the same parity in every format with a mantissa.
    by_code = mode == "rto" or options.tie_without_mantissa == "even_code"
    odd = (position.code if by_code else position.kept) % 2 == 1
    if rest == 0:
        return Decision(False, "exact", "nothing is dropped")
    side = "below tie" if rest < HALF else "above tie" if rest > HALF else "tie"
    if mode in ("rne", "rna", "rnz"):
        if side != "tie":
            away = side == "above tie"
            where = "more than half a step: up" if away else "less than half a step: down"
            return Decision(away, side, where + " in magnitude")
        if mode == "rna":
            return Decision(True, "tie away", "exactly half a step: away from zero")
        if mode == "rnz":
            return Decision(False, "tie to zero", "exactly half a step: toward zero")
        direction = "up" if odd else "down"
        if position.point == 0 and position.base >= 0 and not by_code and position.kept == 1:
            return Decision(odd, "tie to larger", "exactly half a step, no digit to be even: up")
        parity = f"the last {'bit of the code' if by_code else 'digit'} below is {int(odd)}"
        return Decision(odd, f"tie to even {direction}", f"exactly half a step; {parity}: {direction}")
    if mode == "stochastic":
        assert random is not None  # the model has refused it
        dropped = int(rest * (1 << options.random_bits))
        total, limit = dropped + int(random), 1 << options.random_bits
        return Decision(
            total >= limit,
            f"stochastic {'up' if total >= limit else 'down'}",
            f"the first {options.random_bits} dropped bits {dropped:#x} plus the random {random:#x} are "
            f"{total:#x}, {'at least' if total >= limit else 'below'} {limit:#x}",
        )
    if mode == "rto":
        return Decision(
            not odd,
            f"to odd {'down' if odd else 'up'}",
            f"inexact; of the two codes the {'lower' if odd else 'upper'} is odd",
        )
    away = {"rtz": False, "rup": not negative, "rdn": negative}[mode]
    target = {"rtz": "zero", "rup": "+infinity", "rdn": "-infinity"}[mode]
    direction = "up" if away else "down"
    return Decision(
        away, f"{mode} {direction}", f"inexact, {side}; toward {target}: {direction} in magnitude"
    )


def overflows(fmt: FloatFormat, options: EncodeOptions, negative: bool, finite: bool) -> bool:
    """Return whether what is out of range becomes infinity or NaN, and not the largest finite value."""
    if options.overflow == "saturate":
        return not finite and options.infinity == "keep" and fmt.infinity_code is not None
    if not finite or options.directed_overflow == "table":
        return True
    return {"rtz": False, "rto": False, "rup": not negative, "rdn": negative}.get(options.rounding, True)
