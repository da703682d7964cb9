"""``mxref identify``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from refmodel.cli.common import bench_module, integer, integers
from refmodel.errors import DefinitionError, unknown_name
from refmodel.formats import ElementFormat, get_scale
from refmodel.identify import BlackBox, Identification, Interface, identify
from refmodel.identify.exchange import proceed, start
from refmodel.identify.probes import LENGTHS
from refmodel.operands import OPERAND_FORMATS

if TYPE_CHECKING:
    from refmodel.cli import Commands

UNSETTLED = 1
"""Exit code if no rule fits, or several that differ."""

UNFINISHED = 3
"""Exit code if another round is to be answered."""

_OF_INTERFACES = ("a", "b", "scale", "block", "lengths", "c_format")
_OF_DESIGNS = ("config", "formats", "rule", "sim")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "identify",
        help="say which accumulation rules a black box follows",
        description="Ask a black box dot products chosen to tell accumulation rules apart, and report the rules "
        "and field values consistent with its answers. The black box is a Python function, or anything that "
        "answers files, round by round, or a design that a DUT description describes, which is simulated.",
        epilog="exit code: 0 identified, one class of rules that give equal bits; 1 no rule fits, or several that "
        "differ; 2 bad usage; 3 a further round is to be answered. "
        "examples: mxref identify rtl/mx_dot_general.toml --rule exact_fp32; "
        "mxref identify --black-box mymodel:dot --a e4m3 --scale e8m0 --block 32; "
        "mxref identify --a e5m2 --write-probes DIR, answer DIR/round_001.npz, "
        "mxref identify --directory DIR --answers FILE, and so on.",
    )
    what = parser.add_argument_group("where the answers come from, one of")
    what.add_argument("dut", nargs="?", metavar="DUT.toml", help="a DUT description (docs/dut.md); see --config")
    what.add_argument(
        "--black-box",
        metavar="MODULE:FUNCTION",
        help="a function that takes refmodel.identify.Probes and returns their results, Float32 bits, uint32 [n]",
    )
    what.add_argument("--write-probes", metavar="DIR", help="make DIR with the first round of probes")
    what.add_argument(
        "--answers", metavar="FILE", help="answers to the last round in --directory: .npy, .npz or hex text"
    )
    parser.add_argument("--directory", metavar="DIR", help="what --write-probes made; holds everything said so far")
    taken = parser.add_argument_group("what the black box takes")
    taken.add_argument("--a", metavar="ELEMENT", help=f"element format of A: {', '.join(OPERAND_FORMATS)}")
    taken.add_argument("--b", metavar="ELEMENT", help="element format of B (default: that of A)")
    taken.add_argument("--scale", metavar="SCALE", help="format of block scales: e8m0, ue4m3 (default: no scales)")
    taken.add_argument(
        "--block", type=integer, metavar="N", help="elements that share a scale (default 32 with --scale)"
    )
    taken.add_argument(
        "--lengths", type=integers, metavar="K,...", help=f"lengths it takes (default {','.join(map(str, LENGTHS))})"
    )
    taken.add_argument(
        "--c-format",
        choices=("float32", "float16", "bfloat16", "none"),
        help="format of the initial value; none: it starts at +0 (default float32)",
    )
    design = parser.add_argument_group("which configuration of a described design, and in which simulator")
    design.add_argument("--config", metavar="NAME", help="its name (default: the first that fits the other options)")
    design.add_argument("--formats", metavar="PAIR", help="its formats, as mxfp8_e4m3 or mxfp8_e4m3*mxfp4_e2m1")
    design.add_argument("--rule", metavar="NAME", help="the rule it is described to follow; not believed")
    design.add_argument("--sim", choices=("verilator", "icarus"), help="simulator (default verilator)")
    parser.add_argument("--seed", type=integer, metavar="S", help="of the random inputs (default 1)")
    parser.set_defaults(run=_identify)


def _identify(arguments: argparse.Namespace) -> int:
    ways = [name for name in ("dut", "black_box", "write_probes", "answers") if getattr(arguments, name) is not None]
    if len(ways) != 1:
        raise DefinitionError("give one of DUT.toml, --black-box, --write-probes and --answers")
    for name in _OF_DESIGNS:
        if ways != ["dut"] and getattr(arguments, name) is not None:
            raise DefinitionError(f"--{name} chooses a configuration of a described design, and DUT.toml is missing")
    if ways == ["answers"]:
        return _take_answers(arguments)
    if arguments.directory is not None:
        raise DefinitionError("--directory goes with --answers")
    if ways == ["dut"]:
        return _ask_design(arguments)
    if arguments.a is None:
        raise DefinitionError("--a is missing: the element format that the black box takes")
    interface, seed = _interface(arguments), 1 if arguments.seed is None else arguments.seed
    if seed < 0:
        raise DefinitionError(f"--seed {seed} must be 0 or more")
    if ways == ["write_probes"]:
        return _unfinished(start(arguments.write_probes, interface, seed), arguments.write_probes)
    return _report(identify(_load(arguments.black_box), interface, seed=seed))


def _ask_design(arguments: argparse.Namespace) -> int:
    for name in _OF_INTERFACES:
        if getattr(arguments, name) is not None:
            raise DefinitionError(f"--{name.replace('_', '-')} is said by the description; leave it out here")
    probing, selection = (bench_module(name) for name in ("probing", "selection"))
    wanted = {name: (given,) for name in ("formats", "rule") if (given := getattr(arguments, name)) is not None}
    filters = selection.Filters(config=arguments.config, **wanted)
    design = probing.choose(arguments.dut, filters, arguments.sim or "verilator")
    configuration = design.configuration
    print(f"design: {design.description.name}, {configuration.name}")
    if len(configuration.pairs) > 1:
        print(f"asked with the formats {configuration.pairs[design.chosen].name}")
    verdict = probing.identify_design(design, 1 if arguments.seed is None else arguments.seed)
    code = _report(verdict.found)
    if configuration.rule is not None:
        agrees = f"gives other bits on {verdict.wrong} of the inputs asked" if verdict.wrong else "gives every answer"
        print(f"The description says {configuration.rule.name}; that rule {agrees}.")
    return code


def _take_answers(arguments: argparse.Namespace) -> int:
    if arguments.directory is None:
        raise DefinitionError("--answers needs --directory, the one that --write-probes made")
    for name in (*_OF_INTERFACES, "seed"):
        if getattr(arguments, name) is not None:
            raise DefinitionError(f"--{name.replace('_', '-')} was settled by --write-probes; leave it out here")
    found = proceed(arguments.directory, arguments.answers)
    return _report(found) if isinstance(found, Identification) else _unfinished(found, arguments.directory)


def _interface(arguments: argparse.Namespace) -> Interface:
    a = _element(arguments.a)
    if arguments.block is not None and arguments.scale is None:
        raise DefinitionError("--block needs --scale")
    scale = None if arguments.scale is None else get_scale(arguments.scale)
    block = 0 if scale is None else 32 if arguments.block is None else arguments.block
    return Interface(
        a,
        a if arguments.b is None else _element(arguments.b),
        scale,
        block,
        tuple(arguments.lengths or LENGTHS),
        {None: "float32", "none": None}.get(arguments.c_format, arguments.c_format),
    )


def _element(name: str) -> ElementFormat:
    if name not in OPERAND_FORMATS:
        raise unknown_name("element format", name, OPERAND_FORMATS)
    return OPERAND_FORMATS[name]


def _load(place: str) -> BlackBox:
    module, _, name = place.partition(":")
    if not module or not name:
        raise DefinitionError(f"--black-box {place!r} must be MODULE:FUNCTION")
    sys.path.insert(0, os.getcwd())
    try:
        function = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise DefinitionError(f"--black-box {place!r}: {error}") from None
    finally:
        sys.path.pop(0)
    if not callable(function):
        raise DefinitionError(f"--black-box {place!r}: module {module} has no function {name}")
    box: BlackBox = function
    return box


def _report(found: Identification) -> int:
    print(found)
    return 0 if found.status == "identified" else UNSETTLED


def _unfinished(probes: Path, directory: str) -> int:
    print(f"{probes}: answer these, then: mxref identify --directory {directory} --answers FILE")
    return UNFINISHED
