"""A watch on the time of the world: it ends a simulation that is stuck where no simulated time passes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import TracebackType

SECONDS = 120.0
"""How long nothing may happen; far longer than the slowest design takes from one transfer to the next."""


class Standstill:
    """While it is entered, calls *report* and ends the process once *progress* has not changed for so long.

    Args:
        progress: Something that changes with every transfer.
        report: Called in another thread, with the seconds, before the process ends.
    """

    def __init__(self, progress: Callable[[], object], report: Callable[[float], None]) -> None:
        self._progress, self._report = progress, report
        self._end = threading.Event()
        self._seconds = float(os.environ.get("MX_BENCH_STANDSTILL", SECONDS))

    def __enter__(self) -> None:
        self._end = threading.Event()
        threading.Thread(target=self._watch, args=(self._end,), daemon=True).start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()

    def _watch(self, end: threading.Event) -> None:
        before = self._progress()
        while not end.wait(self._seconds):
            now = self._progress()
            if now == before:
                self._report(self._seconds)
                os._exit(1)
            before = now
