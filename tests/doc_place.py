"""A folder as a reader of the pages has it: a finished run, sounds, programs on the PATH."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from helpers import ROOT, plain_environment, speech_like

WORDS = ["That is incredible.", "i don't  know", "", "Ça va?"]
LABELS = ["ang", "hap", "neu", "sad", "exc"]
QUIET = np.zeros(16000, np.int16)


def write_recordings(folder: Path) -> list[list]:
    """What own-data.md begins with: recordings.csv, and the sounds that it names."""
    rng, rows = np.random.default_rng(3), []
    for session in (1, 2, 3):
        for i in range(20):
            path = folder / f"{session}-{i}.wav"
            soundfile.write(path, speech_like(rng, int(rng.integers(5000, 12000))), 16000)
            label = LABELS[i // 2 % 5]
            rows.append([path, label, WORDS[i // 2 % 4], session, "FM"[i % 2]])
    with (folder / "recordings.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["wav", "label", "words", "session", "speaker"])
        writer.writerows(rows)
    return rows


def write_programs(folder: Path) -> None:
    """``.venv`` as `make run` leaves it, but of this Python and these sources."""
    bin_ = folder / ".venv" / "bin"
    bin_.mkdir(parents=True)
    lines = {"python": f'exec "{sys.executable}" "$@"',
             "gban-edge": f'exec "{sys.executable}" -c '
             '"from gban_edge.cli import main; main()" "$@"'}  # fmt: skip
    for name, line in lines.items():
        (bin_ / name).write_text(f"#!/bin/sh\n{line}\n")
        (bin_ / name).chmod(0o755)
    (bin_ / "activate").write_text(f'PATH="{bin_}:$PATH"\n')
    for name in ("train", "tools", "deploy", "benchmarks", "examples"):
        (folder / name).symlink_to(ROOT / name)


def environment(folder: Path) -> dict[str, str]:
    path = f"{folder / '.venv' / 'bin'}:{plain_environment()['PATH']}"
    return {**plain_environment(), "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder),
            "COLUMNS": "100", "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}  # fmt: skip


def run(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment(folder),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def train(folder: Path) -> None:
    """own-data.md's program and its first command, but for its length; then the clips of a demo."""
    from doc_blocks import blocks_of, commands

    write_programs(folder)
    write_recordings(folder)
    page = blocks_of(ROOT / "docs" / "own-data.md")
    (program,) = (block.text for block in page if block.language == "python")
    run(folder, ".venv/bin/python", "-c", program)
    lines = [line for block in page if block.language == "sh" for line in commands(block)]
    line = next(one for one in lines if "run_folds.py" in one).split()
    line[line.index("1-5")], line[line.index("3")] = "1-2", "1"
    run(folder, *line, "--epochs", 1, "--models", "gban,h_s", "--jobs", 1, "--cache", "cache",
        "--out", "runs/RUN")  # fmt: skip
    model = "runs/RUN/tasks/gban-fold1-seed0/model.safetensors"
    run(folder, "gban-edge", "demo", "--model", model, "--clips", 4, "--save", "clips")
    run(folder, "gban-edge", "export", model, "-o", "model.onnx")


def furnish(folder: Path, trained: Path) -> Path:
    """Fill ``folder`` with what the pages name, of what :func:`train` left in ``trained``."""
    folder.mkdir()
    write_programs(folder)
    shutil.copytree(trained / "runs", folder / "runs")
    shutil.copytree(trained / "clips", folder / "clips")
    shutil.copyfile(trained / "model.onnx", folder / "model.onnx")
    for name in ("RUN", "RUN2"):
        (folder / name).symlink_to("runs/RUN")
    # The run is of a few buzzes; `gban-edge demo` takes only what learnt the whole built-in corpus.
    settings = folder / "runs" / "RUN" / "settings.json"
    stored = json.loads(settings.read_text())
    stored |= {"corpus": "gban-edge synthesised", "utterances": 1200}
    settings.write_text(json.dumps(stored))
    model = folder / "runs" / "RUN" / "tasks" / "gban-fold1-seed0" / "model.safetensors"
    shutil.copyfile(model, folder / "model.safetensors")
    write_recordings(folder)
    write_sounds(folder)
    return folder


def write_sounds(folder: Path) -> None:
    first, second = sorted((folder / "clips").glob("*.wav"))[:2]
    shutil.copyfile(first, folder / "speech.wav")
    shutil.copyfile(second, folder / "other.wav")
    pcm = [soundfile.read(path, dtype="int16")[0] for path in (first, second)]
    meeting = np.concatenate([QUIET, pcm[0], QUIET, pcm[1], QUIET])
    soundfile.write(folder / "meeting.wav", meeting, 16000, subtype="PCM_16")


def microphone(folder: Path) -> list[np.ndarray]:
    """Blocks of an utterance between quiet, float32."""
    pcm = soundfile.read(folder / "speech.wav", dtype="float32")[0]
    quiet = QUIET.astype(np.float32)
    return np.array_split(np.concatenate([quiet, pcm, quiet]), 200)
