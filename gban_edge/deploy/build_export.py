"""The ONNX file of a model file, in the flavour that suits the TensorRT of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from gban_edge import bundle
from gban_edge.bundle import Bundle
from gban_edge.deploy import onnx_export, onnx_plugin
from gban_edge.deploy.tensorrt_known import FUNCTIONS, numbers
from gban_edge.deploy.tensorrt_module import Machine, find
from gban_edge.files import write_bytes

FLAVOURS = ("auto", *onnx_export.FLAVOURS)


def exported(
    model: Path,
    beside: Path,
    precision: str = "fp32",
    flavour: str = "auto",
    module: str = "auto",
    plugin: str | os.PathLike[str] | None = None,
) -> Path:
    """Export ``model`` and return the ONNX file, BESIDE-PRECISION-FLAVOUR.onnx.

    Args:
        beside: where, without a suffix.
        flavour: "plain", "plugin", or "auto": "plugin" where this machine has TensorRT and the
            plugin library and the library's kernels take the network, else "plain".
        module, plugin: as :func:`gban_edge.deploy.tensorrt_build.build`.

    Raises:
        FileNotFoundError: no such model file.
        ValueError: a damaged model file or one of another network; an unknown flavour, precision or
            module; a network that the plugins do not take.
        RuntimeError: TensorRT, its GPU or the package onnx is missing.
    """
    if flavour not in FLAVOURS:
        raise ValueError(f"flavour must be one of {', '.join(FLAVOURS)}, got {flavour!r}")
    network = bundle.load(model)
    machine = find(module)
    if flavour == "auto":
        flavour = _suiting(network, machine, plugin)
    path = beside.with_name(f"{beside.name}-{precision}-{flavour}.onnx")
    # TensorRT before 10.7 would take the function for the plugin.
    functions = numbers(machine.version)[:2] >= FUNCTIONS
    made = onnx_export.network(network, precision, flavour, functions)
    write_bytes(path, made.SerializeToString())
    return path


def _suiting(network: Bundle, machine: Machine, plugin: str | os.PathLike[str] | None) -> str:
    """The flavour for this machine and this network."""
    from gban_edge.deploy.plugin_library import find as find_library

    here = plugin is not None or find_library() is not None
    if machine.module != "tensorrt" or not here:
        return "plain"
    try:
        onnx_plugin.check(network)
    except ValueError:
        return "plain"
    return "plugin"
