"""The runtimes that the CPU engine is measured against, each in the best form found for it.

A peer is a set of candidates: graphs written and compiled in different ways. All are checked
against float64, all are timed briefly, and the fastest goes into the measurement
(``engine_case.fastest``). Everything here runs on one thread.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import engine_onnx
import numpy as np
import onnx
import onnxruntime
import openvino
import torch
from engine_case import Array, Case, Form, filled
from engine_torch import HandGBAN
from onnxruntime.quantization import QuantType, quantize_dynamic

from gban_edge import models

Candidates = dict[str, Callable[[], Form]]
EAGER, COMPILED, SCRIPTED = "torch eager", "torch.compile", "TorchScript, frozen"
ORT, ORT_INT8, OPENVINO = "ONNX Runtime fp32", "ONNX Runtime int8", "OpenVINO fp32"
# What is quantised besides the LSTMs; convolutions in int8 are slower in every form tried.
INT8 = {"LSTM, MatMul": False, "LSTM, MatMul, a scale a channel": True}


def peers(case: Case, quick: bool) -> dict[str, Candidates]:
    """Every peer's candidates; ``quick`` leaves out what takes long to compile."""
    found = {EAGER: eager(case)}
    if not quick:
        found |= {SCRIPTED: {"by hand": partial(scripted, case)}, COMPILED: compiled(case)}
    return found | {ORT: ort(case), ORT_INT8: ort_int8(case), OPENVINO: open_vino(case)}


def precision_of(peer: str) -> str:
    return "int8" if peer == ORT_INT8 else "fp32"


def versions() -> str:
    return (
        f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}, "
        f"OpenVINO {openvino.__version__.split('-')[0]}, onnx {onnx.__version__}"
    )


# --- torch


def inputs(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    features = torch.from_numpy(filled(case.bundle, case.features))
    return features, torch.from_numpy(case.words)


def called(module: Any, arguments: tuple[torch.Tensor, ...]) -> Form:
    def form() -> Array:
        with torch.inference_mode():
            return module(*arguments).numpy()

    return form


def eager(case: Case) -> Candidates:
    def by_hand() -> Form:
        return called(HandGBAN(case.bundle).eval(), inputs(case))

    def package() -> Form:
        model, T = models.from_bundle(case.bundle), case.bundle.temperature
        speech = torch.from_numpy(case.bundle.standardisation(case.features))[None]
        words = torch.from_numpy(case.words)[None]
        arguments = (speech, torch.tensor([speech.shape[1]]), words, torch.tensor([words.shape[1]]))
        return called(lambda *a: torch.softmax(model(*a).logits[0] / T, dim=0), arguments)

    return {"by hand": by_hand, "gban_edge.models": package}


def compiled(case: Case) -> Candidates:
    """With the LSTM as one call, and unrolled step by step into the compiled code."""
    return {
        "default": partial(compile_one, case, "default", False),
        "default, LSTM unrolled": partial(compile_one, case, "default", True),
        "max-autotune, LSTM unrolled": partial(
            compile_one, case, "max-autotune-no-cudagraphs", True
        ),
    }


def compile_one(case: Case, mode: str, unrolled: bool) -> Form:
    import torch._dynamo
    import torch._inductor.config

    module = HandGBAN(case.bundle).eval()
    # An inner function of its own: what one candidate compiled is not reused by the next.
    function = torch.compile(lambda *a: module(*a), dynamic=False, mode=mode)
    form = called(function, inputs(case))
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),  # the autotuner's tables
        torch._dynamo.config.patch(allow_rnn=unrolled),
        torch._inductor.config.patch(freezing=True),
    ):
        warnings.simplefilter("ignore")
        form()
    return form


def scripted(case: Case) -> Form:
    arguments = inputs(case)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(HandGBAN(case.bundle).eval(), arguments)
        return called(torch.jit.optimize_for_inference(torch.jit.freeze(traced)), arguments)


