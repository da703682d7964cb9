"""Conformance of somebody's design: what it is (`description`), and how it is judged.

* `description`  everything the bench needs to know of a design
* `configuration`  one choice of formats, rule, lanes, ... of a described design
* `operations`   the operations a design can claim, and the ports each of them has
* `loading`      the TOML file that a description comes from
* `axes`         its tables of rules and configurations
* `consistency`  what no single table shows to be wrong
* `sources`      the source files that a description names
* `tables`       reading TOML with messages that name file, table and key
* `clauses`      the clauses of the specifications, and what exercises each
* `results`      files of results, from wherever they come
* `check`        results judged against a vector set
* `causes`       what can be wrong with a design, and what it would give then
* `explanation`, `mismatch`  one wrong result explained
"""

from refmodel.conformance.configuration import Configuration, OperandPair
from refmodel.conformance.description import Description
from refmodel.conformance.loading import load_description

__all__ = ["Configuration", "Description", "OperandPair", "load_description"]
