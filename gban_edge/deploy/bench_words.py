"""A report's parts as rows of a few words, for Markdown, the terminal and the picture alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

NONE = "–"
Row = tuple[str, str]


def number(value: float) -> str:
    """Three digits or more, of which none is lost above 100.

    >>> number(0.01234), number(1.2345), number(12.345), number(1234.5)
    ('0.0123', '1.23', '12.3', '1234')
    """
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    decimals = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3 if abs(value) >= 0.1 else 4
    return f"{value:.{decimals}f}"


def span(pair: Sequence[float]) -> str:
    """ "7.5", or "0.5 to 7.5"."""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g} to {pair[1]:g}"


def title(report: Mapping[str, Any]) -> str:
    """ "cpu fp32 avx512, 7.5 s and 20 words, from pcm"."""
    options = report["options"]
    return (
        f"{report['backend']['name']}, {span(options['seconds'])} s and "
        f"{span(options['words'])} words, from {options['source']}"
    )


def machine(report: Mapping[str, Any]) -> str:
    """ "NVIDIA Jetson Orin Nano, JetPack 6.2, power mode 25W", as far as it is known."""
    facts = report["machine"]["before"]
    cpu = facts.get("cpu", {})
    gpus = [gpu.get("name") for gpu in facts.get("gpus", [])]
    cores = f"{cpu.get('model', 'processor')}, {cpu['cores']} cores" if "cores" in cpu else None
    mode = power_mode(facts)
    known = [
        facts.get("board"),
        facts.get("jetpack"),
        f"power mode {mode}" if mode else None,
        *gpus,
        cores,
    ]
    return ", ".join(str(part) for part in known if part) or "unknown"


def power_mode(facts: Mapping[str, Any]) -> str | None:
    """The power mode's name, which means the same on every board; its number does not."""
    mode = facts.get("power_mode", {})
    found = mode.get("name", mode.get("id"))
    return None if found is None else str(found)


def latency_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    """Percentiles, in milliseconds."""
    for name, value in report["latency_ms"].items():
        yield f"{name}, the headline" if name == "p90" else name, f"{number(value)} ms"
    yield "throughput", f"{number(report['throughput'])} a second"
    yield "calls", f"{report['count']} in {number(report['seconds'])} s"


def stage_rows(report: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Stage, p50, p90."""
    for name, values in report["stages_ms"].items():
        yield name, f"{number(values['p50'])} ms", f"{number(values['p90'])} ms"


def cold_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    """Medians of a fresh process's phases."""
    if report["cold"] is not None:
        for name, value in report["cold"]["median_ms"].items():
            yield name.replace("_", " "), f"{number(value)} ms"


def energy_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    """Energy of an inference, or why there is none."""
    energy = report["energy"]
    if energy is None:
        yield "energy", report["no_energy"] or "not measured"
        return
    net = energy["net_joules"]
    yield "gross", f"{number(energy['gross_joules'] * 1e3)} mJ an inference"
    yield (
        "minus idle",
        ("idle power was not measured" if net is None else f"{number(net * 1e3)} mJ an inference"),
    )
    idle = energy["idle"]
    at_rest = "" if idle is None else f", idle {number(idle['watts'])} W"
    yield "power", f"{number(energy['watts'])} W{at_rest}"
    yield "measured", f"{energy['summed']} by {energy['meter']}, {energy['samples']} readings"


def answers(check: Mapping[str, Any]) -> str:
    """How right they were."""
    greatest = check["greatest_difference"]
    if greatest == 0:
        return f"equal to those of {check['against']}"
    return f"differ by at most {greatest:.1e} from {check['against']} (limit {check['limit']:g})"


def run_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    """What ran, on what, and whether it was right and steady."""
    options, check, drift = report["options"], report["check"], report["drift"]
    yield "machine", machine(report)
    yield "backend", f"{report['backend']['name']} ({report['backend']['reason']})"
    yield "precision", report["backend"]["precision"]
    if report["backend"]["sync"]:
        yield "wait for the GPU", report["backend"]["sync"]
    yield "threads", str(options["threads"])
    yield "model", f"{report['model']['file']}, sha256 {report['model']['sha256'][:16]}"
    yield "answers", f"{answers(check)}, {check['utterances']} utterances"
    yield (
        "first and last tenth",
        (
            f"p50 {number(drift['first_p50_ms'])} and {number(drift['last_p50_ms'])} ms, "
            f"ratio {drift['ratio']:.3f}"
        ),
    )
    if report["throttling"]["hint"]:
        yield "slower?", report["throttling"]["hint"]
    yield "date", report["date"]
