"""An ONNX file as a TensorRT engine for this machine; see :func:`build`.

The calls are those that the bindings of TensorRT 10.3, 10.16 and 11.1 and of TensorRT-RTX 1.7 share
(python/src/infer of NVIDIA/TensorRT at those tags); what some lack is asked for first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gban_edge.deploy import tensorrt_plugin
from gban_edge.deploy.tensorrt_log import Log, failed, make_log
from gban_edge.deploy.tensorrt_module import Machine, find
from gban_edge.deploy.tensorrt_source import Source
from gban_edge.deploy.tensorrt_timing import TimingCache, cache_folder
from gban_edge.runtime import engine_file
from gban_edge.runtime.engine_buckets import BUCKETS, MAX_FRAMES, Bucket, check_buckets
from gban_edge.runtime.engine_file import EngineFile, EngineKey
from gban_edge.runtime.onnx_facts import INPUTS, OUTPUTS
from gban_edge.runtime.words import MAX_WORDS

MOST_BATCH = 8
LEVELS = range(6)
Shapes = dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before TensorRT is asked to build.

    Attributes:
        machine: the TensorRT and its GPU.
        source: the ONNX file.
        plugin: the plugin library; None for the plain flavour.
        key: what the engine will belong to.
        workspace: the most scratch memory a layer may use, in MiB; None leaves it to TensorRT.
        level: builder optimisation level 0-5; None leaves it to TensorRT.
    """

    machine: Machine
    source: Source
    plugin: Path | None
    key: EngineKey
    workspace: int | None
    level: int | None


def build(
    onnx_path: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    buckets: Sequence[Bucket] = BUCKETS,
    dynamic: bool = False,
    module: str = "auto",
    plugin: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    workspace: int | None = None,
    level: int | None = None,
    log: Callable[[str], None] | None = None,
) -> EngineFile:
    """Build the engine of an ONNX file that gban-edge exported, for the GPU of this machine.

    Args:
        onnx_path: the file (deploy/onnx_export.py).
        path: the engine to write, with its sidecar; beside the ONNX file as ".engine" by default.
        buckets: (frames, words) of each optimisation profile, of one shape each; batch 1.
        dynamic: one profile in their place, batch 1-8, and frames and words as the frontend and
            the tokenizer can give them. The runtime takes buckets.
        module: "tensorrt", "tensorrt_rtx", or "auto": the first of these that is installed.
        plugin: the plugin library, for the plugin flavour; by default the one built here.
        cache: folder of the timing caches; by default that of :func:`cache_folder`.
        workspace: the most scratch memory a layer may use, in MiB; by default TensorRT's own.
        level: builder optimisation level, 0 (quick) to 5 (thorough); by default TensorRT's own.
        log: told each line that TensorRT says, as it says it.

    Raises:
        FileNotFoundError: no such ONNX file or plugin library.
        ValueError: not an ONNX file that gban-edge wrote; buckets, workspace or level out of range.
        RuntimeError: TensorRT, a GPU or the plugin library is missing, the combination is known
            not to work, or TensorRT failed, in its own words.
    """
    plan = prepare(onnx_path, buckets, dynamic, module, plugin, workspace, level)
    return carry_out(plan, path or Path(onnx_path).with_suffix(".engine"), cache, log)


def prepare(
    onnx_path: str | os.PathLike[str],
    buckets: Sequence[Bucket] = BUCKETS,
    dynamic: bool = False,
    module: str = "auto",
    plugin: str | os.PathLike[str] | None = None,
    workspace: int | None = None,
    level: int | None = None,
) -> Plan:
    """Check everything that can be checked without building; as :func:`build`."""
    if workspace is not None and workspace < 1:
        raise ValueError(f"workspace must be at least 1 MiB, got {workspace}")
    if level is not None and level not in LEVELS:
        raise ValueError(f"level must be 0 to 5, got {level}")
    if dynamic and tuple(buckets) != BUCKETS:
        raise ValueError("buckets cannot be given with dynamic, which takes every length")
    source = Source.read(onnx_path)
    shapes = () if dynamic else check_buckets(buckets, source.facts.config.receptive_field)
    machine = find(module)
    machine.check(source.facts)
    library = tensorrt_plugin.library(source.facts, plugin)
    key = EngineKey(
        tensorrt=machine.version,
        module=machine.module,
        gpu=machine.gpu,
        capability=machine.capability,
        plugin=engine_file.file_digest(library) if library else "",
        onnx=source.sha256,
        precision=source.facts.precision,
        buckets=shapes,
    )
    return Plan(machine, source, library, key, workspace, level)


