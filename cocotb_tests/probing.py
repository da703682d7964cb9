"""A described design as the black box of `refmodel.identify`: each round of probes is one simulation."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocotb_tests import probe_tests, simulators
from cocotb_tests.jobs import ROOT, Bench, reason_of
from cocotb_tests.selection import Filters, select_configurations
from cocotb_tests.settings import BenchResult, Settings
from cocotb_tests.simulators import ToolError
from refmodel.accumulate import get_rule
from refmodel.blocks import Blocks
from refmodel.conformance import Configuration, Description, OperandPair, load_description
from refmodel.conformance.configuration import element_of, scale_of
from refmodel.dot import dot
from refmodel.errors import DefinitionError, DescriptionError
from refmodel.formats import BlockFormat
from refmodel.identify import Identification, Interface, Probes, conversation
from refmodel.identify.probes import LENGTHS, code_type
from refmodel.vectors.dotset import DotVectors, unscaled_blocks
from refmodel.vectors.files import write_vectors
from refmodel.vectors.vectorset import StimulusClassRange


@dataclass(frozen=True, slots=True)
class ProbedDesign:
    """A configuration of a design that can be asked dot products.

    Attributes:
        bench: The simulator.
        description, configuration: The design.
        chosen: Which of the configuration's pairs of formats is asked, where it takes several at run time.
    """

    bench: Bench
    description: Description
    configuration: Configuration
    chosen: int = 0

    def __post_init__(self) -> None:
        if self.description.operation.name not in ("dot", "dot_general"):
            raise DefinitionError(
                f"{self.description.file}: operation {self.description.operation.name!r} has no accumulation rule to "
                "identify; dot and dot_general have"
            )

    @property
    def interface(self) -> Interface:
        """What the design takes."""
        return self._interface(self.configuration.pairs[self.chosen])

    def _interface(self, pair: OperandPair) -> Interface:
        scale, size = scale_of(pair.a), pair.block_size
        lengths = (size,) if self.description.operation.name == "dot" else _lengths(size)
        c_format = "float32" if "c" in self.description.ports else None
        return Interface(element_of(pair.a), element_of(pair.b), scale, size if scale else 0, lengths, c_format)

    def answer(self, batch: Sequence[Probes], number: int) -> list[NDArray[np.uint32]]:
        """Return the Float32 bits that the design gives for a round of probes.

        Raises:
            ToolError: If the simulator refuses the sources, or the simulation gives no answers.
            DescriptionError: If the ports of the design are not those of the description.
        """
        directory = self.bench.build(self.description, self.configuration)
        name = hashlib.sha256(self.configuration.name.encode()).hexdigest()[:12]
        with tempfile.TemporaryDirectory(prefix=f"probes-{name}-", dir=directory) as run:
            result, log = Path(run) / "answers.npy", directory / f"probes-{name}.log"
            self._write(batch, Path(run) / "vectors")
            settings = Settings(
                str(self.description.file.resolve()), self.configuration.name, str(Path(run) / "vectors"), number,
                str(result), "",
            )  # fmt: skip
            xml = simulators.run(
                self.bench.sim, top=self.description.design.top, test_module=probe_tests.__name__,
                build_directory=directory, run_directory=Path(run), seed=number, environment=settings.environment(),
                log=log,
            )  # fmt: skip
            try:
                codes = np.load(result, allow_pickle=False)
            except (OSError, ValueError):
                raise self._failure(xml, result, log) from None
        ends = np.cumsum([len(probes) for probes in batch])
        if codes.shape != (ends[-1],):
            raise ToolError(f"{self.description.name}: {codes.shape} answers to {ends[-1]} probes")
        return list(np.split(_float32_bits(codes, self.configuration.result), ends[:-1]))

    def _failure(self, xml: Path, result: Path, log: Path) -> Exception:
        try:
            unfit = BenchResult.read(result).unfit
        except (OSError, ValueError):
            unfit = []
        if unfit:
            return DescriptionError(f"{self.description.file}: {'; '.join(unfit)}")
        return ToolError(f"{self.description.name} gives no answers: {reason_of(xml, log)}")

    def _write(self, batch: Sequence[Probes], directory: Path) -> None:
        """Write the probes as the set of the chosen formats, and one dot product of zeros for each other pair."""
        directory.mkdir()
        for number, pair in enumerate(self.configuration.pairs):
            own = batch if number == self.chosen else [_zeros(self._interface(pair))]
            write_vectors(self._vectors(own, pair), directory / str(number))
        if len(self.configuration.pairs) > 1:
            np.save(directory / "order.npy", self.chosen + np.arange(sum(map(len, batch))))

    def _vectors(self, batch: Sequence[Probes], pair: OperandPair) -> DotVectors:
        size = pair.block_size
        sides = []
        for operand, codes, scales in (
            (pair.a, [p.a for p in batch], [p.a_scales for p in batch]),
            (pair.b, [p.b for p in batch], [p.b_scales for p in batch]),
        ):
            blocks = np.concatenate([c.reshape(-1, size) for c in codes])
            if isinstance(operand, BlockFormat):
                given = np.concatenate([s.ravel() for s in scales if s is not None])
                sides.append(Blocks(operand, blocks, given))
            else:
                sides.append(unscaled_blocks(operand, blocks))
        counts = np.concatenate([np.full(len(p), p.length // size) for p in batch])
        last = np.zeros(counts.sum(), np.bool_)
        last[np.cumsum(counts) - 1] = True
        dots, has_c = len(counts), "c" in self.description.ports
        narrow = self.configuration.result != "fp32"
        return DotVectors(
            a=sides[0],
            b=sides[1],
            last=last,
            results=np.zeros(dots, np.uint16 if narrow else np.uint32),
            rule=self.configuration.rule.rule if self.configuration.rule else get_rule("exact_fp32"),
            classes=(StimulusClassRange("probes", "asked by refmodel.identify", 0, dots),),
            call={
                "seed": 0,
                "count": dots,
                "multi_block": self.description.operation.name == "dot_general",
                "initial_values": has_c,
                "inputs": [],
                "shard": [0, 1],
            },
            c=np.concatenate([p.c for p in batch]) if has_c else None,
            scaled=scale_of(pair.a) is not None,
        )


def choose(file: str | Path, filters: Filters, sim: str = "verilator") -> ProbedDesign:
    """Return the first configuration of a described design that fits, ready to be asked.

    A configuration that takes several pairs of formats at run time fits each of them.

    Raises:
        MxError: If the description is wrong, nothing fits, or the simulator is missing.
    """
    description = load_description(file)
    name = filters.formats[0] if filters.formats else None
    mixed = [each for each in description.configurations if len(each.pairs) > 1]
    if name is not None and any(pair.name == name for each in mixed for pair in each.pairs):
        filters = replace(filters, formats=("mixed",))
    chosen = select_configurations({description.name: description}, filters, everything=False)[0].configuration
    names = [pair.name for pair in chosen.pairs]
    bench = Bench(sim, simulators.prepare(sim), ROOT / "build")
    return ProbedDesign(bench, description, chosen, names.index(name) if name in names else 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of asking a design.

    Attributes:
        found: Which rules it follows.
        wrong: Of the inputs asked, those on which the rule of its description gives other bits.
    """

    found: Identification
    wrong: int


