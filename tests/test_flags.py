"""Flags: each stimulus class has some, their clauses exist and support their outcome, manifests say what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refmodel.conformance.clauses import list_clauses
from refmodel.errors import DefinitionError, FileError
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.vectors.acceptable import ACCEPTABLE, acceptable_lines
from refmodel.vectors.conversions import MORE, make_dequantize_vectors, make_quantize_vectors
from refmodel.vectors.dotset import make_dot_vectors
from refmodel.vectors.dotstream import DESCRIPTIONS
from refmodel.vectors.files import MANIFEST, read_vectors, write_vectors
from refmodel.vectors.flags import OUTCOMES, describe_flags, flags_of_class, list_classes, list_flags
from refmodel.vectors.numbers import NUMBER_CLASSES
from refmodel.vectors.packings import CLASSES, PackVectors, make_pack_vectors
from refmodel.vectors.singles import ENCODE_CLASSES, make_decode_vectors, make_encode_vectors
from refmodel.vectors.suite import STIMULUS_CLASSES

LEVELS = {clause.id: clause.level for clause in list_clauses()}
SUPPORT = {
    "required": {"MUST", "MUST*"},
    "recommended": {"SHOULD"},
    "implementation-defined": {"IMPL", "SILENT", "MAY", "OUT"},
}


def test_every_class_has_flags() -> None:
    classes = {
        "dot": {*(each.name for each in STIMULUS_CLASSES), *DESCRIPTIONS},
        "quantize": {*(each.name for each in NUMBER_CLASSES), MORE},
        "dequantize": {each.name for each in make_dequantize_vectors("mxint8", count=3000, seed=1).classes},
        "encode": {each.name for each in ENCODE_CLASSES},
        "decode": {"codes"},
        "pack": set(CLASSES),
        "unpack": set(CLASSES),
    }
    for operation, names in classes.items():
        assert set(list_classes(operation)) == names
        assert all(flags_of_class(operation, name) for name in names)
    assert list_classes("matmul_tile") == list_classes("dot")
    flags = [flags_of_class(operation, name) for operation, names in classes.items() for name in names]
    used = {flag.name for of_class in flags for flag in of_class}
    assert used == set(list_flags())


@pytest.mark.parametrize("flag", list_flags().values(), ids=lambda flag: flag.name)
def test_a_flag_has_clauses_that_support_its_outcome(flag: Any) -> None:
    assert flag.outcome in OUTCOMES
    assert set(flag.clauses) <= set(LEVELS)
    assert SUPPORT[flag.outcome] & {LEVELS[clause] for clause in flag.clauses}
    assert bool(flag.decided_by) == (flag.outcome == "implementation-defined")
    assert not flag.why.endswith(".")


def test_every_demanded_clause_that_vectors_exercise_is_on_a_flag_of_the_class() -> None:
    """The catalogue names classes, flags name clauses: of what the documents demand both say the same."""
    for clause in list_clauses():
        if clause.level in ("MUST", "MUST*", "SHOULD"):
            for each in clause.vectors:
                operation, name = each.split()
                of_class = {id for flag in flags_of_class(operation, name) for id in flag.clauses}
                assert clause.id in of_class, (clause.id, each)


def test_flags_are_about_the_formats_and_options_of_the_set() -> None:
    def flags(vectors: Any) -> dict[str, Any]:
        return describe_flags(vectors, [each.name for each in vectors.classes])[1]

    fp6 = flags(make_encode_vectors("e3m2", count=50, seed=1))
    assert fp6["Overflow"]["clauses"] == ["MX-5.3.2-e"]
    assert "ScaleConversion" not in fp6
    assert fp6["NanInput"]["declared"] == {
        "nan_to_finite": "positive_max",
        "nan_sign": "positive",
        "nan_payload": "quiet",
    }
    toward_zero = flags(make_encode_vectors("e4m3", options=EncodeOptions(rounding="rtz"), count=50, seed=1))
    assert "NearestEven" not in toward_zero
    assert toward_zero["OtherRounding"]["declared"]["rounding"] == "rtz"
    scale = flags(make_decode_vectors("e8m0", count=1, seed=1))
    assert set(scale) == {"ScaleValue", "NanScale"}
    other = flags(make_quantize_vectors("mxfp4_e2m1", options=QuantizeOptions(scale_rule="rceil"), count=50, seed=1))
    assert "FloorScale" not in other
    assert other["OtherScale"]["declared"]["scale_rule"] == "rceil"
    bf16 = flags(make_dot_vectors("e4m3", "e4m3", rule="nv_hopper_fp8_fast", multi_block=True, count=50, seed=1))
    assert bf16["OrderOfSum"]["declared"]["align_bits"] == 13


def test_the_manifest_explains_every_flag_of_a_class(tmp_path: Path) -> None:
    path = write_vectors(make_quantize_vectors("mxint8", count=50, seed=1), tmp_path / "set")
    manifest = json.loads((path / MANIFEST).read_text())
    named = {flag for each in manifest["classes"] for flag in each["flags"]}
    assert named == set(manifest["flags"])
    assert all(each["flags"] for each in manifest["classes"])


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["flags", "BlockValue", "outcome"], "perhaps", 'field flags.BlockValue.outcome is "perhaps"; expected one of'),
        (["flags", "BlockValue", "clauses"], "MX", 'field flags.BlockValue.clauses is "MX"; expected a list of ids'),
        (["flags", "BlockValue", "extra"], 1, "field flags.BlockValue.extra is unknown"),
        (["flags", "BlockValue"], 1, "field flags.BlockValue is 1; expected an object"),
        (["flags"], [], r"field flags is \[\]; expected an object"),
        (["classes", 0, "flags"], ["Other"], r'classes\[0\].flags has "Other", which field flags does not explain'),
    ],
)
def test_a_wrong_flag_is_named(keys: list[Any], value: object, message: str, tmp_path: Path) -> None:
    path = write_vectors(make_dequantize_vectors("mxint8", count=1, seed=1), tmp_path / "set")
    manifest = json.loads((path / MANIFEST).read_text())
    place = manifest
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(FileError, match=message):
        read_vectors(path)


def test_results_of_undeclared_choices_are_those_of_each_value(tmp_path: Path) -> None:
    vectors = make_encode_vectors("e2m1", count=300, seed=1)
    lines = [json.loads(line) for line in acceptable_lines(vectors, ["nan_to_finite"], first=1000)]
    is_nan = (vectors.values & 0x7FFFFFFF) > 0x7F800000
    assert [line["vector"] for line in lines] == (1000 + np.flatnonzero(is_nan)).tolist()
    for line in lines:
        negative = vectors.values[line["vector"] - 1000] >> 31
        wanted = [7, 15, 0] if negative else [7, 0, 8]  # largest, that of its sign, zeros
        assert [each["code"][0] for each in line["acceptable"]] == wanted
    path = write_vectors(vectors, tmp_path / "set", undeclared=["nan_to_finite"])
    read_vectors(path)
    (path / ACCEPTABLE).write_text((path / ACCEPTABLE).read_text().replace("15", "14", 1))
    with pytest.raises(FileError, match=r"acceptable\.jsonl: SHA-256 is"):
        read_vectors(path)
    (path / ACCEPTABLE).write_text("")
    with pytest.raises(FileError, match=r"acceptable\.jsonl: has 0 lines"):
        read_vectors(path)
    assert write_vectors(vectors, path).exists()  # a set with the file is a vector directory, which may be replaced
    assert not (path / ACCEPTABLE).exists()


def test_any_nan_and_infinities() -> None:
    dots = make_dot_vectors("mxfp8_e5m2", "mxfp8_e5m2", rule="exact_fp32", count=100, seed=1)
    lines = [json.loads(line) for line in acceptable_lines(dots, ["nan_pattern"])]
    assert [line["vector"] for line in lines] == np.flatnonzero(dots.results == 0x7FC00000).tolist()
    assert all(line["acceptable"] == [{"result": [0x7FC00000]}, "nan"] for line in lines)
    blocks = make_dequantize_vectors("mxfp8_e5m2", count=1, seed=1)
    beyond = [json.loads(line) for line in acceptable_lines(blocks, ["overflow"])]
    assert [line["vector"] for line in beyond] == np.flatnonzero(
        ((blocks.values & 0x7FFFFFFF) == 0x7F800000).any(axis=1) & _has_finite_beyond(blocks)
    ).tolist()


def _has_finite_beyond(blocks: Any) -> np.ndarray:
    is_infinity = (blocks.elements & 0x7F) == 0x7C
    became = (blocks.values & 0x7FFFFFFF) == 0x7F800000
    return (became & ~is_infinity).any(axis=1)


def test_choices_that_decide_nothing_are_refused(tmp_path: Path) -> None:
    vectors = make_encode_vectors("e4m3", count=50, seed=1)
    for wrong, message in (
        (["zero_block"], "undeclared 'zero_block': what may be left open for fp32 to e4m3, rne, saturate is"),
        (["nan_sign", "nan_sign"], "name each once"),
    ):
        with pytest.raises(DefinitionError, match=message):
            write_vectors(vectors, tmp_path / "set", undeclared=wrong)
        assert list(tmp_path.iterdir()) == []
    packed = make_pack_vectors("mxint8", count=1, seed=1, kind=PackVectors)
    with pytest.raises(DefinitionError, match="is none"):
        list(acceptable_lines(packed, ["layout"]))
