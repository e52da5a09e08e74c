"""The CUDA engine beside PyTorch on a GPU: eager, as a CUDA graph, compiled; cuDNN's LSTM alone.

Run by ``bench_engine.py --device cuda`` and with it by gpu_check.sh. A call goes from features and
words in the host's memory to probabilities there, as a robot makes it; each call is timed by
itself, and the table gives the 50th and 99th percentile. Peers copy through pinned memory; the
graph holds the copies too. fp32 is fp32: TF32 is off. nn.LSTM is timed on the GPU alone, as a
graph, beside the time that the engine reports for its recurrent kernel, where it reports one.
"""

from __future__ import annotations

import argparse
import gc
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import engine_report as report
import numpy as np
import timing
import torch
from engine_case import Array, Case, Form, deviation, filled, make_case, make_model
from engine_torch import HandGBAN
from torch import nn

from gban_edge.core import native

TYPES = {"fp16": torch.float16, "fp32": torch.float32}
CALLS = 400  # of a form in a round, each timed
STEPS, INPUTS = 44, 36  # of the recurrence: a speech encoder's at 7.5 s
COMPILE_SECONDS = 60.0  # no further candidate is compiled after that many
Record = dict[str, Any]


def measure(folder: Path, options: argparse.Namespace) -> Record:
    """Everything of the GPU, printed as it is found; a plain record."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    logging.getLogger("torch._inductor").setLevel(logging.ERROR)
    device = torch.cuda.get_device_properties(0)
    record: Record = {
        "machine": f"{device.name}, {device.multi_processor_count} processors, batch 1",
        "versions": f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}",
        "rounds": options.rounds, "networks": {}, "bilstm": {}, "asked": [],
    }  # fmt: skip
    print(f"{record['machine']}\n{record['versions']}, {options.rounds} rounds")
    for hidden in (128,) if options.quick else (128, 256):
        case = make_case(make_model(folder, hidden))
        with torch.no_grad():
            record["networks"][hidden] = network(case, hidden == 128, options)
            record["bilstm"][hidden] = bilstm(case, hidden, options)
    if not options.peers_only:
        record["asked"] = report.verdicts(asked(record, device.name))
    return record


# --- the whole network


def network(case: Case, compiled: bool, options: argparse.Namespace) -> Record:
    """Check every form, then take turns; percentiles in seconds, a form a row."""
    forms: dict[str, Form] = {}
    row: Record = {"error": {}, "failed": {}}
    for name, precision, make in candidates(case, compiled, options):
        try:
            form = make()
            row["error"][name] = deviation(name, form, case, precision)
            forms[name] = form
        except Exception as problem:  # a peer that cannot run is a finding, not an end
            if name.startswith(report.OURS):
                raise
            row["failed"][name] = f"{type(problem).__name__}: {str(problem)[:200]}"
    row["times"] = percentiles(forms, options.rounds)
    if not options.peers_only:
        row["graph nodes"] = graph_nodes(case)
    show(case, row)
    return row


def candidates(
    case: Case, compiled: bool, options: argparse.Namespace
) -> list[tuple[str, str, Callable[[], Form]]]:
    """Name, precision and maker of each form."""
    found: list[tuple[str, str, Callable[[], Form]]] = []
    for precision, dtype in TYPES.items():
        if not options.peers_only:
            found.append((f"{report.OURS} {precision}", precision, partial(ours, case, precision)))
        found.append((f"torch eager {precision}", precision, partial(eager, case, dtype)))
        found.append((f"torch, CUDA graph {precision}", precision, partial(graphed, case, dtype)))
    until = time.perf_counter() + COMPILE_SECONDS
    for unrolled in (False,) if options.quick else (False, True):
        for precision, dtype in TYPES.items() if compiled else ():
            name = f"torch.compile{', unrolled' if unrolled else ''} {precision}"
            found.append((name, precision, partial(compiled_form, case, dtype, unrolled, until)))
    return found


def ours(case: Case, precision: str) -> Form:
    run = engine(case, precision).run
    frames, words = [case.features], [case.words.astype(np.int32)]
    return lambda: run(frames, words)[0]["probabilities"]


def engine(case: Case, precision: str) -> Any:
    return native().CudaEngine(str(case.path), precision, 0, "spin")


def graph_nodes(case: Case) -> int | None:
    """Kernels and copies in the graph of this utterance, where the engine says how many."""
    made = engine(case, "fp16")
    made.run([case.features], [case.words.astype(np.int32)])
    return int(made.graph_nodes()) if hasattr(made, "graph_nodes") else None


class Buffers:
    """The same numbers on the host, pinned, and on the GPU."""

    def __init__(self, case: Case, dtype: torch.dtype) -> None:
        self.dtype = dtype
        arrays = (filled(case.bundle, case.features), case.words)
        self.host = [torch.from_numpy(array).pin_memory() for array in arrays]
        self.device = [tensor.cuda() for tensor in self.host]
        self.out = torch.zeros(case.bundle.config.classes).pin_memory()

    def work(self, module: Callable[..., torch.Tensor]) -> None:
        """All that a call is, queued on the current stream."""
        for there, here in zip(self.device, self.host, strict=True):
            there.copy_(here, non_blocking=True)
        features, words = self.device
        self.out.copy_(module(features.to(self.dtype), words), non_blocking=True)

    def result(self) -> Array:
        torch.cuda.synchronize()
        return self.out.numpy()


def by_hand(case: Case, dtype: torch.dtype) -> nn.Module:
    return HandGBAN(case.bundle).eval().cuda().to(dtype)


def eager(case: Case, dtype: torch.dtype) -> Form:
    buffers, module = Buffers(case, dtype), by_hand(case, dtype)

    def form() -> Array:
        buffers.work(module)
        return buffers.result()

    return form


def graphed(case: Case, dtype: torch.dtype) -> Form:
    buffers = Buffers(case, dtype)
    replay = timing.graphed(partial(buffers.work, by_hand(case, dtype)))

    def form() -> Array:
        replay()
        return buffers.result()

    return form


def compiled_form(case: Case, dtype: torch.dtype, unrolled: bool, until: float) -> Form:
    """mode="reduce-overhead"; the LSTM as cuDNN's call between graphs, or unrolled into one."""
    import torch._dynamo

    if time.perf_counter() > until:
        raise RuntimeError(f"not tried: more than {COMPILE_SECONDS:.0f} s went into compiling")
    buffers, module = Buffers(case, dtype), by_hand(case, dtype)
    function = torch.compile(lambda *a: module(*a), dynamic=False, mode="reduce-overhead")

    def form() -> Array:
        torch.compiler.cudagraph_mark_step_begin()
        buffers.work(function)
        return buffers.result()

    with torch._dynamo.config.patch(allow_rnn=unrolled):
        for _ in range(4):  # compiled, recorded, replayed
            form()
    return form


