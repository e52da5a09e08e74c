"""The static gates of the CUDA kernels: what the report sees, and that all kernels pass it."""

import importlib.util
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT

spec = importlib.util.spec_from_file_location("kernel_report", ROOT / "tools" / "kernel_report.py")
kernel_report = importlib.util.module_from_spec(spec)
sys.modules["kernel_report"] = kernel_report  # where dataclasses look
spec.loader.exec_module(kernel_report)

# As ptxas 13.0 writes, shortened, with numbers that break every rule in turn.
PTXAS = """
ptxas info    : Compiling entry function '_ZN4gban4cuda13align_forwardIfLi64ELi32EEEvNS0_13ForwardParamsIT_EE' for 'sm_87'
ptxas info    : Function properties for _ZN4gban4cuda13align_forwardIfLi64ELi32EEEvNS0_13ForwardParamsIT_EE
    {stack} bytes stack frame, {stores} bytes spill stores, {loads} bytes spill loads
ptxas info    : Used {registers} registers, used 1 barriers, {shared} bytes smem, 544 bytes cmem[0]
"""  # noqa: E501


def parsed(stack=0, stores=0, loads=0, registers=128, shared=16):
    text = PTXAS.format(stack=stack, stores=stores, loads=loads, registers=registers, shared=shared)
    (kernel,) = kernel_report.parse(text, "87", {"align_forward<float, 64, 32>": 1000})
    return kernel


def test_a_good_kernel_passes():
    kernel = parsed()
    assert kernel.name == "align_forward<float, 64, 32>"
    assert (kernel.registers, kernel.shared_bytes) == (128, 1016)
    assert kernel.faults() == []


@pytest.mark.parametrize(
    ("numbers", "fault"),
    [
        ({"registers": 129}, "more than 128 registers"),
        ({"stores": 4}, "spills"),
        ({"loads": 4}, "spills"),
        ({"stack": 576}, "keeps an array in local memory"),
        ({"shared": 166000}, "more than 166912 bytes of shared memory"),
    ],
)
def test_a_bad_kernel_is_named(numbers, fault, capsys):
    kernel = parsed(**numbers)
    assert kernel.faults() == [fault]
    kernel_report.print_table([kernel])
    out = capsys.readouterr().out
    assert f"FAULT: {fault}" in out
    assert "1 kernels, 1 at fault" in out


def test_names_that_are_not_ours_stay_as_they_are():
    assert kernel_report.readable("_Z3fooi") == "_Z3fooi"
    mangled = (
        "_ZN4gban4cuda15align_gradientsINS_8BFloat16ELi32ELi32ELi8EEEvNS0_14BackwardParamsIT_EE"
    )
    assert kernel_report.readable(mangled) == "align_gradients<BFloat16, 32, 32, 8>"
    mangled = "_ZN4gban4cuda12lstm_projectINS_4HalfEEEvNS0_13ProjectParamsIT_EE"
    assert kernel_report.readable(mangled) == "lstm_project<Half>"


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc: kernels cannot be compiled here")
def test_every_kernel_passes_on_orin_hopper_and_thor():
    command = [sys.executable, str(ROOT / "tools" / "kernel_report.py")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for arch in ("sm_87", "sm_90", "sm_110"):
        assert done.stdout.count(f" {arch} ") >= 26
    assert " 0 at fault" in done.stdout
