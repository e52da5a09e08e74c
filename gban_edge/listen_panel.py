"""What ``gban-edge listen`` shows: a live panel, a line an utterance, or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gban_edge.predict_output import UNSURE
from gban_edge.predict_table import emotion
from gban_edge.runtime.result import Result
from gban_edge.stream import Event, Level, SpeechEnded, SpeechStarted
from gban_edge.streams import printable
from gban_edge.terminal import BEST, DIM, bar, level, percent, text

GATES = {"a_s": "aligned", "h_s": "last states"}
NOTICE = "Emotion is being estimated from voice. Nothing is kept or sent."
NO_WORDS = "none: by sound alone (--asr recognises words)"
CELLS = 20  # of a bar, half of them where the panel is narrow
NARROW = 60
MOST = 8  # classes that a panel has room for
Row = tuple[str, Text]
BLANK: Row = ("", Text(""))


def event_dict(event: Event) -> dict[str, Any]:
    """An event as the server's WebSocket has it."""
    if isinstance(event, Level):
        return {"type": "level", "time": event.time, "rms": event.rms, "speaking": event.speaking}
    if isinstance(event, SpeechStarted):
        return {"type": "speech_started", "time": event.time}
    return {
        "type": "result", "start": event.start, "end": event.end, "latency": event.latency,
        "words": event.words, "result": event.result.to_dict(),
    }  # fmt: skip


def json_line(event: Event) -> str:
    """One JSON object and a line end."""
    return json.dumps(event_dict(event), ensure_ascii=False, allow_nan=False) + "\n"


def plain_line(ended: SpeechEnded) -> str:
    """An utterance in one line: "0.4-2.7 s  hap 94 %  "that is incredible"  latency 1.2 ms ..."."""
    result = ended.result
    label = UNSURE if result.abstained else result.label
    said = f'"{ended.words}"' if ended.words else "no words"
    return (
        f"{ended.start:.1f}-{ended.end:.1f} s  {label} {percent(result.confidence)}  {said}  "
        f"latency {latency(ended)}"
    )


def latency(ended: SpeechEnded) -> str:
    """How long the answer took, and what of it: "1.1 ms (words 0.0, network 0.4)"."""
    parts = [f"{name} {ended.timings[name] * 1000:.1f}" for name in ("words", "network")]
    return f"{ended.latency * 1000:.1f} ms ({', '.join(parts)})"


class View:
    """What is known so far, drawn anew whenever it is asked for.

    Args:
        source: the microphone's name.
        backend: what computes the network.
        vad: what tells speech from silence.
        words: where words come from, or "" for nowhere.
    """

    def __init__(self, source: str, backend: str, vad: str, words: str) -> None:
        self._source, self._backend, self._vad, self._from = source, backend, vad, words
        self._level = Level(0.0, 0.0, False)
        self._ended: SpeechEnded | None = None
        self.utterances = 0
        self.lost = 0

    def take(self, event: Event) -> None:
        """Remember what the event says."""
        if isinstance(event, Level):
            self._level = event
        elif isinstance(event, SpeechStarted):
            self._level = Level(event.time, self._level.rms, True)
        else:
            self._ended = event
            self.utterances += 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = CELLS if options.max_width >= NARROW else CELLS // 2
        rows: list[Row] = [("", Text(NOTICE, style="bold")), BLANK, self._meter(cells), BLANK]
        if self._ended is None:
            rows.append(("emotion", Text("say something", style=DIM)))
        else:
            rows += [*self._utterance(self._ended), *_gauges(self._ended.result, cells)]
        if self.lost:
            lost = f"{self.lost} blocks of sound lost: this machine is too slow"
            rows.append(("", Text(lost, style="red")))
        rows += [BLANK, ("", text(self._facts(), DIM))]
        yield Panel(_laid_out(rows), title="gban-edge listen, Ctrl-C ends it", title_align="left")

    def _meter(self, cells: int) -> Row:
        speaking = self._level.speaking
        state = Text("speech", style="bold green") if speaking else Text("quiet", style=DIM)
        return "sound", Text.assemble(f"▕{bar(level(self._level.rms), cells)}▏ ", state)

    def _utterance(self, ended: SpeechEnded) -> list[Row]:
        result = ended.result
        said = text(ended.words, BEST) if ended.words else Text(self._no_words(), style=DIM)
        when = f"{ended.start:.1f} to {ended.end:.1f} s, utterance {self.utterances}"
        rows = [
            ("emotion", Text.assemble(emotion(result), f" {percent(result.confidence)}")),
            ("words", said),
            ("heard", Text(when)),
            ("latency", Text(f"{latency(ended)}, from when its end was known")),
        ]
        return rows + ([("notes", text("; ".join(result.notes)))] if result.notes else [])

    def _no_words(self) -> str:
        return "none understood" if self._from else NO_WORDS

    def _facts(self) -> str:
        words = f", words by {self._from}" if self._from else ""
        return f"{self._source}; speech found by {self._vad}{words}; {self._backend}"


def _gauges(result: Result, cells: int) -> list[Row]:
    """The most probable classes, in the model's order, then how sound and words counted."""
    best = sorted(result.probabilities, key=lambda name: -result.probabilities[name])
    rows: list[Row] = [BLANK]
    for label, value in result.probabilities.items():
        if label in best[:MOST]:
            style = BEST if label == best[0] else DIM
            gauge = Text(f"{bar(value, cells)} {value * 100:3.0f} %", style)
            rows.append((label, gauge))
    if result.contributions is not None:
        rows.append(BLANK)
        for name, group in GATES.items():
            sound = round(result.contributions[name] * 100)
            share = bar(result.contributions[name], cells)
            rest = f" words, {group}" if cells == CELLS else ""
            rows.append((name, Text(f"{share} sound {sound} : {100 - sound}{rest}")))
    return rows


def _laid_out(rows: Sequence[Row]) -> Group:
    """Names in one column, and across both what has none."""
    parts: list[RenderableType] = []
    width = max(cell_len(printable(name)) for name, _ in rows)
    for name, value in rows:
        if not name:
            parts.append(value)
            continue
        table = Table.grid(padding=(0, 2))
        table.add_column(style="cyan", no_wrap=True, width=width)
        table.add_column(overflow="fold")
        table.add_row(text(name), value)
        parts.append(table)
    return Group(*parts)
