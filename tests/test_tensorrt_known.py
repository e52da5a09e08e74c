"""Combinations that cannot work, each with its reason and its cure; and those that do."""

import sys

import pytest

from gban_edge.deploy.tensorrt_known import RTX_CAPABILITIES, numbers, refusal

# module, version, cuda, capability, flavour, functions, jetpack
WORKS = [
    ("tensorrt", "10.3.0", "12.5", "8.7", "plain", False, "JetPack 6.2 (L4T R36.4.3)"),
    ("tensorrt", "10.3.0", "12.5", "8.7", "plugin", False, "6.2"),
    ("tensorrt", "10.16.2.10", "13.2", "8.7", "plugin", True, "7.2"),
    ("tensorrt", "10.16.2.10", "13.2", "11.0", "plugin", True, "7.2"),
    ("tensorrt", "10.13.3.9", "13.0", "11.0", "plain", False, "7.0"),
    ("tensorrt", "10.13.3.9", "12.9", "8.7", "plain", False, None),
    ("tensorrt", "10.13.3.9", "13.0", "9.0", "plugin", True, None),
    ("tensorrt", "10.13.3.9", None, "8.7", "plain", False, None),
    ("tensorrt", "10.7.0", "12.6", "8.6", "plugin", True, None),
    ("tensorrt", "11.1.0.106", "13.1", "9.0", "plugin", True, None),
    ("tensorrt", "11.4.1", "13.2", "8.7", "plugin", True, "7.2.2"),
    ("tensorrt", "11.4.1", "13.2", "11.0", "plugin", True, "JetPack 7.2.2"),
    ("tensorrt", "12.0.0", None, "9.0", "plain", False, None),
    ("tensorrt_rtx", "1.7.1.116", "13", "", "plain", False, None),
    ("tensorrt_rtx", "1.7.1.116", "13", "8.7", "plain", False, None),
    ("tensorrt_rtx", "1.7.1.116", "13", "8.6", "plain", False, None),
]
REFUSED = [
    (("tensorrt", "8.5.2.2", "11.4", "8.7", "plain", False, "JetPack 5.1"),
     "JetPack 5", "install JetPack 6.2 or 7.2"),
    (("tensorrt", "8.6.1", None, "8.6", "plain", False, None),
     "10.0", "pip install 'tensorrt>=10.3'"),
    (("tensorrt", "9.3.0", None, "8.6", "plain", False, None), "IPluginV3", "pip install"),
    (("tensorrt", "10.13.3.9", "13.0", "8.7", "plain", False, None), "sm_87", "JetPack 7.2"),
    (("tensorrt", "10.14.1", "13", "8.7", "plain", False, None), "CUDA 13", "6.2 (10.3)"),
    (("tensorrt", "11.0.0", "13.1", "8.7", "plain", False, "7.2"),
     "does not support Jetson", "11.4.1"),
    (("tensorrt", "11.3.0", "13.2", "11.0", "plain", False, "7.2"),
     "does not support Jetson", "TensorRT 10 of the board"),
    (("tensorrt", "11.4.1", "13.2", "8.7", "plain", False, "JetPack 6.2.1 (L4T R36.4.4)"),
     "does not support JetPack 6", "JetPack 7.2.2"),
    (("tensorrt", "10.3.0", "12.5", "8.7", "plugin", True, "6.2"),
     "cannot prefer a plugin", "--strip-functions"),
    (("tensorrt", "10.6.0", "12.6", "8.6", "plugin", True, None), "10.7", "--strip-functions"),
    (("tensorrt_rtx", "1.7.1.116", "13", "8.6", "plugin", True, None),
     "takes no plugins", "--flavour plain"),
    (("tensorrt_rtx", "1.7.1.116", "13", "8.6", "plugin", False, None),
     "aborts the process", "module tensorrt"),
]  # fmt: skip


@pytest.mark.parametrize("case", WORKS, ids=str)
def test_what_works_is_not_refused(case):
    assert refusal(*case) is None


@pytest.mark.parametrize(("case", "reason", "cure"), REFUSED, ids=str)
def test_what_cannot_work_is_refused_with_reason_and_cure(case, reason, cure):
    told = refusal(*case)
    assert reason in told
    assert cure in told
    assert case[1] in told
    assert refusal(*case, running=True) == told


@pytest.mark.parametrize("capability", ["8.7", "9.0", "10.0", "11.0", ""])
def test_rtx_builds_for_a_check_where_it_does_not_run(capability):
    case = ("tensorrt_rtx", "1.7.1.116", "13", capability, "plain", False)
    assert refusal(*case) is None
    told = refusal(*case, running=True)
    assert "does not run on" in told
    assert "install TensorRT" in told


@pytest.mark.parametrize("capability", RTX_CAPABILITIES)
def test_rtx_runs_where_it_has_code(capability):
    case = ("tensorrt_rtx", "1.7.1.116", "13", capability, "plain", False)
    assert refusal(*case, running=True) is None


@pytest.mark.skipif(sys.platform != "linux", reason="tensorrt_rtx has wheels for Linux")
def test_rtx_itself_lists_these_gpus():
    trt = pytest.importorskip("tensorrt_rtx", reason="it has wheels for x86-64 alone")
    listed = [name[2:] for name in trt.ComputeCapability.__members__ if name.startswith("SM")]
    assert sorted(f"{name[:-1]}.{name[-1]}" for name in listed) == sorted(RTX_CAPABILITIES)


def test_numbers_of_versions():
    assert numbers("10.13.3.9") == (10, 13, 3)
    assert numbers("JetPack 6.2.1 (L4T R36.4.4)") == (6, 2, 1)
    assert numbers("13") == (13,)
    assert numbers(None) == numbers("unknown") == ()
