#!/usr/bin/env python3
"""Static gates of the CUDA kernels: registers, spills and shared memory, for every architecture.

    python3 tools/kernel_report.py [--arch 87 90 110] [--nvcc nvcc] [--json FILE]

Compiles csrc/cuda/*.cu for each architecture with warnings as errors, reads what ptxas says of
every kernel, and the most shared memory that the launchers ask for, which csrc/tests/kernel_shared
prints. Exits with 1 where a kernel spills or needs a stack, uses more than 128 registers, or more
shared memory than the architecture gives a block. Needs nvcc and a C++17 compiler, no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_REGISTERS = 128
# Bytes of shared memory that a block may ask for (CUDA C++ Programming Guide).
SHARED_LIMIT = {"87": 166912, "90": 232448, "101": 232448, "110": 232448}


@dataclass(frozen=True)
class Kernel:
    """One instantiation on one architecture, as ptxas describes it."""

    name: str
    arch: str
    registers: int
    spilled_bytes: int
    stack_bytes: int
    shared_bytes: int  # static, and the most that a launch asks for on top

    def faults(self) -> list[str]:
        found = []
        if self.registers > MOST_REGISTERS:
            found.append(f"more than {MOST_REGISTERS} registers")
        if self.spilled_bytes:
            found.append("spills")
        if self.stack_bytes:
            found.append("keeps an array in local memory")
        if self.shared_bytes > SHARED_LIMIT[self.arch]:
            found.append(f"more than {SHARED_LIMIT[self.arch]} bytes of shared memory")
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", nargs="+", default=["87", "90", "110"], choices=SHARED_LIMIT)
    parser.add_argument("--nvcc", default=os.environ.get("CUDACXX", "nvcc"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    options = parser.parse_args()
    if shutil.which(options.nvcc) is None:
        sys.exit(f"error: no {options.nvcc} on the PATH; install the CUDA toolkit, or give --nvcc")
    kernels = report(options.nvcc, options.arch)
    print_table(kernels)
    if options.json:
        options.json.write_text(json.dumps([asdict(k) for k in kernels], indent=1) + "\n")
    sys.exit(1 if any(k.faults() for k in kernels) else 0)


def report(nvcc: str, archs: list[str]) -> list[Kernel]:
    """Every kernel on every architecture, sorted by name."""
    sources = sorted((ROOT / "csrc" / "cuda").glob("*.cu"))
    with tempfile.TemporaryDirectory() as folder:
        jobs = [(nvcc, source, arch, Path(folder)) for source in sources for arch in archs]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            shared = pool.submit(dynamic_shared, Path(folder))
            texts = list(pool.map(lambda job: compiled(*job), jobs))
        found = [
            kernel
            for (_, _, arch, _), text in zip(jobs, texts, strict=True)
            for kernel in parse(text, arch, shared.result())
        ]
    if not found:
        raise RuntimeError("ptxas named no kernel: has the format of its report changed?")
    return sorted(found, key=lambda k: (k.name, int(k.arch)))


def compiled(nvcc: str, source: Path, arch: str, folder: Path) -> str:
    """What ptxas says while ``source`` is compiled for one architecture."""
    command = [
        nvcc, "-std=c++17", f"-arch=sm_{arch}", "-cubin", "-Xptxas=-v", "-Werror=all-warnings",
        f"-I{ROOT / 'csrc' / 'include'}", "-o", str(folder / f"{source.stem}-{arch}.cubin"),
        str(source),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {source.name} does not compile for sm_{arch}:\n{done.stderr}")
    return done.stderr + done.stdout


def dynamic_shared(folder: Path) -> dict[str, int]:
    """Kernel -> the most bytes that a launcher asks for on a Jetson Orin, whatever the sizes."""
    program = folder / "kernel_shared"
    command = [
        os.environ.get("CXX", "c++"), "-std=c++17", "-DGBAN_SHIM", "-Wno-unknown-pragmas",
        *(f"-I{ROOT / d}" for d in ("csrc/include", "csrc/cuda", "csrc/tests/shim")),
        str(ROOT / "csrc" / "tests" / "kernel_shared.cpp"), "-o", str(program),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return {name: int(size) for name, size in (row.split("\t") for row in lines.splitlines())}


ENTRY = re.compile(
    r"Compiling entry function '(?P<name>\w+)' for 'sm_\d+'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


def parse(text: str, arch: str, dynamic: dict[str, int]) -> list[Kernel]:
    """The kernels that ptxas names in ``text``."""
    kernels = []
    for match in ENTRY.finditer(text):
        name = readable(match["name"])
        static = re.search(r"(\d+) bytes smem", match["rest"])
        kernels.append(
            Kernel(
                name, arch, int(match["registers"]), int(match["stores"]) + int(match["loads"]),
                int(match["stack"]), (int(static[1]) if static else 0) + dynamic[name],
            )
        )  # fmt: skip
    return kernels


def readable(mangled: str) -> str:
    """align_forward<Half, 64, 32> out of the name that the linker sees."""
    pattern = r"_ZN4gban4cuda\d+(\w+?)I(f|NS_4HalfE|NS_8BFloat16E)((?:Li\d+E)*)E.*"
    match = re.fullmatch(pattern, mangled)
    if match is None:
        return mangled
    kind = {"f": "float", "NS_4HalfE": "Half", "NS_8BFloat16E": "BFloat16"}[match[2]]
    return f"{match[1]}<{', '.join([kind, *re.findall('Li([0-9]+)E', match[3])])}>"


def print_table(kernels: list[Kernel]) -> None:
    print(f"{'kernel':38} {'arch':>6} {'registers':>9} {'spills':>6} {'stack':>6} {'shared':>7}")
    for kernel in kernels:
        faults = "; ".join(kernel.faults())
        print(
            f"{kernel.name:38} {'sm_' + kernel.arch:>6} {kernel.registers:>9} "
            f"{kernel.spilled_bytes:>6} {kernel.stack_bytes:>6} {kernel.shared_bytes:>7}"
            + (f"  FAULT: {faults}" if faults else "")
        )
    bad = sum(bool(k.faults()) for k in kernels)
    allowed = f"at most {MOST_REGISTERS} registers, no spills, no stack"
    print(f"{len(kernels)} kernels, {bad} at fault; allowed: {allowed}")


if __name__ == "__main__":
    main()
