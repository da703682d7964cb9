"""The anchors in vectors/anchors: unchanged, about every clause that is demanded, and what model and oracle give."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest

import refmodel as mx
from refmodel import oracle
from refmodel.conformance.clauses import NEED_TESTS, list_clauses
from refmodel.formats import FLOAT32, get_format, get_number_format
from refmodel.options import EncodeOptions

ANCHORS = Path(__file__).parents[1] / "vectors" / "anchors"

# Whoever changes an anchor says why in the commit that changes these.
DIGESTS = {
    "decode": "73d2730a903cf419a3a31166b3652bd966ddebe0fc795677f6b64209153997ac",
    "dequantize": "df90bf191d8050f01e2e351083faae812e589239cb9d6823f97d7f52d767eb59",
    "dot": "ceae36982c0b1da145803ab6a5754864a3fdc9a083fa26e20d49cf9a323754e3",
    "encode": "b29050108c2a13d6a6b46b6f47d72f874247bae8170001babb2f00554ea370a4",
    "quantize": "f22b4a7bb789d604c6990c8bb641d49c4b4bdf388e4b311e0530379082841259",
}


def rows(name: str) -> list[dict[str, str]]:
    with open(ANCHORS / f"{name}.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def codes(text: str) -> list[int]:
    """Return the codes of a field: in hex, with ``x`` before how often."""
    found = []
    for word in text.split():
        code, _, times = word.partition("x")
        found += [int(code, 16)] * int(times or 1)
    return found


@pytest.mark.parametrize("name", DIGESTS)
def test_no_anchor_has_changed(name: str) -> None:
    data = (ANCHORS / f"{name}.csv").read_bytes()
    assert hashlib.sha256(data).hexdigest() == DIGESTS[name]


def test_every_demanded_clause_has_an_anchor() -> None:
    assert {path.stem for path in ANCHORS.glob("*.csv")} == set(DIGESTS)
    levels = {clause.id: clause.level for clause in list_clauses()}
    named = {id for name in DIGESTS for row in rows(name) for id in row["clauses"].split()}
    assert named <= set(levels)
    assert sorted(id for id, level in levels.items() if level in NEED_TESTS and id not in named) == []
    assert all(row["clauses"] and row["why"] for name in DIGESTS for row in rows(name))


def test_decode() -> None:
    for row in rows("decode"):
        fmt, code, wanted = get_number_format(row["format"]), int(row["code"], 16), int(row["float32"], 16)
        value = mx.decode(fmt, np.array([code], np.uint8)).astype(np.float32)
        assert int(value.view(np.uint32)[0]) == wanted, row
        assert oracle.to_float32(oracle.decode(fmt, code)) == wanted, row


def test_encode() -> None:
    for row in rows("encode"):
        fmt, bits, wanted = get_number_format(row["format"]), int(row["float32"], 16), int(row["code"], 16)
        options = EncodeOptions(overflow=row["overflow"])  # type: ignore[arg-type]
        assert int(mx.encode(fmt, np.array([bits], np.uint32).view(np.float32), options=options)[0]) == wanted, row
        assert oracle.convert(fmt, FLOAT32, bits, options) == wanted, row


def test_dequantize() -> None:
    for row in rows("dequantize"):
        fmt, scale, elements = get_format(row["format"]), int(row["scale"], 16), codes(row["elements"])
        wanted = codes(row["values"])
        blocks = mx.Blocks(fmt, np.array([elements], np.uint8), np.array([scale], np.uint8))
        assert mx.dequantize(blocks).view(np.uint32).ravel().tolist() == wanted, row
        block = oracle.Block(fmt, scale, tuple(elements))
        assert [oracle.to_float32(value) for value in oracle.dequantize_block(block)] == wanted, row


def test_quantize() -> None:
    for row in rows("quantize"):
        fmt, values = get_format(row["format"]), codes(row["values"])
        wanted = (int(row["scale"], 16), codes(row["elements"]))
        blocks = mx.quantize(np.array([values], np.uint32).view(np.float32), fmt)
        assert (int(blocks.scales.ravel()[0]), blocks.codes.ravel().tolist()) == wanted, row
        block = oracle.convert_block(fmt, FLOAT32, values, mx.QuantizeOptions())
        assert (block.scale, list(block.codes)) == wanted, row


def test_dot() -> None:
    for row in rows("dot"):
        operands = []
        for side in ("a", "b"):
            fmt, scales = get_format(row[f"{side}_format"]), codes(row[f"{side}_scale"])
            elements = np.array(codes(row[f"{side}_elements"]), np.uint8).reshape(len(scales), -1)
            operands.append(mx.Blocks(fmt, elements, np.array(scales, np.uint8)))
        wanted = int(row["result"], 16)
        result = mx.dot(operands[0], operands[1], "exact_fp32")
        assert int(np.asarray(result, np.float32).view(np.uint32)) == wanted, row
        pairs = [
            tuple(oracle.Block(x.format, int(x.scales[i]), tuple(x.codes[i].tolist())) for x in operands)
            for i in range(len(operands[0].scales))
        ]
        assert oracle.dot(pairs, "exact_fp32") == wanted, row
