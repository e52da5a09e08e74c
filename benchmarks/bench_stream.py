#!/usr/bin/env python3
"""Streams: latency from end of speech to result on one core, and many streams in real time.

    python benchmarks/bench_stream.py [--model FILE] [--vad silero] [--seconds 30] [--json FILE]

Synthesised speech, words given. Latency: from when the stream is given the sound that tells of the
end to the result, less the engine's own time for that utterance: the fastest of three calls of it
with the same sound and words, made right after, whose answer must be the same to the last bit.
``seen_engine_ms`` is what the engine took within the latency, which cold caches and other threads
lengthen. CPU times are user and system together, of the whole process. Real time: each stream gets
20 ms blocks when a microphone has them ready, in a thread of its own; the lag is how long after
that its events were there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import EmotionRecognizer
from gban_edge.stream import SpeechEnded, UtteranceStream
from train.espeak import Espeak

HERE = Path(__file__).resolve().parent
BLOCK = 320  # 20 ms
BOUND_MS = 2.0
TEXTS = (
    "the food was wonderful but the room was filthy",
    "i thought the music was dreadful",
    "honestly the doctor seemed friendly although the station was depressing and the meeting was "
    "terrible",
)


class End(NamedTuple):
    """An utterance, and the engine's own time for it, seconds."""

    event: SpeechEnded
    engine: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="a model file; else random weights, full size")
    parser.add_argument("--vad", default="silero", choices=("silero", "energy"))
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20, help="of the scene, for the latency")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the streams in real time")
    parser.add_argument("--json", type=Path, help="a file to write the numbers to")
    options = parser.parse_args()
    pcm = scene()
    with tempfile.TemporaryDirectory() as folder:
        recognizer = EmotionRecognizer.from_pretrained(options.model or made(folder), "cpu")
    cores = sorted(os.sched_getaffinity(0))
    found = {"backend": recognizer.backend, "vad": options.vad, "load": os.getloadavg()[0]}
    pin(cores[:1])
    found["one_core"] = one_stream(recognizer, options.vad, pcm, options.rounds)
    show("one core, as fast as it goes", found["one_core"])
    found["real_time"] = []
    for streams, count in ((1, 1), (options.streams, options.cores)):
        pin(cores[:count])
        one = real_time(recognizer, options, pcm, streams, count)
        found["real_time"].append(one)
        show(f"{streams} in real time on {count} cores", one)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def made(folder: str) -> Path:
    """A model file, written by another process: torch's OpenMP would take over the detector's."""
    code = "import sys, pathlib, engine_case as e; print(e.make_model(pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, folder]
    done = subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def pin(cores: list[int]) -> None:
    """Every thread, those of the libraries too."""
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def scene() -> np.ndarray:
    """The texts with 1.2 s of a quiet room around each, float32 at 16 kHz."""
    espeak, quiet = Espeak(), np.zeros(19200, np.float32)
    pieces = [quiet]
    for text in TEXTS:
        pieces += [espeak.say(f"<speak>{text}</speak>", "en-us"), quiet]
    pcm = np.concatenate(pieces)
    noise = 0.001 * np.random.default_rng(0).standard_normal(len(pcm))
    return (pcm + noise).astype(np.float32)


def one_stream(recognizer: EmotionRecognizer, vad: str, pcm: np.ndarray, rounds: int) -> dict:
    """Block after block without waiting, the engine's own calls between."""
    stream, ends, spent = UtteranceStream(recognizer, vad), [], 0.0
    for turn in range(rounds + 1):
        stream.reset()
        said = iter(TEXTS)
        stream.set_words(next(said))
        for first in range(0, len(pcm), BLOCK):
            before = time.process_time()
            events = stream.push(pcm[first : first + BLOCK])
            spent += (time.process_time() - before) * (turn > 0)  # the first round warms up
            for event in events:
                if isinstance(event, SpeechEnded):
                    stream.set_words(next(said, ""))
                    own = engine(recognizer, pcm, event)
                    ends += [End(event, own)] * (turn > 0)
    return {**latency(ends), "cpu_share": spent / (rounds * len(pcm) / 16000)}


