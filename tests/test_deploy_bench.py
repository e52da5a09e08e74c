"""The benchmark on fakes of known figures: what it computes of them, and what it refuses."""

import gc
import json
from dataclasses import replace

import numpy as np
import pytest
from bench_fakes import COLD, FACTS, Clock, FakeMeter, FakeTarget, fake_tools

from gban_edge.deploy import bench_stats
from gban_edge.deploy.bench_compare import compare
from gban_edge.deploy.bench_inputs import ALIKE
from gban_edge.deploy.bench_markdown import markdown
from gban_edge.deploy.bench_measure import measure
from gban_edge.deploy.bench_options import BenchOptions
from gban_edge.deploy.bench_plot import write_plot
from gban_edge.deploy.bench_report import read_report, write_report

WARM = 2 * ALIKE  # calls of the check, which come first


@pytest.fixture
def options(tmp_path):
    model = tmp_path / "model.onnx"
    model.write_bytes(b"abc")
    return BenchOptions(model, seconds=(1.0, 1.0), warmup=0.0, duration=3.0)


@pytest.fixture
def latencies():
    """1 to 20 ms, skewed, in no order."""
    return (1e6 + 4e6 * np.random.default_rng(0).gamma(1.0, 1.0, 977)).astype(int).tolist()


def run(options, latencies, **others):
    clock = Clock()
    target = FakeTarget(clock, latencies, **others.pop("target", {}))
    tools = {name: make(clock) if name == "open_meter" else make for name, make in others.items()}
    return measure(options, fake_tools(clock, target, **tools))


def expected(latencies, seconds):
    """The calls after the check's, until ``seconds`` have passed."""
    turns = np.array(latencies)[(WARM + np.arange(5 * len(latencies))) % len(latencies)]
    return turns[: int(np.searchsorted(np.cumsum(turns), seconds * 1e9)) + 1]


def test_figures_are_those_of_numpy(options, latencies):
    report = run(options, latencies)
    ns = expected(latencies, 3.0)
    assert report.count == len(ns)
    assert report.seconds == pytest.approx(ns.sum() / 1e9, abs=1e-12)
    assert report.throughput == pytest.approx(len(ns) / (ns.sum() / 1e9))
    want = {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9}
    for name, q in want.items():
        assert report.latency_ms[name] == pytest.approx(np.percentile(ns, q) / 1e6)
    assert report.latency_ms["min"] == pytest.approx(ns.min() / 1e6)
    assert report.latency_ms["max"] == pytest.approx(ns.max() / 1e6)
    assert report.latency_ms["mean"] == pytest.approx(ns.mean() / 1e6)
    tenth = len(ns) // 10
    assert report.drift["first_p50_ms"] == pytest.approx(np.median(ns[:tenth]) / 1e6)
    assert report.drift["last_p50_ms"] == pytest.approx(np.median(ns[-tenth:]) / 1e6)
    for name, share in (("features", 0.5), ("network", 0.25), ("rest", 0.25)):
        for key, q in (("p50", 50), ("p90", 90)):
            assert report.stages_ms[name][key] == pytest.approx(share * np.percentile(ns, q) / 1e6)
    edges, counts = np.array(report.histogram["edges_ms"]), report.histogram["counts"]
    assert sum(counts) == len(ns)
    np.testing.assert_allclose(np.diff(np.log(edges)), np.log(edges[-1] / edges[0]) / len(counts))
    middle = len(counts) // 3
    inside = (ns / 1e6 >= edges[middle]) & (ns / 1e6 < edges[middle + 1])
    assert counts[middle] == inside.sum() > 0


def test_what_ran_is_told(options, latencies):
    report = run(options, latencies)
    assert report.backend == {
        "name": "cuda fp16 Some GPU", "kind": "cuda", "precision": "fp16",
        "reason": "cuda: asked for", "sync": "block",
    }  # fmt: skip
    # printf abc | sha256sum
    assert report.model["sha256"].startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c")
    assert report.model["bytes"] == 3
    assert report.check["against"] == "its own second calls"
    assert report.check["utterances"] == ALIKE
    assert report.cold["median_ms"] == COLD
    assert len(report.cold["starts_ms"]) == 3
    assert report.machine == {"before": FACTS, "after": FACTS}
    assert report.energy is None
    assert report.no_energy == "no power meter: none was given"
    assert not report.interrupted
    assert report.stem.startswith("bench-cuda-fp16-2")
    assert any("garbage collector" in note for note in report.notes)
    assert any("p99.9" in note for note in report.notes)


