"""The command gban-edge, as a person types it."""

import json
import re
import subprocess
import sys

import onnx
import pytest
import typer
from helpers import ROOT, assert_clean_error, plain_environment
from runtime_models import make_model

from gban_edge import __version__
from gban_edge.commands import app
from gban_edge.config import GBANConfig
from gban_edge.deploy import build_cli
from gban_edge.runtime.engine_buckets import BUCKETS


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
    for name in ("demo", "predict", "listen", "serve", "info", "export", "build", "bench", "train"):
        assert len(re.findall(rf"^│ {name}  +\w.*│$", done.stdout, re.MULTILINE)) == 1
    for panel in ("Hear emotions", "Deploy a model", "Train a model"):
        assert f" {panel} " in done.stdout


def test_every_command_says_its_exit_statuses():
    for command in typer.main.get_command(app).commands.values():
        assert "Exit status: " in command.epilog
        for status in ("0 ", "1 ", "2 wrong usage", "130 "):
            assert status in command.epilog.split("Exit status: ")[1], command.name


def test_version():
    done = gban_edge("--version")
    assert (done.returncode, done.stdout) == (0, f"gban-edge {__version__}\n")


@pytest.mark.parametrize(
    ("typed", "completions"),
    [
        ("gban-edge pre", ["predict"]),
        ("gban-edge predict m --precision ", ["fp32", "fp16", "int8"]),
        ("gban-edge bench m --wait ", ["spin", "block"]),
        ("gban-edge predict ", []),  # then the shell completes files
    ],
)
def test_completion(typed, completions):
    """As typer's script for bash asks; a shell completes files where nothing is answered."""
    words = typed.split(" ")
    code = "from gban_edge.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**plain_environment(), "PYTHONPATH": str(ROOT), "COMP_WORDS": typed,
             "COMP_CWORD": str(len(words) - 1), "_GBAN_EDGE_COMPLETE": "complete_bash"},
    )  # fmt: skip
    assert done.stdout.split() == completions
    assert done.stderr == ""


def test_the_command_line_is_read_without_numpy():
    """--help and completion are waited for."""
    code = "import sys, gban_edge.commands; assert not {'numpy', 'rich.table'} & set(sys.modules)"
    done = gban_edge(code=code)
    assert done.returncode == 0, done.stderr
    assert ",".join(f"{n}x{m}" for n, m in BUCKETS) == build_cli.WRITTEN


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
    facts = json.loads(gban_edge("info", "--json").stdout)
    assert facts["gban-edge"] == __version__


def test_without_typer_it_says_what_to_install():
    code = "import sys; sys.modules['typer'] = None; from gban_edge.cli import main; main()"
    assert_clean_error(gban_edge("info", code=code), 'pip install "gban-edge[cli]"')
