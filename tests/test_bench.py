"""The bench can fail: each way in which a DUT breaks the stream is reported, in a sentence that names it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cocotb", reason="the bench needs the extra sim: pip install -e '.[sim]'")

from cocotb_tests import simulators
from cocotb_tests.jobs import Bench, Outcome, judge
from cocotb_tests.scoreboard import order_fault
from cocotb_tests.settings import BenchResult
from refmodel.conformance import load_description
from refmodel.errors import DescriptionError
from refmodel.vectors.dotset import DotVectors, make_dot_vectors
from refmodel.vectors.files import write_vectors

FOLDER = Path(__file__).parent
STUB, STUB_TOML = (FOLDER / f"stream_stub.{suffix}" for suffix in ("sv", "toml"))
REPLAY = "make sim ..."

SOUND = {
    "open": "1'b1",
    "core_reset_n": "rst_ni",
    "ready_o": "core_ready",
    "valid_o": "core_valid",
    "take": "ready_i",
    "result_o": "core_result",
}
"""How the stub's core is connected when nothing is wrong."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """A broken DUT: the connections that differ, what else it needs, and what the report must say."""

    connections: dict[str, str]
    sentence: str
    statements: str = ""


FAULTS = {
    "never_ready": Fault(
        {"ready_o": "1'b0", "open": "1'b0"},
        r"hung: no transfer .* 0 of \d+ beats accepted, now offered: beat 0 of vector 0 ",
    ),
    "never_valid": Fault(
        {"valid_o": "1'b0", "take": "1'b1"},
        r"hung: .*waiting for the result of vector 0 \(class exhaustive\)",
    ),
    "stops_in_the_middle": Fault(
        {"valid_o": "core_valid && taken < 20", "take": "ready_i && taken < 20"},
        r"hung: .*now offered: beat 0 of vector 21 .*waiting for the result of vector 20 ",
    ),
    "drops_one": Fault(
        {"valid_o": "core_valid && taken != 20", "take": "ready_i || taken == 20"},
        r"full_rate: a result is dropped .* at vector 20 ",
    ),
    "repeats_one": Fault(
        {"take": "ready_i && (taken != 20 || repeated)"},
        r"full_rate: a result is too many .* at vector 21 ",
        "logic repeated; initial repeated = 1'b0;\n"
        "  always_ff @(posedge clk_i) if (core_valid && ready_i && taken == 20) repeated <= 1'b1;",
    ),
    "exchanges_two": Fault(
        {
            "valid_o": "owing || (core_valid && taken != 20)",
            "take": "taken == 20 || (ready_i && !owing)",
            "result_o": "owing ? held : core_result",
        },
        r"full_rate: two neighbouring results exchanged, at vector 20 ",
        "logic [31:0] held; logic paid, owing; initial paid = 1'b0; assign owing = taken == 22 && !paid;\n"
        "  always_ff @(posedge clk_i) begin\n"
        "    if (core_valid && taken == 20) held <= core_result;\n"
        "    if (owing && ready_i) paid <= 1'b1;\n  end",
    ),
    "invents_one_at_the_end": Fault(
        {"valid_o": "core_valid || extra", "result_o": "core_valid ? core_result : last"},
        r"full_rate: the result is repeated: 1 more after the last",
        "logic extra; logic [31:0] last;\n"
        "  always_ff @(posedge clk_i) begin\n"
        "    extra <= core_valid && take && !valid_i;\n"
        "    if (core_valid) last <= core_result;\n  end",
    ),
    "changes_while_stalled": Fault(
        {"result_o": "core_result ^ {31'd0, stalled}"},
        r"result_o changed from 0x\w+ to 0x\w+ while valid_o was high",
    ),
    "withdraws_while_stalled": Fault(
        {"valid_o": "core_valid && !stalled", "take": "ready_i && !stalled"},
        r"valid_o fell before result \d+ .* was taken",
    ),
    "waits_for_ready": Fault({"valid_o": "core_valid && ready_i"}, r"valid_o stays low while ready_i is low"),
    "half_rate": Fault(
        {"ready_o": "core_ready && phase", "open": "phase"},
        r"full_rate: ready_o was low in \d+ clock cycles",
        "logic phase; initial phase = 1'b0; always_ff @(posedge clk_i) phase <= !phase;",
    ),
    "ignores_reset": Fault({"core_reset_n": "rst_ni || taken > 10"}, r"reset: valid_o is 1 in reset"),
    "unknown_result_bit": Fault(
        {"result_o": "{core_result[31:1], taken == 20 ? 1'bx : core_result[0]}"},
        r"result_o is [01]+X in result 20",
    ),
    "unknown_valid": Fault({"valid_o": "taken == 20 ? 1'bx : core_valid"}, r"valid_o is X after result 20"),
    "unknown_ready": Fault(
        {"ready_o": "taken == 20 ? 1'bx : core_ready"}, r"ready_o is X while beat 0 of item \d+ is offered"
    ),
    "valid_of_a_register_without_reset": Fault(
        {"valid_o": "core_valid && !drained"},
        r"valid_o is X after result 0",
        "logic drained; always_ff @(posedge clk_i) if (drained) drained <= 1'b0;",
    ),
    "result_of_a_register_without_reset": Fault(
        {"result_o": "core_result ^ {31'd0, carry}"},
        r"result_o is [01]+X in result 0",
        "logic carry; always_ff @(posedge clk_i) if (carry) carry <= 1'b0;",
    ),
}


