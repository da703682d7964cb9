"""`AccumulationRule`: what a dot product keeps, what it drops, in which order, and what it returns.

The specification fixes the value of a dot product but neither the precision nor the order of its sum
(MX-6.1-c, MX-6.1-d, MX-6.2-d), so the bits of a result exist only under a named rule. A rule is data: the
field descriptions below say completely how it is evaluated, and `refmodel.accumulate.presets` holds the
rules of real machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from refmodel.accumulate.fields import check_types
from refmodel.accumulate.sentence import sentence
from refmodel.errors import DefinitionError

Confidence: TypeAlias = Literal["A", "V", "V+", "B", "B+", "C", "D", "U"]
"""How well a rule is known.

* ``A``: published with code, and reproduced here on results recorded from the machine.
* ``V``: reference code or pseudocode of the vendor or standard; ``V+``: and compared by running it.
* ``B``: bit-accurate code of a third party; ``B+``: and compared by running it.
* ``C``: published prose only. ``D``: inferred.
* ``U``: nothing reliable is public; the fields are a stand-in.
"""

Rounding: TypeAlias = Literal["RNE", "RNA", "RZ", "RD", "RU", "RTO"]
"""Rounding of an exact number to a grid.

* ``RNE``, ``RNA``: nearest, ties to even, ties away from zero.
* ``RZ``, ``RD``, ``RU``: toward zero (the magnitude is cut off), toward -inf, toward +inf.
* ``RTO``: to odd ("jam"): cut the magnitude off, and set the last kept bit if anything was lost.
"""

AccumulatorFormat: TypeAlias = Literal["fp32", "e8m13", "fp16", "bf16"]
"""A floating-point format with subnormals: fraction bits and exponent of the smallest normal number.

