"""``mxref vectors`` and ``mxref verify``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refmodel.accumulate import AccumulationRule, from_toml
from refmodel.cli.common import add_options, encode_options, integer, print_table, quantize_options
from refmodel.errors import DefinitionError, FileError
from refmodel.layouts import list_layouts
from refmodel.options import QuantizeOptions
from refmodel.packing import SCALE_POSITIONS
from refmodel.vectors.conversions import dequantize_pieces, quantize_pieces
from refmodel.vectors.dotset import get_vector_format
from refmodel.vectors.dotstream import dot_pieces
from refmodel.vectors.files import HEX, check_destination, check_forms, write_vectors
from refmodel.vectors.forms import FORMS
from refmodel.vectors.levels import LEVELS, get_level
from refmodel.vectors.packings import PackVectors, UnpackVectors, pack_pieces
from refmodel.vectors.pairs import TensorPair, load_pairs
from refmodel.vectors.pieces import MAX_STREAM, Pieces, Shard
from refmodel.vectors.singles import decode_pieces, encode_pieces, get_code_format
from refmodel.vectors.tilestream import tile_pieces
from refmodel.vectors.vectorset import VectorSet
from refmodel.vectors.verify import verify_directory

if TYPE_CHECKING:
    from refmodel.cli import Commands

PROGRESS_AFTER_SECONDS = 2.0

_OF_SUMS = ("b_format", "rule", "initial_values", "input")
_OF_BYTES = ("layout", "scale_position")
_TAKES: dict[str, tuple[str, ...]] = {
    "dot": (*_OF_SUMS, "multi_block"),
    "dot_general": _OF_SUMS,
    "matmul_tile": (*_OF_SUMS, "rows", "columns"),
    "quantize": ("input",),
    "dequantize": (),
    "decode": (),
    "encode": (),
    "pack": _OF_BYTES,
    "unpack": _OF_BYTES,
}
"""Operations, and arguments that belong to some of them only."""


def add(commands: Commands) -> None:
    """Add the commands."""
    vectors = commands.add_parser(
        "vectors",
        help="make a directory of test vectors",
        description="Make a directory of test vectors: inputs of every stimulus class, and the results that "
        "the model gives. The same command writes the same bytes on every machine.",
        epilog="examples: mxref vectors --a-format mxfp8_e4m3 --rule exact_fp32 --count 20000 --seed 1 "
        "--input weights.safetensors --output build/e4m3; "
        "mxref vectors --operation quantize --a-format nvfp4 --count 5000 --output build/nvfp4",
    )
    add_set_arguments(vectors)
    size = vectors.add_mutually_exclusive_group(required=True)
    size.add_argument(
        "--count",
        type=integer,
        metavar="N",
        help=f"vectors at least, 1 to {MAX_STREAM}: as many as the disk holds",
    )
    size.add_argument(
        "--level",
        choices=tuple(LEVELS),
        help=f"as many as a level asks for: {'; '.join(f'{each.name} {each.purpose}' for each in LEVELS.values())}",
    )
    vectors.add_argument(
        "--input",
        metavar="FILE[:NAME]",
        help="tensors to take blocks from, .npy, .npz or .safetensors; alone: its pairs NAME.weight and "
        "NAME.input, or else each tensor against itself (default: no blocks from tensors)",
    )
    vectors.add_argument(
        "--input-b",
        metavar="FILE[:NAME]",
        help="tensors of B; every tensor of --input meets every one here that has the same last axis",
    )
    vectors.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="directory to make; a vector directory there is replaced",
    )
    vectors.add_argument(
        "--form",
        default=HEX,
        metavar="LIST",
        help=f"forms of the planes, of {', '.join(FORMS)}, with commas between (default {HEX})",
    )
    vectors.add_argument(
        "--undeclared",
        metavar="LIST",
        help="choices that the design leaves open, such as nan_pattern or nan_to_finite, with commas between: the "
        "results that are acceptable besides those of the planes go to acceptable.jsonl",
    )
    vectors.add_argument(
        "--shard",
        metavar="I/N",
        help="make part I, from 0, of N parts of a set; their planes after each other are those of the whole set",
    )
    vectors.set_defaults(run=_vectors)

    verify = commands.add_parser(
        "verify",
        help="check a directory of test vectors",
        description="Check the manifest, the digests and every word of a vector directory; compute all "
        "results again with the model, and a small set or a selection of a large one with the oracle.",
    )
    verify.add_argument("directory", metavar="DIR")
    verify.set_defaults(run=_verify)


def one_word(argv: Sequence[str]) -> list[str]:
    """Return the arguments with `vectors verify` as the command `verify` that it is."""
    return list(argv[1:] if list(argv[:2]) == ["vectors", "verify"] else argv)


def add_set_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is in a set, whatever its size."""
    parser.add_argument(
        "--operation",
        default="dot",
        choices=tuple(_TAKES),
        help="dot products of A and B under a rule, one block each, or of several (dot_general), tiles of matrix "
        "products, numbers to blocks, blocks to numbers, codes to numbers, numbers to codes, blocks to bytes, bytes to "
        "blocks (default dot)",
    )
    parser.add_argument(
        "--a-format",
        required=True,
        metavar="FORMAT",
        help="format of A, or of the blocks of a conversion: one of `mxref formats`; or of elements or scales, such as "
        "e4m3 and e8m0",
    )
    parser.add_argument("--b-format", metavar="FORMAT", help="format of B (default: that of A)")
    parser.add_argument(
        "--rule",
        metavar="RULE|FILE",
        help="accumulation rule of dot products, one of `mxref rules`, or a file NAME.toml with the fields of one",
    )
    parser.add_argument(
        "--input-format",
        default="fp32",
        choices=("fp32", "bf16"),
        help="format of the numbers that quantize and encode take (default fp32)",
    )
    parser.add_argument(
        "--multi-block",
        action="store_true",
        help="dots of one block and of several, for a unit that accumulates (default: one block)",
    )
    parser.add_argument(
        "--initial-values",
        action="store_true",
        help="each dot has an initial value of its own (default: all start at +0)",
    )
    parser.add_argument(
        "--layout", choices=list_layouts(), help="where pack and unpack have the bits of elements (default le)"
    )
    parser.add_argument(
        "--scale-position", choices=SCALE_POSITIONS, help="and where the scale of a block (default apart: elsewhere)"
    )
    for name in ("rows", "columns"):
        parser.add_argument(f"--{name}", type=integer, metavar="N", help=f"{name} of a tile")
    parser.add_argument("--seed", default=1, type=integer, metavar="S", help="0 or more (default 1)")
    add_options(parser, QuantizeOptions)


