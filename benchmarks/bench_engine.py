"""The inference engine beside other runtimes, batch 1, the authors' sizes, 7.5 s and 20 words.

    python benchmarks/bench_engine.py                    one CPU thread
    python benchmarks/bench_engine.py --peers-only       without the engine
    python benchmarks/bench_engine.py --quick            fewer peers and lengths, to see it works
    python benchmarks/bench_engine.py --device cuda      a GPU (benchmarks/engine_peers_cuda.py)

Peers on the CPU: torch eager, compiled and scripted, ONNX Runtime in fp32 and dynamic int8,
OpenVINO in fp32, each in the fastest of the forms tried (benchmarks/engine_peers.py), all pinned to
one processor. Every form is checked against float64 before it is timed; forms take turns, round by
round. Then whole from PCM to label against librosa and ONNX Runtime, the cost of short utterances,
and the engine's stages. The last table holds what was measured against what is asked for.
"""

from __future__ import annotations

import os

# Before the libraries that read them.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engine_report as report
import numpy as np
import timing
import torch
from engine_case import SECONDS, Array, Case, Form, deviation, fastest, make_case, make_model

from gban_edge import features
from gban_edge.core import native

PRECISIONS = ("fp32", "fp16", "int8")
LENGTHS = (0.5, 1.0, 2.0, 4.0, SECONDS)
STAGE_CALLS = 300


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        if options.device == "cuda":
            import engine_peers_cuda

            record = engine_peers_cuda.measure(Path(folder), options)
        else:
            record = on_cpu(Path(folder), options)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=9, help="at least 5 (default 9)")
    parser.add_argument("--quick", action="store_true", help="fewer peers, fewer lengths")
    parser.add_argument("--peers-only", action="store_true", help="without the engine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error(f"--rounds must be at least 5, got {options.rounds}")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this machine has no GPU that torch can use")
    name = "CudaEngine" if options.device == "cuda" else "Engine"
    if not options.peers_only and not hasattr(native(), name):
        parser.error(
            f"the native core has no {name}: build it anew (pip install .), or --peers-only"
        )
    return options