``fp32`` 23, -126; ``e8m13`` 13, -126 (a Float32 whose 10 low bits are 0; its grid ends at 2**-139); ``fp16``
10, -14; ``bf16`` 7, -126. Largest exponent 127, ``fp16`` 15.
"""

Product: TypeAlias = Literal["exact", "fp32_rne", "fp32_rto", "fp32_rne_ftz", "fp32_rto_ftz"]
TermExponent: TypeAlias = Literal[
    "none", "clamped_sum", "normalised_inputs", "normalised_product", "scale_only"
]
Layout: TypeAlias = Literal["contiguous", "even_odd", "pairs", "round_robin_4"]
Order: TypeAlias = Literal["fused", "fma_chain", "pair_sum_chain", "tree_adjacent", "tree_halves"]
ScaleApply: TypeAlias = Literal[
    "product_exponent",
    "group_exponent",
    "fused_exact",
    "ldexp_then_add",
    "fp32_factor",
    "two_fp32_factors",
    "dequant_inputs",
    "epilogue_tensor",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondAlignment:
    """How the sum of a group meets c where both are cut off once more (AMD CDNA3, RDNA4).

    The partial sums of the group (one for ``contiguous``) are exact sums of aligned products, see
    `AccumulationRule`. Ed is the largest E of those partial sums that have a non-zero product, so it does
    not see cancellation; -inf if all products are zero. Ec = e(c), the clamped exponent of c; a zero c has
    the exponent of the smallest normal number of acc_format.

    Attributes:
        part_bits, part_round: If not None, every partial sum is rounded to a multiple of
            2**(Ed - part_bits) before they are added.
        reference: ``exponent``: with E = max(Ed, Ec), the sum of the partial sums is rounded to a multiple
            of 2**(E - dot_bits), and c to one of 2**(E - c_bits). ``grid``: with
            G = max(Ed - dot_bits, Ec - c_bits), each partial sum and c are rounded to a multiple of 2**G.
        dot_bits, dot_round: For the sum of products.
        c_bits, c_round: For c.
        c_drop: If not None, c counts as zero (of its sign) where Ec < E - c_drop.
        post_bits, post_round: If not None, the sum s of the two is rounded to a multiple of
            2**(e(s) - post_bits), e(s) = max(floor(log2 |s|), -126), before acc_round.
    """

    part_bits: int | None = None
    part_round: Rounding = "RD"
    reference: Literal["exponent", "grid"] = "exponent"
    dot_bits: int
    dot_round: Rounding = "RD"
    c_bits: int
    c_round: Rounding = "RD"
    c_drop: int | None = None
    post_bits: int | None = None
    post_round: Rounding = "RD"


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitK:
    """How a matrix product cuts K into parts that are evaluated on their own, each from +0.

    K is cut into tiles of *tile* elements, the last one shorter; T = ceil(K / tile).

    Attributes:
        splits: Number of parts S. A part without tiles is left out.
        tile: Elements of a tile.
        deal: ``contiguous``: part s is tiles s*ceil(T/S) to (s+1)*ceil(T/S) - 1; ``interleaved``: part s is
            tiles s, s + S, s + 2S, ..., one after the other.
        combine: The results of the parts are added in Float32, to nearest even. ``serial``: to a running
            value that starts at c; ``pairwise``: as in ``tree_adjacent``, then the sum to c.
    """

    splits: int
    tile: int
    deal: Literal["contiguous", "interleaved"] = "contiguous"
    combine: Literal["serial", "pairwise"] = "serial"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccumulationRule:
    """How a dot product over K elements becomes one number.

    Words. e(x) of a number of a format is floor(log2 |x|), but never below the exponent of the format's
    smallest normal number, so that subnormals keep that exponent. The scale of an element is the product of
    its block's two scales, 2**(xa+xb) for E8M0, and 1 where operands have no scales. ``ue4m3`` scales have
    a clamped exponent and a significand, like elements. IEEE 754 rules for NaN and infinity mean: NaN if
    any term is NaN, a product is Inf * 0, or there are infinities of both signs; else an infinite term
    decides. A NaN scale makes every product of its block NaN, zeros included.

    Evaluation, each step in the fields named:

    1. Elements are changed by input_drop_bits and daz, then (dequant_inputs) multiplied by their scale.
    2. split_k, then promote_every, cut K into runs which are evaluated on their own.
    3. A run is cut into groups of group_size elements; the last is filled up with products (+0)*(+0). The
       running value starts at c, in a run of step 2 at +0, and goes from group to group.
    4. The products of a group are formed (product, scale_apply) and added (layout, order, align_*,
       exp_floor), with the running value among the terms if acc_in_align.
    5. If not acc_in_align, the sum becomes the addend of the running value (group_round, scale_apply), and
       is added to it (stage2).
    6. The result is rounded to acc_format (acc_round, overflow, ftz, zero_sign): the next running value.
    7. After the last group: if operands have tensor scales, the value is multiplied by alpha = RNE(ta*tb), a
       missing one being 1, as RNE(RNE(value*alpha) + (+0)) in Float32, and rounded to the result format
       (out_format, or acc_format with ``e8m13`` read as ``fp32``) by out_round; without them, out_format
       alone; then nan_pattern.

    A run without elements has no group and its result is the running value, unless group_size is ``all``:
    then it has one empty group. Step 6 rounds what that leaves: the running value alone, aligned to its own
    exponent, if acc_in_align; else the running value and a sum of products that is +0.

    Attributes:
        name: The name used in every public call, file and report.
        source: Where the rule comes from.
        confidence: How well it is known, see `Confidence`.
        description: A sentence in place of the one made of the fields; empty for none.

        elements: Names of the element formats the machine takes, for either operand; empty for any.
        input_drop_bits: The low bits of each element code are set to zero (a NaN stays NaN): 13 makes a
            TF32 of a Float32.
        input_emin: If not None, the exponent that e(x) of an element is clamped at, in place of its own
            format's: elements that pass through a wider format first.

        product: ``exact``, or rounded to Float32: to nearest even or to odd, subnormal results flushed to
            zero of their sign with ``_ftz``. Overflow is Inf.
        term_exponent: The exponent E_i of a non-zero product for the alignment. ``clamped_sum``: e(a)+e(b),
            so the product's significand is below 4; ``normalised_inputs``: the same with
            e(x) = floor(log2 |x|), also for subnormals; ``normalised_product``: floor(log2 |a*b|);
            ``scale_only``: the exponent of the scale alone. ``none``: nothing is aligned. With scale_apply
            ``product_exponent`` the exponent of the scale is added.
        group_size: L, elements of a group; ``block``: the elements of one block (operands must have
            scales); ``all``: all elements of the run.
        inner_group: G > 1: with ``scale_only``, the exact sum of G consecutive products, times their common
            scale, is one term of the alignment; it counts as a zero term if all its products are zero
            or a scale is, not if they cancel. With an order ``tree_*``, the exact sum of G consecutive
            products, rounded by acc_round to acc_format, is one leaf.
        layout: Which elements of a group share a partial sum (element i of the group): ``contiguous``: all;
            ``even_odd``: i mod 2; ``round_robin_4``: i mod 4; ``pairs``: i div 2. ``fused``: each partial sum
            that has elements is aligned on its own, and stage2 combines them. Chains: each partial sum is a
            chain from +0; for ``pair_sum_chain`` the layout deals pairs, not elements. The n results are added
            as in ``tree_adjacent``, beginning with result (L mod n) and going round.
        order: ``fused``: the exact sum of the aligned terms (of the terms, if align_bits is None).
            ``fma_chain``: s = round(s + p_i), one rounding each, element after element, from the running
            value if acc_in_align, else from +0. ``pair_sum_chain``: s = round(s + round(p_2i + p_2i+1)).
            ``tree_adjacent``: neighbours are added, then neighbours among the results, an odd last one moving
            up as it is; ``tree_halves``: element i and element i + ceil(n/2) are added, again and again.
            Rounding here is acc_round to acc_format, with ftz, overflow and zero_sign.
        align_bits: F. Every aligned term is rounded to a multiple of 2**(E - F); None: nothing is dropped.
        align_round: By this rounding.
        acc_in_align: The running value is a term like the products, with exponent e(c) of acc_format.
        exp_floor: E is the largest exponent of the non-zero terms, and not below this if floor_when
            holds; None: no lower bound. Never below the exponent of the non-zero terms; a group of zeros
            only has the sum zero.
        floor_when: ``any_zero_term``: if any term is zero, the running value and filling included;
            ``always``.
        stage2: How sum and running value meet if not simply by one exact addition, see
            `SecondAlignment`; needs acc_in_align False and ``fused``.
        dot_shift: The exact sum of products of a group is multiplied by 2**-dot_shift (LSCALE of Arm; -12
            makes MXINT8 elements integers); without align_bits only.

        group_round: Rounding of a group's sum to group_format before it meets the running value; None: it
            meets it exact. Only if not acc_in_align. Subject to ftz, overflow and zero_sign.
        group_format: None: acc_format.
        acc_format: Format of the running value between groups. c itself is a Float32 and enters the first
            group as it is.
        acc_round: Rounding to it.
        promote_every: Runs of this many elements are evaluated from +0, and their results added, in
            order, in Float32 to nearest even, to a running value that starts at c.
        split_k: See `SplitK`; each part is promoted by itself.

        scale_apply: Where block scales enter, S being a group's sum; R is acc_round to acc_format with ftz,
            overflow and zero_sign; all of a group's elements share a block where S is multiplied.
            ``product_exponent``: exactly, in each product. ``group_exponent``: exactly, in each term of
            ``scale_only``. ``fused_exact``: S*sa*sb exactly. ``ldexp_then_add``: t = group_round(S), then
            R(t*sa*sb). ``fp32_factor``: f = R(R(sa)*R(sb)); with group_round R(f*group_round(S)), without it
            the exact f*S. ``two_fp32_factors``: R(R(group_round(S)*sa)*sb). ``dequant_inputs``: in each
            element, rounded to nearest even to dequant_format. ``epilogue_tensor``: operands must have no
            block scales. Infinite factors follow IEEE 754 (Inf*0 is NaN).
        scale_format: Name of the scale format that operands must have; None: any.
        block: Block size that operands with scales must have; None: any.
        dequant_format: Format of a scaled element, for ``dequant_inputs``; its exponents replace the
            element's. Overflow is Inf.

        daz: Subnormal elements count as zero; daz_c: a subnormal value that a run starts at does, before its
            first group; what a group hands to the next is the business of ftz. Zeros themselves count as
            subnormal here.
        daz_sign: That zero: ``keep`` its sign, or ``plus``.
        ftz: A result of rounding that is non-zero and below the smallest normal number of its format (after
            rounding on the grid of its format, subnormals included) becomes zero.
        ftz_sign: As daz_sign.
        overflow: A finite number that rounds to beyond the largest of acc_format: ``inf`` whatever the
            rounding; ``saturate``: the largest finite number; ``ieee``: as IEEE 754 section 7.4, Inf or the
            largest, by the rounding direction, RTO being one toward zero; ``product_inf_at_2^128``: ``inf``,
            and a product of magnitude 2**128 or more is infinite by itself.
        zero_sign: Of a result that is zero. ``always_plus``: +0. ``ieee``: an exact zero is -0 if all its
            terms are -0 (if acc_round is RD: unless all are +0), where rounding or flushing made it zero it
            keeps its sign. ``from_plus``: as ieee, but every sum of products starts from +0; to that of a
            tree, +0 is added.
        nan_pattern: Bits of every NaN result in the result format.
        inf_rules: ``ieee``, the rules above.
        out_format: Format the final value is rounded to, from acc_format (two roundings); None: none.
        out_round: By this rounding; overflow gives Inf.

    Raises:
        DefinitionError: If the fields contradict each other; the message says which and why.
        UnknownNameError: If a field has a value that is not among its choices.
    """

    name: str
    source: str
    confidence: Confidence
    description: str = ""

    elements: tuple[str, ...] = ()
    input_drop_bits: int = 0
    input_emin: int | None = None

    product: Product = "exact"
    term_exponent: TermExponent = "none"
    group_size: int | Literal["block", "all"] = "all"
    inner_group: int = 1
    layout: Layout = "contiguous"
    order: Order = "fused"
    align_bits: int | None = None
    align_round: Rounding = "RZ"
    acc_in_align: bool = True
    exp_floor: int | None = None
    floor_when: Literal["any_zero_term", "always"] = "any_zero_term"
    stage2: SecondAlignment | None = None
    dot_shift: int = 0

    group_round: Rounding | None = None
    group_format: AccumulatorFormat | None = None
    acc_format: AccumulatorFormat = "fp32"
    acc_round: Rounding = "RNE"
    promote_every: int | None = None
    split_k: SplitK | None = None

    scale_apply: ScaleApply = "product_exponent"
    scale_format: str | None = None
    block: int | None = None
    dequant_format: AccumulatorFormat | None = None

    daz: bool = False
    daz_c: bool = False
    daz_sign: Literal["keep", "plus"] = "keep"
    ftz: bool = False
    ftz_sign: Literal["keep", "plus"] = "keep"
    overflow: Literal["inf", "saturate", "ieee", "product_inf_at_2^128"] = "inf"
    zero_sign: Literal["always_plus", "ieee", "from_plus"] = "ieee"
    nan_pattern: int = 0x7FC00000
    inf_rules: Literal["ieee"] = "ieee"
    out_format: AccumulatorFormat | None = None
    out_round: Rounding = "RNE"

    def __post_init__(self) -> None:
        check_types(self, f"rule {self.name!r}")
        if self.stage2 is not None:
            check_types(self.stage2, f"rule {self.name!r}: stage2")
        if self.split_k is not None:
            check_types(self.split_k, f"rule {self.name!r}: split_k")
            if self.split_k.splits < 1 or self.split_k.tile < 1:
                raise DefinitionError(f"rule {self.name!r}: split_k: splits and tile must be at least 1")
        for wrong, reason in _contradictions(self):
            if wrong:
                raise DefinitionError(f"rule {self.name!r}: {reason}")

    @property
    def rounds_per_block(self) -> bool:
        """Whether the running value is rounded after every block."""
        return self.group_size == "block"

    @property
    def summary(self) -> str:
        """The rule in a sentence."""
        return self.description or sentence(self)

    def __str__(self) -> str:
        return f"{self.name}: {self.summary}"

    @property
    def result_format(self) -> AccumulatorFormat:
        """The format of results; an ``e8m13`` accumulator is read as a Float32."""
        return self.out_format or ("fp32" if self.acc_format == "e8m13" else self.acc_format)

    @property
    def nan_float32(self) -> int:
        """Bits of a NaN result held in a Float32: nan_pattern, widened to the right with zeros."""
        narrow = {"fp32": 0, "e8m13": 0, "bf16": 16, "fp16": 13}[self.result_format]
        if self.result_format != "fp16":
            return self.nan_pattern << narrow
        sign, magnitude = self.nan_pattern >> 15, self.nan_pattern & 0x3FF
        return sign << 31 | 0xFF << 23 | magnitude << 13

    @property
    def is_verified(self) -> bool:
        """False where nothing reliable is public and the fields are a stand-in (confidence U)."""
        return self.confidence != "U"


MULTIPLIES_SUM: frozenset[ScaleApply] = frozenset(
    {"fused_exact", "ldexp_then_add", "fp32_factor", "two_fp32_factors"}
)
"""Codes of scale_apply that multiply a group's sum: its elements must share a block."""


