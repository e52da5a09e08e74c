import json

import numpy as np
import pytest
import torch
from helpers import SMALL, ragged_batch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from gban_edge import bundle, models
from gban_edge.bundle import Standardisation
from gban_edge.labels import LABELS
from gban_edge.text import PAD, UNKNOWN, Vocabulary

VOCABULARY = Vocabulary((PAD, UNKNOWN, *(f"w{i}'é" for i in range(SMALL.vocabulary - 2))))
RNG = np.random.default_rng(0)
STANDARD = Standardisation(
    RNG.standard_normal(52).astype(np.float32), RNG.uniform(0.1, 9, 52).astype(np.float32)
)


@pytest.fixture
def path(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "model.safetensors"
    bundle.save(
        path, models.build("gban", SMALL), SMALL, VOCABULARY, model="gban", labels=LABELS,
        standardisation=STANDARD, training={"fold": 3, "wa": 0.5}, temperature=1.25,
    )  # fmt: skip
    return path


def test_round_trip_without_torch_types(path):
    loaded = bundle.load(path)
    assert loaded.model == "gban"
    assert loaded.config == SMALL
    assert loaded.labels == LABELS
    assert loaded.vocabulary == VOCABULARY
    assert loaded.training == {"fold": 3, "wa": 0.5}
    assert loaded.temperature == 1.25
    np.testing.assert_array_equal(loaded.standardisation.mean, STANDARD.mean)
    np.testing.assert_array_equal(loaded.standardisation.deviation, STANDARD.deviation)
    assert all(type(w) is np.ndarray for w in loaded.weights.values())


def test_a_loaded_network_computes_the_same(path):
    torch.manual_seed(0)
    model = models.build("gban", SMALL).eval()
    batch = ragged_batch(np.random.default_rng(1), SMALL, 4)
    assert torch.equal(models.from_bundle(bundle.load(path))(*batch).logits, model(*batch).logits)


def rewrite(path, weights=None, **metadata):
    """Change parts of a model file, with no check in the way."""
    with safe_open(path, framework="numpy") as file:
        texts = dict(file.metadata())
    for key, value in metadata.items():
        if value is None:
            del texts[key]
        else:
            texts[key] = value if isinstance(value, str) else json.dumps(value)
    save_file(weights or load_file(path), path, metadata=texts)


def test_wrong_weights_are_refused_by_name(path):
    weights = load_file(path)
    for name, change, words in [
        ("classifier.output.bias", lambda w: w[:3], r"bias must have shape \[4\], got \[3\]"),
        ("fusion.last.gate.weight", lambda w: w.T.copy(), "fusion.last.gate.weight must have"),
        ("text.convs.1.bias", lambda w: w * np.nan, "text.convs.1.bias holds values .* not finite"),
        ("text.convs.1.bias", lambda w: w + np.inf, "text.convs.1.bias holds values .* not finite"),
        ("text.embedding.weight", lambda w: w + 1, "row 0 .* the vector of <pad>, must be zero"),
        ("text.convs.1.bias", lambda w: w.astype(np.float64), "must be float32, got float64"),
    ]:
        rewrite(path, {**weights, name: np.ascontiguousarray(change(weights[name]))})
        with pytest.raises(ValueError, match=words):
            bundle.load(path)
    rewrite(path, {k: v for k, v in weights.items() if k != "classifier.hidden.weight"})
    with pytest.raises(ValueError, match=r"missing \['classifier.hidden.weight'\]"):
        bundle.load(path)
    rewrite(path, {**weights, "spare": np.zeros(1, np.float32)})
    with pytest.raises(ValueError, match=r"unknown \['spare'\]"):
        bundle.load(path)


CONFIG = SMALL.to_dict()


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"gban_edge": {"version": 99}}, "version 99 is not 1"),
        ({"gban_edge": None}, "not a gban-edge model file"),
        ({"vocabulary": None}, "lacks 'vocabulary'"),
        ({"vocabulary": "[1,"}, "'vocabulary' is not JSON"),
        ({"vocabulary": [PAD, UNKNOWN]}, "vocabulary must have 30 words"),
        ({"vocabulary": ["a", "b"]}, "must begin with"),
        ({"model": {"name": "gbam", "config": CONFIG, "labels": list(LABELS)}}, "got 'gbam'"),
        ({"model": {"name": "gban", "config": CONFIG, "labels": ["a", "b"]}}, "labels must be 4"),
        ({"model": {"name": "gban", "config": CONFIG, "labels": ["a"] * 4}}, "labels must be 4"),
        ({"model": {"name": "gban", "config": {**CONFIG, "hidden": 0}, "labels": []}}, "hidden"),
        ({"model": {"name": "gban", "config": {**CONFIG, "hidden": 11}, "labels": list(LABELS)}},
         "must have shape"),
        ({"model": [1]}, "malformed"),
        ({"frontend": {"version": 7, "mean": [], "deviation": []}}, "frontend version 7"),
        ({"frontend": {"version": 1, "mean": [0.0] * 51, "deviation": [1.0] * 52}}, "mean must"),
        ({"frontend": {"version": 1, "mean": [0.0] * 52, "deviation": [0.0] * 52}}, "positive"),
        ({"frontend": {"version": 1}}, "malformed"),
        ({"calibration": {"temperature": 0.0}}, "temperature must be positive, got 0.0"),
        ({"calibration": {"temperature": -1}}, "temperature must be positive"),
        ({"calibration": '{"temperature": NaN}'}, "temperature must be positive, got nan"),
        ({"calibration": {}}, "malformed"),
        ({"calibration": {"temperature": "1"}}, "malformed"),
        ({"calibration": {"temperature": 10**400}}, "malformed"),
        ({"frontend": {"version": 1, "mean": [10**400], "deviation": []}}, "malformed"),
        ({"frontend": {"version": 1, "mean": [[0.0]], "deviation": []}}, "malformed"),
        ({"frontend": {"version": 1, "mean": [1e39] * 52, "deviation": [1.0] * 52}}, "mean must"),
        ({"training": [["a", 1]]}, "malformed"),
        ({"training": "[" * 100000}, "'training' is not JSON"),
        ({"training": '{"a":' * 128 + "0" + "}" * 128}, "nested more than 127 deep"),
        ({"vocabulary": [PAD, UNKNOWN, "\ud800"]}, "'vocabulary' is not JSON"),
        ({"vocabulary": [PAD, UNKNOWN, 7]}, "malformed"),
        ({"model": {"name": "gban", "config": CONFIG, "labels": "abcd"}}, "malformed"),
    ],
)  # fmt: skip
def test_wrong_metadata_is_refused_by_name(path, metadata, words):
    rewrite(path, **metadata)
    with pytest.raises(ValueError, match=words) as caught:
        bundle.load(path)
    assert str(path) in str(caught.value)