def percentiles(forms: dict[str, Form], rounds: int) -> dict[str, dict[str, float]]:
    """p50 and p99 of single calls over all rounds; forms take turns within a round."""
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds + 1):
            for name, form in forms.items():
                taken = [once(form) for _ in range(CALLS)]
                seconds[name] += taken if number else []  # the first round warms up
    finally:
        gc.enable()
    found = {}
    for name, taken in seconds.items():
        p50, p99 = (float(np.percentile(taken, q)) for q in (50, 99))
        found[name] = {"p50": p50, "p99": p99, "min": min(taken), "max": max(taken)}
    return found


def once(form: Form) -> float:
    start = time.perf_counter()
    form()
    return time.perf_counter() - start


def show(case: Case, row: Record) -> None:
    config = case.bundle.config
    print(f"\nNetwork, H={config.hidden}, {len(case.features)} frames, {len(case.words)} words")
    mine = [name for name in row["times"] if name.startswith(report.OURS)]
    ratios = "".join(f"{'x ' + name.removeprefix(report.OURS + ' '):>9}" for name in mine)
    print(f"{'':28} {'p50 us':>9} {'p99 us':>9} {'p99/p50':>8} {'error':>8}{ratios}")
    for name, times in row["times"].items():
        p50, p99 = times["p50"], times["p99"]
        cells = "".join(f"{p50 / row['times'][other]['p50']:9.2f}" for other in mine)
        print(f"{name:28} {1e6 * p50:9.1f} {1e6 * p99:9.1f} {p99 / p50:8.2f}"
              f" {row['error'][name]:8.0e}{cells}")  # fmt: skip
    for name, reason in row["failed"].items():
        print(f"{name:28} could not run: {reason}")
    if row.get("graph nodes") is not None:
        print(f"graph nodes of the engine: {row['graph nodes']}")


