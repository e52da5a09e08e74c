"""Made-up file systems of boards, as far as gban_edge.deploy reads them.

The texts are as boards print them; where a text is a board's own, the comment says whose.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HWMON = "sys/class/hwmon"

# nvpmodel.conf's names and numbers of a Jetson Orin Nano Super Developer Kit: 0 is not the fastest.
ORIN_NANO_MODES = """< PM_CONFIG DEFAULT=1 >
< POWER_MODEL ID=0 NAME=15W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=25W >
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< POWER_MODEL ID=3 NAME=7W >
"""
# /etc/nv_tegra_release of an Orin Nano with JetPack 6.2 (L4T 36.4.3).
JETPACK_62 = (
    "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, "
    "DATE: Wed Jan  8 01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\n"
)
# The same of an AGX Thor with JetPack 7.1 and of an AGX Orin with 7.2.1.
JETPACK_71 = (
    "# R38 (release), REVISION: 4.0, GCID: 43443517, BOARD: generic, EABI: aarch64, "
    "DATE: Wed Dec 31 00:15:19 UTC 2025\n"
)
JETPACK_721 = (
    "# R39 (release), REVISION: 2.1, GCID: 46758480, BOARD: generic, EABI: aarch64, "
    "DATE: Fri Aug 7 05:54:22 AM UTC 2026\n"
)


def write(root: Path, files: dict[str, str]) -> Path:
    """Every file of ``files``, its folders made."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def put(path: Path, text: str) -> None:
    """A new content at once, as the kernel's files have it: never half, never empty."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text)
    temporary.replace(path)


def program(root: Path, name: str, code: str) -> Path:
    """A Python program ``name`` among the programs of ``root``."""
    path = root / "usr" / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable} -S\n{code}\n")
    path.chmod(0o755)
    assert os.access(path, os.X_OK)
    return path


def ina3221(number: int, rails: dict[str, tuple[int, int]]) -> dict[str, str]:
    """hwmon files of an ina3221: label -> (millivolts, milliamperes), in order of the channels;
    with the shunt voltages and their sum, which are no rails (Documentation/hwmon/ina3221.rst)."""
    folder = f"{HWMON}/hwmon{number}"
    files = {f"{folder}/name": "ina3221\n"}
    for channel, (label, (volts, amperes)) in enumerate(rails.items(), 1):
        files[f"{folder}/in{channel}_label"] = f"{label}\n"
        files[f"{folder}/in{channel}_enable"] = "1\n"
        files[f"{folder}/in{channel}_input"] = f"{volts}\n"
        files[f"{folder}/curr{channel}_input"] = f"{amperes}\n"
        files[f"{folder}/in{channel + 3}_input"] = "5000\n"
    files[f"{folder}/in7_label"] = "sum of shunt voltages\n"
    files[f"{folder}/in7_input"] = "15000\n"
    files[f"{folder}/curr4_input"] = "99999\n"
    return files


def orin_nano(root: Path) -> Path:
    """An Orin Nano Super with JetPack 6.2 in its 25 W mode."""
    gpu = "sys/class/devfreq/17000000.gpu"
    core = "sys/devices/system/cpu/cpu{}/cpufreq"
    files = {
        "proc/device-tree/model": (
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0"
        ),
        "proc/device-tree/compatible": (
            "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0nvidia,tegra234\0"
        ),
        "etc/nv_tegra_release": JETPACK_62,
        "etc/nvpmodel.conf": ORIN_NANO_MODES,
        "var/lib/nvpmodel/status": "pmode:0001 fmode:cool\n",
        "etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
        "proc/sys/kernel/osrelease": "5.15.148-tegra\n",
        "proc/meminfo": "MemTotal:        7802880 kB\nMemFree: 1 kB\nMemAvailable:  5242880 kB\n",
        "proc/cpuinfo": "".join(
            f"processor\t: {n}\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n"
            "CPU implementer\t: 0x41\nCPU part\t: 0xd42\n\n"
            for n in range(6)
        ),
        f"{gpu}/governor": "nvhost_podgov\n",
        f"{gpu}/cur_freq": "306000000\n",
        f"{gpu}/min_freq": "306000000\n",
        f"{gpu}/max_freq": "918000000\n",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": "47687\n",
        "sys/class/thermal/thermal_zone2/type": "cv0-thermal\n",
        "sys/class/thermal/thermal_zone2/temp": "-256000\n",
        "sys/class/thermal/thermal_zone10/type": "tj-thermal\n",
        "sys/class/thermal/thermal_zone10/temp": "48625\n",
        f"{HWMON}/hwmon0/name": "pwmfan\n",
        f"{HWMON}/hwmon0/pwm1": "87\n",
        f"{HWMON}/hwmon2/name": "pwm_tach\n",
        f"{HWMON}/hwmon2/rpm": "2310\n",
        "sys/kernel/debug/bpmp/debug/clk/emc/rate": "3199000000\n",
    }
    for number in range(6):
        files[f"{core.format(number)}/scaling_governor"] = "schedutil\n"
        files[f"{core.format(number)}/scaling_cur_freq"] = "729600\n"
        files[f"{core.format(number)}/scaling_max_freq"] = "1344000\n"
    rails = {"VDD_IN": (5000, 911), "VDD_CPU_GPU_CV": (5000, 97), "VDD_SOC": (5000, 290)}
    return write(root, {**files, **ina3221(1, rails)})


def agx_orin(root: Path) -> Path:
    """The power monitors of an AGX Orin, and its name; JetPack 7.2.1 in MAXN."""
    files = {
        "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
        "proc/device-tree/compatible": "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0",
        "etc/nv_tegra_release": JETPACK_721,
        "etc/nvpmodel.conf": (
            "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=15W >\n"
            "< POWER_MODEL ID=2 NAME=30W >\n< POWER_MODEL ID=3 NAME=50W >\n"
        ),
        "var/lib/nvpmodel/status": "pmode:0000\n",
    }
    first = {"VDD_GPU_SOC": (12000, 250), "VDD_CPU_CV": (12000, 100), "VIN_SYS_5V0": (5000, 800)}
    second = {"NC": (0, 0), "VDDQ_VDD2_1V8AO": (5000, 200)}
    return write(root, {**files, **ina3221(1, first), **ina3221(2, second)})


def agx_thor(root: Path, vin: bool = True) -> Path:
    """The power monitors of an AGX Thor, with or without the ina238 of NVIDIA's carrier."""
    files = {
        "proc/device-tree/model": "NVIDIA Jetson AGX Thor Developer Kit\0",
        "proc/device-tree/compatible": "nvidia,p4071-0000+p3834-0008\0nvidia,tegra264\0",
        "etc/nv_tegra_release": JETPACK_71,
    }
    rails = {"VDD_GPU": (12000, 100), "VDD_CPU_SOC_MSS": (12000, 300), "VIN_SYS_5V0": (5000, 600)}
    chip = {
        f"{HWMON}/hwmon5/name": "ina238\n",
        f"{HWMON}/hwmon5/label": "VIN\n",
        f"{HWMON}/hwmon5/in0_input": "3\n",
        f"{HWMON}/hwmon5/in1_input": "19000\n",
        f"{HWMON}/hwmon5/curr1_input": "1000\n",
        f"{HWMON}/hwmon5/power1_input": "19780000\n",
    }
    return write(root, {**files, **ina3221(3, rails), **(chip if vin else {})})
