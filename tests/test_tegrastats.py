"""Lines that boards printed, of every format since JetPack 6, and lines that must be refused.

Each recorded line says where it is from (found by its text in a search of public repositories);
the others are made by hand after the formats in the project's PLATFORMS.md, and say so.
"""

import pytest

from gban_edge.deploy.power import parse_tegrastats
from gban_edge.deploy.power_rails import choose
from gban_edge.deploy.power_tegrastats import Core, Rail

# Orin Nano Super, JetPack 6.2 (L4T 36.4.3): a public course's notes on its board sjsujetson-01.
ORIN_NANO = (
    "07-14-2025 10:29:36 RAM 2147/7620MB (lfb 2x4MB) SWAP 1476/3810MB (cached 1MB) CPU "
    "[0%@729,0%@729,0%@729,0%@729,0%@729,0%@729] GR3D_FREQ 0% cpu@47.687C soc2@46.718C "
    "soc0@47.468C gpu@48.625C tj@48.625C soc1@48.25C VDD_IN 4556mW/4556mW "
    "VDD_CPU_GPU_CV 483mW/483mW VDD_SOC 1451mW/1451mW"
)
# AGX Orin, JetPack 6: a public README of a TensorRT repository (its run of resnet and YOLO).
AGX_ORIN = (
    "11-21-2025 08:49:48 RAM 13983/62780MB (lfb 424x4MB) SWAP 126/31390MB (cached 0MB) CPU "
    "[90%@2201,100%@2201,100%@2201,100%@2201,100%@2201,100%@2201,100%@2201,100%@2201,100%@2201,"
    "100%@2201,100%@2201,100%@2201] EMC_FREQ 1%@2133 GR3D_FREQ 14%@[407,407] VIC_FREQ 115 "
    "NVDLA0_FREQ @1600 APE 174 CV0@73.625C CPU@77.281C Tboard@62C SOC2@70C Tdiode@62.25C "
    "SOC0@69.531C CV1@72.5C GPU@69.125C tj@77.281C SOC1@68.968C CV2@67.25C "
    "VDD_GPU_SOC 3150mW/2971mW VDD_CPU_CV 14312mW/12415mW VIN_SYS_5V0 4968mW/5048mW "
    "VDDQ_VDD2_1V8AO 1091mW/1091mW"
)
# AGX Orin with switched-off sensors and channels that are not connected: a guide to the board
# "rudi2" (reStructuredText), 2023.
AGX_ORIN_OFF = (
    "10-16-2023 10:59:22 RAM 1205/30623MB (lfb 6429x4MB) SWAP 0/15311MB (cached 0MB) CPU "
    "[0%@729,0%@729,1%@729,0%@729,0%@729,0%@730,0%@730,0%@729,0%@729,0%@729,0%@729,0%@729] "
    "EMC_FREQ 0%@204 GR3D_FREQ 0%@114 GR3D2_FREQ 0%@114 NVJPG1 729 VIC_FREQ 729 APE 233 "
    "CV0@-256C CPU@43.5C Tdiode@32.5C SOC2@40.062C SOC0@40.5C CV1@-256C GPU@38.156C "
    "SOC1@39.125C CV2@-256C VDD_GPU_SOC 4788mW/4788mW VDD_CPU_CV 798mW/798mW "
    "VIN_SYS_5V0 3842mW/3842mW NC 0mW/0mW VDDQ_VDD2_1V8AO 707mW/707mW NC 0mW/0mW"
)
# Made by hand after PLATFORMS.md: an AGX Orin with JetPack 7.2, three numbers a rail, two a
# temperature.
AGX_ORIN_72 = (
    "07-22-2026 10:01:02 RAM 8000/62817MB (lfb 1x2MB) CPU [23%@2201,10%@2201,4%@729,14%@729] "
    "EMC_FREQ 3%@3199 GR3D_FREQ 12%@[1300,1300] NVENC0 off VIC off PVA0_FREQ off APE 174 "
    "cpu@52.968C/53.5C tj@48.406C/48.406C gpu@47.625C/47.625C VDD_GPU_SOC 5139mW/5139mW/5139mW "
    "VDD_CPU_CV 3268mW/3100mW/4000mW VIN_SYS_5V0 5500mW/5400mW/5600mW"
)
# AGX Thor, JetPack 7.1 (L4T 38.4.0): a public page of notes on tegrastats, 2026-04-21.
THOR_71 = (
    "04-21-2026 15:50:52 RAM 105265/125772MB (lfb 34x4MB) CPU [0%@972,0%@972,0%@972,0%@972,"
    "0%@972,0%@972,1%@972,0%@972,0%@972,0%@972,0%@972,8%@972,0%@972,0%@972] EMC_FREQ 0%@2750 "
    "GR3D_FREQ @[314,314,314] NVENC0_FREQ @314 NVENC1_FREQ @314 NVDEC0_FREQ @314 "
    "NVDEC1_FREQ @314 NVJPG0_FREQ @314 VIC off OFA_FREQ @315 PVA0_FREQ off APE 300 cpu@37.343C "
    "tj@38.875C soc012@37.468C gpu@38.875C soc345@37.406C VDD_GPU 1962mW/1962mW "
    "VDD_CPU_SOC_MSS 5887mW/5887mW VIN_SYS_5V0 5635mW/5635mW VIN 19780mW/19780mW"
)
# AGX Thor, JetPack 7.2 (L4T 39.2.0), no GR3D_FREQ: "verbatim" in a Go agent's test, 2026-07-02.
THOR_72 = (
    "07-02-2026 13:45:44 RAM 36529/125749MB (lfb 12x4MB) SWAP 11/4096MB (cached 9MB) CPU [2%@972,"
    "1%@972,0%@972,0%@972,0%@972,0%@972,0%@972,0%@972,0%@972,0%@972,0%@972,0%@972,0%@972,2%@972] "
    "cpu@60.406C tj@63.281C soc012@58.468C gpu@62.906C soc345@63.281C "
    "VDD_GPU 37528mW/37528mW/37528mW VDD_CPU_SOC_MSS 18961mW/18961mW/18961mW "
    "VIN_SYS_5V0 18331mW/18331mW/18331mW VIN 87426mW/43713mW/87426mW"
)
# A Thor with L4T 39.2.0 on a carrier without VIN: the test of a Go package, 2026-07-23.
THOR_NO_VIN = (
    "07-23-2026 15:29:26 RAM 9101/125811MB (lfb 19x4MB) SWAP 0/2048MB (cached 0MB) CPU [39%@2160,"
    "20%@2160,16%@1944,15%@1944,17%@972,15%@972,19%@2214,22%@2214,13%@2430,20%@2430,26%@972,"
    "19%@972,15%@1836,22%@1836] EMC_FREQ 7%@3200 GR3D_FREQ @[314,314,314] NVENC0_FREQ @1556 "
    "NVENC1_FREQ @1556 NVDEC0_FREQ @1556 NVDEC1_FREQ @1556 NVJPG0_FREQ @1556 VIC 59%@423 "
    "OFA_FREQ @1556 PVA0_FREQ off APE 300 cpu@34.843C/34.843C tj@35.906C/35.906C "
    "soc012@34.437C/34.437C gpu@35.906C/35.906C soc345@34.406C/34.406C "
    "VDD_GPU 4925mW/4925mW/4925mW VDD_CPU_SOC_MSS 8710mW/8710mW/8710mW "
    "VIN_SYS_5V0 6767mW/6767mW/6767mW"
)
# Jetson Nano, JetPack 4: a Japanese shell script's comment, 2021.
NANO = (
    "RAM 1170/3956MB (lfb 496x4MB) SWAP 0/1978MB (cached 0MB) CPU [20%@1479,21%@1479,33%@1479,"
    "29%@1479] EMC_FREQ 0% GR3D_FREQ 34% PLL@38C CPU@39.5C PMIC@100C GPU@39C AO@46C "
    "thermal@38.75C POM_5V_IN 3129/3129 POM_5V_GPU 160/160 POM_5V_CPU 922/922"
)
# Made by hand after the formats: a core that is off, a GPU clock of 0%, a load without a clock.
BY_HAND = (
    "RAM 5/6MB CPU [10%@1190,off,3%@729] EMC_FREQ 0% GR3D_FREQ 0%@[305,305] tj@38C "
    "VDD_IN 4556mW/4400mW"
)
WHOLE = (ORIN_NANO, AGX_ORIN, AGX_ORIN_OFF, AGX_ORIN_72, THOR_71, THOR_72, THOR_NO_VIN)


