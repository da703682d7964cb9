"""Conformance of somebody's design: what it is (`description`), and how it is judged.

* `description`  the DUT description, a TOML file, and its loader
* `operations`   the operations a design can claim, and the ports each of them has
* `configuration`  one choice of formats, rule, lanes, ... of a described design
* `sources`      the source files that a description names
* `tables`       reading TOML with messages that name file, table and key
"""

from refmodel.conformance.configuration import Configuration, OperandPair
from refmodel.conformance.description import Description, load_description

__all__ = ["Configuration", "Description", "OperandPair", "load_description"]
