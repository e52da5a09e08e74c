"""The commands predict, listen, train and demo as processes; a small model; sound files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from helpers import ROOT, SMALL, plain_environment
from runtime_models import DEVIATION, MEAN, random_weights
from typer.testing import CliRunner

from gban_edge import bundle
from gban_edge.commands import app
from gban_edge.config import GBANConfig
from gban_edge.text import PAD, UNKNOWN, Vocabulary


def program(*arguments: object, missing: Sequence[str] = ()) -> list[str]:
    """A command line; the modules ``missing`` cannot be imported in it."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({list(missing)!r}))"
    code = f"{hide}; from gban_edge.cli import main; main()"
    return [sys.executable, "-c", code, *map(str, arguments)]


def refused(status: int, *arguments: object) -> str:
    """What a command, in this process, says on standard error; it printed nothing else."""
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(a) for a in arguments])
    assert isinstance(done.exception, SystemExit), done.exception
    assert (done.exit_code, done.stdout) == (status, "")
    return done.stderr


def here(*arguments: object, width: int = 100) -> subprocess.CompletedProcess[str]:
    """As :func:`command`, in this process: what imports cost is saved."""
    done = CliRunner(env={"COLUMNS": str(width)}).invoke(app, [str(a) for a in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def environment(width: int = 100, **more: str) -> dict[str, str]:
    return {**plain_environment(), "PYTHONPATH": str(ROOT), "COLUMNS": str(width),
            "PYTHONIOENCODING": "utf-8", **more}  # fmt: skip


def command(
    *arguments: object,
    missing: Sequence[str] = (),
    width: int = 100,
    stdin: bytes = b"",
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """``gban-edge ARGUMENTS`` in a process of its own."""
    done = subprocess.run(
        program(*arguments, missing=missing), input=stdin, capture_output=True, cwd=cwd,
        env=environment(width),
    )  # fmt: skip
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def small_model(path: Path, labels: Sequence[str] = ("ang", "hap", "neu", "sad")) -> Path:
    """A random network that calls its classes ``labels``."""
    config = GBANConfig.from_dict({**SMALL.to_dict(), "classes": len(labels)})
    words = Vocabulary((PAD, UNKNOWN, *(f"w{i}" for i in range(2, config.vocabulary))))
    weights = {k: w.astype(np.float32) for k, w in random_weights("gban", config, 1).items()}
    bundle.save(
        path, weights, config, words, model="gban", labels=labels,
        standardisation=bundle.Standardisation(MEAN, DEVIATION), temperature=0.3,
    )  # fmt: skip
    return path


def write_wav(path: Path, pcm: np.ndarray, rate: int = 16000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, pcm, rate, subtype="PCM_16")
    return path