def on_cpu(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Everything of the CPU, printed as it is found; a plain record."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    torch.set_num_threads(1)
    import engine_peers  # here, since a machine with a GPU may lack the CPU's runtimes

    case = make_case(make_model(folder))
    record: dict[str, Any] = {
        "machine": f"{report.processor()}, {native().current_isa()}, one thread",
        "versions": engine_peers.versions(),
        "rounds": options.rounds,
        "sizes": [len(case.features), len(case.words)],
    }
    report.heading(record)
    network(case, record, options)
    record["pcm"] = from_pcm(case, record, options)
    report.timed("PCM and text to label", record["pcm"])
    seconds = (1.0, SECONDS) if options.quick else LENGTHS
    record["lengths"] = [at_length(case.path, s, record, options) for s in seconds]
    report.lengths(record["lengths"])
    if not options.peers_only:
        record["stages"] = {precision: stages(case, precision) for precision in PRECISIONS}
        report.stages(record["stages"])
        record["asked"] = report.asked(record)
    return record


def network(case: Case, record: dict[str, Any], options: argparse.Namespace) -> None:
    """Features and word ids to probabilities: check all, choose each peer's form, take turns."""
    import engine_peers

    forms, errors, record["peers"] = {}, {}, {}
    for precision in () if options.peers_only else PRECISIONS:
        name = f"{report.OURS} {precision}"
        forms[name] = engine_form(case, precision)
        errors[name] = deviation(name, forms[name], case, precision)
    for peer, candidates in engine_peers.peers(case, options.quick).items():
        made, found = fastest(candidates, case, engine_peers.precision_of(peer))
        record["peers"][peer] = found
        for name, chosen in report.rows(peer, found).items():
            forms[name], errors[name] = made[chosen], found["candidates"][chosen]["error"]
    report.candidates(record["peers"])
    record["network"] = measured(forms, errors, options)
    report.timed("Network: features and word ids to probabilities", record["network"])


def measured(
    forms: dict[str, Form], errors: dict[str, float], options: argparse.Namespace
) -> dict[str, dict[str, float]]:
    times = timing.interleaved(forms, options.rounds, gpu=False)
    return {name: {**timing.spread(times[name]), "error": errors[name]} for name in forms}


def engine_form(case: Case, precision: str) -> Form:
    run = engine(case, precision).run
    frames, words = [case.features], [case.words.astype(np.int32)]
    return lambda: run(frames, words, 1)[0]["probabilities"]


def engine(case: Case, precision: str) -> Any:
    return native().Engine(str(case.path), precision)


def from_pcm(case: Case, record: dict[str, Any], options: argparse.Namespace) -> Any:
    """Sound and text to probabilities: librosa with ONNX Runtime, the engine's parts, and whole."""
    import engine_peers
    from bench_frontend import by_librosa
    from librosa.filters import mel

    filters = mel(sr=16000, n_fft=512, n_mels=26, fmin=0.0, fmax=6500.0)
    chosen = record["peers"][engine_peers.ORT]["chosen"]
    session = engine_peers.session(engine_peers.graphs(case)[chosen]())
    encode = case.bundle.vocabulary.encode

    def peer() -> Array:
        frames = np.ascontiguousarray(by_librosa(case.pcm, filters), np.float32)
        words = np.array(encode(case.text), np.int64)
        return session.run(None, {"features": frames, "words": words})[0].reshape(-1)

    forms: dict[str, Form] = {report.LIBROSA: peer}
    errors = {report.LIBROSA: deviation(report.LIBROSA, peer, case, "librosa")}
    for precision in () if options.peers_only else PRECISIONS:
        name = f"{report.OURS} {precision}"
        forms[name] = whole(case, precision)
        errors[name] = deviation(name, forms[name], case, precision)
    return measured(forms, errors, options)


def whole(case: Case, precision: str) -> Form:
    run, encode = engine(case, precision).run, case.bundle.vocabulary.encode

    def form() -> Array:
        words = np.array(encode(case.text), np.int32)
        return run([features.extract(case.pcm)], [words], 1)[0]["probabilities"]

    return form


def at_length(
    path: Path, seconds: float, record: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """The best fp32 runtime, with graphs made for this length and for any, and the engine."""
    import engine_peers

    case = make_case(path, seconds)
    peer = report.best(record["network"], engine_peers.ORT, engine_peers.OPENVINO)
    candidates = engine_peers.ort if peer == engine_peers.ORT else engine_peers.open_vino
    forms, errors = {}, {}
    for kind in ("this length", "any length"):
        some = {n: c for n, c in candidates(case).items() if ("dynamic" in n) == ("any" in kind)}
        name = f"{peer}, {kind}"
        made, found = fastest(some, case, "fp32")
        forms[name] = made[found["chosen"]]
        errors[name] = found["candidates"][found["chosen"]]["error"]
    if not options.peers_only:
        name = f"{report.OURS} fp32"
        forms[name] = engine_form(case, "fp32")
        errors[name] = deviation(name, forms[name], case, "fp32")
    sizes = [len(case.features), len(case.words)]
    return {"seconds": seconds, "sizes": sizes, "times": measured(forms, errors, options)}


def stages(case: Case, precision: str) -> dict[str, float]:
    """Seconds a call of each of the engine's stages."""
    made = engine(case, precision)
    frames, words = [case.features], [case.words.astype(np.int32)]
    made.run(frames, words, 1)
    made.measure(True)
    made.timings()  # clears
    for _ in range(STAGE_CALLS):
        made.run(frames, words, 1)
    return {stage: seconds / STAGE_CALLS for stage, seconds in made.timings()}


if __name__ == "__main__":
    main()
