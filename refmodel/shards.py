"""Work in numbered shards: on some processes of this machine, or on a Dask cluster; with a log to go on from.

A shard is a call of one function with its number, so it may run anywhere and again: a worker that is lost takes with it
the shards that it was at, which are run once more elsewhere. A finished shard is a line of the log from then on and is
never run again, whatever becomes of this process.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

from refmodel.errors import DefinitionError, FileError, MissingPackageError, MxError
from refmodel.writing import write_json

Result: TypeAlias = dict[str, Any]
"""Result of a shard: JSON values."""

Task: TypeAlias = Callable[[int], Result]
"""A shard: a function of its number. It and its result travel between processes."""

MOST_LOSSES = 3
"""So many workers may be lost at one shard before it is given up."""

WORK, LOG = "work.json", "shards.jsonl"


class LostWorkerError(MxError):
    """A shard whose worker was lost again and again."""


class Executor(ABC):
    """Runs shards; a context manager."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *of: object) -> None:
        self.close()

    @abstractmethod
    def run(self, task: Task, numbers: Iterator[int]) -> Iterator[tuple[int, Result]]:
        """Yield numbers and results of shards as they end, a few of which are under way at a time.

        Raises:
            LostWorkerError: If MOST_LOSSES workers are lost at one shard.
        """

    @abstractmethod
    def close(self) -> None:
        """End what runs."""


class Local(Executor):
    """So many processes of this machine; with one, this process itself."""

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise DefinitionError(f"jobs {jobs}: at least 1 is needed")
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def run(self, task: Task, numbers: Iterator[int]) -> Iterator[tuple[int, Result]]:
        """See `Executor.run`."""
        if self._jobs == 1:
            for number in numbers:
                yield number, task(number)
            return
        waiting: dict[Future[Result], int] = {}
        losses: dict[int, int] = {}
        again: list[int] = []
        while True:
            while len(waiting) < 2 * self._jobs:
                following = again.pop(0) if again else next(numbers, None)
                if following is None:
                    break
                waiting[self._workers().submit(task, following)] = following
            if not waiting:
                return
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            lost = []
            for future in ended:
                number = waiting.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    lost.append(number)
                else:
                    yield number, result
            if lost:  # a pool without one of its processes ends all that it was at
                lost += waiting.values()
                waiting.clear()
                self.close()
                # Which of them the process was at nobody knows; the first ones in line were the ones that ran.
                for number in sorted(lost)[: self._jobs]:
                    losses[number] = losses.get(number, 0) + 1
                    _check_losses(number, losses[number])
                again = sorted([*again, *lost])

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._jobs, mp_context=get_context("spawn"))
        return self._pool

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


class Dask(Executor):
    """The workers of a Dask cluster, which needs this package as well.

    Args:
        address: Of the scheduler, such as ``tcp://host:8786``.

    Raises:
        MissingPackageError: If distributed is not installed.
        FileError: If there is no such scheduler.
    """

    def __init__(self, address: str) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingPackageError("--dask needs the package distributed: pip install 'mx-refmodel[soak]'") from None
        try:
            self._client = distributed.Client(address, timeout=20)
        except (OSError, ValueError, TimeoutError) as error:
            raise FileError(f"{address}: no Dask scheduler answers: {error or type(error).__name__}") from error

    def run(self, task: Task, numbers: Iterator[int]) -> Iterator[tuple[int, Result]]:
        """See `Executor.run`."""
        import distributed

        def submit(number: int) -> Any:
            # Impure: Dask must not look a result up that another run may have left.
            return self._client.submit(task, number, pure=False, retries=0)

        room = max(2, 2 * sum(self._client.nthreads().values()))
        waiting = {}
        for number in numbers:
            waiting[submit(number)] = number
            if len(waiting) == room:
                break
        ended = distributed.as_completed(waiting, with_results=True, raise_errors=False)
        for future, result in ended:
            number = waiting.pop(future)
            if future.status != "finished":
                error = future.exception()
                if isinstance(error, distributed.KilledWorker):
                    raise LostWorkerError(_lost(number)) from error
                raise error
            following = next(numbers, None)
            if following is not None:
                more = submit(following)
                waiting[more] = following
                ended.add(more)
            yield number, result

    def close(self) -> None:
        """Leave the cluster; what it was at is cancelled."""
        self._client.close()


