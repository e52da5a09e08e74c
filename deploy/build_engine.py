#!/usr/bin/env python3
"""An ONNX file, or a model file, as a TensorRT engine; the same as ``gban-edge build``.

python deploy/build_engine.py FILE [-o ENGINE] [--precision fp32|fp16] [--buckets 197x8,747x512]
"""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("gban_edge") is None:  # not installed: that of this checkout
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import typer

from gban_edge.deploy.build_cli import build

if __name__ == "__main__":
    typer.run(build)
