"""Laws that dot products obey whatever their value: a check that needs no expected result.

* `laws`      the laws: how inputs are changed, and what must become of the result
* `stimulus`  dot products to try them on
* `run`       the command, `make laws`
"""
