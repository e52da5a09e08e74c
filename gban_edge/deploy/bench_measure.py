"""The benchmark, top to bottom: closed loop, single stream, batch 1, host to host."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from gban_edge.deploy import bench_stats
from gban_edge.deploy.bench_check import ITSELF, check_answers
from gban_edge.deploy.bench_cold import summarise
from gban_edge.deploy.bench_energy import Power
from gban_edge.deploy.bench_facts import kind_and_precision, model_facts, versions
from gban_edge.deploy.bench_inputs import Utterance, make_utterances
from gban_edge.deploy.bench_loop import MOST_ROOM, Samples, run_loop
from gban_edge.deploy.bench_options import BenchOptions
from gban_edge.deploy.bench_protocols import Call, Target, Tools
from gban_edge.deploy.bench_report import Report
from gban_edge.runtime.recognizer import find_model

# The machine's facts are read within the warm-up, after this much of it, so that it is warm when
# they are read and again when the measured calls begin.
FIRST_PART = 0.8


def measure(options: BenchOptions, tools: Tools | None = None) -> Report:
    """Measure a model as ``options`` say; nothing is printed or written.

    In this order: cold starts in processes of their own, the check of the answers, idle power,
    warm-up, the measured calls. Ctrl-C among the measured calls ends them, and the report is of
    those until then.

    Raises:
        FileNotFoundError: no such model file.
        ValueError: a file that is no model, or one that the backend does not run.
        RuntimeError: the backend cannot run here, or its answers are wrong.
        KeyboardInterrupt: Ctrl-C before the first measured call.
    """
    tools = tools or Tools()
    file = find_model(options.model, options.backend)
    cold = _cold(options, tools)
    tools.progress("load", 0.0)
    target = tools.open_target(options)
    utterances = make_utterances(options, target.vocabulary)
    calls = [target.prepare(one) for one in utterances]
    kind, precision = kind_and_precision(target.backend, options.precision)
    check = _check(options, tools, target, utterances, calls, precision)
    power = Power(*tools.open_meter())
    tools.progress("idle power", 0.0)
    power.rest(options.idle, tools.sleep)
    timed = _time(options, tools, calls, power)
    energy = power.figures(timed.samples.count)
    return Report(
        date=timed.date,
        interrupted=not timed.whole,
        options={**options.to_dict(), "utterances": len(utterances)},
        model=model_facts(file),
        backend={
            "name": target.backend, "kind": kind, "precision": precision,
            "reason": target.reason, "sync": target.sync,
        },
        versions=versions(),
        machine={"before": timed.before, "after": timed.after},
        check=check,
        cold=cold,
        **_figures(options, timed),
        energy=energy,
        no_energy=power.missing,
        notes=_notes(options, timed.samples.count, energy is not None),
    )  # fmt: skip


class _Timed(NamedTuple):
    """The measured calls and what is known of their circumstances, named as in the report."""

    samples: Samples
    whole: bool
    date: str
    before: dict[str, Any]
    after: dict[str, Any]


def _time(options: BenchOptions, tools: Tools, calls: Sequence[Call], power: Power) -> _Timed:
    """Warm up, then measure; KeyboardInterrupt if Ctrl-C came before the first call's end."""
    warm, samples = Samples(), Samples()
    _warm_up(warm, calls, tools, options.warmup * FIRST_PART, options.warmup)
    before = tools.facts()
    _warm_up(warm, calls, tools, options.warmup, options.warmup)
    if warm.count:
        rate = warm.count / max(1, warm.elapsed) * 1e9
        samples.reserve(min(MOST_ROOM, int(1.2 * rate * options.duration)))
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    power.start()
    try:
        whole = run_loop(
            calls, tools.clock, options.duration, partial(tools.progress, "measure"), samples
        )
    finally:
        power.stop()
    if samples.count == 0:
        raise KeyboardInterrupt
    return _Timed(samples, whole, date, before, tools.facts())


def _figures(options: BenchOptions, timed: _Timed) -> dict[str, Any]:
    """The part of the report that is computed from the calls."""
    samples, latency = timed.samples, timed.samples.latency
    drift = bench_stats.drift(latency)
    return {
        "count": samples.count,
        "seconds": samples.elapsed / 1e9,
        "throughput": samples.count / (samples.elapsed / 1e9),
        "latency_ms": bench_stats.latency_ms(latency),
        "histogram": bench_stats.histogram(latency),
        "stages_ms": bench_stats.stages_ms(samples, options.source),
        "drift": drift,
        "throttling": bench_stats.throttling(drift["ratio"], timed.before, timed.after),
    }


def _warm_up(
    samples: Samples, calls: Sequence[Call], tools: Tools, until: float, whole: float
) -> None:
    """Calls until ``samples`` hold ``until`` seconds, of ``whole``."""
    if until <= 0:
        return
    ended = run_loop(
        calls,
        tools.clock,
        until,
        lambda done: tools.progress("warm-up", done * until / whole),
        samples,
    )
    if not ended:
        raise KeyboardInterrupt


def _cold(options: BenchOptions, tools: Tools) -> dict[str, Any] | None:
    starts = []
    for i in range(options.cold_starts):
        tools.progress("cold start", i / options.cold_starts)
        starts.append(tools.cold_start(options))
    return summarise(starts) if starts else None


def _check(
    options: BenchOptions,
    tools: Tools,
    target: Target,
    utterances: Sequence[Utterance],
    calls: Sequence[Call],
    precision: str,
) -> dict[str, Any]:
    tools.progress("check", 0.0)
    reference = tools.open_reference(options)
    if reference is None:
        return check_answers(calls, None, precision, target.backend, ITSELF)
    right = [reference.prepare(one) for one in utterances]
    return check_answers(calls, right, precision, target.backend, reference.backend)


def _notes(options: BenchOptions, count: int, energy: bool) -> list[str]:
    begin = "sound and text" if options.source == "pcm" else "features and word ids"
    notes = [
        f"closed loop, single stream, batch 1, from {begin} in host memory to the result",
        "Python's garbage collector was off within the loop and run between chunks of a second, "
        "which are not counted",
        "rest = the latency without features and network: words, result, the call itself",
    ]
    thin = bench_stats.thin_percentiles(count)
    if thin:
        notes.append(thin)
    if options.seconds[0] != options.seconds[1]:
        notes.append("lengths are mixed: percentiles are over utterances of different lengths")
    if energy:
        notes.append("joules are of the measured loop, the moments between its chunks included")
    if options.cold_starts:
        notes.append("cold starts: fresh processes, files cached by the operating system")
    return notes
