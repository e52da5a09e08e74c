"""gban-edge predict, as a person types it."""

import csv
import doctest
import io
import json
import subprocess

import numpy as np
import pytest
from command_process import command, environment, here, program, refused, small_model, write_wav
from helpers import assert_clean_error, speech_like
from rich.console import Console

from gban_edge import (
    EmotionRecognizer,
    microphone,
    predict_output,
    predict_table,
    streams,
    terminal,
)
from gban_edge.predict_inputs import find_inputs
from gban_edge.predict_output import Answer, csv_header, csv_line, summary
from gban_edge.predict_table import short_names, show

LABELS = ["ang", "hap", "neu", "sad"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model") / "m.safetensors")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """b.wav with words beside it, a.wav and deep/c.wav without, and what is no sound to hear."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(5)
    for name, samples in (("b.wav", 20000), ("a.wav", 9000), ("deep/c.wav", 30000)):
        write_wav(folder / name, speech_like(rng, samples))
    (folder / "b.txt").write_text("w3 w4\n  w5\n")
    (folder / "._a.wav").write_bytes(b"\x00\x05\x16\x07")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.wav").write_bytes(b"no")
    (folder / "notes.md").write_text("no sound")
    return folder


def objects(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json_of_a_folder_is_what_the_recogniser_says(model, sounds):
    done = command("predict", model, sounds, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    recognizer = EmotionRecognizer.from_pretrained(model)
    expected = [("a.wav", ""), ("b.wav", "w3 w4 w5"), ("deep/c.wav", "")]
    assert [(o["file"], o["words"]) for o in objects(done)] == [
        (str(sounds / name), words) for name, words in expected
    ]
    for found in objects(done):
        result = recognizer(found["file"], found["words"]).to_dict()
        for name in ("label", "probabilities", "contributions", "alignment", "seconds", "notes"):
            assert found[name] == result[name], name


def test_order_is_that_of_the_arguments(model, sounds):
    done = here("predict", model, sounds / "b.wav", sounds / "deep", sounds / "a.wav", "--json")
    assert [o["file"] for o in objects(done)] == [
        str(sounds / name) for name in ("b.wav", "deep/c.wav", "a.wav")
    ]


def test_csv(model, sounds, tmp_path):
    out = tmp_path / "new" / "x.csv"
    done = here("predict", model, sounds, "--csv", "-o", out, "--abstain-below", "1")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    rows = list(csv.DictReader(out.open(newline="")))
    assert [row["file"] for row in rows] == [
        str(sounds / n) for n in ("a.wav", "b.wav", "deep/c.wav")
    ]
    for row in rows:
        assert (row["label"], row["abstained"], row["error"]) == ("", "true", "")
        assert sum(float(row[f"p_{label}"]) for label in LABELS) == pytest.approx(1, abs=1e-5)
        assert float(row["a_s"]) + float(row["a_t"]) == pytest.approx(1, abs=1e-5)
    assert [float(row["seconds"]) for row in rows] == [0.562, 1.25, 1.875]


def test_csv_cells_are_quoted_and_lines_are_equally_long():
    labels = ["x", "y, z"]
    bad = Answer('a "b", c.wav', "", None, "an error, with a comma")
    header, row = csv.reader(io.StringIO(csv_header(labels) + csv_line(bad, labels)))
    assert len(header) == len(row)
    assert dict(zip(header, row, strict=True)) == {
        **dict.fromkeys(header, ""), "file": bad.file, "error": bad.error
    }  # fmt: skip


def test_a_bad_file_does_not_end_it(model, sounds, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("this is no sound")
    missing = tmp_path / "missing.wav"
    empty = tmp_path / "empty"
    empty.mkdir()
    done = here("predict", model, text, sounds / "a.wav", missing, empty, "--json")
    for says in (
        f"error: {text}: not a readable sound file", f"error: sound file {missing} does not exist",
        f"error: folder {empty} holds no sound file", "3 of 4 sounds failed",
    ):  # fmt: skip
        assert_clean_error(done, says)
    assert done.returncode == 1
    first, good, third, fourth = objects(done)
    assert good["label"] in LABELS
    assert [set(o) for o in (first, third, fourth)] == [{"file", "error"}] * 3


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_table_fits(model, sounds, width):
    done = here("predict", model, sounds, width=width)
    assert done.returncode == 0, done.stderr
    recognizer = EmotionRecognizer.from_pretrained(model)
    for name, words in (("a.wav", ""), ("b.wav", "w3 w4 w5"), ("deep/c.wav", "")):
        result = recognizer(sounds / name, words)
        (line,) = [x for x in done.stdout.splitlines() if name in x]
        assert result.label in line
        assert f"{100 * result.confidence:.0f} %" in line
    assert all(len(line) <= width for line in done.stdout.splitlines())
    for part in ("a_s", "h_s", "1.2 s", "ang", "3 sounds: ", "cpu fp32"):
        assert part in done.stdout
    assert ("w3 w4 w5" in done.stdout) == (width != 80)


def test_not_sure(model, sounds):
    done = here("predict", model, sounds, "--abstain-below", "1", width=80)
    assert done.stdout.count("not sure ") == 4  # three rows and the summary
    assert "3 sounds: 3 not sure" in done.stdout


def test_labels_are_the_models_own(sounds, tmp_path):
    other = small_model(tmp_path / "o.safetensors", ("bored", "keen [x]", "calm", "tense"))
    done = here("predict", other, sounds / "a.wav", "--json")
    assert list(objects(done)[0]["probabilities"]) == ["bored", "keen [x]", "calm", "tense"]
    done = here("predict", other, sounds / "a.wav", width=120)
    for name in ("bored", "keen [x]", "calm", "tense"):
        assert name in done.stdout


def test_many_classes_are_shown_by_the_most_probable(model, sounds):
    result = EmotionRecognizer.from_pretrained(model)(sounds / "a.wav")
    many = {f"class{i}": p for i, p in enumerate([0.02, 0.4, 0.03, 0.3, 0.05, 0.2])}
    object.__setattr__(result, "probabilities", many)
    console = Console(width=80, file=io.StringIO())
    show(console, [Answer("a.wav", "", result)], list(many), "cpu")
    shown = console.file.getvalue()
    assert [f"class{i} " in shown for i in range(6)] == [False, True, False, True, True, True]


def test_a_sound_that_was_cut_is_noted(model, tmp_path):
    long = write_wav(tmp_path / "long.wav", speech_like(np.random.default_rng(1), 160000))
    done = here("predict", model, long)
    assert "sound cut at 7.5 s of 10.0 s" in done.stdout


def test_standard_input(model, sounds):
    raw = (sounds / "a.wav").read_bytes()
    done = command("predict", model, "-", "--words", "w2 w3", "--json", stdin=raw)
    assert done.returncode == 0, done.stderr
    (found,) = objects(done)
    expected = EmotionRecognizer.from_pretrained(model)(sounds / "a.wav", "w2 w3")
    assert (found["file"], found["probabilities"]) == ("-", expected.probabilities)
    bad = command("predict", model, "-", stdin=b"no sound at all")
    assert_clean_error(bad, "error: standard input: not a readable sound file")
    assert bad.returncode == 1


def test_pocketsphinx_hears_words(model, smoke_corpus):
    pytest.importorskip("pocketsphinx")
    folder = smoke_corpus / "Session1" / "sentences" / "wav"
    wav = next(p for p in sorted(folder.rglob("*.wav")) if not p.name.startswith("."))
    done = command("predict", model, wav, "--asr", "pocketsphinx", "--json")
    assert done.returncode == 0, done.stderr
    (found,) = objects(done)
    assert len(found["words"].split()) >= 2
    assert [a["word"] for a in found["alignment"]]


def test_an_extra_that_is_not_installed(model, sounds):
    done = command("predict", model, sounds, "--asr", "pocketsphinx", missing=["pocketsphinx"])
    assert_clean_error(done, "gban-edge[words]")
    assert done.returncode == 1
    flac = command("predict", model, sounds / "b.wav", "--asr", f"sherpa:{sounds / 'none'}")
    assert_clean_error(flac, "does not exist")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--words", "a", "--no-words"), "exclude each other"),
        (("--json", "--csv"), "exclude each other"),
        (("-o", "x.csv"), "needs --json or --csv"),
        (("--asr", "whisper"), "pocketsphinx or sherpa:FOLDER"),
        (("--words", "a"), "are those of one sound, got 3"),
        (("-", "-"), "give - once"),
        (("--threads", "many"), "--threads"),
        (("--threads", "0"), "must lie in 1..1024, got 0"),
        (("--precision", "fp8"), "must be one of fp32, fp16, int8, got 'fp8'"),
        (("--backend", "gpu"), "must be one of auto, cpu, cuda, onnxruntime, tensorrt"),
        (("--abstain-below", "nan"), "must lie in 0..1, got nan"),
        (("--vad", "loud"), "must be one of auto, silero, energy"),
        (("--raw", "16000"), "give - too"),
        (("-", "--raw", "7"), "must lie in 8000..192000"),
        (("--long", "--words", "a"), "--long finds several"),
        (("",), "must not be empty"),
    ],
)
def test_wrong_usage_is_status_2(model, sounds, options, says):
    assert says in refused(2, "predict", model, sounds, *options)


def test_what_a_person_gets_wrong_with_the_model(model, sounds, tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("no model")
    for arguments, says in (
        ((tmp_path / "none.safetensors", sounds), "none.safetensors does not exist"),
        ((text, sounds), "not a readable safetensors"),
        ((model, sounds, "--words-from", tmp_path / "no"), "no does not exist"),
        ((model, sounds, "--words-from", text), "--words-from must be a folder, or a .csv"),
        (("owner/name", sounds / "a.wav"), "owner/name is no file or folder here"),
    ):
        said = refused(1, "predict", *arguments)
        assert said.startswith("error: ")
        assert says in said
    assert "SOUND" in refused(2, "predict", model)
    assert "the model comes first" in refused(2, "predict", sounds / "a.wav", model)


def test_a_reader_that_has_seen_enough(model, sounds):
    many = [sounds / "a.wav"] * 400
    with subprocess.Popen(
        program("predict", model, *many, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout.readline().startswith(b'{"file"')
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_help_says_the_exit_statuses():
    done = here("predict", "--help", width=80)
    assert done.returncode == 0
    assert "Exit status: 0 all sounds heard" in done.stdout


def test_inputs_and_names(sounds):
    shown = [str(path) for path in sorted(sounds.iterdir()) if path.name[0] != "."]  # folder/*
    names = ["a.wav", "b.wav", "c.wav", "notes.md"]
    assert [i.path.name for i in find_inputs(shown)] == names
    assert [i.path.name for i in find_inputs([f"{sounds}/*.wav"])] == ["a.wav", "b.wav"]
    assert [i.path.name for i in find_inputs([f"{sounds}/*.ogg"])] == ["*.ogg"]
    assert [str(i.inside) for i in find_inputs([str(sounds)])] == ["a.wav", "b.wav", "deep/c.wav"]
    assert short_names(["x/a.wav", "-", "x/y/b.wav"]) == ["a.wav", "-", "y/b.wav"]
    assert short_names(["/x/a.wav", "b.wav"]) == ["/x/a.wav", "b.wav"]
    assert summary([Answer("a", "", None, "bad")], LABELS, "cpu") == "1 sound: 1 failed (cpu)"


def test_examples_in_docstrings():
    for module in (microphone, predict_output, predict_table, streams, terminal):
        tried = doctest.testmod(module)
        assert tried.attempted
        assert not tried.failed
