"""What a Jetson lacks: each sentence where it is true, and nowhere else."""

import pytest

from gban_edge.deploy.lacks import lacks

MODES = {0: "15W", 2: "MAXN_SUPER"}
COMPLETE = {
    "jetson": True,
    "compatible": ["nvidia,p3767-0005", "nvidia,tegra234"],
    "l4t": "36.4.3",
    "jetpack": "JetPack 6.2 (L4T R36.4.3)",
    "python": "3.10.12",
    "power_mode": {"id": 2, "name": "MAXN_SUPER", "modes": MODES, "maximum": 2},
    "gpu_clocks": {"17000000.gpu": {"mhz": 918, "minimum_mhz": 918, "maximum_mhz": 918}},
    "plugins": "/somewhere/libgban_edge_tensorrt.so",
    "rails_missing": "",
    "software": {
        "tensorrt": {"module": "tensorrt", "version": "10.3.0"},
        "nvcc": "/usr/local/cuda/bin/nvcc",
        "headers": "/usr/include/aarch64-linux-gnu",
        "cuda": "12.6.68",
    },
}


def only(**changes):
    """The one sentence of a board that is complete but for ``changes``; None takes a fact away."""
    facts = {**COMPLETE, **changes}
    found = lacks({key: value for key, value in facts.items() if value is not None})
    assert len(found) == 1, found
    return found[0]


def software(**changes):
    found = {**COMPLETE["software"], **changes}
    return {key: value for key, value in found.items() if value is not None}


def test_a_complete_board_lacks_nothing():
    assert lacks(COMPLETE) == []


def test_what_is_no_jetson_is_not_asked():
    assert lacks({"jetson": False, "python": "3.8"}) == []
    assert lacks({}) == []


@pytest.mark.parametrize(
    ("l4t", "jetpack"),
    [
        ("32.7.4", "unknown JetPack 4 (L4T R32.7.4)"),
        ("35.4.1", "unknown JetPack 5 (L4T R35.4.1)"),
        ("36.3.0", "JetPack 6.0 (L4T R36.3.0)"),
    ],
)
def test_old_jetpacks_are_not_supported(l4t, jetpack):
    said = only(l4t=l4t, jetpack=jetpack)
    assert said.startswith(f"{jetpack} is not supported")
    assert "install JetPack 6.2 or 7.2" in said


@pytest.mark.parametrize("l4t", ["36.4.0", "36.4.7", "36.5.0", "38.4.0", "39.2.1", "41.0"])
def test_newer_jetpacks_are(l4t):
    assert lacks({**COMPLETE, "l4t": l4t}) == []


def test_an_unknown_release_says_what_a_container_needs():
    assert "-v /etc/nv_tegra_release" in only(l4t=None, jetpack=None)


def test_an_old_python():
    assert "Python 3.8.10 is too old" in only(python="3.8.10")


def test_no_tensorrt():
    said = only(software=software(tensorrt=None))
    assert said.startswith("TensorRT is missing")
    assert "sudo apt install nvidia-jetpack" in said
    assert "--system-site-packages" in said


def test_a_tensorrt_that_the_environment_hides():
    folder = "/usr/lib/python3.10/dist-packages/tensorrt"
    hidden = software(tensorrt=None, system_tensorrt=folder)
    said = only(software=hidden)
    assert folder in said
    assert "--system-site-packages" in said
    assert "apt" not in said
    said = only(software=hidden, python="3.12.3")
    assert "installed for Python 3.10, and this is 3.12: use python3.10" in said


def test_tensorrt_rtx_is_no_runtime_of_a_jetson():
    said = only(software=software(tensorrt={"module": "tensorrt_rtx", "version": "1.7.1"}))
    assert said.startswith("tensorrt_rtx runs on no Jetson, and TensorRT is missing")


def test_a_tensorrt_without_these_plugins():
    said = only(software=software(tensorrt={"module": "tensorrt", "version": "8.6.2"}))
    assert "TensorRT 8.6.2 is older than 10" in said
    unknown = software(tensorrt={"module": "tensorrt", "version": "unknown"})
    assert lacks({**COMPLETE, "software": unknown}) == []


def test_the_tensorrt_that_has_no_orin():
    found = software(tensorrt={"module": "tensorrt", "version": "10.13.3.9"}, cuda="13.0.48")
    said = only(software=found)
    assert "TensorRT 10.13.3.9 for CUDA 13 has no code for this GPU (sm_87)" in said
    thor = {**COMPLETE, "compatible": ["nvidia,tegra264"], "software": found}
    assert lacks(thor) == []
    assert lacks({**COMPLETE, "software": {**found, "cuda": "12.9"}}) == []
    newer = {**found, "tensorrt": {"module": "tensorrt", "version": "10.16.2"}}
    assert lacks({**COMPLETE, "software": newer}) == []


def test_no_compiler():
    assert only(software=software(nvcc=None)).startswith("nvcc is missing")


def test_no_headers_where_there_is_no_plugin_library_either():
    without = software(headers=None)
    assert lacks({**COMPLETE, "software": without}) == []
    assert "sudo apt install libnvinfer-dev" in only(software=without, plugins=None)


def test_rails_that_cannot_be_read():
    assert only(rails_missing="for a reason").endswith("from the board itself: for a reason")


def test_a_slower_power_mode_names_the_fastest_by_its_own_number():
    mode = {**COMPLETE["power_mode"], "id": 0, "name": "15W"}
    said = only(power_mode=mode)
    assert "the power mode is 15W" in said
    assert "sudo nvpmodel -m 2 (MAXN_SUPER), sudo jetson_clocks" in said
    assert lacks({**COMPLETE, "power_mode": {"id": 1}}) == []


def test_clocks_that_move():
    clocks = {"17000000.gpu": {"mhz": 306, "minimum_mhz": 306, "maximum_mhz": 918}}
    said = only(gpu_clocks=clocks)
    assert "17000000.gpu moves between 306 and 918 MHz" in said
    assert "sudo jetson_clocks" in said
