"""EmotionRecognizer: its answers against float64, and everything that it refuses."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from helpers import SMALL, speech_like
from runtime_models import DEVIATION, MEAN, make_model
from test_equations import random_weights

import gban_edge
from gban_edge import EmotionRecognizer, bundle, features
from gban_edge.config import GBANConfig
from gban_edge.core import native
from gban_edge.runtime import Result
from gban_edge.runtime import cuda as cuda_backend
from gban_edge.runtime.result import heard_by

# The worst that 20 networks of each of the systems below had: 5.5e-7.
TOLERANCE = 1e-5
SYSTEMS = ("gban", "gmu", "tfl", "concat_1", "concat_2", "a_s", "a_t", "h_s", "h_t")
WORDS = "W2, w3 who w5! w6 w7"
IDS = [2, 3, 1, 5, 6, 7]
PCM = speech_like(np.random.default_rng(0), 30000).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model") / "gban.safetensors", SMALL)


@pytest.fixture(scope="module")
def rec(model):
    return EmotionRecognizer.from_pretrained(model.path, "cpu")


def same(one: Result, other: Result) -> None:
    """Equal to the last bit, apart from how long it took."""
    assert {**one.to_dict(), "timings": None} == {**other.to_dict(), "timings": None}


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_probabilities_are_those_of_the_equations(tmp_path, name, temperature):
    model = make_model(tmp_path / "x.safetensors", SMALL, name, temperature=temperature)
    recognizer = EmotionRecognizer.from_pretrained(model.path, "cpu")
    for samples, words in [(30000, WORDS), (0, "w4"), (700, ""), (9000, "w9 w8 w9")]:
        result = recognizer(PCM[:samples], words)
        ids = model.vocabulary.encode(words)
        gold = model.gold(features.extract(PCM[:samples]), ids)
        found = list(result.probabilities.values())
        np.testing.assert_allclose(found, gold.probabilities, atol=TOLERANCE)
        assert result.label == recognizer.labels[int(gold.probabilities.argmax())]
        assert (result.contributions is None) == (name != "gban")
        assert ("no words" in result.notes) == (name != "h_s" and not words)
        assert (result.alignment is None) == (name in ("h_s", "h_t"))
        assert (result.speech_weights is None) == (result.text_weights is None)
        for value in (result.speech_weights, result.alpha, result.speech_times):
            assert (value is None) == (name in ("h_s", "h_t"))


def test_every_field_of_a_result(model, rec):
    result = rec(PCM, WORDS)
    frames = features.extract(PCM)
    gold, alpha = model.gold(frames, IDS), model.alpha(frames, IDS)
    assert tuple(result.probabilities) == rec.labels == ("ang", "hap", "neu", "sad")
    assert result.confidence == max(result.probabilities.values())
    assert result.probabilities[result.label] == result.confidence
    z_p, z_q = (float(z.mean()) for z in gold.gates)
    expected = {"a_s": z_p, "a_t": 1 - z_p, "h_s": z_q, "h_t": 1 - z_q}
    assert result.contributions == pytest.approx(expected, abs=TOLERANCE)
    np.testing.assert_allclose(result.speech_weights, alpha.mean(axis=0), atol=TOLERANCE)
    # A pool of 2 over a convolution of 4 sees 5 steps; another one, whose steps are 2 frames apart,
    # 5 + 4 * 2 = 13 frames, each 10 ms after the other and 32 ms long. Steps are 4 frames apart.
    starts = 0.04 * alpha.argmax(axis=1)
    assert result.seconds == 30000 / 16000
    assert [word.word for word in result.alignment] == ["w2", "w3", "who", "w5", "w6", "w7"]
    for i, word in enumerate(result.alignment):
        assert word.start == pytest.approx(starts[i // 2])
        assert word.end == pytest.approx(min(starts[i // 2] + 0.152, 1.875))
        assert word.weight == pytest.approx(float(result.text_weights[i // 2]) / 2)
    np.testing.assert_allclose(result.alpha, alpha, atol=TOLERANCE)
    starts = 0.04 * np.arange(alpha.shape[1])
    expected = np.stack([starts, np.minimum(starts + 0.152, 1.875)], axis=1)
    np.testing.assert_allclose(result.speech_times, expected, atol=1e-12)
    assert sum(word.weight for word in result.alignment) == pytest.approx(1, abs=1e-6)
    assert result.notes == ()
    assert result.backend == rec.backend == f"cpu fp32 {native().current_isa()}"
    assert set(result.timings) == {"features", "network", "total"}
    assert result.timings["total"] >= result.timings["features"] + result.timings["network"] > 0
    assert len(str(result).splitlines()) == 1
    assert str(result).startswith(f"{result.label} {result.confidence:.2f} (")
    back = json.loads(json.dumps(result.to_dict()))
    assert set(back) == {
        "label", "abstained", "probabilities", "confidence", "contributions", "alignment",
        "speech_weights", "text_weights", "alpha", "speech_times", "seconds", "notes", "backend",
        "timings",
    }  # fmt: skip
    assert back["alignment"][0] == vars(result.alignment[0])
    for name in ("speech_weights", "text_weights", "alpha", "speech_times"):
        np.testing.assert_allclose(back[name], getattr(result, name), rtol=0, atol=5.1e-7)
        assert "0000000" not in json.dumps(back[name])


def test_the_last_of_an_odd_number_of_words_has_its_step_alone(rec):
    result = rec(PCM, "w2 w3 w4")
    assert result.alignment[2].weight == float(result.text_weights[1])
    assert result.alignment[1].weight == float(result.text_weights[0]) / 2


def test_a_speech_step_s_stretch_at_the_authors_sizes():
    config = GBANConfig(vocabulary=2)
    for step in (0, 1, 43):
        assert heard_by(config, step) == pytest.approx((0.16 * step, 0.16 * step + 0.632))


def test_stretches_end_with_the_sound(rec):
    for samples in (900, 0):
        (word,) = rec(PCM[:samples], "w2").alignment
        assert (word.start, word.end) == (0.0, samples / 16000)
    assert rec(PCM, "").alignment == ()


def test_a_batch_is_its_utterances(rec):
    rng = np.random.default_rng(3)
    utterances = [
        (PCM[: int(rng.integers(0, 30000))], " ".join(f"w{i}" for i in range(2, 2 + words)))
        for words in range(12)
    ]
    together = rec.recognize_batch(utterances)
    assert len(together) == 12
    for result, (sound, words) in zip(together, utterances, strict=True):
        same(result, rec(sound, words))
    assert rec.recognize_batch([]) == []
    with pytest.raises(ValueError, match=r"^utterance 1: pcm must be mono"):
        rec.recognize_batch([(PCM, ""), (PCM.reshape(2, -1), "")])
    with pytest.raises(FileNotFoundError, match=r"^utterance 0: sound file no\.wav does not exist"):
        rec.recognize_batch([("no.wav", "")])
    for bad in (PCM, "ab", PCM[:2], (PCM, "", 16000)):
        with pytest.raises(ValueError, match=r"^utterance 0: must be a pair \(sound, words\), got"):
            rec.recognize_batch([bad])


def test_from_many_threads_at_once(rec):
    utterances = [(PCM[: 1000 * n], f"w{n} w2 w3") for n in range(1, 25)]
    alone = [rec(*utterance) for utterance in utterances]
    faults = []

    def work(first):
        stream = rec.stream()
        for i in [*range(first, 24), *range(first)]:
            sound, words = utterances[i]
            for result in (rec(sound, words), stream.push(sound).finish(words)):
                try:
                    same(result, alone[i])
                except AssertionError as error:
                    faults.append(error)

    threads = [threading.Thread(target=work, args=(3 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.01), ("int8", 0.1)])
def test_precision_and_threads_reach_the_engine(model, rec, precision, tolerance):
    other = EmotionRecognizer.from_pretrained(model.path, "cpu", precision=precision, threads=2)
    assert other.backend.startswith(f"cpu {precision} ")
    one, two = (list(r(PCM, WORDS).probabilities.values()) for r in (rec, other))
    assert one != two
    np.testing.assert_allclose(one, two, atol=tolerance)


def test_abstention(model, rec):
    sure = rec(PCM, WORDS)
    assert not sure.abstained
    above, at = np.nextafter(sure.confidence, 2), sure.confidence
    unsure = EmotionRecognizer.from_pretrained(model.path, abstain_below=above)(PCM, WORDS)
    assert unsure.abstained
    assert unsure.label == ""
    assert unsure.probabilities == sure.probabilities
    assert str(unsure) == "abstained: " + str(sure)
    assert not EmotionRecognizer.from_pretrained(model.path, abstain_below=at)(PCM, WORDS).abstained
    for bad in (-0.1, 1.1, float("nan"), "0.5", None, True):
        with pytest.raises(ValueError, match=r"abstain_below must lie in 0\.\.1, got"):
            EmotionRecognizer.from_pretrained(model.path, abstain_below=bad)


def test_where_a_model_file_is_looked_for(model, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match=r"must hold exactly one model file.*got none"):
        EmotionRecognizer.from_pretrained(folder)
    (folder / "a.safetensors").write_bytes(model.path.read_bytes())
    assert EmotionRecognizer.from_pretrained(str(folder)).labels == ("ang", "hap", "neu", "sad")
    (folder / "b.safetensors").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"exactly one.*got a\.safetensors, b\.safetensors"):
        EmotionRecognizer.from_pretrained(folder)
    with pytest.raises(FileNotFoundError, match=r"gban does not exist.*Hugging Face hub"):
        EmotionRecognizer.from_pretrained("gban")
    for bad in (None, 7, b"model.safetensors"):
        with pytest.raises(ValueError, match=r"path must be text or a pathlib\.Path, got"):
            EmotionRecognizer.from_pretrained(bad)
    with pytest.raises(ValueError, match=r"b\.safetensors"):
        EmotionRecognizer.from_pretrained(folder / "b.safetensors")
    umlaut = tmp_path / "mödel.safetensors"
    umlaut.write_bytes(model.path.read_bytes())
    assert EmotionRecognizer.from_pretrained(umlaut).labels


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"backend": "gpu"}, ValueError, "auto, cpu, cuda, onnxruntime, tensorrt, got 'gpu'"),
        (
            {"backend": "tensorrt"},
            ValueError,
            r"reads an ONNX file .* or a TensorRT engine .*, got",
        ),
        ({"backend": "onnxruntime"}, ValueError, "gban-edge export MODEL -o FILE"),
        ({"wait": "poll"}, ValueError, "wait must be one of spin, block, got 'poll'"),
        ({"precision": "fp8"}, ValueError, "precision must be one of fp32, fp16, int8, got 'fp8'"),
        ({"threads": 0}, ValueError, "threads must be an integer of at least 1, got 0"),
        ({"threads": 1.5}, ValueError, "threads must be an integer of at least 1, got 1.5"),
        ({"device": -1}, ValueError, "device must be an integer of at least 0, got -1"),
    ],
)
def test_arguments_out_of_range(model, options, error, words):
    with pytest.raises(error, match=words):
        EmotionRecognizer.from_pretrained(model.path, **options)


def test_networks_that_do_not_fit(tmp_path):
    model = make_model(tmp_path / "x.safetensors", SMALL, "mdre")
    with pytest.raises(
        ValueError, match=r"model must be one of a_s, a_t.*for the engine, got mdre"
    ):
        EmotionRecognizer.from_pretrained(model.path)


def test_seven_classes_of_any_script(tmp_path):
    path = tmp_path / "x.safetensors"
    model = make_model(path, replace(SMALL, classes=4))
    config = replace(SMALL, classes=7)
    labels = ("ärger", "Freude", "中立", "грусть", "恐れ", "مفاجأة", "घृणा")
    weights = random_weights("gban", config, 1)
    bundle.save(
        path, {name: w.astype(np.float32) for name, w in weights.items()}, config,
        model.vocabulary, model="gban", labels=labels,
        standardisation=bundle.Standardisation(MEAN, DEVIATION), temperature=1.0,
    )  # fmt: skip
    rec = EmotionRecognizer.from_pretrained(path, "cpu")
    assert rec.labels == labels
    result = rec(PCM, WORDS)
    gold = model._replace(config=config, weights=weights, temperature=1.0)
    expected = gold.gold(features.extract(PCM), IDS).probabilities
    np.testing.assert_allclose(list(result.probabilities.values()), expected, atol=TOLERANCE)
    assert result.label == labels[int(expected.argmax())]
    assert json.loads(json.dumps(result.to_dict()))["label"] == result.label
    assert str(result).startswith(result.label)


class Core:
    """The core as it would be on other machines; everything else is the real one's."""

    def __init__(self, built=True, driver=13000, found=("Some GPU",), reason="no such luck"):
        self._built, self.engines = built, []
        self._devices = {"driver": driver, "reason": reason, "found": [{"name": n} for n in found]}

    def cuda_built(self):
        return self._built

    def cuda_devices(self):
        return self._devices

    def CudaEngine(self, path, precision, device, wait):  # noqa: N802
        if precision == "int8":
            raise ValueError("precision must be fp32 or fp16 on a GPU, got int8")
        self.engines.append((precision, device, wait))
        return native().Engine(path, precision)