def _contradictions(rule: AccumulationRule) -> list[tuple[bool, str]]:
    """Return (is the rule so, why that cannot be)."""
    size, aligned = rule.group_size, rule.align_bits is not None
    fused, chain, tree = (rule.order.startswith(word) for word in ("fused", ("fma_chain", "pair_"), "tree"))
    rounded = rule.group_round is not None
    width, fraction = (16, 10) if rule.result_format == "fp16" else (32, 23)
    if rule.result_format == "bf16":
        width, fraction = 16, 7
    exponent_ones = (1 << (width - 1 - fraction)) - 1
    is_nan = (rule.nan_pattern >> fraction) & exponent_ones == exponent_ones
    is_nan = is_nan and rule.nan_pattern & ((1 << fraction) - 1) != 0 and 0 <= rule.nan_pattern < 1 << width
    return [
        (not rule.name, "a rule needs a name"),
        (isinstance(size, int) and size < 1, f"group_size={size} must be at least 1"),
        (rule.input_drop_bits < 0, f"input_drop_bits={rule.input_drop_bits} must not be negative"),
        (rule.promote_every is not None and rule.promote_every < 1, "promote_every must be at least 1"),
        (
            aligned and not fused,
            f"align_bits={rule.align_bits} needs order 'fused'; {rule.order} aligns nothing",
        ),
        (aligned and rule.term_exponent == "none", "align_bits needs a term_exponent to align to"),
        (not aligned and rule.term_exponent != "none", "term_exponent needs align_bits; nothing is aligned"),
        (not aligned and rule.exp_floor is not None, "exp_floor bounds an alignment; give align_bits"),
        (aligned and not 1 <= (rule.align_bits or 0) <= 48, "align_bits must be from 1 to 48"),
        (aligned and rule.product != "exact", "aligned products are exact; product must be 'exact'"),
        (rule.product != "exact" and fused, "rounded products are added by a chain or a tree, not 'fused'"),
        (
            rule.stage2 is not None and not (aligned and not rule.acc_in_align and not rounded),
            "stage2 adds the running value to aligned products: it needs align_bits, acc_in_align=False and "
            "no group_round",
        ),
        (
            fused and rule.layout != "contiguous" and rule.stage2 is None,
            f"layout {rule.layout!r} of aligned partial sums needs stage2 to combine them",
        ),
        (
            tree and rule.layout != "contiguous",
            "the shape of a tree is its order; layout must be 'contiguous'",
        ),
        (
            chain and rule.layout == "pairs",
            "a chain takes layout 'contiguous', 'even_odd' or 'round_robin_4'",
        ),
        (tree and rule.acc_in_align, "a tree adds the running value last: acc_in_align must be False"),
        (
            chain and rule.acc_in_align and rule.layout != "contiguous",
            f"only one chain can start from the running value, layout {rule.layout!r} has several",
        ),
        (
            rounded and rule.acc_in_align,
            "group_round rounds a sum before it meets the running value; with acc_in_align they are one sum",
        ),
        (rounded and not fused, f"order {rule.order!r} rounds as it goes; group_round is for 'fused'"),
        (rule.group_format is not None and not rounded, "group_format needs group_round"),
        (rule.inner_group < 1, f"inner_group={rule.inner_group} must be at least 1"),
        (
            (rule.term_exponent == "scale_only") != (rule.scale_apply == "group_exponent"),
            "term_exponent 'scale_only' and scale_apply 'group_exponent' go together",
        ),
        (
            rule.term_exponent == "scale_only" and rule.stage2 is not None,
            "stage2 takes sums of products that were aligned by their own exponents, not 'scale_only'",
        ),
        (
            rule.inner_group > 1 and not (tree or rule.term_exponent == "scale_only"),
            "inner_group is for term_exponent 'scale_only' and for trees",
        ),
        (
            isinstance(size, int) and size % rule.inner_group != 0,
            f"group_size={size} is not a multiple of inner_group={rule.inner_group}",
        ),
        (
            rule.scale_apply in MULTIPLIES_SUM and rule.acc_in_align,
            f"scale_apply {rule.scale_apply!r} multiplies the sum without the running value: acc_in_align "
            "must be False",
        ),
        (
            rule.scale_apply in ("ldexp_then_add", "two_fp32_factors") and fused and not rounded,
            f"scale_apply {rule.scale_apply!r} multiplies a rounded sum: give group_round",
        ),
        (
            rule.scale_apply == "fused_exact" and (rounded or not fused),
            "scale_apply 'fused_exact' multiplies the exact sum: no group_round, order 'fused'",
        ),
        (
            rule.scale_apply in MULTIPLIES_SUM and (size == "all" or rule.stage2 is not None),
            f"scale_apply {rule.scale_apply!r} needs groups within a block, and no stage2",
        ),
        (
            (rule.scale_apply == "dequant_inputs") != (rule.dequant_format is not None),
            "scale_apply 'dequant_inputs' and dequant_format go together",
        ),
        (
            rule.dot_shift != 0 and (aligned or not fused),
            "dot_shift multiplies exact sums: order 'fused' without align_bits",
        ),
        (
            rule.overflow == "product_inf_at_2^128"
            and (rule.term_exponent == "scale_only" or (fused and not aligned)),
            "overflow 'product_inf_at_2^128' looks at single products, which exact sums do not form",
        ),
        (size == "block" and rule.scale_apply == "epilogue_tensor", "group_size 'block' needs block scales"),
        (
            not is_nan,
            f"nan_pattern={rule.nan_pattern:#x} is not a NaN of {rule.result_format} ({width} bits)",
        ),
    ]
