"""The speech frontend beside librosa, on one thread.

    python benchmarks/bench_frontend.py [--seconds 7.5] [--rounds 9] [--json FILE]

Every form makes the same 52 features a frame of the same sound; all are checked against
``features.extract_ref`` before anything is timed. Forms take turns, round by round, so that a slow
spell of the machine hits all of them. librosa is called in the cheapest way that is still librosa:
one short-time transform for everything, and once more with its mel filters made beforehand.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import librosa
import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gban_edge import features
from gban_edge.core import native

Form = Callable[[], np.ndarray]
ISAS = native().available_isas()
PEERS = (
    "librosa, float32", "librosa, float32, filters kept",
    "librosa, float64", "librosa, float64, filters kept",
)  # fmt: skip
BLOCK = 320  # 20 ms, what a microphone delivers at a time
CALLS = 5  # timed together, of which the mean counts


def main() -> None:
    options = arguments()
    pcm = speech_like(options.seconds)
    forms = all_forms(pcm)
    with threadpool_limits(1):
        errors = checked(forms, pcm)
        times = timed(forms, options.rounds)
        finishes = {isa: finish_times(isa, pcm, options.rounds) for isa in ISAS}
    report(options, pcm, errors, times, finishes)
    if options.json:
        record = {
            "machine": machine(), "seconds": options.seconds, "rounds": options.rounds,
            "error": errors, "times_s": times, "finish_s": finishes,
        }  # fmt: skip
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=7.5, help="of sound, 0.1 to 7.5")
    parser.add_argument("--rounds", type=int, default=9, help="at least 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every time there")
    options = parser.parse_args()
    if not 0.1 <= options.seconds <= features.MAX_SECONDS:
        parser.error(f"--seconds must lie in 0.1..7.5, got {options.seconds}")
    if options.rounds < 5:
        parser.error(f"--rounds must be at least 5, got {options.rounds}")
    return options


def speech_like(seconds: float) -> np.ndarray:
    """float32 [samples]: a gliding buzz with pauses, and noise."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * features.SAMPLE_RATE)) / features.SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * t)) / features.SAMPLE_RATE
    buzz = np.sum([np.sin(k * phase) / k for k in range(1, 20)], axis=0)
    sound = 0.2 * buzz * np.clip(np.sin(9 * t), 0, 1) + 0.002 * rng.standard_normal(len(t))
    return np.clip(sound, -1, 1).astype(np.float32)


def all_forms(pcm: np.ndarray) -> dict[str, Form]:
    mel = librosa.filters.mel(sr=16000, n_fft=512, n_mels=26, fmin=0.0, fmax=6500.0)
    double = pcm.astype(np.float64)
    peers = (
        partial(by_librosa, pcm), partial(by_librosa, pcm, mel),
        partial(by_librosa, double), partial(by_librosa, double, mel.astype(np.float64)),
    )  # fmt: skip
    forms: dict[str, Form] = dict(zip(PEERS, peers, strict=True))
    forms["extract_ref, NumPy"] = partial(features.extract_ref, pcm)
    for isa in ISAS:
        forms[f"extract, {isa}"] = partial(on, isa, features.extract, pcm)
        forms[f"Frontend by 20 ms, {isa}"] = partial(on, isa, by_pushes, pcm)
    return forms


def by_librosa(pcm: np.ndarray, filters: np.ndarray | None = None) -> np.ndarray:
    """The 52 features [N, 52] out of librosa's own pieces."""
    spectrum = librosa.stft(
        pcm, n_fft=512, hop_length=160, win_length=400, window="hamming", center=False
    )
    power = spectrum.real**2 + spectrum.imag**2
    if filters is None:
        mel = librosa.feature.melspectrogram(S=power, sr=16000, n_mels=26, fmin=0.0, fmax=6500.0)
    else:
        mel = filters @ power
    log_mel = np.log(mel + 1e-10)
    mfcc = librosa.feature.mfcc(S=log_mel * log_mel.dtype.type(10 / np.log(10)), n_mfcc=13)
    delta = librosa.feature.delta(mfcc, width=9, order=1, mode="nearest")
    return np.concatenate([log_mel, mfcc, delta]).T


