"""What this build is and what it found here: ``python -m gban_edge.info``."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

import gban_edge
from gban_edge.core import native, processors
from gban_edge.deploy import rows as deployment
from gban_edge.runtime import onnxruntime, tensorrt
from gban_edge.runtime.backend import PRECISIONS
from gban_edge.runtime.cuda import unavailable

ROOT = Path(__file__).resolve().parent.parent
NOT_YET = "not yet run on a GPU for these sources"


def facts() -> list[tuple[str, str]]:
    """Name and value of every fact, in the order in which they are printed."""
    python = f"{platform.python_version()}, NumPy {np.__version__}"
    rows = [
        ("gban-edge", gban_edge.__version__),
        ("Python", f"{python} on {sys.platform} {platform.machine()}"),
    ]
    try:
        core = native()
    except RuntimeError as error:
        return [*rows, ("native core", str(error)), *deployment.rows()]
    others = [name for name in core.available_isas() if name != core.current_isa()]
    return [
        *rows,
        ("native core", core.__file__),
        ("compiler", core.compiler()),
        ("instruction set", f"{core.current_isa()} (also here: {', '.join(others) or 'none'})"),
        ("processors", str(processors())),
        *_cuda(core),
        ("backends", backends()),
        ("kernel sources", core.KERNEL_SOURCES),
        ("last run on a GPU", last_run(core.KERNEL_SOURCES)),
        *deployment.rows(),
    ]


def backends() -> str:
    """What EmotionRecognizer can run here, and why nothing else."""
    there, not_there = [f"cpu ({', '.join(PRECISIONS)})"], []
    for name, precisions, missing in (
        ("cuda", "fp32, fp16", unavailable()),
        ("onnxruntime", "of the file", onnxruntime.unavailable()),
        ("tensorrt", "of the file", tensorrt.unavailable()),
    ):
        if missing is None:
            there.append(f"{name} ({precisions})")
        else:
            not_there.append(f"{name}: {missing}")
    return "; ".join([", ".join(there), *not_there])


def _cuda(core: Any) -> list[tuple[str, str]]:
    if not core.cuda_built():
        return [("CUDA", "not built in; put nvcc on the PATH and: GBAN_CUDA=1 pip install .")]
    found = core.cuda_devices()
    driver = f"for CUDA up to {_version(found['driver'])}" if found["driver"] else "none"
    rows = [
        ("CUDA", f"nvcc {core.CUDA_COMPILER}, runtime {_version(found['runtime'])}"),
        ("architectures", core.CUDA_ARCHITECTURES),
        ("GPU driver", driver),
    ]
    devices = [
        f"{d['name']}, sm_{d['capability'][0]}{d['capability'][1]}, "
        f"{d['processors']} processors, {d['memory'] / 2**30:.1f} GiB"
        for d in found["found"]
    ]
    reason = found["reason"] if found["driver"] else "there is no driver"
    return rows + [("GPU", text) for text in devices or [f"none found: {reason}"]]


def _version(number: int) -> str:
    """CUDA writes 12.6 as 12060."""
    return f"{number // 1000}.{number % 1000 // 10}"


def last_run(kernel_sources: str) -> str:
    """Where ``benchmarks/gpu_check.sh`` last ran these kernels, or that it has not."""
    runs = gpu_runs()
    same = [run for run in runs if run["kernel_sources"] == kernel_sources]
    if same:
        return "; ".join(f"{run['gpu']} on {run['date']}" for run in same)
    older = [f"{run['gpu']} on {run['date']} ran {run['kernel_sources']}" for run in runs]
    return "; ".join([NOT_YET, *older])


def gpu_runs(root: Path = ROOT) -> list[dict[str, Any]]:
    """What gpu_check.sh wrote down in this checkout; of an installed package, what was there when
    it was built."""
    if (root / "csrc").is_dir():
        files = sorted((root / "benchmarks" / "results").glob("*.json"))
        runs = [json.loads(path.read_text("utf-8")) for path in files]
    else:
        runs = json.loads(native().GPU_RUNS)
    return [run for run in runs if "kernel_sources" in run]


def kernel_sources(root: Path = ROOT) -> str:
    """The hash of csrc/cuda and csrc/include, as cmake/cuda.cmake computes it."""
    files = [p for d in ("csrc/cuda", "csrc/include") for p in (root / d).rglob("*") if p.is_file()]
    names = sorted(path.relative_to(root).as_posix() for path in files)
    listing = "".join(
        f"{name} {hashlib.sha256((root / name).read_bytes()).hexdigest()}\n" for name in names
    )
    return hashlib.sha256(listing.encode()).hexdigest()[:16]


def show(as_json: bool = False) -> None:
    """Print the facts, folded to the width of a terminal; elsewhere a line each, or as JSON."""
    rows = facts()
    if as_json:
        print(json.dumps(dict(rows), indent=1, ensure_ascii=False))
        return
    indent = max(len(name) for name, _ in rows) + 2
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns
    for name, value in rows:
        if terminal and width >= 2 * indent:
            value = textwrap.fill(
                value, width - indent, break_long_words=True, break_on_hyphens=False
            ).replace("\n", "\n" + " " * indent)
        print(f"{name:<{indent}}{value}")


def main() -> None:
    show()


if __name__ == "__main__":
    main()
