"""What every mutant of the model is asked, and what the oracle answers."""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refmodel.errors import MxError
from refmodel.formats import OCP_FORMATS, get_format
from refmodel.options import EncodeOptions, Overflow, QuantizeOptions, Rounding, ScaleRule
from refmodel.vectors.conversions import make_dequantize_vectors, make_quantize_vectors
from refmodel.vectors.dotset import make_dot_vectors
from refmodel.vectors.singles import make_decode_vectors, make_encode_vectors
from refmodel.vectors.vectorset import VectorSet

BLOCKS = (*OCP_FORMATS, "nvfp4")
_ROUNDINGS: tuple[Rounding, ...] = ("rne", "rna", "rnz", "rtz", "rup", "rdn", "rto")
_OVERFLOWS: tuple[Overflow, ...] = ("saturate", "overflow")
_SCALE_RULES: tuple[ScaleRule, ...] = ("floor", "ceil", "rceil", "even")
_PAIRS = (*((name, name) for name in BLOCKS), ("mxfp8_e4m3", "mxfp4_e2m1"), ("mxint8", "mxfp8_e5m2"))
_RULES = ("exact_fp32", "block32_fp32_add", "nv_mxf8f6f4", "nv_mxf4")


@dataclass(frozen=True)
class Question:
    """A vector set and its answers.

    Attributes:
        title: Operation, formats and options.
        vectors: The set.
        answers: By output plane, the codes of each row.
    """

    title: str
    vectors: VectorSet
    answers: dict[str, NDArray[Any]]


def make_questions() -> list[Question]:
    """Return the questions, cheap ones first, every answer by the oracle."""
    return [Question(f"{each.operation} {each.title}", each, _by_oracle(each)) for each in _sets()]


def digest_of_questions(questions: Sequence[Question]) -> str:
    """Return a digest of what is asked and answered."""
    digest = hashlib.sha256()
    for each in questions:
        digest.update(each.title.encode())
        for plane in each.vectors.planes():
            digest.update(plane.codes.tobytes())
        for answer in each.answers.values():
            digest.update(answer.tobytes())
    return digest.hexdigest()


def first_difference(questions: bytes, module: str, source: str) -> str | None:
    """Return the title of the first question that the model answers otherwise with *source* for one of its modules, or
    how it fails; None if there is none. For a process of its own: the model of this one is thrown away.

    Args:
        questions: Pickled, so that their classes are those of the changed model.
        module: Below refmodel.
        source: What it is replaced by.
    """
    for name in [each for each in sys.modules if each == "refmodel" or each.startswith("refmodel.")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Changed(f"refmodel.{module}", source))
    try:
        for question in pickle.loads(questions):
            seen = question.vectors.by_model()
            if any(not np.array_equal(seen[name], wanted) for name, wanted in question.answers.items()):
                return str(question.title)
    except Exception as error:  # any failure is a difference
        return f"{type(error).__name__}: {error}"
    return None


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another source."""

    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, f"<changed {self._name}>", "exec"), module.__dict__)


def _sets() -> Iterator[VectorSet]:
    elements = list(dict.fromkeys(get_format(name).element.name for name in BLOCKS))
    for name in (*elements, "e8m0", "ue4m3"):
        yield make_decode_vectors(name, count=1, seed=1)
    for name in elements:
        encodings = [EncodeOptions(rounding=each, overflow=end) for each in _ROUNDINGS for end in _OVERFLOWS]
        yield from _possible(partial(make_encode_vectors, name, options=each, count=1, seed=1) for each in encodings)
    for name in BLOCKS:
        yield make_dequantize_vectors(name, count=1, seed=1)
        options = [QuantizeOptions(scale_rule=rule) for rule in _SCALE_RULES]
        options += [QuantizeOptions(overflow="overflow"), QuantizeOptions(rounding="rna")]
        yield from _possible(partial(make_quantize_vectors, name, options=each, count=1, seed=1) for each in options)
        yield make_quantize_vectors(name, input_format="bf16", count=1, seed=1)
    for a, b in _PAIRS:
        yield from _possible(
            partial(make_dot_vectors, a, b, rule=rule, multi_block=multi, initial_values=True, count=1, seed=1)
            for rule in _RULES
            for multi in (False, True)
        )


def _possible(makers: Iterable[Callable[[], VectorSet]]) -> Iterator[VectorSet]:
    """Yield the sets that there are; some formats lack some options."""
    for make in makers:
        try:
            yield make()
        except MxError:
            continue


def _by_oracle(vectors: VectorSet) -> dict[str, NDArray[Any]]:
    answers = [vectors.by_oracle(i) for i in range(vectors.vectors)]
    model = vectors.by_model()
    return {name: np.array([each[name] for each in answers], model[name].dtype) for name in answers[0]}