def _check_losses(number: int, losses: int) -> None:
    if losses >= MOST_LOSSES:
        raise LostWorkerError(_lost(number))


def _lost(number: int) -> str:
    return f"shard {number}: the worker was lost each time that it ran; is there enough memory?"


class Log:
    """The results of shards in a folder: ``work.json`` says of what, ``shards.jsonl`` has a line for each.

    Args:
        folder: Made if it is not there.
        work: What the shards are of, as JSON values; a folder of other work is refused.

    Raises:
        FileError: If the folder holds something else, is in use, or its files are damaged; the message names the line.
        DefinitionError: If it is of other work.
        OSError: If the system refuses.
    """

    def __init__(self, folder: str | os.PathLike[str], work: Result) -> None:
        self.folder = Path(folder)
        self.results: dict[int, Result] = {}
        described = self.folder / WORK
        if not described.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise FileError(f"{folder}: exists and has no {WORK}; give the name of one that does not exist yet")
            write_json(described, work)
        self._check_work(described, work)
        self._stream = open(self.folder / LOG, "a+b", buffering=0)  # noqa: SIM115
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
        except BlockingIOError:
            self._stream.close()
            raise FileError(f"{folder}: another process works on it") from None
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *of: object) -> None:
        self._stream.close()

    def add(self, number: int, result: Result) -> None:
        """Write a result down; it is there when this returns.

        Raises:
            OSError: If the system refuses; what was written of the line is taken back, now or when the log is opened.
        """
        end = self._stream.seek(0, os.SEEK_END)
        line = (json.dumps([number, result], sort_keys=True) + "\n").encode("ascii")
        try:
            if self._stream.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder / LOG))
            os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(end)
            raise
        self.results[number] = result

    def _check_work(self, path: Path, work: Result) -> None:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise FileError(f"{path}: not valid JSON: {error}") from error
        if not isinstance(found, dict):
            raise FileError(f"{path}: holds no object")
        for key in sorted({*found, *work}):
            if found.get(key) != work.get(key):
                raise DefinitionError(
                    f"{self.folder}: is of other work: {key} is {found.get(key)!r} there, {work.get(key)!r} here"
                )

    def _read(self) -> None:
        self._stream.seek(0)
        data = self._stream.readall()
        complete = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:complete].splitlines(), start=1):
            try:
                shard, result = json.loads(line)
                if type(shard) is not int or shard < 0 or not isinstance(result, dict):
                    raise ValueError("no number and result")
            except (ValueError, TypeError, RecursionError) as error:
                raise FileError(f"{self.folder / LOG}: line {number} is not the result of a shard: {error}") from error
            if shard in self.results:
                raise FileError(f"{self.folder / LOG}: line {number} is of shard {shard}, like one before")
            self.results[shard] = result
        self._stream.truncate(complete)  # the line that a killed process was at


def run_shards(
    task: Task,
    count: int,
    log: Log,
    executor: Executor,
    finished: Callable[[int, Result], None] = lambda number, result: None,
) -> list[Result]:
    """Run the shards 0 ... count - 1 that the log does not have, and return the results of all in their order.

    Args:
        task: The work.
        count: Number of shards.
        log: What is done already; each result is added to it.
        executor: Where they run.
        finished: Called with each new result once it is in the log.
    """
    missing = (number for number in range(count) if number not in log.results)
    for number, result in executor.run(task, missing):
        log.add(number, result)
        finished(number, result)
    return [log.results[number] for number in range(count)]
