"""Driver of the operand side: offers beats under a pattern of gaps and keeps to the valid/ready rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotb.types import Logic, LogicArray
from cocotb.utils import get_sim_time

from cocotb_tests.protocol import ProtocolError
from cocotb_tests.stimulus import Stimulus
from refmodel.conformance import Description

ZERO, ONE = Logic(0), Logic(1)


class StreamDriver:
    """Drives valid and the operand ports of a design, one beat a transfer.

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
        self._valid, self._ready = getattr(dut, handshake.in_valid), getattr(dut, handshake.in_ready)
        self._ready_name = handshake.in_ready
        self._data = [getattr(dut, port) for port in ports]
        filler = "X" if cocotb.SIM_NAME.startswith("Icarus") else "1"
        self._filler = [(port, LogicArray(filler * len(port))) for port in self._data]
        self.accepted = 0
        self.refused_cycles = 0
        self.offered: int | None = None
        self.sent_at = 0.0

    def idle(self) -> None:
        """Drive valid low and the filler on the operand ports."""
        self._valid.value = ZERO
        for port, value in self._filler:
            port.value = value

    async def send(self, stimulus: Stimulus, beats: Sequence[int], pattern: Iterator[bool]) -> None:
        """Send *beats* in order, each offered from the first cycle in which *pattern* is open; then go idle.

        Must be called just after a rising edge (or with the clock stopped), and returns just after one.

        Raises:
            ProtocolError: If ready is neither 0 nor 1.
        """
        edge, valid, ready, data, values = self._edge, self._valid, self._ready, self._data, stimulus.beats
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
