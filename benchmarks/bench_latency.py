#!/usr/bin/env python3
"""`gban-edge bench` on the CUDA backend, for benchmarks/gpu_check.sh: needs neither typer nor rich.

    python benchmarks/bench_latency.py [--quick] [--backend cpu] [--json FILE]

From sound and text in host memory to the answer, 7.5 s and 20 words, fp32 and fp16, waiting by
spinning and by blocking; every answer is checked against the CPU's first.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import engine_case

from gban_edge.deploy.bench_measure import measure
from gban_edge.deploy.bench_options import BenchOptions
from gban_edge.deploy.bench_report import Report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two seconds each instead of ten")
    parser.add_argument("--backend", default="cuda", help="cuda or cpu")
    parser.add_argument("--json", type=Path, help="a file to write the reports to")
    options = parser.parse_args()
    duration, reports = 2.0 if options.quick else 10.0, []
    with tempfile.TemporaryDirectory() as folder:
        model = engine_case.make_model(Path(folder))
        for precision in ("fp32", "fp16"):
            for wait in ("spin", "block") if options.backend == "cuda" else ("spin",):
                report = measure(BenchOptions(
                    model, options.backend, precision, wait=wait, warmup=duration / 5,
                    duration=duration, idle=0.0, cold_starts=1,
                ))  # fmt: skip
                print(line(report), flush=True)
                reports.append(report.to_dict())
    if options.json:
        options.json.write_text(json.dumps(reports, indent=1) + "\n", "utf-8")


def line(report: Report) -> str:
    figures = ", ".join(f"{k} {report.latency_ms[k] * 1e3:.0f} us" for k in ("p50", "p90", "p99"))
    network = report.stages_ms["network"]["p50"] * 1e3
    wait = f", {report.backend['sync']}" if report.backend["sync"] else ""
    return f"{report.backend['name']}{wait}: {figures}; network alone p50 {network:.0f} us"


if __name__ == "__main__":
    main()
