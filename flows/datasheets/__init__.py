"""The datasheets of the units in docs/units, made from module headers, DUT descriptions and synthesis figures.

`run` is the command (`python -m flows.datasheets.run`, called by make).
"""
