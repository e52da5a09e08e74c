#!/usr/bin/env python3
"""A model file's network as ONNX; the same as ``gban-edge export``.

python deploy/export_onnx.py MODEL -o FILE [--precision fp32|fp16] [--flavour plain|plugin]
"""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("gban_edge") is None:  # not installed: that of this checkout
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import typer

from gban_edge.commands import export

if __name__ == "__main__":
    typer.run(export)
