"""The lines of docs/jetson-trtexec.md against TensorRT's sources, and the inputs for them."""

import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT, SMALL
from jetson_kit import KIT, TRTEXEC_PAGE, blocks, program
from runtime_models import make_model
from trtexec_flags import TRTEXEC

from gban_edge import features
from gban_edge.deploy.onnx_export import export
from gban_edge.runtime.onnx_facts import INPUTS
from gban_edge.text import UNKNOWN_ID

trtexec_inputs = program("trtexec_inputs")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("kit") / "model.safetensors", SMALL)


# --- trtexec


def trtexec_lines():
    """(version of the section, line of trtexec) of the page."""
    for section in re.split(r"^## ", TRTEXEC_PAGE.read_text(), flags=re.M):
        for line in re.findall(r"^trtexec .*$", "\n".join(blocks(section)), re.M):
            yield re.match(r"TensorRT ([\d.]+)", section)[1], shlex.split(line)[1:]


def test_every_flag_of_every_line_is_in_that_version():
    lines = list(trtexec_lines())
    assert [version for version, _ in lines] == ["10.3"] * 3 + ["10.16"] * 3 + ["11"] * 3
    for version, flags in lines:
        of_it = [v for v in TRTEXEC if v == version or v.startswith(f"{version}.")]
        assert of_it
        for flag in flags:
            name = flag.split("=")[0]
            assert all(name in TRTEXEC[v] for v in of_it), (version, flag)
            assert flag.count("=") <= 1


def test_lines_pass_what_changed_its_default_at_11():
    for version, flags in trtexec_lines():
        if "--skipInference" in flags:
            assert ("--stronglyTyped" in flags) == version.startswith("10")
        else:
            assert ("--includeDataTransfers" in flags) == (version == "11")
            assert ("--useSpinWait" in flags) == version.startswith("10")
            profiled = "--dumpProfile" in flags
            graph = "--useCudaGraph" in flags or (version == "11" and "--noCudaGraph" not in flags)
            assert graph != profiled
            assert any(flag.startswith("--loadInputs=") for flag in flags)
            assert "--percentile=50,90,99" in flags


def test_the_table_of_flags_is_right_and_whole():
    ranges = {"10-11": set(TRTEXEC), "10": {"10.3", "10.16"}, "11": {"11.0", "11.1"}}
    told = {}
    for names, versions in re.findall(
        r"^\| (`--.*?) \| ([\d, -]+) \|", TRTEXEC_PAGE.read_text(), re.M
    ):
        flags, spans = re.findall(r"--\w+", names), versions.split(", ")
        spans = spans * len(flags) if len(spans) == 1 else spans
        told.update(zip(flags, (ranges[span] for span in spans), strict=True))
    for flag, versions in told.items():
        assert {v for v in TRTEXEC if flag in TRTEXEC[v]} == versions, flag
    used = {flag.split("=")[0] for _, flags in trtexec_lines() for flag in flags}
    assert used <= set(told)


