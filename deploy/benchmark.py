#!/usr/bin/env python3
"""Measure a model on this machine: latency, throughput, cold start, joules an inference.

    python deploy/benchmark.py model.safetensors                     the best backend found here
    python deploy/benchmark.py model.safetensors --backend cpu --precision int8
    python deploy/benchmark.py model.safetensors --duration 600      a figure to publish
    python deploy/benchmark.py --compare a.json b.json               two reports side by side

The same as ``gban-edge bench``; ``--help`` lists the options.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("gban_edge") is None:  # not installed: that of this checkout
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

try:
    import typer
except ImportError:
    sys.exit('error: typer is missing: pip install "gban-edge[deploy]"')

from gban_edge.deploy.bench_cli import bench

if __name__ == "__main__":
    typer.run(bench)
