"""A real server process and what tests ask of it."""

from __future__ import annotations

import io
import json
import socket
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
from helpers import ROOT, speech_like
from serve_contract import check_answer

PCM = np.round(speech_like(np.random.default_rng(3), 24000) * 32767).astype("<i2")
RAW = {"content-type": "application/octet-stream"}
WAV = {"content-type": "audio/wav"}
HEAD = (
    b"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
)
PATIENCE = 30.0  # seconds for what must happen; no test depends on how soon it does


class Server:
    """``tests/serve_program.py`` with these options, until :meth:`stop`."""

    def __init__(self, model: Path, folder: Path, verify: Any = True, **options: Any) -> None:
        self.folder = folder
        program = str(ROOT / "tests" / "serve_program.py")
        command = [sys.executable, program, str(model), str(folder), json.dumps(options)]
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder
            )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.log.read_text()
        self.port = urlsplit(self.address).port
        self.http = httpx.Client(
            base_url=self.address.replace("0.0.0.0", "127.0.0.1"), timeout=PATIENCE, verify=verify,
            event_hooks={"response": [check_answer]},
        )  # fmt: skip

    def recognize(self, words: str = "w2 w3", body: bytes = PCM.tobytes(), **more: Any) -> Any:
        return self.http.post(
            "/v1/recognize", params={"words": words}, content=body, headers=RAW, **more
        )

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def metric(self, line: str) -> float:
        """The number behind ``line`` in /metrics; 0 where there is none."""
        for found in self.http.get("/metrics").text.splitlines():
            if found.startswith(line + " "):
                return float(found.rpartition(" ")[2])
        return 0.0

    def held(self) -> int:
        """How many requests with "hold" a worker has begun."""
        return len(list(self.folder.glob("held-*")))

    def release(self) -> None:
        (self.folder / "go").touch()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.http.close()
        self.release()
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return status

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition; its value."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return value


def wav_bytes(pcm: np.ndarray = PCM, rate: int = 16000) -> bytes:
    """int16 [samples] as a WAV file, by the standard library."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes(pcm.tobytes())
    return file.getvalue()


def float_wav(values: np.ndarray) -> bytes:
    """float32 [samples] as a WAV file."""
    data = values.astype("<f4").tobytes()
    head = struct.pack("<HHIIHH", 3, 1, 16000, 64000, 4, 32)
    chunks = b"fmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def answer(connection: socket.socket) -> bytes:
    """All that the server says until it closes."""
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def status_of(raw: bytes) -> tuple[int, str]:
    """The status and the error's code of a response as it came."""
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]
