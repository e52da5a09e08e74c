"""What ``gban-edge listen`` shows: a live panel, a line an utterance, or JSON for programs."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gban_edge.predict_output import UNSURE
from gban_edge.predict_table import emotion
from gban_edge.runtime.result import Result
from gban_edge.stream import Event, Level, SpeechEnded, SpeechStarted
from gban_edge.terminal import BEST, DIM, bar, level, percent

GATES = {"a_s": "aligned", "h_s": "last states"}
NOTICE = "Emotion is being estimated from voice. Nothing is kept or sent."
NO_WORDS = "none: by sound alone"


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

    def __rich__(self) -> Panel:
        """The panel."""
        parts: list[RenderableType] = [self._meter()]
        if self._ended is not None:
            parts += [Text(""), self._utterance(self._ended), _bars(self._ended.result)]
        parts += [Text(""), Text(NOTICE, style=DIM), Text(self._facts(), style=DIM)]
        if self.lost:
            parts.append(Text(f"{self.lost} blocks of sound lost: too slow", style="red"))
        return Panel(Group(*parts), title="gban-edge listen, Ctrl-C ends it", title_align="left")

    def _meter(self) -> Table:
        rms = self._level.rms
        if self._level.speaking:
            state = Text("speech", style="bold green")
        else:
            state = Text("quiet", style=DIM)
        return _rows([("sound", Text.assemble(f"▕{bar(level(rms), 20)}▏ ", state))])

    def _utterance(self, ended: SpeechEnded) -> Table:
        result = ended.result
        said = Text(ended.words, style=BEST) if ended.words else Text(self._no_words(), style=DIM)
        when = f"{ended.start:.1f} to {ended.end:.1f} s (utterance {self.utterances})"
        after = f"{latency(ended)} after its end was known"
        rows = [("emotion", Text.assemble(emotion(result), f" {percent(result.confidence)}")),
                ("words", said), ("heard", Text(when)), ("latency", Text(after))]  # fmt: skip
        if result.notes:
            rows.append(("notes", Text("; ".join(result.notes))))
        return _rows(rows)

    def _no_words(self) -> str:
        return "none understood" if self._from else NO_WORDS

    def _facts(self) -> str:
        words = f", words by {self._from}" if self._from else ""
        return f"{self._source}; speech found by {self._vad}{words}; {self._backend}"


def _bars(result: Result) -> Table:
    """Every class, then what sound and words counted in both groups."""
    table = Table.grid(padding=(0, 1))
    best = max(result.probabilities, key=result.probabilities.__getitem__)
    for label, value in result.probabilities.items():
        style = BEST if label == best else DIM
        table.add_row(Text(label, style), Text(bar(value, 20), style), Text(percent(value), style))
    if result.contributions is not None:
        for name, group in GATES.items():
            share = result.contributions[name]
            text = f"sound {share * 100:.0f} : {100 - round(share * 100)} words ({group})"
            table.add_row(Text(name), Text(bar(share, 20)), Text(text))
    return table


def _rows(rows: list[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    return table
