"""Joules: of power that is known, out of files made up as the kernel's are."""

import threading
import time

import pytest
from fake_board import HWMON, agx_orin, agx_thor, ina3221, orin_nano, program, put, write

from gban_edge.deploy import power, power_programs, power_rails
from gban_edge.deploy.power_meter import Counter, Energy, Sampler, Trapezoid


class Stage:
    """A clock, and a meter's pauses: each pause goes on to the next step of a play.

    A step is seconds until the next reading and what happens meanwhile. When all are played the
    meter's thread waits for its end, so that nothing depends on how fast it runs.
    """

    def __init__(self, *steps):
        self.now, self._steps = 100.0, list(steps)
        self._played = threading.Event()

    def clock(self):
        return self.now

    def pause(self, stopped, seconds):
        if not self._steps:
            self._played.set()
            stopped.wait()
            return
        wait, happens = self._steps.pop(0)
        self.now += wait
        happens()

    def measure(self, meter, last=0.0):
        """From start until every step is played, and ``last`` seconds more."""
        meter.start()
        try:
            assert self._played.wait(10)
            self.now += last
        finally:
            energy = meter.stop()
        return energy


def thread_ended(seconds=10.0):
    """Whether no meter's thread is left, after at most ``seconds``."""
    until = time.monotonic() + seconds
    while True:
        if not any(thread.name == "gban-edge meter" for thread in threading.enumerate()):
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.001)


def test_trapezoids_are_exact_for_straight_lines_between_uneven_times():
    sums = Trapezoid(2)
    times = [0.0, 0.5, 0.75, 2.0, 2.25, 4.0]
    for t in times:
        sums.add(t, [3.0, 1.0 + 2.0 * t])
    assert sums.joules == pytest.approx([12.0, 4.0 + 16.0], abs=1e-12)  # integral of 1 + 2t
    assert (sums.first, sums.last, sums.samples) == (0.0, 4.0, 6)


def test_a_held_reading_counts_as_time_and_not_as_a_reading():
    sums = Trapezoid(1)
    sums.hold(5.0)
    assert sums.joules == [0.0]
    sums.add(5.0, [2.0])
    sums.hold(8.0)
    sums.hold(7.0)
    assert (sums.joules, sums.last, sums.samples) == ([6.0], 8.0, 1)


def test_a_counter_that_begins_anew():
    sums = Counter([999, 10**9])
    for t, values in enumerate([(900, 5), (998, 2_000_005), (7, 2_000_005), (7, 3_000_005)]):
        sums.add(float(t), values)
    # 900 to 998, then 999, then 0 to 7: 98 + 1 + 8 microjoules.
    assert sums.joules == pytest.approx([107e-6, 3.0], abs=1e-15)


def test_constant_power_of_an_orin_nano(tmp_path):
    stage = Stage(*[(0.02, lambda: None)] * 50)
    meter = power_rails.open_hwmon(orin_nano(tmp_path), 0.02, stage.clock, stage.pause)
    assert (meter.name, meter.rails, meter.covers) == ("hwmon ina3221", ("VDD_IN",), "the module")
    energy = stage.measure(meter, last=0.5)
    assert energy.seconds == pytest.approx(1.5)
    assert energy.joules == pytest.approx(1.5 * 5.0 * 0.911)  # volts, amperes: VDD_IN alone
    assert energy.watts == pytest.approx(4.555)
    assert energy.by_rail == {"VDD_IN": energy.joules}
    assert (energy.samples, energy.unread) == (52, 0)  # the first, 50, the last


def test_varying_power(tmp_path):
    folder = orin_nano(tmp_path) / HWMON / "hwmon1"

    def draws(milliamperes):
        return lambda: put(folder / "curr1_input", f"{milliamperes}\n")

    stage = Stage((1.0, draws(2000)), (0.5, draws(2000)), (2.0, draws(400)), (0.0, draws(1000)))
    meter = power_rails.open_hwmon(tmp_path, 0.02, stage.clock, stage.pause)
    draws(1000)()
    energy = stage.measure(meter, last=3.0)
    # 5 W to 10 W in 1 s, 10 W for 0.5 s, 10 W to 2 W in 2 s, a jump to 5 W, 5 W for 3 s.
    assert energy.joules == pytest.approx(7.5 + 5.0 + 12.0 + 15.0)
    assert energy.seconds == pytest.approx(6.5)


def test_measuring_again_begins_at_zero(tmp_path):
    stage = Stage()
    meter = power_rails.open_hwmon(orin_nano(tmp_path), 0.02, stage.clock, stage.pause)
    assert stage.measure(meter, last=2.0).joules == pytest.approx(9.11)
    assert stage.measure(meter, last=1.0).joules == pytest.approx(4.555)


