"""`refmodel.encode`, `quantize` and `dot` once more, one stage at a time, for people.

The stages are computed with Python integers and fractions from the format descriptions alone. Then the
model is asked, and an explanation whose bits are not the model's is refused with ExplanationError.

What comes back is an `Explanation`: a title, the result, steps, and parts, which are explanations of their
own. `Explanation.to_text` renders it for a terminal, `Explanation.to_dict` as JSON values. These are the
names of the steps, in order; those in brackets occur only where there is something to say:

* element: ``input``, [``flush``], [``intermediate``], [``quotient``], [``zero``], [``unsigned``], then
  ``nan`` for a NaN, ``range`` for an infinity, else ``binade`` (``grid`` for an integer format),
  ``rounding``, [``carry``], ``range``; [``sign``], ``code``, [``value``], [``error``]. ``quotient`` and
  ``value`` are those of an element of a block.
* block: [``nan``], [``infinity``], [``amax``], [``zero block``] or [``exponent``, ``rule``, ``sexp``],
  [``clamp``], ``scale``, [``divisor``], ``elements``, [``overflow``], ``packed``. In place of ``exponent``,
  ``rule``, ``sexp`` a scale with a mantissa has ``ratio``, ``binade``, ``rounding``, [``carry``]. Where there
  is a tensor scale [``tensor amax``], ``tensor scale`` come first. Float32 arithmetic has steps of its own:
  ``float32`` for a number that is not one; ``encode scale`` beside the tensor scale; before ``ratio``
  ``reciprocal`` and ``multiplier``, or ``block scale``; before the elements ``decode scale`` and ``product``,
  or ``tensor reciprocal``, and ``factor``.
* dot: ``rule``, [``c``]. Its parts are the blocks and, last, the result. A block has ``scales``, ``products``
  and either ``special`` or ``sum`` and ``scaled``; the result has ``result``. Under exact_fp32 the result has
  ``total`` and a rounding to ``float32`` first; under block32_fp32_add it is in each block: a rounding to
  ``float32``, then ``add`` and a rounding to ``running``. A rounding that is not exact shows ``binade``,
  ``rounding``, [``carry``], [``range``] before the step that names what is rounded to.

Up and down in the words of a rounding are of the magnitude: up is away from zero.
"""

from refmodel.explain.block import explain_block
from refmodel.explain.dot import explain_dot
from refmodel.explain.element import explain_element
from refmodel.explain.exact import FloatBits
from refmodel.explain.tree import Explanation, Step, Table

__all__ = ["Explanation", "FloatBits", "Step", "Table", "explain_block", "explain_dot", "explain_element"]
