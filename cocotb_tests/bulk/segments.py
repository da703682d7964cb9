"""The tests of `cocotb_tests.stream_tests` as segments of a plan: what every set is played through."""

from __future__ import annotations

import random

import numpy as np

from cocotb_tests.bench import DRAIN_CYCLES, RESET_CYCLES, sample_items
from cocotb_tests.bulk.plan import Segment
from cocotb_tests.patterns import CLOSED, FULL_RATE, STALLS
from cocotb_tests.port_values import PortValues
from cocotb_tests.stream_tests import LATENCY_ITEMS, MIN_STALLED, RESET_ROUNDS, STALL_SHARE


def stream_segments(
    values: PortValues, seed: int, *, full_rate: int | None = None, share: int = STALL_SHARE,
    rounds: int = RESET_ROUNDS, shortest_reset: int = 2,
) -> list[Segment]:  # fmt: skip
    """Return vectors at full rate, samples under stalls, single ones for the latency, and resets in mid-stream.

    Args:
        values: The vectors.
        seed: Of the samples and of where a stream is cut.
        full_rate: How many vectors are played at full rate, an even choice; None for all.
        share: Every so many-th vector is played under each pattern of stalls, MIN_STALLED at least.
        rounds: Resets in mid-stream.
        shortest_reset: The fewest clock cycles of one.
    """
    count, promises = values.items.count, values.description.handshake
    every = np.arange(count) if full_rate is None else sample_items(count, seed, "full_rate", count, full_rate)
    segments = [Segment(every, full_rate=promises.full_rate)]
    segments += [Segment(sample_items(count, seed, each.name, share, MIN_STALLED), each) for each in STALLS]
    latency = values.description.latency(values.configuration)
    for item in sample_items(count, seed, "latency", count, LATENCY_ITEMS):
        segments.append(Segment(np.array([item]), latency=latency))
    rng = random.Random(f"{seed}/reset")
    longest = int(np.diff(values.bounds).max())
    capacity = values.description.capacity(values.configuration)
    reset = RESET_CYCLES
    for number in range(rounds):
        is_closed = number < len(CLOSED)
        scenario = CLOSED[number] if is_closed else rng.choice((FULL_RATE, *STALLS))
        items = sample_items(count, seed, f"cut {number}", share, MIN_STALLED)
        cut = DRAIN_CYCLES + longest if is_closed else rng.randint(5, 60)
        must_take = capacity if is_closed else 0
        chosen = items[: cut + 1]
        segments.append(Segment(chosen, scenario, cut=cut, reset=reset, must_offer=is_closed, must_take=must_take))
        reset = rng.randint(shortest_reset, 4)
        # Every other round goes on at once, so that old and new data meet if they can.
        if number % 2 == 0:
            segments.append(Segment(items[:0], reset=reset))
            reset = 0
        restart = sample_items(count, seed, f"restart {number}", count, MIN_STALLED)
        segments.append(Segment(restart, rng.choice((FULL_RATE, *STALLS)), reset=reset))
        reset = 0
    return segments
