"""What bench_engine.py prints: medians with their range, ratios, and what is asked for."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

OURS, LIBROSA = "gban-edge", "librosa + ONNX Runtime fp32"
Times = dict[str, dict[str, float]]
Asked = tuple[str, str, float, float]  # what, "at least" or "at most", the limit, measured


def processor() -> str:
    """The CPU's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def heading(record: dict[str, Any]) -> None:
    frames, words = record["sizes"]
    print(record["machine"])
    print(record["versions"])
    print(f"{frames} frames, {words} words, batch 1, {record['rounds']} rounds")


def candidates(peers: dict[str, Any]) -> None:
    """What was tried for each peer; the first of each went on."""
    print("\nForms tried, least us of a few rounds; the marked one is measured below")
    for peer, found in peers.items():
        for name, one in found["candidates"].items():
            mark = "*" if name == found["chosen"] else " "
            cost = one.get("failed") or f"{1e6 * one['min']:.0f}"
            print(f"  {mark} {peer}: {name}: {cost}")


def rows(peer: str, found: dict[str, Any]) -> dict[str, str]:
    """What of a peer is measured, and under which name: the fastest form, and beside it the fastest
    that takes the weights as they stand in the model file, where tables made of them won."""
    timed_ones = {name: one for name, one in found["candidates"].items() if "min" in one}
    plain = [name for name in timed_ones if "products" in name or "convolutions" in name]
    chosen = {peer: found["chosen"]}
    if plain and found["chosen"] not in plain:
        chosen[f"{peer}, no tables"] = min(plain, key=lambda name: timed_ones[name]["min"])
    return chosen


def best(times: Times, *names: str) -> str:
    """The name with the least median of those given, or of all."""
    return min(names or times, key=lambda name: times[name]["median"])


def timed(title: str, times: Times) -> None:
    """A row a form, a column the ratio to each of ours (without ours, to the first form)."""
    ours = [name for name in times if name.startswith(OURS)] or [next(iter(times))]
    print(f"\n{title}")
    labels = "".join(f" {'x ' + name.removeprefix(OURS + ' '):>14}" for name in ours)
    print(f"{'':28} {'us: median (min-max)':>26} {'error':>8}{labels}")
    for name, row in times.items():
        ratios = "".join(f"{row['median'] / times[mine]['median']:15.2f}" for mine in ours)
        print(f"{name:28} {figures(row):>26} {row['error']:8.0e}{ratios}")


def figures(row: dict[str, float]) -> str:
    middle, low, high = (row[key] * 1e6 for key in ("median", "min", "max"))
    return f"{middle:.1f} ({low:.1f}-{high:.1f})"


def lengths(rows: list[dict[str, Any]]) -> None:
    """Medians at each length, and as a share of those at the longest."""
    full = rows[-1]
    print(f"\nLengths: us, and the share of the cost at {full['seconds']} s")
    print(f"{'seconds, frames, words':28}" + "".join(f"{name:>34}" for name in full["times"]))
    for row in rows:
        frames, words = row["sizes"]
        cells = ""
        for name, times in row["times"].items():
            share = times["median"] / full["times"][name]["median"]
            cells += f"{1e6 * times['median']:27.1f} {share:6.1%}"
        share = frames / full["sizes"][0]
        print(f"{row['seconds']:5.1f} {frames:6} {words:4}  ({share:6.1%})".ljust(28) + cells)


def stages(found: dict[str, dict[str, float]]) -> None:
    print("\nStages of the engine, us a call (share)")
    print(f"{'':28}" + "".join(f"{precision:>18}" for precision in found))
    totals = {precision: sum(times.values()) for precision, times in found.items()}
    for stage in next(iter(found.values())):
        cells = (
            f"{1e6 * times[stage]:10.1f} {times[stage] / totals[precision]:6.1%}"
            for precision, times in found.items()
        )
        print(f"{stage:28}" + "".join(f"{cell:>18}" for cell in cells))


def asked(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Each ratio that issue 5 asks of the CPU, what this run gave, and whether it is enough."""
    times, whole = record["network"], record["pcm"]
    fp32, fp16, int8 = (times[f"{OURS} {p}"]["median"] for p in ("fp32", "fp16", "int8"))
    rows: list[Asked] = [
        ("fp32, torch eager", "at least", 4.0, times["torch eager"]["median"] / fp32),
        ("PCM to label, fp32", "at least", 4.0,
         whole[LIBROSA]["median"] / whole[f"{OURS} fp32"]["median"]),
    ]  # fmt: skip
    # The peers as they run a model file's network, and then with the word tables that the engine
    # makes of it at load written into their graphs by hand.
    for suffix in (", no tables", ""):
        named = {n.removesuffix(suffix): t for n, t in times.items() if n.endswith(suffix)}
        if not {"ONNX Runtime fp32", "OpenVINO fp32", "ONNX Runtime int8"} <= named.keys():
            continue
        runtime = best(named, "ONNX Runtime fp32", "OpenVINO fp32")
        for ours, peer, limit, mine in (
            ("fp32", runtime, 1.8, fp32), ("fp16", runtime, 2.2, fp16),
            ("int8", "ONNX Runtime int8", 1.8, int8),
        ):  # fmt: skip
            rows.append(
                (f"{ours}, {peer}{suffix}", "at least", limit, named[peer]["median"] / mine)
            )
    return verdicts(rows)


def verdicts(rows: list[Asked]) -> list[dict[str, Any]]:
    """Print what is asked, what was measured and whether it is met; the same as plain records."""
    print("\nAsked for (times as fast as, where nothing else is said), and measured")
    found = []
    for what, sense, limit, got in rows:
        met = got >= limit if sense == "at least" else got <= limit
        print(f"{what:40} {sense} {limit:5.1f} {got:9.2f}  {'met' if met else 'NOT met'}")
        found.append({"what": what, "sense": sense, "limit": limit, "got": got, "met": met})
    return found