# --- the recurrence alone


def bilstm(case: Case, hidden: int, options: argparse.Namespace) -> Record:
    """Seconds on the GPU of nn.LSTM as a graph and eager, and what the engine says of its own."""
    forms = {}
    for precision, dtype in TYPES.items():
        lstm = nn.LSTM(INPUTS, hidden, bidirectional=True).eval().cuda().to(dtype)
        call = partial(lstm, torch.randn(STEPS, 1, INPUTS, device="cuda", dtype=dtype))
        forms[f"nn.LSTM eager {precision}"] = call
        forms[f"nn.LSTM, CUDA graph {precision}"] = timing.graphed(call)
    measured = timing.interleaved(forms, options.rounds, gpu=True)
    times = {name: timing.spread(taken) for name, taken in measured.items()}
    for precision in () if options.peers_only else TYPES:
        seconds = recurrent_seconds(case, precision)
        if seconds is not None:
            times[f"{report.OURS} {precision}"] = {"median": seconds}
    print(f"\nBiLSTM alone, T={STEPS}, H={hidden}, us on the GPU (the engine's: both modalities)")
    for name, row in times.items():
        print(f"{name:28} {1e6 * row['median']:9.1f}")
    return times


def recurrent_seconds(case: Case, precision: str) -> float | None:
    """What the engine's own timing gives its recurrent kernel a call; None if it gives none."""
    made = engine(case, precision)
    if not hasattr(made, "measure"):
        return None
    frames, words = [case.features], [case.words.astype(np.int32)]
    made.run(frames, words)
    made.measure(True)
    made.timings()  # clears
    for _ in range(CALLS):
        made.run(frames, words)
    stages = [seconds for stage, seconds in made.timings() if "lstm" in stage.lower()]
    return sum(stages) / CALLS if stages else None


# --- what is asked for


def asked(record: Record, gpu: str) -> list[report.Asked]:
    """Issue 5's conditions on a GPU, of fp16 where it does not say."""
    rows: list[report.Asked] = []
    for hidden, least in ((128, 3.0), (256, 2.0)):
        times = record["bilstm"].get(hidden, {})
        mine = times.get(f"{report.OURS} fp16")
        if mine:
            peer = times["nn.LSTM, CUDA graph fp16"]["median"]
            rows.append((f"BiLSTM H={hidden}, fp16 nn.LSTM", "at least", least,
                         peer / mine["median"]))  # fmt: skip
    network = record["networks"][128]
    for precision in TYPES:
        times = {n: t["p50"] for n, t in network["times"].items() if n.endswith(precision)}
        mine = times.pop(f"{report.OURS} {precision}")
        fast = min(seconds for name, seconds in times.items() if "eager" not in name)
        rows.append((f"network {precision}, torch eager", "at least", 10.0,
                     times[f"torch eager {precision}"] / mine))  # fmt: skip
        rows.append((f"network {precision}, best torch", "at least", 4.0, fast / mine))
    own = network["times"][f"{report.OURS} fp16"]
    if "H200" in gpu:
        rows.append(("network fp16, us", "at most", 40.0, 1e6 * own["p50"]))
    rows.append(("network fp16, p99/p50", "at most", 1.2, own["p99"] / own["p50"]))
    if network["graph nodes"] is not None:
        rows.append(("graph nodes", "at most", 4.0, network["graph nodes"]))
    return rows
