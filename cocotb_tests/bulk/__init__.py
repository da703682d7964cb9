"""Bulk mode: vectors streamed from files through the verilated design by a C++ program, results compared in numpy.

* `program`     that program, built for a configuration: driver.cpp and the ports of the design
* `plan`        what it plays: segments of a stream, each under patterns of stalls; and what came of them
* `sets`        vector sets of one configuration played and judged, one seed after another
* `__main__`    the command (`python -m cocotb_tests.bulk`, called by make)
"""