@pytest.fixture(scope="session")
def vectors() -> DotVectors:
    made = make_dot_vectors("mxfp4_e2m1", "mxfp4_e2m1", rule="exact_fp32", count=400, seed=1)
    low = [
        np.packbits((x.codes[:, :8, None] >> np.arange(4, dtype=np.uint8)) & 1, axis=None, bitorder="little").view(
            "<u4"
        )
        for x in (made.a, made.b)
    ]
    scales = made.a.scales.astype(np.uint32) << 8 | made.b.scales
    return dataclasses.replace(made, results=low[0] ^ low[1] ^ scales)


@pytest.fixture(params=simulators.VERILOG_SIMULATORS)
def sim(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def build_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place for all builds, so that Verilator's library is compiled once."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture
def simulate(tmp_path: Path, build_root: Path) -> Callable[..., Outcome]:
    """Return a function that simulates the stub, with a fault or sound, described rightly or with changes."""

    def run(
        sim: str, vectors: DotVectors, fault: Fault | None = None, *, test_module: str | None = None,
        vector: int | None = None, change: dict[str, str] | None = None,
    ) -> Outcome:  # fmt: skip
        try:
            version = simulators.prepare(sim)
        except simulators.ToolError as error:
            pytest.skip(str(error))
        fault = fault or Fault({}, "")
        assigns = [f"assign {port} = {value};" for port, value in (SOUND | fault.connections).items()]
        text = STUB.read_text().replace("@FAULT@", "\n  ".join([fault.statements, *assigns]))
        (tmp_path / "stream_stub.sv").write_text(text)
        described = STUB_TOML.read_text()
        for old, new in (change or {}).items():
            assert described.count(old) == 1
            described = described.replace(old, new)
        (tmp_path / "stream_stub.toml").write_text(described)
        description = load_description(tmp_path / "stream_stub.toml")
        directory = tmp_path / "vectors"
        write_vectors(vectors, directory / "0")
        return Bench(sim, version, build_root).simulate(
            description, description.configurations[0], directory, seed=1, replay=REPLAY, vector=vector,
            test_module=test_module,
        )  # fmt: skip

    return run


def test_a_sound_stub_passes(sim, vectors, simulate):
    outcome = simulate(sim, vectors)
    assert outcome.passed, outcome
    assert outcome.vectors == vectors.dots
    assert sum(outcome.classes.values()) == vectors.dots
    assert outcome.comparisons > vectors.dots  # those under stalls come on top


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_stream_is_reported(name, vectors, simulate):
    fault = FAULTS[name]
    outcome = simulate("icarus", vectors, fault)
    assert not outcome.passed
    assert re.search(fault.sentence, "\n".join(outcome.failures)), outcome.failures


MISFITS = {
    # change of the description: what must be said
    'clk_i"': ('clock_i"', "[clock] key 'port': stream_stub has no port clock_i"),
    'valid = "valid_o"': ('valid = "done_o"', "[handshake] out valid: stream_stub has no port done_o"),
    'result = "result_o"': ('result = "results_o"', "[ports] key 'result': stream_stub has no port results_o"),
    'a_elements = "a_elements_i"': (
        'a_elements = { port = "a_elements_i", item_bits = 8 }',
        "[ports] key 'a_elements': port a_elements_i of stream_stub is 128 bits wide; "
        "mxfp4_e2m1 exact_fp32 fp32 lanes 32 needs 256",
    ),
}


@pytest.mark.parametrize("name", ["never_ready", "drops_one"])
def test_a_broken_stream_is_reported_in_verilator(name, vectors, simulate):
    outcome = simulate("verilator", vectors, FAULTS[name])
    assert re.search(FAULTS[name].sentence, "\n".join(outcome.failures)), outcome.failures


@pytest.mark.parametrize("old", MISFITS)
def test_a_description_that_does_not_fit_the_design_is_refused(old, sim, vectors, simulate):
    new, sentence = MISFITS[old]
    with pytest.raises(DescriptionError, match=re.escape(sentence)):
        simulate(sim, vectors, change={old: new})


def test_a_parameter_that_the_design_lacks_is_refused(sim, vectors, simulate):
    with pytest.raises(simulators.ToolError, match="Lanes"):
        simulate(sim, vectors, change={"[[conf": "[parameters]\nLanes = { from = 'lanes' }\n\n[[conf"})


def test_broken_promises_of_latency_and_capacity_are_reported(vectors, simulate):
    outcome = simulate("icarus", vectors, change={"latency = 1": "latency = 2\ncapacity = 2"})
    failures = "\n".join(outcome.failures)
    assert "came 1 cycles after its last beat; the description promises 2" in failures
    for scenario in ("closed", "closed_slow_producer"):
        assert f"{scenario}: 1 beats were taken while no result was; the description promises 2" in failures


def test_other_packings_are_recognised_as_wrong_values(vectors, simulate):
    outcome = simulate(
        "icarus",
        vectors,
        change={'a_elements = "a_elements_i"': 'a_elements = { port = "a_elements_i", order = "first_high" }'},
    )
    assert outcome.mismatches
    assert not outcome.failures


def test_one_flipped_bit_is_one_mismatch_with_its_class_and_a_replay(sim, vectors, simulate):
    results = vectors.results.copy()
    results[123] ^= 1 << 7
    flipped = dataclasses.replace(vectors, results=results)
    outcome = simulate(sim, flipped)
    assert outcome.mismatches == [123]
    assert outcome.failures == []
    (report,) = outcome.reports
    assert report.startswith(
        f"MISMATCH vector 123 (class {vectors.class_of(123).name}), rule exact_fp32, scenario full_rate"
    )
    assert f"expected 0x{results[123]:08x}" in report
    assert f"seen     0x{vectors.results[123]:08x}" in report
    assert f"replay: {REPLAY} VECTOR=123" in report
    assert simulate(sim, flipped, vector=123).mismatches == [123]
    assert simulate(sim, flipped, vector=122).passed


def test_many_mismatches_are_counted_and_the_first_explained(vectors, simulate):
    inverted = dataclasses.replace(vectors, results=~vectors.results)
    outcome = simulate("icarus", inverted)
    assert outcome.mismatches == list(range(vectors.dots))
    assert [report.split(" ")[2] for report in outcome.reports] == ["0", "1", "2"]


def test_a_run_without_tests_fails(sim, vectors, simulate):
    outcome = simulate(sim, vectors, test_module="cocotb_tests.protocol")
    assert not outcome.passed
    assert outcome.failures[0].startswith("0 of 8 tests ran")


def test_a_bench_that_raises_fails(vectors, simulate):
    outcome = simulate("icarus", vectors, test_module="cocotb_tests.replay_tests")
    assert not outcome.passed


def test_a_run_that_compared_fewer_vectors_fails(tmp_path):
    xml, result = tmp_path / "results.xml", tmp_path / "result.json"
    xml.write_text('<testsuites><testsuite tests="7" failures="0" errors="0"/></testsuites>')
    BenchResult(399, 800, 1.0, {"random": 399}, [], [], []).write(result)
    description = load_description(STUB_TOML)
    jobs = [Outcome(description, description.configurations[0], vectors) for vectors in (399, 400)]
    assert judge(jobs[0], 7, xml, result, tmp_path / "log").passed
    outcome = judge(jobs[1], 7, xml, result, tmp_path / "log")
    assert outcome.failures == ["399 of 400 vectors were compared"]


@pytest.mark.parametrize(
    ("seen", "place", "words"),
    [
        ([1, 2, 3, 4], None, ""),
        ([1, 2], None, ""),
        ([1, 2, 9, 4], None, ""),
        ([1, 3, 4], 1, "dropped"),
        ([1, 2, 2, 3, 4], 2, "too many"),
        ([1, 3, 2, 4], 1, "exchanged"),
        ([1, 2, 3, 4, 4], 3, "repeated"),
    ],
)
def test_lost_order_is_told_from_wrong_values(seen, place, words):
    fault = order_fault(np.array([[1], [2], [3], [4]], np.uint32), np.array(seen, np.uint32)[:, None])
    assert (fault is None) == (place is None)
    assert fault is None or (fault[0] == place and words in fault[1])
