"""What several tests need; it has tests of its own (test_helpers.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gban_edge.config import GBANConfig

ROOT = Path(__file__).resolve().parent.parent
SMALL = GBANConfig(
    vocabulary=30, conv_filters=(6, 8), embedding=12, text_filters=8, hidden=10, fusion=9,
    classifier=7,
)  # fmt: skip
# A run small enough for a test, large enough to have epochs, folds and models to be killed in.
SHORT = ("--smoke", "--models", "gban,h_t", "--folds", "1-2", "--epochs", "4")


def speech_like(rng: np.random.Generator, samples: int) -> np.ndarray:
    """float64 [samples] in [-1, 1]: a gliding buzz with pauses and noise, not silence anywhere."""
    time = np.arange(samples) / 16000
    pitch = 120 + 40 * np.sin(2 * np.pi * rng.uniform(0.3, 2.0) * time)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    buzz = sum(np.sin(k * phase) / k for k in range(1, 20))
    envelope = np.clip(np.sin(2 * np.pi * rng.uniform(1, 3) * time), 0, 1)
    return np.clip(0.2 * buzz * envelope + 0.002 * rng.standard_normal(samples), -1, 1)


def ragged_batch(rng: np.random.Generator, config: GBANConfig, batch: int, most: int = 120):
    """Random padded inputs of a model: speech, lengths, words, counts, as torch tensors."""
    frames = rng.integers(0, most + 1, batch)
    words = rng.integers(1, 12, batch)
    speech = rng.standard_normal((batch, max(1, int(frames.max())), config.features))
    ids = rng.integers(1, config.vocabulary, (batch, int(words.max())))
    return (
        torch.tensor(speech, dtype=torch.float32),
        torch.tensor(frames),
        torch.tensor(ids),
        torch.tensor(words),
    )


def alignment_case(
    seed: int, precision: type = np.float32
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Random ragged states for align_pool: speech [B, K, D], text [B, L, D] and true lengths [B].

    Sizes lie around the edges of vectors and register blocks, D odd or even; the scores' deviation
    from 0.05 (flat) to 2 (saturated), whatever D is.
    """
    rng = np.random.default_rng(seed)
    batch, steps, words = (int(n) for n in rng.integers(1, [5, 60, 36]))
    states = int(rng.choice([1, 7, 8, 12, 16, 31, 32, 33, 64, 72, 256]))
    deviation = np.sqrt(np.exp(rng.uniform(-3, 0.7)) / np.sqrt(states))
    speech = deviation * rng.standard_normal((batch, steps, states))
    text = deviation * rng.standard_normal((batch, words, states))
    lengths = rng.integers(1, steps + 1, batch), rng.integers(1, words + 1, batch)
    return speech.astype(precision), text.astype(precision), *lengths


def write_corpus(root: Path, each: int = 2, seed: int = 0) -> Path:
    """A tiny corpus in IEMOCAP's layout, of noise instead of speech: ``each`` turns a label."""
    import soundfile  # here, since the machine that lends a GPU has none and needs the rest

    rng = np.random.default_rng(seed)
    for session in range(1, 6):
        folder = root / f"Session{session}"
        name = f"Ses{session:02d}F_impro01"
        labels, words = [], []
        (folder / "sentences" / "wav" / name).mkdir(parents=True)
        for i in range(4 * each):
            turn = f"{name}_{'FM'[i % 2]}{i:03d}"
            label = ("ang", "hap", "neu", "sad")[i // 2 % 4]
            start = 10.0 * i
            labels.append(f"[{start:.4f} - {start + 1:.4f}]\t{turn}\t{label}\t[2.0, 2.0, 2.0]")
            words.append(f"{turn} [{start:08.4f}-{start + 1:08.4f}]: Word{i % 3} and more.")
            pcm = speech_like(rng, int(rng.integers(4000, 9000)))
            path = folder / "sentences" / "wav" / name / f"{turn}.wav"
            soundfile.write(path, pcm, 16000, subtype="PCM_16")
        for kind, lines in (("EmoEvaluation", labels), ("transcriptions", words)):
            (folder / "dialog" / kind).mkdir(parents=True)
            (folder / "dialog" / kind / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return root


def first_wav(root: Path) -> Path:
    """One sound file of a corpus made by :func:`write_corpus`."""
    return sorted(root.rglob("*.wav"))[0]


def run_folds(*arguments: object) -> subprocess.CompletedProcess[str]:
    """``python train/run_folds.py ARGUMENTS`` in a process of its own."""
    command = [sys.executable, str(ROOT / "train" / "run_folds.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=plain_environment())


def run_folds_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has imported torch already, on one thread.

    For at most one task, which then needs no workers. An exception that the program lets out is
    raised.
    """
    import typer
    from typer.testing import CliRunner

    from train.run_folds import main

    program = typer.Typer(add_completion=False)  # as typer.run makes it
    program.command()(main)
    given = [str(argument) for argument in arguments]
    done = CliRunner().invoke(program, given, catch_exceptions=False)
    return subprocess.CompletedProcess(given, done.exit_code, done.stdout, done.stderr)


def results(folder: Path) -> dict[str, Any]:
    """The results.json of a run folder."""
    return json.loads((folder / "results.json").read_text())


def plain_environment() -> dict[str, str]:
    """The environment without what would change how a program prints."""
    hidden = {"FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"}
    return {k: v for k, v in os.environ.items() if k not in hidden}


def assert_clean_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The process failed with one message that says ``words``, and with no traceback."""
    assert done.returncode != 0, f"it succeeded: {done.stdout[-500:]}"
    assert "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"
