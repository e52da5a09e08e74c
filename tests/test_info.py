"""python -m gban_edge.info: every fact about the build, and for which sources a GPU ran it."""

import json
import shutil
import subprocess
import sys

import pytest
from fake_board import agx_orin, orin_nano, write
from helpers import ROOT

from gban_edge import info
from gban_edge.core import native
from gban_edge.deploy import board, plugin_library, power, rows, software


def test_it_prints_every_fact():
    done = subprocess.run(
        [sys.executable, "-m", "gban_edge.info"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows.keys() >= {
        "gban-edge", "Python", "native core", "compiler", "instruction set", "processors", "CUDA",
        "kernel sources", "last run on a GPU", "board", "onnxruntime", "TensorRT",
        "TensorRT plugins", "power meter",
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
    found = info.facts()
    assert ("native core", "the native core is not built (for a reason)") in found
    assert "power meter" in dict(found)


def test_cuda_s_way_of_writing_versions():
    assert [info._version(n) for n in (12060, 13000, 11080)] == ["12.6", "13.0", "11.8"]


@pytest.fixture
def bare(monkeypatch):
    """A Python without TensorRT, ONNX Runtime or a plugin library."""
    monkeypatch.setattr(software, "version", lambda module, distributions: None)
    monkeypatch.setattr(plugin_library, "find", lambda: None)


def test_a_jetson_and_what_it_lacks(tmp_path, bare):
    found = rows.rows(orin_nano(tmp_path))
    assert dict(found[:5]) == {
        "board": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        "JetPack": "JetPack 6.2 (L4T R36.4.3)",
        "power mode": "25W (1)",
        "onnxruntime": 'not found; pip install "gban-edge[onnx]"',
        "TensorRT": rows._NO_TENSORRT,
    }
    assert ("power meter", "hwmon ina3221, VDD_IN (the module)") in found
    assert ("TensorRT plugins", plugin_library.missing()) in found
    lacks = [value for name, value in found if name == "lacks"]
    assert [sentence.split()[0] for sentence in lacks] == [
        "TensorRT", "nvcc", "TensorRT's", "the", "the",
    ]  # fmt: skip
    assert "sudo nvpmodel -m 2 (MAXN_SUPER)" in lacks[3]


def test_a_jetson_that_lacks_nothing_and_one_without_rails(tmp_path, bare, monkeypatch):
    agx_orin(tmp_path)
    write(tmp_path, {"usr/local/cuda/bin/nvcc": "", "usr/include/NvInfer.h": ""})
    monkeypatch.setattr(software, "tensorrt", lambda: {"module": "tensorrt", "version": "10.16.2"})
    monkeypatch.setattr(rows.board.platform, "python_version", lambda: "3.12.3")
    found = rows.rows(tmp_path)
    assert ("TensorRT", "tensorrt 10.16.2") in found
    assert ("lacks", "nothing") in found
    (tmp_path / "sys/class/hwmon/hwmon1/name").unlink()
    lacks = [value for name, value in rows.rows(tmp_path) if name == "lacks"]
    assert len(lacks) == 1
    assert lacks[0].startswith("energy cannot be read from the board itself: the rails found")


def test_what_is_no_jetson_lacks_nothing(tmp_path):
    names = [name for name, _ in rows.rows(tmp_path)]
    assert names == ["board", "onnxruntime", "TensorRT", "TensorRT plugins", "power meter"]


def test_nothing_that_is_broken_makes_it_fail(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError("a broken disk")

    for module, name in (
        (board, "facts"), (software, "facts"), (power, "summary"), (plugin_library, "find"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, broken)
    found = dict(rows.rows(tmp_path))
    assert found["TensorRT plugins"] == found["power meter"] == "a broken disk"


def test_a_plugin_library_that_is_named_wrongly_is_said(monkeypatch):
    monkeypatch.setenv("GBAN_EDGE_TENSORRT", "/no/such.so")
    assert "got /no/such.so, which is not a file" in dict(rows.rows())["TensorRT plugins"]