def on(isa: str, form: Callable[[np.ndarray], np.ndarray], pcm: np.ndarray) -> np.ndarray:
    native().set_isa(isa)
    return form(pcm)


def by_pushes(pcm: np.ndarray) -> np.ndarray:
    frontend = features.Frontend()
    for start in range(0, len(pcm), BLOCK):
        frontend.push(pcm[start : start + BLOCK])
    return frontend.finish()


def checked(forms: dict[str, Form], pcm: np.ndarray) -> dict[str, float]:
    """Each form's largest difference from extract_ref; an error if one is not the same features."""
    gold = features.extract_ref(pcm)
    errors = {}
    for name, form in forms.items():
        got = form()
        if got.shape != gold.shape:
            raise RuntimeError(f"{name}: shape {got.shape} is not {gold.shape}")
        errors[name] = float(np.max(np.abs(got - gold)))
        # Single precision alone costs librosa this much; what is ours keeps the stated bound.
        if not errors[name] < (0.05 if "librosa, float32" in name else 1e-4):
            raise RuntimeError(f"{name}: differs from extract_ref by {errors[name]:.1e}")
    return errors


def timed(forms: dict[str, Form], rounds: int) -> dict[str, list[float]]:
    """Seconds a call of each form, one for each round; a round before them warms up."""
    times: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(rounds + 1):
        for name, form in forms.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                form()
            if number:
                times[name].append((time.perf_counter() - start) / CALLS)
    return times


def finish_times(isa: str, pcm: np.ndarray, rounds: int) -> list[float]:
    """Seconds that finish() takes after the last 20 ms were pushed: what a speaker waits for."""
    native().set_isa(isa)
    times = []
    for _ in range(rounds):
        frontend = features.Frontend()
        for start in range(0, len(pcm), BLOCK):
            frontend.push(pcm[start : start + BLOCK])
        start_time = time.perf_counter()
        frontend.finish()
        times.append(time.perf_counter() - start_time)
    return times


def machine() -> str:
    cpu = next(
        (line.split(":", 1)[1].strip()
         for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    ) if Path("/proc/cpuinfo").exists() else platform.processor()  # fmt: skip
    return f"{cpu}, {platform.machine()}, librosa {librosa.__version__}, NumPy {np.__version__}"


def report(
    options: argparse.Namespace,
    pcm: np.ndarray,
    errors: dict[str, float],
    times: dict[str, list[float]],
    finishes: dict[str, list[float]],
) -> None:
    frames = features.frame_count(len(pcm))
    medians = {name: float(np.median(values)) for name, values in times.items()}
    print(machine())
    print(f"one thread, {options.seconds} s of sound, {frames} frames, {options.rounds} rounds")
    print("x: times as fast as librosa in float32, with its filters kept, and both in float64\n")
    print(f"{'':32} {'ms: median':>10} {'min':>7} {'max':>7} {'us/frame':>9} {'error':>8}"
          f" {'x f32':>7} {'kept':>7} {'x f64':>7} {'kept':>7}")  # fmt: skip
    for name, values in times.items():
        low, middle, high = (1e3 * f(values) for f in (min, np.median, max))
        ratios = " ".join(f"{medians[peer] / medians[name]:7.1f}" for peer in PEERS)
        print(f"{name:32} {middle:10.3f} {low:7.3f} {high:7.3f} {1e3 * middle / frames:9.3f}"
              f" {errors[name]:8.0e} {ratios}")  # fmt: skip
    print("\nfinish() after the last push, us: median, min, max")
    for isa, values in finishes.items():
        print(f"{isa:32} " + " ".join(f"{1e6 * f(values):10.1f}" for f in (np.median, min, max)))


if __name__ == "__main__":
    main()