def _vectors(arguments: argparse.Namespace) -> None:
    if arguments.input_b is not None and arguments.input is None:
        raise DefinitionError("--input-b gives the tensors of B and needs --input for those of A")
    forms = arguments.form.split(",")
    check_forms(forms)
    undeclared = arguments.undeclared.split(",") if arguments.undeclared else []
    check_destination(arguments.output)
    tensors = [] if arguments.input is None else load_pairs(arguments.input, arguments.input_b)
    tally, progress = _Tally(), _Progress()
    count, shard = _count(arguments), _read_shard(arguments.shard)
    parts = make_pieces(arguments, count, tensors, progress.step).parts(shard, progress.step)
    write_vectors(tally.watch(parts, progress.step), arguments.output, forms, undeclared)
    print_table(("class", *tally.counted), [(name, *numbers) for name, numbers in tally.classes.items()])
    print(f"{arguments.output}: {tally.made}")


class _Tally:
    """Counts what passes on its way to the files."""

    def __init__(self) -> None:
        self.classes: dict[str, list[int]] = {}
        self.counted: tuple[str, ...] = ()
        self._title, self._counts = "", Counter[str]()

    def watch(self, parts: Iterable[VectorSet], progress: Callable[[str], None]) -> Iterator[VectorSet]:
        """Pass the parts on; *progress* is told before the files of each are written."""
        for part in parts:
            *steps, vectors = part.counts()
            self.counted, self._title = (vectors, *steps), part.title
            self._counts.update(part.counts())
            for each in part.classes:
                numbers = [each.count]
                if steps:
                    rows = [part.rows_of(i) for i in (each.first, each.dots[-1])] if each.dots else [slice(0, 0)]
                    numbers.append(rows[-1].stop - rows[0].start)
                so_far = self.classes.get(each.name, [0] * len(numbers))
                self.classes[each.name] = [x + y for x, y in zip(so_far, numbers, strict=True)]
            progress("files")
            yield part

    @property
    def made(self) -> str:
        """How many of what, of which formats and rule."""
        numbers = ", ".join(f"{self._counts[name]} {name}" for name in self.counted)
        return f"{numbers}, {self._title}"


