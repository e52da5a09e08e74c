"""gban-edge build: what it writes and prints, and its errors in one line."""

import subprocess
import sys

import pytest
import typer
from engine_machines import Machines
from engine_policy import random_model
from fake_tensorrt import Severity
from helpers import ROOT, SMALL, assert_clean_error, plain_environment
from typer.testing import CliRunner

from gban_edge.commands import told
from gban_edge.config import GBANConfig
from gban_edge.deploy.build_cli import build
from gban_edge.deploy.onnx_export import export
from gban_edge.runtime.engine_file import EngineFile

WIDE = GBANConfig.from_dict(
    {**SMALL.to_dict(), "hidden": 128}
)  # which the plugins have kernels for
NODES = {("BiLSTM", "1", "gban_edge"), ("AlignPool", "1", "gban_edge")}


@pytest.fixture
def machine(monkeypatch, tmp_path) -> Machines:
    monkeypatch.setenv("GBAN_EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "400")
    return Machines(monkeypatch)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Model files, by whether the plugins take them."""
    folder = tmp_path_factory.mktemp("models")
    return {name: random_model(folder, c, seed)[1] for seed, (name, c) in
            enumerate({"small": SMALL, "wide": WIDE}.items())}  # fmt: skip


def run(*arguments: object):
    app = typer.Typer()
    app.command()(told(build))
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(*arguments: object) -> str:
    """The one line of an error."""
    done = run(*arguments)
    assert done.exit_code == 1, done.output
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    return line


def rows(printed: str) -> dict[str, str]:
    """The table that was printed, by the name of the row."""
    return {line[:11].strip(): line[11:].strip() for line in printed.splitlines()}


def test_an_onnx_file(machine, models, tmp_path):
    fake = machine.tensorrt("10.3.0")
    fake.behave.says = [(Severity.WARNING, "something [odd]")]
    source = tmp_path / "net.onnx"
    export(models["small"], source, precision="fp16")
    done = run(source)
    assert done.exit_code == 0, done.output
    made = EngineFile.read(tmp_path / "net.engine")
    told_rows = rows(done.output)
    assert told_rows["engine"] == str(made.path)
    assert told_rows["network"] == "fp16, plain"
    assert told_rows["TensorRT"] == "10.3.0 (tensorrt)"
    assert told_rows["GPU"] == "Orin (sm_87)"
    assert told_rows["buckets"] == "197x8, 397x16, 747x32, 747x512"
    assert told_rows["warnings"] == "1"
    assert "warning: something [odd]" in done.output
    assert "info:" not in done.output


def test_options(machine, models, tmp_path):
    fake = machine.tensorrt("10.16.2")
    fake.behave.says = [(Severity.INFO, "a line [of it]")]
    source, engine = tmp_path / "net.onnx", tmp_path / "far" / "b.engine"
    export(models["small"], source)
    done = run(
        source, "-o", engine, "--precision", "fp32", "--flavour", "plain", "--buckets",
        "97x4,747x512", "--workspace", 64, "--level", 1, "--timing-cache", tmp_path / "timings",
        "--verbose",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert EngineFile.read(engine).key.buckets == ((97, 4), (747, 512))
    assert "info: a line [of it]" in done.output
    assert ("set_memory_pool_limit", fake.MemoryPoolType.WORKSPACE, 64 << 20) in fake.calls
    assert ("builder_optimization_level", 1) in fake.calls
    assert len(list((tmp_path / "timings").iterdir())) == 1


@pytest.mark.parametrize(
    ("version", "name", "model", "library", "flavour", "functions"),
    [
        ("10.3.0", "tensorrt", "wide", True, "plugin", False),
        ("10.16.2", "tensorrt", "wide", True, "plugin", True),
        ("10.16.2", "tensorrt", "wide", False, "plain", False),
        ("10.16.2", "tensorrt", "small", True, "plain", False),
        ("1.7.1", "tensorrt_rtx", "wide", True, "plain", False),
    ],
)
def test_a_model_file_in_the_flavour_that_suits(
    machine, models, tmp_path, version, name, model, library, flavour, functions
):
    fake = machine.tensorrt(version, name=name)
    machine.opening(fake, NODES)
    if library:
        machine.library = tmp_path / "plugins.so"
        machine.library.write_bytes(b"plugins")
    done = run(models[model], "-o", tmp_path / "out.engine", "--precision", "fp16")
    assert done.exit_code == 0, done.output
    assert (tmp_path / f"out-fp16-{flavour}.onnx").is_file()
    facts = EngineFile.read(tmp_path / "out.engine").facts
    assert (facts.flavour, facts.functions, facts.precision) == (flavour, functions, "fp16")


def test_a_model_file_is_fp32_and_beside_itself_unless_told(machine, models, tmp_path):
    machine.tensorrt("10.3.0")
    model = tmp_path / "m.safetensors"
    model.write_bytes((tmp_path / models["small"]).read_bytes())
    done = run(model, "--dynamic")
    assert done.exit_code == 0, done.output
    assert EngineFile.read(tmp_path / "m.engine").key.precision == "fp32"
    assert (tmp_path / "m-fp32-plain.onnx").is_file()
    assert "dynamic" in rows(done.output)["buckets"]


def test_user_errors_are_one_line(machine, models, tmp_path):
    assert "does not exist" in refused(tmp_path / "absent.onnx")
    assert "absent.safetensors" in refused(tmp_path / "absent.safetensors", "--flavour", "plain")
    text = tmp_path / "t.onnx"
    text.write_text("not ONNX")
    assert "not an ONNX file" in refused(text)
    source = tmp_path / "net.onnx"
    export(models["small"], source)
    assert "TensorRT is not installed: on a Jetson" in refused(source)
    machine.tensorrt("10.3.0")
    assert "gban-edge export --precision fp16" in refused(source, "--precision", "fp16")
    assert "gban-edge export --flavour plugin" in refused(source, "--flavour", "plugin")
    assert "flavour must be one of auto" in refused(models["small"], "--flavour", "fast")
    assert "197x8,747x512" in refused(source, "--buckets", "2s")
    assert "add 747x512" in refused(source, "--buckets", "197x8")
    assert "level must be 0 to 5" in refused(source, "--level", 9)
    assert not list(tmp_path.glob("*.engine"))


def test_the_script_is_the_command(tmp_path):
    script = [sys.executable, str(ROOT / "deploy" / "build_engine.py")]
    done = subprocess.run(
        [*script, str(tmp_path / "absent.onnx")], capture_output=True, text=True,
        env=plain_environment(),
    )  # fmt: skip
    assert done.returncode == 1
    assert_clean_error(done, "error: ", "absent.onnx does not exist")
