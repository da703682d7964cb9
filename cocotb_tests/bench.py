"""The bench around one DUT: clock, reset, driver, monitor, scoreboard, watchdog, and how streams play."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer, select
from cocotb.types import Logic, LogicArray
from numpy.typing import NDArray

from cocotb_tests.drivers import FixedLatencyDriver, StartDoneDriver, StreamDriver
from cocotb_tests.handles import handle
from cocotb_tests.monitors import StreamMonitor
from cocotb_tests.operations import FAMILIES
from cocotb_tests.patterns import FULL_RATE, LONGEST_STALL_CYCLES, Scenario
from cocotb_tests.port_values import PortValues, misfits, named_ports, port_values
from cocotb_tests.protocol import ProtocolError
from cocotb_tests.scoreboard import Scoreboard
from cocotb_tests.settings import Settings
from cocotb_tests.standstill import Standstill
from cocotb_tests.stimulus import Stimulus
from refmodel.conformance import Configuration, Description, load_description
from refmodel.conformance.alternatives import alternatives
from refmodel.writing import write_json

PERIOD_NS = 2
WATCHDOG_CYCLES = 5 * LONGEST_STALL_CYCLES
DRAIN_CYCLES = 64
"""How long a stream is watched for surplus results: well beyond any pipeline here."""

RESET_CYCLES = 4
_LONGEST_TRACE = 400


@dataclass(frozen=True)
class Session:
    """What all tests of a simulation share.

    Attributes:
        settings: From the run.
        description, configuration: What is simulated.
        values: The vectors as port values.
        stimulus: The same as the driver plays them.
        scoreboard: What became of them.
    """

    settings: Settings
    description: Description
    configuration: Configuration
    values: PortValues
    stimulus: Stimulus
    scoreboard: Scoreboard


@cache
def session(dut: Any) -> Session:
    """Return the session of this simulation; it begins with a look at the ports of the design."""
    settings = Settings.from_environment()
    description = load_description(settings.description)
    if settings.alternative is not None:
        description = alternatives(description)[settings.alternative].description
    configuration = next(each for each in description.configurations if each.name == settings.configuration)
    family = FAMILIES[description.operation.name]
    items = family.read(configuration, Path(settings.vectors))
    handles = {port: handle(dut, port) for port in named_ports(description, configuration)}
    widths = {port: len(found) for port, found in handles.items() if found is not None}
    unfit = misfits(widths, description, configuration)
    if unfit:
        scoreboard = Scoreboard(np.zeros((0, 1), np.uint32), [], np.zeros(0, np.int64), lambda item, seen: [], "", "")
        scoreboard.unfit += unfit
        scoreboard.write(Path(settings.result))
        raise AssertionError("the design does not fit its description")
    values = port_values(items, description, configuration, widths)

    def explain(item: int, seen: NDArray[np.uint32]) -> list[str]:
        return values.explain(item, seen, full=settings.vector is not None)

    scoreboard = Scoreboard(
        values.expected, items.classes, items.class_of, explain, configuration.rule_name, settings.replay,
    )  # fmt: skip
    return Session(settings, description, configuration, values, Stimulus(values.inputs, values.bounds), scoreboard)


def sample_items(items: int, seed: int, name: str, share: int, least: int) -> NDArray[np.int64]:
    """Return every *share*-th of so many items, evenly spread in ascending order, with an offset for each *name*."""
    count = min(items, max(least, items // share))
    offset = random.Random(f"{seed}/{name}").random()
    return ((np.arange(count) + offset) * items / count).astype(np.int64)


class StreamBench:
    """Clock, driver and monitor around a design; made anew for each test."""

    def __init__(self, dut: Any) -> None:
        shared = session(dut)
        self.settings, self.description, self.configuration = (
            shared.settings, shared.description, shared.configuration,
        )  # fmt: skip
        self.stimulus, self.scoreboard = shared.stimulus, shared.scoreboard
        self.handshake = self.description.handshake
        self._dut = dut
        reset = self.description.reset
        self.clock = getattr(dut, self.description.clock)
        self.reset_pin = None if reset is None else getattr(dut, reset.port)
        self._in_reset = Logic(0 if reset is None or reset.active == "low" else 1)
        self.result_ports = list(shared.values.outputs)
        self._edge = RisingEdge(self.clock)
        self._values = shared.values
        self._transfers = self.description.transfers(self.handshake.out_data, self.configuration)
        self.monitor = StreamMonitor(dut, self.description, self.result_ports, self._transfers)
        self.driver = self._make_driver()
        self._out_valid, self._out_ready = (
            getattr(dut, name) if name else None for name in (self.handshake.out_valid, self.handshake.out_ready)
        )
        self._standstill = Standstill(self._progress, self._stand_still)
        self._problems_before = self.scoreboard.problems
        self._noted: list[dict[str, str]] = []

    def _make_driver(self) -> StreamDriver:
        """Return the driver for the protocol."""
        described, ports = self.description, self.stimulus.ports
        if self.handshake.protocol == "fixed_latency":
            latency = described.latency(self.configuration)
            assert latency is not None, "the protocol has a latency"
            return FixedLatencyDriver(self._dut, described, ports, self.monitor, latency)
        if self.handshake.protocol == "start_done":
            return StartDoneDriver(self._dut, described, ports, self.monitor)
        return StreamDriver(self._dut, described, ports)

    async def start(self, *, drive: bool = True) -> None:
        """Start the clock and reset the DUT; without *drive*, with nothing on the ports of both streams."""
        self._tie()
        if self.settings.trace is not None:
            cocotb.start_soon(self._trace())
        if self.reset_pin is not None:
            self.reset_pin.value = self._in_reset
        if drive:
            self.driver.idle()
        Clock(self.clock, PERIOD_NS, unit="ns").start()
        if drive:
            await self.reset(RESET_CYCLES)
        else:
            await self._cycles(RESET_CYCLES)
            if self.reset_pin is not None:
                self.reset_pin.value = ~self._in_reset

    async def _trace(self) -> None:
        """Note what every port shows before each clock edge."""
        while True:
            await self._edge
            self._note()

    def _note(self) -> None:
        if self.settings.trace is not None and len(self._noted) < _LONGEST_TRACE:
            ports = named_ports(self.description, self.configuration)
            self._noted.append({name: str(handle(self._dut, name).value) for name in ports})

    def _tie(self) -> None:
        """Drive the ports that are held at a value."""
        for port, value in self.description.ties.items():
            tied = getattr(self._dut, port)
            tied.value = LogicArray.from_unsigned(value, len(tied))

    async def reset(self, cycles: int) -> None:
        """Hold the reset for *cycles* (>= 2) rising edges, with nothing offered and nothing taken.

        A design without reset is left idle until whatever is in it has come out.
        """
        self.driver.idle()
        if self._out_ready is not None:
            self._out_ready.value = 0 if self.reset_pin is not None else 1
        if self.reset_pin is None:
            await self._cycles(DRAIN_CYCLES)
            return
        self.reset_pin.value = self._in_reset
        for _ in range(cycles):
            await self._edge
        # The first of those edges has reset the outputs; what is read here is what the last one sampled.
        if self._out_valid is not None and (valid := self._out_valid.value) != Logic(0):
            self.scoreboard.fail(
                f"reset: {self.handshake.out_valid} is {valid} in reset; it must be 0 after one clock edge"
            )
        self.reset_pin.value = ~self._in_reset

    async def play(self, items: NDArray[np.int64], scenario: Scenario) -> int:
        """Play *items* through the DUT from its present state, and let the scoreboard judge every result.

        Returns:
            The number of clock cycles in which the DUT refused an offered beat.

        Each new mismatch that will be reported in full is played again alone after a reset, which tells a
        wrong calculation from one that depends on what came before.
        """
        return await self._play(items, scenario, cut_after=None)

    async def play_and_cut(self, items: NDArray[np.int64], scenario: Scenario, cycles: int) -> None:
        """Play *items* for so many clock cycles only; the results until then are judged."""
        await self._play(items, scenario, cut_after=cycles)

    async def collect(self) -> list[dict[str, list[int]]]:
        """Play every item at full rate, and return the codes of each result by role, unjudged.

        Raises:
            ProtocolError: If the stream breaks, or a result has bits that are neither 0 nor 1.
        """
        results, failure, _ = await self._stream(np.arange(self.stimulus.items), FULL_RATE, cut_after=None)
        if failure:
            raise ProtocolError(failure)
        codes = self._values.codes(results)
        return [{role: rows[i].tolist() for role, rows in codes.items()} for i in range(len(results))]

    async def watch(self, cycles: int) -> int:
        """Offer nothing, take everything, and return how many results came in so many clock cycles."""
        self.monitor.start(0, FULL_RATE.take.cycles(""))
        try:
            await select(self._cycles(cycles), self.monitor.run())
        except ProtocolError as error:
            self.scoreboard.fail(f"idle after a reset: {error}")
        return len(self.monitor.results)

    async def latency(self, item: int) -> int | None:
        """Play one item in the idle design; return the cycles from its last beat to its result, None without one."""
        await self._stream(np.array([item]), FULL_RATE, cut_after=None)
        if not self.monitor.results:
            return None
        return round((self.monitor.completed_at - self.driver.sent_at) / PERIOD_NS)

    def judge(
        self, items: NDArray[np.int64], results: Sequence[Mapping[str, int]], scenario: str, seconds: float
    ) -> None:
        """Let the scoreboard judge results that came another way: by result port, the value of each."""
        sizes = {port: -(-len(getattr(self._dut, port)) // 32) * 4 for port in self.result_ports}
        rows = [result[port].to_bytes(size, "little") for result in results for port, size in sizes.items()]
        seen = np.frombuffer(b"".join(rows), "<u4").astype(np.uint32).reshape(len(results), -1)
        for item, wrong in self.scoreboard.compare(items, seen, scenario, seconds):
            self.scoreboard.explain(item, wrong, None)

    def finish(self) -> None:
        """Write the tally, and fail the test if the scoreboard found anything in it."""
        self.scoreboard.write(Path(self.settings.result))
        if self.settings.trace is not None:
            write_json(Path(self.settings.trace), self._noted)
        new = self.scoreboard.problems - self._problems_before
        assert not new, f"{new} problems; see the report"

    def sample(self, name: str, share: int, least: int) -> NDArray[np.int64]:
        """Return every *share*-th item, evenly spread in ascending order, with an offset for each *name*."""
        return sample_items(self.stimulus.items, self.settings.seed, name, share, least)

    async def _play(self, items: NDArray[np.int64], scenario: Scenario, cut_after: int | None) -> int:
        results, failure, seconds = await self._stream(items, scenario, cut_after)
        refused = self.driver.refused_cycles if self.handshake.in_ready else 0
        fresh = self.scoreboard.compare(items, results, scenario.name, seconds)
        if failure:
            self.scoreboard.fail(f"{scenario.name}: {failure}")
        for item, seen in fresh:
            await self.reset(RESET_CYCLES)
            alone, _, _ = await self._stream(np.array([item]), FULL_RATE, cut_after=None)
            self.scoreboard.explain(item, seen, alone[0] if len(alone) else None)
        return refused

    async def _stream(
        self, items: NDArray[np.int64], scenario: Scenario, cut_after: int | None
    ) -> tuple[NDArray[np.uint32], str | None, float]:
        """Return the results, what broke the stream if anything did, and the processor seconds it took."""
        beats = self.stimulus.beats_of(items)
        seed = f"{self.settings.seed}/{scenario.name}/{len(items)}"
        self.monitor.start(len(items), scenario.take.cycles(f"{seed}/take"))
        offer = scenario.offer.cycles(f"{seed}/offer")

        async def send_and_drain() -> None:
            await self.driver.send(self.stimulus, beats, offer)
            await self.monitor.complete.wait()
            self.monitor.open()
            await self._cycles(DRAIN_CYCLES)

        running = [send_and_drain(), self.monitor.run(), self._watchdog(items, beats)]
        if cut_after is not None:
            running.append(self._cycles(cut_after))
        failure = None
        began = time.process_time()
        try:
            with self._standstill:
                await select(*running)
        except ProtocolError as error:
            failure = str(error)
        seconds = time.process_time() - began
        results, unknown = self.monitor.values()
        return results, failure or unknown, seconds

    async def _cycles(self, count: int) -> None:
        for _ in range(count):
            await self._edge

    async def _watchdog(self, items: NDArray[np.int64], beats: list[int]) -> None:
        """Raise a ProtocolError once neither side has transferred anything for so long that the design hangs."""
        patience = Timer(self._patience * PERIOD_NS, unit="ns")
        before = None
        while before != (now := self._progress()):
            before = now
            await patience
        raise ProtocolError(f"hung: no transfer for {self._patience} clock cycles; {self._state(items, beats)}")

    @property
    def _patience(self) -> int:
        """Clock cycles without a transfer after which the design hangs."""
        return max(self.handshake.timeout, WATCHDOG_CYCLES)

    def _progress(self) -> tuple[int, int]:
        """Return the transfers of both sides."""
        return self.driver.accepted, len(self.monitor.results)

    def _stand_still(self, seconds: float) -> None:
        """Write down that the simulator is stuck where no simulated time passes."""
        offered = self.driver.offered
        where = "nothing was offered" if offered is None else self.scoreboard.name(self.stimulus.item_of(offered))
        self.scoreboard.fail(
            f"hung: no transfer for {seconds:.0f} seconds in which the simulator ran, last offered: {where}; "
            "look for a loop without a register or a delay"
        )
        self.scoreboard.write(Path(self.settings.result))

    def _state(self, items: NDArray[np.int64], beats: list[int]) -> str:
        """Return what has been transferred, what is on the ports, and what is waited for."""
        accepted, transfers = self._progress()
        seen = transfers // self._transfers
        # The beat on the ports if it was refused, else the last that was accepted.
        beat = self.driver.offered
        shown = "nothing was offered"
        if beat is not None:
            state = "last accepted" if accepted == len(beats) else "now offered"
            where = self.scoreboard.name(self.stimulus.item_of(beat))
            shown = f"{state}: beat {self.stimulus.place_of(beat)} of {where}"
        waits = "all results seen"
        if seen < len(items):
            waits = f"waiting for the result of {self.scoreboard.name(int(items[seen]))}"
        names = [name for name in (self.handshake.in_ready, self.handshake.out_valid) if name]
        pins = ", ".join(f"{name} is {getattr(self._dut, name).value}" for name in names)
        return (
            f"{accepted} of {len(beats)} beats accepted, {shown}; "
            f"{seen} of {len(items)} results seen, {waits}; {pins}"
        )


class CombinationalBench(StreamBench):
    """A design without a clock: its inputs are set, and its outputs read a while later."""

    def __init__(self, dut: Any) -> None:
        shared = session(dut)
        self.settings, self.description, self.configuration = (
            shared.settings, shared.description, shared.configuration,
        )  # fmt: skip
        self.stimulus, self.scoreboard = shared.stimulus, shared.scoreboard
        self.handshake = self.description.handshake
        self.result_ports = list(shared.values.outputs)
        self._dut, self._values, self._transfers = dut, shared.values, 1
        self._inputs = [handle(dut, port) for port in shared.stimulus.ports]
        self.monitor = StreamMonitor(dut, self.description, self.result_ports)
        self._sent: int | None = None
        self._standstill = Standstill(self._progress, self._stand_still)
        self._problems_before = self.scoreboard.problems
        self._noted: list[dict[str, str]] = []

    async def start(self, *, drive: bool = True) -> None:
        """Drive the ports that are held at a value."""
        self._tie()

    async def reset(self, cycles: int) -> None:
        """Do nothing: there is nothing to reset."""

    def _progress(self) -> tuple[int, int]:
        return 0, len(self.monitor.results)

    def _stand_still(self, seconds: float) -> None:
        where = "nothing was set" if self._sent is None else self.scoreboard.name(self._sent)
        self.scoreboard.fail(
            f"hung: no result for {seconds:.0f} seconds in which the simulator ran, last set: {where}; "
            "look for a loop without a register or a delay"
        )
        self.scoreboard.write(Path(self.settings.result))

    async def _stream(
        self, items: NDArray[np.int64], scenario: Scenario, cut_after: int | None
    ) -> tuple[NDArray[np.uint32], str | None, float]:
        began = time.process_time()
        self.monitor.start(len(items), FULL_RATE.take.cycles(""))
        with self._standstill:
            for item, beat in zip(items.tolist(), self.stimulus.beats_of(items), strict=True):
                self._sent = item
                for port, value in zip(self._inputs, self.stimulus.beats[beat], strict=True):
                    port.value = value
                await Timer(PERIOD_NS, unit="ns")
                self.monitor.record()
                self._note()
        results, unknown = self.monitor.values()
        return results, unknown, time.process_time() - began


def make_bench(dut: Any) -> StreamBench:
    """Return the bench for the protocol of the design."""
    combinational = session(dut).description.handshake.protocol == "combinational"
    return CombinationalBench(dut) if combinational else StreamBench(dut)
