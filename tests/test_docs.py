"""The pages of docs/ tell the truth: their links lead somewhere, their commands and options exist.

Their blocks are run by test_doc_blocks.py and test_docs_cpp.py.
"""

import re
from functools import cache

import doc_blocks
import pytest
import stored_run
import typer
from doc_blocks import PAGES as EVERY_PAGE
from doc_blocks import blocks_of, name_of
from doc_place import write_recordings
from helpers import ROOT

from gban_edge.commands import app
from gban_edge.serve.metrics import Metrics
from gban_edge.serve.options import Limits
from tools import model_card
from train import report
from train.corpus import read_corpus
from train.folds import make_fold

pytest_plugins = ["doc_fixtures"]
DOCS = ROOT / "docs"
PAGES = {path.name: path.read_text() for path in sorted(DOCS.glob("*.md"))}
COMMANDS = typer.main.get_command(app).commands
# Options of other people's programs in the pages' text; test_jetson_trtexec.py has trtexec's.
FOREIGN = {
    "--index-url", "--help", "--install-completion", "--build", "--fp16", "--runtime", "--restore",
    "--show-args",
}  # fmt: skip


def blocks(page, language):
    return [one.text for one in blocks_of(DOCS / page) if one.language == language]


def commands(page):
    """The commands of the page's sh blocks, continued ones as one, without comments."""
    found = (one for one in blocks_of(DOCS / page) if one.language == "sh")
    return [line for block in found for line in doc_blocks.commands(block)]


def test_there_are_pages_with_commands():
    assert {"own-data.md", "cpp.md", "model-card.md", "model-card-template.md"} <= set(PAGES)
    for page in ("own-data.md", "cpp.md", "model-card.md"):
        assert commands(page), page


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_files_pages_and_headings_that_it_links_to_are_there(page):
    for link, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
        target = page.parent / link if link else page
        assert target.exists(), link
        if heading:
            lines = re.findall(r"^#+ (.*)", target.read_text(), re.M)
            anchors = [re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in lines]
            assert heading in anchors, f"{link}#{heading}"


def test_the_index_has_every_page():
    listed = set(re.findall(r"\]\(([\w-]+\.md)", PAGES["README.md"]))
    assert listed == set(PAGES) - {"README.md"}


def options_of(line):
    """(what a command line of ours may have, or None for another program)."""
    words = line.split()
    program = re.search(r"(?:train|tools|deploy|benchmarks)/[\w/]+\.py", line)
    if program:
        source = (ROOT / program[0]).read_text()
        return {f"--{name.replace('_', '-')}" for name in
                re.findall(r"^    (\w+): Annotated", source, re.M)} | set(
                re.findall(r'"(--?[a-z-]+)"', source))  # fmt: skip
    if words[0] != "gban-edge":
        return None
    assert words[1] in COMMANDS, line
    if words[1] == "train":
        return options_of("train/run_folds.py")
    return {name for one in COMMANDS[words[1]].params for name in (*one.opts, *one.secondary_opts)}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_commands_and_options_of_our_programs_exist(page):
    for block in blocks_of(page):
        for line in doc_blocks.commands(block) if block.language == "sh" else ():
            for part in re.split(r" \| | && ", line):
                known = options_of(part)
                for option in re.findall(r"(?<= )--?[a-zA-Z][\w-]*", part):
                    assert known is None or option in known, (part, option)


def test_a_made_up_option_would_be_noticed():
    assert "--words" in options_of("gban-edge predict MODEL")
    assert "--wrods" not in options_of("gban-edge predict MODEL")
    assert "--seeds" in options_of(".venv/bin/python train/run_folds.py")
    with pytest.raises(AssertionError):
        options_of("gban-edge perdict MODEL")


@cache
def every_option():
    """Of all our programs."""
    known = {name for command in COMMANDS.values() for one in command.params for name in one.opts}
    scripts = [path for folder in ("train", "tools", "deploy", "benchmarks")
               for path in (ROOT / folder).rglob("*.py")]  # fmt: skip
    known.update(name for one in typer.main.get_command(app).params for name in one.opts)
    return known.union(*(options_of(name_of(script)) for script in scripts))


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_options_and_commands_of_its_text_exist_too(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    known = every_option()
    for option in re.findall(
        r"(?<![\w-])--[a-zA-Z][\w-]*", " ".join(re.findall(r"`([^`]+)`", text))
    ):
        assert option in known | FOREIGN or page.name == "jetson-trtexec.md", option
    for name in re.findall(r"`gban-edge ([a-z]+)", text):
        assert name in COMMANDS, name


def test_every_command_is_on_the_page_of_commands():
    page = PAGES["command-line.md"]
    assert set(re.findall(r"`gban-edge (\w+)", page)) - {"COMMAND"} == set(COMMANDS)


def test_the_kiosks_page_has_every_error_and_metric():
    page = PAGES["kiosk.md"]
    sources = "".join(path.read_text() for path in (ROOT / "gban_edge" / "serve").glob("*.py"))
    raised = re.findall(r'ApiError\(\s*(\d{3}), "(\w+)"', sources)
    raised += re.findall(r'^    (\d{3}): \("(\w+)"', sources, re.M)
    assert len(raised) > 12
    rows = [row.split("|") for row in page.splitlines() if re.match(r"\| \d{3}", row)]
    for status, code in raised:
        assert any(status in row[1] and f"`{code}`" in row[2] for row in rows), (status, code)
    told = {code for row in rows for code in re.findall(r"`(\w+)`", row[2])}
    assert told == {code for _, code in raised}
    counted = set(re.findall(r'"(gban_\w+)"', sources)) - {"gban_edge"}
    assert set(re.findall(r"`(gban_\w+)`", page)) == counted
    assert "gban_requests_total" in Metrics().text()
    codes = {int(code) for code in re.findall(r"\b(10[01]\d)\b(?! characters)", page)}
    assert {1001, 1007, 1008, 1009, 1011, 1013} == codes


def test_the_kiosks_limits_are_the_services():
    page, limits = " ".join(PAGES["kiosk.md"].split()), Limits()
    defaults = {one.name: one.default for one in COMMANDS["serve"].params}
    assert (limits.workers, limits.streams) == (defaults["workers"], defaults["streams"])
    assert f"computed at once ({limits.workers})" in page
    assert f"wait for a worker ({limits.recognitions - limits.workers})" in page
    assert f"open WebSockets ({limits.streams})" in page
    assert f"more than {limits.body_bytes >> 20} MiB" in page
    assert f"nothing for {limits.idle_seconds:g} s" in page
    assert f"at most {limits.grace_seconds:g} s" in page
    assert limits.stream_seconds == 4 * 3600
    assert "last four hours" in page


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


@pytest.fixture
def recordings(tmp_path):
    return write_recordings(tmp_path)


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


def test_that_corpus_trains(trained):
    """The page's first command, but for its length; some transcripts are empty."""
    assert (trained / "runs/RUN/tasks/gban-fold1-seed0/model.safetensors").is_file()
    text = model_card.card(trained / "runs" / "RUN", "gban", PAGES["model-card-template.md"])
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
    (mean, deviation) = re.search(r"\| WA .*?\| (0\.\d+) ± (0\.\d+)", card).groups()
    for page in ((ROOT / "README.md").read_text(), PAGES["results.md"]):
        assert f"{mean} ± {deviation}" in page  # one run, one number


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
