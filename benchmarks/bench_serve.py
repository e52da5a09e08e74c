#!/usr/bin/env python3
"""What the service costs above its engine, and how it bears twice what it can do.

    python benchmarks/bench_serve.py [--requests 300] [--overload 300] [--json FILE]

Overhead: one client, raw PCM of 3 s, one request after the other; the time that a request takes at
the client less what the recogniser itself took in the server (``timings.total``). Between two
requests the same recogniser is called in this process, without a server: the peer.

Overload: twice as many clients as the service has places, each with a sound of its own, asking
again at once. Every status and every kind of error is counted, one in 20 of the answers is held
against the recogniser's, and the server's resident memory is read from /proc every second. The
command fails if an answer is wrong, or if anything but 200 and 429 came.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import engine_case
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import EmotionRecognizer
from gban_edge.serve import ServeOptions

ROOT = Path(__file__).resolve().parent.parent
WORDS = "that+is+incredible"
HEADERS = {"Content-Type": "application/octet-stream"}
EACH = 20  # one in so many answers is checked
WARM_UP = 20  # requests that are not counted


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        model = engine_case.make_model(Path(folder))
        rec = EmotionRecognizer.from_pretrained(model, "cpu")
        server = subprocess.Popen(command(model), stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            place = urlsplit(server.stdout.readline().split()[0]).netloc
            record: dict[str, Any] = {
                "seconds": options.seconds,
                "overhead_ms": overhead(place, sound(options.seconds, 0), rec, options.requests),
                "overload": overload(place, server.pid, options, rec),
            }
        finally:
            server.terminate()
            status = server.wait(60)
    record["exit_status"] = status
    report(record)
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    bad = faults(record)
    if bad:
        raise SystemExit(f"failed: {', '.join(bad)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="of sound in a request")
    parser.add_argument("--requests", type=int, default=300, help="for the overhead")
    parser.add_argument("--overload", type=float, default=300.0, help="seconds at twice capacity")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args()


def command(model: Path) -> list[str]:
    """The server as people start it, with its own limits."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from gban_edge.cli import main; main()"
    return [sys.executable, "-c", code, "serve", str(model), "--backend", "cpu", "--port", "0"]


def sound(seconds: float, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(round(seconds * 16000)) * 3000).astype("<i2").tobytes()


def ask(client: http.client.HTTPConnection, pcm: bytes) -> tuple[int, Any]:
    client.request("POST", f"/v1/recognize?words={WORDS}", pcm, HEADERS)
    answer = client.getresponse()
    return answer.status, json.loads(answer.read())


def untimed(found: dict[str, Any]) -> dict[str, Any]:
    """A result as JSON has it, without its times."""
    return {**json.loads(json.dumps(found)), "timings": None}


def answer_of(rec: EmotionRecognizer, pcm: bytes) -> dict[str, Any]:
    return rec(np.frombuffer(pcm, "<i2"), WORDS.replace("+", " ")).to_dict()


def overhead(
    place: str, pcm: bytes, rec: EmotionRecognizer, requests: int
) -> dict[str, dict[str, float]]:
    """Milliseconds: of a request above the recogniser's own time in it, that time, and the peer's;
    one of each after the other."""
    client = http.client.HTTPConnection(place)
    above, inside, peer = [], [], []
    expected = untimed(answer_of(rec, pcm))
    for i in range(requests + WARM_UP):
        begin = time.perf_counter()
        status, found = ask(client, pcm)
        took = time.perf_counter() - begin
        if status != 200 or untimed(found) != expected:
            raise SystemExit(f"the service answers {status} {found}, the recogniser {expected}")
        bare = answer_of_timed(rec, pcm)
        if i >= WARM_UP:
            inside.append(1e3 * found["timings"]["total"])
            above.append(1e3 * took - inside[-1])
            peer.append(1e3 * bare)
    client.close()
    return {"above": cuts(above), "recogniser in the server": cuts(inside), "peer": cuts(peer)}