def test_an_agx_orin_has_no_total_and_counts_no_power_twice(tmp_path):
    stage = Stage()
    meter = power_rails.open_hwmon(agx_orin(tmp_path), 0.02, stage.clock, stage.pause)
    assert meter.rails == ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
    assert meter.covers == "the module's rails, summed"
    energy = stage.measure(meter, last=2.0)
    assert energy.by_rail == pytest.approx(
        {"VDD_GPU_SOC": 6.0, "VDD_CPU_CV": 2.4, "VIN_SYS_5V0": 8.0}
    )  # without VDDQ_VDD2_1V8AO, which VIN_SYS_5V0 feeds
    assert energy.joules == pytest.approx(16.4)


def test_a_thor_s_input_is_measured_by_an_ina238_in_microwatts(tmp_path):
    stage = Stage()
    meter = power_rails.open_hwmon(agx_thor(tmp_path), 0.02, stage.clock, stage.pause)
    assert (meter.name, meter.rails) == ("hwmon ina238", ("VIN",))
    assert "carrier" in meter.covers
    assert stage.measure(meter, last=2.0).joules == pytest.approx(2 * 19.78)


def test_a_thor_on_a_carrier_without_one(tmp_path):
    stage = Stage()
    meter = power_rails.open_hwmon(agx_thor(tmp_path, vin=False), 0.02, stage.clock, stage.pause)
    assert meter.rails == ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0")
    assert stage.measure(meter, last=1.0).joules == pytest.approx(1.2 + 3.6 + 3.0)


def test_what_is_no_rail(tmp_path):
    files = ina3221(0, {"NC": (1, 1), "VDD_IN": (5000, 1000), "VDD_SOC": (5000, 100)})
    files[f"{HWMON}/hwmon0/in3_enable"] = "0\n"
    files[f"{HWMON}/hwmon1/name"] = "coretemp\n"
    files[f"{HWMON}/hwmon1/in1_label"] = "VIN\n"
    files[f"{HWMON}/hwmon1/curr1_input"] = "1\n"
    rails = power_rails.board_rails(write(tmp_path, files))
    assert [(rail.name, rail.watts()) for rail in rails] == [("VDD_IN", 5.0)]


def test_rails_that_make_no_whole_are_not_summed(tmp_path):
    write(tmp_path, ina3221(0, {"VDD_GPU_SOC": (5000, 1000), "VDD_OTHER": (5000, 1000)}))
    with pytest.raises(RuntimeError, match=r"\(VDD_GPU_SOC, VDD_OTHER\) are not known to make"):
        power_rails.open_hwmon(tmp_path)
    assert power.open_meter(tmp_path) is None
    assert "not known to make a whole" in power.missing(tmp_path)


def test_rails_that_may_not_be_read(tmp_path, monkeypatch):
    orin_nano(tmp_path)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(power_rails, "value", refuse)
    assert power.open_meter(tmp_path) is None
    said = power.missing(tmp_path)
    assert f"{HWMON}/hwmon1/in1_input" in said
    assert "run as root" in said
    assert "/etc/udev/rules.d/" in said


def test_a_rail_that_vanishes_is_an_error_and_the_thread_is_gone(tmp_path):
    folder = orin_nano(tmp_path) / HWMON / "hwmon1"
    stage = Stage((0.02, lambda: None), (0.02, (folder / "curr1_input").unlink))
    meter = power_rails.open_hwmon(tmp_path, 0.02, stage.clock, stage.pause)
    meter.start()
    assert thread_ended()
    with pytest.raises(RuntimeError, match=r"rail VDD_IN vanished .*curr1_input"):
        meter.stop()
    with pytest.raises(RuntimeError, match="not started"):
        meter.stop()


def test_a_rail_that_vanishes_at_the_very_end(tmp_path):
    folder = orin_nano(tmp_path) / HWMON / "hwmon1"
    stage = Stage()
    meter = power_rails.open_hwmon(tmp_path, 0.02, stage.clock, stage.pause)
    meter.start()
    put(folder / "in1_input", "broken\n")
    with pytest.raises(RuntimeError, match=r"VDD_IN .* holds 'broken', not a number"):
        meter.stop()
    assert thread_ended(0)


def test_a_meter_is_started_once_and_stopped_once(tmp_path):
    meter = power.open_meter(orin_nano(tmp_path))
    with pytest.raises(RuntimeError, match="not started"):
        meter.stop()
    meter.start()
    with pytest.raises(RuntimeError, match="is running"):
        meter.start()
    assert meter.stop().samples >= 2


