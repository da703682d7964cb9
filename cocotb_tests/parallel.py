"""Several jobs at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


def run_all(function: Callable[[_Argument], _Result], arguments: Iterable[_Argument], jobs: int) -> list[_Result]:
    """Return the results of *function* for all *arguments*, in order, *jobs* at a time in threads.

    Raises:
        Exception: What *function* first raised; those that have not begun then are left out.
    """
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(function, each) for each in arguments]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        failed = [future for future in futures if not future.cancelled() and future.exception()]
        return [future.result() for future in failed or futures]
