#!/usr/bin/env python3
"""Set up the virtual environment that the Makefile's targets use; needs only the standard library.

    python3 tools/venv.py FOLDER EXTRAS [--torch-args "..."]

Does nothing when the folder is already set up for these sources. torch is installed first, at the
version of constraints.txt. On a machine without a GPU a build that would bring the CUDA packages
(gigabytes) is refused before anything is downloaded; other Pythons on the PATH are tried, since an
index may have a CPU build for one of them only.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 10), (3, 13)
# What the installed package is built from: a change of these sets the environment up anew.
SOURCES = ("pyproject.toml", "constraints.txt", "setup.py", "CMakeLists.txt", "tools/venv.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("extras", help="extras of the package, like train,test")
    parser.add_argument("--torch-args", default="", help="arguments of pip for torch alone")
    arguments = parser.parse_args()
    stamp = arguments.folder / "ready.json"
    cuda = os.environ.get("GBAN_CUDA", "auto")
    want = {"sources": fingerprint(), "torch_args": arguments.torch_args, "cuda": cuda}
    extras = set(arguments.extras.split(","))
    try:
        have = json.loads(stamp.read_text())
        if {k: have[k] for k in want} == want and extras <= set(have["extras"]):
            return
        extras |= set(have["extras"])
    except (OSError, ValueError, KeyError):
        pass
    stamp.unlink(missing_ok=True)
    set_up(arguments.folder, sorted(extras), arguments.torch_args)
    stamp.write_text(json.dumps({**want, "extras": sorted(extras)}))


def fingerprint() -> str:
    """One hash of everything that the installed package is built from."""
    total = hashlib.sha256()
    parts = ("cmake", "csrc/bindings", "csrc/cpu", "csrc/cuda", "csrc/include")
    built = [p for part in parts for p in sorted((ROOT / part).rglob("*"))]
    for path in [ROOT / name for name in SOURCES] + built:
        if path.is_file():
            total.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def set_up(folder: Path, extras: list, torch_args: str) -> None:
    refusals = []
    begun = [None] if (folder / "bin" / "python").exists() else []  # keep what a last call made
    for python in begun + candidates():
        if python is not None:
            say(f"making {folder} with {python}")
            run(python, "-m", "venv", "--clear", str(folder))
        reason = refuse_torch(folder, torch_args)
        if reason is None:
            break
        say(f"not with this one: {reason}")
        refusals.append(reason)
        shutil.rmtree(folder, ignore_errors=True)
    else:
        listed = (
            "\n  ".join(refusals)
            or "no Python 3.10 to 3.13 with venv and pip on the PATH (Debian: python3-venv)"
        )
        sys.exit(
            f"error: no Python here gets a CPU build of torch:\n  {listed}\n"
            "Name another Python (make ... PYTHON=python3.11), or say where a CPU build is: "
            "make ... TORCH_ARGS='--index-url ADDRESS'; PyTorch's 'Start Locally' page gives the "
            "address under 'CPU'."
        )
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    constrained = ["-c", str(ROOT / "constraints.txt")]
    # -qq: without the warnings that are about the machine's own pip settings. Not compiled: Python
    # does that to a module that is imported, and most of these (fourteen thousand) never are.
    pip += ["-qq", "--no-compile"]
    say("installing torch (a few hundred MB the first time)")
    run(*pip, *constrained, *shlex.split(torch_args), "torch")
    say(f"building and installing gban-edge with its extras: {', '.join(extras)}")
    run(*pip, *constrained, "-e", f"{ROOT}[{','.join(extras)}]")


def candidates() -> list:
    """Interpreters of a supported version: the one running this first, then the PATH's."""
    names = [sys.executable, *(f"python3.{minor}" for minor in (11, 12, 13, 10))]
    found = []
    for name in names:
        path = shutil.which(name)
        if path and path not in found and OLDEST <= version_of(path) <= NEWEST:
            found.append(path)
    return found


def version_of(python: str) -> tuple:
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else (0, 0)


def refuse_torch(folder: Path, torch_args: str):
    """Why torch must not be installed into ``folder``, or None where it may."""
    if shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists():
        return None
    python = str(folder / "bin" / "python")
    command = [
        python, "-m", "pip", "install", "--disable-pip-version-check", "-qq", "--dry-run",
        "--report", "-", "-c", str(ROOT / "constraints.txt"), *shlex.split(torch_args), "torch",
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return f"Python {version_of(python)}: pip finds no torch of constraints.txt"
    try:
        report = json.loads(done.stdout[done.stdout.index("{") :])
    except ValueError:
        return f"Python {version_of(python)}: pip gave no report of what it would install"
    names = [item["metadata"]["name"].lower() for item in report["install"]]
    cuda = [name for name in names if name.startswith(("nvidia-", "cuda-", "triton"))]
    if cuda:
        return f"Python {version_of(python)}: torch would bring {len(cuda)} CUDA packages"
    return None


def say(text: str) -> None:
    print(f"set-up: {text}", file=sys.stderr, flush=True)


def run(*command: str) -> None:
    done = subprocess.run(command)
    if done.returncode != 0:
        sys.exit(f"error: set-up failed at: {shlex.join(command)}")


if __name__ == "__main__":
    main()