def test_intervals(tmp_path):
    for wrong in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="interval must be more than 0"):
            power.open_meter(tmp_path, wrong)
    with pytest.raises(ValueError, match="interval must be more than 0"):
        Sampler("x", ["a"], "", lambda: [0.0], lambda: Trapezoid(1), 0)


def test_in_real_time_the_sum_lies_between_the_extremes(tmp_path):
    folder = orin_nano(tmp_path) / HWMON / "hwmon1"
    over = threading.Event()

    def change():
        while not over.is_set():
            for milliamperes in (400, 2000, 1000):
                put(folder / "curr1_input", f"{milliamperes}\n")

    changing = threading.Thread(target=change)
    meter = power.open_meter(tmp_path, 0.002)
    changing.start()
    try:
        before = time.monotonic()
        meter.start()
        time.sleep(0.1)
        energy = meter.stop()
        took = time.monotonic() - before
    finally:
        over.set()
        changing.join()
    assert 0.1 <= energy.seconds <= took
    assert 2.0 * energy.seconds <= energy.joules <= 10.0 * energy.seconds
    assert energy.samples >= 2


def rapl(root, **packages):
    files = {}
    for number, (name, (microjoules, largest)) in enumerate(packages.items()):
        folder = f"sys/class/powercap/intel-rapl:{number}"
        files[f"{folder}/name"] = f"{name.replace('_', '-')}\n"
        files[f"{folder}/energy_uj"] = f"{microjoules}\n"
        files[f"{folder}/max_energy_range_uj"] = f"{largest}\n"
        files[f"{folder}:0/name"] = "core\n"
        files[f"{folder}:0/energy_uj"] = "1\n"
    return write(root, files)


def test_rapl_packages_and_their_turns(tmp_path):
    turn = 262143328850
    rapl(tmp_path, package_0=(turn - 4_000_000, turn), psys=(5, turn), package_1=(10, turn))
    first = tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj"
    second = tmp_path / "sys/class/powercap/intel-rapl:2/energy_uj"

    def step(a, b):
        return lambda: (put(first, f"{a}\n"), put(second, f"{b}\n"))

    stage = Stage((1.0, step(turn - 1_000_000, 10)), (1.0, step(1_999_999, 500_010)))
    meter = power_rails.open_rapl(tmp_path, clock=stage.clock, pause=stage.pause)
    assert (meter.name, meter.rails) == ("RAPL package", ("package-0", "package-1"))
    assert "without memory" in meter.covers
    energy = stage.measure(meter)
    assert energy.by_rail == pytest.approx({"package-0": 6.0, "package-1": 0.5})
    assert energy.joules == pytest.approx(6.5)
    assert energy.seconds == 2.0


def test_rapl_that_may_not_be_read(tmp_path, monkeypatch):
    rapl(tmp_path, package_0=(5, 10))

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(power_rails, "value", refuse)
    assert power.open_meter(tmp_path) is None
    assert "sudo chmod a+r" in power.missing(tmp_path)
    assert "intel-rapl:0/energy_uj" in power.missing(tmp_path)


LINE = "RAM 1/2MB CPU [0%@729] VDD_IN {}mW/5000mW VDD_SOC 1mW/1mW"


def tegrastats(root, *lines, ends=False):
    """A tegrastats that prints ``lines`` and then stays, or ends; says how it was called."""
    stay = "" if ends else "time.sleep(60)"
    called = root / "called"
    code = (
        "import sys, time\n"
        f"open({str(called)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"for line in {lines!r}:\n    print(line, flush=True)\n{stay}"
    )
    program(root, "tegrastats", code)
    return called


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


def test_a_machine_without_any(tmp_path):
    assert power.open_meter(tmp_path) is None
    said = power.missing(tmp_path)
    for part in ("hwmon", "no tegrastats", "no nvidia-smi", "RAPL", "On a Jetson", "on a PC"):
        assert part in said


def test_the_summary_runs_nothing(tmp_path):
    assert power.summary(tmp_path).startswith("none: no power rails")
    rapl(tmp_path, package_0=(5, 10))
    assert power.summary(tmp_path).startswith("RAPL package, package-0 (the processor")
    program(tmp_path, "nvidia-smi", "raise SystemExit(1)")
    assert power.summary(tmp_path).startswith("nvidia-smi (GPU only); no power rails")
    called = tegrastats(tmp_path, "nothing")
    assert power.summary(tmp_path).startswith("tegrastats; no power rails")
    assert not called.exists()
    agx_orin(tmp_path)
    assert power.summary(tmp_path) == (
        "hwmon ina3221, VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0 (the module's rails, summed)"
    )
