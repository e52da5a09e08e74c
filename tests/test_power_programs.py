"""Joules out of what programs print: tegrastats and nvidia-smi, made up as scripts."""

import threading

import pytest
from fake_board import program, rapl, tegrastats, thread_ended

from gban_edge.deploy import power, power_programs
from gban_edge.deploy.power_meter import Energy

LINE = "RAM 1/2MB CPU [0%@729] VDD_IN {}mW/5000mW VDD_SOC 1mW/1mW"


class Ticks:
    """A clock that goes on by 0.5 s each time it is read, and says when it was read often."""

    def __init__(self, wanted):
        self.now, self._wanted, self.reached = 0.0, wanted, threading.Event()

    def __call__(self):
        self.now += 0.5
        self._wanted -= 1
        if self._wanted == 0:
            self.reached.set()
        return self.now


def test_tegrastats_where_there_are_no_hwmon_rails(tmp_path):
    called = tegrastats(tmp_path, LINE.format(4000), "damaged", LINE.format(8000))
    ticks = Ticks(3)
    meter = power_programs.open_tegrastats(tmp_path, 0.02, ticks)
    assert (meter.name, meter.rails, meter.covers) == ("tegrastats", ("VDD_IN",), "the module")
    meter.start()
    assert ticks.reached.wait(10)
    energy = meter.stop()
    # 4 W at 0.5 s, a line that cannot be read, 8 W at 1.5 s, held until 2.0 s.
    assert energy == Energy(6.0 + 4.0, 1.5, 2, {"VDD_IN": 10.0}, unread=1)
    assert called.read_text() == "--interval 100\n--interval 100\n"
    assert thread_ended(0)


def test_open_meter_takes_tegrastats_and_says_what_it_passed_over(tmp_path):
    called = tegrastats(tmp_path, LINE.format(4000))
    meter = power.open_meter(tmp_path, 0.25)
    assert meter.name == "tegrastats"
    assert meter.passed_over == ("no power rails (ina3221, ina238) under /sys/class/hwmon",)
    assert called.read_text() == "--interval 250\n"
    assert power.missing(tmp_path) == ""


def test_a_tegrastats_that_ends_is_an_error(tmp_path):
    tegrastats(tmp_path, LINE.format(4000), ends=True)
    meter = power.open_meter(tmp_path)
    meter.start()
    assert thread_ended()
    with pytest.raises(RuntimeError, match="ended by itself"):
        meter.stop()


def test_a_rail_that_vanishes_from_the_lines(tmp_path):
    tegrastats(tmp_path, LINE.format(4000), "RAM 1/2MB VDD_SOC 1mW/1mW")
    meter = power.open_meter(tmp_path)
    meter.start()
    assert thread_ended()
    with pytest.raises(RuntimeError, match="rail VDD_IN vanished from the lines"):
        meter.stop()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("RAM 1/2MB GR3D_FREQ 0%", "tegrastats prints no power rails"),
        ("RAM 1/2MB POM_5V_IN 3214/3214", "supports JetPack 6.1 and later"),
        ("RAM 1/2MB CPU 0mW/0mW GPU 1mW/1mW", "are not known to make a whole"),
        ("", "printed nothing"),
        ("hello", "a line of tegrastats begins with RAM"),
    ],
)
def test_a_tegrastats_without_rails(tmp_path, line, reason):
    tegrastats(tmp_path, line)
    assert power.open_meter(tmp_path) is None
    assert reason in power.missing(tmp_path)


def test_a_program_that_prints_only_damage_cannot_be_started(tmp_path):
    tegrastats(tmp_path, "damaged", ends=True)
    path = tmp_path / "usr/bin/tegrastats"

    def broken(line):
        raise ValueError(f"cannot read {line.strip()}")

    meter = power_programs.Printed("it", ["a"], "", [str(path)], broken)
    with pytest.raises(RuntimeError, match="1 lines could not be read, the last: cannot read dam"):
        meter.start()
    with pytest.raises(RuntimeError, match="not started"):
        meter.stop()


def test_a_program_that_says_nothing_is_not_waited_for_for_ever(tmp_path):
    program(tmp_path, "quiet", "import time; time.sleep(60)")
    command = [str(tmp_path / "usr/bin/quiet")]
    meter = power_programs.Printed("it", ["a"], "", command, lambda _: [0.0], first_line=0.05)
    with pytest.raises(RuntimeError, match="it printed no reading"):
        meter.start()
    with pytest.raises(RuntimeError, match="printed nothing"):
        power_programs.first_line(command, 0.05)


def nvidia_smi(root, *watts):
    code = (
        "import sys, time\n"
        f"watts = {watts!r}\n"
        "assert sys.argv[1:4] == ['--id=0', '--query-gpu=power.draw', "
        "'--format=csv,noheader,nounits']\n"
        "if '-lms' not in sys.argv:\n    print(watts[0]); raise SystemExit\n"
        "for one in watts:\n    print(one, flush=True)\n"
        "time.sleep(60)"
    )
    program(root, "nvidia-smi", code)


def test_a_pc_s_gpu_is_said_to_be_the_gpu_only(tmp_path):
    nvidia_smi(tmp_path, "100.00", "300.00")
    rapl(tmp_path, package_0=(5, 10))
    meter = power.open_meter(tmp_path)
    assert (meter.name, meter.rails) == ("nvidia-smi (GPU only)", ("GPU 0",))
    assert "not the machine" in meter.covers
    ticks = Ticks(2)
    meter = power_programs.open_nvidia_smi(tmp_path, clock=ticks)
    meter.start()
    assert ticks.reached.wait(10)
    assert meter.stop().joules == pytest.approx(100.0 + 150.0)  # 0.5 s each: 200 W, 300 W


def test_a_gpu_that_does_not_know_its_power_leaves_the_processor(tmp_path):
    nvidia_smi(tmp_path, "[N/A]")
    rapl(tmp_path, package_0=(5, 10))
    meter = power.open_meter(tmp_path)
    assert meter.name == "RAPL package"
    assert "nvidia-smi does not know the GPU's power: [N/A]" in meter.passed_over
