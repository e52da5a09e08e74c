"""ONNX files against float64 and against each other, run by ONNX Runtime; what they say of
themselves; what is refused."""

import json

import numpy as np
import onnx
import pytest
from engine_policy import random_model
from helpers import SMALL
from parity import TOLERANCES, deviations, gaps_of_other_labels
from runtime_models import make_model

from gban_edge import bundle
from gban_edge.config import GBANConfig
from gban_edge.deploy import onnx_export
from gban_edge.deploy.onnx_export import FLAVOURS, PRECISIONS, export, network
from gban_edge.runtime.onnx_facts import INPUTS, OUTPUTS, OnnxFacts
from gban_edge.runtime.onnxruntime import OnnxRuntimeBackend, open_session

KINDS = [(flavour, precision) for flavour in FLAVOURS for precision in PRECISIONS]
CONFIGS = {
    "small": SMALL,
    "two layers": GBANConfig(vocabulary=40, lstm_layers=2, conv_filters=(6, 8), conv_kernel=3),
    "other kernels": GBANConfig.from_dict({**SMALL.to_dict(), "text_kernels": [1, 5], "hidden": 9}),
    "one kernel": GBANConfig.from_dict({**SMALL.to_dict(), "text_kernels": [3], "classes": 2}),
}


@pytest.fixture(scope="module")
def exported(parity_case, tmp_path_factory):
    """A file of each kind, by flavour and precision."""
    folder = tmp_path_factory.mktemp("onnx")
    files = {}
    for flavour, precision in KINDS:
        files[flavour, precision] = folder / f"{flavour}-{precision}.onnx"
        export(
            parity_case.model.path, files[flavour, precision], precision=precision, flavour=flavour
        )
    return files


def run_all(path, case, together=7):
    """Outputs of all utterances as dicts, in padded batches of several."""
    backend, made = OnnxRuntimeBackend(path), []
    for first in range(0, len(case.ids), together):
        some = slice(first, first + together)
        made += [vars(one) for one in backend.run(case.frames[some], case.ids[some])]
    return made


@pytest.fixture(scope="module")
def answers(exported, parity_case):
    return {kind: run_all(path, parity_case) for kind, path in exported.items()}


@pytest.mark.parametrize(("flavour", "precision"), KINDS)
def test_ragged_batches_against_float64(parity_case, answers, flavour, precision):
    """300 utterances, among them 0.05 s, 7.5 s, one word and none."""
    outputs, allowed = answers[flavour, precision], TOLERANCES[precision]
    found = deviations(parity_case, outputs)
    assert all(f <= a for f, a in zip(found, allowed, strict=True)), found
    assert (gaps_of_other_labels(parity_case, outputs) <= allowed.probability).all()
    if precision == "fp16":  # else fp32 would have been compared with fp32
        assert found.logit > 2 * TOLERANCES["fp32"].logit


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_plugin_nodes_mean_what_the_operators_do(answers, precision):
    for ours, theirs in zip(answers["plugin", precision], answers["plain", precision], strict=True):
        for name in OUTPUTS:
            limit = 1e-6 if precision == "fp32" else 2e-3
            scale = max(1.0, float(np.abs(theirs[name]).max()))
            np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=limit * scale)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_neither_padding_nor_company_matters(parity_case, exported, answers, precision):
    """Alone, an utterance has no padding at all; fp32 differs by the rounding of other kernels."""
    backend = OnnxRuntimeBackend(exported["plain", precision])
    limit = 2e-6 if precision == "fp32" else TOLERANCES["fp16"].probability
    for i in range(0, len(parity_case.ids), 15):
        alone = backend.run([parity_case.frames[i]], [parity_case.ids[i]])[0]
        for name in ("probabilities", "aligned_gate", "last_gate", "speech_weights", "alpha"):
            theirs = answers["plain", precision][i][name]
            np.testing.assert_allclose(getattr(alone, name), theirs, rtol=0, atol=limit)


