"""tools/venv.py: the set-up that the Makefile's targets begin with."""

import importlib.util
import json
import subprocess
import sys

import pytest
from helpers import ROOT


@pytest.fixture
def venv():
    spec = importlib.util.spec_from_file_location("venv_tool", ROOT / "tools" / "venv.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pip_would_install(*names):
    report = {"install": [{"metadata": {"name": name}} for name in names]}

    def run(command, **_):
        text = "3 11" if "-c" in command and "version_info" in command[-1] else json.dumps(report)
        return subprocess.CompletedProcess(command, 0, text, "")

    return run


def test_a_build_that_brings_cuda_is_refused_where_there_is_no_gpu(venv, monkeypatch, tmp_path):
    monkeypatch.setattr(venv.shutil, "which", lambda name: None)
    monkeypatch.setattr(venv.Path, "exists", lambda self: False)
    monkeypatch.setattr(
        venv.subprocess, "run", pip_would_install("torch", "nvidia-cublas", "nvidia-cudnn-cu13")
    )
    assert "2 CUDA packages" in venv.refuse_torch(tmp_path, "")
    monkeypatch.setattr(venv.subprocess, "run", pip_would_install("torch", "sympy", "jinja2"))
    assert venv.refuse_torch(tmp_path, "") is None


def test_where_there_is_a_gpu_any_build_is_taken(venv, monkeypatch, tmp_path):
    monkeypatch.setattr(venv.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(venv.subprocess, "run", lambda *_, **__: pytest.fail("it asked pip"))
    assert venv.refuse_torch(tmp_path, "") is None


def test_no_usable_python_names_the_cures(venv, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(venv, "candidates", lambda: ["python3.12"])
    monkeypatch.setattr(venv, "run", lambda *command: None)
    monkeypatch.setattr(venv, "refuse_torch", lambda *_: "Python 3.12: 15 CUDA packages")
    with pytest.raises(SystemExit) as caught:
        venv.set_up(tmp_path / "venv", ["train"], "")
    for words in ("15 CUDA packages", "PYTHON=", "TORCH_ARGS="):
        assert words in str(caught.value)
    assert not (tmp_path / "venv").exists()


def test_the_running_python_is_a_candidate(venv):
    assert venv.candidates()[0] == sys.executable
    assert venv.version_of(sys.executable) == sys.version_info[:2]
    assert venv.version_of("/bin/false") == (0, 0)


def test_a_ready_folder_is_left_alone_until_the_sources_change(venv, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(venv, "set_up", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(sys, "argv", ["venv.py", str(tmp_path), "train"])
    venv.main()
    venv.main()
    assert len(calls) == 1
    monkeypatch.setattr(sys, "argv", ["venv.py", str(tmp_path), "train,lint"])
    venv.main()
    assert calls[1][1] == ["lint", "train"]
    monkeypatch.setattr(venv, "fingerprint", lambda: "changed")
    venv.main()
    assert len(calls) == 3
