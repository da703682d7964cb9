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

from cocotb_tests.protocol import ProtocolError
from refmodel.conformance import Description

Seen: TypeAlias = tuple[LogicArray | Logic, ...]
"""A result as read: the value of every result port."""

ZERO, ONE = Logic(0), Logic(1)


class StreamMonitor:
    """Drives ready and records each result that is transferred.

    Attributes:
        results: The results since the last `start`, as read; `values` makes integers of them.
        complete: Set when the expected number of results has been seen.
        completed_at: Time in ns of that.
    """

    def __init__(self, dut: Any, description: Description, ports: Sequence[str]) -> None:
        handshake = description.handshake
        self._edge = RisingEdge(getattr(dut, description.clock))
        self._valid, self._ready = getattr(dut, handshake.out_valid), getattr(dut, handshake.out_ready)
        self._valid_name, self._ready_name = handshake.out_valid, handshake.out_ready
        self._names = list(ports)
        self._ports = [getattr(dut, port) for port in ports]
        self._pattern: Iterator[bool] = repeat(False)
        self._expected = 0
        self.results: list[Seen] = []
        self.complete = Event()
        self.completed_at = 0.0

    def start(self, expected: int, pattern: Iterator[bool]) -> None:
        """Begin a new recording of *expected* results, taken when *pattern* is open."""
        self.results = []
        self.complete.clear()
        self._expected = expected
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
        edge, valid, ready, ports = self._edge, self._valid, self._ready, self._ports
        results, expected = self.results, self._expected
        held: Seen | None = None  # offered and not taken yet
        taking = next(self._pattern)
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
            take = next(self._pattern)
            if take is not taking:
                ready.value = ONE if take else ZERO
                taking = take

    def values(self) -> tuple[NDArray[np.uint32], str | None]:
        """Return the results up to the first with an X or Z, and a sentence on that.

        A result is a row: the words of one port after the other, each port's value in little-endian words of
        32 bits.
        """
        sizes = [-(-len(port) // 32) * 4 for port in self._ports]
        rows, unknown = [], None
        for index, result in enumerate(self.results):
            try:
                values = [_unsigned(value) for value in result]
            except ValueError:
                name, value = next(each for each in zip(self._names, result, strict=True) if not each[1].is_resolvable)
                unknown = f"{name} is {value} in result {index} of this stream; every bit must be 0 or 1"
                break
            rows.append(b"".join([value.to_bytes(size, "little") for value, size in zip(values, sizes, strict=True)]))
        words = np.frombuffer(b"".join(rows), "<u4").astype(np.uint32)
        return words.reshape(len(rows), sum(sizes) // 4), unknown


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
