"""The plugin library: which one is taken, how it is loaded, and those that do not serve."""

import shutil

import pytest
from engine_machines import Machines
from engine_policy import random_model
from helpers import SMALL

from gban_edge.config import GBANConfig
from gban_edge.core import native
from gban_edge.deploy import tensorrt_plugin
from gban_edge.deploy.onnx_export import export
from gban_edge.deploy.tensorrt_build import build
from gban_edge.runtime.engine_file import file_digest

NODES = {("BiLSTM", "1", "gban_edge"), ("AlignPool", "1", "gban_edge")}
CONFIG = GBANConfig.from_dict({**SMALL.to_dict(), "hidden": 128})


@pytest.fixture
def machine(monkeypatch) -> Machines:
    return Machines(monkeypatch)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """ONNX files with plugin nodes; "stripped" is the one without functions."""
    folder = tmp_path_factory.mktemp("onnx")
    _, model = random_model(folder, CONFIG, 1)
    for name, functions in (("plugin", True), ("stripped", False)):
        export(model, folder / f"{name}.onnx", flavour="plugin", functions=functions)
    return {path.stem: path for path in folder.glob("*.onnx")}


@pytest.fixture
def folders(tmp_path):
    """Where the engine and the timing cache go."""
    return {"path": tmp_path / "e.engine", "cache": tmp_path / "cache"}


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "libgban_edge_tensorrt.so"
    path.write_bytes(b"a library")
    return path


@pytest.mark.parametrize(
    ("version", "file"), [("10.3.0", "stripped"), ("10.16.2", "plugin"), ("11.4.1", "plugin")]
)
def test_the_plugin_library_is_loaded_and_in_the_key(
    machine, exported, folders, library, version, file
):
    fake = machine.tensorrt(version)
    opened = machine.opening(fake, NODES)
    machine.library = library
    made = build(exported[file], **folders)
    assert opened == [str(library)]
    assert made.key.plugin == file_digest(library)
    assert not any(call[0] == "load_library" for call in fake.calls)
    other = library.with_name("other.so")
    other.write_bytes(b"another library")
    with pytest.raises(RuntimeError, match=r"another library .* start a new process"):
        build(exported[file], **folders, plugin=other)


def test_a_library_that_was_open_before_tensorrt(machine, exported, folders, library):
    """It did not register itself then: the registry is asked to load it."""
    fake = machine.tensorrt("10.16.2")
    machine.opening(fake, set())
    fake.behave.creators_by_registry = NODES
    build(exported["plugin"], **folders, plugin=library)
    assert fake.calls[0] == ("load_library", str(library))


def test_plugin_libraries_that_do_not_serve(machine, exported, folders, library):
    fake = machine.tensorrt("10.16.2")
    with pytest.raises(RuntimeError, match=r"no libgban_edge_tensorrt.so: .*--flavour plain"):
        build(exported["plugin"], **folders)
    with pytest.raises(FileNotFoundError, match=r"absent.so does not exist"):
        build(exported["plugin"], **folders, plugin=folders["path"].with_name("absent.so"))
    machine.opening(fake, set(), error="undefined symbol: x")
    with pytest.raises(RuntimeError, match=r"cannot be loaded \(undefined symbol: x\).*10.16.2"):
        build(exported["plugin"], **folders, plugin=library)
    machine.opening(fake, {("BiLSTM", "1", "gban_edge")})
    with pytest.raises(RuntimeError, match="did not register BiLSTM and AlignPool"):
        build(exported["plugin"], **folders, plugin=library)


def test_functions_in_the_plugins_place_are_an_error(machine, exported, folders, library):
    fake = machine.tensorrt("10.16.2")
    machine.opening(fake, NODES)
    fake.behave.plugin_layers = 1
    with pytest.raises(RuntimeError, match=r"made 1 plugins of the 2 plugin nodes"):
        build(exported["plugin"], **folders, plugin=library)


def test_what_is_loaded_is_told_from_what_is_not(tmp_path):
    """By the system's own loader, on a real library and a copy of it."""
    core = native().__file__
    assert tensorrt_plugin._is_loaded(core)
    copy = tmp_path / "copy.so"
    shutil.copy(core, copy)
    assert not tensorrt_plugin._is_loaded(copy)
