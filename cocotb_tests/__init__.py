"""cocotb bench that checks the units in rtl/ bit for bit against vectors of the reference model.

`run` is the command (`python -m cocotb_tests.run`, called by make); `stream_tests` and `replay_tests` run
inside the simulator.
"""