def test_a_file_without_a_temperature_has_1(path):
    rewrite(path, calibration=None)
    assert bundle.load(path).temperature == 1.0


def test_a_shape_that_numpy_does_not_take_is_a_value_error(path):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["spare"] = {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    with pytest.raises(ValueError, match="not a readable safetensors file") as caught:
        bundle.load(path)
    assert str(path) in str(caught.value)


def test_damaged_files_never_crash(path):
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(200):
        data = bytearray(whole)
        if trial % 2:
            data = data[: rng.integers(len(data))]
        else:
            for place in rng.integers(0, 4000, 3):  # the header, where damage means something
                data[place] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            bundle.load(path)
        except ValueError as error:
            refused += str(path) in str(error)
    assert refused > 150


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        bundle.load(tmp_path / "nowhere.safetensors")


def test_save_refuses_what_load_would_and_leaves_nothing(tmp_path):
    state = models.build("gban", SMALL).state_dict()
    state["classifier.output.bias"][0] = float("nan")
    target = tmp_path / "m.safetensors"
    with pytest.raises(ValueError, match="bias holds values"):
        bundle.save(
            target, state, SMALL, VOCABULARY, model="gban", labels=LABELS, standardisation=STANDARD
        )
    assert not list(tmp_path.iterdir())


def test_standardisation():
    rng = np.random.default_rng(2)
    parts = [rng.normal(3.0, 2.0, (n, 52)).astype(np.float32) for n in (5, 0, 200)]
    fitted = Standardisation.fit(parts)
    whole = np.concatenate([fitted(p) for p in parts])
    np.testing.assert_allclose(whole.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(whole.std(axis=0), 1, atol=1e-5)
    constant = Standardisation.fit([np.ones((3, 52), np.float32)])
    assert np.isfinite(constant(np.ones((1, 52), np.float32))).all()
    with pytest.raises(ValueError, match="at least one frame"):
        Standardisation.fit([parts[1]])
