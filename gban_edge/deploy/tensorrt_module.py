"""Which TensorRT there is: its Python module, what it was built for, and the GPU it has."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from gban_edge.deploy.tensorrt_known import refusal
from gban_edge.runtime.onnx_facts import OnnxFacts

MODULES = ("tensorrt", "tensorrt_rtx")
CURE = (
    "on a Jetson: sudo apt install nvidia-jetpack (or python3-libnvinfer alone) and a virtual "
    "environment made with --system-site-packages; elsewhere: pip install tensorrt, or "
    "pip install tensorrt-rtx, which builds without a GPU"
)
PACKAGES = Path("/var/lib/dpkg/status")


@dataclass(frozen=True)
class Machine:
    """A TensorRT and the GPU that it builds for.

    Attributes:
        trt: the Python module.
        module: its name.
        version: its version, as "10.3.0".
        cuda: the CUDA version that it was built for, as "13.0"; None if nothing tells.
        gpu: the GPU's name; "none" without one.
        capability: as "8.7"; "" without a GPU.
    """

    trt: Any
    module: str
    version: str
    cuda: str | None
    gpu: str
    capability: str

    def check(self, facts: OnnxFacts) -> None:
        """RuntimeError where this machine is known not to take the network of ``facts``."""
        reason = refusal(
            self.module, self.version, self.cuda, self.capability, facts.flavour, facts.functions,
            _jetpack(),
        )  # fmt: skip
        if reason is not None:
            raise RuntimeError(reason)


def find(module: str = "auto") -> Machine:
    """The TensorRT of this machine.

    Args:
        module: "tensorrt", "tensorrt_rtx", or "auto": the first of these that is installed.

    Raises:
        ValueError: another name.
        RuntimeError: it is not installed, cannot be loaded, or has no GPU and needs one.
    """
    if module not in ("auto", *MODULES):
        raise ValueError(f"module must be one of auto, {', '.join(MODULES)}, got {module!r}")
    for name in MODULES if module == "auto" else (module,):
        trt = _imported(name)
        if trt is not None:
            version = str(trt.__version__)
            return Machine(trt, name, version, _cuda(name), *_gpu(name))
    what = "TensorRT is" if module == "auto" else f"the Python module {module} is"
    raise RuntimeError(f"{what} not installed: {CURE}")


def _imported(name: str) -> Any:
    """The module, or None where it is not installed; one that is there and broken is an error."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise RuntimeError(f"the Python module {name} cannot be loaded ({error}): {CURE}") from None
    except Exception as error:  # what its start-up code raises has no common base
        raise RuntimeError(f"the Python module {name} cannot be loaded ({error}): {CURE}") from None


def _gpu(module: str) -> tuple[str, str]:
    """Name and compute capability of the first GPU, which TensorRT builds for."""
    from gban_edge.runtime.cuda_driver import gpus

    try:
        found = gpus()
        reason = "the driver lists none"
    except RuntimeError as error:
        found, reason = [], str(error)
    if found:
        return found[0].name, "{}.{}".format(*found[0].capability)
    if module == "tensorrt_rtx":
        return "none", ""
    raise RuntimeError(
        f"TensorRT builds on the GPU that is to run the engine, and none was found ({reason}); "
        "build on the board itself, or check the network here with --module tensorrt_rtx"
    )


def _cuda(module: str) -> str | None:
    """From the name of the wheel, else from the version of Debian's package."""
    for number in ("13", "12"):
        for name in (f"{module}-cu{number}", f"{module}-cu{number}-bindings"):
            try:
                metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
            return number
    return _packaged_cuda() if module == "tensorrt" else None


def _packaged_cuda(packages: Path = PACKAGES) -> str | None:
    """ "13.0" of a libnvinfer whose version is 10.13.3.9-1+cuda13.0."""
    try:
        listed = packages.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = re.search(
        r"^Package: libnvinfer(?:\d+)?$(?:\n\S.*|\n .*)*?\nVersion: .*\+cuda([\d.]+)$",
        listed, re.MULTILINE,
    )  # fmt: skip
    return found[1] if found else None


def _jetpack() -> str | None:
    from gban_edge.deploy.board_jetpack import jetpack

    return jetpack(Path("/")).get("jetpack")
