"""The benchmark as a person starts it, on the real CPU backend; no figure decides a test."""

import json
import signal
import subprocess
import sys

import pytest
import typer
from bench_fakes import COLD
from helpers import ROOT, assert_clean_error, plain_environment
from runtime_models import make_model
from test_imports import EXTRAS, run_without
from typer.testing import CliRunner

from gban_edge.config import GBANConfig
from gban_edge.deploy import bench_cold, bench_target
from gban_edge.deploy.bench_cli import bench
from gban_edge.deploy.bench_options import BenchOptions
from gban_edge.runtime.cuda import unavailable

SHORT = ("--duration", "0.3", "--warmup", "0.1", "--seconds", "1", "--cold-starts", "0")
APP = typer.Typer(add_completion=False)
APP.command()(bench)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("bench") / "m.safetensors", GBANConfig(60)).path


def script(*arguments):
    command = [sys.executable, str(ROOT / "deploy" / "benchmark.py"), *map(str, arguments)]
    environment = {**plain_environment(), "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def command(*arguments):
    """The same in this process."""
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def assert_refused(done, *words):
    assert done.exit_code == 1, done.output
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


@pytest.fixture(scope="module")
def measured(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "new"
    done = script(model, "--backend", "cpu", *SHORT[:-1], "1", "--out", out)
    assert done.returncode == 0, done.stderr
    return done, out


def test_a_report_from_end_to_end(model, measured):
    done, out = measured
    files = {path.suffix: path for path in out.iterdir()}
    assert files.keys() == {".json", ".md", ".png"}
    assert all(str(path) in done.stdout for path in files.values())
    assert len({path.stem for path in files.values()}) == 1
    assert files[".json"].name.startswith("bench-cpu-fp32-2")
    report = json.loads(files[".json"].read_text())
    assert report["format"] == "gban-edge benchmark"
    assert report["schema"] == 1
    assert report["backend"]["name"].startswith("cpu fp32 ")
    assert report["backend"]["sync"] is None
    assert report["options"]["model"] == str(model)
    assert report["options"]["seconds"] == [1.0, 1.0]
    assert report["check"]["greatest_difference"] == 0.0
    assert report["check"]["against"] == report["backend"]["name"]
    assert report["versions"].keys() >= {"gban-edge", "numpy", "python", "compiler"}
    assert report["machine"]["before"]["cpu"]["cores"] >= 1
    spread = report["latency_ms"]
    order = [spread[name] for name in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert order == sorted(order)
    assert order[0] > 0
    assert spread["mean"] * report["count"] <= report["seconds"] * 1e3
    assert sum(report["histogram"]["counts"]) == report["count"]
    assert report["seconds"] >= 0.3
    assert all(stage["p50"] > 0 for stage in report["stages_ms"].values())
    assert report["cold"]["median_ms"].keys() == COLD.keys()
    assert all(value > 0 for value in report["cold"]["median_ms"].values())
    assert (report["energy"] is None) == bool(report["no_energy"])


def test_the_page_and_the_panel_say_the_same(measured):
    done, out = measured
    (page,) = (path.read_text() for path in out.glob("*.md"))
    (report,) = (json.loads(path.read_text()) for path in out.glob("*.json"))
    p90 = next(line for line in page.splitlines() if line.startswith("| p90, the headline"))
    figure = p90.split("|")[2].strip()
    assert float(figure.removesuffix(" ms")) == pytest.approx(report["latency_ms"]["p90"], rel=0.01)
    assert figure in done.stdout
    for word in ("first and last tenth", "to first answer", "throughput", "sha256"):
        assert word in page
        assert word in done.stdout
    assert f"]({next(out.glob('*.png')).name})" in page


def test_the_picture_is_one(measured):
    from matplotlib.image import imread

    pixels = imread(next(measured[1].glob("*.png")))
    assert pixels.shape[:2] == (750, 1350)
    assert pixels.std() > 0.05


def test_json_of_features_and_mixed_lengths(model, tmp_path):
    wanted = ("--input", "features", "--precision", "int8", "--words", "0-9", "--json", "--no-plot")
    done = command(
        model, "--backend", "cpu", *SHORT, "--seconds", "0.5-2", *wanted, "--out", tmp_path
    )
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert list(report["stages_ms"]) == ["network", "rest"]
    assert report["backend"]["precision"] == "int8"
    assert 0 < report["check"]["greatest_difference"] <= report["check"]["limit"] == 6e-2
    assert report["options"]["utterances"] == 64
    assert report["cold"] is None
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".md"]
    assert json.loads(next(tmp_path.glob("*.json")).read_text()) == report


def test_an_onnx_file_is_checked_against_the_model(model, tmp_path):
    from gban_edge.deploy.onnx_export import export

    path = tmp_path / "m.onnx"
    export(model, path)
    done = command(path, *SHORT, "--reference", model, "--json", "--no-plot", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["backend"]["kind"] == "onnxruntime"
    assert report["check"]["against"].startswith("cpu fp32 ")
    assert report["check"]["greatest_difference"] <= 1e-5
    assert "onnxruntime" in report["versions"]
    other = make_model(tmp_path / "other.safetensors", GBANConfig(60), seed=2).path
    wrong = command(path, *SHORT, "--reference", other, "--no-plot", "--out", tmp_path / "none")
    assert_refused(wrong, "answers wrongly", "above 1e-05 for fp32; not timed")
    assert not (tmp_path / "none").exists()


def test_a_wrong_backend_gives_no_figure(model, tmp_path, monkeypatch):
    right = bench_target.open_recognizer

    class Swapped(bench_target.RecognizerTarget):
        """Its words are others."""

        def prepare(self, utterance):
            return super().prepare(utterance._replace(text="w2"))

    monkeypatch.setattr(
        bench_target,
        "open_recognizer",
        lambda options: Swapped(right(options)._recognizer, options.source, options.wait),
    )
    done = command(model, "--backend", "cpu", *SHORT, "--no-plot", "--out", tmp_path / "none")
    assert_refused(done, "backend cpu fp32", "answers wrongly", "not timed")
    assert done.stdout == ""
    assert not (tmp_path / "none").exists()


def test_what_a_person_gets_wrong(model, tmp_path):
    text = tmp_path / "model.safetensors"
    text.write_text("a text, and no model")
    none = tmp_path / "none.safetensors"
    assert_refused(command(none), f"model file {none} does not exist")
    assert_refused(command(text, "--backend", "cpu"), "model.safetensors", "not a readable")
    assert_refused(command(model, "--duration", "0"), "duration must be more than 0 seconds, got 0")
    assert_refused(command(model, "--seconds", "long"), "seconds must be like 7.5 or 0.5-7.5")
    assert_refused(command(model, "--backend", "npu"), "backend must be one of", "'npu'")
    assert_refused(command(model, "--backend", "onnxruntime"), "backend onnxruntime reads")
    assert_refused(command(), "MODEL is missing")
    assert_refused(command("--compare", none, text), "does not exist")
    assert_refused(command("--compare", text, text), "is not JSON")
    if unavailable() is not None:
        assert_refused(command(model, "--backend", "cuda"), "backend cuda cannot run")
    done = script(text, "--backend", "cpu", "--cold-starts", "0")
    assert_clean_error(done, "error: ", "not a readable")
    assert done.returncode == 1


def test_without_matplotlib_it_says_so_before_it_measures(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    wanted = (model, "--backend", "cpu", *SHORT, "--out", tmp_path / "out")
    assert_refused(command(*wanted), 'pip install "gban-edge[deploy]"', "--no-plot")
    assert not (tmp_path / "out").exists()
    done = command(*wanted, "--no-plot")
    assert done.exit_code == 0, done.output


def test_compare_prints_a_table(measured):
    (path,) = measured[1].glob("*.json")
    done = command("--compare", path, path)
    assert done.exit_code == 0, done.output
    assert "| p90, ms" in done.stdout
    assert " 1.000 |" in done.stdout
    assert "NOT ALIKE" not in done.stdout


@pytest.mark.parametrize(("when", "files"), [(100, 2), (20, 0)])
def test_ctrl_c(model, tmp_path, monkeypatch, when, files):
    """16 calls are the check's; the measured ones come next, or after them the warm-up's."""
    calls = [0]

    class Interrupting(bench_target.RecognizerTarget):
        def prepare(self, utterance):
            call = super().prepare(utterance)

            def counted():
                calls[0] += 1
                if calls[0] == when:
                    signal.raise_signal(signal.SIGINT)
                return call()

            return counted

    right = bench_target.open_recognizer
    monkeypatch.setattr(
        bench_target,
        "open_recognizer",
        lambda options: Interrupting(right(options)._recognizer, options.source, options.wait),
    )
    warm = ("--warmup", "0" if files else "60")
    out = tmp_path / "out"
    done = command(
        model, "--backend", "cpu", *SHORT, *warm, "--duration", "60", "--no-plot", "--out", out
    )
    assert done.exit_code == 130, done.output
    assert len(list(out.iterdir()) if out.exists() else []) == files
    if files:
        report = json.loads(next(out.glob("*.json")).read_text())
        assert report["interrupted"] is True
        assert report["count"] == when - 16 - 1
        assert "INTERRUPTED" in done.stdout
    else:
        assert "nothing was written" in done.stderr


def test_a_cold_start_relays_what_its_process_says(model, tmp_path, monkeypatch):
    text = tmp_path / "model.safetensors"
    text.write_text("a text, and no model")
    options = BenchOptions(text, "cpu")
    with pytest.raises(ValueError, match="not a readable safetensors"):
        bench_cold.one_start(options)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="ended with 1: it said nothing"):
        bench_cold.one_start(options)


def test_a_cold_start_is_of_this_package(model, tmp_path, monkeypatch):
    """Not of one that lies in the current folder."""
    (tmp_path / "gban_edge").mkdir()
    (tmp_path / "gban_edge" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    phases = bench_cold.one_start(BenchOptions(model, "cpu", seconds=(1.0, 1.0)))
    first = [phases[name] for name in bench_cold.PHASES[:4]]
    assert phases["to_first_answer"] == pytest.approx(sum(first))


def test_other_lines_of_the_process_do_no_harm():
    printed = '[TRT] loading\n{"wall": 1, "load": 2}\n{not JSON\n[TRT] bye\n'
    assert bench_cold._last_json(printed) == {"wall": 1, "load": 2}
    assert bench_cold._last_json("") == {}


def test_measuring_needs_numpy_alone():
    run_without(
        (*EXTRAS, "onnx", "onnxruntime", "PIL"),
        "import gban_edge.deploy.bench_measure, gban_edge.deploy.bench_target\n"
        "import gban_edge.deploy.bench_compare, gban_edge.deploy.bench_terminal\n"
        "from gban_edge.deploy import bench_plot\n"
        "try:\n    bench_plot.check_matplotlib()\n"
        "except RuntimeError as error:\n    assert 'pip install' in str(error)\n"
        "else:\n    raise SystemExit('matplotlib was found')\n",
    )
