"""What a layer quantizes, and how it multiplies: one value that functions, layers and checkpoints share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from refmodel.accumulate import AccumulationRule, get_rule
from refmodel.blocks import Blocks
from refmodel.dot import matmul
from refmodel.encoding import check_encoding
from refmodel.errors import DefinitionError
from refmodel.formats import BlockFormat, get_format
from refmodel.options import QuantizeOptions
from refmodel.scales import check_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class MXSpec:
    """The formats and the arithmetic of a matrix product of an activation and a weight.

    Attributes:
        weight: Format of the weight in the forward pass, by name or description; None leaves it as it is.
        activation: Format of the activation in the forward pass, or None.
        gradient: Format of the gradient of the output in the backward pass, or None.
        weight_backward: Format of the weight in the backward pass. When None, that of `weight` if there is a
            gradient format; without one the values of the forward pass are used again.
        activation_backward: The same for the activation.
        options: The choices MX leaves open, in the forward pass.
        backward_options: Those of the backward pass; the same when None.
        rule: Accumulation rule of the forward pass, by name or description, computed by `refmodel.matmul`; None
            multiplies the dequantized values in Float32, as torch does. The backward pass always does that.
        seed: Of the generator a layer draws the random integers of stochastic rounding from.

    In the backward pass every operand is quantized along the axis over which its product sums, so a weight
    [N, K] has blocks along K in the forward pass and along N in the backward pass.

    Raises:
        UnknownNameError: If there is no such format or rule.
        DefinitionError: If a rule is given without both forward formats, or does not take them.
        ShapeError: If a rule is given and their block sizes differ.
    """

    weight: BlockFormat | None = None
    activation: BlockFormat | None = None
    gradient: BlockFormat | None = None
    weight_backward: BlockFormat | None = None
    activation_backward: BlockFormat | None = None
    options: QuantizeOptions = field(default_factory=QuantizeOptions)
    backward_options: QuantizeOptions | None = None
    rule: AccumulationRule | None = None
    seed: int = 0

    def __init__(
        self,
        *,
        weight: str | BlockFormat | None = None,
        activation: str | BlockFormat | None = None,
        gradient: str | BlockFormat | None = None,
        weight_backward: str | BlockFormat | None = None,
        activation_backward: str | BlockFormat | None = None,
        options: QuantizeOptions | None = None,
        backward_options: QuantizeOptions | None = None,
        rule: str | AccumulationRule | None = None,
        seed: int = 0,
    ) -> None:
        formats = {
            "weight": weight,
            "activation": activation,
            "gradient": gradient,
            "weight_backward": weight_backward,
            "activation_backward": activation_backward,
        }
        for name, fmt in formats.items():
            object.__setattr__(self, name, None if fmt is None else get_format(fmt))
        object.__setattr__(self, "options", QuantizeOptions() if options is None else options)
        object.__setattr__(self, "backward_options", backward_options)
        object.__setattr__(self, "rule", None if rule is None else get_rule(rule))
        object.__setattr__(self, "seed", seed)
        for name in formats:
            fmt = getattr(self, name)
            choices = self.options if name in ("weight", "activation") else self.options_backward
            if fmt is not None:
                check_encoding(fmt.element, choices)
                check_blocks(fmt, choices)
        if self.rule is not None:
            self._check_rule(self.rule)

    def _check_rule(self, rule: AccumulationRule) -> None:
        if self.activation is None or self.weight is None:
            raise DefinitionError(f"rule {rule.name!r} multiplies blocks: give formats for activation and weight")
        formats = (self.activation, self.weight)
        one, other = (Blocks(f, np.zeros((1, 1, f.block_size), np.uint8), np.zeros((1, 1), np.uint8)) for f in formats)
        matmul(one, other, rule)

    @property
    def is_stochastic(self) -> bool:
        """Whether some conversion draws random integers."""
        return any(options.rounding == "stochastic" for options in (self.options, self.options_backward))

    @property
    def options_backward(self) -> QuantizeOptions:
        """The options of the backward pass."""
        return self.options if self.backward_options is None else self.backward_options

    def of_activations(self) -> MXSpec:
        """Return what multiplies two activations, as attention does."""
        return replace(self, weight=self.activation, weight_backward=self.activation_backward)
