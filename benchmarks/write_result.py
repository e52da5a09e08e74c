"""The last step of gpu_check.sh: benchmarks/results/<gpu>.json, out of what the others found."""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import info
from gban_edge.core import native

ROOT = info.ROOT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sanitizer", required=True)
    parser.add_argument("--alignment", type=Path, required=True)
    parser.add_argument("--engine", type=Path, required=True)
    parser.add_argument("--bilstm", type=Path, required=True)
    parser.add_argument("--latency", type=Path, required=True)
    parser.add_argument("--plugins", required=True, help="what ran the TensorRT plugins' test")
    parser.add_argument("--copy", type=Path, help="a folder that also gets the file")
    options = parser.parse_args()
    gpu = torch.cuda.get_device_name()
    record = {
        "gpu": gpu,
        "date": datetime.date.today().isoformat(),
        "commit": git("rev-parse", "HEAD"),
        "clean": git("status", "--porcelain", "csrc") == "",
        "kernel_sources": info.kernel_sources(),
        "driver": command("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "clocks": command(
            "nvidia-smi", "--query-gpu=clocks.sm,clocks.mem", "--format=csv,noheader"
        ),
        "nvcc": native().CUDA_COMPILER,
        "torch": torch.__version__,
        "sanitizer": options.sanitizer,
        "alignment": json.loads(options.alignment.read_text("utf-8")),
        "engine": json.loads(options.engine.read_text("utf-8")),
        "bilstm": json.loads(options.bilstm.read_text("utf-8")),
        "latency": json.loads(options.latency.read_text("utf-8")),
        "plugins": options.plugins,
    }
    name = re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-") + ".json"
    for folder in filter(None, (ROOT / "benchmarks" / "results", options.copy)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        print(folder / name)


def git(*arguments: str) -> str:
    return command("git", "-C", str(ROOT), *arguments)


def command(*arguments: str) -> str:
    """What a program prints, or why there is nothing: a bare machine may lack git."""
    try:
        done = subprocess.run(arguments, capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


if __name__ == "__main__":
    main()
