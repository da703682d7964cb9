"""The machinery of `make exhaustive` is right, and what it has published is what the model gives.

The sweeps themselves take minutes; here their second algorithm is held to the oracle wherever a code changes,
and every part of the machinery is seen to fail when it must.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ml_dtypes")
pytest.importorskip("rich")

import ml_dtypes

import refmodel as mx
from exhaustive import breakpoints, claims, report, run, state, thresholds
from refmodel import cli, digests, oracle, sweeps, tables
from refmodel.formats import E8M0, FLOAT32, FLOAT64, OCP_FORMATS, BlockFormat, get_format
from refmodel.options import EncodeOptions, QuantizeOptions
from refmodel.sweeps import CHUNK, EncodeSweep, ScaleSweep, get_sweep, list_sweeps

ROOT = Path(__file__).parent.parent
DIGESTS = ROOT / "vectors" / "digests"
ELEMENTS = [get_format(name).element for name in OCP_FORMATS]
MODES = (*sweeps.IEEE_MODES, "rto")
SIGN = 1 << 31


def name(thing):
    return thing.name


def claim(wanted):
    return next(each for each in claims.all_claims() if each.name == wanted)


# --------------------------------------------------------------------------------------------------
# The second algorithm
# --------------------------------------------------------------------------------------------------


def edges(function):
    """Both sides of every change of code, and the ends."""
    firsts = [first for first, _, _ in function.runs()]
    return sorted({0, thresholds.END - 1, *firsts, *(first - 1 for first in firsts if first)})


@pytest.mark.parametrize("fmt", [*ELEMENTS, E8M0], ids=name)
def test_thresholds_are_where_the_oracle_changes_its_code(fmt):
    for rounding, overflow in itertools.product(MODES, sweeps.overflows(fmt)):
        options = EncodeOptions(rounding=rounding, overflow=overflow)
        for negative in (False, True):
            function = thresholds.encode_steps(fmt, rounding, overflow, negative)
            for bits in edges(function):
                want = oracle.convert(fmt, FLOAT32, bits | negative * SIGN, options)
                assert function(bits) == want, f"{fmt.name} {options} {negative} {bits:#010x}"


@pytest.mark.parametrize("rule", sweeps.SCALE_RULES)
@pytest.mark.parametrize("element", ELEMENTS, ids=name)
def test_thresholds_of_scales_are_where_the_oracle_changes_its_scale(element, rule):
    fmt, options = BlockFormat("single", element, E8M0, 1), QuantizeOptions(scale_rule=rule)
    scales = thresholds.scale_steps(element, rule)
    signed = [(negative, thresholds.element_steps(element, rule, negative)) for negative in (False, True)]
    some = [bits for _, function in signed for bits in edges(function)[:: 1 + len(function.runs()) // 20]]
    for bits in edges(scales) + some:
        for negative, function in signed:
            block = oracle.convert_block(fmt, FLOAT32, [bits | negative * SIGN], options)
            assert (scales(bits), (function(bits),)) == (block.scale, tuple(block.codes)), f"{bits:#010x}"


def test_filling_a_range_is_asking_for_each_magnitude():
    function = thresholds.StepFunction([thresholds.Step(*step) for step in [(0, 1), (5, 2), (5, 3), (9, 4)]])
    want = [1] * 5 + [3] * 4 + [4] * 4
    assert [function(bits) for bits in range(13)] == want
    for first, stop in itertools.combinations(range(14), 2):
        assert function.fill(first, stop - first).tolist() == want[first:stop]
    assert function.runs() == [(0, 5, 1), (5, 9, 3), (9, thresholds.END, 4)]


# --------------------------------------------------------------------------------------------------
# Claims
# --------------------------------------------------------------------------------------------------


PARTS = [
    ("encode-e5m2-rup-overflow", 0x47),
    ("encode-e4m3-rne-saturate", 0xFF),
    ("encode-int8-rdn-saturate", 0xBF),
    ("encode-e8m0-rna-overflow", 0x00),
    ("scale-e2m1-midmax", 0x3F),
    ("scale-int8-even", 0x00),
    ("ml_dtypes-e5m2", 0xFF),
    ("ml_dtypes-e3m2", 0x7F),
    ("ml_dtypes-e8m0", 0x00),
    ("dequantize-mxfp4_e2m1", 0),
    ("dequantize-mxfp8_e5m2", 0),
]


@pytest.mark.parametrize(("wanted", "part"), PARTS, ids=str)
def test_a_part_of_each_kind_has_no_difference(wanted, part):
    outcome = claim(wanted).try_part(part)
    assert (outcome.differences, outcome.examples) == (0, ())
    assert outcome.inputs == (CHUNK if claim(wanted).parts > 1 else outcome.inputs) > 1000


def test_the_claims_cover_what_they_say():
    by_kind = {}
    for each in claims.all_claims():
        by_kind.setdefault(type(each), []).append(each)
    count = {kind.__name__: len(found) for kind, found in by_kind.items()}
    assert count["EncodeClaim"] == 5 * (2 + 2 + 4) + 5 * 2  # FP8 and E8M0 have both overflow modes
    assert count["ScaleClaim"] == 6 * 5
    assert count["MlDtypesClaim"] == 6
    assert count["SixteenBitClaim"] == 2 * 6 * (2 + 2 + 4)
    assert count["DequantizeClaim"] == len(mx.list_formats())
    names = [each.name for each in claims.all_claims()]
    assert len(set(names)) == len(names)
    assert {each.name for each in list_sweeps()} <= set(names)
    assert all(each.parts * CHUNK == 1 << 32 for each in by_kind[claims.EncodeClaim])
    assert all(each.parts * CHUNK == 1 << 31 for each in by_kind[claims.ScaleClaim])


def test_tiles_are_all_bit_patterns_of_a_chunk():
    for chunk in (0, 0xFF):
        stop = 0
        for place, bits in sweeps.tiles(chunk):
            assert (place.start, int(bits[0])) == (stop, chunk * CHUNK + stop)
            assert np.array_equal(np.diff(bits), np.ones(bits.size - 1))
            stop = place.stop
            assert int(bits[-1]) == chunk * CHUNK + stop - 1
        assert stop == CHUNK


def spoil(monkeypatch, owner, function, item, value):
    """Make what a function of the model returns wrong in one item."""
    original = getattr(owner, function)

    def spoilt(*arguments):
        array = original(*arguments).copy()
        array[item] = value
        return array

    monkeypatch.setattr(owner, function, spoilt)


def test_a_wrong_code_of_the_model_is_a_difference(monkeypatch):
    spoil(monkeypatch, tables, "_encode_table", 0x3F800000 >> 15, 0x39)
    outcome = claim("encode-e4m3-rne-saturate").try_part(0x3F)
    assert outcome.differences == 1
    assert outcome.examples == ("input 0x3f800000: code 0x39, reference 0x38",)
    assert claim("ml_dtypes-e4m3").try_part(0x3F).differences == 1
    assert claim("bfloat16-e4m3-rne-saturate").try_part(0).differences == 1


def test_a_wrong_scale_of_the_model_is_a_difference(monkeypatch):
    spoil(monkeypatch, tables, "_scale_table", 0x3F800000 >> 14, 0x70)
    outcome = claim("scale-e4m3-floor").try_part(0x3F)
    # The scale, and the element, which saturates under a smaller one, for both signs.
    assert outcome.differences == 4
    assert outcome.examples[0] == "input 0x3f800000: scale 0x70, reference 0x77"


def test_a_wrong_value_of_the_model_is_a_difference(monkeypatch):
    from refmodel import blocks

    spoil(monkeypatch, blocks, "decode_table_as", 3, 1.25)
    assert claim("dequantize-mxfp4_e2m1").try_part(0).differences > 16 * 2


def test_another_package_is_held_to_its_stated_deviations(monkeypatch):
    given = claim("ml_dtypes-e5m2")
    stated = given.deviations[0]
    wrong = claims.MlDtypesClaim(
        given.format, given.options, given.dtype, (stated._replace(theirs=stated.theirs ^ 1),)
    )
    assert wrong.try_part(0xFF).differences == 0x7FFFFF
    wrong = claims.MlDtypesClaim(given.format, given.options, given.dtype, ())
    assert wrong.try_part(0xFF).differences == 0x7FFFFF


# --------------------------------------------------------------------------------------------------
# The run
# --------------------------------------------------------------------------------------------------

SMALL = ["--only", "dequantize-mxfp4_e2m1,dequantize-mxint4", "--jobs", "1"]


def read_report(build):
    return json.loads((build / "report.json").read_text())


def test_a_run_ends_with_a_report_and_a_second_one_takes_it_over(tmp_path, monkeypatch, capsys):
    assert run.main(SMALL, build=tmp_path) == 0
    assert "pass" in capsys.readouterr().out
    first = read_report(tmp_path)
    assert [row["differences"] for row in first["sweeps"]] == [0, 0]
    assert first["facts"]["resumed"] == 0
    assert "pass" in (tmp_path / "report.txt").read_text("utf-8")

    def refuse(self, part):
        raise AssertionError("tried again")

    monkeypatch.setattr(claims.DequantizeClaim, "try_part", refuse)
    assert run.main(SMALL, build=tmp_path) == 0
    second = read_report(tmp_path)
    assert second["facts"]["resumed"] == 2
    for row in (*first["sweeps"], *second["sweeps"]):
        row["seconds"] = 0  # rounded in the file
    assert second["sweeps"] == first["sweeps"]
    # Other sources: nothing is taken over.
    monkeypatch.setattr(state, "sources_digest", lambda: "other")
    with pytest.raises(AssertionError, match="tried again"):
        run.main(SMALL, build=tmp_path)


def test_an_interrupted_run_is_taken_up_again(tmp_path, monkeypatch, capsys):
    original = claims.DequantizeClaim.try_part
    calls = itertools.count()

    def interrupt(self, part):
        if next(calls) == 1:
            raise KeyboardInterrupt
        return original(self, part)

    monkeypatch.setattr(claims.DequantizeClaim, "try_part", interrupt)
    assert run.main(SMALL, build=tmp_path) == run.INTERRUPTED
    assert "goes on from here" in capsys.readouterr().err
    (path,) = tmp_path.glob("state-*.jsonl")
    assert len(path.read_text().splitlines()) == 1
    with path.open("a") as file:
        file.write('{"claim": "dequantize-mxi')  # killed while writing
    assert run.main(SMALL, build=tmp_path) == 0
    assert read_report(tmp_path)["facts"]["resumed"] == 1
    assert len(path.read_text().splitlines()) == 2


def test_the_state_depends_on_sources_and_packages(monkeypatch):
    here = state.sources_digest()
    monkeypatch.setattr(np, "__version__", "0")
    assert state.sources_digest() != here
    monkeypatch.undo()
    monkeypatch.setattr(state, "_SOURCES", state._SOURCES[1:])
    assert state.sources_digest() != here


def test_a_real_interrupt_stops_the_processes_and_loses_nothing(tmp_path):
    arguments = ["--only", "encode-e2m1-rne-saturate", "--jobs", "2"]
    code = (
        f"import sys; from pathlib import Path; from exhaustive import run\n"
        f"if __name__ == '__main__': sys.exit(run.main({arguments}, build=Path({str(tmp_path)!r})))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the shell runs this in the background, interrupts are ignored and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        lines = [line for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
        if len(lines) >= 3:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (
        run.INTERRUPTED,
        "make exhaustive: interrupted; the next run goes on from here\n",
    )
    (path,) = tmp_path.glob("*.jsonl")
    done = [json.loads(line) for line in path.read_text().splitlines()]
    assert 3 <= len(done) < 256
    assert len({entry["part"] for entry in done}) == len(done)


def test_a_difference_fails_the_run_and_is_described(tmp_path, monkeypatch, capsys):
    from refmodel import blocks

    spoil(monkeypatch, blocks, "decode_table_as", 3, 1.25)
    assert run.main(SMALL, build=tmp_path) == run.DIFFERENT
    out = capsys.readouterr().out
    assert "FAIL" in out
    assert "reference" in out


def short_sweep(chunks=2):
    """A published sweep cut short."""
    sweep = EncodeSweep(mx.get_element("e2m1"), EncodeOptions(rounding="rdn"))
    object.__setattr__(sweep, "chunks", chunks)
    return sweep


def test_digests_that_are_not_the_published_ones_fail_the_run(tmp_path, monkeypatch, capsys):
    short = claims.EncodeClaim(short_sweep())
    monkeypatch.setattr(run, "all_claims", lambda: [short])
    run._by_name.cache_clear()
    monkeypatch.setattr(run, "_by_name", lambda: {short.name: short})
    build, published = tmp_path / "build", tmp_path / "digests"
    arguments = ["--jobs", "1"]
    assert run.main(arguments, build, published) == run.DIFFERENT
    assert "digests unpublished" in capsys.readouterr().out
    assert run.main([*arguments, "--publish"], build, published) == 0
    assert run.main(arguments, build, published) == 0
    path = published / f"{short.name}.sha256"
    path.write_text(path.read_text().replace("01.bin", "00.bin"))
    assert run.main(arguments, build, published) == run.DIFFERENT
    digests.write_digests(short.sweep, ["0" * 64] * 2, published)
    assert run.main(arguments, build, published) == run.DIFFERENT
    assert "digests different" in capsys.readouterr().out
    assert read_report(build)["sweeps"][0]["digests"] == "different"


@pytest.mark.parametrize("arguments", [["--only", "encode-e9m9*"], ["--jobs", "0"], ["--only", ""]], ids=str)
def test_bad_arguments_are_one_line(arguments, tmp_path, capsys):
    assert run.main(arguments, build=tmp_path) == run.CANNOT_RUN
    assert capsys.readouterr().err.startswith("make exhaustive: ")


def test_the_table_adds_up():
    rows = [
        report.Row("a-1", "a", "x", 10, 0, "equal", 1.0, ()),
        report.Row("a-2", "a", "x", 5, 0, "unpublished", 2.0, ()),
        report.Row("b-1", "b", "y", 7, 0, None, 3.0, ()),
    ]
    assert report._cells(rows) == ("3", "22", "0", "1/2", "6")
    assert [row.passed for row in rows] == [True, False, True]


# --------------------------------------------------------------------------------------------------
# What is committed
# --------------------------------------------------------------------------------------------------


def test_every_sweep_has_a_digest_file_and_every_digest_file_a_sweep():
    names = {f"{each.name}.sha256" for each in list_sweeps()}
    assert {path.name for path in DIGESTS.glob("*.sha256")} == names
    for sweep in list_sweeps():
        assert len(digests.read_digests(sweep, DIGESTS)) == sweep.chunks


def threshold_codes(sweep, chunk):
    if isinstance(sweep, ScaleSweep):
        return thresholds.scale_steps(sweep.element, sweep.options.scale_rule).fill(chunk * CHUNK, CHUNK)
    negative, part = divmod(chunk, 128)
    options = sweep.options
    steps = thresholds.encode_steps(sweep.format, options.rounding, options.overflow, bool(negative))
    return steps.fill(part * CHUNK, CHUNK)


@pytest.mark.parametrize("sweep", list_sweeps(), ids=name)
def test_committed_digests_are_those_of_the_thresholds(sweep):
    # A chunk where codes change often: near the largest element, or any for scales.
    largest = getattr(sweep, "format", mx.get_element("e4m3")).max_value
    busiest = int(np.float32(largest).view(np.uint32)) // CHUNK
    chunk = busiest + 128 * (len(sweep.name) % 2) if sweep.chunks == 256 else len(sweep.name) * 5
    digest = hashlib.sha256(threshold_codes(sweep, chunk)).hexdigest()
    assert digest == digests.read_digests(sweep, DIGESTS)[chunk]


@pytest.mark.parametrize(
    ("wanted", "chunk"),
    [("encode-e4m3-rne-overflow", 0xC3), ("encode-e8m0-rup-saturate", 0x3F), ("scale-e2m3-even", 0x41)],
)
def test_committed_digests_are_those_of_the_model(wanted, chunk):
    sweep = get_sweep(wanted)
    codes = sweep.codes(chunk)
    assert len(set(codes[:: 1 << 12].tolist())) > 1  # not a chunk of one code
    assert hashlib.sha256(codes).hexdigest() == digests.read_digests(sweep, DIGESTS)[chunk]


def test_committed_breakpoints_are_what_is_generated(tmp_path):
    breakpoints.main(tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text() for path in breakpoints.DIRECTORY.glob("*.csv")}
    assert len(written) == 6


def read_breakpoints(fmt):
    with (breakpoints.DIRECTORY / f"{fmt.name}.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("fmt", ELEMENTS, ids=name)
def test_the_model_has_the_codes_of_the_breakpoints(fmt):
    rows = read_breakpoints(fmt)
    for rounding, overflow, negative in breakpoints.columns(fmt):
        column = breakpoints.column_name(rounding, overflow, negative)
        want = [int(row[column], 16) for row in rows]
        for source, unsigned in (("float32", np.uint32), ("float64", np.uint64)):
            values = np.array([int(row[source], 16) for row in rows], unsigned).view(source)
            values = np.negative(values) if negative else values
            assert mx.encode(fmt, values, rounding, overflow).tolist() == want, (column, source)


@pytest.mark.parametrize("fmt", ELEMENTS, ids=name)
def test_the_oracle_has_the_codes_of_the_breakpoints(fmt):
    rows = read_breakpoints(fmt)[:: 1 if fmt.bits < 8 else 5]
    for rounding, overflow, negative in breakpoints.columns(fmt):
        options = EncodeOptions(rounding=rounding, overflow=overflow)
        for row in rows:
            for source in (FLOAT32, FLOAT64):
                bits = int(row[source.name], 16) | negative << (source.bits - 1)
                want = int(row[breakpoints.column_name(rounding, overflow, negative)], 16)
                assert oracle.convert(fmt, source, bits, options) == want, (rounding, overflow, row)


@pytest.mark.parametrize("fmt", ELEMENTS[:5], ids=name)
def test_ml_dtypes_has_the_codes_of_the_breakpoints(fmt):
    given = claim(f"ml_dtypes-{fmt.name}")
    rows = [row for row in read_breakpoints(fmt) if row["kind"] != "nan"]
    values = np.array([int(row["float32"], 16) for row in rows], np.uint32).view(np.float32)
    for negative in (False, True):
        with np.errstate(all="ignore"):
            theirs = (-values if negative else values).astype(getattr(ml_dtypes, given.dtype)).view(np.uint8)
        column = breakpoints.column_name("rne", given.options.overflow, negative)
        assert theirs.tolist() == [int(row[column], 16) for row in rows]


@pytest.mark.parametrize("fmt", ELEMENTS, ids=name)
def test_breakpoints_are_complete(fmt):
    rows = read_breakpoints(fmt)
    inputs = [int(row["float32"], 16) for row in rows]
    assert inputs == sorted(inputs)
    assert len(set(inputs)) == len(inputs)
    for rounding, overflow, negative in breakpoints.columns(fmt):
        function = thresholds.encode_steps(fmt, rounding, overflow, negative)
        assert set(edges(function)) - {thresholds.END - 1, 0x7F800001} <= set(inputs)


# --------------------------------------------------------------------------------------------------
# Checking somebody's codes
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A short sweep, its digests and a directory of right codes."""
    sweep = short_sweep()
    monkeypatch.setattr(sweeps, "_sweeps", lambda: (sweep,))
    folder, codes = tmp_path / "digests", tmp_path / "codes"
    folder.mkdir()
    codes.mkdir()
    right = np.concatenate([sweep.codes(chunk) for chunk in range(2)])
    parts = [hashlib.sha256(right[chunk * CHUNK :][:CHUNK]).hexdigest() for chunk in range(2)]
    digests.write_digests(sweep, parts, folder)
    return sweep, folder, codes, right


