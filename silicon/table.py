"""One line a preset: dot products against the oracle, mmasim and recordings, and how many differ.

`python -m silicon.table` runs all three comparisons.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from refmodel.accumulate import get_rule, list_rules
from refmodel.errors import MxError, unknown_name
from silicon import against_oracle, simulators
from silicon.fetch import fetch
from silicon.recordings import read_archive
from silicon.replay import Outcome, replay

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 if nothing differs but what is known, 1 if not, 2 on an error."""
    parser = argparse.ArgumentParser(prog="python -m silicon.table", description=__doc__)
    parser.add_argument(
        "--oracle", type=int, default=2000, help="dot products a preset (default %(default)s)"
    )
    parser.add_argument(
        "--mmasim",
        type=int,
        default=100_000,
        help="dot products a configuration (default %(default)s; 0: none)",
    )
    parser.add_argument("--only", default="", help="only presets whose name contains this")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    try:
        return table(given.oracle, given.mmasim, given.seed, given.only)
    except MxError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def table(oracle_count: int, mmasim_count: int, seed: int, only: str = "") -> int:
    """Print the table of the presets whose name contains *only*; return 1 if something differs.

    Raises:
        UnknownNameError: If there is none.
    """
    names = [name for name in list_rules() if only in name]
    if not names:
        raise unknown_name("part of the name of a preset", only, list_rules())
    configurations = simulators.configurations() if mmasim_count else []
    recorded: dict[str, Outcome] = {}
    for recording in read_archive(fetch(ROOT / "build" / "silicon")):
        if recording.rule in names:
            recorded.setdefault(recording.rule, Outcome()).add(replay(recording))
    print(f"{'':28}{'oracle':>17}{'mmasim':>34}{'recorded':>18}")
    print(
        f"{'preset':28}{'cases':>9}{'wrong':>8}{'instr.':>9}{'cases':>11}{'wrong':>7}{'known':>7}"
        f"{'outputs':>11}{'wrong':>7}"
    )
    failed = False
    messages = []
    for name in names:
        judged = against_oracle.compare(get_rule(name), oracle_count, seed)
        simulated = simulators.Comparison()
        own = [c for c in configurations if c.rule == name]
        for configuration in own:
            simulated.add(simulators.compare(configuration, mmasim_count, seed))
        seen = recorded.get(name, Outcome())
        wrong = judged.mismatches + judged.oracles_differ
        failed = failed or bool(wrong or simulated.mismatches or seen.mismatches)
        messages += [text for text in (judged.first, simulated.first, seen.first) if text]
        by_mmasim = (
            f"{len(own):9}{simulated.dots:11,}{simulated.mismatches:7,}{simulated.known:7,}"
            if own
            else " " * 33 + "-"
        )
        by_silicon = f"{seen.outputs:11,}{seen.mismatches:7,}" if seen.outputs else " " * 17 + "-"
        print(f"{name:28}{judged.dots:9,}{wrong:8,}{by_mmasim}{by_silicon}", flush=True)
    print("\n" + "\n".join([*messages, simulators.KNOWN]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
