"""EmotionRecognizer on ONNX Runtime: the same answers as the core's, from the ONNX file alone."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from helpers import ROOT, SMALL, speech_like
from onnx import TensorProto, helper
from runtime_models import make_model

from gban_edge import EmotionRecognizer
from gban_edge.config import GBANConfig
from gban_edge.deploy.onnx_export import export

load = EmotionRecognizer.from_pretrained


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model file, and an ONNX file in a folder without it."""
    folder = tmp_path_factory.mktemp("ort")
    model = make_model(folder / "m.safetensors", GBANConfig(vocabulary=60)).path
    (folder / "apart").mkdir()
    export(model, folder / "apart" / "m.onnx")
    return model, folder / "apart" / "m.onnx"


def utterances():
    sound = speech_like(np.random.default_rng(5), 130000).astype(np.float32)
    return [
        (sound[:40000], "w2 w3 who w5"), (sound[:120000], " ".join(f"w{i}" for i in range(2, 22))),
        (sound[:9000], ""), (sound[:0], "w9"), (sound, "w7 w8 w2"), (sound[:800], "w4"),
    ]  # fmt: skip


def test_the_answers_are_the_core_s(files):
    model, path = files
    ours, core = load(path), load(model, "cpu")
    assert ours.backend == "onnxruntime fp32 cpu"
    assert ours.backend_reason == "onnxruntime: the file is an ONNX file (.onnx)"
    assert load(path.parent, "onnxruntime").backend_reason == "onnxruntime: asked for"
    assert ours.labels == core.labels
    for (sound, words), batched in zip(
        utterances(), ours.recognize_batch(utterances()), strict=True
    ):
        theirs = core(sound, words)
        stream = ours.stream().push(sound).finish(words)
        for one in (ours(sound, words), batched, stream):
            assert one.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)
            assert one.contributions == pytest.approx(theirs.contributions, abs=1e-5)
            assert one.speech_weights == pytest.approx(theirs.speech_weights, abs=1e-5)
            assert one.text_weights == pytest.approx(theirs.text_weights, abs=1e-5)
            assert [w.word for w in one.alignment] == [w.word for w in theirs.alignment]
            assert (one.label, one.seconds, one.notes) == (
                theirs.label, theirs.seconds, theirs.notes,
            )  # fmt: skip


