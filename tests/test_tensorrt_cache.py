"""The engine cache: what is taken from it, what is built anew, and two that want the same."""

import fcntl
import json
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest
from engine_machines import HOPPER, Machines
from engine_policy import random_model
from helpers import ROOT, SMALL

from gban_edge.config import GBANConfig
from gban_edge.deploy.onnx_export import export
from gban_edge.deploy.tensorrt_build import build
from gban_edge.deploy.tensorrt_cache import engine_for
from gban_edge.runtime.engine_file import EngineFile, EngineKey, sidecar

CONFIG = GBANConfig.from_dict({**SMALL.to_dict(), "hidden": 128})
NODES = {("BiLSTM", "1", "gban_edge"), ("AlignPool", "1", "gban_edge")}
OTHER_FIELDS = {
    "tensorrt": "10.3.1", "module": "tensorrt_rtx", "gpu": "Thor", "capability": "11.0",
    "plugin": "c" * 64, "onnx": "d" * 64, "precision": "fp16", "buckets": [[747, 512]],
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    for seed in (1, 2):
        _, model = random_model(folder, CONFIG, seed)
        export(model, folder / f"fp32-{seed}.onnx")
        export(model, folder / f"fp16-{seed}.onnx", precision="fp16")
        export(model, folder / f"plugin-{seed}.onnx", flavour="plugin")
    return {path.stem: path for path in folder.glob("*.onnx")}


class Here:
    """A machine with a fake TensorRT, and its cache."""

    def __init__(self, monkeypatch, folder) -> None:
        self.machine, self.folder = Machines(monkeypatch), folder
        self.fake = self.machine.tensorrt("10.3.0")
        self.said: list[str] = []

    def wants(self, path, **options) -> EngineFile:
        return engine_for(path, cache=self.folder, log=self.said.append, **options)

    def built(self, fake=None) -> int:
        return sum(call[0] == "build_serialized_network" for call in (fake or self.fake).calls)


@pytest.fixture
def here(monkeypatch, tmp_path) -> Here:
    return Here(monkeypatch, tmp_path / "cache")


def test_an_engine_is_built_once(here, exported):
    first = here.wants(exported["fp32-1"])
    assert here.wants(str(exported["fp32-1"])) == first
    assert here.built() == 1
    assert first.path.parent == here.folder
    assert first.path.name == f"fp32-1-{first.key.digest()}.engine"


def test_what_build_left_beside_the_file_is_not_built_again(here, exported, tmp_path):
    source = tmp_path / "x.onnx"
    source.write_bytes(exported["fp32-1"].read_bytes())
    left = build(source)
    assert here.wants(source) == left
    assert here.built() == 1
    source.write_bytes(exported["fp16-1"].read_bytes())  # now it is stale
    assert here.wants(source).path.parent == here.folder
    assert here.built() == 2


def test_the_folder_is_the_environments_or_the_homes(here, exported, monkeypatch, tmp_path):
    monkeypatch.setenv("GBAN_EDGE_CACHE", str(tmp_path / "named"))
    assert engine_for(exported["fp32-1"]).path.parent == tmp_path / "named"
    monkeypatch.delenv("GBAN_EDGE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = engine_for(exported["fp32-1"])
    assert made.path.parent == tmp_path / "home" / ".cache" / "gban-edge" / "engines"


def test_whatever_changes_the_key_makes_another_engine(here, exported, tmp_path):
    """Every field of EngineKey once; the engines before stay."""
    here.fake.behave.plugin_layers = 2
    library = tmp_path / "plugins.so"
    library.write_bytes(b"one")
    engines = [here.wants(exported["fp32-1"])]

    def differs(field: str, path, **options) -> None:
        made = here.wants(path, **options)
        assert getattr(made.key, field) != getattr(engines[0].key, field)
        assert made.path not in {engine.path for engine in engines}
        engines.append(made)

    differs("onnx", exported["fp32-2"])
    differs("precision", exported["fp16-1"])
    differs("buckets", exported["fp32-1"], buckets=((747, 512),))
    differs("buckets", exported["fp32-1"], dynamic=True)
    here.machine.gpu(("Orin (other)", (8, 7)))
    differs("gpu", exported["fp32-1"])
    here.machine.gpu(("Orin", (8, 9)))
    differs("capability", exported["fp32-1"])
    fake = here.machine.tensorrt("10.16.2")
    differs("tensorrt", exported["fp32-1"])
    here.machine.opening(fake, NODES)
    differs("plugin", exported["plugin-1"], plugin=library)
    library.write_bytes(b"two, of the same path")
    differs("plugin", exported["plugin-1"], plugin=library)
    here.machine.tensorrt("10.3.0", name="tensorrt_rtx")
    differs("module", exported["fp32-1"], module="tensorrt_rtx")
    assert all(EngineFile.read(engine.path) == engine for engine in engines)


def test_options_of_the_builder_make_another_engine(here, exported):
    plain, quick = here.wants(exported["fp32-1"]), here.wants(exported["fp32-1"], level=0)
    small = here.wants(exported["fp32-1"], level=0, workspace=64)
    assert len({plain.path, quick.path, small.path}) == here.built() == 3


@pytest.mark.parametrize("field", EngineKey.__dataclass_fields__)
def test_an_engine_of_another_key_is_never_taken(here, exported, field):
    """As if copied over the right name, from another machine or version."""
    first = here.wants(exported["fp32-1"])
    told = json.loads(sidecar(first.path).read_text())
    told["key"] = {**told["key"], field: OTHER_FIELDS[field]}
    sidecar(first.path).write_text(json.dumps(told))
    again = here.wants(exported["fp32-1"])
    assert here.built() == 2
    assert again.key == first.key == EngineFile.read(first.path).key
    assert any(line.startswith("building anew: ") for line in here.said)


def test_a_damaged_engine_is_built_anew(here, exported):
    first = here.wants(exported["fp32-1"])
    for damage in (
        lambda: first.path.write_bytes(b"a plam"),
        lambda: first.path.write_bytes(b""),
        lambda: sidecar(first.path).write_text("{"),
        lambda: sidecar(first.path).unlink(),
        lambda: first.path.unlink(),
    ):
        damage()
        before = here.built()
        assert here.wants(exported["fp32-1"]).plan() == b"a plan"
        assert here.built() == before + 1
        assert EngineFile.read(first.path).key == first.key


def test_a_build_that_fails_leaves_nothing_and_no_lock(here, exported):
    here.fake.behave.build_fails = True
    with pytest.raises(RuntimeError, match="could not build"):
        here.wants(exported["fp32-1"])
    assert not list(here.folder.glob("*.engine"))
    here.fake.behave.build_fails = False
    assert here.wants(exported["fp32-1"]).plan() == b"a plan"


def test_a_cache_that_cannot_be_written(here, exported):
    here.folder.write_text("a file where the folder should be")
    with pytest.raises(RuntimeError, match=r"cache cannot be written .*GBAN_EDGE_CACHE"):
        here.wants(exported["fp32-1"])


def test_two_threads_build_one_engine(here, exported):
    """The second comes while the first builds, waits, and takes what was built."""
    waiting, results, said = threading.Event(), [], []

    def second() -> None:
        def heard(line: str) -> None:
            said.append(line)
            waiting.set()

        results.append(engine_for(exported["fp32-1"], cache=here.folder, log=heard))

    other = threading.Thread(target=second)

    def meanwhile() -> None:
        other.start()
        assert waiting.wait(20), "the second did not wait for the first"
        assert not results

    here.fake.behave.meanwhile = meanwhile
    first = here.wants(exported["fp32-1"])
    other.join(20)
    assert results == [first]
    assert said == [f"waiting for another process that builds {first.path}"]
    assert here.built() == 1


PROCESS = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
import pytest
from engine_machines import Machines
from gban_edge.deploy.tensorrt_cache import engine_for
fake = Machines(pytest.MonkeyPatch()).tensorrt("10.3.0")
made = engine_for({onnx!r}, cache={folder!r}, log=lambda line: print(line, flush=True))
print(len(fake.calls), made.plan().decode(), flush=True)
"""


def test_another_process_waits_and_takes_what_was_built(here, exported):
    first = here.wants(exported["fp32-1"])
    kept = {path: path.read_bytes() for path in (first.path, sidecar(first.path))}
    for path in kept:
        path.unlink()
    code = PROCESS.format(
        tests=str(ROOT / "tests"), root=str(ROOT), onnx=str(exported["fp32-1"]),
        folder=str(here.folder),
    )  # fmt: skip
    with first.path.with_name(first.path.name + ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        other = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert other.stdout.readline() == f"waiting for another process that builds {first.path}\n"
        for path, data in kept.items():
            path.write_bytes(data)
    out, errors = other.communicate(timeout=60)
    assert out == "0 a plan\n", errors


def test_what_cannot_be_built_is_refused_though_an_engine_is_there(here, exported):
    here.wants(exported["fp32-1"])
    here.machine.tensorrt("10.3.0", None)
    with pytest.raises(RuntimeError, match="none was found"):
        here.wants(exported["fp32-1"])
    here.machine.gpu(HOPPER)
    assert asdict(here.wants(exported["fp32-1"]).key)["capability"] == "9.0"
