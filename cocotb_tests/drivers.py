"""Driver of the operand side: offers blocks under a pattern of gaps and keeps to the valid/ready rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotb.types import Logic, LogicArray

from cocotb_tests.protocol import ProtocolError
from cocotb_tests.stimulus import Stimulus

ZERO, ONE = Logic(0), Logic(1)


class StreamDriver:
    """Drives valid_i and the operand ports of a unit, one block a transfer.

    Once offered, a block stays on the ports until it is accepted. In a gap valid_i is low and the operand
    ports carry what must not matter: X where the simulator has it, else NaN scales under all-ones codes with
    both block marks set.

    Attributes:
        accepted: Number of blocks accepted since the last `send` began.
        refused_cycles: Number of clock cycles since then in which a block was offered and not accepted.
        offered: The block on the ports, or the last one that was; None before the first.
    """

    def __init__(self, dut: Any, *, marks_blocks: bool) -> None:
        self._edge = RisingEdge(dut.clk_i)
        self._valid, self._ready = dut.valid_i, dut.ready_o
        self._data = [dut.a_elements_i, dut.a_scale_i, dut.b_elements_i, dut.b_scale_i]
        dut.c_i.value = 0  # no accumulator input yet
        self._marks = [dut.first_i, dut.last_i] if marks_blocks else []
        filler = "X" if cocotb.SIM_NAME.startswith("Icarus") else "1"
        self._filler = [(port, LogicArray(filler * len(port))) for port in self._data + self._marks]
        self.accepted = 0
        self.refused_cycles = 0
        self.offered: int | None = None

    def idle(self) -> None:
        """Drive valid_i low and the filler on the operand ports."""
        self._valid.value = ZERO
        for port, value in self._filler:
            port.value = value

    async def send(self, stimulus: Stimulus, blocks: Sequence[int], pattern: Iterator[bool]) -> None:
        """Send *blocks* in order, each offered from the first cycle in which *pattern* is open; then go idle.

        Must be called just after a rising edge (or with the clock stopped), and returns just after one.

        Raises:
            ProtocolError: If ready_o is neither 0 nor 1.
        """
        edge, valid, ready = self._edge, self._valid, self._ready
        a_elements_i, a_scale_i, b_elements_i, b_scale_i = self._data
        a_elements, a_scale, b_elements, b_scale = (
            stimulus.a_elements, stimulus.a_scale, stimulus.b_elements, stimulus.b_scale,
        )  # fmt: skip
        marks = list(zip(self._marks, (stimulus.first, stimulus.last), strict=False))
        self.accepted = 0
        self.refused_cycles = 0
        offering = False
        for block in blocks:
            while not next(pattern):
                if offering:
                    self.idle()
                    offering = False
                await edge
            a_elements_i.value = a_elements[block]
            a_scale_i.value = a_scale[block]
            b_elements_i.value = b_elements[block]
            b_scale_i.value = b_scale[block]
            for port, values in marks:
                port.value = values[block]
            if not offering:
                valid.value = ONE
                offering = True
            self.offered = block
            await edge
            # Right after the edge the ports still show what the edge sampled.
            while (seen := ready.value) is not ONE:
                if seen is not ZERO:
                    raise ProtocolError(
                        f"ready_o is {seen} while block {block} is offered; it must be 0 or 1"
                    )
                self.refused_cycles += 1
                await edge
            self.accepted += 1
        self.idle()