def check(folder, codes):
    return cli.main(["digests", "check", str(codes), "--digests", str(folder)])


def write_chunks(codes, sweep, array):
    (codes / sweep.name).mkdir(exist_ok=True)
    for chunk in range(sweep.chunks):
        array[chunk * CHUNK :][:CHUNK].tofile(codes / digests.chunk_file(sweep, chunk))


def test_right_codes_pass_in_one_file_and_in_chunks(published, capsys):
    sweep, folder, codes, right = published
    right.tofile(codes / f"{sweep.name}.bin")
    assert check(folder, codes) == 0
    (codes / f"{sweep.name}.bin").unlink()
    write_chunks(codes, sweep, right)
    assert check(folder, codes) == 0
    assert capsys.readouterr().out.count("2 of 2 chunks right") == 2
    found = subprocess.run(
        ["sha256sum", "--check", "--strict", folder / f"{sweep.name}.sha256"],
        cwd=codes,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.count(": OK") == 2


def test_the_first_wrong_code_of_a_chunk_is_found(published, capsys):
    sweep, folder, codes, right = published
    right[CHUNK + 5 : CHUNK + 8] ^= 1
    for write in (
        lambda: right.tofile(codes / f"{sweep.name}.bin"),
        lambda: ((codes / f"{sweep.name}.bin").unlink(), write_chunks(codes, sweep, right)),
    ):
        write()
        assert check(folder, codes) == 1
        out = capsys.readouterr().out
        assert "chunk 01: 3 wrong, the first for input 0x01000005: got 0x01, want 0x00" in out
        assert "1 of 2 chunks right" in out


def bad_directories():
    def one_file(codes, sweep, right):
        return codes / f"{sweep.name}.bin"

    def truncated(codes, sweep, right):
        right[:-1].tofile(one_file(codes, sweep, right))

    def longer(codes, sweep, right):
        np.concatenate([right, right[:1]]).tofile(one_file(codes, sweep, right))

    def missing(codes, sweep, right):
        write_chunks(codes, sweep, right)
        (codes / digests.chunk_file(sweep, 1)).unlink()

    def short_chunk(codes, sweep, right):
        write_chunks(codes, sweep, right)
        right[:10].tofile(codes / digests.chunk_file(sweep, 1))

    def folder_for_a_chunk(codes, sweep, right):
        missing(codes, sweep, right)
        (codes / digests.chunk_file(sweep, 1)).mkdir()

    def both(codes, sweep, right):
        right.tofile(one_file(codes, sweep, right))
        write_chunks(codes, sweep, right)

    def unknown(codes, sweep, right):
        right.tofile(one_file(codes, sweep, right))
        (codes / "encode-e2m1-rdm-saturate.bin").touch()

    return {
        "truncated": (truncated, "33554431 bytes; it must be a file of 33554432"),
        "longer": (longer, "33554433 bytes"),
        "missing": (missing, "1 of 2 chunks are missing, the first is 01.bin"),
        "short chunk": (short_chunk, "01.bin: 10 bytes; it must be a file of 16777216"),
        "folder for a chunk": (folder_for_a_chunk, "must be a file"),
        "both layouts": (both, "leave one"),
        "unknown name": (unknown, "not named after a sweep"),
        "empty": (lambda *_: None, "no codes to check"),
    }


@pytest.mark.parametrize("case", bad_directories(), ids=str)
def test_what_cannot_be_checked_is_one_line(case, published, capsys):
    sweep, folder, codes, right = published
    make, message = bad_directories()[case]
    make(codes, sweep, right)
    assert check(folder, codes) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1
    assert not out


def test_bad_digest_files_are_one_line(published, capsys):
    sweep, folder, codes, right = published
    right.tofile(codes / f"{sweep.name}.bin")
    path = folder / f"{sweep.name}.sha256"
    text = path.read_text()
    for bad in ("", text.replace("01.bin", "02.bin"), text + "x\n", text.upper(), "\xff"):
        path.write_text(bad, "latin-1")
        assert check(folder, codes) == 2
        assert "not a digest file" in capsys.readouterr().err
    # Those of another model: not the codes are to blame.
    digests.write_digests(sweep, ["0" * 64] * 2, folder)
    assert check(folder, codes) == 2
    assert "not that of this model" in capsys.readouterr().err
    path.unlink()
    assert check(folder, codes) == 2
    assert "No such file" in capsys.readouterr().err
    assert cli.main(["digests", "check", str(codes / "absent")]) == 2


def test_digests_list_prints_every_sweep(capsys):
    assert cli.main(["digests", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [sweep.name for sweep in list_sweeps()]


def test_an_unknown_sweep_is_named():
    with pytest.raises(mx.UnknownNameError, match="encode-e4m3-rne-saturate"):
        get_sweep("encode-e4m3")