def test_warm_up_is_not_counted_and_facts_are_read_within_it(options, latencies):
    clock, read = Clock(), []
    target = FakeTarget(clock, latencies)

    def facts():
        read.append(target.calls)
        return FACTS

    report = measure(replace(options, warmup=2.0), fake_tools(clock, target, facts=facts))
    assert WARM < read[0] < target.calls - report.count < read[1] == target.calls


def test_progress_is_not_timed_and_the_collector_rests(options):
    clock, seen = Clock(), []
    target = FakeTarget(clock, [10_000_000])

    def progress(what, done):
        clock.now += 7_000_000_000
        seen.append((what, done, gc.isenabled()))

    report = measure(options, fake_tools(clock, target, progress=progress))
    assert report.seconds == pytest.approx(3.0)
    assert report.count == 300
    drawn = [(done, collector) for what, done, collector in seen if what == "measure"]
    assert [done for done, _ in drawn] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert not any(collector for _, collector in drawn)
    assert gc.isenabled()


def test_features_have_no_stage_of_their_own_where_they_come_in(options, latencies):
    report = run(replace(options, source="features"), latencies)
    assert list(report.stages_ms) == ["network", "rest"]


def test_energy_gross_and_minus_idle(options):
    """500 calls of 10 ms at 12 W, 4 W at rest: 120 mJ each, 80 mJ of them above rest."""
    power = {"open_meter": lambda clock: lambda: (FakeMeter(clock, 4.0, 12.0), "")}
    report = run(replace(options, duration=5.0), [10_000_000], **power)
    energy = report.energy
    assert report.count == 500
    assert energy["joules"] == pytest.approx(60.0)
    assert energy["gross_joules"] == pytest.approx(0.120)
    assert energy["net_joules"] == pytest.approx(0.080)
    assert energy["idle"] == pytest.approx(
        {"watts": 4.0, "seconds": 10.0, "joules": 40.0, "samples": 100}
    )
    assert energy["by_rail_joules"] == pytest.approx({"VDD_CPU": 15.0, "VDD_GPU": 45.0})
    assert energy["summed"] == "VDD_CPU + VDD_GPU (processor and GPU)"
    page = markdown(report)
    assert "120 mJ an inference" in page
    assert "80.0 mJ an inference" in page


def test_no_idle_power_no_net_figure(options):
    power = {"open_meter": lambda clock: lambda: (FakeMeter(clock, 12.0, 12.0), "")}
    report = run(replace(options, idle=0.0), [10_000_000], **power)
    assert report.energy["net_joules"] is None
    assert report.energy["gross_joules"] == pytest.approx(0.120)
    assert "idle power was not measured" in markdown(report)


@pytest.mark.parametrize("idle", [0.0, 1.0])
def test_a_meter_that_fails_costs_the_energy_alone(options, idle):
    class Broken(FakeMeter):
        def stop(self):
            super().stop()
            raise RuntimeError("in1_input could not be read")

    power = {"open_meter": lambda clock: lambda: (Broken(clock, 1.0, 1.0), "")}
    report = run(replace(options, idle=idle), [10_000_000], **power)
    assert report.count == 300
    assert report.energy is None
    assert report.no_energy == "the power meter failed: in1_input could not be read"


def test_ctrl_c_keeps_what_was_measured(options, tmp_path):
    meters = []

    def meter(clock):
        meters.append(FakeMeter(clock, 1.0, 2.0))
        return lambda: (meters[0], "")

    stopped = {"interrupt": WARM + 150}
    report = run(replace(options, idle=0), [10_000_000], open_meter=meter, target=stopped)
    assert report.interrupted
    assert report.count == 150
    assert report.seconds == pytest.approx(1.5)
    assert not meters[0].running
    json_path, md_path = write_report(report, tmp_path / "out", plot=False)
    assert json.loads(json_path.read_text())["interrupted"] is True
    assert "INTERRUPTED" in md_path.read_text()
    assert gc.isenabled()


def test_ctrl_c_before_the_first_call_is_no_report(options):
    with pytest.raises(KeyboardInterrupt):
        run(options, [10_000_000], target={"interrupt": WARM})
    with pytest.raises(KeyboardInterrupt):
        run(replace(options, warmup=5.0), [10_000_000], target={"interrupt": WARM + 20})


