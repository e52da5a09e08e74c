"""What a benchmark is asked for, what it hears, and the ticks of its picture."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gban_edge import features
from gban_edge.deploy.bench_inputs import ALIKE, MIXED, make_utterances
from gban_edge.deploy.bench_options import BenchOptions, parse_seconds, parse_words
from gban_edge.deploy.bench_plot import time_ticks
from gban_edge.text import PAD, UNKNOWN, Vocabulary, tokenize


@pytest.fixture
def options(tmp_path):
    return BenchOptions(tmp_path / "m.safetensors", "cuda", "fp16", 2, 1, "block", idle=3.0)


def test_utterances_have_the_wanted_lengths(tmp_path):
    known = Vocabulary((PAD, UNKNOWN, "one", "two", "two-words", "Upper"))
    fixed = make_utterances(BenchOptions(tmp_path, seconds=(1.5, 1.5), words=(7, 7)), known)
    assert len(fixed) == ALIKE
    for one in fixed:
        assert one.seconds == 1.5
        assert one.pcm.dtype == np.float32
        assert 0.1 < np.abs(one.pcm).max() <= 1.0
        assert len(tokenize(one.text)) == 7
        assert set(one.text.split()) <= {"one", "two"}
        assert len(features.extract(one.pcm)) == 1 + (24000 - 512) // 160
    assert not np.array_equal(fixed[0].pcm, fixed[1].pcm)
    options = BenchOptions(tmp_path, seconds=(0.5, 7.5), words=(0, 9), seed=3)
    mixed, again = make_utterances(options, known), make_utterances(options, known)
    lengths = [one.seconds for one in mixed]
    assert len(mixed) == MIXED
    assert 0.5 <= min(lengths) < 2.0
    assert 6.0 < max(lengths) <= 7.5
    assert {len(one.text.split()) for one in mixed} == set(range(10))
    assert all(np.array_equal(a.pcm, b.pcm) for a, b in zip(mixed, again, strict=True))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"duration": 0.0}, "duration must be more than 0 seconds, got 0"),
        ({"duration": float("nan")}, "duration"),
        ({"warmup": -1.0}, "warmup must be at least 0, got -1"),
        ({"seconds": (0.0, 1.0)}, "seconds must be more than 0"),
        ({"seconds": (3.0, 1.0)}, "lesser first, got 3-1"),
        ({"seconds": (7.6, 7.6)}, "at most 7.5"),
        ({"words": (1, 513)}, "words must lie in 0..512"),
        ({"source": "mp3"}, "input must be one of pcm, features, got 'mp3'"),
        ({"wait": "poll"}, "wait must be one of spin, block"),
        ({"precision": "fp8"}, "precision must be one of"),
        ({"cold_starts": -1}, "cold_starts"),
    ],
)
def test_bad_options(options, change, says):
    with pytest.raises(ValueError) as raised:
        replace(options, **change)
    assert says in str(raised.value)


def test_ranges_as_people_type_them():
    assert parse_seconds("7.5") == (7.5, 7.5)
    assert parse_words("1-20") == (1, 20)
    for text in ("", "a", "1-2-3", "-1"):
        with pytest.raises(ValueError, match="must be like"):
            parse_seconds(text)
        with pytest.raises(ValueError, match="must be like"):
            parse_words(text)


def test_options_survive_json(options):
    kept = json.loads(json.dumps(options.to_dict()))
    assert BenchOptions.from_dict(kept) == options


@pytest.mark.parametrize(("low", "high"), [(0.8, 2.5), (1, 1.01), (0.01, 1e4), (3, 5), (12, 12.3)])
def test_ticks_are_few_and_inside(low, high):
    ticks = time_ticks(low, high)
    assert 3 <= len(ticks) <= 11
    assert low <= ticks[0] < ticks[-1] <= high
