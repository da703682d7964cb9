"""Tests of designs with AXI4-Stream ports by endpoints that are not this bench's: those of cocotbext-axi."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import SimTimeoutError, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from cocotb_tests.bench import PERIOD_NS, StreamBench
from cocotb_tests.patterns import FULL_RATE, STALLS, Scenario

TESTS = 3
"""Number of tests in this module; a run with fewer has failed."""

_SCENARIOS = (FULL_RATE, *(each for each in STALLS if each.name in ("random", "bursts")))
_SHARE, _LEAST = 10, 64
_TIMEOUT_CYCLES_PER_ITEM = 400


@cocotb.test()
@cocotb.parametrize(scenario=[cocotb.Param(value=each, name=each.name) for each in _SCENARIOS])
async def endpoints(dut: Any, scenario: Scenario) -> None:
    """A sample of vectors as packets from a source to a sink of another author, with pauses on both sides."""
    bench = StreamBench(dut)
    handshake, stimulus = bench.handshake, bench.stimulus
    names = [handshake.in_valid.removesuffix("_tvalid"), handshake.out_valid.removesuffix("_tvalid")]
    reset = bench.description.reset
    active = reset is not None and reset.active == "high"
    source, sink = (
        kind(AxiStreamBus.from_prefix(dut, name), bench.clock, bench.reset_pin, reset_active_level=active, byte_lanes=1)
        for kind, name in zip((AxiStreamSource, AxiStreamSink), names, strict=True)
    )
    for end in (source, sink):
        end.log.setLevel(logging.WARNING)
    await bench.start(drive=False)
    seed = f"{bench.settings.seed}/axi/{scenario.name}"
    source.set_pause_generator(_pauses(scenario.offer.cycles(f"{seed}/offer")))
    sink.set_pause_generator(_pauses(scenario.take.cycles(f"{seed}/take")))
    items = bench.sample(f"axi {scenario.name}", _SHARE, _LEAST)
    at = {name: stimulus.ports.index(f"{names[0]}_{name}") for name in ("tdata", "tlast")}
    # What ends no packet of the set would end one here, where there are whole packets only.
    ends = [int(stimulus.beats[stimulus.beats_of([item])[-1]][at["tlast"]]) for item in items.tolist()]
    items = items[: len(ends) - ends[::-1].index(1)]
    packet: list[int] = []
    for beat in stimulus.beats_of(items):
        packet.append(stimulus.beats[beat][at["tdata"]].to_unsigned())
        if int(stimulus.beats[beat][at["tlast"]]):
            source.send_nowait(AxiStreamFrame(packet))
            packet = []
    results: list[dict[str, int]] = []
    began = time.perf_counter()
    try:
        while len(results) < len(items):
            frame = await with_timeout(sink.recv(), _TIMEOUT_CYCLES_PER_ITEM * len(items) * PERIOD_NS, "ns")
            ends = [0] * (len(frame.tdata) - 1) + [1]
            results += [
                {f"{names[1]}_tdata": data, f"{names[1]}_tlast": end}
                for data, end in zip(frame.tdata, ends, strict=True)
            ]
    except SimTimeoutError:
        bench.scoreboard.fail(f"endpoints {scenario.name}: {len(results)} of {len(items)} results came in packets")
    bench.judge(items, results, f"endpoints {scenario.name}", time.perf_counter() - began)
    bench.finish()


def _pauses(open_: Iterator[bool]) -> Iterator[bool]:
    """Return when to pause: where a pattern is closed."""
    return (not each for each in open_)
