#!/usr/bin/env python3
"""How long clients that mean no good keep the service from others: /healthz meanwhile.

    python benchmarks/bench_serve_attacks.py [--seconds 8] [--clients 8]

Each attack is sent again and again on new connections, without a token, by as many clients, while
/healthz is asked every 50 ms. ``none`` is the service left alone, the peer of the others.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import bench_serve
import engine_case

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = (
    b"POST /v1/recognize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
)
CRUMBS = POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 40000
ATTACKS = {
    "none": b"",
    "a body in chunks of one byte": CRUMBS,
    "the same behind a GET": HEALTH + CRUMBS,
    "the same behind 3 s of sound": POST + b"Content-Length: 96000\r\n\r\n" + bytes(96000) + CRUMBS,
    "5000 requests at once": HEALTH * 5000,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each attack")
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = engine_case.make_model(Path(folder))
        for name, payload in ATTACKS.items():
            waited = under(model, payload, options)
            print(
                f"{name}: /healthz p50 {1e3 * statistics.median(waited):.0f} ms, "
                f"most {1e3 * max(waited):.0f} ms, {len(waited)} times"
            )


def under(model: Path, payload: bytes, options: argparse.Namespace) -> list[float]:
    """Seconds that /healthz took, each time it was asked."""
    server = subprocess.Popen(bench_serve.command(model), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = urlsplit(server.stdout.readline().split()[0]).port
        assert port is not None
        end = time.monotonic() + options.seconds
        attackers = [
            threading.Thread(target=attack, args=(port, payload, end))
            for _ in range(options.clients if payload else 0)
        ]
        for one in attackers:
            one.start()
        waited = []
        while time.monotonic() < end:
            waited.append(health(port))
            time.sleep(0.05)
        for one in attackers:
            one.join()
        return waited
    finally:
        server.terminate()
        server.wait(60)


def health(port: int) -> float:
    begin = time.monotonic()
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    client.request("GET", "/healthz")
    status = client.getresponse().status
    client.close()
    if status not in (200, 429):  # too many connections is an answer too
        raise SystemExit(f"/healthz answers {status}")
    return time.monotonic() - begin


def attack(port: int, payload: bytes, end: float) -> None:
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.settimeout(3)
            connection.sendall(payload)
            while time.monotonic() < end and connection.recv(65536):
                pass


if __name__ == "__main__":
    main()
