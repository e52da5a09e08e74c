"""Every code block of the pages runs, or stands in a table (doc_blocks.py) that says why not."""

import re
import shutil
import subprocess
import sys

import pytest
import soundfile
from doc_blocks import (
    CODE,
    NOT_RUN,
    PAGES,
    Block,
    blocks_of,
    every_block,
    excepted,
    name_of,
    pieces,
)
from doc_runner import Runner
from helpers import ROOT

pytest_plugins = ["doc_fixtures"]
COMPILED = {"cpp", "c", "cmake"}  # test_docs.py compiles them, test_docs_cpp.py runs them
WITH_CODE = [path for path in PAGES if any(one.language in CODE for one in blocks_of(path))]


def test_every_page_is_read_and_every_fence_has_a_language():
    found = {block.page for block in every_block()}
    assert {"README.md", "docs/tutorial.md", "docs/kiosk.md", "docs/reference/stream.md"} <= found
    assert {"examples/cpp/README.md", "examples/ros2/README.md"} <= found


@pytest.mark.parametrize(
    "text", ["\n    gban-edge info\n", "```\ngban-edge info\n```\n", "```bash\nls\n```\n"]
)
def test_code_in_another_dress_is_noticed(text, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n{text}")
    monkeypatch.setattr("doc_blocks.ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"page\.md, line"):
        blocks_of(page)


def test_every_exception_is_needed_and_names_a_test_that_exists():
    for one in NOT_RUN:
        used = [b for b in every_block() if b.language in CODE
                and any(one in excepted(b, piece) for piece in pieces(b))]  # fmt: skip
        assert used, f"no block has {one.pattern!r}"
        assert one.reason
        if one.instead:
            file, _, name = one.instead.partition("::")
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(), one.instead


def names_of(page, folder):
    """What a docstring's example on a reference page takes for granted."""
    if not page.startswith("docs/reference/"):
        return {}
    from gban_edge import EmotionRecognizer, words
    from gban_edge.features import Frontend
    from gban_edge.stream import SpeechEnded, UtteranceStream

    rec = EmotionRecognizer.from_pretrained(folder / "model.safetensors", "cpu")
    pcm = soundfile.read(folder / "speech.wav")[0]
    return {"EmotionRecognizer": EmotionRecognizer, "rec": rec, "pcm": pcm, "Frontend": Frontend,
            "result": rec(pcm, "that is incredible"), "words": words, "SpeechEnded": SpeechEnded,
            "UtteranceStream": UtteranceStream}  # fmt: skip


def execute(page, folder):
    """The blocks of ``page`` in their order."""
    runner = Runner(folder, names_of(name_of(page), folder))
    try:
        for block in blocks_of(page):
            skipped = block.language not in CODE - COMPILED - {"pycon"}  # test_reference.py
            whole = block.language != "sh" and excepted(block, block.text)
            if not (skipped or whole):
                runner.run(block)
    finally:
        runner.stop()


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_its_blocks_run(page, request, monkeypatch, capsys):
    wanted = [b for b in blocks_of(page) if b.language in CODE - COMPILED - {"pycon"}]
    if all(excepted(b, piece) for b in wanted for piece in pieces(b)):
        return  # nothing that could run, so no folder for it
    for tool in ("curl", "openssl"):
        if any(f"{tool} " in b.text for b in wanted) and shutil.which(tool) is None:
            pytest.skip(f"no {tool} on the PATH")
    folder = request.getfixturevalue("place")
    monkeypatch.chdir(folder)
    execute(page, folder)
    printed = capsys.readouterr().out
    if page.name == "README.md" and page.parent == ROOT:
        answers = re.findall(
            r"^(?:ang|hap|neu|sad) 0\.\d\d \(.* in \d\.\d s; (\S+) ", printed, re.M
        )
        assert answers[-1] == "onnxruntime"
        assert (folder / "alignment.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("sh", "gban-edge predict model.safetensors no-such-file.wav"),
        ("sh", "false | true"),
        ("sh", "gban-edge serve no-such-model.safetensors"),
        ("python", "raise ValueError('it does not run')"),
        ("python", "import gban_edge.no_such_module"),
        ("ini", "[Service]\nExecStart=/bin/true"),
        ("rust", "fn main() {}"),
    ],
)
def test_a_block_that_does_not_run_fails(language, text, place, monkeypatch):
    monkeypatch.chdir(place)
    runner = Runner(place)
    with pytest.raises((AssertionError, ValueError, ImportError, LookupError)):
        runner.run(Block("page.md", 1, language, text))
    assert not excepted(Block("page.md", 1, language, text), text)


def test_a_shells_variables_stay_and_the_service_ends_with_its_page(place, monkeypatch):
    monkeypatch.chdir(place)
    runner = Runner(place)
    runner.run(Block("page.md", 1, "sh", "MODEL=model.safetensors\ntest -f $MODEL\n"))
    runner.run(
        Block("page.md", 2, "sh", "gban-edge serve $MODEL\ncurl http://127.0.0.1:8765/healthz\n")
    )
    runner.stop()
    with pytest.raises(AssertionError):
        runner.run(Block("page.md", 3, "sh", "curl http://127.0.0.1:8765/healthz"))


def test_tools_of_the_pages_are_this_python(place):
    program = place / ".venv" / "bin" / "python"
    done = subprocess.run(
        [program, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True
    )
    assert done.stdout.strip() == sys.prefix
