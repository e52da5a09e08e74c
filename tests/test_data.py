import numpy as np
import pytest
import soundfile
from helpers import first_wav, speech_like, write_corpus

from gban_edge import features
from gban_edge.bundle import Standardisation
from gban_edge.text import Vocabulary
from train.corpus import read_corpus
from train.data import (
    Example,
    FeatureCache,
    bucketed,
    collate,
    fingerprint,
    make_examples,
    prepare,
)


def partial(root):
    return read_corpus(root, allow_partial=True)


def test_features_are_computed_once_and_kept_by_content(corpus, tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path / "cache")
    calls = []
    extract = features.extract
    monkeypatch.setattr(features, "extract", lambda pcm: calls.append(1) or extract(pcm))
    digests = prepare(partial(corpus), cache, skip_bad=False)
    assert len(calls) == len(digests) == 40
    prepare(partial(corpus), cache, skip_bad=False)
    assert len(calls) == 40

    # New sound under an old name is new content.
    soundfile.write(first_wav(corpus), speech_like(np.random.default_rng(9), 5000), 16000)
    again = prepare(partial(corpus), cache, skip_bad=False)
    assert len(calls) == 41
    assert sum(again[name] != digests[name] for name in digests) == 1
    assert fingerprint(partial(corpus), again) != fingerprint(partial(corpus), digests)


def test_the_cache_holds_the_features(corpus, tmp_path):
    cache = FeatureCache(tmp_path / "cache")
    digests = prepare(partial(corpus), cache, skip_bad=False)
    for utterance in partial(corpus).utterances:
        pcm, _ = soundfile.read(utterance.wav, dtype="float32")
        np.testing.assert_array_equal(cache.get(digests[utterance.name]), features.extract(pcm))


def test_another_feature_version_is_another_cache(tmp_path, monkeypatch):
    first = FeatureCache(tmp_path)
    monkeypatch.setattr(features, "VERSION", features.VERSION + 1)
    assert FeatureCache(tmp_path).folder != first.folder


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.unlink(),
        lambda p: p.write_bytes(p.read_bytes()[:-100]),
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(b"\x93NUMPY" + bytes(50)),
        lambda p: np.save(p, np.zeros((3, 51), np.float32)),
        lambda p: np.save(p, np.zeros((3, 52))),
    ],
)
def test_a_damaged_cache_file_is_made_again(corpus, tmp_path, spoil):
    cache = FeatureCache(tmp_path / "cache")
    digests = prepare(partial(corpus), cache, skip_bad=False)
    digest = next(iter(digests.values()))
    good = cache.get(digest)
    spoil(cache.path(digest))
    assert cache.get(digest) is None
    prepare(partial(corpus), cache, skip_bad=False)
    np.testing.assert_array_equal(cache.get(digest), good)


def test_bad_sound_is_refused_all_at_once_or_skipped_and_counted(corpus, tmp_path):
    wavs = sorted(corpus.rglob("*.wav"))
    pcm = speech_like(np.random.default_rng(0), 3000)
    soundfile.write(wavs[0], pcm, 8000)
    wavs[1].write_bytes(b"no sound")
    soundfile.write(wavs[2], pcm, 16000, subtype="PCM_24")
    cache = FeatureCache(tmp_path / "cache")
    with pytest.raises(ValueError, match=r"2 sound file\(s\).*--skip-bad") as caught:
        prepare(partial(corpus), cache, skip_bad=False)
    assert str(wavs[0]) in str(caught.value)
    assert str(wavs[1]) in str(caught.value)
    found = partial(corpus)
    digests = prepare(found, FeatureCache(tmp_path / "other"), skip_bad=True)
    assert len(digests) == len(found.utterances) == 38
    assert found.skipped["sound unusable"] == 2
    assert any("2 unusable" in note for note in found.notes)
    assert any("1 PCM_24" in note for note in found.notes)


def examples(lengths):
    rng = np.random.default_rng(0)
    return [
        Example(f"u{i}", rng.standard_normal((n, 52)).astype(np.float32), [2] * (1 + n % 4), n % 3)
        for i, n in enumerate(lengths)
    ]


def test_bucketed_batches_hold_everything_once_and_pad_little():
    lengths = np.random.default_rng(1).integers(20, 700, 400)
    items = examples(lengths)
    for rng in (None, np.random.default_rng(2)):
        batches = bucketed(items, 32, rng)
        assert sorted(i for b in batches for i in b) == list(range(400))
        assert all(len(b) <= 32 for b in batches)
        padded = sum(len(b) * max(lengths[i] for i in b) for b in batches)
        assert padded < 1.25 * lengths.sum()
    one, two = (bucketed(items, 32, np.random.default_rng(s)) for s in (3, 4))
    assert one != two
    assert one == bucketed(items, 32, np.random.default_rng(3))


def test_collate_pads_with_zeros():
    items = examples([5, 0, 9])
    batch = collate(items)
    assert batch.speech.shape == (3, 9, 52)
    assert batch.speech_lengths.tolist() == [5, 0, 9]
    assert batch.word_counts.tolist() == [2, 1, 2]
    assert batch.words.tolist() == [[2, 2], [2, 0], [2, 2]]
    assert batch.labels.tolist() == [2, 0, 0]
    np.testing.assert_array_equal(batch.speech[0, :5], items[0].speech)
    assert not batch.speech[0, 5:].any()


def test_make_examples_standardises_and_encodes(tmp_path):
    found = partial(write_corpus(tmp_path / "c"))
    frames = {u.name: np.full((2, 52), 3.0, np.float32) for u in found.utterances}
    standard = Standardisation(np.full(52, 1.0, np.float32), np.full(52, 2.0, np.float32))
    vocabulary = Vocabulary.build(["and and"])
    made = make_examples(found.utterances[:1], frames, vocabulary, standard)
    np.testing.assert_array_equal(made[0].speech, np.ones((2, 52)))
    assert made[0].words == [1, 2, 1]
    assert made[0].label == 0
