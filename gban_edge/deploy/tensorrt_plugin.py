"""The library of TensorRT plugins: which one an ONNX file needs, and loading it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from gban_edge.deploy.onnx_plugin import DOMAIN, VERSION
from gban_edge.runtime.onnx_facts import OnnxFacts

NODES = ("BiLSTM", "AlignPool")


def library(facts: OnnxFacts, plugin: str | os.PathLike[str] | None = None) -> Path | None:
    """The plugin library for a network; None for the plain flavour.

    Args:
        plugin: the one that was asked for; None for the one that was built here.

    Raises:
        FileNotFoundError: the file that was asked for does not exist.
        RuntimeError: the plugin flavour, and no library has been built; says how to.
        ValueError: a library was asked for, and the network has no plugin nodes.
    """
    if facts.flavour != "plugin":
        if plugin is not None:
            raise ValueError(
                f"plugin must not be given for the {facts.flavour} flavour, which has no plugin "
                f"nodes, got {plugin}; export the model with --flavour plugin to use them"
            )
        return None
    if plugin is None:
        from gban_edge.deploy.plugin_library import find, missing

        found = find()
        if found is None:
            raise RuntimeError(
                f"the ONNX file has plugin nodes: {missing()}; or export the model "
                "with --flavour plain"
            )
        return found
    if not Path(plugin).is_file():
        raise FileNotFoundError(f"plugin library {plugin} does not exist")
    return Path(plugin).resolve()


def load(trt: Any, path: Path) -> None:
    """Have the plugins of ``path`` in TensorRT's registry.

    The library registers itself when it is opened, as trtexec --staticPlugins has it, and stays
    open with this process. The registry's own load_library is asked where that did nothing: where
    the library was open before TensorRT was.

    Raises:
        RuntimeError: it cannot be loaded, has other plugins, or another one has been loaded by
            this process before.
    """
    registry = trt.get_plugin_registry()
    if registered(registry) and not _is_loaded(path):
        raise RuntimeError(
            f"another library of gban-edge's plugins is loaded in this process already, not {path};"
            " start a new process to use this one"
        )
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        raise RuntimeError(
            f"plugin library {path} cannot be loaded ({error}); build it against the TensorRT "
            f"{trt.__version__} that is installed"
        ) from None
    if not registered(registry):
        registry.load_library(str(path))
    if not registered(registry):
        raise RuntimeError(
            f"plugin library {path} did not register {' and '.join(NODES)} with TensorRT "
            f"{trt.__version__}; build it again from this version of gban-edge"
        )


def registered(registry: Any) -> bool:
    """Whether TensorRT knows both nodes."""
    return all(registry.get_creator(node, VERSION, DOMAIN) is not None for node in NODES)


def _is_loaded(path: Path) -> bool:
    try:
        ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    return True
