"""The evaluation of a finished run with imperfect words."""

import json
import shutil
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
import torch
from helpers import ROOT, plain_environment

from gban_edge import bundle, models
from gban_edge.text import UNKNOWN_ID, tokenize
from train import word_error_report, word_errors
from train.corpus import read_corpus
from train.corruption import corrupt
from train.data import FeatureCache, make_examples, prepare
from train.trainer import predict


@pytest.fixture
def done(finished, tmp_path):
    """A copy of the finished run, to be written into and broken."""
    return shutil.copytree(finished[0], tmp_path / "run")


def evaluate(folder, *arguments):
    """``python train/word_errors.py`` in a process of its own."""
    command = [sys.executable, str(ROOT / "train" / "word_errors.py"), folder, *arguments]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=plain_environment()
    )


def in_process(folder, **options):
    given = {"rates": "50", "draws": 1, "models": "gban,h_t,h_s", "against": None,
             "iemocap": None, "cache": None}  # fmt: skip
    word_errors.main(folder, **{**given, **options})
    return json.loads((folder / "word-errors.json").read_text())


def change(path, **values):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **values}))


def test_a_finished_run_is_evaluated(done):
    process = evaluate(done, "--rates", "0,20,50", "--draws", "2")
    assert process.returncode == 0, process.stderr
    assert "has no h_s; left out" in process.stderr
    assert "\x1b[" not in process.stdout + process.stderr
    lines = process.stdout.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["0%", "20%", "50%", "no words"]
    found = json.loads((done / "word-errors.json").read_text())
    assert found["rates"] == [0.0, 0.2, 0.5]
    assert found["measured_wer"][0] == 0.0
    np.testing.assert_allclose(found["measured_wer"], found["rates"], atol=0.06)
    assert found["most_frequent_class"] == 0.25
    (run,) = found["runs"]
    for task in run["tasks"]:
        assert task["wa"][0] == [wa_stored(done, task)]
        assert [len(drawn) for drawn in task["wa"]] == [1, 2, 2]
    # Without words all utterances are one to h_t, and the classes are equally frequent.
    assert run["models"]["h_t"]["no_words"] == {"mean": 0.25, "sd": 0.0, "by_fold": [0.25, 0.25]}
    for i in range(3):
        by_fold = [np.mean(t["wa"][i]) for t in run["tasks"] if t["model"] == "gban"]
        value = run["models"]["gban"]["wa"][i]
        assert value["by_fold"] == pytest.approx(by_fold)
        assert value["mean"] == pytest.approx(np.mean(by_fold))
        assert value["sd"] == pytest.approx(np.std(by_fold, ddof=1))


def test_its_text_and_its_picture(done):
    in_process(done)
    text = (done / "word-errors.md").read_text()
    assert word_error_report.table(json.loads((done / "word-errors.json").read_text())) in text
    assert "60% substituted, 30% deleted, 10% inserted" in text
    assert "h_t scores" in text
    assert "0.250 without words" in text
    assert not any(line.startswith(("# ", "## ")) for line in text.splitlines())
    assert (done / text.split("](")[1].split(")")[0]).is_file()
    picture = matplotlib.image.imread(done / "figures" / "word-errors.png")
    assert min(picture.shape[:2]) > 400
    assert picture[..., :3].std() > 0.05


def test_two_evaluations_are_equal(done, finished, tmp_path):
    again = shutil.copytree(finished[0], tmp_path / "elsewhere" / "run")
    for folder in (done, again):
        in_process(folder, rates="30", draws=2)
    for name in ("word-errors.json", "word-errors.md", "figures/word-errors.png"):
        assert (done / name).read_bytes() == (again / name).read_bytes()
    assert in_process(done, rates="30", draws=1) != json.loads(
        (again / "word-errors.json").read_text()
    )


@pytest.fixture
def parts(smoke_corpus, cache):
    """The smoke corpus's utterances by session, and their features."""
    corpus, store = read_corpus(smoke_corpus, False, False), FeatureCache(cache)
    frames = {name: store.get(sound) for name, sound in prepare(corpus, store, False).items()}
    return {n: [u for u in corpus.utterances if u.session == n] for n in range(1, 6)}, frames


def test_the_errors_reach_the_network(done, parts, monkeypatch):
    """What is predicted from: the true words, those of ``corrupt``, and one <unk>."""
    calls = []

    def recording(network, examples):
        predictions = predict(network, examples)
        right = predictions.logits.argmax(axis=1) == [e.label for e in examples]
        calls.append(([e.words for e in examples], np.mean(right)))
        return predictions

    monkeypatch.setattr(word_errors, "predict", recording)
    (row, _) = in_process(done, rates="60", models="gban")["runs"][0]["tasks"]
    sessions, _ = parts
    words = bundle.load(done / "tasks" / "gban-fold1-seed0" / "model.safetensors").vocabulary.words
    ids = {word: i for i, word in enumerate(words)}
    true = [tokenize(u.text) for u in sessions[1]]
    said = [w for n in (2, 3, 4, 5) for u in sessions[n] for w in tokenize(u.text)]
    wrong = [
        corrupt(spoken, 0.6, said, word_errors.stream(u.name, 0))
        for u, spoken in zip(sessions[1], true, strict=True)
    ]
    for (read, wa), heard, stored in zip(
        calls, (true, wrong, [[]] * 20), (*row["wa"], [row["no_words"]]), strict=False
    ):
        assert read == [[ids.get(w, UNKNOWN_ID) for w in words] or [UNKNOWN_ID] for words in heard]
        assert [wa] == stored
    assert len(calls) == 6


