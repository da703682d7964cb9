"""The same search through files: a directory of probes to be answered elsewhere, round by round.

The directory holds

    interface.json             what the black box takes, the seed, the version of this form
    round_001.npz, ...         the probes of a round: for each length K the arrays k<K>_a and k<K>_b [n, K], element
                               codes; k<K>_c [n], Float32 bits; and with block scales k<K>_a_scales and
                               k<K>_b_scales [n, K / block], scale codes
    round_001.hex, ...         the same as text, one probe a line in the same order: K, c, the codes of a, of b and,
                               with block scales, the scales of a and of b, each field's codes joined without a
                               separator, the first in front, in as many hex digits as the widest code needs
    round_001.answers.npy, ... the answers, one uint32 a probe in the order of the round: lengths ascending

Answers are read from .npy (uint32), .npz (its array ``result``) or text with one hex word a line, the Float32 bits. The
search is repeated from its start with the answers kept, which makes it the same search as that of a function.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import FileError, MxError
from refmodel.formats import get_scale
from refmodel.identify.probes import Interface, Probes
from refmodel.identify.report import Identification
from refmodel.identify.search import conversation
from refmodel.operands import OPERAND_FORMATS

VERSION = 1
_STATE = "interface.json"


def start(directory: str | os.PathLike[str], interface: Interface, seed: int = 1) -> Path:
    """Make the directory with the probes of the first round, and return the path of these.

    Raises:
        FileError: If something of that name exists.
    """
    path = Path(directory)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileError(f"{directory}: exists; give the name of a directory that does not exist yet")
    path.mkdir(parents=True, exist_ok=True)
    batch = next(conversation(interface, seed=seed))
    written = _write_round(path, 1, batch)
    state = {
        "version": VERSION,
        "a": interface.a.name,
        "b": interface.b.name,
        "scale": interface.scale.name if interface.scale else None,
        "block": interface.block,
        "lengths": list(interface.lengths),
        "c_format": interface.c_format,
        "seed": seed,
    }
    _put(path / _STATE, (json.dumps(state, indent=2) + "\n").encode())
    return written


def proceed(directory: str | os.PathLike[str], answers: str | os.PathLike[str]) -> Identification | Path:
    """Take the answers to the last round; return the identification, or the path of the next round's probes.

    Raises:
        FileError: If the directory is not one of `start`, or the answers do not fit its last round.
    """
    path = Path(directory)
    interface, seed = _read_state(path)
    number = len(list(path.glob("round_*.npz")))
    search = conversation(interface, seed=seed)
    batch = next(search)
    for each in range(1, number + 1):
        _check_round(path, each, batch)
        file = path / f"round_{each:03}.answers.npy"
        count = sum(map(len, batch))
        bits = _read_answers(file if file.exists() else Path(answers), count)
        if not file.exists():
            if each != number:
                raise FileError(f"{file}: missing, though later rounds exist")
            _put_array(file, bits)
        try:
            batch = search.send(_split(bits, batch))
        except StopIteration as end:
            found: Identification = end.value
            return found
    return _write_round(path, number + 1, batch)


def _split(bits: NDArray[np.uint32], batch: list[Probes]) -> list[NDArray[np.uint32]]:
    ends = np.cumsum([len(probes) for probes in batch])[:-1]
    return list(np.split(bits, ends))


def _arrays(batch: list[Probes]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for probes in batch:
        k = f"k{probes.length}"
        if f"{k}_c" in arrays:
            raise AssertionError("a round holds each length once")
        arrays[f"{k}_a"], arrays[f"{k}_b"], arrays[f"{k}_c"] = probes.a, probes.b, probes.c
        if probes.a_scales is not None and probes.b_scales is not None:
            arrays[f"{k}_a_scales"], arrays[f"{k}_b_scales"] = probes.a_scales, probes.b_scales
    return arrays


def _write_round(path: Path, number: int, batch: list[Probes]) -> Path:
    target = path / f"round_{number:03}.npz"
    temporary = target.with_suffix(".tmp.npz")
    np.savez(temporary, **_arrays(batch))  # type: ignore[arg-type]
    _put(path / f"round_{number:03}.hex", "".join(map(_hex_lines, batch)).encode())
    temporary.rename(target)
    return target


def _hex_lines(probes: Probes) -> str:
    lines = []
    interface = probes.interface
    for row in range(len(probes)):
        words = [str(probes.length), f"{int(probes.c[row]):08x}"]
        words.append(_joined(probes.a[row], interface.a.bits))
        words.append(_joined(probes.b[row], interface.b.bits))
        if interface.scale and probes.a_scales is not None and probes.b_scales is not None:
            words += [_joined(scales[row], interface.scale.bits) for scales in (probes.a_scales, probes.b_scales)]
        lines.append(" ".join(words) + "\n")
    return "".join(lines)


def _joined(codes: NDArray[Any], bits: int) -> str:
    digits = -(-bits // 4)
    return "".join(f"{int(code):0{digits}x}" for code in codes)


def _check_round(path: Path, number: int, batch: list[Probes]) -> None:
    """Refuse a directory whose probes are not those that the search asks for now."""
    file = path / f"round_{number:03}.npz"
    with np.load(file) as stored:
        expected = _arrays(batch)
        same = set(stored.files) == set(expected)
        same = same and all(np.array_equal(stored[name], expected[name]) for name in expected)
    if not same:
        raise FileError(f"{file}: not the probes that this version asks; start again with --write-probes")


def _read_state(path: Path) -> tuple[Interface, int]:
    file = path / _STATE
    try:
        state = json.loads(file.read_text())
    except (OSError, ValueError):
        raise FileError(f"{file}: missing or damaged; make the directory with --write-probes") from None
    try:
        if state["version"] != VERSION:
            raise FileError(f"{file}: version {state['version']} is not {VERSION}")
        interface = Interface(
            OPERAND_FORMATS[state["a"]],
            OPERAND_FORMATS[state["b"]],
            get_scale(state["scale"]) if state["scale"] else None,
            state["block"],
            tuple(state["lengths"]),
            state["c_format"],
        )
        return interface, int(state["seed"])
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{file}: {error!r}; make the directory with --write-probes") from None


def _read_answers(file: Path, count: int) -> NDArray[np.uint32]:
    try:
        if file.suffix == ".npy":
            bits = np.load(file, allow_pickle=False)
        elif file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as stored:
                bits = stored["result"]
        else:
            bits = np.array([int(word, 16) for word in file.read_text().split()], np.int64)
            if ((bits < 0) | (bits > 0xFFFFFFFF)).any():
                raise FileError(f"{file}: a word is not of 32 bits")
            bits = bits.astype(np.uint32)
    except MxError:
        raise
    except (KeyError, ValueError, EOFError) as error:
        raise FileError(
            f"{file}: {error}; answers are .npy (uint32), .npz with 'result', or text with one hex word a line"
        ) from None
    if bits.dtype != np.uint32 or bits.shape != (count,):
        raise FileError(f"{file}: {bits.dtype} {list(bits.shape)}; the round wants {count} answers as uint32")
    return np.asarray(bits, np.uint32)


def _put(file: Path, content: bytes) -> None:
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_bytes(content)
    temporary.rename(file)


def _put_array(file: Path, bits: NDArray[np.uint32]) -> None:
    temporary = file.with_name(f".{file.name}.tmp.npy")
    np.save(temporary, bits)
    temporary.rename(file)
