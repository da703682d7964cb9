"""Tests of a unit with the ports of mx_dot: every vector at full rate, samples under stalls, and resets."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.types import Logic
from numpy.typing import NDArray

from cocotb_tests.bench import DRAIN_CYCLES, StreamBench
from cocotb_tests.patterns import CLOSED, FULL_RATE, STALLS, Scenario

TESTS = 2 + len(STALLS)
"""Number of tests in this module; a run with fewer has failed."""

_STALL_SHARE = 10  # every so many-th vector is played under each pattern of stalls
_MIN_STALLED = 32
_RESET_ROUNDS = 6


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """Every vector, one block pair a cycle; while every result is taken at once, the DUT must keep up."""
    bench = StreamBench(dut)
    await bench.start()
    refused = await bench.play(np.arange(bench.stimulus.dots), FULL_RATE)
    if refused:
        bench.scoreboard.fail(
            f"full_rate: ready_o was low in {refused} clock cycles although every result was taken at once; "
            "the unit promises one block pair a cycle"
        )
    bench.finish()


@cocotb.test()
@cocotb.parametrize(scenario=[cocotb.Param(value=each, name=each.name) for each in STALLS])
async def stalls(dut: Any, scenario: Scenario) -> None:
    """A sample of vectors from all classes under gaps and back-pressure."""
    bench = StreamBench(dut)
    await bench.start()
    await bench.play(_sample(bench, scenario.name), scenario)
    bench.finish()


@cocotb.test()
async def reset_in_mid_stream(dut: Any) -> None:
    """Reset drops what is in flight, nothing of it appears later, and the next stream is right at once."""
    bench = StreamBench(dut)
    await bench.start()
    rng = random.Random(f"{bench.settings.seed}/reset")
    for round_ in range(_RESET_ROUNDS):
        scenario = CLOSED if round_ == 0 else rng.choice((FULL_RATE, *STALLS))
        dots = _sample(bench, f"cut {round_}")
        longest = int(np.diff(bench.stimulus.bounds).max())
        await bench.play_and_cut(dots, scenario, rng.randint(5, 60) if round_ else DRAIN_CYCLES + longest)
        if scenario is CLOSED and dut.valid_o.value != Logic(1):
            bench.scoreboard.fail(
                "closed output: valid_o stays low while ready_i is low; an offer must not wait for ready_i"
            )
        await bench.reset(rng.randint(2, 4))
        # Every other round goes on at once, so that old and new data meet if they can.
        if round_ % 2 == 0 and (stale := await bench.watch(DRAIN_CYCLES)):
            bench.scoreboard.fail(
                f"reset: {stale} results appeared after a reset although nothing had been sent"
            )
        await bench.play(_sample(bench, f"restart {round_}")[:_MIN_STALLED], rng.choice((FULL_RATE, *STALLS)))
    bench.finish()


def _sample(bench: StreamBench, name: str) -> NDArray[np.int64]:
    """Return evenly spread dots in ascending order, so of every class, with an offset for each *name*."""
    count = min(bench.stimulus.dots, max(_MIN_STALLED, bench.stimulus.dots // _STALL_SHARE))
    offset = random.Random(f"{bench.settings.seed}/{name}").random()
    return ((np.arange(count) + offset) * bench.stimulus.dots / count).astype(np.int64)
