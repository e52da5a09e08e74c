"""The main job, from sound files to tables.

As a person starts it, a process of its own; what one task or none tells is done in this process,
which has imported torch already.
"""

import contextlib
import csv
import os
import pty
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from helpers import (
    ROOT,
    SHORT,
    assert_clean_error,
    first_wav,
    plain_environment,
    results,
    run_folds,
    run_folds_here,
    speech_like,
)
from test_text import line

from gban_edge import bundle
from gban_edge.labels import LABELS

# Two tasks, on two workers: where four would tell no more.
FOLD_1 = ("--smoke", "--models", "gban,h_t", "--folds", "1", "--epochs", "4")


def test_it_writes_what_it_says(finished):
    out, done = finished
    assert "| model | fold 1 | fold 2 |   mean |" in done.stdout
    assert done.stdout.count("| gban ") == 2
    assert "[4/4]" in done.stderr
    assert "\x1b[" not in done.stdout + done.stderr  # no terminal, no colours
    names = {p.name for p in (out / "figures").iterdir()}
    assert names == {
        "calibration.png", "confusions.png", "coverage.png", "gates-gban.png", "learning.png",
        "overview.png",
    }  # fmt: skip
    found = results(out)
    assert len(found["settings"]["fingerprint"]) == 16
    assert {"python", "torch", "numpy"} <= set(found["versions"])
    assert found["commit"]
    tasks = found["tasks"]
    assert [(t["model"], t["fold"]) for t in tasks] == [
        ("gban", 1), ("gban", 2), ("h_t", 1), ("h_t", 2),
    ]  # fmt: skip
    for task in tasks:
        confusion = np.array(task["confusion"])
        assert confusion.sum() == 20
        assert task["wa"] == pytest.approx(np.trace(confusion) / 20)
        assert 1 <= len(task["history"]) <= 4
    assert found["summary"]["gban"]["gates"].keys() == {"a_s", "a_t", "h_s", "h_t"}
    rows = (out / "results.csv").read_text().splitlines()
    assert rows[0].startswith("model,fold,seed,wa,ua,recall_ang")
    assert len(rows) == 5
    assert {p.name for p in (out / "tables").iterdir()} == {
        f"table{n}.{kind}" for n in (1, 2, 3) for kind in ("csv", "json", "md")
    }
    text = (out / "report.md").read_text()
    assert f"fingerprint {found['settings']['fingerprint']}" in text
    assert f"torch {found['versions']['torch']}" in text
    assert "its verdicts mean nothing" in text  # so small a corpus
    assert (out / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_rebuilding_a_finished_report_changes_nothing(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished[0], run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    command = [sys.executable, str(ROOT / "train" / "report.py"), str(run)]
    done = subprocess.run(command, capture_output=True, text=True, env=plain_environment())
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_it_leaves_models_and_predictions_and_nothing_half_done(finished):
    out, _ = finished
    for task in results(out)["tasks"]:
        folder = out / "tasks" / f"{task['model']}-fold{task['fold']}-seed0"
        assert {p.name for p in folder.iterdir()} == {
            "lock", "model.safetensors", "predictions.csv", "result.json", "timing.json",
        }  # fmt: skip
        loaded = bundle.load(folder / "model.safetensors")
        assert loaded.labels == LABELS
        assert loaded.training["wa"] == task["wa"]
        rows = (folder / "predictions.csv").read_text().splitlines()[1:]
        right = sum(row.split(",")[1] == row.split(",")[2] for row in rows)
        assert right / len(rows) == pytest.approx(task["wa"])
    assert not list(out.rglob(".*.part"))


def test_readmes_python_blocks_work_on_a_finished_run(finished, tmp_path, monkeypatch, capsys):
    """Those that name a run; the others are tried in test_readme.py."""
    sound = speech_like(np.random.default_rng(0), 16000).astype(np.float32)
    soundfile.write(tmp_path / "speech.wav", sound, 16000)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text()
    blocks = [b for b in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "runs/RUN" in b]
    assert len(blocks) == 3
    names = {"microphone": [sound[:320], sound[320:]]}
    for block in blocks:
        exec(block.replace("runs/RUN", str(finished[0])), names)
    first, second = capsys.readouterr().out.splitlines()
    assert re.match(r"(ang|hap|neu|sad) 0\.\d\d \(ang .* in 1\.0 s; c(pu|uda) fp32", first)
    assert re.match(r"(ang|hap|neu|sad) 0\.\d\d \(ang .* in 1\.0 s; onnxruntime fp32", second)
    assert names["network"].training is False


def test_bars_on_a_terminal(cache, tmp_path):
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "train" / "run_folds.py"), *FOLD_1, "--cache", str(cache)]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "run")], stderr=theirs, stdout=subprocess.PIPE,
        text=True, env={**plain_environment(), "TERM": "xterm", "COLUMNS": "90"},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # the end of a terminal is an error
        while chunk := os.read(ours, 65536):
            seen += chunk
    os.close(ours)
    tables, _ = process.communicate()
    assert process.returncode == 0
    text = seen.decode()
    assert "folds" in text
    assert "━" in text
    assert re.search(r"gban fold \d seed 0, WA", text)
    assert "[2/2]" in text
    assert "\x1b" not in tables


