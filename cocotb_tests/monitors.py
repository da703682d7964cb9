"""Monitor of the result side: takes results under a pattern of back-pressure and checks the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

from cocotb.triggers import Event, RisingEdge
from cocotb.types import Logic, LogicArray

from cocotb_tests.protocol import ProtocolError

ZERO, ONE = Logic(0), Logic(1)


class StreamMonitor:
    """Drives ready_i and records each result that is transferred.

    Attributes:
        results: The results since the last `start`, as read; `values` makes integers of them.
        complete: Set when the expected number of results has been seen.
    """

    def __init__(self, dut: Any) -> None:
        self._edge = RisingEdge(dut.clk_i)
        self._valid, self._ready, self._result = dut.valid_o, dut.ready_i, dut.result_o
        self._pattern: Iterator[bool] = repeat(False)
        self._expected = 0
        self.results: list[LogicArray] = []
        self.complete = Event()

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
            ProtocolError: If valid_o is neither 0 nor 1, or if a result, between being offered and being
                taken, changes or valid_o falls.
        """
        edge, valid, ready, result = self._edge, self._valid, self._ready, self._result
        results, expected = self.results, self._expected
        held: LogicArray | None = None  # offered and not taken yet
        taking = next(self._pattern)
        ready.value = ONE if taking else ZERO
        while True:
            await edge
            # Right after the edge the ports still show what the edge sampled.
            offer = valid.value
            if offer is ONE:
                value = result.value
                if held is not None and value != held:
                    raise ProtocolError(
                        f"result_o changed from {_hex(held)} to {_hex(value)} while valid_o was high and "
                        f"ready_i low (result {len(results)} of this stream); it must stay until it is taken"
                    )
                if taking:
                    held = None
                    results.append(value)
                    if len(results) == expected:
                        self.complete.set()
                else:
                    held = value
            elif offer is not ZERO:
                raise ProtocolError(
                    f"valid_o is {offer} after result {len(results)} of this stream; it must be 0 or 1"
                )
            elif held is not None:
                raise ProtocolError(
                    f"valid_o fell before result {len(results)} of this stream, {_hex(held)}, was taken; "
                    "an offered result must stay until it is taken"
                )
            take = next(self._pattern)
            if take is not taking:
                ready.value = ONE if take else ZERO
                taking = take

    def values(self) -> tuple[list[int], str | None]:
        """Return the results as unsigned integers up to the first with an X or Z, and a sentence on it."""
        values = []
        for index, result in enumerate(self.results):
            try:
                values.append(result.to_unsigned())
            except ValueError:
                return (
                    values,
                    f"result_o is {result} in result {index} of this stream; every bit must be 0 or 1",
                )
        return values, None


def _hex(value: LogicArray) -> str:
    """The value in hex, or its bits where some are X or Z."""
    return f"0x{value.to_unsigned():08x}" if value.is_resolvable else str(value)
