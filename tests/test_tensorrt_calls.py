"""What is called on the TensorRT of each generation (tests/fake_tensorrt.py), in which order, and
what its failures are told as."""

import sys
from types import ModuleType

import fake_tensorrt
import pytest
from engine_machines import HOPPER, ORIN, Machines
from engine_policy import random_model
from fake_tensorrt import VERSIONS, Severity
from helpers import SMALL

from gban_edge.config import GBANConfig
from gban_edge.deploy import tensorrt_module
from gban_edge.deploy.onnx_export import export
from gban_edge.deploy.tensorrt_build import build
from gban_edge.runtime.engine_buckets import BUCKETS
from gban_edge.runtime.engine_file import EngineFile

CONFIG = GBANConfig.from_dict({**SMALL.to_dict(), "hidden": 128})


@pytest.fixture
def machine(monkeypatch) -> Machines:
    return Machines(monkeypatch)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """ONNX files by flavour."""
    folder = tmp_path_factory.mktemp("onnx")
    _, model = random_model(folder, CONFIG, 1)
    for flavour in ("plain", "plugin"):
        export(model, folder / f"{flavour}.onnx", flavour=flavour)
    return {path.stem: path for path in folder.glob("*.onnx")}


@pytest.fixture
def folders(tmp_path):
    """Where the engine and the timing cache go."""
    return {"path": tmp_path / "e.engine", "cache": tmp_path / "cache"}


