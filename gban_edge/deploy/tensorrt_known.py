"""Combinations of TensorRT, GPU and ONNX flavour that cannot work, with the reason and the cure."""

from __future__ import annotations

import re

# GPUs that TensorRT-RTX has code for: Turing, Ampere, Ada and Blackwell of the RTX line. These are
# the members of tensorrt_rtx.ComputeCapability in 1.7.
RTX_CAPABILITIES = ("7.5", "8.0", "8.6", "8.9", "12.0", "12.1")
ORIN, THOR = "8.7", "11.0"
OLDEST = (10,)  # strongly typed networks as this project writes them, and IPluginV3
FUNCTIONS = (10, 7)  # from here on the parser prefers a registered plugin to a function body
ORIN_CUDA_13 = (10, 16)  # the release notes of 10.16.1 bring Orin back
JETSON_11 = (11, 4, 1)  # its migration guide; those of 11.2.1 and 11.3.0 say "not supported"


def refusal(
    module: str,
    version: str,
    cuda: str | None,
    capability: str,
    flavour: str,
    functions: bool,
    jetpack: str | None = None,
    *,
    running: bool = False,
) -> str | None:
    """Why this combination cannot work, and the cure; None where nothing is known against it.

    Args:
        module: "tensorrt" or "tensorrt_rtx".
        version: the module's, as "10.3.0".
        cuda: the CUDA version that this TensorRT was built for, as "13.0"; None if not known.
        capability: the GPU's, as "8.7"; "" where there is none.
        flavour: "plain" or "plugin".
        functions: whether the plugin flavour holds its nodes' meaning too.
        jetpack: its version, as "6.2" or "JetPack 6.2"; None elsewhere.
        running: whether an engine is to run, and not only to be built.
    """
    if module == "tensorrt_rtx":
        return _rtx(version, capability, flavour, running)
    return _tensorrt(version, cuda, capability, jetpack) or _functions(version, flavour, functions)


def _rtx(version: str, capability: str, flavour: str, running: bool) -> str | None:
    if flavour == "plugin":
        return (
            f"TensorRT-RTX {version} takes no plugins (adding one aborts the process): export the "
            "model with --flavour plain, or use the module tensorrt"
        )
    if running and capability not in RTX_CAPABILITIES:
        gpu = f"compute capability {capability}" if capability else "a machine without a GPU"
        return (
            f"TensorRT-RTX {version} does not run on {gpu}, only on "
            f"{', '.join(RTX_CAPABILITIES)}: building with it checks the network and no more; "
            "install TensorRT (the module tensorrt) and build again"
        )
    return None


def _tensorrt(version: str, cuda: str | None, capability: str, jetpack: str | None) -> str | None:
    number = numbers(version)
    if not number:
        return None
    if number < OLDEST:
        old = " (JetPack 5)" if numbers(jetpack)[:1] == (5,) or number[:1] == (8,) else ""
        return (
            f"TensorRT {version}{old} is not supported: strongly typed networks and IPluginV3 came "
            "with 10.0; install JetPack 6.2 or 7.2, or elsewhere pip install 'tensorrt>=10.3'"
        )
    if capability == ORIN and numbers(cuda)[:1] == (13,) and number[:2] < ORIN_CUDA_13:
        return (
            f"TensorRT {version} for CUDA 13 has no code for this GPU (sm_87): Orin came back with "
            "10.16; install JetPack 7.2 (TensorRT 10.16) or 6.2 (10.3)"
        )
    if capability in (ORIN, THOR) and (11,) <= number < JETSON_11:
        return (
            f"TensorRT {version} does not support Jetson, which came back with 11.4.1: use the "
            "TensorRT 10 of the board's JetPack, or JetPack 7.2.2 with TensorRT 11.4.1"
        )
    if number >= (11,) and numbers(jetpack)[:1] == (6,):
        return (
            f"TensorRT {version} does not support JetPack 6: use the TensorRT 10.3 that JetPack 6 "
            "brings, or install JetPack 7.2.2"
        )
    return None


def _functions(version: str, flavour: str, functions: bool) -> str | None:
    if flavour != "plugin" or not functions or numbers(version)[:2] >= FUNCTIONS:
        return None
    return (
        f"TensorRT {version} cannot prefer a plugin to the function of the same name in the ONNX "
        "file (10.7 and later can): export the model with --flavour plugin --strip-functions"
    )


def numbers(version: str | None) -> tuple[int, ...]:
    """(10, 13, 3) of "10.13.3.9"; empty where there is no number.

    >>> numbers("JetPack 6.2.1"), numbers(None)
    ((6, 2, 1), ())
    """
    found = re.search(r"\d+(?:\.\d+)*", version or "")
    return tuple(int(part) for part in found[0].split("."))[:3] if found else ()
