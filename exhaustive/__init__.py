"""Every input of every small space, tried: `python -m exhaustive.run --help`.

* `thresholds`   the second algorithm: where codes change, from exact rationals
* `claims`       what is tried and against what, cut into parts of a fraction of a second
* `state`        what has been done already, so that a run can be taken up again
* `run`          the command behind `make exhaustive`
* `report`       its final table
* `breakpoints`  vectors/breakpoints/, written from the thresholds
"""
