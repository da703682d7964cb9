"""What `prepare` is asked to do with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, get_args

from refmodel.accumulate import AccumulationRule
from refmodel.errors import DefinitionError, unknown_name
from refmodel.formats import BlockFormat, get_format
from refmodel.options import QuantizeOptions, Rounding, ScaleRule
from refmodel.torch.spec import MXSpec

Method: TypeAlias = Literal["direct", "searched", "gptq", "error_diffusion"]
"""How the codes of a weight are found (docs/ptq.md).

* ``direct``: by `refmodel.quantize`, again whenever the weight changes.
* ``searched``: to nearest, under the scale of each block that leaves the least squared error.
* ``gptq``: column by column; each error is made good by the columns after it, by least squares on the calibration.
* ``error_diffusion``: column by column; each takes over the error that the output of the layer has so far.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MXQuantConfig:
    """The formats and choices of a model's layers.

    Attributes:
        w_dtype: Format of weights, by name or description.
        act_dtype: Format of activations, of both operands of attention's products, too.
        weight_only: Leave activations as they are.
        block_size: Elements a scale; that of the formats when None.
        round: Rounding mode of elements.
        scale_rule: How a scale follows from the largest magnitude of a block.
        options: The other choices MX leaves open.
        grad_dtype: Format of gradients in the backward pass; None leaves them, see `MXSpec.gradient`.
        w_dtype_backward: Format of weights in the backward pass, see `MXSpec`.
        act_dtype_backward: Format of activations there.
        round_backward: Rounding mode of elements there; the same when None.
        rule: Accumulation rule of the forward pass, or None for Float32 products of values.
        method: How codes of weights are found. Embeddings and convolutions take the first two.
        seed: Of stochastic rounding; each layer adds its place in the model.
        embeddings: Whether embeddings are converted.
        exclude: Layers to leave: names of layers or of modules around them, `*`, `?` and `[...]` as in file names.
        overrides: Name, as in exclude -> fields of this class that differ there. Later entries win.

    Raises:
        UnknownNameError: If there is no such format, rule, method or option value.
        DefinitionError: If formats and choices do not go together, or an override has no such field.
        ShapeError: If a rule is given for formats of different block sizes.
    """

    w_dtype: str | BlockFormat = "mxfp8_e4m3"
    act_dtype: str | BlockFormat = "mxfp8_e4m3"
    weight_only: bool = False
    block_size: int | None = None
    round: Rounding = "rne"
    scale_rule: ScaleRule = "floor"
    options: QuantizeOptions = field(default_factory=QuantizeOptions)
    grad_dtype: str | BlockFormat | None = None
    w_dtype_backward: str | BlockFormat | None = None
    act_dtype_backward: str | BlockFormat | None = None
    round_backward: Rounding | None = None
    rule: str | AccumulationRule | None = None
    method: Method = "direct"
    seed: int = 0
    embeddings: bool = False
    exclude: Sequence[str] = ()
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise unknown_name("method", self.method, get_args(Method))
        if isinstance(self.exclude, str):
            raise DefinitionError(f"exclude={self.exclude!r} must be a list of names")
        self.spec()
        known = {each.name for each in fields(self)} - {"exclude", "overrides", "embeddings"}
        for name, changes in self.overrides.items():
            for key in changes:
                if key not in known:
                    raise unknown_name(f"field of the override of {name!r}:", key, known)
            replace(self, overrides={}, **changes)

    def spec(self, place: int = 0) -> MXSpec:
        """Return the specification of the layer at a place in the model."""
        options = replace(self.options, rounding=self.round, scale_rule=self.scale_rule)
        backward = None
        if self.round_backward is not None:
            backward = replace(options, rounding=self.round_backward)
        return MXSpec(
            weight=self._format(self.w_dtype),
            activation=None if self.weight_only else self._format(self.act_dtype),
            gradient=self._format(self.grad_dtype),
            weight_backward=self._format(self.w_dtype_backward),
            activation_backward=self._format(self.act_dtype_backward),
            options=options,
            backward_options=backward,
            rule=self.rule,
            seed=self.seed + place,
        )

    def _format(self, name: str | BlockFormat | None) -> BlockFormat | None:
        if name is None:
            return None
        fmt = get_format(name)
        if self.block_size is None or self.block_size == fmt.block_size:
            return fmt
        return replace(fmt, name=f"{fmt.name}_{self.block_size}", block_size=self.block_size)
