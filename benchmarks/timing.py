"""Timing forms side by side: in turns, in rounds, on a CPU or a GPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

Form = Callable[[], Any]
ROUND_SECONDS = 0.05  # what one form takes in one round


def interleaved(forms: dict[str, Form], rounds: int, gpu: bool) -> dict[str, list[float]]:
    """Seconds a call of every form, one number a round; the forms take turns within a round."""
    once = gpu_seconds if gpu else cpu_seconds
    calls = {}
    for name, form in forms.items():
        for _ in range(3):
            once(form, 1)
        calls[name] = max(1, min(1000, int(ROUND_SECONDS / max(once(form, 3), 1e-7))))
    times: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            times[name].append(once(form, calls[name]))
    return times


def cpu_seconds(form: Form, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        form()
    return (time.perf_counter() - start) / calls


def gpu_seconds(form: Form, calls: int) -> float:
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    for _ in range(calls):
        form()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3 / calls


def graphed(form: Form) -> Form:
    """The form captured once as a CUDA graph; the result replays it, without the host's part."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            form()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        form()
    return graph.replay


def copy_bandwidth(megabytes: int = 1024) -> float:
    """Bytes a second that the device copies, read and write counted: the roof for everything."""
    source = torch.empty(megabytes << 20, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    best = min(gpu_seconds(lambda: target.copy_(source), 10) for _ in range(5))
    return 2 * source.numel() / best


def spread(times: list[float]) -> dict[str, float]:
    return {"median": statistics.median(times), "min": min(times), "max": max(times)}
