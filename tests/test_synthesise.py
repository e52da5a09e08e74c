"""The built-in corpus: really spoken, in IEMOCAP's layout, and built as its docstring says."""

import gc
import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import soundfile
from helpers import ROOT, assert_clean_error

from gban_edge.text import tokenize
from train import synthesise as synth
from train.corpus import read_corpus
from train.espeak import Espeak
from train.sentences import NEGATIVE, POSITIVE, draw_contrasts
from train.synthesise import synthesise
from train.turns import CONTRAST, EMOTIONS, SPEAKERS, plan_session


def valences(text: str) -> list[bool]:
    """The valence of every adjective of a text, in order."""
    return [w in POSITIVE for w in tokenize(text) if w in POSITIVE or w in NEGATIVE]


def digest(root) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def test_same_seed_same_corpus_other_seed_another(smoke_corpus, tmp_path):
    first = digest(smoke_corpus)
    assert digest(synthesise(tmp_path / "again", 100, 0)) == first
    other = digest(synthesise(tmp_path / "other", 100, 1))
    assert other != first
    sounds = set(other.values()) & set(first.values())
    assert len(sounds) < 10  # the constant ._ files


def test_words_are_as_the_docstring_says():
    turns = [t for s in range(1, 6) for d in plan_session(s, 240, 0) for t in d]
    turns = [t for t in turns if t.label in EMOTIONS]
    assert len(turns) == 1200
    assert Counter(t.label for t in turns) == dict.fromkeys(EMOTIONS, 300)
    contrasts = [t for t in turns if len(t.sentence.clauses) == 2]
    assert abs(len(contrasts) / len(turns) - CONTRAST) < 0.01
    for turn in turns:
        high, positive = EMOTIONS[turn.label]
        assert (turn.high, turn.sentence.positive) == (high, positive)
        found = valences(turn.sentence.text)
        assert found == [c.positive for c in turn.sentence.clauses]
        assert found[turn.sentence.emphasised] == positive
    # A contrast's text tells no more than that the later clause counts two times in three.
    by_text: dict[str, list[int]] = {}
    for turn in contrasts:
        by_text.setdefault(turn.sentence.text, []).append(turn.sentence.emphasised)
    assert all(sum(v) * 3 == 2 * len(v) for v in by_text.values())
    first = [t.sentence.clauses[0].positive for t in contrasts]
    assert np.mean(first) == 0.5  # either order is equally frequent
    for place in (0, 1):  # and the place of the emphasis tells nothing
        positive = [t.sentence.positive for t in contrasts if t.sentence.emphasised == place]
        assert np.mean(positive) == 0.5


def test_the_stated_best_accuracies():
    """The docstring's numbers, reached on the corpus's own plan by guessing as well as can be."""
    turns = [t for s in range(1, 6) for d in plan_session(s, 240, 0) for t in d]
    turns = [t for t in turns if t.label in EMOTIONS]
    last_clause = np.mean([t.sentence.clauses[-1].positive == t.sentence.positive for t in turns])
    assert last_clause == pytest.approx(1 - CONTRAST / 3)  # both, deaf to the stress
    for name, value in (("words alone  ", last_clause / 2), ("deaf to", last_clause)):
        assert f"{value:.3f}"[1:] in next(x for x in synth.__doc__.splitlines() if name in x)


def test_no_word_but_the_adjectives_tells_the_valence():
    turns = [t for s in range(1, 6) for d in plan_session(s, 240, 0) for t in d]
    counts: dict[str, list[bool]] = {}
    for turn in turns:
        for word in set(tokenize(turn.sentence.text)):
            counts.setdefault(word, []).append(turn.sentence.positive)
    for word, found in counts.items():
        if word not in POSITIVE and word not in NEGATIVE and len(found) >= 30:
            assert abs(np.mean(found) - 0.5) < 4 * 0.5 / len(found) ** 0.5, word


def test_a_contrast_is_spoken_both_ways():
    positively, negatively = draw_contrasts(np.random.default_rng(0))
    assert all(sentence.positive for sentence in positively)
    assert not any(sentence.positive for sentence in negatively)
    assert len(positively) == len(negatively) == 3
    assert {s.text for s in positively} == {s.text for s in negatively}