def test_an_orin_nano():
    found = parse_tegrastats(ORIN_NANO)
    assert (found.ram_used, found.ram_total) == (2147, 7620)
    assert (found.swap_used, found.swap_total) == (1476, 3810)
    assert found.cpus == (Core(0, 729),) * 6
    assert (found.emc_percent, found.emc_mhz) == (None, None)
    assert (found.gpu_percent, found.gpu_mhz) == (0, ())
    assert found.temperatures == {
        "cpu": 47.687, "soc2": 46.718, "soc0": 47.468, "gpu": 48.625, "tj": 48.625, "soc1": 48.25,
    }  # fmt: skip
    assert found.rails == {
        "VDD_IN": Rail(4556, 4556), "VDD_CPU_GPU_CV": Rail(483, 483), "VDD_SOC": Rail(1451, 1451),
    }  # fmt: skip
    assert choose(found.rails)[0] == ("VDD_IN",)


def test_an_agx_orin():
    found = parse_tegrastats(AGX_ORIN)
    assert (len(found.cpus), found.cpus[1]) == (12, Core(100, 2201))
    assert (found.emc_percent, found.emc_mhz) == (1, 2133)
    assert (found.gpu_percent, found.gpu_mhz) == (14, (407, 407))
    assert len(found.temperatures) == 11
    assert found.rails["VDD_CPU_CV"] == Rail(14312, 12415, None)
    rails, _ = choose(found.rails)
    assert sum(found.rails[rail].now for rail in rails) == 3150 + 14312 + 4968