def test_a_model_without_words_is_flat(done, parts):
    sessions, frames = parts
    for fold in (1, 2):
        folder = done / "tasks" / f"h_s-fold{fold}-seed0"
        like = bundle.load(done / "tasks" / f"gban-fold{fold}-seed0" / "model.safetensors")
        torch.manual_seed(fold)
        network = models.build("h_s", like.config)
        bundle.save(
            folder / "model.safetensors", network, like.config, like.vocabulary, model="h_s",
            labels=like.labels, standardisation=like.standardisation,
        )  # fmt: skip
        test = make_examples(sessions[fold], frames, like.vocabulary, like.standardisation)
        right = predict(network, test).logits.argmax(axis=1) == [e.label for e in test]
        (folder / "result.json").write_text(json.dumps({"wa": np.mean(right)}))
    change(done / "settings.json", models=["gban", "h_t", "h_s"])
    rows = in_process(done, rates="10,50")["runs"][0]["tasks"]
    for row in (row for row in rows if row["model"] == "h_s"):
        stored = wa_stored(done, row)
        assert not row["reads_words"]
        assert row["wa"] == [[stored]] * 3
        assert row["no_words"] == stored
    assert all(row["reads_words"] for row in rows if row["model"] != "h_s")
    text = (done / "word-errors.md").read_text()
    assert "h_s reads no words" in text
    assert "gban is above h_s" in text


def wa_stored(folder, row):
    name = f"{row['model']}-fold{row['fold']}-seed{row['seed']}"
    return json.loads((folder / "tasks" / name / "result.json").read_text())["wa"]


def test_two_runs_side_by_side(done, finished, tmp_path):
    other = shutil.copytree(finished[0], tmp_path / "other")
    recipe = json.loads((other / "settings.json").read_text())["recipe"]
    change(other / "settings.json", recipe={**recipe, "word_dropout": 0.2})
    found = in_process(done, against=other)
    assert [run["name"] for run in found["runs"]] == ["word dropout 0", "word dropout 0.2"]
    assert found["runs"][0]["tasks"] == found["runs"][1]["tasks"]  # the same files
    text = (done / "word-errors.md").read_text()
    assert "| gban, word dropout 0 " in text
    assert "| gban, word dropout 0.2 " in text
    assert "gban +0.000 at 0%, +0.000 at 50%, +0.000 without words; h_t" in text
    assert not (other / "word-errors.md").exists()
    found = in_process(done, against=finished[0])  # equal settings: by their folders
    assert [run["name"] for run in found["runs"]] == ["run", "finished"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rates": "0,ten"}, "rates must be numbers"),
        ({"rates": "-5"}, "0-100 per cent"),
        ({"rates": "nan"}, "0-100 per cent"),
        ({"draws": 0}, "draws must be at least 1, got 0"),
        ({"models": "gbann"}, "models must be among ['gban',"),
        ({"models": "h_s"}, "has none of the models ['h_s']; it has ['gban', 'h_t']"),
        ({"against": ROOT}, "holds no run"),
        ({"cache": ROOT / "no" / "such", "iemocap": ROOT / "no"}, "does not exist"),
    ],
)
def test_bad_arguments(finished, options, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        in_process(finished[0], **options)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert not (finished[0] / "word-errors.json").exists()


def break_fingerprint(run):
    change(run / "settings.json", fingerprint="0" * 16)
    return "is not the corpus of"


def break_result(run):
    (run / "tasks" / "h_t-fold2-seed0" / "result.json").unlink()
    return "is not finished: h_t-fold2-seed0 has no result; go on with run_folds.py --resume"


def break_score(run):
    change(run / "tasks" / "gban-fold1-seed0" / "result.json", wa=0.123)
    return "0.123000 is stored with it"


def break_model_file(run):
    (run / "tasks" / "gban-fold2-seed0" / "model.safetensors").unlink()
    return "no model file of gban-fold2-seed0"


def break_place(run):
    (run / "corpus.json").unlink()
    return "say it with --iemocap and --cache"


def break_json(run):
    (run / "corpus.json").write_text("{")
    return "corpus.json: not a file that run_folds.py wrote"


def break_version(run):
    settings = json.loads((run / "settings.json").read_text())
    del settings["reference_ops"]
    (run / "settings.json").write_text(json.dumps(settings))
    return "settings lack ['reference_ops']"


@pytest.mark.parametrize(
    "damage",
    [break_fingerprint, break_result, break_score, break_model_file, break_place, break_json,
     break_version],
)  # fmt: skip
def test_a_run_that_cannot_be_evaluated(done, damage, capsys):
    words = damage(done)
    with pytest.raises(SystemExit) as stopped:
        in_process(done)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
    assert not (done / "word-errors.json").exists()


def test_two_runs_of_other_folds_are_not_compared(done, finished, capsys):
    change(done / "settings.json", folds=[1])
    with pytest.raises(SystemExit):
        in_process(done, against=finished[0])
    assert "cannot be compared: folds [1] and [1, 2]" in capsys.readouterr().err


def test_a_corpus_that_was_moved(done, cache, smoke_corpus, tmp_path):
    (done / "corpus.json").unlink()
    moved = shutil.copytree(smoke_corpus, tmp_path / "moved")
    found = in_process(done, iemocap=moved, cache=cache, models="h_t")
    assert found["runs"][0]["models"].keys() == {"h_t"}