def test_it_needs_nothing_but_the_file_and_onnxruntime(files, tmp_path):
    """Not the package onnx, and no model file beside it."""
    shutil.copy(files[1], tmp_path / "alone.onnx")
    code = (
        "import sys; sys.modules['onnx'] = None; sys.modules['torch'] = None\n"
        "import numpy as np; from gban_edge import EmotionRecognizer\n"
        "print(EmotionRecognizer.from_pretrained('alone.onnx')(np.zeros(16000), 'w2').label)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert done.stdout.strip() in ("ang", "hap", "neu", "sad"), done.stderr


def changed(path, tmp_path, change):
    """The file with something changed."""
    made = onnx.load(path)
    change(made)
    onnx.save(made, tmp_path / "changed.onnx")
    return tmp_path / "changed.onnx"


def with_part(name, change):
    """A change of one part of the metadata."""

    def apply(made):
        for prop in made.metadata_props:
            if prop.key == name:
                value = json.loads(prop.value)
                change(value)
                prop.value = json.dumps(value)

    return apply


def test_files_that_are_not_ours(files, tmp_path):
    text = tmp_path / "text.onnx"
    text.write_text("this is no ONNX file")
    with pytest.raises(ValueError, match=r"text\.onnx: not an ONNX file that ONNX Runtime can run"):
        load(text)
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(files[1].read_bytes()[:50000])
    with pytest.raises(ValueError, match=r"cut\.onnx: not an ONNX file"):
        load(cut)
    info = helper.make_tensor_value_info
    node = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph(
        [node], "other", [info("x", TensorProto.FLOAT, [1])], [info("y", TensorProto.FLOAT, [1])]
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "other.onnx")
    with pytest.raises(
        ValueError, match=r"other\.onnx: not an ONNX file that gban-edge wrote.*exp"
    ):
        load(tmp_path / "other.onnx")
    with pytest.raises(FileNotFoundError, match=r"none\.onnx does not exist"):
        load(tmp_path / "none.onnx")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_part("gban_edge", lambda v: v.update(version=2)), "version 2 is not"),
        (with_part("gban_edge", lambda v: v.update(format="x")), "format 'x'"),
        (with_part("frontend", lambda v: v.update(version=99)), "frontend version 99 is not"),
        (with_part("model", lambda v: v.update(labels=["a"])), "labels must be 4 different names"),
        (with_part("model", lambda v: v.pop("config")), "incomplete or malformed"),
        (with_part("vocabulary", lambda v: v.pop()), "vocabulary must have 60 words"),
        (lambda made: made.metadata_props.pop(), "metadata lacks 'training'"),
        (with_part("model", lambda v: v["config"].update(hidden=0)), "hidden must be an integer"),
        (lambda made: made.graph.output.pop(), "outputs must be logits, "),
    ],
)
def test_files_that_were_changed(files, tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        load(changed(files[1], tmp_path, change))


def test_what_does_not_go_together(files, tmp_path):
    model, path = files
    with pytest.raises(ValueError, match=r"onnxruntime reads an ONNX file .*: gban-edge export"):
        load(model, "onnxruntime")
    with pytest.raises(ValueError, match=r"backend cpu reads a model file, got .*m\.onnx"):
        load(path, "cpu")
    with pytest.raises(ValueError, match=r"is fp32, and precision fp16 was asked for; export"):
        load(path, precision="fp16")
    assert load(path, precision="fp32").backend == "onnxruntime fp32 cpu"
    with pytest.raises(ValueError, match="threads must be an integer of at least 1, got 0"):
        load(path, threads=0)
    export(model, tmp_path / "stripped.onnx", flavour="plugin", functions=False)
    with pytest.raises(ValueError, match="TensorRT alone can run; export it again without --strip"):
        load(tmp_path / "stripped.onnx")


def test_without_the_package(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeError, match=r'pip install "gban-edge\[onnx\]"'):
        load(files[1])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(RuntimeError, match=r'pip install "gban-edge\[onnx\]"'):
        export(files[0], files[1].with_name("never.onnx"))


def test_inputs_are_checked_as_the_core_checks_them(files):
    network = load(files[1])._network
    core = load(files[0], "cpu")._network
    good, ids = np.zeros((70, 52), np.float32), np.array([2], np.int32)
    bad = np.zeros((70, 52), np.float32)
    bad[3, 5] = np.nan
    for frames, words in [
        (bad, ids), (good, np.array([60], np.int32)), (good, np.array([-1], np.int32)),
        (good, np.ones(513, np.int32)),
    ]:  # fmt: skip
        with pytest.raises(ValueError) as theirs:
            core.run([frames], [words])
        with pytest.raises(ValueError) as ours:
            network.run([frames], [words])
        assert str(ours.value) == str(theirs.value)
    with pytest.raises(ValueError, match=r"features must have shape \[N, 52\], got \[70, 51\]"):
        network.run([good[:, 1:]], [ids])
    with pytest.raises(
        ValueError, match="utterance 1: features must be finite, got nan at frame 3"
    ):
        network.run([good, bad], [ids, ids])
    with pytest.raises(ValueError, match="equally many, got 1 and 2"):
        network.run([good], [ids, ids])
    assert network.run([], []) == []


def test_a_weight_beyond_half_precision_is_refused(tmp_path):
    model = make_model(tmp_path / "m.safetensors", SMALL)
    weights = dict(model.weights)
    weights["classifier.output.weight"] = 1e5 * np.sign(weights["classifier.output.weight"])
    path = make_model(tmp_path / "big.safetensors", SMALL, weights=weights).path
    with pytest.raises(ValueError, match=r"classifier\.output\.weight holds 100000.* export fp32"):
        export(path, tmp_path / "x.onnx", precision="fp16")
    export(path, tmp_path / "x.onnx")


def test_values_that_are_not_finite_are_an_error(files, monkeypatch):
    network = load(files[1])._network
    session, frames = network._session, np.zeros((70, 52), np.float32)

    class Broken:
        def run(self, names, inputs):
            values = session.run(names, inputs)
            values[0][1, 2] = np.nan
            return values

    monkeypatch.setattr(network, "_session", Broken())
    with pytest.raises(RuntimeError, match="values are not finite for this utterance"):
        network.run([frames, frames], [np.array([2], np.int32)] * 2)