def test_sensors_that_are_off_and_channels_that_are_not_connected():
    found = parse_tegrastats(AGX_ORIN_OFF)
    assert found.temperatures.keys() == {"CPU", "Tdiode", "SOC2", "SOC0", "GPU", "SOC1"}
    assert found.rails.keys() == {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"}
    assert (found.gpu_percent, found.gpu_mhz) == (0, (114,))


def test_jetpack_72_prints_three_numbers():
    found = parse_tegrastats(AGX_ORIN_72)
    assert found.rails == {
        "VDD_GPU_SOC": Rail(5139, 5139, 5139),
        "VDD_CPU_CV": Rail(3268, 3100, 4000),
        "VIN_SYS_5V0": Rail(5500, 5400, 5600),
    }
    assert found.temperatures["cpu"] == 52.968
    assert (found.gpu_percent, found.gpu_mhz) == (12, (1300, 1300))
    assert found.swap_total is None


def test_thors():
    found = parse_tegrastats(THOR_71)
    assert (found.gpu_percent, found.gpu_mhz) == (None, (314, 314, 314))
    assert choose(found.rails)[0] == ("VIN",)
    assert found.rails["VIN"] == Rail(19780, 19780)
    found = parse_tegrastats(THOR_72)
    assert (found.gpu_percent, found.gpu_mhz) == (None, ())
    assert found.rails["VIN"] == Rail(87426, 43713, 87426)
    found = parse_tegrastats(THOR_NO_VIN)
    assert choose(found.rails)[0] == ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0")
    assert found.temperatures["soc345"] == 34.406
    assert (found.emc_percent, found.emc_mhz) == (7, 3200)


def test_what_else_may_stand_in_a_line():
    found = parse_tegrastats(BY_HAND)
    assert found.cpus == (Core(10, 1190), None, Core(3, 729))
    assert (found.emc_percent, found.emc_mhz) == (0, None)
    assert (found.gpu_percent, found.gpu_mhz) == (0, (305, 305))
    assert found.rails["VDD_IN"] == Rail(4556, 4400)
    found = parse_tegrastats("RAM 5/6MB EMC_FREQ @2133 GR3D_FREQ 99% VDD_GPU -392mW/-392mW\n")
    assert (found.gpu_percent, found.emc_percent, found.emc_mhz) == (99, None, 2133)
    assert found.rails["VDD_GPU"].now == -392  # a Thor's, its GPU being switched off


@pytest.mark.parametrize(
    "line", [NANO, "RAM 5/6MB POM_5V_IN 3214/3214", "RAM 5/6MB VDD_IN 8039/8039"]
)
def test_lines_of_old_jetpacks_are_known_and_refused(line):
    with pytest.raises(ValueError, match=r"has no unit, as JetPack 4 and 5 print it"):
        parse_tegrastats(line)


@pytest.mark.parametrize("line", WHOLE)
def test_a_line_that_was_cut_never_gives_another_number(line):
    """Wherever it is cut, a line is refused or says what the whole line says."""
    whole = parse_tegrastats(line)
    refused = 0
    for length in range(len(line)):
        try:
            part = parse_tegrastats(line[:length])
        except ValueError:
            refused += 1
            continue
        for name, rail in part.rails.items():
            assert (rail.now, rail.average) == (whole.rails[name].now, whole.rails[name].average)
        assert part.temperatures.items() <= whole.temperatures.items()
        assert part.cpus in ((), whole.cpus)
        assert (part.ram_used, part.ram_total) == (whole.ram_used, whole.ram_total)
        assert part.gpu_percent in (None, whole.gpu_percent)
    assert refused > 50


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "07-14-2025 10:29:36",
        "hello",
        "RAM many/7620MB",
        "RAM 5/6MB CPU [10%@1190,ten%@729] VDD_IN 4556mW/4556mW",
        "RAM 5/6MB CPU [10%@1190,off",
        "RAM 5/6MB VDD_IN 4556mW/4556m",
        "RAM 5/6MB VDD_IN 4556mW/4556mWVDD_SOC 1mW/1mW",
        "RAM 5/6MB VDD_IN",
        "RAM 5/6MB VIN 1mW/2mW/3",
        "VDD_IN 4556mW/4556mW",
    ],
)
def test_damaged_lines_are_errors(line):
    with pytest.raises(ValueError, match="tegrastats"):
        parse_tegrastats(line)
