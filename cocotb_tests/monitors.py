"""Monitor of the result side: takes results under a pattern of back-pressure and checks the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
from cocotb.triggers import Event, RisingEdge
from cocotb.types import Logic, LogicArray
from cocotb.utils import get_sim_time
from numpy.typing import NDArray

from cocotb_tests.handles import handle
from cocotb_tests.protocol import ProtocolError
from refmodel.conformance import Description

Seen: TypeAlias = tuple[LogicArray | Logic, ...]
"""A result as read: the value of every result port."""

ZERO, ONE = Logic(0), Logic(1)


class StreamMonitor:
    """Drives ready and records each result that is transferred.

    Attributes:
        results: The results since the last `start`, as read, of a narrow bus its transfers; `values` makes
            integers of them.
        complete: Set when the expected number of results has been seen.
        completed_at: Time in ns of that.
    """

    def __init__(self, dut: Any, description: Description, ports: Sequence[str], transfers: int = 1) -> None:
        handshake = description.handshake
        self._edge = RisingEdge(getattr(dut, description.clock)) if description.clock else None
        self._valid, self._ready = (
            getattr(dut, name) if name else None for name in (handshake.out_valid, handshake.out_ready)
        )
        # The driver of such designs knows when a result is there, and has it recorded.
        self._waits = handshake.protocol in ("fixed_latency", "start_done", "combinational")
        self._transfers, self._order = transfers, handshake.order
        self._valid_name, self._ready_name = handshake.out_valid, handshake.out_ready
        self._names = list(ports)
        self._ports = [handle(dut, port) for port in ports]
        self._pattern: Iterator[bool] = repeat(False)
        self._expected = 0
        self.results: list[Seen] = []
        self.complete = Event()
        self.completed_at = 0.0

    def start(self, expected: int, pattern: Iterator[bool]) -> None:
        """Begin a new recording of *expected* results, taken when *pattern* is open."""
        self.results = []
        self.complete.clear()
        self._expected = expected * self._transfers
        self._pattern = pattern

    def open(self) -> None:
        """Take everything from now on."""
        self._pattern = repeat(True)

    async def run(self) -> None:
        """Take results for ever; start it just after a rising edge and cancel it to end.

        Raises:
            ProtocolError: If valid is neither 0 nor 1, or if a result, between being offered and being
                taken, changes or valid falls.
        """
        if self._waits:
            await Event().wait()
        edge, valid, ready, ports = self._edge, self._valid, self._ready, self._ports
        assert edge is not None, "the design has a clock"
        assert valid is not None, "the design says when a result is there"
        results, expected = self.results, self._expected
        held: Seen | None = None  # offered and not taken yet
        taking = ready is None or next(self._pattern)
        if ready is not None:
            ready.value = ONE if taking else ZERO
        while True:
            await edge
            # Right after the edge the ports still show what the edge sampled.
            offer = valid.value
            if offer is ONE:
                value = tuple([port.value for port in ports])
                if held is not None and value != held:
                    name, before, after = next(
                        each for each in zip(self._names, held, value, strict=True) if each[1] != each[2]
                    )
                    raise ProtocolError(
                        f"{name} changed from {_hex(before)} to {_hex(after)} while {self._valid_name} was high and "
                        f"{self._ready_name} low (result {len(results)} of this stream); it must stay until it is taken"
                    )
                if taking:
                    held = None
                    results.append(value)
                    if len(results) == expected:
                        self.completed_at = get_sim_time("ns")
                        self.complete.set()
                else:
                    held = value
            elif offer is not ZERO:
                raise ProtocolError(
                    f"{self._valid_name} is {offer} after result {len(results)} of this stream; it must be 0 or 1"
                )
            elif held is not None:
                raise ProtocolError(
                    f"{self._valid_name} fell before result {len(results)} of this stream, "
                    f"{', '.join(map(_hex, held))}, was taken; an offered result must stay until it is taken"
                )
            take = ready is None or next(self._pattern)
            if ready is not None and take is not taking:
                ready.value = ONE if take else ZERO
                taking = take

    def record(self) -> None:
        """Record what the ports show as a result."""
        self.results.append(tuple([port.value for port in self._ports]))
        if len(self.results) == self._expected:
            self.completed_at = get_sim_time("ns")
            self.complete.set()

    def values(self) -> tuple[NDArray[np.uint32], str | None]:
        """Return the results up to the first with an X or Z, and a sentence on that.

        A result is a row: the words of one port after the other, each port's value in little-endian words of
        32 bits.
        """
        widths = [len(port) for port in self._ports]
        sizes = [-(-width * self._transfers // 32) * 4 for width in widths]
        rows, unknown = [], None
        parts: list[list[int]] = []
        for index, result in enumerate(self.results):
            try:
                values = [_unsigned(value) for value in result]
            except ValueError:
                name, value = next(each for each in zip(self._names, result, strict=True) if not each[1].is_resolvable)
                unknown = f"{name} is {value} in result {index} of this stream; every bit must be 0 or 1"
                break
            if self._transfers > 1:
                parts.append(values)
                if len(parts) < self._transfers:
                    continue
                values = [
                    self._frame(column, width)
                    for column, width in zip(zip(*parts, strict=True), widths, strict=True)
                ]
                parts = []
            rows.append(b"".join([value.to_bytes(size, "little") for value, size in zip(values, sizes, strict=True)]))
        words = np.frombuffer(b"".join(rows), "<u4").astype(np.uint32)
        return words.reshape(len(rows), sum(sizes) // 4), unknown

    def _frame(self, parts: Sequence[int], width: int) -> int:
        """Return what the transfers of one result carry together."""
        ordered = parts[::-1] if self._order == "first_high" else parts
        return sum(part << width * place for place, part in enumerate(ordered))


def _unsigned(value: LogicArray | Logic) -> int:
    """Return the value of a port, a bit if it is one wide.

    Raises:
        ValueError: If a bit is X or Z.
    """
    return int(value) if isinstance(value, Logic) else value.to_unsigned()


def _hex(value: LogicArray | Logic) -> str:
    """The value in hex, or its bits where some are X or Z."""
    if isinstance(value, Logic):
        return str(value)
    return f"0x{value.to_unsigned():0{-(-len(value) // 4)}x}" if value.is_resolvable else str(value)
