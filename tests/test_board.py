"""What a machine is, read from made-up file systems."""

import json
import platform

import pytest
from fake_board import JETPACK_71, ORIN_NANO_MODES, agx_orin, agx_thor, orin_nano, program, write

from gban_edge.deploy import board, board_jetpack
from gban_edge.deploy.board_files import no_programs, number, runner, text


def test_an_orin_nano(tmp_path):
    facts = board.facts(orin_nano(tmp_path))
    modes = {0: "15W", 1: "25W", 2: "MAXN_SUPER", 3: "7W"}
    assert facts == {
        "board": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        "compatible": [
            "nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234",
        ],
        "jetson": True,
        "l4t": "36.4.3",
        "jetpack": "JetPack 6.2 (L4T R36.4.3)",
        "power_mode": {"id": 1, "name": "25W", "modes": modes, "maximum": 2},
        "gpu_clocks": {
            "17000000.gpu": {
                "governor": "nvhost_podgov", "mhz": 306, "minimum_mhz": 306, "maximum_mhz": 918,
            },
        },
        "memory_clock": {"mhz": 3199},
        "cpu": {
            "model": "Cortex-A78AE", "cores": 6, "governor": ["schedutil"],
            "mhz": [730] * 6, "maximum_mhz": [1344] * 6,
        },
        "temperatures": {"cpu-thermal": 47.687, "tj-thermal": 48.625},
        "fan": {"pwm": [87], "rpm": [2310]},
        "memory": {"total": 7620, "available": 5120},
        "os": "Ubuntu 22.04.5 LTS",
        "kernel": "5.15.148-tegra",
        "machine": platform.machine(),
        "python": platform.python_version(),
    }  # fmt: skip
    json.dumps(facts)


def test_a_thor_has_other_names(tmp_path):
    clocks = "sys/class/devfreq"
    write(
        agx_thor(tmp_path),
        {
            f"{clocks}/gpu-gpc-0/cur_freq": "1575000000\n",
            f"{clocks}/gpu-nvd-0/cur_freq": "1692000000\n",
            f"{clocks}/bwmgr/cur_freq": "4266000000\n",
            "proc/cpuinfo": "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd83\n",
        },
    )
    facts = board.facts(tmp_path)
    assert facts["jetpack"] == "JetPack 7.1 (L4T R38.4.0)"
    assert facts["gpu_clocks"] == {"gpu-gpc-0": {"mhz": 1575}, "gpu-nvd-0": {"mhz": 1692}}
    assert facts["memory_clock"] == {"mhz": 4266}
    assert facts["cpu"] == {"model": "Neoverse-V3AE", "cores": 1}
    assert "power_mode" not in facts


