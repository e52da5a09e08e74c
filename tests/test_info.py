"""python -m gban_edge.info: every fact about the build, and for which sources a GPU ran it."""

import json
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT

from gban_edge import info
from gban_edge.core import native


def test_it_prints_every_fact():
    done = subprocess.run(
        [sys.executable, "-m", "gban_edge.info"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows.keys() >= {
        "gban-edge", "Python", "native core", "compiler", "instruction set", "processors", "CUDA",
        "kernel sources", "last run on a GPU",
    }  # fmt: skip
    assert native().current_isa() in rows["instruction set"]
    if native().cuda_built():
        assert rows.keys() >= {"architectures", "GPU driver", "GPU"}
        assert "87-real" in rows["architectures"]
        assert "virtual" in rows["architectures"]


def test_the_hash_is_the_one_that_cmake_took():
    assert info.kernel_sources() == native().KERNEL_SOURCES


@pytest.fixture
def checkout(tmp_path):
    for part in ("csrc/cuda", "csrc/include"):
        shutil.copytree(ROOT / part, tmp_path / part)
    return tmp_path


def test_any_change_of_a_kernel_changes_the_hash(checkout):
    before = info.kernel_sources(checkout)
    assert before == info.kernel_sources()
    (checkout / "csrc/cuda/alignment_forward.cuh").open("a").write("// a comment\n")
    assert info.kernel_sources(checkout) != before


def test_results_are_read_and_a_change_since_is_said(checkout, monkeypatch):
    assert info.gpu_runs(checkout) == []
    folder = checkout / "benchmarks" / "results"
    folder.mkdir(parents=True)
    run = {"gpu": "Some GPU", "date": "2026-01-02", "kernel_sources": "0123456789abcdef"}
    (folder / "some-gpu.json").write_text(json.dumps(run))
    (folder / "cpu.json").write_text(json.dumps({"machine": "a CPU"}))
    assert info.gpu_runs(checkout) == [run]
    monkeypatch.setattr(info, "gpu_runs", lambda: [run])
    assert info.last_run("0123456789abcdef") == "Some GPU on 2026-01-02"
    changed = info.last_run("fedcba9876543210")
    assert changed.startswith("not yet run on a GPU for these sources")
    assert "Some GPU on 2026-01-02 ran 0123456789abcdef" in changed
    monkeypatch.setattr(info, "gpu_runs", lambda: [])
    assert info.last_run("0123456789abcdef") == info.NOT_YET


def test_an_installed_package_has_what_was_there_when_it_was_built(tmp_path):
    assert info.gpu_runs(tmp_path) == json.loads(native().GPU_RUNS)


def test_a_core_that_cannot_be_loaded_is_a_fact_too(monkeypatch):
    def missing():
        raise RuntimeError("the native core is not built (for a reason)")

    monkeypatch.setattr(info, "native", missing)
    assert ("native core", "the native core is not built (for a reason)") in info.facts()


def test_cuda_s_way_of_writing_versions():
    assert [info._version(n) for n in (12060, 13000, 11080)] == ["12.6", "13.0", "11.8"]