def carry_out(
    plan: Plan,
    path: str | os.PathLike[str],
    cache: str | os.PathLike[str] | None = None,
    log: Callable[[str], None] | None = None,
) -> EngineFile:
    """Build what ``plan`` says and write it to ``path``; as :func:`build`."""
    trt, started = plan.machine.trt, time.perf_counter()
    told = make_log(trt, log)
    try:
        builder = trt.Builder(told)
    except TypeError:  # pybind11 where createInferBuilder gives no builder
        raise failed(plan.machine, "start", plan.source.path, told) from None
    if plan.plugin is not None:
        tensorrt_plugin.load(trt, plan.plugin)
    network = _parsed(plan, builder, told)
    config = _configured(plan, builder)
    for shapes in _profiles(plan):
        profile = builder.create_optimization_profile()
        for name, (least, usual, most) in shapes.items():
            profile.set_shape(name, least, usual, most)
        if config.add_optimization_profile(profile) < 0:
            raise failed(plan.machine, "take the shapes of", plan.source.path, told)
    timings = TimingCache.of(plan.machine, Path(cache) if cache else cache_folder())
    timings.give(config, told)
    made = builder.build_serialized_network(network, config)
    if made is None:
        raise failed(plan.machine, "build an engine of", plan.source.path, told)
    timings.keep(config, told)
    seconds = round(time.perf_counter() - started, 3)
    # What it calls an error and builds nonetheless is a warning to whoever reads of the engine.
    warnings = (*told.warnings, *(f"error: {message}" for message in told.errors))
    facts = plan.source.facts
    return engine_file.write(path, bytes(made), plan.key, facts, seconds, warnings)


def _parsed(plan: Plan, builder: Any, told: Log) -> Any:
    """The network that the parser makes of the ONNX file, held against its metadata."""
    trt, path = plan.machine.trt, plan.source.path
    # 11.x is strongly typed always and its flag does nothing; a module may come without it.
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, told)
    if not parser.parse(plan.source.data):
        if parser.num_errors:
            error = parser.get_error(0)
            node = f"{error.node_operator()} node {error.node_name()}: " * bool(error.node_name())
            told.errors.insert(0, f"{node}{error.desc()}")
        raise failed(plan.machine, "read", path, told)
    for what, count, get, wanted in (
        ("inputs", network.num_inputs, network.get_input, INPUTS),
        ("outputs", network.num_outputs, network.get_output, OUTPUTS),
    ):
        names = [get(i).name for i in range(count)]
        if sorted(names) != sorted(wanted):
            raise ValueError(
                f"{path}: {what} must be {', '.join(wanted)}, got {', '.join(names)}; export the "
                "model file again"
            )
    if plan.plugin is not None:
        _check_plugins(plan, network)
    return network


def _check_plugins(plan: Plan, network: Any) -> None:
    """That the nodes became plugins, and not what they mean in standard operators."""
    kind = plan.machine.trt.LayerType.PLUGIN_V3
    found = sum(network.get_layer(i).type == kind for i in range(network.num_layers))
    wanted = plan.source.facts.config.lstm_layers + 1
    if found != wanted:
        raise RuntimeError(
            f"TensorRT {plan.machine.version} made {found} plugins of the {wanted} plugin nodes of "
            f"{plan.source.path}; export the model with --flavour plugin --strip-functions"
        )


def _configured(plan: Plan, builder: Any) -> Any:
    """The builder's settings, shapes and timing cache apart."""
    trt, config = plan.machine.trt, builder.create_builder_config()
    # On by default, and it takes 13 bits from the products of float32: fp32 here means fp32, and
    # the sums that fp16 keeps in single precision are kept in it for their precision.
    config.clear_flag(trt.BuilderFlag.TF32)
    if hasattr(config, "profiling_verbosity"):
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if plan.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, plan.workspace << 20)
    if plan.level is not None:
        if not hasattr(config, "builder_optimization_level"):
            raise RuntimeError(
                f"TensorRT {plan.machine.version} has no builder optimisation level: leave it out"
            )
        config.builder_optimization_level = plan.level
    return config


def _profiles(plan: Plan) -> list[Shapes]:
    """Of each optimisation profile and input the least, usual and greatest shape."""
    features = plan.source.facts.config.features

    def shaped(batch: int, frames: int, words: int) -> list[tuple[int, ...]]:
        return [(batch, frames, features), (batch,), (batch, words), (batch,)]

    if plan.key.dynamic:
        least = shaped(1, plan.source.facts.config.receptive_field, 1)
        usual, most = shaped(1, MAX_FRAMES, 32), shaped(MOST_BATCH, MAX_FRAMES, MAX_WORDS)
        return [dict(zip(INPUTS, zip(least, usual, most, strict=True), strict=True))]
    fixed = [shaped(1, frames, words) for frames, words in plan.key.buckets]
    return [{name: (s, s, s) for name, s in zip(INPUTS, one, strict=True)} for one in fixed]
