"""Reading IEMOCAP, and every corpus in its layout, without losing or inventing data.

    SessionN/dialog/EmoEvaluation/<dialogue>.txt     labels, one line a turn
    SessionN/dialog/transcriptions/<dialogue>.txt    words
    SessionN/sentences/wav/<dialogue>/<turn>.wav     sound

The built-in corpus (train/synthesise.py) has the same layout and a manifest that says how many
utterances there must be; IEMOCAP itself is held against the table behind the paper's numbers.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gban_edge.labels import LABELS

SESSIONS = (1, 2, 3, 4, 5)
MANIFEST = "SYNTHESISED.json"
LABEL_CODES = frozenset("ang hap neu sad exc fru sur fea oth dis xxx".split())
# The 4,490 utterances of the paper: every accuracy it prints is k/N for these N, and no other.
IEMOCAP_TABLE = {
    1: {"ang": 229, "hap": 135, "neu": 384, "sad": 194},
    2: {"ang": 137, "hap": 117, "neu": 362, "sad": 197},
    3: {"ang": 240, "hap": 135, "neu": 320, "sad": 305},
    4: {"ang": 327, "hap": 65, "neu": 258, "sad": 143},
    5: {"ang": 170, "hap": 143, "neu": 384, "sad": 245},
}
# Turns labelled `exc`, which the 5,531-utterance task counts as `hap`.
IEMOCAP_EXCITED = {1: 143, 2: 210, 3: 151, 4: 238, 5: 299}

_LABEL_START = re.compile(r"\[\d")
_LABEL_LINE = re.compile(
    r"\[\d+\.\d+ - \d+\.\d+\]\t(Ses0\d[FM]_\S+_[FM]\d+)\t(\w+)\t\[[\d., -]+\]\s*"
)
_WORDS_LINE = re.compile(r"(Ses\S+) \[[^\]]*\]:(.*)")


@dataclass(frozen=True)
class Utterance:
    """One turn of the task: who said what, how it was labelled, where its sound is."""

    name: str  # Ses01F_impro01_M003; the F says who wore the markers, the M who speaks
    session: int
    label: str
    text: str
    wav: Path

    @property
    def speaker(self) -> str:
        """Session and sex of the speaker: "1F" ... "5M"."""
        return f"{self.session}{self.name.rsplit('_', 1)[1][0]}"


@dataclass
class Corpus:
    """Every utterance of the task, in order of name, and what was counted on the way."""

    root: Path
    utterances: list[Utterance]
    name: str
    skipped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def counts(self) -> dict[int, dict[str, int]]:
        """Session -> label -> number of utterances."""
        table = {s: dict.fromkeys(LABELS, 0) for s in SESSIONS}
        for utterance in self.utterances:
            table[utterance.session][utterance.label] += 1
        return table


def read_corpus(root: Path, merge_excited: bool = False, allow_partial: bool = False) -> Corpus:
    """Read labels and words, and find the sound, of every utterance of the four-class task.

    Args:
        root: the folder that holds Session1 ... Session5.
        merge_excited: count turns labelled ``exc`` as ``hap`` (IEMOCAP's 5,531-utterance task).
        allow_partial: accept another number of utterances than there should be, and turns whose
            words or sound are missing; both are counted and said in ``notes``.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: not this layout, a malformed line (file and line are named), or counts that
            are not the corpus's own.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"corpus folder {root} does not exist")
    sessions = [s for s in SESSIONS if (root / f"Session{s}").is_dir()]
    if not sessions:
        raise ValueError(
            f"{root} holds no Session1 ... Session5; give the folder that does "
            "(IEMOCAP_full_release)"
        )
    manifest = _manifest(root)
    corpus = Corpus(root, [], manifest["corpus"] if manifest else "IEMOCAP layout")
    for session in sessions:
        corpus.utterances += _read_session(corpus, session, merge_excited, allow_partial)
    if not corpus.utterances:
        raise ValueError(f"{root} holds no utterance labelled {', '.join(LABELS)}")
    _hold_against_table(corpus, _expected(manifest, merge_excited), allow_partial)
    return corpus


def _read_session(
    corpus: Corpus, session: int, merge_excited: bool, allow_partial: bool
) -> Iterator[Utterance]:
    folder = corpus.root / f"Session{session}"
    words = dict(_read_words(folder / "dialog" / "transcriptions"))
    seen: dict[str, str] = {}
    for name, label, where in sorted(_read_labels(folder / "dialog" / "EmoEvaluation")):
        if name in seen:
            raise ValueError(f"{where}: {name} is labelled twice, first at {seen[name]}")
        seen[name] = where
        if merge_excited and label == "exc":
            label = "hap"
        if label not in LABELS:
            corpus.skipped[f"label {label}"] += 1
            continue
        wav = folder / "sentences" / "wav" / name.rsplit("_", 1)[0] / f"{name}.wav"
        missing = "words" if name not in words else None if wav.is_file() else "sound"
        if missing and not allow_partial:
            at = folder / "dialog" / "transcriptions" if missing == "words" else wav
            raise ValueError(
                f"{where}: {name} has no {missing} ({at}); --allow-partial skips and "
                "counts such turns"
            )
        if missing:
            corpus.skipped[f"{missing} missing"] += 1
            continue
        yield Utterance(name, session, label, words[name], wav)


def _read_labels(folder: Path) -> Iterator[tuple[str, str, str]]:
    """(turn, label, "file, line n") of every labelled turn; sub-folders are one rater's votes."""
    for path, number, line in _lines(folder):
        if not _LABEL_START.match(line):
            continue
        match = _LABEL_LINE.fullmatch(line)
        if not match:
            raise ValueError(
                f"{path}, line {number}: not a whole label line "
                f"([start - end]<TAB>turn<TAB>label<TAB>[v, a, d]): {line[:80]!r}"
            )
        name, label = match.groups()
        if label not in LABEL_CODES:
            raise ValueError(
                f"{path}, line {number}: label must be one of {sorted(LABEL_CODES)}, got {label!r}"
            )
        yield name, label, f"{path}, line {number}"


def _read_words(folder: Path) -> Iterator[tuple[str, str]]:
    """(turn, transcript); asides ("M: ...") and unscored turns (XX) are left out."""
    for path, number, line in _lines(folder):
        if not line.startswith("Ses"):
            continue
        match = _WORDS_LINE.fullmatch(line)
        if not match:
            raise ValueError(
                f"{path}, line {number}: not a whole transcript line "
                f"(turn [start-end]: words): {line[:80]!r}"
            )
        name, text = match.groups()
        if "XX" not in name:
            yield name, text.strip()


def _lines(folder: Path) -> Iterator[tuple[Path, int, str]]:
    if not folder.is_dir():
        raise ValueError(f"{folder} is missing; every session must have it")
    for path in sorted(folder.glob("*.txt")):
        if path.name.startswith("._"):  # macOS left its own data beside the files
            continue
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            line = path.read_bytes()[: error.start].count(b"\n") + 1
            raise ValueError(f"{path}, line {line}: not UTF-8 text") from error
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
            yield path, number, line


def _manifest(root: Path) -> dict | None:
    path = root / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text("utf-8"))
        return {"corpus": str(manifest["corpus"]), "counts": dict(manifest["counts"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a corpus manifest ({error!r})") from error


def _expected(manifest: dict | None, merge_excited: bool) -> dict[int, dict[str, int]]:
    table = {}
    for session in SESSIONS:
        if manifest:
            counts = manifest["counts"].get(f"Session{session}", {})
            excited = counts.get("exc", 0)
        else:
            counts, excited = IEMOCAP_TABLE[session], IEMOCAP_EXCITED[session]
        table[session] = {label: counts.get(label, 0) for label in LABELS}
        if merge_excited:
            table[session]["hap"] += excited
    return table


def _hold_against_table(corpus: Corpus, expected: dict, allow_partial: bool) -> None:
    found = corpus.counts()
    if found == expected:
        return
    tables = f"found:\n{format_counts(found)}\nexpected:\n{format_counts(expected)}"
    if not allow_partial:
        raise ValueError(
            f"{corpus.root} is not the whole corpus (for a subset, say --allow-partial)\n{tables}"
        )
    corpus.notes.append(f"a part of the corpus, as --allow-partial allows\n{tables}")


def format_counts(table: dict[int, dict[str, int]]) -> str:
    """The table as text: a row a session, a column a label."""
    rows = ["  session " + "".join(f"{label:>6}" for label in LABELS) + "   all"]
    for session, counts in table.items():
        cells = "".join(f"{counts[label]:6d}" for label in LABELS)
        rows.append(f"  {session:7d} {cells}{sum(counts.values()):6d}")
    total = sum(sum(counts.values()) for counts in table.values())
    rows.append(f"  {'all':>7} {'':{6 * len(LABELS)}}{total:6d}")
    return "\n".join(rows)
