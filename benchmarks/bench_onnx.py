#!/usr/bin/env python3
"""What README says of the exported ONNX files: how far ONNX Runtime is from float64 with them, and
how long it takes beside the hand-written graph of the engine's benchmark.

    python benchmarks/bench_onnx.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import engine_case
import engine_onnx
import numpy as np
import onnxruntime
import timing
from parity import Case, deviations, make_case

from gban_edge.deploy.onnx_export import FLAVOURS, PRECISIONS, export, network
from gban_edge.runtime.onnxruntime import OnnxRuntimeBackend
from gban_edge.runtime.ragged import padded

TOGETHER = 7  # utterances of a padded batch
KINDS = [(flavour, precision) for precision in PRECISIONS for flavour in FLAVOURS]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        show_deviations(Path(folder))
        show_times(Path(folder))


def show_deviations(folder: Path) -> None:
    case = make_case(folder / "gban.safetensors", seed=1)
    print(
        f"{len(case.ids)} ragged utterances in batches of {TOGETHER}, off from float64 by at most"
    )
    plain: dict[str, list[dict[str, Any]]] = {}
    for flavour, precision in KINDS:
        outputs = answers(case, folder, flavour, precision)
        found = deviations(case, outputs)
        print(f"{flavour:6} {precision}: a probability {found.probability:.1e}, a logit "
              f"{found.logit:.1e} of the greatest, a gate {found.weight:.1e}")  # fmt: skip
        other = plain.setdefault(precision, outputs)
        apart = max(
            np.abs(a["probabilities"] - b["probabilities"]).max()
            for a, b in zip(outputs, other, strict=True)
        )
        if other is not outputs:
            print(f"       from the {FLAVOURS[0]} flavour: {apart:.1e}")


def answers(case: Case, folder: Path, flavour: str, precision: str) -> list[dict[str, Any]]:
    path, made = folder / f"{flavour}-{precision}.onnx", []
    export(case.model.path, path, precision=precision, flavour=flavour)
    backend = OnnxRuntimeBackend(path)
    for first in range(0, len(case.ids), TOGETHER):
        some = slice(first, first + TOGETHER)
        made += [vars(one) for one in backend.run(case.frames[some], case.ids[some])]
    return made


def show_times(folder: Path) -> None:
    case = engine_case.make_case(engine_case.make_model(folder))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1

    def session(model: Any) -> Any:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    inputs = padded([(case.features, case.words.astype(np.int32))], case.bundle.config)
    one = {"features": case.features, "words": case.words}
    hand = session(engine_onnx.network(case.bundle))
    forms = {"written by hand, one utterance": lambda: hand.run(None, one)}
    for precision in PRECISIONS:
        made = session(network(case.bundle, precision))
        forms[f"exported, plain {precision}"] = lambda made=made: made.run(None, inputs)
    print(f"\nONNX Runtime {onnxruntime.__version__}, one thread, 7.5 s and 20 words, medians")
    for name, times in timing.interleaved(forms, 9, gpu=False).items():
        print(f"{name:31} {1e6 * timing.spread(times)['median']:6.0f} us")


if __name__ == "__main__":
    main()
