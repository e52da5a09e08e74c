"""The C++ package: installed, found by another project's CMake, and right about a WAV file."""

import numpy as np
import numpy_models
import pytest
import soundfile
from helpers import SMALL, speech_like
from installed_package import cmake, run
from test_equations import random_weights

import gban_edge
from gban_edge import bundle, features
from gban_edge.config import GBANConfig
from gban_edge.text import PAD, UNKNOWN, Vocabulary

LABELS = ("ang", "hap", "neu", "sad")
CONFIG = GBANConfig.from_dict({**SMALL.to_dict(), "vocabulary": 7, "conv_filters": [6, 7, 8, 9]})
VOCABULARY = Vocabulary((PAD, UNKNOWN, "that", "is", "incredible", "don't", "go"))
WORDS = "That is incredible, DON'T stop"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model file, its weights and the standardisation."""
    path = tmp_path_factory.mktemp("model") / "gban.safetensors"
    weights = random_weights("gban", CONFIG, 3)
    rng = np.random.default_rng(4)
    standardisation = bundle.Standardisation(
        rng.uniform(-8, 1, 52).astype(np.float32), rng.uniform(2, 4, 52).astype(np.float32)
    )
    state = {name: values.astype(np.float32) for name, values in weights.items()}
    bundle.save(
        path, state, CONFIG, VOCABULARY, model="gban", labels=LABELS,
        standardisation=standardisation, temperature=1.5,
    )  # fmt: skip
    return path, weights, standardisation


@pytest.fixture
def wav(tmp_path):
    """A 16 kHz file of 16-bit numbers, and its sound as float64."""
    path = tmp_path / "speech.wav"
    soundfile.write(path, speech_like(np.random.default_rng(1), 40000), 16000, subtype="PCM_16")
    return path, soundfile.read(path)[0]


def expected(model, pcm, text):
    """The probabilities and gates by numpy_models.py, in float64 from the sound on."""
    _, weights, standardisation = model
    frames = features.extract_ref(pcm).astype(np.float64)
    frames = (frames - standardisation.mean) / standardisation.deviation
    out = numpy_models.forward("gban", weights, CONFIG, frames, np.array(VOCABULARY.encode(text)))
    return numpy_models.softmax(out.logits / 1.5), [gate.mean() for gate in out.gates]


def printed(text):
    """label, {name: probability}, contributions and the words' lines of recognize_wav."""
    lines = text.splitlines()
    rows = [line.split() for line in lines if line.startswith("probability ")]
    probabilities = {name[:-1]: float(value) for _, name, value in rows}
    parts = next(line for line in lines if line.startswith("contributions: "))[15:].split(", ")
    contributions = {name: float(value) for name, value in (part.split() for part in parts)}
    words = [line.split() for line in lines if " s  " in line]
    return lines[0].removeprefix("label: "), probabilities, contributions, words


def test_recognize_wav_prints_what_the_equations_say(examples, model, wav):
    done = run(examples / "recognize_wav", model[0], wav[0], WORDS, "cpu")
    label, probabilities, contributions, words = printed(done.stdout)
    gold, (z_p, z_q) = expected(model, wav[1], WORDS)
    assert tuple(probabilities) == LABELS
    np.testing.assert_allclose(list(probabilities.values()), gold, atol=1e-5)
    assert gold.min() > 0.02  # else any network would do
    assert label == LABELS[int(np.argmax(gold))]
    np.testing.assert_allclose(
        [contributions[name] for name in ("a_s", "a_t", "h_s", "h_t")],
        [z_p, 1 - z_p, z_q, 1 - z_q], atol=1e-4,
    )  # fmt: skip
    assert [word[-1] for word in words] == ["that", "is", "incredible", "don't", "stop"]
    assert abs(sum(float(word[-2]) for word in words) - 1) < 5e-4
    assert "heard 2.50 s" in done.stdout
    assert "cpu fp32 " in done.stdout


def test_stereo_float_of_another_rate_is_mixed_down_and_resampled(examples, model, tmp_path):
    rng = np.random.default_rng(2)
    left, right = speech_like(rng, 30000), speech_like(rng, 30000)
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([left, right], axis=1), 48000, subtype="FLOAT")
    done = run(examples / "recognize_wav", model[0], path, "go")
    from scipy.signal import resample_poly

    mono = resample_poly((left + right) / 2, 1, 3, window=("kaiser", 12.0))
    gold, _ = expected(model, mono, "go")
    values = list(printed(done.stdout)[1].values())
    np.testing.assert_allclose(values, gold, atol=0.02)  # another filter
    assert "note: resampled from 48000 Hz" in done.stdout


def test_stream_gives_the_same_label(examples, model, wav):
    once = run(examples / "recognize_wav", model[0], wav[0], WORDS).stdout
    streamed = run(examples / "stream", model[0], wav[0], WORDS).stdout
    label = printed(once)[0]
    assert [line.split(":")[0] for line in streamed.splitlines()[:3]] == [label] * 3
    assert "ms after the last block" in streamed


def test_what_is_wrong_with_a_file_is_said(examples, model, wav, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("not a sound\n")
    cut = tmp_path / "cut.wav"
    cut.write_bytes(wav[0].read_bytes()[:-10])
    soundfile.write(tmp_path / "24.wav", np.zeros(100), 16000, subtype="PCM_24")
    cases = {
        (model[0], tmp_path / "none.wav"): "none.wav: no such file",
        (model[0], text): "text.wav: not a WAV file",
        (model[0], cut): "cut.wav: cut short, 10 bytes of it are missing",
        (model[0], tmp_path / "24.wav"): "24.wav: samples must be PCM of 16 bits or float",
        (tmp_path / "none.st", wav[0]): "none.st does not exist",
        (text, wav[0]): "text.wav: not a readable safetensors file",
    }
    for arguments, message in cases.items():
        for program in ("recognize_wav", "stream"):
            done = run(examples / program, *arguments, ok=False)
            assert done.returncode == 1, (program, arguments)
            assert message in done.stderr
            assert done.stdout == ""


def test_the_package_has_pythons_version_and_refuses_another(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.22)\nproject(user LANGUAGES CXX)\n"
        "find_package(gban_edge ${WANTED} REQUIRED)\nmessage(STATUS got=${gban_edge_VERSION})\n"
    )
    version = gban_edge.__version__
    found = cmake("-S", tmp_path, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}",
                  f"-DWANTED={version}")  # fmt: skip
    assert f"got={version}" in found.stdout
    with pytest.raises(AssertionError, match="version"):
        cmake(
            "-S", tmp_path, "-B", tmp_path / "c", f"-DCMAKE_PREFIX_PATH={prefix}", "-DWANTED=99.0"
        )


def test_only_headers_that_the_library_has_are_installed(prefix):
    names = {path.name for path in (prefix / "include" / "gban").iterdir()}
    assert {"recognizer.h", "gban.h", "engine.h", "model.h", "text.h", "resample.h"} <= names
    assert not any("cuda" in name for name in names)
    assert [path.name for path in prefix.glob("lib*/*.a")] == ["libgban_edge.a"]
