"""The pages of docs/ tell the truth: their programs run, their commands and options exist."""

import csv
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import stored_run
from helpers import ROOT, speech_like

from tools import model_card
from train import report
from train.corpus import read_corpus
from train.folds import make_fold

DOCS = ROOT / "docs"
PAGES = {path.name: path.read_text() for path in sorted(DOCS.glob("*.md"))}
WORDS = ["That is incredible.", "i don't  know", "", "Ça va?"]
LABELS = ["ang", "hap", "neu", "sad", "exc"]


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)


def commands(page):
    """Lines of the page's sh blocks, continued ones as one, without comments."""
    text = "".join(blocks(page, "sh")).replace("\\\n", " ")
    return [line.split("#")[0].strip() for line in text.splitlines() if line.split("#")[0].strip()]


def test_there_are_pages_with_commands():
    assert {"own-data.md", "cpp.md", "model-card.md", "model-card-template.md"} <= set(PAGES)
    for page in ("own-data.md", "cpp.md", "model-card.md"):
        assert commands(page), page


@pytest.mark.parametrize("page", PAGES)
def test_files_and_pages_that_it_links_to_are_there(page):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", PAGES[page]):
        assert (DOCS / link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_options_of_our_programs_exist(page):
    files = [ROOT / "gban_edge" / "commands.py", *(ROOT / "gban_edge").rglob("*_cli.py")]
    of_command = "".join(file.read_text() for file in files)
    for line in commands(page):
        words = line.split()
        program = re.search(r"(?:train|tools|deploy|benchmarks)/\w+\.py", line)
        if program:
            assert (ROOT / program[0]).is_file(), line
            source = (ROOT / program[0]).read_text()
        elif words[0] == "gban-edge":
            assert re.search(rf'def {words[1]}\(|app.command\("{words[1]}"\)', of_command), line
            source = of_command
        else:
            continue
        for option in re.findall(r"(?<= --)[a-z0-9-]+", line):
            name = option.replace("-", "_")
            assert re.search(rf"^    {name}: Annotated", source, re.MULTILINE), (line, option)


def test_options_of_its_text_exist_too():
    names = " ".join(re.findall(r"`(--[^`]*)`", PAGES["own-data.md"]))
    source = (ROOT / "train" / "run_folds.py").read_text()
    options = re.findall(r"--([a-z][a-z-]+)", names)
    assert len(options) >= 5
    for option in options:
        assert f"    {option.replace('-', '_')}: Annotated" in source, option


def test_cmake_options_and_names_are_those_of_the_build():
    build = "".join(p.read_text() for p in [ROOT / "CMakeLists.txt", *(ROOT / "cmake").iterdir()])
    options = set(re.findall(r"-D(GBAN_\w+)", "".join(PAGES.values())))
    assert {"GBAN_PYTHON", "GBAN_CUDA"} <= options
    assert all(option in build for option in options)
    (project,) = blocks("cpp.md", "cmake")
    example = (ROOT / "examples" / "cpp" / "CMakeLists.txt").read_text()
    for name in ("find_package(gban_edge REQUIRED)", "PRIVATE gban_edge::gban_edge"):
        assert name in project
        assert name in example


@pytest.mark.parametrize("language", ["cpp", "c"])
def test_its_programs_compile_without_a_warning(language, tmp_path):
    compiler = {"cpp": shutil.which("g++") or shutil.which("c++"),
                "c": shutil.which("gcc") or shutil.which("cc")}[language]  # fmt: skip
    assert compiler, f"no compiler of {language}"
    programs = blocks("cpp.md", language)
    assert programs
    for i, program in enumerate(programs):
        path = tmp_path / f"{i}.{language}"
        path.write_text(program)
        flags = ["-std=c++17"] if language == "cpp" else ["-std=c11"]
        flags += ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", ROOT / "csrc" / "include"]
        done = subprocess.run([compiler, *flags, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def recordings(tmp_path):
    """What own-data.md begins with: recordings.csv and the sounds that it names."""
    rng = np.random.default_rng(3)
    rows = []
    for session in (1, 2, 3):
        for i in range(20):
            path = tmp_path / f"{session}-{i}.wav"
            soundfile.write(path, speech_like(rng, int(rng.integers(5000, 12000))), 16000)
            label = LABELS[i // 2 % 5]
            rows.append([path, label, WORDS[i // 2 % 4], session, "FM"[i % 2]])
    with (tmp_path / "recordings.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["wav", "label", "words", "session", "speaker"])
        writer.writerows(rows)
    return rows


def write_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("own-data.md", "python")
    exec(compile(program, "own-data.md", "exec"), {})
    return tmp_path / "my-corpus"


def test_recordings_become_a_corpus_that_the_reader_takes(tmp_path, monkeypatch, recordings):
    corpus = read_corpus(write_own(tmp_path, monkeypatch))
    assert corpus.name == "my corpus"
    assert not corpus.notes  # no --allow-partial was needed
    assert dict(corpus.skipped) == {"label exc": 12}
    kept = [row for row in recordings if row[1] != "exc"]
    assert len(corpus.utterances) == len(kept) == 48
    found = sorted((u.session, u.label, u.text, u.wav.read_bytes()) for u in corpus.utterances)
    wanted = sorted((s, label, " ".join(words.split()), wav.read_bytes())
                    for wav, label, words, s, _ in kept)  # fmt: skip
    assert found == wanted
    assert {u.speaker for u in corpus.utterances} == {f"{s}{x}" for s in (1, 2, 3) for x in "FM"}
    for validation in ("random", "speaker"):
        fold = make_fold(corpus.utterances, 2, 0, validation)
        assert {u.session for u in fold.test} == {2}
    merged = read_corpus(tmp_path / "my-corpus", merge_excited=True)
    assert len(merged.utterances) == 60


def test_a_lost_file_and_another_label_are_noticed_as_the_page_says(
    tmp_path, monkeypatch, recordings
):
    root = write_own(tmp_path, monkeypatch)
    labels = next(root.glob("Session1/dialog/EmoEvaluation/*.txt"))
    text = labels.read_text()
    labels.write_text("".join(text.splitlines(keepends=True)[1:]))
    with pytest.raises(ValueError, match="not the whole corpus"):
        read_corpus(root)
    labels.write_text(text.replace("\thap\t", "\tjoy\t"))
    with pytest.raises(ValueError, match=r"line 3: label must be one of"):
        read_corpus(root)
    labels.write_text(text)
    (root / "SYNTHESISED.json").unlink()
    with pytest.raises(ValueError, match="--allow-partial"):
        read_corpus(root)


def test_that_corpus_trains(tmp_path, monkeypatch, recordings, cache):
    """The page's first command, but for its length; some transcripts are empty."""
    write_own(tmp_path, monkeypatch)
    line = next(c for c in commands("own-data.md") if "run_folds.py" in c).split()[1:]
    arguments = [ROOT / line[0], *line[1:]]
    arguments[arguments.index("1-5")] = "1-2"
    arguments[arguments.index("3")] = "1"
    arguments += ["--epochs", "1", "--models", "gban", "--out", tmp_path / "runs" / "RUN",
                  "--cache", cache, "--jobs", "1"]  # fmt: skip
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/RUN/tasks/gban-fold1-seed0/model.safetensors").is_file()
    text = model_card.card(tmp_path / "runs" / "RUN", "gban", PAGES["model-card-template.md"])
    assert text.count("TO FILL IN") == len(model_card.OPEN)
    assert "--iemocap FOLDER" in text


def headings(text):
    return [line for line in text.splitlines() if line.startswith("## ")]


def test_the_card_is_the_template_with_figures_in_it():
    template, card = PAGES["model-card-template.md"], PAGES["model-card.md"]
    assert "{{" not in card
    assert "TO FILL IN" not in card
    assert headings(card) == headings(template)
    # Every line of the template without a placeholder stands in the card, in order.
    lines = iter(card.splitlines())
    for line in template.splitlines():
        if line and "{{" not in line:
            assert line in lines, line
    for topic in ("Article 5", "told", "expression", "Apache-2.0", "nothing leaves it"):
        assert topic in card
    readme = (ROOT / "README.md").read_text()
    (mean, deviation) = re.search(r"\| WA .*?\| (0\.\d+) ± (0\.\d+)", card).groups()
    assert f"{mean} ± {deviation}" in readme  # one run, one number


def test_a_run_fills_every_placeholder_with_its_own_figures(tmp_path):
    run = stored_run.write_run(tmp_path / "run", ["gban", "h_s"], seeds=2)
    summary = report.build(run)
    template = PAGES["model-card-template.md"]
    assert len(set(re.findall(r"\{\{(\w+)\}\}", template))) > 25
    for model in ("gban", "h_s"):
        text = model_card.card(run, model, template)
        wa = summary[model]["wa"]
        assert "{{" not in text
        assert f"| {wa['mean']:.4f} ± {wa['sd_over_seeds']:.4f} |" in text
        assert ", ".join(f"{v:.4f}" for v in wa["by_fold"]) in text
        assert f"--models {model} --seeds 2 --recipe default" in text
        assert f"| angry | {summary[model]['recalls'][0]:.4f} |" in text
        assert "1.25 to 1.25 here" in text
        assert "300 train, 20 validation, 80 test" in text
        assert "TO FILL IN" not in text


def test_what_cannot_be_filled_is_an_error(tmp_path):
    run = stored_run.write_run(tmp_path / "run", ["gban"])
    template = PAGES["model-card-template.md"]
    with pytest.raises(FileNotFoundError, match=r"train/report.py"):
        model_card.card(run, "gban", template)
    report.build(run)
    with pytest.raises(ValueError, match="got 'tfl'"):
        model_card.card(run, "tfl", template)
    with pytest.raises(ValueError, match="unheard_of"):
        model_card.card(run, "gban", template + "{{unheard_of}}")
    (run / "results.json").write_text("{}")
    with pytest.raises(ValueError, match="not the results"):
        model_card.card(run, "gban", template)