def engine(recognizer: EmotionRecognizer, pcm: np.ndarray, event: SpeechEnded) -> float:
    """The engine's own time for the utterance; ends the program where its answer is another."""
    part = pcm[round(event.start * 16000) : round(event.end * 16000)]
    results = [recognizer(part, event.words) for _ in range(3)]
    wanted, got = results[0].probabilities, event.result.probabilities
    if got != wanted:
        raise SystemExit(f"{event.words!r}: {got} instead of {wanted}")
    return min(result.timings["network"] for result in results)


def latency(ends: list[End]) -> dict:
    """Milliseconds from end of speech to result, whole and above the engine's own time."""
    whole = np.array([1e3 * end.event.latency for end in ends])
    own = np.array([1e3 * end.engine for end in ends])
    names = ends[0].event.timings
    parts = {name: np.array([1e3 * e.event.timings[name] for e in ends]) for name in names}
    above = whole - own
    return {
        "utterances": len(ends),
        "seconds": sorted({round(end.event.end - end.event.start, 2) for end in ends}),
        "latency_ms": spread(whole),
        "engine_ms": spread(own),
        "above_engine_ms": spread(above),
        "latency_over_engine": spread(whole / own),
        "seen_engine_ms": spread(parts.pop("network")),
        **{f"{name}_ms": spread(values) for name, values in parts.items()},
        "bound_ms": BOUND_MS,
        "held": bool(np.percentile(above, 99) <= BOUND_MS),
    }


def real_time(
    recognizer: EmotionRecognizer, options: argparse.Namespace, pcm: np.ndarray, streams: int,
    cores: int,
) -> dict:  # fmt: skip
    """How far ``streams`` threads lag behind their microphones, and what they answer."""
    blocks = int(options.seconds * 16000 / BLOCK)
    lags: list[list[float]] = [[] for _ in range(streams)]
    heard: list[tuple[np.ndarray, SpeechEnded]] = []
    begin = time.perf_counter() + 0.2

    def play(number: int) -> None:
        stream = UtteranceStream(recognizer, options.vad)
        offset = number * 7919 % len(pcm)  # no two say the same at a time
        sound = np.resize(np.roll(pcm, -offset), blocks * BLOCK)
        for i in range(blocks):
            stream.set_words(TEXTS[0])
            due = begin + (i + 1) * BLOCK / 16000
            time.sleep(max(0.0, due - time.perf_counter()))
            events = stream.push(sound[i * BLOCK : (i + 1) * BLOCK])
            lags[number].append(time.perf_counter() - due)
            heard.extend((sound, event) for event in events if isinstance(event, SpeechEnded))

    used = time.process_time()
    threads = [threading.Thread(target=play, args=(i,)) for i in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = time.process_time() - used
    lag = np.array(lags)
    # Afterwards, since it would disturb the others.
    ends = [End(event, engine(recognizer, sound, event)) for sound, event in heard]
    return {
        "streams": streams,
        "cores": cores,
        "lag_ms": spread(1e3 * lag.ravel()),
        "lag_of_a_block": spread(lag.ravel() / (BLOCK / 16000)),
        "cores_used": used / options.seconds,
        "cpu_share": used / options.seconds / cores,
        **latency(ends),
        # Real time: what is behind at some time is made up for, and never more than 0.1 s.
        "in_real_time": bool(lag.max() <= 0.1 and lag[:, -50:].mean() < 0.02),
    }


def show(title: str, numbers: dict) -> None:
    print(f"\n{title}")
    for name, value in numbers.items():
        if isinstance(value, dict):
            row = "  ".join(f"{key} {number:8.3f}" for key, number in value.items())
            print(f"  {name:22}{row}")
        else:
            print(f"  {name:22}{f'{value:.4f}' if isinstance(value, float) else value}")


def spread(values: np.ndarray) -> dict[str, float]:
    """Median, 90th and 99th percentile, and greatest."""
    found = {f"p{share}": float(np.percentile(values, share)) for share in (50, 90, 99)}
    return {**found, "max": float(np.max(values))}


if __name__ == "__main__":
    main()