def make_pieces(
    arguments: argparse.Namespace,
    count: int,
    tensors: Sequence[TensorPair] = (),
    progress: Callable[[str], None] = lambda step: None,
) -> Pieces[Any]:
    """Return the pieces of the set that the arguments ask for; arguments of another operation are refused."""
    operation, fmt = arguments.operation, arguments.a_format
    takes = _TAKES[operation]
    for name in (name for names in _TAKES.values() for name in names if name not in takes):
        if getattr(arguments, name, None):
            raise DefinitionError(f"--{name.replace('_', '-')} is not for operation {operation!r}")
    call: dict[str, Any] = {"count": count, "seed": arguments.seed, "progress": progress}
    match operation:
        case "quantize":
            options = quantize_options(arguments, get_vector_format(fmt))
            call |= {"input_format": arguments.input_format, "options": options, "tensors": tensors}
            return quantize_pieces(fmt, **call)
        case "dequantize":
            return dequantize_pieces(fmt, **call)
        case "decode":
            return decode_pieces(fmt, **call)
        case "encode":
            encoding = encode_options(arguments, get_code_format(fmt))
            return encode_pieces(fmt, input_format=arguments.input_format, options=encoding, **call)
        case "pack" | "unpack":
            kind = PackVectors if operation == "pack" else UnpackVectors
            call |= {"layout": arguments.layout or "le", "scale_position": arguments.scale_position or "apart"}
            return pack_pieces(fmt, kind=kind, **call)
    if arguments.rule is None:
        raise DefinitionError(f"operation {operation!r} needs --rule, one of `mxref rules`")
    formats = fmt, arguments.b_format or fmt
    call |= {"rule": _read_rule(arguments.rule), "initial_values": arguments.initial_values, "tensors": tensors}
    if operation == "matmul_tile":
        if arguments.rows is None or arguments.columns is None:
            raise DefinitionError("operation 'matmul_tile' needs --rows and --columns")
        return tile_pieces(*formats, rows=arguments.rows, columns=arguments.columns, **call)
    return dot_pieces(*formats, multi_block=arguments.multi_block or operation == "dot_general", **call)


def _count(arguments: argparse.Namespace) -> int:
    """Return the number of vectors that --count or --level asks for."""
    if arguments.level is None:
        count: int = arguments.count
        return count
    level = get_level(arguments.level)
    if level.endless and arguments.shard is None:
        raise DefinitionError(f"level {level.name!r} is endless: give --shard I/N")
    return level.counts[arguments.operation]


def _read_shard(text: str | None) -> Shard:
    """Return the shard I/N, the whole set if there is none."""
    if text is None:
        return Shard()
    index, slash, of = text.partition("/")
    if not (slash and index.isdecimal() and of.isdecimal()):
        raise DefinitionError(f"--shard {text}: write I/N, such as 0/4 for the first of four")
    return Shard(int(index), int(of))


def _read_rule(text: str) -> str | AccumulationRule:
    """Return the rule in a TOML file, or the name that *text* is."""
    if not text.endswith(".toml"):
        return text
    try:
        return from_toml(Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise FileError(f"{text}: cannot be read: {reason}") from error


def _verify(arguments: argparse.Namespace) -> None:
    vectors, judged = verify_directory(arguments.directory)
    print(
        f"{arguments.directory}: {vectors.title}: digests match; the model gives all {vectors.vectors} results, "
        f"the oracle the {judged} it was asked for"
    )


class _Progress:
    """Says on stderr what is being done, once the whole takes longer than a moment."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def step(self, name: str) -> None:
        """Note that the step *name* begins."""
        if time.monotonic() - self._start > PROGRESS_AFTER_SECONDS:
            print(f"mxref: making {name} ...", file=sys.stderr, flush=True)
