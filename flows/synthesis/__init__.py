"""Synthesis of the units with Yosys: area, longest path, FPGA place-and-route, and the table of it.

`run` is the command (`python -m flows.synthesis.run`, called by make).
"""