def exported(case: Case) -> onnx.ModelProto:
    """What torch.onnx.export makes of the form by hand, for this case's sizes."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            HandGBAN(case.bundle).eval(), inputs(case), buffer, dynamo=False, opset_version=17,
            input_names=["features", "words"], output_names=["probabilities"],
        )  # fmt: skip
    return onnx.load_from_string(buffer.getvalue())


# --- ONNX graphs


def graphs(case: Case) -> dict[str, Callable[[], onnx.ModelProto]]:
    """For this case's sizes, and for any ("dynamic")."""
    frames = max(len(case.features), case.bundle.config.receptive_field)
    made: dict[str, Callable[[], onnx.ModelProto]] = {}
    for text in engine_onnx.TEXT_FORMS:
        fixed = partial(engine_onnx.network, case.bundle, frames, len(case.words), text)
        made[f"by hand, {text}"] = fixed
        made[f"by hand, {text}, dynamic"] = partial(
            engine_onnx.network, case.bundle, None, None, text
        )
    return made | {"torch.onnx.export": partial(exported, case)}


def ort(case: Case) -> Candidates:
    def made(graph: Callable[[], onnx.ModelProto]) -> Form:
        return ort_form(session(graph()), case)

    return {name: partial(made, graph) for name, graph in graphs(case).items()}


def ort_int8(case: Case) -> Candidates:
    def made(graph: Callable[[], onnx.ModelProto], each_channel: bool) -> Form:
        return ort_form(session(quantised(graph(), each_channel)), case)

    return {
        f"{name}; {kind}": partial(made, graph, each_channel)
        for name, graph in graphs(case).items()
        if "convolutions" not in name  # which would stay fp32
        for kind, each_channel in INT8.items()
    }


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def ort_form(made: onnxruntime.InferenceSession, case: Case) -> Form:
    """Inputs and outputs are bound once, so that a call copies nothing."""
    features, words = filled(case.bundle, case.features), case.words
    shape = made.get_outputs()[0].shape  # [1, C], or [C] where exported
    out = np.zeros(shape, np.float32)
    binding = made.io_binding()
    binding.bind_input("features", "cpu", 0, np.float32, features.shape, features.ctypes.data)
    binding.bind_input("words", "cpu", 0, np.int64, words.shape, words.ctypes.data)
    binding.bind_output("probabilities", "cpu", 0, np.float32, out.shape, out.ctypes.data)

    def form() -> Array:
        made.run_with_iobinding(binding)
        return out.reshape(-1)

    form.keep = features  # type: ignore[attr-defined]  # the binding holds its address alone
    return form


def quantised(model: onnx.ModelProto, each_channel: bool) -> onnx.ModelProto:
    """Dynamic int8 of ONNX Runtime's own tool: weights stored as int8, inputs scaled a call."""
    logging.getLogger().setLevel(logging.ERROR)  # the tool recommends its preprocessing: no gain
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, before)
        quantize_dynamic(
            before, after, op_types_to_quantize=["LSTM", "MatMul"], per_channel=each_channel,
            weight_type=QuantType.QInt8,
        )  # fmt: skip
        return onnx.load(after)


@cache
def core() -> openvino.Core:
    return openvino.Core()


def open_vino(case: Case) -> Candidates:
    def made(graph: Callable[[], onnx.ModelProto]) -> Form:
        return open_vino_form(graph(), case)

    return {name: partial(made, graph) for name, graph in graphs(case).items()}


def open_vino_form(model: onnx.ModelProto, case: Case) -> Form:
    """fp32 is asked for: left alone, a CPU that has bfloat16 would be given that."""
    settings = {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": False,
    }  # fmt: skip
    read = core().read_model(model.SerializeToString())
    request = core().compile_model(read, "CPU", settings).create_infer_request()
    arrays = {"features": filled(case.bundle, case.features), "words": case.words}
    for name, array in arrays.items():
        request.set_tensor(name, openvino.Tensor(array, shared_memory=True))

    def form() -> Array:
        request.infer()
        return request.get_output_tensor(0).data.reshape(-1)

    form.keep = arrays  # type: ignore[attr-defined]  # the request holds their addresses alone
    return form
