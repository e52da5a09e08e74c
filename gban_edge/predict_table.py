"""What ``gban-edge predict`` shows people: a table that fits its terminal."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gban_edge.predict_output import UNSURE, Answer, summary
from gban_edge.runtime.result import NO_WORDS, Result
from gban_edge.streams import printable
from gban_edge.terminal import DIM, percent, shares, text

WIDE, MIDDLE = 110, 78  # below MIDDLE a sound takes several lines
SOUND = ("a_s", "h_s")
FEW = 4  # classes: the bars of more would not fit in a line
SHARES = (
    "a_s, h_s: how much of 100 the sound counted, the rest the words; among the aligned vectors "
    "and among the last states"
)
LACKING = "without words: {}; the model has learnt from them: give {}"
WAYS = "--words, --words-from, --asr, or x.txt beside x.wav"
CUT = "sound cut"
LONG = " (--long hears recordings of any length)"


def show(
    console: Console,
    answers: Sequence[Answer],
    labels: Sequence[str],
    backend: str,
    meant: Mapping[str, str] | None = None,
    words: bool = True,
    hint: bool = False,
) -> None:
    """Print the results of ``answers``, what was done to the sounds, and a summary.

    ``meant`` says of a file which emotion it was to have, where that is known; ``words`` whether
    what was said is shown too; ``hint`` how to give words where there are none.
    """
    heard = [answer for answer in answers if answer.result is not None]
    if heard:
        console.print(_table(heard, console.width, meant or {}, words))
        console.print()
        for note in [*_notes(heard), *(_lacking(heard) if hint else [])]:
            console.print(text(note, DIM))
        if any(answer.result and answer.result.contributions for answer in heard):
            console.print(Text(SHARES, style=DIM))
    console.print(text(summary(answers, labels, backend)))


def _table(answers: Sequence[Answer], width: int, meant: Mapping[str, str], words: bool) -> Table:
    names = [printable(name) for name in short_names([answer.file for answer in answers])]
    if width < MIDDLE:
        return _narrow(answers, names, meant, words)
    wide = width >= WIDE
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("sound", overflow="fold", min_width=12)
    if meant:
        table.add_column("meant", no_wrap=True)
    table.add_column("emotion", no_wrap=True)
    table.add_column("probabilities", no_wrap=True)
    for name in SOUND:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("length", justify="right", no_wrap=True)
    if words:
        side: JustifyMethod = "left" if wide else "right"
        table.add_column("words", overflow="fold", min_width=5, justify=side)
    for answer, name in zip(answers, names, strict=True):
        table.add_row(*_cells(answer, name, wide, meant)[: len(table.columns)])
    return table


def _cells(answer: Answer, name: str, wide: bool, meant: Mapping[str, str]) -> list[Text]:
    assert answer.result is not None
    result = answer.result
    count = len(answer.words.split())
    said = text(answer.words if wide and count else str(count or "none"))
    if not count:
        said.stylize(DIM)
    return [
        Text(name),
        *([Text(meant.get(answer.file, ""))] if meant else []),
        Text.assemble(emotion(result), f" {percent(result.confidence)}"),
        _bars(result),
        *(Text(share) for share in sound_shares(result)),
        Text(when(answer)),
        said,
    ]


def when(answer: Answer) -> str:
    """How long the sound is, "3.8 s"; of an utterance in a long one from when to when."""
    if answer.span is not None:
        return f"{answer.span[0]:.1f}-{answer.span[1]:.1f} s"
    return f"{answer.result.seconds:.1f} s" if answer.result is not None else ""


def sound_shares(result: Result) -> list[str]:
    """What the sound counted among the aligned vectors and the last states, of 100."""
    gates = result.contributions
    return ["-" if gates is None else f"{gates[name] * 100:.0f}" for name in SOUND]


def emotion(result: Result) -> Text:
    """The class in bold, or "not sure"."""
    if result.abstained:
        return Text(UNSURE, style="yellow")
    return text(result.label, "bold")


def _bars(result: Result) -> Text:
    """In one line; of many classes the most probable."""
    probabilities = result.probabilities
    if len(probabilities) > FEW:
        best = sorted(probabilities, key=lambda name: -probabilities[name])[:FEW]
        probabilities = {name: probabilities[name] for name in best}
    return shares(probabilities)


def _narrow(
    answers: Sequence[Answer], names: Sequence[str], meant: Mapping[str, str], words: bool
) -> Table:
    """A sound a block: its name over its emotion, bars and words."""
    table = Table.grid()
    table.add_column(overflow="fold")
    for answer, name in zip(answers, names, strict=True):
        assert answer.result is not None
        result = answer.result
        head = Text.assemble(
            Text(name, style="underline"), "  ", emotion(result), f"  {percent(result.confidence)}"
        )
        if answer.file in meant:
            head.append(f"  (meant: {meant[answer.file]})")
        lines, counted = [_bars(result)], ""
        if result.contributions is not None:
            a_s, h_s = sound_shares(result)
            counted = f", a_s {a_s}, h_s {h_s}"
        said = (f', "{answer.words}"' if answer.words else ", no words") if words else ""
        lines.append(text(f"{when(answer)}{counted}{said}", DIM))
        table.add_row(Group(head, *(Padding(line, (0, 0, 0, 2)) for line in lines)))
    return table


def short_names(files: Sequence[str]) -> list[str]:
    """The files without the folder that all of them lie in.

    >>> short_names(["runs/x/a.wav", "runs/x/y/b.wav"])
    ['a.wav', 'y/b.wav']
    >>> short_names(["runs/x/a.wav"])
    ['a.wav']
    """
    parents = {str(Path(file).parent) for file in files if file != "-"}
    try:
        common = os.path.commonpath(parents) if parents else ""
    except ValueError:  # absolute and relative ones
        return list(files)
    return [file if file == "-" or not common else os.path.relpath(file, common) for file in files]


def _notes(answers: Sequence[Answer]) -> list[str]:
    """What was done to the sounds, each once: "resampled from 44100 Hz: 3 of 7 sounds".

    Not that they had no words: whoever asked for that knows, and others get :func:`_lacking`.
    """
    counts = Counter(
        note for a in answers if a.result for note in a.result.notes if note != NO_WORDS
    )
    return [
        (f"{note}: {count} of {len(answers)}" if len(answers) > 1 else note)
        + (LONG if note.startswith(CUT) else "")
        for note, count in counts.items()
    ]


def _lacking(answers: Sequence[Answer]) -> list[str]:
    """How to give words, where a network that hears them had none."""
    count = sum(a.result is not None and NO_WORDS in a.result.notes for a in answers)
    ways = "--asr" if any(answer.span is not None for answer in answers) else WAYS
    return [LACKING.format(f"{count} of {len(answers)}", ways)] if count else []
