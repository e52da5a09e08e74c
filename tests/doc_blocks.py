"""The code blocks of README, docs/ and the examples, and the table of what cannot run here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers import ROOT

PAGES = [
    ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]  # fmt: skip
CODE = {"python", "sh", "cpp", "c", "cmake", "ini", "pycon"}
PROSE = {"text"}  # what programs print, signatures, trees of folders


class Block(NamedTuple):
    """A fenced block: its page below the repository, the line of its fence, language and text."""

    page: str
    line: int
    language: str
    text: str


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks_of(path: Path) -> list[Block]:
    """The fenced blocks of a page.

    Raises:
        ValueError: a fence without a known language, or code that is indented instead.
    """
    found, inside, before = [], None, ""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        fence = re.fullmatch(r"```(\S*)", line.rstrip())
        if fence and inside is None:
            if fence[1] not in CODE | PROSE:
                raise ValueError(f"{name_of(path)}, line {number}: language {fence[1]!r}")
            inside = Block(name_of(path), number, fence[1], "")
        elif fence:
            found.append(inside)
            inside = None
        elif inside is not None:
            inside = inside._replace(text=f"{inside.text}{line}\n")
        elif line.startswith("    ") and not before.strip():
            raise ValueError(f"{name_of(path)}, line {number}: indented code; fence it")
        before = line
    assert inside is None, f"{name_of(path)}: a block is not closed"
    return found


def every_block() -> list[Block]:
    return [block for path in PAGES for block in blocks_of(path)]


def commands(block: Block) -> list[str]:
    """The commands of a shell block, continued lines as one, without comments."""
    lines = block.text.replace("\\\n", " ").splitlines()
    bare = (re.sub(r"(^|\s)# .*|(^|\s)#$", "", line).strip() for line in lines)
    return [" ".join(line.split()) for line in bare if line]


class Spared(NamedTuple):
    """Commands (whole blocks of another language) that are not run, and why.

    ``pattern`` must be found in the command or block, ``page`` in its page's name; ``instead`` is a
    test that runs the same thing, or "" where nothing here can.
    """

    pattern: str
    reason: str
    instead: str = ""
    page: str = ""


LONG = "takes minutes to hours"
BOARD = "needs a Jetson board"
NOT_RUN = [
    Spared(r"^make run", LONG, "test_full.py::test_gban_hears_more_than_one_modality_tells"),
    Spared(r"^make test", "is what runs this"),
    Spared(r"run_folds\.py .*--iemocap my-corpus", "is run shorter for all of these tests",
           "test_docs.py::test_that_corpus_trains"),
    Spared(r"run_folds\.py .*--iemocap IEMOCAP", "needs a licensed corpus"),
    Spared(r"run_folds\.py .*--ray", "needs a cluster",
           "test_cluster.py::test_a_killed_worker_and_a_killed_node_change_nothing"),
    Spared(r"^ray start|RAY_AUTH_TOKEN", "needs a cluster",
           "test_cluster.py::test_a_killed_worker_and_a_killed_node_change_nothing"),
    Spared(r"(run_folds\.py|gban-edge train) .*--(models|recipe)", LONG,
           "test_run_folds.py::test_it_writes_what_it_says"),
    Spared(r"train/report\.py", "takes seconds, and a finished run",
           "test_run_folds.py::test_rebuilding_a_finished_report_changes_nothing"),
    Spared(r"train/word_errors\.py", "takes seconds, and a finished run",
           "test_word_errors.py::test_two_runs_side_by_side"),
    Spared(r"calibration\.py .*--model gban", "needs a model that learnt enough",
           "test_abstaining.py::test_the_command_prints_what_was_reached"),
    Spared(r"^(gban-edge )?listen model\S+ --(device|asr)|listen --list-devices",
           "needs a microphone", "test_listen_cli.py::test_a_microphone"),
    Spared(r"with Microphone\(\) as source", "needs a microphone",
           "test_listen_cli.py::test_a_microphone"),
    Spared(r"gban-edge demo --retrain", LONG,
           "test_demo_cli.py::test_demo_trains_where_there_is_no_model"),
    Spared(r"^gban-edge build", "needs a GPU", "test_build_command.py::test_an_onnx_file"),
    Spared(r"^gban-edge bench .*--duration 600", "takes ten minutes",
           "test_deploy_bench_script.py::test_a_report_from_end_to_end"),
    Spared(r"^cmake .*(build/|--prefix)", "compiles for minutes",
           "test_install.py::test_recognize_wav_prints_what_the_equations_say"),
    Spared(r"^build/examples/(recognize_wav|stream) ", "needs that build",
           "test_install.py::test_stream_gives_the_same_label"),
    Spared(r"^arecord .*build/examples/robot", "needs a microphone",
           "test_robot_example.py::test_two_utterances_are_found_and_answered_as_python_does"),
    Spared(r"^(trtexec|export PATH)", "needs TensorRT's programs",
           "test_jetson_trtexec.py::test_every_flag_of_every_line_is_in_that_version"),
    Spared(r"^(scp|nvpmodel|sudo nvpmodel|sudo jetson_clocks) ?", BOARD, page="docs/jetson"),
    Spared(r"", "needs ROS 2", "test_ros2_node.py::test_an_utterance_is_published_in_all_forms",
           page="examples/ros2"),
    Spared(r"^(sudo|journalctl) ", "changes the machine", page="docs/kiosk"),
    Spared(r"", "a template: model-card.md is one that is filled in", page="card-template"),
]  # fmt: skip


def excepted(block: Block, text: str) -> list[Spared]:
    """The exceptions that a command of ``block``, or its whole text, falls under."""
    return [one for one in NOT_RUN if one.page in block.page and re.search(one.pattern, text, re.M)]


def pieces(block: Block) -> Iterator[str]:
    """What an exception is about: the commands of a shell block, else the block."""
    if block.language == "sh":
        yield from commands(block)
    else:
        yield block.text
