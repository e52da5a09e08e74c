"""align_pool beside its peers: PyTorch eager and compiled, the paper's literal form, FlexAttention.

    python benchmarks/bench_alignment.py                    one CPU thread, float32
    python benchmarks/bench_alignment.py --device cuda      a GPU: float32, float16, bfloat16
    python benchmarks/bench_alignment.py --quick            small shapes, to see that it works

Every form is checked against float64 before anything is timed; forms take turns, round by round.
An entry "x" is how many times as long as align_pool a form takes. On a GPU "graph" is the same
work replayed as a CUDA graph, "+ backward" the forward and backward together, and "extra memory"
what a forward allocates at its peak, outputs included.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import alignment_peers as peers
import numpy as np
import timing
import torch
from torch import Tensor

from gban_edge import ops
from gban_edge.core import native

Shape = tuple[int, int, int, int]
SHAPES: list[Shape] = [(1, 44, 10, 256), (32, 187, 20, 256), (64, 750, 64, 256), (32, 750, 64, 512)]
LARGE: Shape = (512, 750, 64, 256)
QUICK: list[Shape] = [(1, 44, 10, 256), (2, 90, 12, 64)]
TOLERANCE = {torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
OURS, NUMPY = "align_pool", "align_pool, NumPy"


def main() -> None:
    options = arguments()
    gpu = options.device == "cuda"
    torch.set_num_threads(options.threads)
    if not gpu and hasattr(os, "sched_setaffinity"):  # align_pool on NumPy takes all it may use
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    record: dict[str, Any] = {"machine": machine(options), "rounds": options.rounds, "cases": []}
    print(record["machine"])
    if gpu:
        record["copy_bytes_per_second"] = timing.copy_bandwidth()
        print(f"copy bandwidth {record['copy_bytes_per_second'] / 1e9:.0f} GB/s, read + write")
    for shape, dtype in cases(options):
        row = run_case(shape, dtype, options, record.get("copy_bytes_per_second"))
        record["cases"].append(row)
        show(row)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU (default 1)")
    parser.add_argument("--rounds", type=int, default=7, help="at least 5")
    parser.add_argument("--quick", action="store_true", help="small shapes")
    parser.add_argument("--compile", action="store_true", help="CPU: the compiled peer too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    options = parser.parse_args()
    if options.rounds < 5:
        parser.error(f"--rounds must be at least 5, got {options.rounds}")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this machine has no GPU that torch can use")
    return options


def cases(options: argparse.Namespace) -> list[tuple[Shape, torch.dtype]]:
    shapes = QUICK if options.quick else SHAPES
    if options.device == "cpu":
        return [(shape, torch.float32) for shape in shapes]
    types = (torch.float32, torch.float16, torch.bfloat16)
    large = [] if options.quick else [(LARGE, torch.float16)]
    return [(shape, dtype) for shape in shapes for dtype in types] + large


def machine(options: argparse.Namespace) -> str:
    if options.device == "cuda":
        p = torch.cuda.get_device_properties(0)
        return f"{p.name}, {p.multi_processor_count} processors; torch {torch.__version__}"
    return f"{options.threads} thread(s), {native().current_isa()}; torch {torch.__version__}"


def states(shape: Shape, dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """Random states whose scores have deviation 1, as a trained network's have."""
    batch, steps, words, size = shape
    draw = torch.Generator().manual_seed(0)
    made = [torch.randn(batch, n, size, generator=draw) * size**-0.25 for n in (steps, words)]
    speech, text = (x.to(device, dtype) for x in made)
    return speech, text


def forms_of(options: argparse.Namespace) -> dict[str, Callable[[Tensor, Tensor], peers.Pair]]:
    forms = {OURS: peers.ours, "pooled, eager": peers.pooled, "literal, eager": peers.literal}
    if options.device == "cuda" or options.compile:
        forms["pooled, compiled"] = peers.compiled_pooled()
    if options.device == "cuda":
        forms["two FlexAttention"] = peers.flex
    return forms