@pytest.mark.parametrize(
    ("wrong", "says"), [(0.2 + 6e-3, "differs by 0.006"), (float("nan"), "not finite")]
)
def test_wrong_answers_are_not_timed(options, wrong, says):
    clock = Clock()
    target = FakeTarget(clock, [10], probability=wrong)
    right = FakeTarget(clock, [10], probability=0.2, backend="cpu fp32 scalar")
    with pytest.raises(RuntimeError, match=says) as raised:
        measure(options, fake_tools(clock, target, open_reference=lambda _: right))
    assert "not timed" in str(raised.value)
    assert target.calls == ALIKE


def test_the_limit_is_that_of_the_precision(options):
    """4e-3 is rounding for fp16, and an error for fp32."""
    clock = Clock()
    right = FakeTarget(clock, [10_000_000], probability=0.2, backend="cpu fp32 scalar")
    fakes = {"open_reference": lambda _: right}
    half = FakeTarget(clock, [10_000_000], probability=0.204)
    report = measure(options, fake_tools(clock, half, **fakes))
    assert report.check["greatest_difference"] == pytest.approx(0.004)
    assert report.check["against"] == "cpu fp32 scalar"
    single = FakeTarget(clock, [10_000_000], probability=0.204, backend="cuda fp32 Some GPU")
    with pytest.raises(RuntimeError, match="above 1e-05 for fp32"):
        measure(options, fake_tools(clock, single, **fakes))


def test_throttling_is_hinted_at():
    before = {"temperatures": {"tj": 50.0}, "gpu_clocks": {"gpu": {"mhz": 900, "maximum_mhz": 9}}}
    after = {"temperatures": {"tj": 91.5}, "gpu_clocks": {"gpu": {"mhz": 600, "maximum_mhz": 6}}}
    found = bench_stats.throttling(1.3, before, after)
    assert "1.30 times as long" in found["hint"]
    assert found["temperature_rises"] == {"temperatures.tj": 41.5}
    assert found["clock_falls"] == {"gpu_clocks.gpu.mhz": [900.0, 600.0]}
    assert bench_stats.throttling(1.01, before, before) == {
        "hint": None, "temperature_rises": {"temperatures.tj": 0.0}, "clock_falls": {},
    }  # fmt: skip


def test_compare_two_reports(options, latencies, tmp_path):
    slow = run(options, latencies)
    fast = run(replace(options, cold_starts=0), [ns // 2 for ns in latencies])
    a, *_ = write_report(slow, tmp_path / "a", plot=False)
    b, *_ = write_report(fast, tmp_path / "b", plot=False)
    text = compare(a, b)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    figures = {row[0]: row[1:] for row in rows if len(row) == 4}
    ratio = fast.latency_ms["p90"] / slow.latency_ms["p90"]
    assert figures["p90, ms"][2] == f"{ratio:.3f}"
    assert figures["min, ms"][2] == "0.500"
    assert figures["cold, load, ms"] == ["20.0", "–", "–"]
    assert "NOT ALIKE" not in text


def test_compare_says_loudly_what_is_not_alike(options, latencies, tmp_path):
    a, *_ = write_report(run(options, latencies), tmp_path / "a", plot=False)
    other = replace(options, source="features", seconds=(2.0, 2.0))
    facts = {**FACTS, "board": "Board Y"}
    report = run(other, latencies, facts=lambda: facts, target={"sync": "spin"})
    report = replace(report, model={**report.model, "sha256": "0" * 64})
    b, *_ = write_report(report, tmp_path / "b", plot=False)
    text = compare(a, b)
    for what in (
        "utterance length: 1 s in A, 2 s in B",
        "input: pcm in A, features in B",
        "machine: Board X",
        "wait for the GPU: block in A, spin in B",
        "model sha256",
    ):
        assert f"**NOT ALIKE: {what}" in text
    assert text.count("NOT ALIKE") == 5


def test_compare_refuses_what_it_cannot_read(options, latencies, tmp_path):
    a, *_ = write_report(run(options, latencies), tmp_path, plot=False)
    other = tmp_path / "other.json"
    with pytest.raises(FileNotFoundError, match=r"other\.json does not exist"):
        compare(a, other)
    other.write_text("not JSON")
    with pytest.raises(ValueError, match="is not JSON"):
        compare(a, other)
    other.write_text('{"machine": 1}')
    with pytest.raises(ValueError, match="no report of gban-edge bench"):
        compare(other, a)
    other.write_text(json.dumps({**read_report(a), "schema": 2}))
    with pytest.raises(ValueError, match="schema must be 1"):
        compare(a, other)


def test_equal_reports_give_equal_pictures(options, latencies, tmp_path):
    report = run(options, latencies)
    for name in ("a.png", "b.png"):
        write_plot(report, tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second
    assert first.startswith(b"\x89PNG\r\n\x1a\n")
