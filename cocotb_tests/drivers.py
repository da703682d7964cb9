"""Drivers of the operand side: they offer beats under a pattern of gaps and keep to the rules of the handshake."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotb.types import Logic, LogicArray
from cocotb.utils import get_sim_time

from cocotb_tests.handles import handle
from cocotb_tests.monitors import StreamMonitor
from cocotb_tests.protocol import ProtocolError
from cocotb_tests.stimulus import Stimulus
from refmodel.conformance import Description

ZERO, ONE = Logic(0), Logic(1)


class StreamDriver:
    """Drives valid and the operand ports of a design, one beat a transfer; without ready every offer is taken.

    Once offered, a beat stays on the ports until it is accepted. In a gap valid is low and the operand ports
    carry what must not matter: X where the simulator has it, else all ones, which are NaN scales and marks of
    both ends.

    Attributes:
        accepted: Number of beats accepted since the last `send` began.
        refused_cycles: Number of clock cycles since then in which a beat was offered and not accepted.
        offered: The beat on the ports, or the last one that was; None before the first.
        sent_at: Time in ns at which the last beat was accepted.
    """

    def __init__(self, dut: Any, description: Description, ports: Sequence[str]) -> None:
        handshake = description.handshake
        self._edge = RisingEdge(getattr(dut, description.clock))
        self._valid, self._ready = (
            getattr(dut, name) if name else None for name in (handshake.in_valid, handshake.in_ready)
        )
        self._ready_name, self._interval = handshake.in_ready, handshake.interval
        self._data = [handle(dut, port) for port in ports]
        filler = "X" if cocotb.SIM_NAME.startswith("Icarus") else "1"
        self._filler = [(port, LogicArray(filler * len(port))) for port in self._data]
        self.accepted = 0
        self.refused_cycles = 0
        self.offered: int | None = None
        self.sent_at = 0.0

    def idle(self) -> None:
        """Drive valid low and the filler on the operand ports."""
        if self._valid is not None:
            self._valid.value = ZERO
        for port, value in self._filler:
            port.value = value

    async def send(self, stimulus: Stimulus, beats: Sequence[int], pattern: Iterator[bool]) -> None:
        """Send *beats* in order, each offered from the first cycle in which *pattern* is open; then go idle.

        Must be called just after a rising edge (or with the clock stopped), and returns just after one.

        Raises:
            ProtocolError: If ready is neither 0 nor 1.
        """
        if self._ready is None:
            await self._send_without_ready(stimulus, beats, pattern)
            return
        edge, valid, ready, data, values = self._edge, self._valid, self._ready, self._data, stimulus.beats
        assert valid is not None, "a design with ready has valid"
        self.accepted = 0
        self.refused_cycles = 0
        offering = False
        for beat in beats:
            while not next(pattern):
                if offering:
                    self.idle()
                    offering = False
                await edge
            for port, value in zip(data, values[beat], strict=True):
                port.value = value
            if not offering:
                valid.value = ONE
                offering = True
            self.offered = beat
            await edge
            # Right after the edge the ports still show what the edge sampled.
            while (seen := ready.value) is not ONE:
                if seen is not ZERO:
                    where = f"beat {stimulus.place_of(beat)} of item {stimulus.item_of(beat)}"
                    raise ProtocolError(f"{self._ready_name} is {seen} while {where} is offered; it must be 0 or 1")
                self.refused_cycles += 1
                await edge
            self.accepted += 1
        self.sent_at = get_sim_time("ns")
        self.idle()

    async def _send_without_ready(self, stimulus: Stimulus, beats: Sequence[int], pattern: Iterator[bool]) -> None:
        self.accepted = 0
        for beat in beats:
            while not next(pattern):
                self.idle()
                await self._edge
            self._offer(stimulus, beat)
            await self._edge
            self.accepted += 1
            self.sent_at = get_sim_time("ns")
            for _ in range(self._interval - 1):
                self.idle()
                await self._edge
        self.idle()

    def _offer(self, stimulus: Stimulus, beat: int) -> None:
        """Drive a beat, and valid high."""
        for port, value in zip(self._data, stimulus.beats[beat], strict=True):
            port.value = value
        if self._valid is not None:
            self._valid.value = ONE
        self.offered = beat


class FixedLatencyDriver(StreamDriver):
    """Drives a design that nothing tells when a result is there: it is read so many cycles after its last beat."""

    def __init__(
        self, dut: Any, description: Description, ports: Sequence[str], monitor: StreamMonitor, latency: int
    ) -> None:
        super().__init__(dut, description, ports)
        self._monitor, self._latency = monitor, latency

    async def send(self, stimulus: Stimulus, beats: Sequence[int], pattern: Iterator[bool]) -> None:
        """Send *beats* as those without ready are, and record the result of every item when it is due."""
        self.accepted = 0
        due: deque[int] = deque()
        cycle = next_cycle = 0
        left = deque(beats)
        while left or due:
            offers = bool(left) and cycle >= next_cycle and next(pattern)
            if offers:
                self._offer(stimulus, left[0])
            else:
                self.idle()
            await self._edge
            if offers:
                beat = left.popleft()
                self.accepted += 1
                next_cycle = cycle + self._interval
                if stimulus.ends(beat):
                    self.sent_at = get_sim_time("ns")
                    due.append(cycle + self._latency)
            # Right after the edge the ports still show what the edge sampled.
            if due and due[0] == cycle:
                due.popleft()
                self._monitor.record()
            cycle += 1
        self.idle()


class StartDoneDriver(StreamDriver):
    """Drives a design that is started by a pulse and says when it is done; operands stay until then."""

    def __init__(self, dut: Any, description: Description, ports: Sequence[str], monitor: StreamMonitor) -> None:
        super().__init__(dut, description, ports)
        self._monitor = monitor
        self._done, self._done_name = getattr(dut, description.handshake.out_valid), description.handshake.out_valid

    async def send(self, stimulus: Stimulus, beats: Sequence[int], pattern: Iterator[bool]) -> None:
        """Start every beat when the one before is done, and record the result when the last of an item is.

        Raises:
            ProtocolError: If done is neither 0 nor 1.
        """
        self.accepted = 0
        assert self._valid is not None, "the protocol has a start"
        for beat in beats:
            while not next(pattern):
                await self._edge
            self._offer(stimulus, beat)
            await self._edge
            self.sent_at = get_sim_time("ns")
            self._valid.value = ZERO
            await self._edge
            # done counts from the edge after that which samples start.
            while (done := self._done.value) is not ONE:
                if done is not ZERO:
                    raise ProtocolError(
                        f"{self._done_name} is {done} after the start of item {stimulus.item_of(beat)}; "
                        "it must be 0 or 1"
                    )
                await self._edge
            self.accepted += 1
            if stimulus.ends(beat):
                self._monitor.record()
            self.idle()