def fixed(frames: int, words: int) -> dict[str, tuple[tuple[int, ...], ...]]:
    """A profile of one shape, as the contract of the ONNX file has it."""
    shapes = {
        "features": (1, frames, 52),
        "feature_lengths": (1,),
        "words": (1, words),
        "word_lengths": (1,),
    }
    return {name: (shape, shape, shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_generation_is_called_alike(machine, exported, folders, version):
    fake = machine.tensorrt(version)
    if version == "11.1.0.106":  # does not support Jetson
        machine.gpu(HOPPER)
    made = build(exported["plain"], **folders)
    strongly_typed = 1 << (1 if version.startswith("10.") else 0)
    assert fake.calls == [
        ("create_network", strongly_typed),
        ("parse", exported["plain"].stat().st_size),
        ("create_builder_config",),
        ("clear_flag", fake.BuilderFlag.TF32),
        ("profiling_verbosity", fake.ProfilingVerbosity.DETAILED),
        ("create_timing_cache", b""),
        ("build_serialized_network", [fixed(*bucket) for bucket in BUCKETS]),
    ]
    assert made.plan() == b"a plan"
    key = EngineFile.read(made.path).key
    assert (key.tensorrt, key.module, key.plugin) == (version, "tensorrt", "")
    assert (key.gpu, key.capability) in {("Orin", "8.7"), ("NVIDIA H200", "9.0")}


def test_a_module_without_the_flag_is_strongly_typed_anyway(machine, exported, folders):
    fake = machine.tensorrt("12.0.0", HOPPER)
    fake.NetworkDefinitionCreationFlag = type("NetworkDefinitionCreationFlag", (), {})
    build(exported["plain"], **folders)
    assert fake.calls[0] == ("create_network", 0)


def test_options_reach_the_builder(machine, exported, folders):
    fake = machine.tensorrt(VERSIONS[0])
    build(exported["plain"], **folders, workspace=256, level=5, dynamic=True)
    assert ("set_memory_pool_limit", fake.MemoryPoolType.WORKSPACE, 256 << 20) in fake.calls
    assert ("builder_optimization_level", 5) in fake.calls
    assert fake.calls[-1][1] == [
        {
            "features": ((1, CONFIG.receptive_field, 52), (1, 747, 52), (8, 747, 52)),
            "feature_lengths": ((1,), (1,), (8,)),
            "words": ((1, 1), (1, 32), (8, 512)),
            "word_lengths": ((1,), (1,), (8,)),
        }
    ]


def test_the_timing_cache_is_used_again(machine, exported, folders):
    fake = machine.tensorrt(VERSIONS[0])
    build(exported["plain"], **folders)
    (stored,) = folders["cache"].iterdir()
    assert stored.name == "timing-10.3.0-Orin-8.7.cache"
    assert stored.read_bytes() == b"timings of now"
    build(exported["plain"], **folders)
    assert ("create_timing_cache", b"timings of now") in fake.calls
    machine.tensorrt(VERSIONS[1], ("NVIDIA Thor (64 GB)", (11, 0)))
    build(exported["plain"], **folders)
    assert len(list(folders["cache"].iterdir())) == 2


@pytest.mark.parametrize("stored", [b"damaged", b"of another GPU"])
def test_a_timing_cache_that_cannot_be_used(machine, exported, folders, stored):
    fake = machine.tensorrt(VERSIONS[0])
    folders["cache"].mkdir()
    path = folders["cache"] / "timing-10.3.0-Orin-8.7.cache"
    path.write_bytes(stored)
    made = build(exported["plain"], **folders)
    assert made.warnings == (f"timing cache {path} could not be used: begun anew",)
    assert ("create_timing_cache", b"") in fake.calls
    assert path.read_bytes() == b"timings of now"


def test_a_timing_cache_that_cannot_be_written(machine, exported, folders):
    machine.tensorrt(VERSIONS[0])
    folders["cache"].write_text("a file where the folder should be")
    (warning,) = build(exported["plain"], **folders).warnings
    assert "timing-10.3.0-Orin-8.7.cache could not be written (" in warning
    assert EngineFile.read(folders["path"]).plan() == b"a plan"


def test_rtx_has_no_timing_cache_and_needs_no_gpu(machine, exported, folders):
    fake = machine.tensorrt("1.7.1.116", None, name="tensorrt_rtx")
    made = build(exported["plain"], **folders)
    assert not any(call[0] == "create_timing_cache" for call in fake.calls)
    assert not folders["cache"].exists()
    assert (made.key.module, made.key.gpu, made.key.capability) == ("tensorrt_rtx", "none", "")


def test_tensorrt_comes_before_rtx(machine, exported, folders):
    machine.tensorrt("1.7.1.116", None, name="tensorrt_rtx")
    machine.tensorrt("10.3.0")
    assert build(exported["plain"], **folders).key.module == "tensorrt"
    assert build(exported["plain"], **folders, module="tensorrt_rtx").key.module == "tensorrt_rtx"


def test_warnings_are_kept_once_and_told(machine, exported, folders):
    fake, said = machine.tensorrt(VERSIONS[0]), []
    fake.behave.says = [
        (Severity.WARNING, "slow"), (Severity.VERBOSE, "a lot"), (Severity.WARNING, "slow"),
        (Severity.INFO, "a little"), (Severity.ERROR, "skipped a tactic"),
    ]  # fmt: skip
    made = build(exported["plain"], **folders, log=said.append)
    assert EngineFile.read(made.path).warnings == ("slow", "error: skipped a tactic")
    assert said == [
        "warning: slow", "warning: slow", "info: a little", "error: skipped a tactic",
    ]  # fmt: skip


def fails(exported, folders, *words: str) -> None:
    with pytest.raises(RuntimeError) as info:
        build(exported["plain"], **folders)
    for word in words:
        assert word in str(info.value)
    assert not folders["path"].exists()


def test_failures_are_told_in_tensorrts_words(machine, exported, folders):
    fake = machine.tensorrt(VERSIONS[0])
    fake.behave.build_fails = True
    fails(exported, folders, "tensorrt 10.3.0 could not build", "did not say why", "--verbose")
    fake.behave.says = [(Severity.ERROR, "out of memory"), (Severity.ERROR, "and so on")]
    fails(exported, folders, "could not build", ": out of memory; ", "--workspace")
    fake.behave.refuses_shapes = True
    fails(exported, folders, "could not take the shapes of", "--buckets")
    fake.behave.parse_error = "no importer"
    fails(exported, folders, "could not read", ": AlignPool node a/b_7: no importer; export the")
    fake.behave.no_builder = True
    fails(exported, folders, "could not start", "CUDA initialization failure", "nvidia-smi")


def test_an_engine_that_failed_leaves_the_old_one(machine, exported, folders):
    fake = machine.tensorrt(VERSIONS[0])
    old = build(exported["plain"], **folders)
    fake.behave.build_fails = True
    with pytest.raises(RuntimeError, match="could not build"):
        build(exported["plain"], **folders)
    assert EngineFile.read(folders["path"]) == old


def test_other_inputs_than_the_contracts(machine, exported, folders):
    machine.tensorrt(VERSIONS[0]).behave.inputs = ("features", "lengths")
    with pytest.raises(ValueError, match=r"inputs must be features, .* got features, lengths"):
        build(exported["plain"], **folders)


def test_no_tensorrt(machine, exported, folders):
    fails(exported, folders, "TensorRT is not installed", "sudo apt install nvidia-jetpack",
          "--system-site-packages", "pip install tensorrt-rtx")  # fmt: skip
    with pytest.raises(RuntimeError, match="module tensorrt is not installed"):
        build(exported["plain"], **folders, module="tensorrt")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise FileNotFoundError('libnvinfer.so.10 is absent')", "libnvinfer.so.10 is absent"),
        ("import tensorrt_libs_absent", "No module named 'tensorrt_libs_absent'"),
    ],
)
def test_a_broken_tensorrt_is_not_passed_over(machine, exported, folders, tmp_path, text, words):
    machine.tensorrt("1.7.1.116", None, name="tensorrt_rtx")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "tensorrt.py").write_text(text)
    machine.patch.delitem(sys.modules, "tensorrt")
    machine.patch.syspath_prepend(tmp_path / "site")
    fails(exported, folders, "tensorrt cannot be loaded", words)


