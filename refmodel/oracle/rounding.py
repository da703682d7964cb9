"""One rounding of an exact magnitude to the grid of a format, in every mode (A-16)."""

from __future__ import annotations

from fractions import Fraction

from refmodel.formats import IntegerFormat, NumberFormat
from refmodel.options import EncodeOptions
from refmodel.oracle.exact import floor_log2, power_of_two


def round_magnitude(
    fmt: NumberFormat, magnitude: Fraction, negative: bool, options: EncodeOptions, random: int
) -> Fraction:
    """Return a neighbour of *magnitude* on the grid of *fmt*, as if the grid had no upper end (OFP8-5.2.1-g).

    Subnormals are rounded on their own grid (A-18). In a format without zero whatever is below its smallest
    value becomes that value (A-11).
    """
    if not isinstance(fmt, IntegerFormat) and not fmt.subnormals and magnitude < power_of_two(fmt.emin):
        return power_of_two(fmt.emin)
    step = spacing(fmt, magnitude)
    below = magnitude // step * step
    rest = (magnitude - below) / step
    if rest == 0:
        return below
    goes_up = {
        "rne": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and _tie_goes_up(fmt, below, options)),
        "rna": rest >= Fraction(1, 2),
        "rnz": rest > Fraction(1, 2),
        "rtz": False,
        "rup": not negative,
        "rdn": negative,
        "rto": code_of(fmt, below) % 2 == 0,
        "stochastic": int(rest * 2**options.random_bits) + random >= 2**options.random_bits,
    }[options.rounding]
    return below + step if goes_up else below


def _tie_goes_up(fmt: NumberFormat, below: Fraction, options: EncodeOptions) -> bool:
    """IEEE 754-2019 4.3.1 (MX-4.1-g): to the even last digit; where both are odd, to the larger number.

    Both are odd where every value but zero has one digit, 1: in a format without mantissa. There a tie can
    also be asked to go to the even code (A-11).
    """
    one_digit = not isinstance(fmt, IntegerFormat) and fmt.mantissa_bits == 0 and below > 0
    if one_digit and options.tie_without_mantissa == "larger":
        return True
    return code_of(fmt, below) % 2 == 1


def spacing(fmt: NumberFormat, magnitude: Fraction) -> Fraction:
    """Return the distance of the values of *fmt* above *magnitude* (MX-5.3-a, MX-5.3-b, MX-5.3.4-h)."""
    if isinstance(fmt, IntegerFormat):
        return power_of_two(-fmt.fraction_bits)
    exponent = max(floor_log2(magnitude), fmt.emin) if magnitude else fmt.emin
    return power_of_two(exponent - fmt.mantissa_bits)


def code_of(fmt: NumberFormat, magnitude: Fraction) -> int:
    """Return the code of a *magnitude* on the grid, or what it would be if the exponent field had no end.

    MX-5.3-a and MX-5.3-b solved for the two fields; for an integer, MX-5.3.4-h.
    """
    if isinstance(fmt, IntegerFormat):
        return int(magnitude / spacing(fmt, magnitude))
    if magnitude < power_of_two(fmt.emin):
        return int(magnitude / spacing(fmt, magnitude))
    exponent = floor_log2(magnitude)
    fraction = magnitude / power_of_two(exponent) - 1
    return (exponent + fmt.bias << fmt.mantissa_bits) + int(fraction * 2**fmt.mantissa_bits)