def test_ten_distinct_voices():
    assert len({voice for pair in SPEAKERS for voice, _ in pair}) == 10


def test_sound_is_16_khz_mono_and_carries_the_prosody(smoke_corpus):
    """High arousal is louder than low for every speaker, noise and microphone included."""
    level: dict[tuple[str, bool], list[float]] = {}
    for u in read_corpus(smoke_corpus).utterances:
        info = soundfile.info(u.wav)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        pcm, _ = soundfile.read(u.wav)
        assert 0.5 < len(pcm) / 16000 < 12
        level.setdefault((u.speaker, EMOTIONS[u.label][0]), []).append(float(np.std(pcm)))
    louder = [
        np.mean(level[speaker, True]) > np.mean(level[speaker, False])
        for speaker, high in level
        if high and (speaker, False) in level
    ]
    assert len(louder) >= 8
    assert all(louder)


def test_the_quirks_are_there(smoke_corpus):
    names = [p.name for p in smoke_corpus.rglob("*") if p.is_file()]
    assert sum(n.startswith("._") for n in names) == 15
    labels = [p.read_bytes() for p in smoke_corpus.glob("Session*/dialog/EmoEvaluation/Ses*.txt")]
    words = [p.read_text() for p in smoke_corpus.glob("Session*/dialog/transcriptions/Ses*.txt")]
    assert any(b"\texc\t" in text for text in labels)
    assert any("XX" in text for text in words)
    assert any("\nM: [LAUGHTER]" in text for text in words)
    assert list(smoke_corpus.glob("Session1/dialog/EmoEvaluation/Categorical/*.txt"))
    plan = [d for s in range(1, 6) for d in plan_session(s, 240, 0)]
    assert {t.label for d in plan for t in d} == {*EMOTIONS, "exc", "xxx", "fru", "sur"}


def test_crlf_in_some_files(tmp_path):
    """Dialogue 1 has CRLF labels, dialogue 2 CRLF words; a small session has too few for both."""
    turns = plan_session(1, 60, 0)
    spans = [(0.0, 1.0)] * 40
    for number, dialogue in enumerate(turns):
        synth._write_labels(tmp_path / "l", dialogue[0].name[:14], dialogue, spans[: len(dialogue)],
                            number)  # fmt: skip
    contents = [p.read_bytes() for p in sorted((tmp_path / "l").glob("Ses*.txt"))]
    assert [b"\r\n" in c for c in contents] == [False, True]


@pytest.mark.parametrize(
    ("utterances", "seed", "words"),
    [(99, 0, "multiple of 20"), (0, 0, "at least 100"), (110, 0, "multiple of 20"),
     (100, -1, "seed must be at least 0")],
)  # fmt: skip
def test_bad_arguments(tmp_path, utterances, seed, words):
    with pytest.raises(ValueError, match=words):
        synthesise(tmp_path / "x", utterances, seed)
    assert list(tmp_path.iterdir()) == []


def test_never_overwrites(tmp_path):
    with pytest.raises(FileExistsError, match="already exists"):
        synthesise(tmp_path, 100, 0)


def test_nothing_is_left_when_it_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(synth, "_write_sessions", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        synthesise(tmp_path / "x", 100, 0)
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_is_wrong_in_one_line(tmp_path):
    command = [sys.executable, str(ROOT / "train" / "synthesise.py"), str(tmp_path / "x")]
    done = subprocess.run([*command, "--utterances", "7"], capture_output=True, text=True)
    assert_clean_error(done, "error: utterances must be a multiple of 20")
    done = subprocess.run([*command[:-1], str(tmp_path)], capture_output=True, text=True)
    assert_clean_error(done, f"error: {tmp_path} already exists")
    assert not list(tmp_path.iterdir())


def test_a_synthesiser_that_is_gone_takes_no_other_with_it():
    """The library has one callback a process; another synthesiser's must not stay in it."""
    first = Espeak()
    alone = len(first.say("<speak>one</speak>", "en-us"))
    Espeak().say("<speak>two</speak>", "en-us")
    gc.collect()
    assert abs(len(first.say("<speak>one</speak>", "en-us")) - alone) < 0.05 * alone