def test_what_a_server_does_not_have_is_left_out(tmp_path):
    write(
        tmp_path,
        {
            "proc/cpuinfo": "processor : 0\nmodel name : AMD EPYC 9B14\nprocessor : 1\n",
            "sys/class/dmi/id/sys_vendor": "Google\n",
            "sys/class/dmi/id/product_name": "Google Compute Engine\n",
            "etc/os-release": "PRETTY_NAME=Debian\n",
            "etc/nvpmodel.conf": ORIN_NANO_MODES,
        },
    )
    assert board.facts(tmp_path) == {
        "board": "Google Google Compute Engine",
        "jetson": False,
        "cpu": {"model": "AMD EPYC 9B14", "cores": 2},
        "os": "Debian",
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def test_an_empty_machine_has_no_facts_but_pythons(tmp_path):
    assert board.facts(tmp_path).keys() == {"jetson", "machine", "python"}


def test_this_machine_can_be_asked():
    facts = board.facts()
    json.dumps(facts)
    assert facts["kernel"] == platform.release()
    assert isinstance(facts["jetson"], bool)


@pytest.mark.parametrize(
    ("l4t", "package", "name"),
    [
        ("36.4.0", None, "JetPack 6.1 (L4T R36.4.0)"),
        ("36.4.4", "6.2.1+b38", "JetPack 6.2.1 (L4T R36.4.4)"),
        ("36.5.0", None, "JetPack 6.2.2 (L4T R36.5.0)"),
        ("38.2.1", None, "JetPack 7.0 (L4T R38.2.1)"),
        ("39.2.0", None, "JetPack 7.2 (L4T R39.2.0)"),
        ("39.2.1", None, "JetPack 7.2.1 (L4T R39.2.1)"),
        # Known by its package alone, or not at all; never guessed.
        (
            "36.4.7",
            "6.2.1+b38",
            "JetPack 6.2.1 (by its package nvidia-jetpack 6.2.1+b38; L4T R36.4.7)",
        ),
        ("36.4.7", None, "unknown JetPack 6 (L4T R36.4.7)"),
        ("35.4.1", None, "unknown JetPack 5 (L4T R35.4.1)"),
        ("41.0.0", None, "unknown JetPack (L4T R41.0.0)"),
    ],
)
def test_jetpack_s_names(l4t, package, name):
    assert board_jetpack.name(l4t, package) == name


def test_the_package_counts_only_where_it_is_installed(tmp_path):
    other = "Package: nvidia-jetpack-dev\nStatus: install ok installed\nVersion: 1\n\n"
    ours = "Package: nvidia-jetpack\nStatus: {}\nArchitecture: arm64\nVersion: 6.2.1+b38\n\n"
    release = {"etc/nv_tegra_release": JETPACK_71}
    status = "var/lib/dpkg/status"
    write(tmp_path, {**release, status: other + ours.format("install ok installed")})
    assert board_jetpack.jetpack(tmp_path)["nvidia_jetpack"] == "6.2.1+b38"
    write(tmp_path, {status: other + ours.format("deinstall ok config-files")})
    assert "nvidia_jetpack" not in board_jetpack.jetpack(tmp_path)
    write(tmp_path, {status: other})
    assert "nvidia_jetpack" not in board_jetpack.jetpack(tmp_path)


def test_a_release_file_of_another_kind_is_not_read_wrongly(tmp_path):
    write(tmp_path, {"etc/nv_tegra_release": "# Tegra something\n"})
    assert board_jetpack.jetpack(tmp_path) == {}


def test_the_power_mode_is_asked_for_where_no_file_tells_it(tmp_path):
    program(tmp_path, "nvpmodel", 'print("NV Power Mode: MAXN_SUPER\\n2")')
    asked = board_jetpack.power_mode(tmp_path, runner(tmp_path))
    assert asked == {"id": 2, "name": "MAXN_SUPER"}
    assert board_jetpack.power_mode(tmp_path, no_programs) == {}


def test_the_name_goes_with_the_number(tmp_path):
    assert board_jetpack.power_mode(agx_orin(tmp_path), no_programs) == {
        "id": 0,
        "name": "MAXN",
        "modes": {0: "MAXN", 1: "15W", 2: "30W", 3: "50W"},
        "maximum": 0,
    }


@pytest.mark.parametrize(
    ("modes", "best"),
    [
        ({0: "15W", 1: "7W"}, 0),
        ({0: "MAXN", 1: "10W", 2: "15W", 3: "25W"}, 0),
        ({0: "15W", 1: "25W", 2: "MAXN_SUPER", 3: "7W"}, 2),
        ({0: "MAXN", 3: "40W", 4: "MAXN_SUPER"}, 4),
        ({0: "7W", 1: "15W", 2: "120W"}, 2),
    ],
)
def test_the_fastest_mode(modes, best):
    assert board_jetpack.fastest(modes) == best


def test_gpus_of_a_pc(tmp_path):
    program(
        tmp_path,
        "nvidia-smi",
        "import sys\n"
        'assert sys.argv[2] == "--format=csv,noheader,nounits"\n'
        'print("NVIDIA H200, 575.57, 1980, 1980, 3201, 700.00, 31")\n'
        'print("NVIDIA Odd, 575.57, 300, [N/A], 405, [Not Supported], 40")',
    )
    assert board.facts(tmp_path)["gpus"] == [
        {
            "name": "NVIDIA H200", "driver": "575.57", "mhz": 1980.0, "maximum_mhz": 1980.0,
            "memory_mhz": 3201.0, "power_limit_w": 700.0, "temperature": 31.0,
        },
        {
            "name": "NVIDIA Odd", "driver": "575.57", "mhz": 300.0, "memory_mhz": 405.0,
            "temperature": 40.0,
        },
    ]  # fmt: skip
    assert "gpus" not in board.facts(tmp_path, no_programs)


def test_a_program_that_fails_says_nothing(tmp_path):
    program(tmp_path, "nvidia-smi", 'print("No devices were found"); raise SystemExit(6)')
    assert runner(tmp_path)(["nvidia-smi"]) is None
    assert "gpus" not in board.facts(tmp_path)


def test_files(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b" 12\0\n")
    assert text(path) == " 12"
    assert number(path) == 12
    path.write_bytes(b"twelve")
    assert number(path) is None
    assert number(tmp_path / "none") is None
    assert text(tmp_path) is None
