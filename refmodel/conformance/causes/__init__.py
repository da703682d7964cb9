"""Causes of wrong results: what a design would give that has one thing wrong.

Each is the model run again with one thing changed. Those that explain all wrong results and no right ones are likely.

* `operands`     how operands are read
* `sums`         how sums are done
* `conversions`  how numbers become blocks
* `numbers`      what becomes of numbers at the end
* `words`        where results are put
"""

from refmodel.conformance.causes.case import Case, Cause, Results, expected_results
from refmodel.conformance.causes.conversions import CONVERSION_CAUSES
from refmodel.conformance.causes.numbers import NUMBER_CAUSES
from refmodel.conformance.causes.operands import OPERAND_CAUSES
from refmodel.conformance.causes.sums import SUM_CAUSES
from refmodel.conformance.causes.words import WORD_CAUSES

CAUSES: tuple[Cause, ...] = (*OPERAND_CAUSES, *NUMBER_CAUSES, *CONVERSION_CAUSES, *SUM_CAUSES, *WORD_CAUSES)
"""All causes; of several that explain the same results the first is named first."""

__all__ = ["CAUSES", "Case", "Cause", "Results", "expected_results"]