def answer_of_timed(rec: EmotionRecognizer, pcm: bytes) -> float:
    begin = time.perf_counter()
    rec(np.frombuffer(pcm, "<i2"), WORDS.replace("+", " "))
    return time.perf_counter() - begin


def cuts(values: list[float]) -> dict[str, float]:
    hundredths = statistics.quantiles(values, n=100)
    return {"p50": hundredths[49], "p90": hundredths[89], "p99": hundredths[98]}


def overload(
    place: str, pid: int, options: argparse.Namespace, rec: EmotionRecognizer
) -> dict[str, Any]:
    """Statuses, wrong answers and memory while twice as many ask as there are places."""
    seconds = options.overload
    clients = 2 * ServeOptions().limits.recognitions
    counts: list[Counter[str]] = [Counter() for _ in range(clients)]
    sounds = [sound(options.seconds, 1 + i) for i in range(clients)]
    expected = [untimed(answer_of(rec, pcm)) for pcm in sounds]
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=press, args=(place, pcm, right, end, count))
        for pcm, right, count in zip(sounds, expected, counts, strict=True)
    ]
    for thread in threads:
        thread.start()
    memory = []
    while time.monotonic() < end:
        memory.append(resident(pid))
        time.sleep(min(1.0, seconds / 8))
    for thread in threads:
        thread.join()
    memory.append(resident(pid))
    return {
        "seconds": seconds, "clients": clients,
        "answers": dict(sum(counts, Counter())), "memory_mib": memory,
    }  # fmt: skip


def press(
    place: str, pcm: bytes, expected: dict[str, Any], end: float, count: Counter[str]
) -> None:
    """One client that asks again at once, on a new connection after an error."""
    client = http.client.HTTPConnection(place, timeout=30)
    while time.monotonic() < end:
        try:
            status, found = ask(client, pcm)
        except (OSError, http.client.HTTPException, ValueError) as error:
            count[type(error).__name__] += 1
            client.close()
            continue
        count[str(status)] += 1
        if status == 200 and count["200"] % EACH == 1:
            count["checked"] += 1
            count["wrong"] += untimed(found) != expected
    client.close()


def resident(pid: int) -> float:
    """MiB of memory that a process has, as the system says."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(record: dict[str, Any]) -> float:
    """MiB an hour, by the line of least squares through the last three quarters."""
    memory = record["memory_mib"]
    each = record["seconds"] / max(1, len(memory) - 1)
    late = memory[len(memory) // 4 :]
    return float(np.polyfit(np.arange(len(late)) * each, late, 1)[0] * 3600)


def faults(record: dict[str, Any]) -> list[str]:
    """What must not have happened."""
    answers = record["overload"]["answers"]
    fine = ("200", "429", "checked", "wrong")
    bad = [f"{n} x {kind}" for kind, n in answers.items() if kind not in fine]
    bad += [f"{answers['wrong']} wrong answers"] if answers.get("wrong") else []
    bad += [] if answers.get("checked") else ["no answer was checked"]
    return bad + ([] if record["exit_status"] == 0 else [f"exit status {record['exit_status']}"])


def report(record: dict[str, Any]) -> None:
    for name, found in record["overhead_ms"].items():
        print(f"{name}: " + ", ".join(f"{k} {ms:.2f} ms" for k, ms in found.items()))
    load = record["overload"]
    answers = ", ".join(f"{n} x {kind}" for kind, n in sorted(load["answers"].items()))
    memory = load["memory_mib"]
    print(f"{load['clients']} clients for {load['seconds']:.0f} s: {answers}")
    print(
        f"memory: {memory[0]:.1f} MiB at the start, most {max(memory):.1f}, at the end "
        f"{memory[-1]:.1f}, {slope(load):+.1f} MiB an hour after the first quarter"
    )


if __name__ == "__main__":
    main()
