"""Meters on programs that print a line at a time: tegrastats and nvidia-smi."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gban_edge.deploy.board_files import program
from gban_edge.deploy.power_meter import Clock, Energy, Trapezoid, energy
from gban_edge.deploy.power_rails import choose
from gban_edge.deploy.power_tegrastats import parse_tegrastats

# The first line of nvidia-smi takes seconds where no driver is loaded yet.
_FIRST_LINE = 15.0
_END = 5.0


class Printed:
    """A meter on a program that prints one reading a line.

    A line counts from when it arrives; the last one holds until :meth:`stop`. :meth:`start` waits
    for the first, so that the program's own start is not measured.

    Args:
        command: what is run for each measurement.
        watts: one number a rail out of a line; ValueError for a line that cannot be read,
            LookupError where a rail is gone.
    """

    def __init__(
        self,
        name: str,
        rails: Sequence[str],
        covers: str,
        command: Sequence[str],
        watts: Callable[[str], Sequence[float]],
        clock: Clock = time.monotonic,
        first_line: float = _FIRST_LINE,
    ) -> None:
        self.name, self.rails, self.covers = name, tuple(rails), covers
        self.passed_over: tuple[str, ...] = ()
        self._command, self._watts, self._clock = list(command), watts, clock
        self._first_line = first_line
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        if self._process is not None:
            raise RuntimeError(f"the meter {self.name} is running; stop it first")
        self._sums, self._unread, self._bad = Trapezoid(len(self.rails)), 0, ""
        self._failure: Exception | None = None
        self._begun, self._stopping = threading.Event(), False
        self._process = _run(self._command)
        self._thread = threading.Thread(target=self._loop, name="gban-edge meter", daemon=True)
        self._thread.start()
        self._begun.wait(self._first_line)
        if not self._sums.samples:
            self._stopping = True
            self._end()
            raise self._failed()

    def stop(self) -> Energy:
        if self._process is None:
            raise RuntimeError(f"the meter {self.name} was not started")
        now = self._clock()
        self._stopping = True
        self._end()
        if self._failure is not None:
            raise self._failed()
        self._sums.hold(now)
        return energy(self._sums, self.rails, self._unread)

    def _end(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        end(process)
        self._thread.join()
        if process.stdout is not None:
            process.stdout.close()

    def _failed(self) -> RuntimeError:
        bad = f"; {self._unread} lines could not be read, the last: {self._bad}"
        reason = str(self._failure) if self._failure else "it printed no reading"
        return RuntimeError(f"{self.name}: {reason}{bad if self._unread else ''}")

    def _loop(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            for line in self._process.stdout:
                if self._stopping or not line.endswith("\n"):
                    break  # what a killed program leaves half said
                self._take(line)
            if not self._stopping:
                raise RuntimeError(f"{self._command[0]} ended by itself")
        except Exception as failure:  # told by stop(), in the caller's thread
            self._failure = failure
        finally:
            self._begun.set()

    def _take(self, line: str) -> None:
        now = self._clock()
        try:
            watts = self._watts(line)
        except ValueError as error:
            self._unread, self._bad = self._unread + 1, str(error)
            return
        self._sums.add(now, watts)
        self._begun.set()


def _run(command: Sequence[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            list(command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError as error:
        raise RuntimeError(f"{command[0]} cannot be run ({error})") from error


def end(process: subprocess.Popen[str]) -> None:
    """Ends a program, kindly first."""
    process.terminate()
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def first_line(command: Sequence[str], seconds: float = _FIRST_LINE) -> str:
    """The first line that ``command`` prints, which is then ended; RuntimeError if none comes."""
    process = _run(command)
    assert process.stdout is not None
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
    finally:
        timer.cancel()
        end(process)
        with contextlib.suppress(OSError):
            process.stdout.close()
    if not line.strip():
        raise RuntimeError(f"{command[0]} printed nothing")
    return line


def open_tegrastats(root: Path, interval: float = 0.1, clock: Clock = time.monotonic) -> Printed:
    """The meter on tegrastats, with a line every ``interval`` seconds, at least 0.1.

    Raises:
        RuntimeError: it is not there, or prints no rails that make a whole; the cure.
    """
    path = program(root, "tegrastats")
    if path is None:
        raise RuntimeError("no tegrastats on the PATH")
    command = [path, "--interval", str(max(100, round(interval * 1000)))]
    try:
        found = parse_tegrastats(first_line(command))
    except ValueError as error:
        raise RuntimeError(f"tegrastats: {error}") from error
    if not found.rails:
        raise RuntimeError("tegrastats prints no power rails; some releases do so for root alone")
    rails, covers = choose(found.rails)

    def watts(line: str) -> list[float]:
        now = parse_tegrastats(line).rails
        gone = [rail for rail in rails if rail not in now]
        if gone:
            raise LookupError(f"rail {', '.join(gone)} vanished from the lines")
        return [now[rail].now / 1e3 for rail in rails]

    return Printed("tegrastats", rails, covers, command, watts, clock)


def open_nvidia_smi(
    root: Path, interval: float = 0.1, clock: Clock = time.monotonic, gpu: int = 0
) -> Printed:
    """The power that a PC's GPU number ``gpu``, as nvidia-smi counts, says it draws.

    Raises:
        RuntimeError: there is no nvidia-smi, or it does not know; the cure.
    """
    path = program(root, "nvidia-smi")
    if path is None:
        raise RuntimeError("no nvidia-smi on the PATH")
    query = [path, f"--id={gpu}", "--query-gpu=power.draw", "--format=csv,noheader,nounits"]
    line = first_line(query)
    try:
        float(line)
    except ValueError:
        raise RuntimeError(f"nvidia-smi does not know the GPU's power: {line.strip()}") from None
    command = [*query, "-lms", str(max(100, round(interval * 1000)))]
    covers = "the GPU's board only, not the machine"
    return Printed(
        "nvidia-smi (GPU only)", [f"GPU {gpu}"], covers, command, lambda line: [float(line)], clock
    )
