"""gban-edge predict: where words come from, and recordings that hold several utterances."""

import csv
import io
import json

import numpy as np
import pytest
from command_process import here, small_model, write_wav
from helpers import assert_clean_error, speech_like

from gban_edge import EmotionRecognizer
from gban_edge.predict_inputs import find_inputs
from gban_edge.predict_words import open_lookup


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model") / "m.safetensors")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """b.wav with words beside it, a.wav and deep/c.wav without."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(5)
    for name, samples in (("b.wav", 20000), ("a.wav", 9000), ("deep/c.wav", 30000)):
        write_wav(folder / name, speech_like(rng, samples))
    (folder / "b.txt").write_text("w3 w4\n  w5\n")
    return folder


def objects(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_where_words_come_from(model, sounds, tmp_path):
    def words(*options):
        done = here("predict", model, sounds / "b.wav", "--json", *options)
        return objects(done)[0]["words"], objects(done)[0]["probabilities"]

    (tmp_path / "b.txt").write_text("w7 w8")
    recognizer = EmotionRecognizer.from_pretrained(model)
    for options, said in (
        ((), "w3 w4 w5"), (("--words", "w9"), "w9"), (("--no-words",), ""),
        (("--words-from", tmp_path), "w7 w8"),
    ):  # fmt: skip
        expected = recognizer(sounds / "b.wav", said).probabilities
        assert words(*options) == (said, expected)


def test_words_from_a_folder_that_mirrors_the_sounds(model, sounds, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.txt").write_text("w2")
    done = here("predict", model, sounds, "--words-from", tmp_path, "--json")
    assert done.returncode == 1
    a, b, c = objects(done)
    assert "a.txt do not exist" in a["error"]
    assert "b.txt do not exist" in b["error"]
    assert c["words"] == "w2"


def test_words_from_a_table(model, sounds, tmp_path):
    table = tmp_path / "t.csv"
    c = sounds / "deep" / "c.wav"
    table.write_text(f'words,file,x\n"w5, w6",{c},1\nw7,a.wav,2\n')
    done = here("predict", model, sounds, "--words-from", table, "--json")
    assert [o.get("words") for o in objects(done)] == ["w7", None, "w5, w6"]
    assert_clean_error(done, f"{table} has no words of {sounds / 'b.wav'}")
    assert done.returncode == 1
    out = tmp_path / "out.csv"  # what --csv writes can be given back
    here("predict", model, sounds, "--csv", "-o", out)
    done = here("predict", model, sounds, "--words-from", out, "--json")
    assert [o["words"] for o in objects(done)] == ["", "w3 w4 w5", ""]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,words\n", "must have the columns file and words, got path, words"),
        ("", "got none"),
        ("file,words\na.wav\n", "line 2: cut short"),
        ("file,words\na.wav,x\na.wav,y\n", "line 3: a.wav has other words in a line above"),
        ("file,words\na/a.wav,x\nb/a.wav,y\n", "several files a.wav"),
        (b"file,words\n\xff\xfe,x\n", "not a CSV file in UTF-8"),
    ],
)
def test_a_table_that_is_wrong(tmp_path, text, says):
    table = tmp_path / "t.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    (one,) = find_inputs(["c/a.wav"])
    with pytest.raises(ValueError, match=says):
        open_lookup(table).of(one)


def test_a_long_recording(model, sounds, tmp_path):
    rng = np.random.default_rng(8)
    pause = 1e-4 * rng.standard_normal(24000)
    parts = [pause, speech_like(rng, 30000), pause, speech_like(rng, 24000), pause]
    talk = write_wav(tmp_path / "talk.wav", np.concatenate(parts))
    quiet = write_wav(tmp_path / "quiet.wav", pause)
    long = ("predict", model, talk, quiet, "--long", "--vad", "energy")
    done = here(*long, "--json")
    assert done.returncode == 1
    assert f"error: {quiet}: nobody speaks in it" in done.stderr
    *found, failed = objects(done)
    assert set(failed) == {"file", "error"}
    expected = EmotionRecognizer.from_pretrained(model).recognize_long(talk, vad="energy")
    assert [(o["start"], o["end"]) for o in found] == [
        (round(one.start, 3), round(one.end, 3)) for one in expected
    ]
    assert [o["probabilities"] for o in found] == [one.result.probabilities for one in expected]
    assert len(found) == 2
    rows = list(csv.DictReader(io.StringIO(here(*long, "--csv").stdout)))
    assert [row["start"] for row in rows] == [*(f"{o['start']:.3f}" for o in found), ""]
    assert rows[2]["error"] == failed["error"]
    table = here(*long).stdout
    assert f"{found[1]['start']:.1f}-{found[1]['end']:.1f} s" in table
    assert "2 utterances in 2 sounds: " in table
    assert "--long hears recordings of any length" in here("predict", model, write_wav(
        tmp_path / "ten.wav", np.tile(speech_like(rng, 16000), 10))).stdout  # fmt: skip
