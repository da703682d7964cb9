"""Mutate the model: `python -m flows.model_mutation.run --help`.

Each mutant runs in a process of its own and answers vector sets of every operation until one answer is not the
oracle's. Those that give all answers right are printed; `equivalent.toml` says of some why no answer can be wrong. What
was asked before, of the same source and sets, is not asked again. Exit code 0: none else is left; 1: some are; 2: could
not run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pickle
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from flows import rtl
from flows.digests import digest_of
from flows.model_mutation.mutants import CORE, Mutant, read_source, sample_mutants
from flows.model_mutation.questions import digest_of_questions, first_difference, make_questions
from refmodel.cli.common import print_table
from refmodel.errors import DefinitionError, MxError, unknown_name
from refmodel.writing import write_json

EVIDENCE = rtl.ROOT / "evidence" / "model_mutation.json"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
LIMIT_S = 60
SURVIVED, CANNOT_RUN, INTERRUPTED = 1, 2, 130

_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the mutants of a module.

    Attributes:
        module: Below refmodel.
        seed: Of the sample.
        mutants, killed: How many there are, and gave a wrong answer or none.
        equivalent: Whose reason stands in equivalent.toml.
        survivors: The others: line, operator, before and after.
        digest: Of source, sets and reasons.
    """

    module: str
    seed: int
    mutants: int
    killed: int
    equivalent: int
    survivors: list[dict[str, Any]]
    digest: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="make mutate-model", description="Change the model and see it answer wrong.")
    parser.add_argument("--only", metavar="LIST", help=f"modules (default: {', '.join(CORE)})")
    parser.add_argument("--mutants", type=int, default=100, metavar="N", help="mutants a module, at most (default 100)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the choice (default 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes at a time")
    given = parser.parse_args(argv)
    try:
        if given.mutants < 1 or given.jobs < 1:
            raise DefinitionError("MUTANTS= and JOBS= are at least 1")
        modules = given.only.split(",") if given.only else list(CORE)
        for name in modules:
            if name not in CORE:
                raise unknown_name("module", name, CORE)
        tallies = _tally_all(modules, given.mutants, given.seed, given.jobs)
    except (MxError, OSError) as error:
        print(f"make mutate-model: {' '.join(str(error).split())}", file=sys.stderr)
        return CANNOT_RUN
    except KeyboardInterrupt:
        return INTERRUPTED
    _report(tallies)
    return SURVIVED if any(each.survivors for each in tallies) else 0


def _tally_all(modules: Sequence[str], count: int, seed: int, jobs: int) -> list[Tally]:
    """Return a tally a module; the evidence is written after each."""
    asked = make_questions()
    questions = pickle.dumps(asked)
    content = json.loads(EVIDENCE.read_text()) if EVIDENCE.exists() else {"modules": []}
    known = {each["module"]: Tally(**each) for each in content["modules"]}
    reasons = tomllib.loads(EQUIVALENT.read_text())["mutant"]
    chosen = []
    for module in modules:
        parts = [read_source(module), digest_of_questions(asked), EQUIVALENT.read_text(), f"{count} {seed}"]
        digest = digest_of(parts)
        if module not in known or known[module].digest != digest:
            known[module] = _tally(module, count, seed, jobs, questions, reasons, digest)
            versions = {name: version(name) for name in ("cosmic-ray", "numpy")}
            tools = {"python": sys.version.split()[0], **versions}
            EVIDENCE.parent.mkdir(exist_ok=True)
            write_json(EVIDENCE, {"tools": tools, "modules": [asdict(known[name]) for name in CORE if name in known]})
        chosen.append(known[module])
    return chosen


def _tally(
    module: str, count: int, seed: int, jobs: int, questions: bytes, reasons: Sequence[dict[str, str]], digest: str
) -> Tally:
    mutants = sample_mutants(module, count, seed)
    if difference := _ask(questions, module, read_source(module)):
        raise DefinitionError(f"{module} as it is gives a wrong answer: {difference}")
    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda each: _ask(questions, each.module, each.source), mutants))
    left = [each for each, difference in zip(mutants, found, strict=True) if difference is None]
    explained = [each for each in left if _has_reason(each, reasons)]
    survivors = [
        {"line": each.line, "operator": each.operator, "before": each.before, "after": each.after}
        for each in left
        if each not in explained
    ]
    killed = len(mutants) - len(left)
    print(f"{module}: {killed} of {len(mutants)} killed", file=sys.stderr, flush=True)
    return Tally(module, seed, len(mutants), killed, len(explained), survivors, digest)


def _has_reason(mutant: Mutant, reasons: Sequence[dict[str, str]]) -> bool:
    key = (mutant.module, mutant.before, mutant.after)
    return any((each["module"], each["before"], each["after"]) == key for each in reasons)


def _ask(questions: bytes, module: str, source: str) -> str | None:
    """Return what is wrong with the answers of the model with *source* for a module, None if nothing is."""
    receiver, sender = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_answer, args=(sender, questions, module, source))
    process.start()
    sender.close()
    try:
        if receiver.poll(LIMIT_S):
            return receiver.recv()  # type: ignore[no-any-return]
        return f"not through after {LIMIT_S} s"
    except EOFError:
        return "the process died"
    finally:
        process.kill()
        process.join()


def _answer(sender: Connection, questions: bytes, module: str, source: str) -> None:
    with np.errstate(all="ignore"), open(os.devnull, "w") as nowhere:
        sys.stderr = nowhere
        sender.send(first_difference(questions, module, source))


def _report(tallies: Sequence[Tally]) -> None:
    for each in tallies:
        for one in each.survivors:
            print(f"SURVIVOR {each.module}:{one['line']}: {one['before']}  ->  {one['after']}")
    print_table(
        ("module", "mutants", "killed", "equivalent", "survivors", "killed %"),
        [
            (
                each.module, each.mutants, each.killed, each.equivalent, len(each.survivors),
                f"{100 * each.killed / max(1, each.mutants - each.equivalent):.1f}",
            )
            for each in tallies
        ],
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
