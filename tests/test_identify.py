"""`identify`: presets recovered from the oracle, black boxes that follow no rule, the exchange of files, the command.

CI recovers a few presets; MXREF_FULL=1 recovers all of them, and rules that are no presets.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from refmodel.accumulate import get_rule, list_rules
from refmodel.cli import main
from refmodel.elements import decode_table
from refmodel.errors import DefinitionError, DtypeError, FileError, ShapeError
from refmodel.formats import E2M1, E4M3, E5M2, E8M0, get_scale
from refmodel.identify import Interface, identify
from refmodel.identify.__main__ import interface_of, model_box, oracle_box, recovered
from refmodel.identify.directed import directed
from refmodel.identify.evaluate import predicted, splitting
from refmodel.identify.exchange import proceed, start
from refmodel.identify.family import canonical, family, variants
from refmodel.identify.probes import Probes
from refmodel.identify.stimulus import stimulus

FULL = bool(os.environ.get("MXREF_FULL"))
QUICK = ("nv_ada_fp8", "nv_hopper_fp8_slow128", "arm_fp8_dot4", "nv_mxf8f6f4")
FP8 = Interface(E5M2, E5M2, lengths=(32, 128))
ADA = "nv_ada_fp8"


@pytest.mark.parametrize("name", list_rules() if FULL else QUICK)
def test_a_preset_is_recovered_from_the_oracle(name):
    verdict, found = recovered(name)
    assert verdict in ("exactly", "class"), str(found)
    same = canonical(get_rule(name), found.interface)
    for other in found.presets:
        rule = canonical(get_rule(other), found.interface)
        assert rule == same or _equal_on_random(rule, same, found.interface)
    own = get_rule(name)
    for field in ("group_size", "align_bits", "acc_format"):
        assert getattr(own, field) in found.values.get(field, (getattr(own, field),))


def test_the_fields_of_ada_are_established_and_what_fp8_cannot_show_is_left_open():
    found = identify(oracle_box(ADA), FP8)
    expected = {"group_size": 16, "align_bits": 13, "align_round": "RZ", "acc_in_align": True,
                "acc_format": "e8m13", "acc_round": "RZ", "term_exponent": "clamped_sum"}  # fmt: skip
    assert {name: found.values[name] for name in expected} == {name: (v,) for name, v in expected.items()}
    assert "exp_floor" in found.open_fields
    assert found.nan_patterns == (0x7FFFFFFF,)
    assert found.presets == (ADA,)
    text = str(found)
    assert "    align_bits = 13\n" in text
    assert "open" in text
    assert "No input that would tell these apart was found" in text


@pytest.mark.parametrize(
    "change",
    [
        {"align_bits": 14},
        {"align_round": "RD"},
        {"acc_round": "RNE"},
        {"group_size": 8, "nan_pattern": 0xFFC00001},
        {"acc_in_align": False, "acc_format": "bf16", "nan_pattern": 0x7FC1},
    ][: None if FULL else 2],
)
def test_a_rule_that_is_no_preset_is_recovered(change):
    rule = replace(get_rule(ADA), name="other", **change)
    found = identify(model_box(rule), FP8)
    assert found.status == "identified"
    assert found.presets == ()
    for name, value in change.items():
        assert found.rule is not None
        assert getattr(found.rule, name) == value
        if name != "nan_pattern":
            assert found.values[name] == (value,)


@pytest.mark.skipif(not FULL, reason="MXREF_FULL=1")
@pytest.mark.parametrize("seed", range(40))
def test_rules_two_changes_from_a_preset_are_recovered(seed):
    draw = random.Random(seed)
    name = draw.choice(list_rules())
    interface = interface_of(get_rule(name))
    rule = canonical(get_rule(name), interface)
    for _ in range(2):
        rule = draw.choice(variants(rule, interface))
    found = identify(model_box(rule), interface)
    assert found.rule is not None, f"{rule}: {found}"
    assert _equal_on_random(found.rule, rule, interface)


def _equal_on_random(rule, other, interface: Interface) -> bool:
    rng = np.random.default_rng(99)
    batches = [stimulus(interface, rng, 6400 // length, length) for length in interface.lengths]
    return all((predicted(rule, probes) == predicted(other, probes)).all() for probes in batches)


def _values(probes: Probes) -> np.ndarray:
    with np.errstate(all="ignore"):
        values = decode_table(probes.interface.a)[probes.a] * decode_table(probes.interface.b)[probes.b]
    return np.concatenate([values.astype(np.float32), probes.c.view(np.float32)[:, None]], axis=1)


def sorted_sum(probes: Probes) -> np.ndarray:
    """Float32 sums in order of magnitude, which is the order of no rule."""
    terms = _values(probes)
    terms = np.take_along_axis(terms, np.argsort(np.abs(terms), axis=1, kind="stable"), 1)
    total = np.zeros(len(terms), np.float32)
    with np.errstate(all="ignore"):
        for k in range(terms.shape[1]):
            total = total + terms[:, k]
    bits = total.view(np.uint32).copy()
    bits[np.isnan(total)] = 0x7FC00000
    return bits


def stuck_lane(probes: Probes) -> np.ndarray:
    """Ada with a fault: the lowest kept bit is wrong if elements 3 and 5 of A both have all mantissa bits set."""
    bits = model_box(ADA)(probes)
    wrong = (probes.a[:, 3] & 3 == 3) & (probes.a[:, 5] & 3 == 3)
    return np.where(wrong, bits ^ np.uint32(1 << 10), bits)


def test_a_sum_in_sorted_order_fits_no_rule_and_is_refuted_by_a_small_input():
    found = identify(sorted_sum, Interface(E5M2, E5M2, lengths=(32,)))
    assert found.status == "none"
    assert found.rule is None
    assert found.presets == ()
    assert found.values == {}
    assert found.open_fields == ()
    assert found.counterexamples
    assert min(example.nonzero for example in found.counterexamples) <= 4
    assert all(example.answered != example.expected for example in found.counterexamples)
    assert "No rule fits" in str(found)


def test_a_fault_in_a_preset_is_found_and_the_preset_named_as_nearest():
    found = identify(stuck_lane, Interface(E5M2, E5M2, lengths=(32,)))
    assert found.status == "none"
    nearest = found.counterexamples[0]
    assert nearest.rule.startswith(ADA)
    assert nearest.agrees >= 0.8 * nearest.asked
    assert nearest.nonzero == 2
    assert nearest.answered ^ nearest.expected == 1 << 10


def test_nan_answers_of_two_patterns_are_no_rule():
    def box(probes: Probes) -> np.ndarray:
        bits = model_box(ADA)(probes)
        return np.where((bits == 0x7FFFFFFF) & (probes.a[:, 0] & 1 == 1), np.uint32(0x7FC00000), bits)

    found = identify(box, FP8)
    assert found.status == "none"
    assert len(found.nan_patterns) == 2
    assert "several patterns" in str(found)


def test_a_preset_with_another_nan_is_not_claimed():
    found = identify(model_box(replace(get_rule(ADA), name="other", nan_pattern=0x7FC00000)), FP8)
    assert found.presets == ()
    assert found.presets_but_nan == (ADA,)


def test_what_the_interface_hides_is_ambiguous_with_an_input_that_would_settle_it():
    box = oracle_box("nv_hopper_fp8_slow128")
    found = identify(box, Interface(E5M2, E5M2, lengths=(32,), c_format=None))
    assert found.status == "ambiguous"
    assert {"nv_hopper_fp8_fast", "nv_hopper_fp8_slow128"} <= set(found.presets)
    assert "outside the interface" in found.settling[0]
    assert "would settle" in str(found)


def test_a_search_cut_short_says_so():
    found = identify(oracle_box(ADA), FP8, most=16)
    assert found.status == "ambiguous"
    assert ADA in found.presets
    assert "more inputs than allowed" in found.settling[0]


def test_rules_agree_on_narrow_elements_and_are_reported_as_one_class():
    found = identify(oracle_box("pairwise_fp32"), Interface(E2M1, E2M1, lengths=(32,), c_format=None))
    assert {"exact_fp32", "seq_fma_fp32", "pairwise_fp32"} <= set(found.presets)
    assert found.status == "ambiguous"  # c or longer sums would tell them apart


@pytest.mark.parametrize(
    "interface", [FP8, Interface(E4M3, E4M3, E8M0, 32), Interface(E2M1, E2M1, get_scale("ue4m3"), 16)]
)
def test_directed_inputs_are_what_their_names_say(interface):
    for probes in directed(interface):
        assert len(set(zip(map(bytes, probes.a), map(bytes, probes.b), probes.c, strict=True))) <= len(probes)
        for row, name in enumerate(probes.names):
            if name.startswith(("D1 ", "D2 ")) and interface.scale is None:
                terms = _values(probes)[row]
                assert terms[0] == -terms[1] > 0
                assert np.count_nonzero(terms) == 3
                j = int(name.split("j=")[1])
                assert abs(terms[2]) == terms[0] * 2.0**-j * (0.75 if name.startswith("D2") else 1)


def test_chosen_columns_tell_apart_all_that_any_column_does():
    answers = np.random.default_rng(5).integers(0, 2, (40, 60)).astype(np.uint32)
    answers[20:] = answers[:20]
    chosen = splitting(answers, 60)
    assert len(np.unique(answers[:, chosen], axis=0)) == len(np.unique(answers, axis=0)) == 20
    assert splitting(np.ones((5, 9), np.uint32), 4) == []
    assert len(splitting(answers, 2)) == 2


def test_seeds_hold_every_preset_that_takes_the_operands():
    known = family(FP8)
    names = {name for same in known.names.values() for name in same}
    assert {ADA, "nv_hopper_fp8_fast", "gaudi3_fp8", "arm_fp8_dot8", "exact_fp32"} <= names
    assert not {"nv_hopper_bf16", "block32_fp32_add", "amd_cdna3_fp8"} & names
    assert set(known.names) <= set(known.seeds)


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (lambda probes: np.zeros(len(probes), np.float32), DtypeError),
        (lambda probes: np.zeros(len(probes) + 1, np.uint32), ShapeError),
    ],
)
def test_answers_of_the_wrong_kind_are_refused(answers, error):
    with pytest.raises(error, match="the black box answers"):
        identify(answers, FP8)


@pytest.mark.parametrize(
    "wrong",
    [{"lengths": ()}, {"lengths": (64, 32)}, {"lengths": (0,)}, {"block": 32}, {"c_format": "float64"},
     {"scale": E8M0, "block": 32, "lengths": (48,)}],
)  # fmt: skip
def test_an_interface_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(DefinitionError):
        Interface(E5M2, E5M2, **wrong)


# Files


def _answer(file: Path, target: Path) -> None:
    """Answer a round as a reader of the documented form would."""
    found = []
    with np.load(file) as stored:
        lengths = sorted({int(name.split("_")[0][1:]) for name in stored.files})
        for k in lengths:
            a, b, c = (stored[f"k{k}_{name}"] for name in ("a", "b", "c"))
            interface = Interface(E5M2, E5M2, lengths=(k,))
            found.append(oracle_box(ADA)(Probes(interface, a, b, c, None, None, ("",) * len(c))))
    target.write_text("".join(f"{int(bits):08x}\n" for bits in np.concatenate(found)))


def test_rounds_through_files_end_as_the_function_does(tmp_path, capsys):
    directory, answers = tmp_path / "probes", tmp_path / "answers.hex"
    command = ["identify", "--a", "e5m2", "--lengths", "32", "--write-probes", str(directory)]
    assert main(command) == 3
    code = 3
    for number in range(1, 30):
        _answer(directory / f"round_{number:03}.npz", answers)
        code = main(["identify", "--directory", str(directory), "--answers", str(answers)])
        if code != 3:
            break
    output = capsys.readouterr().out
    assert code == 0
    assert str(identify(oracle_box(ADA), Interface(E5M2, E5M2, lengths=(32,)))) in output
    lines = (directory / "round_001.hex").read_text().splitlines()
    with np.load(directory / "round_001.npz") as stored:
        k = sorted(int(name[1:-2]) for name in stored.files if name.endswith("_c"))[0]
        a, c = stored[f"k{k}_a"], stored[f"k{k}_c"]
    assert lines[0].split()[:3] == [str(k), f"{int(c[0]):08x}", "".join(f"{int(x):02x}" for x in a[0])]


def test_damaged_rounds_are_refused(tmp_path):
    directory = tmp_path / "probes"
    first = start(directory, FP8)
    with pytest.raises(FileError, match="exists"):
        start(directory, FP8)
    answers = tmp_path / "answers.npy"
    np.save(answers, np.zeros(3, np.uint32))
    with pytest.raises(FileError, match="answers as uint32"):
        proceed(directory, answers)
    (tmp_path / "words.hex").write_text("0 xyz")
    with pytest.raises(FileError, match="one hex word a line"):
        proceed(directory, tmp_path / "words.hex")
    with np.load(first) as stored:
        arrays = dict(stored)
    count = sum(len(v) for name, v in arrays.items() if name.endswith("_c"))
    next(iter(arrays.values()))[0] ^= 1
    np.savez(first, **arrays)
    np.save(answers, np.zeros(count, np.uint32))
    with pytest.raises(FileError, match="not the probes"):
        proceed(directory, answers)
    with pytest.raises(FileError, match="missing or damaged"):
        proceed(tmp_path / "none", answers)


def test_the_command_asks_a_function_and_says_how_it_ended(tmp_path, monkeypatch, capsys):
    (tmp_path / "a_black_box.py").write_text(
        "from refmodel.identify.__main__ import model_box\nada = model_box('nv_ada_fp8')\nnumber = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["identify", "--black-box", "a_black_box:ada", "--a", "e5m2", "--lengths", "32,128"]) == 0
    assert "presets: nv_ada_fp8" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--a", "e5m2"],
        ["--black-box", "x:y"],
        ["--black-box", "no_such_module_here:f", "--a", "e5m2"],
        ["--black-box", "json", "--a", "e5m2"],
        ["--black-box", "json:nothing", "--a", "e5m2"],
        ["--black-box", "json:loads", "--a", "e9m9"],
        ["--black-box", "json:loads", "--a", "e5m2", "--block", "32"],
        ["--black-box", "json:loads", "--a", "e5m2", "--scale", "e8m0", "--lengths", "48"],
        ["--black-box", "json:loads", "--a", "e5m2", "--seed", "-1"],
        ["--black-box", "json:loads", "--write-probes", "d", "--a", "e5m2"],
        ["--answers", "f"],
        ["--answers", "f", "--directory", "none", "--a", "e5m2"],
        ["--answers", "f", "--directory", "none"],
        ["--write-probes", "d", "--directory", "none", "--a", "e5m2"],
    ],
)
def test_bad_usage_is_one_line_and_exit_2(arguments, capsys):
    assert main(["identify", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("mxref: error: ")
    assert error.count("\n") == 1
