"""The operations of the bench: for each, a vector set that knows its port planes and explains a wrong result.

* `base`      what the bench asks of a vector set
* `dots`      dot, dot_general and the same with formats mixed at run time
"""

from __future__ import annotations

from cocotb_tests.operations.base import Family
from cocotb_tests.operations.dots import DOT, DOT_GENERAL

FAMILIES: dict[str, Family] = {"dot": DOT, "dot_general": DOT_GENERAL}
"""By operation, the vector sets of the bench for it."""
