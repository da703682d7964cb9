"""Tests of any design with streams: every vector at full rate, samples under stalls, latency, and resets."""

from __future__ import annotations

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.types import Logic

from cocotb_tests.bench import DRAIN_CYCLES, StreamBench
from cocotb_tests.patterns import CLOSED, FULL_RATE, STALLS, Scenario

TESTS = 3 + len(STALLS)
"""Number of tests in this module; a run with fewer has failed."""

STALL_SHARE = 10  # every so many-th vector is played under each pattern of stalls
MIN_STALLED = 32
RESET_ROUNDS = 6
LATENCY_ITEMS = 3


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """Every vector, one beat a cycle; while every result is taken at once, the DUT must keep up."""
    bench = StreamBench(dut)
    await bench.start()
    refused = await bench.play(np.arange(bench.stimulus.items), FULL_RATE)
    if refused and bench.handshake.full_rate:
        bench.scoreboard.fail(
            f"full_rate: {bench.handshake.in_ready} was low in {refused} clock cycles although every result was taken "
            "at once; the unit promises one beat a cycle"
        )
    bench.finish()


@cocotb.test()
@cocotb.parametrize(scenario=[cocotb.Param(value=each, name=each.name) for each in STALLS])
async def stalls(dut: Any, scenario: Scenario) -> None:
    """A sample of vectors from all classes under gaps and back-pressure."""
    bench = StreamBench(dut)
    await bench.start()
    await bench.play(bench.sample(scenario.name, STALL_SHARE, MIN_STALLED), scenario)
    bench.finish()


@cocotb.test()
async def latency(dut: Any) -> None:
    """The cycles from the last beat to the result, where the description promises a number."""
    bench = StreamBench(dut)
    promised = bench.description.latency(bench.configuration)
    await bench.start()
    for item in bench.sample("latency", bench.stimulus.items, LATENCY_ITEMS).tolist():
        cycles = await bench.latency(item)
        if promised is not None and cycles is not None and cycles != promised:
            bench.scoreboard.fail(
                f"latency: the result of {bench.scoreboard.name(item)} came {cycles} cycles after its last beat; "
                f"the description promises {promised}"
            )
    bench.finish()


@cocotb.test()
async def reset_in_mid_stream(dut: Any) -> None:
    """Reset drops what is in flight, nothing of it appears later, and the next stream is right at once."""
    bench = StreamBench(dut)
    await bench.start()
    if bench.reset_pin is None:
        return
    rng = random.Random(f"{bench.settings.seed}/reset")
    longest = int(np.diff(bench.stimulus.bounds).max())
    capacity = bench.description.capacity(bench.configuration)
    # Only a design that waits for ready can be closed.
    out_valid = getattr(dut, bench.handshake.out_valid) if bench.handshake.out_ready else None
    for round_ in range(RESET_ROUNDS):
        is_closed = bench.handshake.is_stream and round_ < len(CLOSED)
        scenario = CLOSED[round_] if is_closed else rng.choice((FULL_RATE, *STALLS))
        items = bench.sample(f"cut {round_}", STALL_SHARE, MIN_STALLED)
        await bench.play_and_cut(items, scenario, DRAIN_CYCLES + longest if is_closed else rng.randint(5, 60))
        if out_valid is not None and is_closed and out_valid.value != Logic(1):
            bench.scoreboard.fail(
                f"closed output: {bench.handshake.out_valid} stays low while {bench.handshake.out_ready} is low; "
                "an offer must not wait for it"
            )
        if is_closed and (taken := bench.driver.accepted) < capacity:
            bench.scoreboard.fail(
                f"{scenario.name}: {taken} beats were taken while no result was; the description promises {capacity}"
            )
        await bench.reset(rng.randint(2, 4))
        # Every other round goes on at once, so that old and new data meet if they can.
        if round_ % 2 == 0 and (stale := await bench.watch(DRAIN_CYCLES)):
            bench.scoreboard.fail(f"reset: {stale} results appeared after a reset although nothing had been sent")
        restart = bench.sample(f"restart {round_}", STALL_SHARE, MIN_STALLED)[:MIN_STALLED]
        await bench.play(restart, rng.choice((FULL_RATE, *STALLS)))
    bench.finish()
