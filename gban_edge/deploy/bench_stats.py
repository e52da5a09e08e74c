"""From the figures of single calls to those of a report; milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gban_edge.deploy.bench_loop import Samples

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
BINS = 80
# A percentile that rests on fewer calls than this is named in a note.
FEW = 10
# Slower than this from the first tenth to the last, or a clock lower than this, is a hint.
DRIFT, SLOWER_CLOCK = 1.05, 0.95


def latency_ms(nanoseconds: NDArray[np.int64]) -> dict[str, float]:
    """``min``, ``p50``, ``p90``, ``p99``, ``p99.9``, ``max`` and ``mean`` of int64 [count].

    Percentiles are interpolated linearly between the two nearest calls, as numpy does.
    """
    values = np.percentile(nanoseconds, list(PERCENTILES.values())) / 1e6
    found = dict(zip(PERCENTILES, map(float, values), strict=True))
    return {
        "min": float(nanoseconds.min()) / 1e6,
        **found,
        "max": float(nanoseconds.max()) / 1e6,
        "mean": float(nanoseconds.mean()) / 1e6,
    }


def thin_percentiles(count: int) -> str | None:
    """A sentence on the percentiles that few calls lie beyond.

    >>> thin_percentiles(2000)
    'few calls lie beyond p99.9 (2 of 2000); run longer for it'
    """
    beyond = {name: count * (100.0 - q) / 100.0 for name, q in PERCENTILES.items()}
    thin = [f"{name} ({calls:.0f} of {count})" for name, calls in beyond.items() if calls < FEW]
    return f"few calls lie beyond {', '.join(thin)}; run longer for it" if thin else None


def histogram(nanoseconds: NDArray[np.int64]) -> dict[str, list[Any]]:
    """``edges_ms`` [BINS + 1], evenly apart in the logarithm, and ``counts`` [BINS]."""
    low, high = float(nanoseconds.min()), float(nanoseconds.max())
    low, high = max(low, 1.0) * 0.999, max(high, 1.0) * 1.001
    edges = np.geomspace(low, high, BINS + 1)
    counts, _ = np.histogram(np.maximum(nanoseconds, 1), edges)
    return {"edges_ms": (edges / 1e6).tolist(), "counts": counts.tolist()}


def stages_ms(samples: Samples, source: str) -> dict[str, dict[str, float]]:
    """``p50`` and ``p90`` of ``features`` (where sound is what comes in), ``network`` and
    ``rest``: the words, the result, and what the calls themselves cost."""
    features, network = samples.features * 1e3, samples.network * 1e3
    rest = samples.latency / 1e6 - features - network
    found = {"features": features, "network": network, "rest": rest}
    if source != "pcm":
        del found["features"]
    return {
        name: {"p50": float(np.percentile(ms, 50)), "p90": float(np.percentile(ms, 90))}
        for name, ms in found.items()
    }


def drift(nanoseconds: NDArray[np.int64]) -> dict[str, float]:
    """``first_p50_ms`` and ``last_p50_ms``, of the first and of the last tenth, and ``ratio``."""
    tenth = max(1, len(nanoseconds) // 10)
    first = float(np.median(nanoseconds[:tenth])) / 1e6
    last = float(np.median(nanoseconds[-tenth:])) / 1e6
    return {"first_p50_ms": first, "last_p50_ms": last, "ratio": last / max(first, 1e-6)}


def throttling(
    slower: float, before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """Did the machine slow down while it was measured? From drift and the machine's facts.

    Args:
        slower: the ratio of :func:`drift`.
        before, after: the facts read just before and just after the measured calls.

    Returns:
        ``hint``: a sentence, or None; ``temperature_rises``: degrees by the sensor's name;
        ``clock_falls``: [before, after] of every clock that fell by more than 5 %.
    """
    old, new = dict(leaves(before)), dict(leaves(after))
    both = [name for name in old if name in new]
    rises = {n: new[n] - old[n] for n in both if "temperature" in n}
    falls = {
        n: [old[n], new[n]]
        for n in both
        if _is_clock(n) and old[n] > 0 and new[n] < SLOWER_CLOCK * old[n]
    }
    signs = [f"calls took {slower:.2f} times as long at the end"] if slower > DRIFT else []
    if falls:
        signs.append(f"lower clocks after than before: {', '.join(falls)}")
    hint = f"{'; '.join(signs)}: throttled, or busy with other work" if slower > DRIFT else None
    return {"hint": hint, "temperature_rises": rises, "clock_falls": falls}


def _is_clock(name: str) -> bool:
    return any(word in name for word in ("clock", "mhz")) and "max" not in name


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number in nested mappings and lists, under its path.

    >>> dict(leaves({"cpu": {"mhz": [1510, 729]}, "os": "Debian"}))
    {'cpu.mhz.0': 1510.0, 'cpu.mhz.1': 729.0}
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from leaves(inner, f"{name}.{i}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, float(value)