def test_tensorrt_without_a_gpu(machine, exported, folders):
    machine.tensorrt(VERSIONS[0], None)
    fails(exported, folders, "none was found (libcuda.so.1 is not here)", "tensorrt_rtx")
    driver = ModuleType("cuda_driver")
    driver.gpus = list
    machine.patch.setitem(sys.modules, "gban_edge.runtime.cuda_driver", driver)
    fails(exported, folders, "none was found (the driver lists none)")


@pytest.mark.parametrize(
    ("version", "gpu", "file", "words"),
    [
        ("8.5.2", ORIN, "plain", "JetPack 5"),
        ("10.3.0", ORIN, "plugin", "--strip-functions"),
        ("11.1.0", ORIN, "plain", "does not support Jetson"),
    ],
)
def test_known_bad_combinations_are_refused_before_building(
    machine, exported, folders, tmp_path, version, gpu, file, words
):
    fake = machine.tensorrt(version, gpu)
    with pytest.raises(RuntimeError, match=words):
        build(exported[file], **folders)
    assert fake.calls == []


def test_cuda_version_from_the_systems_package(tmp_path):
    status = tmp_path / "status"
    status.write_text(
        "Package: libnvinfer-bin\nVersion: 9.9-1+cuda11.0\n\n"
        "Package: libnvinfer10\nStatus: install ok installed\nDescription: a\n b\n"
        "Version: 10.13.3.9-1+cuda13.0\n\nPackage: other\nVersion: 1\n"
    )
    assert tensorrt_module._packaged_cuda(status) == "13.0"
    status.write_text("Package: libnvinfer10\nStatus: ok\n\nPackage: z\nVersion: 1+cuda12.6\n")
    assert tensorrt_module._packaged_cuda(status) is None
    assert tensorrt_module._packaged_cuda(tmp_path / "absent") is None


def test_the_fake_refuses_what_the_bindings_refuse():
    config = fake_tensorrt.Builder.create_builder_config(
        type("Builder", (), {"fake": fake_tensorrt.make("10.3.0")})()
    )
    with pytest.raises(AttributeError, match="no attribute 'int8_mode'"):
        config.int8_mode = True
    assert not hasattr(fake_tensorrt.make("11.1.0").BuilderFlag, "FP16")