@pytest.mark.parametrize(("flavour", "precision"), KINDS)
def test_what_lies_beyond_the_lengths_is_not_looked_at(parity_case, exported, flavour, precision):
    session = open_session(exported[flavour, precision], 1)
    rng = np.random.default_rng(3)
    lengths = np.array([0, 7, 61, 62, 150, 200], np.int32)
    spoken = np.array([1, 2, 3, 8, 1, 9], np.int32)
    x = rng.normal(size=(6, 200, 52)).astype(np.float32)
    ids = rng.integers(0, 400, (6, 9)).astype(np.int32)
    inputs = dict(zip(INPUTS, (x, lengths, ids, spoken), strict=True))
    first = session.run(None, inputs)
    for i in range(6):
        x[i, lengths[i] :] = [np.nan, 1e30, np.inf, -7, 0, 3][i]
        ids[i, spoken[i] :] = rng.integers(0, 400, 9 - spoken[i])
    for a, b in zip(first, session.run(None, inputs), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_length_out_of_range_gives_nan_for_its_utterance_alone(exported):
    session = open_session(exported["plain", "fp32"], 1)
    rng = np.random.default_rng(4)
    inputs = {
        "features": rng.normal(size=(6, 70, 52)).astype(np.float32),
        "feature_lengths": np.array([70, 71, -1, 5, 70, 70], np.int32),
        "words": rng.integers(0, 400, (6, 3)).astype(np.int32),
        "word_lengths": np.array([3, 1, 1, 0, 4, 1], np.int32),
    }
    logits, probabilities, *_ = session.run(None, inputs)
    bad = [False, True, True, True, True, False]
    assert (np.isnan(logits).all(axis=1) == bad).all()
    assert (np.isnan(probabilities).any(axis=1) == bad).all()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", CONFIGS)
def test_other_sizes(name, precision, tmp_path):
    config = CONFIGS[name]
    model = make_model(tmp_path / "m.safetensors", config, seed=5)
    export(model.path, tmp_path / "m.onnx", precision=precision)
    backend = OnnxRuntimeBackend(tmp_path / "m.onnx")
    rng = np.random.default_rng(6)
    frames = [rng.normal(-8, 4, (n, 52)).astype(np.float32) for n in (0, 1, 60, 61, 133, 80)]
    ids = [rng.integers(1, config.vocabulary, m).astype(np.int32) for m in (1, 2, 3, 4, 5, 12)]
    limit = 1e-5 if precision == "fp32" else 2e-2  # these weights are larger than trained ones
    for x, words, out in zip(frames, ids, backend.run(frames, ids), strict=True):
        gold = model.gold(x, list(words))
        np.testing.assert_allclose(out.probabilities, gold.probabilities, rtol=0, atol=limit)
        np.testing.assert_allclose(out.aligned_gate, gold.gates[0], rtol=0, atol=limit)
        np.testing.assert_allclose(out.last_gate, gold.gates[1], rtol=0, atol=limit)
        np.testing.assert_allclose(out.alpha, model.alpha(x, list(words)), rtol=0, atol=limit)


@pytest.mark.parametrize(("flavour", "precision"), KINDS)
def test_the_checker_and_the_types(exported, flavour, precision):
    """onnx's checker with full shape inference, by our own call; sizes that are known come out."""
    made = onnx.load(exported[flavour, precision])
    onnx.checker.check_model(made, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(made, strict_mode=True, data_prop=True)
    assert tuple(i.name for i in inferred.graph.input) == INPUTS
    assert tuple(o.name for o in inferred.graph.output) == OUTPUTS
    assert {o.type.tensor_type.elem_type for o in inferred.graph.output} == {onnx.TensorProto.FLOAT}
    floats = {
        t.data_type: t for t in made.graph.initializer if len(t.dims) > 1
    }  # weights; the frontend's and the sums' constants have at most one dimension
    wanted = onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.FLOAT
    assert set(floats) == {wanted}
    kinds = {node.op_type for node in made.graph.node if node.domain}
    assert kinds == ({"BiLSTM", "AlignPool"} if flavour == "plugin" else set())
    names = [node.name for node in made.graph.node]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("flavour", "precision"), KINDS)
def test_it_says_all_that_a_runtime_needs(parity_case, exported, flavour, precision):
    session = open_session(exported[flavour, precision], 1)
    facts = OnnxFacts.read(session.get_modelmeta().custom_metadata_map, "x")
    model = bundle.load(parity_case.model.path)
    assert (facts.model, facts.config) == ("gban", model.config)
    assert (facts.labels, facts.vocabulary) == (model.labels, model.vocabulary)
    assert (facts.precision, facts.flavour) == (precision, flavour)
    assert facts.functions == (flavour == "plugin")
    parts = {name: json.loads(text) for name, text in facts.parts.items()}
    assert parts["frontend"]["mean"] == [float(v) for v in model.standardisation.mean]
    assert parts["frontend"]["deviation"] == [float(v) for v in model.standardisation.deviation]
    assert parts["calibration"] == {"temperature": model.temperature}
    assert parts["training"] == model.training
    assert parts["onnx"]["opset"] == 17
    assert parts["onnx"]["minimum_frames"] == 61


def test_names_of_any_language_survive(tmp_path):
    model, path = random_model(tmp_path, SMALL, seed=1)
    words = ("<pad>", "<unk>", "ärger", "怒り", *model.vocabulary.words[4:])
    path = tmp_path / "named.safetensors"
    bundle.save(
        path, model.weights, SMALL, type(model.vocabulary)(words), model="gban",
        labels=("wütend", "froh", "中立", "traurig"), standardisation=model.standardisation,
        training={"note": "–"},
    )  # fmt: skip
    export(path, tmp_path / "x.onnx")
    facts = OnnxRuntimeBackend(tmp_path / "x.onnx").facts
    assert facts.labels[2] == "中立"
    assert facts.vocabulary.words == words
    assert json.loads(facts.parts["training"]) == {"note": "–"}


def test_the_same_model_gives_the_same_file(exported, parity_case, tmp_path):
    for (flavour, precision), path in exported.items():
        again = tmp_path / path.name
        export(parity_case.model.path, again, precision=precision, flavour=flavour)
        assert again.read_bytes() == path.read_bytes()


def test_half_precision_is_half_as_large(exported):
    sizes = {kind: path.stat().st_size for kind, path in exported.items()}
    for flavour in FLAVOURS:
        assert 0.45 < sizes[flavour, "fp16"] / sizes[flavour, "fp32"] < 0.56


def test_what_is_refused(parity_case, tmp_path, monkeypatch):
    path = parity_case.model.path
    with pytest.raises(ValueError, match="precision must be one of fp32, fp16, got 'int8'"):
        export(path, tmp_path / "x.onnx", precision="int8")
    with pytest.raises(ValueError, match="flavour must be one of plain, plugin, got 'fast'"):
        export(path, tmp_path / "x.onnx", flavour="fast")
    small = make_model(tmp_path / "small.safetensors", SMALL).path
    with pytest.raises(ValueError, match=r"hidden to be one of \(128, 256\).* got 10"):
        export(small, tmp_path / "x.onnx", flavour="plugin")
    other = make_model(tmp_path / "other.safetensors", SMALL, name="mdre").path
    with pytest.raises(ValueError, match="must be gban, the only one exported, got 'mdre'"):
        export(other, tmp_path / "x.onnx")
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors does not exist"):
        export(tmp_path / "none.safetensors", tmp_path / "x.onnx")
    monkeypatch.setattr(onnx_export, "write_nodes", lambda *a: (_ for _ in ()).throw(ValueError()))
    (tmp_path / "kept.onnx").write_text("as before")
    with pytest.raises(ValueError):
        export(path, tmp_path / "kept.onnx")
    assert (tmp_path / "kept.onnx").read_text() == "as before"
    assert not (tmp_path / "x.onnx").exists()


def test_stripped_functions_leave_nothing_but_the_nodes(parity_case, tmp_path):
    made = network(bundle.load(parity_case.model.path), flavour="plugin", functions=False)
    assert not made.functions
    for node in made.graph.node:
        if node.domain:
            values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            assert values["plugin_version"] == b"1"
            assert values["plugin_namespace"] == b"gban_edge"
