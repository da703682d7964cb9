"""Dot products: one block or a run of blocks, with formats fixed, or chosen at run time and mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocotb_tests.operations.base import Family, Items, Part, Planes, VectorRequest, class_indices
from cocotb_tests.packing import Codes
from refmodel.accumulate import AccumulationRule, to_dict
from refmodel.conformance import Configuration, Description, OperandPair
from refmodel.conformance.configuration import element_of
from refmodel.conformance.explanation import explain_vector
from refmodel.vectors.dotset import DotVectors, make_dot_vectors
from refmodel.vectors.files import read_dot_vectors, write_vectors
from refmodel.vectors.vectorset import rows_of_runs

_GARBAGE_SEED = 0x6D78


class DotItems(Items):
    """The dot products of one vector set for each pair of formats, in one order.

    Args:
        pairs: The formats.
        sets: A vector set each.
        order: Indices into the dots of all sets, one after the other; None for all as they come.
    """

    def __init__(
        self, pairs: Sequence[OperandPair], sets: Sequence[DotVectors], order: NDArray[np.int64] | None = None
    ) -> None:
        self._pairs, self._sets = pairs, sets
        self._starts = np.cumsum([0, *(each.dots for each in sets)])
        self._order = np.arange(self._starts[-1]) if order is None else order
        names = dict.fromkeys(each.name for vectors in sets for each in vectors.classes)
        self.classes = list(names)
        index = {name: i for i, name in enumerate(names)}
        of_all = [
            np.array([index[each.name] for each in vectors.classes])[
                class_indices([each.dots for each in vectors.classes])
            ]
            for vectors in sets
        ]
        self.class_of = np.concatenate(of_all)[self._order]

    def planes(self, description: Description, configuration: Configuration) -> Planes:
        parts = [self._planes_of_set(i, description, configuration) for i in range(len(self._sets))]
        inputs = {role: np.concatenate([part.inputs[role] for part in parts]) for role in parts[0].inputs}
        lengths = np.concatenate([np.diff(part.bounds) for part in parts])
        beats = rows_of_runs(np.concatenate([[0], np.cumsum(lengths)]), self._order)
        bounds = np.concatenate([[0], np.cumsum(lengths[self._order])])
        results = np.concatenate([part.outputs["result"] for part in parts])[self._order]
        return Planes({role: codes[beats] for role, codes in inputs.items()}, bounds, {"result": results})

    def _planes_of_set(self, number: int, description: Description, configuration: Configuration) -> Planes:
        vectors, pair, beats = self._sets[number], self._pairs[number], configuration.beats
        n = vectors.blocks * beats
        inputs: dict[str, Codes] = run_time_formats(description, pair, n)
        for side, operand in (("a", vectors.a), ("b", vectors.b)):
            inputs[f"{side}_elements"] = operand.codes.reshape(n, configuration.lanes)
            if vectors.scaled:
                inputs[f"{side}_scale"] = np.repeat(operand.scales, beats)[:, None]
        last = np.repeat(vectors.last, beats)
        first = np.repeat(np.concatenate([[True], vectors.last[:-1]]), beats)
        inputs["last"], inputs["first"] = last[:, None].astype(np.uint8), first[:, None].astype(np.uint8)
        if vectors.c is not None:
            inputs["c"] = np.repeat(on_first_blocks(vectors.c[:, None], vectors.bounds), beats, axis=0)
        return Planes(inputs, vectors.bounds * beats, {"result": vectors.results[:, None]})

    def parts(self) -> list[Part]:
        parts = []
        for vectors, start in zip(self._sets, self._starts.tolist(), strict=False):
            items = np.flatnonzero((self._order >= start) & (self._order < start + vectors.dots))
            items = items[np.argsort(self._order[items], kind="stable")]
            parts.append(Part(vectors, items, self._order[items] - start))
        return [part for part in parts if part.items.size]

    def explain(self, item: int, seen: Mapping[str, Sequence[int]], *, full: bool) -> list[str]:
        place = int(self._order[item])
        number = int(np.searchsorted(self._starts, place, side="right")) - 1
        return explain_vector(self._sets[number], place - int(self._starts[number]), seen, full=full)


class DotFamily(Family):
    """Sets of dot products.

    Args:
        multi_block: Whether they are of several blocks.
    """

    def __init__(self, *, multi_block: bool) -> None:
        self._multi_block = multi_block
        self.default_count = {"verilator": 5_000 if multi_block else 20_000, "icarus": 500, "ghdl": 500}

    def call(self, description: Description, configuration: Configuration) -> list[object]:
        return [
            self._multi_block,
            "c" in description.ports,
            [[pair.a.name, pair.b.name] for pair in configuration.pairs],
            rule_call(configuration),
        ]

    def make(
        self, description: Description, configuration: Configuration, request: VectorRequest, directory: Path
    ) -> None:
        pairs = configuration.pairs
        for number, pair in enumerate(pairs):
            vectors = make_dot_vectors(
                pair.a, pair.b, rule=_rule(configuration), multi_block=self._multi_block,
                initial_values="c" in description.ports, count=-(-request.count // len(pairs)), seed=request.seed,
                tensors=request.tensors,
            )  # fmt: skip
            write_vectors(vectors, directory / str(number))
        if len(pairs) > 1:
            sets = [read_dot_vectors(directory / str(number)) for number in range(len(pairs))]
            total = sum(each.dots for each in sets)
            draws = np.random.Generator(np.random.PCG64(request.seed))
            # A set has a least size, and many of them are more than asked for: an even choice of all classes.
            chosen = (
                np.arange(total) if total <= request.count else np.linspace(0, total - 1, request.count).astype(int)
            )
            np.save(directory / "order.npy", draws.permutation(chosen))

    def read(self, configuration: Configuration, directory: Path) -> Items:
        pairs = configuration.pairs
        sets = [read_dot_vectors(directory / str(number)) for number in range(len(pairs))]
        return DotItems(pairs, sets, np.load(directory / "order.npy") if len(pairs) > 1 else None)


DOT = DotFamily(multi_block=False)
DOT_GENERAL = DotFamily(multi_block=True)


def _rule(configuration: Configuration) -> AccumulationRule:
    assert configuration.rule is not None, "operations of dot products have rules"
    return configuration.rule.rule


def rule_call(configuration: Configuration) -> dict[str, object]:
    """Return the fields of the rule that decide bits."""
    words = ("source", "confidence", "description")
    return {name: value for name, value in to_dict(_rule(configuration)).items() if name not in words}


def on_first_blocks(c: NDArray[np.uint32], bounds: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return initial values [runs, n] for every block: they count with the first of a run only, and what comes
    with the others must not matter."""
    draws = np.random.Generator(np.random.PCG64(_GARBAGE_SEED))
    values = draws.integers(0, 1 << 32, (int(bounds[-1]), c.shape[1]), np.uint32)
    values[bounds[:-1]] = c
    return values


def run_time_formats(description: Description, pair: OperandPair, rows: int) -> dict[str, Codes]:
    """Return the planes that say which formats the operands have."""
    planes: dict[str, Codes] = {}
    for side, fmt in (("a", pair.a), ("b", pair.b)):
        port = description.ports.get(f"{side}_format")
        if port is not None and port.map is not None:
            number = port.map[fmt.name if fmt.name in port.map else element_of(fmt).name]
            planes[f"{side}_format"] = np.full((rows, 1), number, np.uint32)
    return planes
