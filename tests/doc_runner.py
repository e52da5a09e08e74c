"""Runs the blocks of a page in their order, as a reader would."""

from __future__ import annotations

import configparser
import os
import re
import select
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from doc_blocks import Block, commands, excepted
from doc_place import environment, microphone

PATIENCE = 60.0  # seconds for what must happen; no test depends on how soon it does
PORT = "8765"  # what the pages call the service's; a free one is taken instead
# An answer of 4xx must fail, and not block the page's reader with progress.
CURL = 'curl() { command curl -fsS -m 60 "$@"; }\n'


class Runner:
    """Runs blocks in ``folder``; variables of shells and of Python stay from block to block."""

    def __init__(self, folder: Path, names: dict[str, Any] | None = None) -> None:
        self._folder = folder
        self._names = {"microphone": microphone(folder), **(names or {})}
        self._port = free_port()
        self._server: subprocess.Popen[str] | None = None

    def run(self, block: Block) -> None:
        """Raises what the block raises; an AssertionError for a shell's.

        Raises:
            LookupError: nothing here runs blocks of its language.
        """
        how = {"python": self._python, "sh": self._shell, "ini": self._unit}
        if block.language not in how:
            raise LookupError(f"{block.page}, line {block.line}: {block.language} is not run")
        how[block.language](block)

    def stop(self) -> None:
        """End the service, which must end well."""
        if self._server is None:
            return
        self._server.terminate()
        status = self._server.wait(PATIENCE)
        self._server.stdout.close()
        self._server = None
        assert status == 0, "the service did not end well"

    def _python(self, block: Block) -> None:
        where = f"{block.page}, block of line {block.line}"
        exec(compile(block.text.replace(PORT, str(self._port)), where, "exec"), self._names)

    def _shell(self, block: Block) -> None:
        kept = [line for line in commands(block) if not excepted(block, line)]
        state = self._folder / ".state.sh"
        state.touch()
        for line in (line.replace(PORT, str(self._port)) for line in kept):
            if line.startswith("gban-edge serve"):
                self._serve(line, block)
                continue
            names = re.findall(r"(?:^|\bexport )(\w+)=", line)
            keep = f"declare -p {' '.join(names)} >> {state}\n" if names else ""
            self._bash(f". {state}\n{CURL}set -eo pipefail\n{line}\n{keep}", block)

    def _bash(self, script: str, block: Block) -> None:
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._folder, env=environment(self._folder),
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600,
        )  # fmt: skip
        where = f"{block.page}, block of line {block.line}\n{script}"
        assert done.returncode == 0, f"{where}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert "Traceback" not in done.stderr, f"{where}\n{done.stderr}"

    def _serve(self, line: str, block: Block) -> None:
        """Start the service of the page's further blocks, in the place of an earlier one."""
        self.stop()
        port = "" if "--port" in line else f" --port {self._port}"
        script = f". {self._folder / '.state.sh'}\nexec {line}{port}"
        self._server = subprocess.Popen(
            ["bash", "-c", script], cwd=self._folder, env=environment(self._folder),
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        told = first_line(self._server)
        assert f":{self._port}" in told, f"{block.page}, line {block.line}: {line}: {told!r}"

    def _unit(self, block: Block) -> None:
        """A systemd unit: read as systemd does, as far as ConfigParser does."""
        unit = configparser.ConfigParser(interpolation=None, strict=True)
        unit.optionxform = str
        unit.read_string(block.text)
        assert {"Unit", "Service", "Install"} == set(unit.sections())
        program, command, *_ = unit["Service"]["ExecStart"].split()
        assert (Path(program).name, command) == ("gban-edge", "serve")


def first_line(process: subprocess.Popen[str]) -> str:
    """What a process prints first; "" where it ends or keeps silent."""
    end = time.monotonic() + PATIENCE
    found = b""
    while time.monotonic() < end and not found.endswith(b"\n"):
        if select.select([process.stdout], [], [], 1.0)[0]:
            byte = os.read(process.stdout.fileno(), 1)
            if not byte:
                break
            found += byte
    return found.decode()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
