"""Mutation of the units: every fault that Yosys plants is caught by the bench, or proven to change nothing.

* `netlist`      a unit as a flat netlist, the list of its mutants, and many of them in one netlist behind a select port
* `stages`       what is played: smoke, the set of `make sim`, sign-off
* `kill`         which stage catches which mutant
* `taint`        where the values of a cell go: data alone, or what controls the stream
* `equivalence`  what is not caught: proven equivalent, or an input for which it differs
* `results`      what is known so far, kept after every step, and the evidence that is committed
* `run`          the command (`python -m flows.mutation.run`, called by make)
"""