def run_case(
    shape: Shape, dtype: torch.dtype, options: argparse.Namespace, bandwidth: float | None
) -> dict[str, Any]:
    """Check, then time one shape and number type; a plain record."""
    gpu = options.device == "cuda"
    speech, text = states(shape, dtype, options.device)
    row: dict[str, Any] = {"shape": shape, "type": str(dtype).removeprefix("torch.")}
    row["error"], row["failed"] = {}, {}
    right = {}
    with torch.no_grad():
        for name, form in forms_of(options).items():
            try:
                row["error"][name] = checked(name, form, speech, text)
                right[name] = form
            except Exception as problem:  # a peer that cannot run is a finding, not an end
                if name == OURS:
                    raise
                row["failed"][name] = f"{type(problem).__name__}: {str(problem)[:200]}"
        calls = {name: partial(form, speech, text) for name, form in right.items()}
        if not gpu:  # what a runtime without torch calls
            calls[NUMPY] = partial(ops.align_pool, speech.numpy(), text.numpy())
            np.testing.assert_array_equal(calls[NUMPY]().speech, right[OURS](speech, text)[0])
        row["forward"] = timed(calls, options.rounds, gpu)
        if gpu:
            graphs = {name: timing.graphed(call) for name, call in calls.items()}
            row["forward, graph"] = timed(graphs, options.rounds, gpu)
            row["extra memory"] = {name: extra_memory(call) for name, call in calls.items()}
            row["bytes"] = (speech.numel() + text.numel()) * speech.element_size()
            seconds = row["forward, graph"][OURS]["median"]
            row["share of copy bandwidth"] = row["bytes"] / seconds / bandwidth
    both = {name: with_backward(form, speech, text) for name, form in right.items()}
    row["forward + backward"] = timed(both, options.rounds, gpu)
    return row


def checked(name: str, form: Any, speech: Tensor, text: Tensor) -> float:
    """The form's largest error against float64, relative to the largest number; or an exception."""
    few = slice(0, 8)  # enough to see a wrong result; float64 on a large batch is slow
    want = peers.gold(speech[few], text[few])
    got = form(speech, text)
    error = max(
        float((g[few].double() - w).abs().max() / w.abs().max())
        for g, w in zip(got, want, strict=True)
    )
    if not error < TOLERANCE[speech.dtype] * (1 if name == OURS else 4):
        raise RuntimeError(f"{name} is wrong: relative error {error:.1e}")
    return error


def with_backward(form: Any, speech: Tensor, text: Tensor) -> Callable[[], Any]:
    leaves = [x.detach().clone().requires_grad_() for x in (speech, text)]
    upstream = [torch.randn_like(x[:, 0]) for x in leaves]

    def call() -> Any:
        return torch.autograd.grad(form(*leaves), leaves, upstream)

    return call


def timed(forms: dict[str, Any], rounds: int, gpu: bool) -> dict[str, dict[str, float]]:
    measured = timing.interleaved(forms, rounds, gpu)
    return {name: timing.spread(times) for name, times in measured.items()}


def extra_memory(call: Callable[[], Any]) -> int:
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def show(row: dict[str, Any]) -> None:
    batch, steps, words, size = row["shape"]
    print(f"\n{steps}x{words}x{size}, B={batch}, {row['type']}"
          f"   (error of align_pool {row['error'][OURS]:.0e})")  # fmt: skip
    kinds = [k for k in ("forward", "forward, graph", "forward + backward") if k in row]
    print(f"{'us: median (min-max)':20}" + "".join(f"{kind:>38}" for kind in kinds))
    for name in row["forward"]:
        print(f"{name:20}" + "".join(cell(row[kind], name) for kind in kinds))
    if NUMPY in row["forward"]:
        mine = row["forward"][NUMPY]["median"]
        ratios = (f"{n} {t['median'] / mine:.2f}x" for n, t in row["forward"].items() if n != NUMPY)
        print(f"forward, beside {NUMPY}: " + ", ".join(ratios))
    for name, reason in row["failed"].items():
        print(f"{name:20}  could not run: {reason}")
    if "extra memory" in row:
        show_memory(row)


def cell(times: dict[str, dict[str, float]], name: str) -> str:
    """Median, range, and the ratio to align_pool, 38 characters wide."""
    if name not in times:
        return f"{'-':>38}"
    middle, low, high = (times[name][k] * 1e6 for k in ("median", "min", "max"))
    figures = f"{middle:.1f} ({low:.1f}-{high:.1f})"
    return f"{figures:>29} {times[name]['median'] / times[OURS]['median']:7.2f}x"


def show_memory(row: dict[str, Any]) -> None:
    extra = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in row["extra memory"].items())
    share = row["share of copy bandwidth"]
    print(f"read once: {row['bytes'] / 1e6:.1f} MB, {share:.0%} of the copy bandwidth")
    print(f"extra memory: {extra}")


if __name__ == "__main__":
    main()
