"""Shards: on processes and on a Dask cluster, with workers that are killed; logs that are gone on from, and damaged."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from refmodel import cli
from refmodel.errors import DefinitionError, FileError
from refmodel.shards import LOG, WORK, Dask, Executor, Local, Log, LostWorkerError, Result, run_shards
from refmodel.vectors.singles import make_encode_vectors
from refmodel.vectors.soak import judge, summarise

SHARDS = 10
WORK_OF_TEST = {"operation": "encode", "seed": 1}


def small_shard(journal: str, number: int) -> Result:
    """A shard that writes down that it begins, and where."""
    with open(journal, "a") as stream:
        stream.write(f"{number} {os.getpid()}\n")
    time.sleep(0.15)
    return judge(make_encode_vectors("e2m1", count=200, seed=number))


def deadly_shard(number: int) -> Result:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"shard": number}


def begun(journal: Path) -> list[tuple[int, int]]:
    """Return number and process of each shard that was begun."""
    lines = [line.split() for line in journal.read_text().splitlines()]
    return [(int(number), int(process)) for number, process in lines]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a single process says of all shards."""
    folder = tmp_path_factory.mktemp("alone")
    with Log(folder / "log", WORK_OF_TEST) as log, Local(1) as executor:
        return summarise(run_shards(partial(small_shard, str(folder / "journal")), SHARDS, log, executor))


def run_and_kill(executor: Executor, folder: Path) -> tuple[dict[str, Any], list[int]]:
    """Run all shards, kill a worker at work after the third result; return the summary and what was finished then."""
    journal = folder / "journal"
    finished: list[int] = []
    before: list[int] = []

    def kill_once(number: int, result: Result) -> None:
        finished.append(number)
        if len(finished) == 3:
            before.extend(finished)
            at_work = [each for each in begun(journal) if each[0] not in finished]
            while not at_work:
                time.sleep(0.01)
                at_work = [each for each in begun(journal) if each[0] not in finished]
            os.kill(at_work[-1][1], signal.SIGKILL)

    with Log(folder / "log", WORK_OF_TEST) as log:
        results = run_shards(partial(small_shard, str(journal)), SHARDS, log, executor, kill_once)
    lines = [json.loads(line)[0] for line in (folder / "log" / LOG).read_text().splitlines()]
    assert sorted(lines) == list(range(SHARDS))
    assert lines[:3] == before
    return summarise(results), before


def test_a_killed_process_changes_nothing(alone: dict[str, Any], tmp_path: Path) -> None:
    with Local(2) as executor:
        summary, before = run_and_kill(executor, tmp_path)
    assert summary == alone
    runs = Counter(number for number, _ in begun(tmp_path / "journal"))
    assert all(runs[number] == 1 for number in before)
    assert len({process for _, process in begun(tmp_path / "journal")}) > 2  # there was another process


