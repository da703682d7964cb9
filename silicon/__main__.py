"""The command: fetch, replay, and show that the check can fail."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from refmodel.accumulate import get_rule
from refmodel.errors import FileError, MxError
from silicon.fetch import fetch
from silicon.recordings import Recording, read_archive, read_folder
from silicon.replay import Outcome, replay, replay_all, wrong_rules

ROOT = Path(__file__).resolve().parents[1]
WRONG_RULE = "nv_ada_fp8"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 if everything recorded is what the model returns, 1 if not, 2 on an error."""
    parser = argparse.ArgumentParser(
        prog="python -m silicon", description="Replay results recorded from silicon through the model."
    )
    parser.add_argument(
        "--archive", type=Path, help="the archive of recordings (default: downloaded into build/silicon)"
    )
    parser.add_argument(
        "--recordings",
        type=Path,
        help="a folder with further recordings (default: $MXREF_RECORDINGS, or shared/silicon beside this "
        "repository if there is such a folder)",
    )
    given = parser.parse_args(arguments)
    try:
        start = perf_counter()
        archive = given.archive or fetch(ROOT / "build" / "silicon")
        recordings = [*read_archive(archive), *read_folder(_further(given.recordings))]
        print(f"{sum(len(r.d) for r in recordings):,} outputs read in {perf_counter() - start:.1f} s\n")
        return report(recordings)
    except MxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _further(given: Path | None) -> Path:
    """Return the folder of further recordings; one that is asked for must exist."""
    if given is None and (named := os.environ.get("MXREF_RECORDINGS")):
        given = Path(named)
    if given is None:
        return ROOT.parent / "shared" / "silicon"
    if not given.is_dir():
        raise FileError(f"{given} is no folder; give one with recordings, or none")
    return given


def report(recordings: Sequence[Recording]) -> int:
    """Print the tables; return 1 if an output differs, or if a wrong rule goes unnoticed."""
    outcomes = replay_all(recordings)
    print(f"{'recorded on':24}{'rule':24}{'outputs':>10}{'finite':>10}{'mismatches':>12}{'seconds':>9}")
    total = Outcome()
    for (machine, rule), found in outcomes.items():
        print(_row(f"{machine:24}{rule:24}", found))
        total.add(found)
    print(_row(f"{'all':48}", total))
    if total.mismatches:
        print(f"first: {total.first}")
    print(f"\nOutputs of {WRONG_RULE} under rules that are wrong in one respect:")
    own = [recording for recording in recordings if recording.rule == WRONG_RULE]
    failed = total.mismatches > 0
    for name, wrong in wrong_rules(get_rule(WRONG_RULE)):
        found = Outcome()
        for recording in own:
            found.add(replay(recording, wrong))
        print(_row(f"{name:48}", found))
        failed = failed or not found.mismatches
    print("\nFAILED" if failed else "\nEvery output matches, and every wrong rule is noticed.")
    return int(failed)


def _row(text: str, found: Outcome) -> str:
    return f"{text}{found.outputs:10,}{found.finite:10,}{found.mismatches:12,}{found.seconds:9.1f}"


if __name__ == "__main__":
    sys.exit(main())
