#!/usr/bin/env python3
"""Whether gban-edge works here: a random network is exported and run.

python3 deploy/jetson/test.py [--board]

The image is tested with this while it is built. ``--board`` asks for what only a Jetson has too: a
GPU, TensorRT's Python module and the library of plugins. No model file is needed.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from gban_edge import EmotionRecognizer, bundle, info
from gban_edge.config import GBANConfig
from gban_edge.core import native
from gban_edge.deploy.onnx_export import export
from gban_edge.labels import LABELS
from gban_edge.shapes import expected_shapes
from gban_edge.text import PAD, PAD_ID, UNKNOWN, Vocabulary

# What a probability may be off by from that of the core in fp32: rounding, and halves.
ALLOWED = {"fp32": 1e-4, "fp16": 2e-2}
PLUGINS = "GBAN_EDGE_TENSORRT"


def main(arguments: list[str] | None = None) -> None:
    """The whole test.

    Raises:
        RuntimeError: what does not work, with the cure.
    """
    parser = argparse.ArgumentParser(description="Whether gban-edge works here.")
    parser.add_argument("--board", action="store_true", help="ask for the GPU and TensorRT too")
    board = parser.parse_args(arguments).board
    info.main()
    with tempfile.TemporaryDirectory() as folder:
        check_export(Path(folder))
    if board:
        check_board()
    print("gban-edge OK")


def check_export(folder: Path) -> None:
    """Every ONNX file of a random network answers through ONNX Runtime as the core does."""
    model = folder / "model.safetensors"
    write_random_model(model)
    sound = np.random.default_rng(2).normal(0, 0.1, 40000)
    words = "w2 w3 w7 never"
    expected = probabilities(model, "cpu", sound, words)
    for flavour in ("plain", "plugin"):
        for precision, allowed in ALLOWED.items():
            path = folder / f"{flavour}-{precision}.onnx"
            export(model, path, precision=precision, flavour=flavour)
            answer = probabilities(path, "onnxruntime", sound, words)
            off = float(np.abs(answer - expected).max())
            print(f"{flavour} {precision}: ONNX Runtime is off by {off:.1e}")
            if not off <= allowed:
                raise RuntimeError(
                    f"{flavour} {precision} gives other probabilities than the core: off by "
                    f"{off:.1e}, allowed are {allowed:.0e}; report this, with the lines above"
                )


def probabilities(path: Path, backend: str, sound: np.ndarray, words: str) -> np.ndarray:
    """[C] of one utterance."""
    result = EmotionRecognizer.from_pretrained(path, backend)(sound, words)
    return np.array(list(result.probabilities.values()))


def write_random_model(path: Path, config: GBANConfig | None = None) -> None:
    """A model file of random weights, at the authors' sizes unless told otherwise."""
    config = config or GBANConfig(vocabulary=60)
    rng = np.random.default_rng(1)
    weights = {
        name: (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in expected_shapes("gban", config).items()
    }
    weights[bundle.EMBEDDING][PAD_ID] = 0
    words = Vocabulary((PAD, UNKNOWN, *(f"w{i}" for i in range(2, config.vocabulary))))
    bundle.save(
        path, weights, config, words, model="gban", labels=LABELS[: config.classes],
        standardisation=bundle.Standardisation.none(config.features),
    )  # fmt: skip


def check_board() -> None:
    """A GPU, TensorRT's module and the plugins: all there and all loadable."""
    core = native()
    if not core.cuda_built():
        raise RuntimeError("gban-edge was built without CUDA: GBAN_CUDA=1 pip install it again")
    devices = core.cuda_devices()
    if not devices["found"]:
        raise RuntimeError(
            f"no GPU is seen ({devices['reason']}); in a container: docker run --runtime nvidia"
        )
    try:
        import tensorrt
    except ImportError as error:
        raise RuntimeError(
            f"TensorRT's Python module is not seen ({error}); in a container: docker run --runtime "
            "nvidia, and a base image that has it; without: a virtual environment made with "
            "--system-site-packages"
        ) from error
    print(f"tensorrt {tensorrt.__version__}")
    library = os.environ.get(PLUGINS, "")
    if not Path(library).is_file():
        raise RuntimeError(f"{PLUGINS} must name libgban_edge_tensorrt.so, got {library!r}")
    try:
        ctypes.CDLL(library)
    except OSError as error:
        raise RuntimeError(f"the plugins do not load: {error}; build them again here") from error
    print(f"plugins {library}")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