def test_the_lines_inputs_are_what_the_program_writes(model, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = TRTEXEC_PAGE.read_text()
    arguments = ["--frames", "747", "--padded-words", "32"]
    trtexec_inputs.main([str(model.path), "-o", "inputs", *arguments])
    shapes, files = capsys.readouterr().out.split()
    assert f"SHAPES={shapes.removeprefix('--shapes=')}\n" in page
    assert f"INPUTS={files.removeprefix('--loadInputs=')}\n" in page
    rows = re.findall(r"^\| `(\w+)\.dat` \| (\w+) \| ([\d x]+) \| (\d+) \|", page, re.M)
    assert tuple(name for name, *_ in rows) == INPUTS
    for name, kind, shape, size in rows:
        sizes = [int(n) for n in shape.split("x")]
        assert (tmp_path / "inputs" / f"{name}.dat").stat().st_size == int(size)
        assert np.prod(sizes) * np.dtype(kind).itemsize == int(size)


# --- trtexec_inputs.py


def read(folder, name, kind, *shape):
    return np.frombuffer((folder / f"{name}.dat").read_bytes(), kind).reshape(shape)


def test_a_sound_file_becomes_its_features_and_ids(model, tmp_path):
    from scipy.io import wavfile

    pcm = np.random.default_rng(3).integers(-3000, 3000, 24000).astype(np.int16)
    wavfile.write(tmp_path / "s.wav", 16000, pcm)
    frames = features.extract_ref(pcm / 32768)
    path = tmp_path / "model.onnx"
    export(model.path, path)
    for source in (path, model.path):
        folder = tmp_path / source.suffix[1:]
        trtexec_inputs.main([
            str(source), "-o", str(folder), "--sound", str(tmp_path / "s.wav"),
            "--words", "W5 never w2", "--frames", "200", "--padded-words", "8",
        ])  # fmt: skip
        made = read(folder, "features", "<f4", 1, 200, 52)
        assert made[0, : len(frames)] == pytest.approx(frames, abs=1e-4)
        assert not made[0, len(frames) :].any()
        assert read(folder, "feature_lengths", "<i4", 1) == [len(frames)]
        words = [model.vocabulary.words.index("w5"), UNKNOWN_ID, model.vocabulary.words.index("w2")]
        assert read(folder, "words", "<i4", 1, 8)[0].tolist() == [*words, 0, 0, 0, 0, 0]
        assert read(folder, "word_lengths", "<i4", 1) == [3]


def test_random_utterances_are_valid_and_repeat(model, tmp_path):
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        arguments = ["--seconds", "2", "--count", "30", "--seed", seed]
        trtexec_inputs.main([str(model.path), "-o", str(tmp_path / folder), *arguments])
    words = read(tmp_path / "a", "words", "<i4", 1, 30)
    assert words.min() >= UNKNOWN_ID
    assert words.max() < SMALL.vocabulary
    assert read(tmp_path / "a", "word_lengths", "<i4", 1) == [30]
    frames = read(tmp_path / "a", "feature_lengths", "<i4", 1)[0]
    assert frames == features.frame_count(32000)
    assert np.isfinite(read(tmp_path / "a", "features", "<f4", 1, frames, 52)).all()
    first, same, other = ((tmp_path / f / "words.dat").read_bytes() for f in "abc")
    assert first == same != other


def test_nothing_heard_and_nothing_said_are_padded_to_the_least(model, tmp_path, capsys):
    trtexec_inputs.main([str(model.path), "-o", str(tmp_path), "--seconds", "0", "--count", "1"])
    field = SMALL.receptive_field
    assert f"features:1x{field}x52," in capsys.readouterr().out
    assert read(tmp_path, "feature_lengths", "<i4", 1) == [0]
    assert not read(tmp_path, "features", "<f4", 1, field, 52).any()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--seconds", "8"], r"seconds must lie in 0\.\.7\.5, got 8\.0"),
        (["--count", "0"], r"count must lie in 1\.\.512 words, got 0"),
        (["--frames", "100"], "frames must be at least 747 for this utterance, got 100"),
        (["--padded-words", "19"], "padded-words must be at least 20 for this utterance, got 19"),
        (["-o", "a,b"], "without commas, colons and quotes, got a,b"),
        (["--sound", "none.wav"], "sound file none.wav does not exist"),
    ],
)
def test_bad_arguments_are_refused(model, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        trtexec_inputs.main([str(model.path), "-o", "out", *arguments])
    assert not list(tmp_path.iterdir())


def test_other_files_are_refused(tmp_path):
    wrong = tmp_path / "wrong.onnx"
    with pytest.raises(FileNotFoundError, match=r"wrong\.onnx does not exist"):
        trtexec_inputs.read_model(wrong)
    wrong.write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="not an ONNX file"):
        trtexec_inputs.read_model(wrong)
    other = make_model(tmp_path / "h_s.safetensors", SMALL, "h_s").path
    with pytest.raises(ValueError, match="the network must be gban, got 'h_s'"):
        trtexec_inputs.read_model(other)


def test_the_program_ends_with_one_line(tmp_path):
    command = [sys.executable, KIT / "trtexec_inputs.py", tmp_path / "no.onnx", "-o", tmp_path]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=path)
    assert done.returncode == 1
    assert re.fullmatch(r"error: ONNX file .*no\.onnx does not exist\n", done.stderr)
