"""A cold start: how long a fresh process takes to its first answer, phase by phase.

The file cache is warm; the process, the device's context and the CUDA graphs are new. Only the
standard library is imported here at first, so that the import of everything else is timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gban_edge.deploy.bench_options import BenchOptions

PHASES = ("interpreter", "import", "load", "first_call", "second_call")
# The folder of this package stands first, where it is not on the path anyway, in place of the
# current folder, which may hold anything.
_PROGRAM = """
import sys, time
wall, begin = time.time_ns(), time.perf_counter_ns()
root = sys.argv[2]
sys.path[:1] = [] if root in sys.path[1:] else [root]
from gban_edge.deploy.bench_cold import child
child(wall, begin, sys.argv[1])
"""
_ERRORS: dict[str, type[Exception]] = {
    error.__name__: error for error in (ValueError, FileNotFoundError, RuntimeError)
}


def one_start(options: BenchOptions) -> dict[str, float]:
    """Start a process that loads ``options.model`` and answers twice.

    Returns:
        Milliseconds of each of :data:`PHASES`: the interpreter until its first line, the import of
        this package, loading (of the backend's library, the weights or the engine), the first
        call (which captures a graph where there is one), the second; and ``to_first_answer``, the
        sum of the first four.

    Raises:
        FileNotFoundError, ValueError, RuntimeError: as the process had them.
    """
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", _PROGRAM, json.dumps(options.to_dict()), root]
    begin = time.time_ns()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    said = _last_json(done.stdout)
    if "error" in said:
        raise _ERRORS.get(said["error"], RuntimeError)(said["message"])
    if done.returncode != 0 or "wall" not in said:
        last = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise RuntimeError(f"the cold start's process ended with {done.returncode}: {last}")
    phases = {"interpreter": (said["wall"] - begin) / 1e6}
    phases.update({name: said[name] / 1e6 for name in PHASES[1:]})
    phases["to_first_answer"] = sum(phases[name] for name in PHASES[:4])
    return phases


def _last_json(printed: str) -> dict[str, Any]:
    """The last line that is a JSON object; a backend's library may have printed others."""
    for line in reversed(printed.splitlines()):
        if line.startswith("{"):
            try:
                found: dict[str, Any] = json.loads(line)
            except json.JSONDecodeError:
                continue
            return found
    return {}


def child(wall: int, begin: int, arguments: str) -> None:
    """What the process does: print the nanoseconds of every phase, or its error, as JSON."""
    from gban_edge.runtime.recognizer import EmotionRecognizer  # noqa: F401

    imported = time.perf_counter_ns()
    try:
        phases = _phases(json.loads(arguments))
    except tuple(_ERRORS.values()) as error:
        kind = next(name for name, known in _ERRORS.items() if isinstance(error, known))
        print(json.dumps({"error": kind, "message": str(error)}), flush=True)
        raise SystemExit(1) from None
    print(json.dumps({"wall": wall, "import": imported - begin, **phases}), flush=True)


def _phases(arguments: dict[str, Any]) -> dict[str, int]:
    from gban_edge.deploy.bench_inputs import make_utterances
    from gban_edge.deploy.bench_options import BenchOptions
    from gban_edge.deploy.bench_target import open_recognizer

    options = BenchOptions.from_dict(arguments)
    clock = time.perf_counter_ns
    begin = clock()
    target = open_recognizer(options)
    loaded = clock()
    call = target.prepare(make_utterances(options, target.vocabulary)[0])
    start = clock()
    call()
    first = clock()
    call()
    second = clock()
    return {"load": loaded - begin, "first_call": first - start, "second_call": second - first}


def summarise(starts: list[dict[str, float]]) -> dict[str, Any]:
    """Of several starts: ``median_ms`` of every phase, and all of them in order."""
    from statistics import median

    names = (*PHASES, "to_first_answer")
    return {
        "median_ms": {name: median(start[name] for start in starts) for name in names},
        "starts_ms": starts,
    }
