"""Coverage: what the vectors met, counted where a result was compared.

* `model.toml`  the functional coverage model: axes with their bins, and crosses of them
* `model`       that file read, and hits counted over whole arrays
* `classes`     numbers of a format and scales as bins
* `rounding`    what the last rounding of a result cuts off, from exact integers
* `facts`       into which bin of each axis the rows of a vector set fall
* `reach`       which bins can be met at all, by enumeration
* `run`         the command (`python -m cocotb_tests.coverage.run`, called by make)
"""
