"""The program's standard streams: closed ones, full disks, readers that went away, odd encodings.

Imports nothing but the standard library, so that it is there before anything can go wrong.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
from pathlib import Path
from typing import TextIO

# What a terminal whose encoding lacks a picture shows in its place, of the same width.
ASCII = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    **dict(zip("▏▎▍▌▋▊▉", "|  ####", strict=True)),
    **dict(zip("▕━╺╸─│╭╮╰╯·", "|-  -|++++.", strict=True)),
}


_reader: tuple[int, int] | None = None  # the pipe that standard output was when it began


def prepare() -> None:
    """Make the standard streams fit to be written to, whatever the program was started with.

    A closed descriptor becomes the null device: the next file opened would take its number, and be
    written to as if it were the terminal. Characters that the encoding lacks become ASCII.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    global _reader
    _reader = _pipe()
    sys.stdout = _usable(sys.stdout)
    sys.stderr = _usable(sys.stderr)


def _pipe() -> tuple[int, int] | None:
    """What tells standard output from other pipes; None where it is none."""
    found = os.fstat(1)
    return (found.st_dev, found.st_ino) if stat.S_ISFIFO(found.st_mode) else None


def _usable(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="gban_edge_ascii")
    return stream


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Pictures as ASCII's next best, all else as an escape: ``\\xe9``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    shown = (ASCII.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost)
    return "".join(shown), error.end


codecs.register_error("gban_edge_ascii", _in_ascii)


def printable(text: str) -> str:
    """``text`` with what a terminal would obey, or could not show, as an escape.

    >>> print(printable("new" + chr(10) + "line" + chr(27) + "[31m" + chr(0xDCFF)))
    new\\nline\\x1b[31m\\udcff
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def write(text: str) -> None:
    """Write lines for programs to standard output: UTF-8 in every locale.

    What is no UTF-8, of a file's name, becomes the escape that JSON has for it, ``\\udcff``.
    """
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()


def sentence(error: BaseException) -> str:
    """What is wrong, in one line without the number that the system gives it."""
    if isinstance(error, OSError) and error.strerror:
        name = error.filename2 or error.filename
        return error.strerror if name is None else f"{os.fsdecode(name)}: {error.strerror}"
    return " ".join(str(error).split())


def check_folder(folder: Path, what: str) -> None:
    """OSError where no file can be written into ``folder``, or where it would have to be made.

    ``what`` is to be written, for the message. Tried, not asked: the superuser may do all, but not
    on every file system.
    """
    from tempfile import TemporaryFile  # whose imports --help need not wait for

    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{what} cannot be written: {folder}: {error.strerror}") from error


def hush() -> None:
    """Drop what is left for a standard output that takes no more: Python would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def finish(status: int) -> int:
    """Send on what is buffered; the program's status: 1 where that fails on a full disk, 0 where
    the reader of a pipe went away, as rich and :func:`hush` mark by the null device in its place.
    """
    if _reader is not None and _pipe() != _reader:
        return 0
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough
        hush()
    except OSError as error:
        hush()
        if status == 0:  # else it has been told
            print(f"error: standard output: {sentence(error)}", file=sys.stderr)
        return status or 1
    return status
