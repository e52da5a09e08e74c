"""The command gban-edge, as a person types it."""

import subprocess
import sys

import onnx
import pytest
from helpers import ROOT, assert_clean_error, plain_environment
from runtime_models import make_model

from gban_edge.config import GBANConfig


def gban_edge(*arguments, code="from gban_edge.cli import main; main()"):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**plain_environment(), "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("cli") / "m.safetensors", GBANConfig(60)).path


def test_help_names_every_command():
    done = gban_edge("--help")
    assert done.returncode == 0, done.stderr
    for name in ("export", "build", "bench", "info"):
        assert f" {name} " in done.stdout


def test_export(model, tmp_path):
    out = tmp_path / "x.onnx"
    done = gban_edge("export", model, "-o", out, "--precision", "fp16", "--flavour", "plugin")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{out}: fp16, plugin, ")
    assert len(onnx.load(out).functions) == 2
    done = gban_edge("export", model, "--flavour", "plugin", "--strip-functions")
    assert "plugin, functions stripped" in done.stdout
    assert not onnx.load(model.with_suffix(".onnx")).functions


def test_the_script_is_the_command(model, tmp_path):
    script = ROOT / "deploy" / "export_onnx.py"
    done = subprocess.run(
        [sys.executable, script, model, "-o", tmp_path / "s.onnx"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    gban_edge("export", model, "-o", tmp_path / "c.onnx")
    assert (tmp_path / "s.onnx").read_bytes() == (tmp_path / "c.onnx").read_bytes()


def test_what_a_person_gets_wrong(model, tmp_path):
    assert_clean_error(gban_edge("export", tmp_path / "none.safetensors"), "error: ", "does not")
    text = tmp_path / "text.safetensors"
    text.write_text("no model")
    assert_clean_error(gban_edge("export", text), "text.safetensors: not a readable safetensors")
    assert_clean_error(gban_edge("export", model, "--precision", "int8"), "one of fp32, fp16, got")
    where = tmp_path / "file" / "x.onnx"
    (tmp_path / "file").write_text("in the way")
    assert_clean_error(gban_edge("export", model, "-o", where), "error: ")


def test_info():
    done = gban_edge("info")
    assert done.returncode == 0, done.stderr
    assert "native core" in done.stdout


def test_without_typer_it_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from gban_edge.cli import main; main()"
    assert_clean_error(gban_edge("info", code=code), 'pip install "gban-edge[cli]"')
