"""The command mxref: what it does, and that it refuses bad input in one line and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import refmodel as mx
from refmodel import cli
from refmodel.accumulate import from_toml, to_toml
from refmodel.vectors.files import read_dot_vectors

VECTORS = ["vectors", "--a-format", "mxfp4_e2m1", "--rule", "exact_fp32", "--count", "50", "--output", "out"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder that holds a few tensors."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("x.npy", rng.standard_normal((4, 70)).astype(np.float32))
    np.save("y.npy", rng.standard_normal((3, 70)))
    np.save("z.npy", rng.standard_normal((3, 71)))
    np.savez(
        "pairs.npz", **{"q.weight": np.ones((4, 64)), "q.input": np.full((2, 64), 3.0), "bias": np.ones(7)}
    )
    return tmp_path


def run(*arguments: str) -> int:
    """Run the command in this process and return its exit code."""
    try:
        return cli.main(arguments)
    except SystemExit as stop:  # how argparse ends
        return int(stop.code or 0)


def process(*arguments: str, **options) -> subprocess.Popen:
    code = "import sys; from refmodel.cli import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(Path(mx.__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, text=True, **options)


# What it does


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ([], []),
        (["--input", "pairs.npz"], ["pairs.npz:q"]),
        (["--input", "pairs.npz:bias"], ["pairs.npz:bias"]),
        (["--input", "x.npy"], ["x.npy:x"]),
        (["--input", "x.npy", "--input-b", "y.npy"], ["x.npy:x x y.npy:y"]),
        (
            ["--input", "x.npy", "--input-b", "y.npy:y", "--b-format", "mxint8", "--multi-block"],
            ["x.npy:x x y.npy:y"],
        ),
    ],
)
def test_vectors_makes_a_directory_that_verify_accepts(
    options: list[str], labels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*VECTORS, *options) == 0
    vectors = read_dot_vectors("out")
    assert vectors.call["multi_block"] is ("--multi-block" in options)
    assert vectors.b.format.name == ("mxint8" if "--b-format" in options else "mxfp4_e2m1")
    assert [each["label"] for each in vectors.call["inputs"]] == labels
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table[0] == ["class", "dots", "blocks"]
    assert [row[0] for row in table[1:-1]] == [each.name for each in vectors.classes]
    assert ("tensor" in [row[0] for row in table]) is bool(labels)
    assert sum(int(row[1]) for row in table[1:-1]) == vectors.dots
    assert run("verify", "out") == 0
    out = capsys.readouterr().out
    assert f"digests match; the model gives all {vectors.dots} results, the oracle the {vectors.dots}" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--operation", "quantize", "--a-format", "nvfp4", "--input-format", "bf16"],
        ["--operation", "quantize", "--a-format", "mxfp4_e2m1", "--scale-rule", "rceil"],
        ["--operation", "dequantize", "--a-format", "mxfp6_e2m3"],
        ["--operation", "matmul_tile", "--a-format", "mxfp4_e2m1", "--rule", "seq_fma_fp32", "--rows=2", "--columns=3"],
        ["--a-format", "e4m3", "--rule", "nv_hopper_fp8_fast", "--initial-values", "--multi-block"],
        ["--a-format", "mxint8", "--rule", "rule.toml", "--initial-values"],
    ],
    ids=" ".join,
)
def test_vectors_of_every_operation_are_made_and_verified(
    arguments: list[str], capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    rule = dataclasses.replace(mx.get_rule("exact_fp32"), name="own", acc_format="bf16", nan_pattern=0x7FC0)
    (folder / "rule.toml").write_text(to_toml(rule))
    assert run("vectors", *arguments, "--count", "1", "--output", "out") == 0
    assert run("verify", "out") == 0
    out = capsys.readouterr().out
    assert "digests match; the model gives all " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "operation 'dot' needs --rule"),
        (["--operation", "matmul_tile", "--rule", "exact_fp32", "--rows", "2"], "needs --rows and --columns"),
        (["--operation", "matmul_tile", "--rule", "exact_fp32", "--multi-block"], "--multi-block is not for"),
        (["--rule", "exact_fp32", "--rows", "4"], "--rows is not for operation 'dot'"),
        (["--rule", "none.toml"], "none.toml: cannot be read: No such file or directory"),
        (["--operation", "quantize", "--rule", "exact_fp32"], "--rule is not for operation 'quantize'"),
        (["--operation", "dequantize", "--initial-values"], "--initial-values is not for operation 'dequantize'"),
        (["--operation", "quantize", "--overflow", "overflow"], "e2m1"),
    ],
)
def test_vectors_of_another_operation_are_refused_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    call = ["vectors", "--a-format", "mxfp4_e2m1", "--count", "1", "--output", "out", *arguments]
    assert run(*call) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mxref: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not (folder / "out").exists()


def test_the_place_of_a_file_is_not_in_the_vectors(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "x.npy").write_bytes((folder / "x.npy").read_bytes())
    assert run(*VECTORS, "--input", "x.npy") == 0
    assert run(*VECTORS[:-1], "other", "--input", str(folder / "elsewhere" / "x.npy")) == 0
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == {
        path.name: path.read_bytes() for path in Path("other").iterdir()
    }


def test_a_second_run_replaces_the_first(folder: Path) -> None:
    before = set(os.listdir(folder))
    for seed in ("4", "5"):
        assert run(*VECTORS, "--seed", seed) == 0
        assert read_dot_vectors("out").call["seed"] == int(seed)
    assert set(os.listdir(folder)) == before | {"out"}


def test_formats_and_rules_list_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("formats") == 0
    blocks = capsys.readouterr().out.split("\n\n")[0]
    rows = [line.split() for line in blocks.splitlines()[1:]]
    assert [row[0] for row in rows] == list(mx.list_formats())
    assert rows[0] == ["mxfp8_e5m2", "e5m2", "8", "1.52588e-05", "57344", "e8m0", "32", "264"]
    assert rows[5] == ["mxint8", "int8", "8", "0.015625", "1.98438", "e8m0", "32", "264"]
    assert run("rules") == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if not line.startswith(" ")] == list(mx.list_rules())
    assert "A-31" in out
    assert run("rules", "--allow-unverified") == 0
    assert "amd_cdna4_mx" in capsys.readouterr().out


def test_rules_says_what_one_rule_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rules", "nv_mxf8f6f4") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "In groups of 32" in out
    assert "25 fraction bits" in out
    assert "confidence B+" in out
    assert run("rules", "nv_mxf8f6f4", "--toml") == 0
    assert from_toml(capsys.readouterr().out) == mx.get_rule("nv_mxf8f6f4")
    for arguments, message in (
        (["--toml"], "name it"),
        (["amd_cdna4_mx"], "the numerics are not public"),
        (["volta"], "unknown accumulation rule 'volta'"),
    ):
        assert run("rules", *arguments) == 2
        assert message in capsys.readouterr().err
    assert run("rules", "amd_cdna4_mx", "--allow-unverified") == 0
    assert "confidence U" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["vectors"], ["verify"], ["formats"], ["rules"], ["explain"]])
def test_help_is_given_and_every_option_explained(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, "--help") == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: mxref")
    if command == ["vectors"]:
        for word in ("--multi-block", "--input-b", "mxref formats", "mxref rules", "examples:"):
            assert word in " ".join(out.split())


def test_progress_is_shown_once_the_whole_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*VECTORS) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(cli.vectors, "PROGRESS_AFTER_SECONDS", -1.0)
    assert run(*VECTORS) == 0
    steps = capsys.readouterr().err.splitlines()
    assert steps[0] == "mxref: making exhaustive ..."
    assert steps[-1] == "mxref: making files ..."


# Bad input

BAD_VECTORS = {
    "unknown A format": (["--a-format", "mxfp9"], "unknown block format 'mxfp9'; choose one of: mxfp4_e2m1"),
    "unknown B format": (["--b-format", "fp4"], "unknown block format 'fp4'; choose one of: mxfp4_e2m1"),
    "unknown rule": (
        ["--rule", "kahan"],
        "unknown accumulation rule 'kahan'; choose one of: block32_exact_fused, block32_fp32_add",
    ),
    "count zero": (["--count", "0"], "count 0 is not between 1 and"),
    "count negative": (["--count", "-5"], "count -5 is not between 1 and"),
    "count huge": (["--count", "1000000000000"], "count 1000000000000 is not between 1 and"),
    "count a word": (["--count", "many"], "argument --count: 'many' is not an integer"),
    "count a fraction": (["--count", "1.5"], "argument --count: '1.5' is not an integer"),
    "seed negative": (["--seed", "-1"], "seed -1 is negative; use 0 or more"),
    "seed a word": (["--seed", "x"], "argument --seed: 'x' is not an integer"),
    "unknown option": (["--speed", "9"], "unrecognized arguments: --speed 9"),
    "no such file": (["--input", "nothing.npy"], "nothing.npy: cannot be read: No such file"),
    "a folder": (["--input", "."], ".: no suffix"),
    "unknown suffix": (["--input", "notes.txt"], "notes.txt: unknown suffix '.txt'"),
    "damaged": (["--input", "damaged.safetensors"], "damaged.safetensors: not a valid .safetensors file"),
    "truncated": (["--input", "short.npy"], "short.npy: tensor 'short': truncated"),
    "no such tensor": (
        ["--input", "pairs.npz:k.weight"],
        "pairs.npz: no tensor 'k.weight'; it holds: 'q.weight'",
    ),
    "complex": (["--input", "complex.npy"], "complex.npy: tensor 'complex' is complex64"),
    "object": (["--input", "object.npy"], "object.npy: tensor 'object' is object"),
    "integers": (["--input", "x.npy", "--input-b", "int.npy"], "int.npy: tensor 'int' is int32"),
    "no elements": (["--input", "empty.npy"], "empty.npy: tensor 'empty' has shape [0, 4] and so 0 elements"),
    "last axes differ": (["--input", "x.npy", "--input-b", "z.npy"], "x [4, 70] against z [3, 71]"),
    "B without A": (["--input-b", "y.npy"], "--input-b gives the tensors of B and needs --input"),
    "output is a file": (["--output", "x.npy"], "x.npy: is a file"),
    "output is a folder": (["--output", "."], ".: exists and is not a vector directory"),
    "output in a file": (["--output", "x.npy/out"], "x.npy"),
}


@pytest.mark.parametrize(("options", "message"), BAD_VECTORS.values(), ids=BAD_VECTORS)
def test_bad_input_is_one_line_exit_2_and_nothing_left_behind(
    options: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("complex.npy", np.ones(4, np.complex64))
    np.save("object.npy", np.array([None, "x"], dtype=object), allow_pickle=True)
    np.save("int.npy", np.ones((4, 70), np.int32))
    np.save("empty.npy", np.ones((0, 4)))
    Path("damaged.safetensors").write_bytes(b"\x00" * 50)
    Path("short.npy").write_bytes(Path("x.npy").read_bytes()[:-4])
    Path("notes.txt").write_text("no tensor")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run(*VECTORS, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mxref: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["make"], "invalid choice: 'make'"),
        (["vectors"], "the following arguments are required: --a-format, --output"),
        (["verify"], "the following arguments are required: DIR"),
        (["verify", "nowhere"], "nowhere/manifest.json: cannot be read: No such file or directory"),
        (["formats", "x"], "unknown element or scale format 'x'; choose one of: bfloat16, e2m1, e2m3"),
        (["formats", "--codes"], "--codes lists the codes of one format; name it: mxref formats e4m3"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mxref: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("digest", "out/b_scale.hex: SHA-256 is"),
        ("code out of range", "out/last.hex: line 1 is '7\\n'; expected a 1-bit word"),
        ("result", "out: result: word 1 is 00000001, the model gives 00000000 for mxfp4_e2m1 x mxfp4_e2m1"),
        ("version", "out/manifest.json: field version is 1; expected 4"),
    ],
)
def test_verify_refuses_a_damaged_directory(
    damage: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*VECTORS) == 0
    capsys.readouterr()
    out = Path("out")
    if damage == "digest":
        data = (out / "b_scale.hex").read_bytes()
        (out / "b_scale.hex").write_bytes(b"01" + data[2:])
    elif damage == "code out of range":
        (out / "last.hex").write_bytes(b"7" + (out / "last.hex").read_bytes()[1:])
    else:
        manifest = json.loads((out / "manifest.json").read_text())
        if damage == "version":
            manifest["version"] = 1
        else:
            data = b"00000001" + (out / "result.hex").read_bytes()[8:]
            (out / "result.hex").write_bytes(data)
            manifest["forms"]["hex"]["result.hex"] = hashlib.sha256(data).hexdigest()
        (out / "manifest.json").write_text(json.dumps(manifest))
    assert run("verify", "out") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("mxref: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_too_little_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(cli.vectors, "dot_pieces", exhausted)
    assert run(*VECTORS) == 2
    assert (
        capsys.readouterr().err
        == "mxref: error: not enough memory for this; use a smaller count or smaller tensors\n"
    )
    assert not (folder / "out").exists()


# As a process


def test_a_closed_pipe_is_no_error() -> None:
    for arguments in (["formats"], ["vectors", "--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        with process(*arguments, stdout=writer, stderr=subprocess.PIPE) as child:
            os.close(writer)
            assert child.communicate(timeout=60)[1] == ""
            assert child.returncode == 0


def test_an_interrupt_ends_quietly_and_leaves_nothing(folder: Path) -> None:
    before = set(os.listdir(folder))
    # A shell starts background jobs with interrupts ignored, and a child would inherit that.
    with process(
        *(*VECTORS, "--count", "200000000", "--seed", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as child:
        # The first step that is reported is a moment after the start, long before the end.
        assert child.stderr is not None
        assert child.stderr.readline().startswith("mxref: making ")
        child.send_signal(signal.SIGINT)
        child.wait(timeout=60)
        assert child.returncode == 130
        assert "Traceback" not in child.stderr.read()
    assert set(os.listdir(folder)) == before
