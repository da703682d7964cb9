"""Which accumulation rule a black box follows."""

from __future__ import annotations

from refmodel.identify.probes import BlackBox, Interface, Probes
from refmodel.identify.report import Counterexample, Identification
from refmodel.identify.search import conversation, identify

__all__ = [
    "BlackBox",
    "Counterexample",
    "Identification",
    "Interface",
    "Probes",
    "conversation",
    "identify",
]
