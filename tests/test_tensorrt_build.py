"""The plain network through TensorRT-RTX's own parser and builder, which need no GPU: no warning
that is not explained here; and what is refused."""

import platform
import sys
from pathlib import Path

import onnx
import pytest
from engine_machines import Machines
from engine_policy import random_model
from helpers import SMALL

from gban_edge.config import GBANConfig
from gban_edge.deploy.onnx_export import export
from gban_edge.deploy.tensorrt_build import build
from gban_edge.runtime.engine_buckets import BUCKETS
from gban_edge.runtime.engine_file import EngineFile, file_digest
from gban_edge.runtime.onnx_facts import OnnxFacts

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="tensorrt_rtx has wheels for Linux on x86-64 alone",
)
CONFIGS = {
    "small": SMALL,
    "authors": GBANConfig(vocabulary=300),
    "layers": GBANConfig.from_dict({**SMALL.to_dict(), "lstm_layers": 2}),
}
# What TensorRT may warn of while it reads or builds this network, by its first words: why it does
# no harm. Anything else fails a test.
EXPLAINED: dict[str, str] = {}


@pytest.fixture(scope="module")
def rtx():
    """The real module; on these machines the extra [test] installs it."""
    import tensorrt_rtx

    return tensorrt_rtx


@pytest.fixture(autouse=True)
def machine(monkeypatch, rtx):
    """This machine with TensorRT-RTX and, as far as building goes, no GPU."""
    machine = Machines(monkeypatch)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", rtx)
    return machine


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[tuple[str, str], Path]:
    """The ONNX files, by sizes and precision."""
    folder, files = tmp_path_factory.mktemp("onnx"), {}
    for seed, (sizes, config) in enumerate(CONFIGS.items()):
        _, model = random_model(folder, config, seed)
        for precision in ("fp32", "fp16"):
            files[sizes, precision] = folder / f"{sizes}-{precision}.onnx"
            export(model, files[sizes, precision], precision=precision)
    return files


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("sizes", CONFIGS)
def test_the_plain_network_builds_without_a_warning(exported, tmp_path, sizes, precision, dynamic):
    source, said = exported[sizes, precision], []
    made = build(source, tmp_path / "e.engine", dynamic=dynamic, log=said.append)
    loud = [line for line in said if not line.startswith("info: ")]
    unexplained = [w for w in (*made.warnings, *loud) if not w.startswith(tuple(EXPLAINED) or "\0")]
    assert not unexplained
    assert said, "TensorRT's messages did not arrive, so no warning could have"
    assert made.key.buckets == (() if dynamic else BUCKETS)
    assert (made.key.module, made.key.gpu, made.key.precision) == (
        "tensorrt_rtx",
        "none",
        precision,
    )
    assert made.key.onnx == file_digest(source)
    assert made.path.stat().st_size > 10_000
    read = EngineFile.read(made.path)
    assert read == made
    metadata = {entry.key: entry.value for entry in onnx.load(source).metadata_props}
    assert read.facts == OnnxFacts.read(metadata, "here")


def test_a_warning_would_be_seen(exported, tmp_path):
    """The parser warns of two nodes of one name: it arrives, is kept, and is not explained."""

    def rename(model):
        model.graph.node[0].name = model.graph.node[1].name = "same"

    said = []
    path = broken(exported, tmp_path, rename)
    made = build(path, tmp_path / "e.engine", dynamic=True, log=said.append)
    assert any("node named same" in warning for warning in made.warnings)
    assert EngineFile.read(made.path).warnings == made.warnings
    assert [line for line in said if line.startswith("warning: ")]
    assert not made.warnings[0].startswith(tuple(EXPLAINED) or "\0")


def test_own_buckets_are_profiles(exported, tmp_path):
    buckets = ((97, 4), (747, 512))
    made = build(exported["small", "fp16"], tmp_path / "e.engine", buckets=buckets)
    assert EngineFile.read(made.path).key.buckets == buckets


def test_the_engine_is_beside_the_onnx_file_unless_told(exported, tmp_path):
    source = tmp_path / "model.onnx"
    source.write_bytes(exported["small", "fp32"].read_bytes())
    assert build(source, dynamic=True).path == tmp_path / "model.engine"


def broken(exported, tmp_path, change) -> Path:
    """A changed copy of an ONNX file."""
    model = onnx.load(exported["small", "fp32"])
    change(model)
    path = tmp_path / "broken.onnx"
    onnx.save(model, path)
    return path


def test_what_tensorrt_cannot_read_is_told_in_its_words(exported, tmp_path):
    def rename(model):
        model.graph.node[5].op_type = "NoSuchOperator"

    path = broken(exported, tmp_path, rename)
    with pytest.raises(
        RuntimeError, match=r"could not read .*: NoSuchOperator node .*Plugin not found.*export"
    ):
        build(path, tmp_path / "e.engine")
    assert not (tmp_path / "e.engine").exists()


def test_an_interface_other_than_the_metadata_says(exported, tmp_path):
    def rename(model):
        model.graph.output[0].name = "scores"
        last = next(node for node in model.graph.node if "logits" in node.output)
        last.output[0] = "scores"
        for node in model.graph.node:
            node.input[:] = ["scores" if name == "logits" else name for name in node.input]

    path = broken(exported, tmp_path, rename)
    with pytest.raises(ValueError, match=r"outputs must be logits, .*got .*scores"):
        build(path, tmp_path / "e.engine")


def test_files_that_are_not_ours(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        build(tmp_path / "absent.onnx")
    text = tmp_path / "text.onnx"
    text.write_text("This is not an ONNX file at all.")
    with pytest.raises(ValueError, match=r"text.onnx: not an ONNX file"):
        build(text)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "other",
        [value("x", onnx.TensorProto.FLOAT, [1])], [value("y", onnx.TensorProto.FLOAT, [1])],
    )  # fmt: skip
    other = tmp_path / "other.onnx"
    onnx.save(onnx.helper.make_model(graph), other)
    with pytest.raises(ValueError, match="not an ONNX file that gban-edge wrote"):
        build(other)
    assert not list(tmp_path.glob("*.engine"))


def test_the_metadata_is_read_through_onnxruntime_too(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    made = build(exported["small", "fp32"], tmp_path / "e.engine", dynamic=True)
    assert made.facts.config == SMALL
    text = tmp_path / "text.onnx"
    text.write_text("This is not an ONNX file at all.")
    with pytest.raises(ValueError, match=r"not an ONNX file .*pip install onnx"):
        build(text)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeError, match=r"pip install \"gban-edge\[onnx\]\""):
        build(exported["small", "fp32"])


def test_rtx_takes_no_plugins(tmp_path):
    _, model = random_model(tmp_path, CONFIGS["authors"], 7)
    export(model, tmp_path / "p.onnx", flavour="plugin")
    with pytest.raises(RuntimeError, match=r"takes no plugins .*--flavour plain"):
        build(tmp_path / "p.onnx")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workspace": 0}, "workspace must be at least 1 MiB"),
        ({"level": 6}, "level must be 0 to 5"),
        ({"buckets": ((60, 8), (747, 512))}, "at least 61 frames"),
        ({"buckets": ((197, 8),), "dynamic": True}, "buckets cannot be given with dynamic"),
        ({"module": "tensort"}, "module must be one of auto, tensorrt, tensorrt_rtx"),
        ({"plugin": "lib.so"}, "has no plugin nodes"),
    ],
)
def test_arguments_out_of_range(exported, options, words):
    with pytest.raises(ValueError, match=words):
        build(exported["authors", "fp32"], **options)
