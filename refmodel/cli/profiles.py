"""``mxref profiles``."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from refmodel.cli.common import print_table
from refmodel.profiles import get_profile, list_profiles

if TYPE_CHECKING:
    from refmodel.cli import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    profiles = commands.add_parser(
        "profiles",
        help="list the profiles: options that reproduce public implementations",
        description="List the profiles, each the choices of one implementation; or show for each format of "
        "one profile the options that differ from the defaults, and what the profile was tested against.",
        epilog="example: mxref profiles torchao",
    )
    profiles.add_argument("profile", nargs="?", metavar="PROFILE", help="one profile (default: all)")
    profiles.set_defaults(run=_profiles)


def _profiles(arguments: argparse.Namespace) -> None:
    if arguments.profile is None:
        for profile in map(get_profile, list_profiles()):
            formats = ", ".join((*profile.numbers, *profile.blocks)) or "any format"
            print(profile.name)
            for text in (profile.summary, f"To {formats}.", f"[{profile.source}]"):
                print(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    "))
        return
    profile = get_profile(arguments.profile)
    print(f"{profile.name}: {profile.summary}\n{profile.source}\n")
    print_table(("format", "options that differ from the defaults"), list(profile.changes().items()))
    for bits, layout in profile.layouts.items():
        print(f"{bits}-bit codes in bytes: layout {layout}")