def test_a_killed_dask_worker_changes_nothing(
    alone: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra soak: dask and distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        with Dask(cluster.scheduler_address) as executor:
            summary, before = run_and_kill(executor, tmp_path)
        assert summary == alone
        runs = Counter(number for number, _ in begun(tmp_path / "journal"))
        assert all(runs[number] == 1 for number in before)
        assert sum(runs.values()) > SHARDS  # the shard that the worker was at ran again
        command = ["soak", str(tmp_path / "set"), "--operation", "decode", "--a-format", "e2m1", "--shards", "1"]
        assert cli.main([*command, "--dask", cluster.scheduler_address]) == 0
        assert "1 shards, 16 vectors, 16 judged by the oracle, 0 shards differ" in capsys.readouterr().out


def test_a_shard_that_kills_each_worker_is_given_up(tmp_path: Path) -> None:
    with Log(tmp_path, {}) as log, Local(2) as executor, pytest.raises(LostWorkerError, match="shard 1: the worker"):
        run_shards(deadly_shard, 2, log, executor)


def test_a_run_goes_on_where_it_was_ended(alone: dict[str, Any], tmp_path: Path) -> None:
    task = partial(small_shard, str(tmp_path / "journal"))

    def interrupt(number: int, result: Result) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with Log(tmp_path / "log", WORK_OF_TEST) as log, Local(1) as executor, pytest.raises(KeyboardInterrupt):
        run_shards(task, SHARDS, log, executor, interrupt)
    with open(tmp_path / "log" / LOG, "ab") as stream:
        stream.write(b'[4, {"vectors": 20')  # the line that a process was at when the power went
    with Log(tmp_path / "log", WORK_OF_TEST) as log, Local(1) as executor:
        assert sorted(log.results) == [0, 1, 2, 3]
        results = run_shards(task, SHARDS, log, executor)
    assert summarise(results) == alone
    assert [number for number, _ in begun(tmp_path / "journal")] == list(range(SHARDS))


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Log(tmp_path / "log", {}) as log:
        log.add(0, {"vectors": 1})

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                log.add(1, {"vectors": 2})
        assert (tmp_path / "log" / LOG).read_text() == '[0, {"vectors": 1}]\n'
        log.add(1, {"vectors": 2})
    with Log(tmp_path / "log", {}) as log:
        assert log.results == {0: {"vectors": 1}, 1: {"vectors": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[0, {}]\nnonsense\n[1, {}]\n', r"shards\.jsonl: line 2 is not the result of a shard"),
        ('[0, {}]\n[0, {}]\n', r"shards\.jsonl: line 2 is of shard 0, like one before"),
        ('[-1, {}]\n', "line 1 is not the result of a shard: no number and result"),
        ('{"0": 1}\n', "line 1 is not the result of a shard"),
    ],
)
def test_a_damaged_log_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / WORK).write_text("{}")
    (tmp_path / LOG).write_text(text)
    with pytest.raises(FileError, match=message):
        Log(tmp_path, {})


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with Log(tmp_path / "log", {"seed": 1}), pytest.raises(FileError, match="another process works on it"):
        Log(tmp_path / "log", {"seed": 1})
    with pytest.raises(DefinitionError, match="is of other work: seed is 1 there, 2 here"):
        Log(tmp_path / "log", {"seed": 2})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("")
    with pytest.raises(FileError, match=r"exists and has no work\.json"):
        Log(tmp_path / "other", {})
    (tmp_path / "log" / WORK).write_text("{")
    with pytest.raises(FileError, match=r"work\.json: not valid JSON"):
        Log(tmp_path / "log", {"seed": 1})


def test_a_difference_is_found_and_counted() -> None:
    vectors = make_encode_vectors("e2m1", count=200, seed=1)
    vectors.codes[7] ^= 1
    wrong, right = judge(vectors), judge(make_encode_vectors("e2m1", count=200, seed=1))
    assert right["difference"] is None
    summary = summarise([right, wrong])
    assert summary["differences"] == [{"shard": 1, "difference": wrong["difference"]}]
    assert "code: word 8 is" in wrong["difference"]
    assert summary["sha256"] != summarise([right, right])["sha256"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["soak", str(tmp_path / "set"), "--operation", "decode", "--a-format", "e8m0"]
    assert cli.main([*command, "--shards", "1"]) == 0
    first = (tmp_path / "set" / "summary.json").read_bytes()
    assert cli.main([*command, "--shards", "1"]) == 0
    assert (tmp_path / "set" / "summary.json").read_bytes() == first
    capsys.readouterr()
    for more, message in (
        (["--shards", "2"], "shards 2: this set has 1 to 1"),
        (["--shards", "1", "--seed", "2"], "is of other work: seed is 1 there, 2 here"),
        (["--shards", "1", "--jobs", "0"], "jobs 0: at least 1 is needed"),
        (["--shards", "1", "--rows", "3"], "--rows is not for operation 'decode'"),
    ):
        assert cli.main([*command, *more]) == 2
        assert message in capsys.readouterr().err