def identify_design(design: ProbedDesign, seed: int = 1) -> Verdict:
    """Return which rules a design follows, as its answers in simulation say.

    Raises:
        MxError: If the simulation gives no answers.
    """
    asking = conversation(design.interface, seed=seed)
    batch, number, wrong = next(asking), 1, 0
    described = design.configuration.rule
    while True:
        answers = design.answer(batch, number)
        for probes, bits in zip(batch, answers, strict=True):
            if described is not None:
                expected = dot(*probes.operands(), described.rule, probes.c.view(np.float32)).view(np.uint32)
                wrong += int((expected != bits).sum())
        try:
            batch, number = asking.send(answers), number + 1
        except StopIteration as end:
            return Verdict(end.value, wrong)


def _zeros(interface: Interface) -> Probes:
    """Return one dot product of zeros."""
    length = interface.lengths[0]
    a, b = (np.zeros((1, length), code_type(element)) for element in (interface.a, interface.b))
    scales = np.zeros((1, length // interface.block), np.uint8) if interface.block else None
    return Probes(interface, a, b, np.zeros(1, np.uint32), scales, scales, ("zeros",))


def _lengths(size: int) -> tuple[int, ...]:
    whole = tuple(length for length in LENGTHS if length % size == 0)
    return whole or (size, 4 * size, 16 * size)


def _float32_bits(codes: NDArray[np.uint32], result: str) -> NDArray[np.uint32]:
    """Results of a narrower format as Float32 of the same value; of a NaN the payload stays, too."""
    if result == "bf16":
        return codes << np.uint32(16)
    if result == "fp16":
        nan = (codes & 0x7FFF) > 0x7C00
        wide = codes.astype(np.uint16).view(np.float16).astype(np.float32).view(np.uint32)
        return np.where(nan, (codes & 0x8000) << 16 | 0x7F800000 | (codes & 0x3FF) << 13, wide).astype(np.uint32)
    return codes
