"""The bench around one DUT: clock, reset, driver, monitor, scoreboard, watchdog, and how streams play."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer, select
from cocotb.types import Logic
from numpy.typing import NDArray

from cocotb_tests.drivers import StreamDriver
from cocotb_tests.monitors import StreamMonitor
from cocotb_tests.patterns import FULL_RATE, LONGEST_STALL_CYCLES, Scenario
from cocotb_tests.protocol import ProtocolError
from cocotb_tests.scoreboard import Scoreboard
from cocotb_tests.settings import Settings
from cocotb_tests.stimulus import Stimulus
from cocotb_tests.units import get_unit
from refmodel.vectors.files import read_dot_vectors

PERIOD_NS = 2
WATCHDOG_CYCLES = 5 * LONGEST_STALL_CYCLES
DRAIN_CYCLES = 64
"""How long a stream is watched for surplus results: well beyond any pipeline here."""

RESET_CYCLES = 4


@cache
def session() -> tuple[Settings, Stimulus, Scoreboard]:
    """Return settings, stimulus and scoreboard of this simulation, which all its tests share."""
    settings = Settings.from_environment()
    vectors = read_dot_vectors(settings.vectors)
    scoreboard = Scoreboard(vectors, settings.replay, full_reports=settings.vector is not None)
    return settings, Stimulus(vectors), scoreboard


class StreamBench:
    """Clock, driver and monitor around a unit with the stream ports of mx_dot; made anew for each test."""

    def __init__(self, dut: Any) -> None:
        self.settings, self.stimulus, self.scoreboard = session()
        self._dut = dut
        self._edge = RisingEdge(dut.clk_i)
        self.driver = StreamDriver(dut, marks_blocks=get_unit(self.settings.unit).marks_blocks)
        self.monitor = StreamMonitor(dut)
        self._problems_before = self.scoreboard.problems

    async def start(self) -> None:
        """Start the clock and reset the DUT."""
        self._dut.rst_ni.value = 0
        self.driver.idle()
        Clock(self._dut.clk_i, PERIOD_NS, unit="ns").start()
        await self.reset(RESET_CYCLES)

    async def reset(self, cycles: int) -> None:
        """Hold the reset for *cycles* (>= 2) rising edges, with nothing offered and nothing taken."""
        self._dut.rst_ni.value = 0
        self._dut.ready_i.value = 0
        self.driver.idle()
        for _ in range(cycles):
            await self._edge
        # The first of those edges has reset the outputs; what is read here is what the last one sampled.
        if (valid := self._dut.valid_o.value) != Logic(0):
            self.scoreboard.fail(f"reset: valid_o is {valid} in reset; it must be 0 after one clock edge")
        self._dut.rst_ni.value = 1

    async def play(self, dots: NDArray[np.int64], scenario: Scenario) -> int:
        """Play *dots* through the DUT from its present state, and let the scoreboard judge every result.

        Returns:
            The number of clock cycles in which the DUT refused an offered block.

        Each new mismatch that will be reported in full is played again alone after a reset, which tells a
        wrong calculation from one that depends on what came before.
        """
        return await self._play(dots, scenario, cut_after=None)

    async def play_and_cut(self, dots: NDArray[np.int64], scenario: Scenario, cycles: int) -> None:
        """Play *dots* for so many clock cycles only; the results until then are judged."""
        await self._play(dots, scenario, cut_after=cycles)

    async def watch(self, cycles: int) -> int:
        """Offer nothing, take everything, and return how many results came in so many clock cycles."""
        self.monitor.start(0, FULL_RATE.take.cycles(""))
        try:
            await select(self._cycles(cycles), self.monitor.run())
        except ProtocolError as error:
            self.scoreboard.fail(f"idle after a reset: {error}")
        return len(self.monitor.results)

    def finish(self) -> None:
        """Write the tally, and fail the test if the scoreboard found anything in it."""
        self.scoreboard.write(Path(self.settings.result))
        new = self.scoreboard.problems - self._problems_before
        assert not new, f"{new} problems; see the report"

    async def _play(self, dots: NDArray[np.int64], scenario: Scenario, cut_after: int | None) -> int:
        results, failure, seconds = await self._stream(dots, scenario, cut_after)
        refused = self.driver.refused_cycles
        fresh = self.scoreboard.compare(dots, results, scenario.name, seconds)
        if failure:
            self.scoreboard.fail(f"{scenario.name}: {failure}")
        for dot, seen in fresh:
            await self.reset(RESET_CYCLES)
            alone, _, _ = await self._stream(np.array([dot]), FULL_RATE, cut_after=None)
            self.scoreboard.explain(dot, seen, alone[0] if alone else None)
        return refused

    async def _stream(
        self, dots: NDArray[np.int64], scenario: Scenario, cut_after: int | None
    ) -> tuple[list[int], str | None, float]:
        """Return the results, what broke the stream if anything did, and the wall-clock seconds it took."""
        blocks = self.stimulus.blocks_of(dots)
        seed = f"{self.settings.seed}/{scenario.name}/{len(dots)}"
        self.monitor.start(len(dots), scenario.take.cycles(f"{seed}/take"))
        offer = scenario.offer.cycles(f"{seed}/offer")

        async def send_and_drain() -> None:
            await self.driver.send(self.stimulus, blocks, offer)
            await self.monitor.complete.wait()
            self.monitor.open()
            await self._cycles(DRAIN_CYCLES)

        running = [send_and_drain(), self.monitor.run(), self._watchdog(dots, blocks)]
        if cut_after is not None:
            running.append(self._cycles(cut_after))
        failure = None
        began = time.perf_counter()
        try:
            await select(*running)
        except ProtocolError as error:
            failure = str(error)
        seconds = time.perf_counter() - began
        results, unknown = self.monitor.values()
        return results, failure or unknown, seconds

    async def _cycles(self, count: int) -> None:
        for _ in range(count):
            await self._edge

    async def _watchdog(self, dots: NDArray[np.int64], blocks: list[int]) -> None:
        """Raise a ProtocolError once neither side has transferred anything for WATCHDOG_CYCLES."""
        patience = Timer(WATCHDOG_CYCLES * PERIOD_NS, unit="ns")
        before = None
        while before != (now := (self.driver.accepted, len(self.monitor.results))):
            before = now
            await patience
        accepted, seen = now
        # The block on the ports if it was refused, else the last that was accepted.
        block = self.driver.offered
        shown = "nothing was offered"
        if block is not None:
            state = "last accepted" if accepted == len(blocks) else "now offered"
            shown = f"{state}: block {block} of {self.scoreboard.name(self.stimulus.dot_of(block))}"
        waits = "all results seen"
        if seen < len(dots):
            waits = f"waiting for the result of {self.scoreboard.name(int(dots[seen]))}"
        raise ProtocolError(
            f"hung: no transfer for {WATCHDOG_CYCLES} clock cycles; "
            f"{accepted} of {len(blocks)} blocks accepted, {shown}; "
            f"{seen} of {len(dots)} results seen, {waits}; "
            f"ready_o is {self._dut.ready_o.value}, valid_o is {self._dut.valid_o.value}"
        )