def test_two_runs_are_equal_whatever_the_number_of_jobs(finished, cache, tmp_path):
    done = run_folds(*SHORT, "--out", tmp_path / "again", "--cache", cache, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert results(tmp_path / "again") == results(finished[0])
    assert done.stdout == finished[1].stdout


def test_another_seed_is_another_result(finished, cache, tmp_path):
    out = tmp_path / "seeds"
    done = run_folds(*FOLD_1, "--seeds", 2, "--out", out, "--cache", cache)
    assert done.returncode == 0, done.stderr
    found = results(out)
    first = [t for t in found["tasks"] if t["seed"] == 0]
    assert first == [t for t in results(finished[0])["tasks"] if t["fold"] == 1]
    assert len(first) == 2
    assert [t["history"] for t in found["tasks"] if t["seed"] == 1] != [t["history"] for t in first]
    assert "±" in done.stdout


def test_it_learns_what_neither_half_can(cache, tmp_path):
    """One fold as `make run` does it; all five are in test_full.py."""
    done = run_folds("--folds", "2", "--out", tmp_path / "run", "--cache", cache)
    assert done.returncode == 0, done.stderr
    wa = {model: v["wa"]["mean"] for model, v in results(tmp_path / "run")["summary"].items()}
    assert wa["gban"] >= 0.85
    assert wa["gban"] >= max(wa["h_s"], wa["h_t"]) + 0.15


def test_held_out_speaker_and_glove(cache, tmp_path):
    glove = tmp_path / "glove.txt"
    tokens = ["the", "was", ". . .", "hello", "world"]
    glove.write_text("\n".join(line(t, i / 10) for i, t in enumerate(tokens)) + "\nbroken 1 2\n")
    out = tmp_path / "run"
    done = run_folds(
        *FOLD_1, "--validation", "speaker", "--glove", glove, "--extra-vocab", 2, "--out", out,
        "--cache", cache,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 malformed lines skipped" in done.stderr
    loaded = bundle.load(out / "tasks" / "gban-fold1-seed0" / "model.safetensors")
    assert loaded.vocabulary.words[-2:] == ("hello", "world")
    np.testing.assert_allclose(
        loaded.weights["text.embedding.weight"][-1][:3], [0.4, 0.401, 0.402], atol=1e-6
    )


def test_the_authors_recipe(cache, tmp_path):
    """Other networks, so no model file; results beside the others', calibrated like them."""
    out = tmp_path / "run"
    done = run_folds(
        "--smoke", "--recipe", "authors", "--models", "gban,tfl", "--folds", 1, "--epochs", 1,
        "--out", out, "--cache", cache,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = out / "tasks" / "gban-fold1-seed0"
    assert {p.name for p in folder.iterdir()} == {
        "authors.safetensors", "lock", "predictions.csv", "result.json", "timing.json",
    }  # fmt: skip
    found = results(out)
    assert found["settings"]["recipe"]["beta2"] == 0.9
    assert [t["parameters"] for t in found["tasks"]] == [1329764, 9504996]
    done = run_folds_here("--recipe", "authors", "--models", "mdre", "--out", tmp_path / "no")
    assert_clean_error(done, "for recipe authors, got ['mdre']", "'concat_1'")
    assert not (tmp_path / "no").exists()


def test_probabilities_are_calibrated_and_logits_are_not(finished):
    out, _ = finished
    for task in results(out)["tasks"]:
        folder = out / "tasks" / f"{task['model']}-fold{task['fold']}-seed0"
        rows = list(csv.DictReader((folder / "predictions.csv").open()))
        logits = np.array([[float(row[f"logit_{n}"]) for n in LABELS] for row in rows])
        powers = np.exp(logits / task["temperature"])
        gold = powers / powers.sum(axis=1, keepdims=True)
        found = np.array([[float(row[n]) for n in LABELS] for row in rows])
        np.testing.assert_allclose(found, gold, atol=1e-6)
        assert bundle.load(folder / "model.safetensors").temperature == task["temperature"] != 1.0


def tiny(corpus, tmp_path, *arguments, start=run_folds_here):
    return start(
        "--iemocap", corpus, "--allow-partial", "--epochs", 1, "--models", "h_t", "--folds", "1",
        "--out", tmp_path / "run", "--cache", tmp_path / "cache", *arguments,
    )  # fmt: skip


def test_a_part_of_a_corpus_prints_both_tables(corpus, tmp_path):
    done = tiny(corpus, tmp_path, start=run_folds)
    assert done.returncode == 0, done.stderr
    assert "found:" in done.stderr
    assert "expected:" in done.stderr
    assert "4490" in done.stderr


def test_merge_excited_and_odd_formats_are_said(smoke_corpus, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(smoke_corpus, root)
    wav = sorted(p for p in root.rglob("*.wav") if not p.name.startswith("._"))[0]
    pcm, rate = soundfile.read(wav)
    soundfile.write(wav, pcm, rate, subtype="FLOAT")
    done = tiny(root, tmp_path, "--merge-excited")
    assert done.returncode == 0, done.stderr
    assert "1 FLOAT" in done.stderr
    assert results(tmp_path / "run")["settings"]["utterances"] == 105


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--iemocap", "/no/such/folder"), ["/no/such/folder does not exist"]),
        (("--iemocap", str(ROOT / "csrc")), ["holds no Session1"]),
        (("--models", "gban,gbam"), ["'gban'", "got ['gbam']"]),
        (("--folds", "1-6"), ["folds must lie in 1-5, got '1-6'"]),
        (("--recipe", "papier"), ["recipe must be one of", "'papier'"]),
        (("--recipe", "papier"), ["'default'", "'authors'"]),
        (("--word-dropout", "1"), ["word-dropout must lie in [0, 1), got 1.0"]),
        (("--seeds", "0"), ["seeds must be at least 1, got 0"]),
        (("--jobs", "0"), ["jobs must be at least 1"]),
        (("--epochs", "0"), ["epochs must be at least 1"]),
        (("--l2", "-1"), ["l2 must be at least 0"]),
        (("--validation", "none"), ["'random' or 'speaker', got 'none'"]),
        (("--glove", "/no/glove.txt"), ["GloVe file /no/glove.txt does not exist"]),
        (("--extra-vocab", "5"), ["give --glove too"]),
        (("--device", "tpu"), ["device must be auto, cpu or cuda, got 'tpu'"]),
    ],
)
def test_bad_options_are_named_before_anything_is_made(arguments, words, tmp_path):
    out = tmp_path / "run"
    done = run_folds_here(*arguments, "--out", out, "--cache", tmp_path / "cache")
    assert done.returncode == 2
    assert_clean_error(done, *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--epochs", "0"), ["error: epochs must be at least 1"]),
        (("--seeds", "two"), ["--seeds"]),
        (("--no-such-option",), ["No such option"]),
    ],
)
def test_and_in_a_process_of_its_own(arguments, words, tmp_path):
    out = tmp_path / "run"
    done = run_folds(*arguments, "--out", out, "--cache", tmp_path / "cache")
    assert done.returncode == 2
    assert_clean_error(done, *words)
    assert list(tmp_path.iterdir()) == []


def eight_khz(root):
    soundfile.write(first_wav(root), speech_like(np.random.default_rng(0), 4000), 8000)
    return "sample rate must be 16000 Hz, got 8000"


def stereo(root):
    pcm = speech_like(np.random.default_rng(0), 4000)
    soundfile.write(first_wav(root), np.stack([pcm, pcm], axis=1), 16000)
    return "must be mono, got 2 channels"


def empty(root):
    first_wav(root).write_bytes(b"")
    return "not a readable WAV file"


def broken(root):
    first_wav(root).write_bytes(first_wav(root).read_bytes()[:999])
    return "cut short"


@pytest.mark.parametrize("spoil", [eight_khz, stereo, empty, broken])
def test_bad_sound_names_the_file_and_can_be_skipped(corpus, tmp_path, spoil):
    reason = spoil(corpus)
    done = tiny(corpus, tmp_path)
    assert_clean_error(done, str(first_wav(corpus)), reason, "--skip-bad")
    assert not (tmp_path / "run").exists()
    done = tiny(corpus, tmp_path, "--skip-bad")
    assert done.returncode == 0, done.stderr
    assert "skipped: 1 x sound unusable" in done.stderr


def test_bad_labels_name_file_and_line(corpus, tmp_path):
    path = corpus / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    path.write_text(path.read_text()[:-12])
    assert_clean_error(tiny(corpus, tmp_path), f"{path}, line 8: not a whole label line")
    assert not (tmp_path / "run").exists()


def test_glove_of_another_dimension(cache, tmp_path):
    glove = tmp_path / "glove.50d.txt"
    glove.write_text("\n".join(line(t, 0.0, 50) for t in ("the", "a", "of")))
    done = run_folds_here(*SHORT, "--glove", glove, "--out", tmp_path / "run", "--cache", cache)
    assert_clean_error(done, str(glove), "line 1", "300 numbers, got 50")
    assert not (tmp_path / "run").exists()
