"""gban-edge demo and gban-edge train: both hand over to the training code of a checkout."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import soundfile
from command_process import command, environment, program, refused, small_model
from helpers import ROOT, assert_clean_error
from rich.console import Console

from gban_edge import EmotionRecognizer
from gban_edge.checkout import require
from train import demo
from train.turns import EMOTIONS


@pytest.fixture
def folder(tmp_path):
    """A folder whose runs/ holds what a run of GBAN on the built-in corpus leaves: two models."""
    run = tmp_path / "runs" / "a"
    for fold, age in ((1, 0), (2, 60)):
        task = run / "tasks" / f"gban-fold{fold}-seed0"
        task.mkdir(parents=True)
        model = small_model(task / "model.safetensors")
        os.utime(model, (model.stat().st_mtime - age,) * 2)
        (task / "result.json").write_text("{}")
    (run / "settings.json").write_text('{"corpus": "gban-edge synthesised", "utterances": 1200}')
    return tmp_path


def test_demo_with_the_newest_model(folder):
    done = command("demo", "--clips", "4", "--save", "clips", cwd=folder, width=100)
    assert done.returncode == 0, done.stderr
    model = folder / "runs" / "a" / "tasks" / "gban-fold1-seed0" / "model.safetensors"
    named = "runs/a/tasks/gban-fold1-seed0/model.safetensors"
    assert f"model {named}\n" in done.stdout
    assert f"  export MODEL={named}\n" in done.stdout
    assert "  gban-edge predict $MODEL clips " in done.stdout
    assert "trained without these two voices" in done.stdout
    meant = re.findall(r"^clip \d +(\w+) ", done.stdout, re.MULTILINE)
    assert meant == ["hap", "ang", "sad", "neu"]
    recognizer = EmotionRecognizer.from_pretrained(model)
    right = 0
    for number, label in enumerate(meant, start=1):
        clip = folder / "clips" / f"{number}-{label}.wav"
        sentence = clip.with_suffix(".txt").read_text().strip()
        assert sentence.lower() in done.stdout.lower()
        assert soundfile.info(clip).samplerate == 16000
        result = recognizer(clip, sentence)
        row = next(line for line in done.stdout.splitlines() if line.startswith(f"clip {number} "))
        assert f" {label} " in row
        assert f" {result.label} " in row
        right += result.label == label
    assert f"{right} of 4 as they were meant" in done.stdout


def test_clips_are_new_and_of_speakers_the_fold_did_not_train_on():
    turns = demo.draw(2, 8, seed=1)
    assert [turn.label for turn in turns] == 2 * list(EMOTIONS)
    assert {turn.voice for turn in turns} <= {"en-gb-x-rp+f2", "en-gb-x-rp+m2"}
    assert len(set(turns)) == 8
    assert demo.draw(2, 8, seed=1) == turns
    assert demo.draw(2, 8, seed=2) != turns
    assert len(demo.draw(1, 40, seed=3)) == 40
    for turn in turns:
        (stressed,) = re.findall(r"\b[A-Z]{3,}\b", demo.spoken(turn))
        clause = turn.sentence.clauses[turn.sentence.emphasised]
        assert clause.text.endswith(stressed.lower())
        assert clause.positive == EMOTIONS[turn.label][1]


def test_which_model_is_taken(folder, tmp_path):
    runs = folder / "runs"
    found = demo.newest_model([runs, tmp_path / "none"])
    assert found.parent.name == "gban-fold1-seed0"
    older = runs / "a" / "tasks" / "gban-fold2-seed0" / "model.safetensors"
    assert (demo.session_of(found), demo.session_of(older)) == (1, 2)
    os.utime(older, (found.stat().st_mtime + 60,) * 2)
    assert demo.newest_model([runs]) == found  # of one run the first fold, whichever ended last
    newer = shutil.copytree(runs / "a", runs / "b") / found.relative_to(runs / "a")
    os.utime(newer, (found.stat().st_mtime + 120,) * 2)
    assert demo.newest_model([runs]) == newer
    os.utime(newer.parents[1] / older.parent.name / older.name, (0, 0))
    os.utime(newer, (0, 0))
    assert demo.newest_model([runs]) == found
    for path in runs.glob("*/tasks/gban-*/result.json"):
        path.unlink()
    assert demo.newest_model([runs]) is None


@pytest.mark.parametrize(
    "settings",
    [
        '{"corpus": "gban-edge synthesised", "utterances": 100}',
        '{"corpus": "IEMOCAP", "utterances": 5531}',
        '{"corpus"',
        "[]",
    ],
)
def test_a_smoke_run_and_another_corpus_are_not_taken(folder, settings):
    (folder / "runs" / "a" / "settings.json").write_text(settings)
    assert demo.newest_model([folder / "runs"]) is None


def test_demo_trains_where_there_is_no_model(folder, tmp_path, monkeypatch, capfd):
    """run_folds itself has tests: here a program in its place tells how it was called."""
    source = folder / "runs" / "a" / "tasks" / "gban-fold1-seed0" / "model.safetensors"
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "run_folds.py").write_text(
        "import shutil, sys, pathlib\n"
        "print(*sys.argv[1:])\n"
        "out = pathlib.Path(sys.argv[-1]) / 'tasks' / 'gban-fold1-seed0'\n"
        f"out.mkdir(parents=True); shutil.copy({str(source)!r}, out)\n"
    )
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    model = demo.train_one(Console(width=200), tmp_path / "new")
    assert model.read_bytes() == source.read_bytes()
    out = capfd.readouterr().out
    assert "--models gban --folds 1 --out" in out
    assert "1 to 2 minutes on 2 cores" in out
    assert model.parent.parent.parent.name.endswith("-demo")
    (tmp_path / "train" / "run_folds.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(RuntimeError, match="failed with status 3"):
        demo.train_one(Console(), tmp_path / "new2")


def test_what_is_not_installed_names_the_extra(tmp_path, monkeypatch):
    done = command("demo", missing=["espeakng_loader"], cwd=tmp_path)
    assert_clean_error(done, "espeakng_loader", 'pip install "gban-edge[train]"')
    assert done.returncode == 1
    done = command("train", "--smoke", missing=["torch"])
    assert_clean_error(done, "training needs torch", 'pip install "gban-edge[train]"')
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RuntimeError, match="training needs torch"):
        demo.train_one(Console(), tmp_path)
    require(("numpy",), "nothing")


def test_a_model_that_is_there_needs_no_torch():
    code = "import sys, train.demo; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_wrong_usage():
    for arguments in (("--clips", "0"), ("--seed", "0"), ("--model", "x", "--retrain")):
        assert "Error" in refused(2, "demo", *arguments)
    done = command("demo", "--model", "none.safetensors", "--clips", "1")
    assert_clean_error(done, "none.safetensors does not exist")
    assert done.returncode == 1


def test_without_a_checkout(tmp_path):
    """The package copied to where an installed one would be."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "gban_edge", site / "gban_edge",
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    for name in ("train", "demo"):
        done = subprocess.run(
            program(name), capture_output=True, text=True, cwd=tmp_path,
            env={**environment(), "PYTHONPATH": str(site)},
        )  # fmt: skip
        assert_clean_error(done, str(site), "git clone", "make run")
        assert done.returncode == 1
    (tmp_path / "checkout" / "gban_edge").mkdir(parents=True)
    (tmp_path / "checkout" / "train").mkdir()
    (tmp_path / "checkout" / "train" / "run_folds.py").write_text(
        "import sys\nprint(sys.argv[1:])\nsys.exit(7)\n"
    )
    helped = subprocess.run(
        program("train", "--help"), capture_output=True, text=True,
        cwd=tmp_path / "checkout", env={**environment(), "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert helped.stdout == "['--help']\n", helped.stderr
    done = subprocess.run(
        program("train", "--any", "a b", "--out=x"), capture_output=True, text=True,
        cwd=tmp_path / "checkout", env={**environment(), "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (7, "['--any', 'a b', '--out=x']\n"), done.stderr