@pytest.mark.parametrize(
    ("core", "precision", "reason"),
    [
        (Core(built=False), "fp32", r"not built in \(GBAN_CUDA=0\); put nvcc"),
        (Core(driver=0), "fp32", "no GPU driver"),
        (Core(found=()), "fp32", r"no GPU found \(no such luck\)"),
        (Core(), "int8", "precision must be fp32 or fp16 on a GPU, got int8"),
    ],
    ids=["not built", "no driver", "no GPU", "does not fit"],
)
def test_auto_says_why_not_cuda_and_cuda_does_not_fall_back(
    model, monkeypatch, core, precision, reason
):
    monkeypatch.setattr(cuda_backend, "native", lambda: core)
    chosen = EmotionRecognizer.from_pretrained(model.path, "auto", precision=precision)
    assert chosen.backend.startswith(f"cpu {precision} ")
    assert chosen.backend_reason.startswith("cuda: ")
    with pytest.raises(RuntimeError, match=f"^backend cuda cannot run: {reason}.*or use backend"):
        EmotionRecognizer.from_pretrained(model.path, "cuda", precision=precision)


def test_cuda_is_chosen_where_it_is(model, rec, monkeypatch):
    core = Core(found=("First GPU", "Second GPU"))
    monkeypatch.setattr(cuda_backend, "native", lambda: core)
    chosen = EmotionRecognizer.from_pretrained(model.path, device=1)
    assert (chosen.backend, chosen.backend_reason) == (
        "cuda fp32 Second GPU", "cuda: Second GPU was found",
    )  # fmt: skip
    EmotionRecognizer.from_pretrained(model.path, wait="spin")
    assert core.engines == [("fp32", 1, "block"), ("fp32", 0, "spin")]
    assert chosen(PCM, WORDS).probabilities == rec(PCM, WORDS).probabilities
    with pytest.raises(ValueError, match=r"device must lie in 0\.\.1, got 2"):
        EmotionRecognizer.from_pretrained(model.path, device=2)


def test_the_cpu_is_taken_where_it_is_asked_for(rec):
    assert rec.backend_reason == "cpu: asked for"


def test_a_damaged_network_is_no_result(tmp_path):
    """Weights near float32's limit are finite; what becomes of them is not."""
    model = make_model(tmp_path / "x.safetensors", SMALL)
    held = bundle.load(model.path)
    held.weights["classifier.hidden.weight"][::2] = 3e38
    held.weights["classifier.hidden.weight"][1::2] = -3e38
    held.weights["classifier.output.weight"][:] = 3e38
    bundle.save(
        model.path, held.weights, held.config, held.vocabulary, model="gban", labels=held.labels,
        standardisation=held.standardisation,
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="values are not finite"):
        EmotionRecognizer.from_pretrained(model.path)(PCM, WORDS)


def test_the_package_has_no_other_surprises():
    assert gban_edge.EmotionRecognizer is EmotionRecognizer
    with pytest.raises(AttributeError, match="has no attribute 'EmotionRecogniser'"):
        _ = gban_edge.EmotionRecogniser
