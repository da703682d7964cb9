"""The mutants of a module: one place changed in its source."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

import refmodel

CORE = (
    "rounding", "encoding", "elements", "tables", "scales", "ratio_scales", "block_encoding", "dot",
    "summation.decoded", "summation.pairs", "summation.exact", "summation.rounder", "summation.chain",
    "summation.narrow", "summation.aligned", "summation.late",
)  # fmt: skip
"""The numeric core: decoding, encoding, scales, sums."""

_WITH_ARGUMENTS = {"core/VariableReplacer", "core/VariableInserter"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed module.

    Attributes:
        module: Below refmodel.
        operator: What cosmic-ray calls the change.
        line: Where it is.
        before, after: That line.
        source: The whole module, changed.
    """

    module: str
    operator: str
    line: int
    before: str
    after: str
    source: str


def read_source(module: str) -> str:
    """Return the source of a module below refmodel."""
    package = Path(refmodel.__file__).parent
    return package.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def sample_mutants(module: str, count: int | None, seed: int) -> list[Mutant]:
    """Return *count* mutants of a module, drawn from all of them; all if there are no more, or count is None."""
    places = list(_places(read_source(module)))
    random.Random(f"{seed}/{module}").shuffle(places)
    found: list[Mutant] = []
    for operator, occurrence in places:
        if count is not None and len(found) >= count:
            break
        mutant = _mutant(module, operator, occurrence)
        if mutant is not None:
            found.append(mutant)
    return found


def _places(source: str) -> Iterator[tuple[str, int]]:
    tree = get_ast(source)
    for name in sorted(set(operator_names()) - _WITH_ARGUMENTS):
        operator = get_operator(name)()
        count = sum(1 for node in ast_nodes(tree) for _ in operator.mutation_positions(node))
        yield from ((name, occurrence) for occurrence in range(count))


def _mutant(module: str, operator: str, occurrence: int) -> Mutant | None:
    """Return a mutant; None if it is the module as it was to the interpreter, or no program."""
    source = read_source(module)
    changed = mutate_code(source, get_operator(operator)(), occurrence)
    try:
        if changed is None or _meaning(changed) == _meaning(source):
            return None
    except SyntaxError:
        return None
    pairs = zip(source.splitlines(), changed.splitlines(), strict=False)
    line, before, after = next((n, a, b) for n, (a, b) in enumerate(pairs, 1) if a != b)
    return Mutant(module, operator, line, before.strip(), after.strip(), changed)


class _Bare(ast.NodeTransformer):
    """Takes off what is not run: annotations."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def _meaning(source: str) -> str:
    return ast.dump(_Bare().visit(ast.parse(source)))
