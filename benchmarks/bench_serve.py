#!/usr/bin/env python3
"""What the service costs above its engine, and how it bears twice what it can do.

    python benchmarks/bench_serve.py [--requests 300] [--overload 300] [--json FILE]

Overhead: one client, raw PCM of 3 s, one request after the other; the time a request takes at the
client less what the recogniser itself took in it (``timings.total``). Overload: twice as many
clients as the service has places, each asking again at once; every status is counted, and the
server's memory is read every second. Answers are checked before anything is timed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import engine_case
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import EmotionRecognizer
from gban_edge.serve import ServeOptions, run

WORDS = "that+is+incredible"
HEADERS = {"Content-Type": "application/octet-stream"}


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        model = engine_case.make_model(Path(folder))
        mine, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(model, theirs))
        server.start()
        try:
            place = urlsplit(mine.recv()).netloc
            pcm = sound(options.seconds)
            check(place, pcm, model)
            record = {
                "seconds": options.seconds,
                "overhead_ms": overhead(place, pcm, options.requests),
                "overload": overload(place, pcm, options.overload),
            }
        finally:
            server.terminate()
            server.join()
    report(record)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of sound in a request")
    parser.add_argument("--requests", type=int, default=300, help="for the overhead")
    parser.add_argument("--overload", type=float, default=300.0, help="seconds at twice capacity")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


def serve(model: Path, told: Connection) -> None:
    """The server's process."""
    run(EmotionRecognizer.from_pretrained(model, "cpu"), ServeOptions(port=0), told.send)


def sound(seconds: float) -> bytes:
    rng = np.random.default_rng(0)
    return (rng.standard_normal(round(seconds * 16000)) * 3000).astype("<i2").tobytes()


def ask(client: http.client.HTTPConnection, pcm: bytes) -> tuple[int, dict[str, Any]]:
    client.request("POST", f"/v1/recognize?words={WORDS}", pcm, HEADERS)
    answer = client.getresponse()
    return answer.status, json.loads(answer.read())


def check(place: str, pcm: bytes, model: Path) -> None:
    """The service answers what the recogniser does."""
    status, found = ask(http.client.HTTPConnection(place), pcm)
    rec = EmotionRecognizer.from_pretrained(model, "cpu")
    expected = rec(np.frombuffer(pcm, "<i2"), WORDS.replace("+", " "))
    if status != 200 or found["probabilities"] != expected.probabilities:
        raise SystemExit(f"the service answers {status} {found}, the recogniser {expected}")


def overhead(place: str, pcm: bytes, requests: int) -> dict[str, float]:
    """Milliseconds above the engine's own time, and that time."""
    client = http.client.HTTPConnection(place)
    above, engine = [], []
    for i in range(requests + 20):
        begin = time.perf_counter()
        _, found = ask(client, pcm)
        took = time.perf_counter() - begin
        if i >= 20:
            engine.append(1e3 * found["timings"]["total"])
            above.append(1e3 * took - engine[-1])
    cuts = statistics.quantiles(above, n=100)
    return {
        "p50": cuts[49],
        "p90": cuts[89],
        "p99": cuts[98],
        "engine_p50": statistics.median(engine),
    }


def overload(place: str, pcm: bytes, seconds: float) -> dict[str, Any]:
    """Statuses and memory while twice as many ask as there are places."""
    end, clients = time.monotonic() + seconds, 2 * ServeOptions().limits.recognitions
    counts: list[Counter[str]] = [Counter() for _ in range(clients)]
    threads = [threading.Thread(target=press, args=(place, pcm, end, count)) for count in counts]
    for thread in threads:
        thread.start()
    memory = []
    while time.monotonic() < end:
        time.sleep(min(1.0, seconds / 4))
        memory.append(resident(place))
    for thread in threads:
        thread.join()
    return {
        "seconds": seconds, "clients": clients,
        "answers": dict(sum(counts, Counter())), "memory_mib": memory,
    }  # fmt: skip


def press(place: str, pcm: bytes, end: float, count: Counter[str]) -> None:
    """One client that asks again at once, on a new connection after a refusal."""
    client = http.client.HTTPConnection(place, timeout=30)
    while time.monotonic() < end:
        try:
            count[str(ask(client, pcm)[0])] += 1
        except (OSError, http.client.HTTPException) as error:
            count[type(error).__name__] += 1
            client.close()


def resident(place: str) -> float:
    client = http.client.HTTPConnection(place, timeout=30)
    client.request("GET", "/metrics")
    text = client.getresponse().read().decode()
    client.close()
    line = next(x for x in text.splitlines() if x.startswith("process_resident_memory_bytes "))
    return float(line.split()[1]) / 2**20


def report(record: dict[str, Any]) -> None:
    above, load = record["overhead_ms"], record["overload"]
    figures = ", ".join(f"{k} {above[k]:.2f} ms" for k in ("p50", "p90", "p99"))
    print(f"above the engine's {above['engine_p50']:.2f} ms: {figures}")
    answers = ", ".join(f"{n} x {status}" for status, n in sorted(load["answers"].items()))
    memory = load["memory_mib"]
    quarter = memory[len(memory) // 4]
    print(f"{load['clients']} clients for {load['seconds']:.0f} s: {answers}")
    print(
        f"memory: {quarter:.1f} MiB after a quarter, {memory[-1]:.1f} at the end, "
        f"most {max(memory):.1f}"
    )


if __name__ == "__main__":
    main()
