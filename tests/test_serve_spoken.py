"""Speech through the whole service: PCM over a real WebSocket, voice activity, words, result."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serve_contract import check_event
from serve_server import Server, until
from spoken import TEXTS, scene
from test_serve import same
from test_serve_stream import connect, events_to, push, say

from gban_edge import EmotionRecognizer
from gban_edge.serve.listening import ByVoice
from gban_edge.stream import SpeechEnded, UtteranceStream

BLOCK = 1600  # 0.1 s
STREAMS = 8


def as_int16(pcm):
    return np.round(pcm * 32767.0).astype("<i2")


@pytest.fixture(scope="module")
def rec(small_gban):
    return EmotionRecognizer.from_pretrained(small_gban, "cpu")


def by_itself(rec, pcm, text):
    """What this package's stream hears in the sound, without a server."""
    stream = UtteranceStream(rec, words=lambda *_: text)
    found = [e for i in range(0, len(pcm), BLOCK) for e in stream.push(pcm[i : i + BLOCK])]
    return [event for event in found if isinstance(event, SpeechEnded)]


def test_a_spoken_sentence_is_answered_with_the_words_that_were_heard(small_gban, rec, tmp_path):
    """Nobody ends it but the speaker, and nobody says what was said but PocketSphinx."""
    spoken = scene(TEXTS[:1])
    pcm = as_int16(spoken.pcm)
    with (
        Server(small_gban, tmp_path, words="pocketsphinx") as server,
        connect(server, {"type": "start"}) as client,
    ):
        push(client, pcm, BLOCK)
        before = events_to(client, "result")
        found = before.pop()
        assert [e for e in before if e["type"] == "speech_started"]
        assert len(set(found["words"].split()) & set(TEXTS[0].split())) >= 3
        (begin, end), tolerance = spoken.places[0], 0.3
        assert abs(found["start"] - begin) < tolerance
        assert abs(found["end"] - end) < tolerance
        (expected,) = by_itself(rec, pcm, found["words"])
        same(found["result"], expected.result)
        assert set(found["timings"]) == {"vad", "words", "features", "network"}
        assert found["latency"] > found["timings"]["words"] > 0
        say(client, type="words", text="w2 w3", once=True)  # what a client says goes first
        push(client, pcm, BLOCK)
        assert events_to(client, "result")[-1]["words"] == "w2 w3"
        assert server.metric("gban_utterances_total") == 2
    assert server.log.read_text() == ""


def test_eight_streams_in_real_time_do_not_mix(small_gban, rec, tmp_path):
    """Each speaks at the pace of speech, with words and a sound of its own."""
    spoken = scene().pcm
    sounds = [as_int16(spoken * (1.0 - 0.08 * i)) for i in range(STREAMS)]
    texts = [f"w{2 + i} w{12 + i}" for i in range(STREAMS)]
    together = threading.Barrier(STREAMS, timeout=30)

    def speak(i):
        with connect(server, {"type": "start", "words": texts[i]}) as client:
            together.wait()
            pace(client, sounds[i])
            say(client, type="end")
            return events_to(client, "result") + events_to(client, "result")

    with Server(small_gban, tmp_path) as server, ThreadPoolExecutor(STREAMS) as pool:
        answered = list(pool.map(speak, range(STREAMS)))
        until(lambda: server.metric('gban_streams_total{code="1000"}') == STREAMS)
        assert server.metric("gban_utterances_total") == 2 * STREAMS
    for i, events in enumerate(answered):
        found = [event for event in events if event["type"] == "result"]
        expected = by_itself(rec, sounds[i], texts[i])
        assert len(found) == len(expected) == 2
        for one, other in zip(found, expected, strict=True):
            same(one["result"], other.result)
            assert (one["start"], one["end"]) == (other.start, other.end)
            assert one["words"] == texts[i]
    labels = {json.dumps(e["result"]["probabilities"]) for es in answered for e in es[-1:]}
    assert len(labels) == STREAMS  # they were not the same sound after all


def pace(client, pcm):
    """Send sound as it would be spoken."""
    begin = time.monotonic()
    for first in range(0, len(pcm), BLOCK):
        time.sleep(max(0.0, begin + first / 16000 - time.monotonic()))
        client.send(pcm[first : first + BLOCK].tobytes())


def test_words_that_cannot_be_recognised_are_told_with_the_result(rec):
    def deaf(pcm, rate):
        raise RuntimeError("the model of words is gone")

    listener = ByVoice(rec, 16000, None, deaf)
    pcm = as_int16(scene(TEXTS[:1]).pcm)
    heard = [e for i in range(0, len(pcm), BLOCK) for e in listener.push(pcm[i : i + BLOCK])]
    (found,) = [event for event in heard if event["type"] == "result"]
    assert "the model of words is gone" in found["words_error"]
    assert found["words"] == ""
    (note,) = found["result"]["notes"]
    assert found["words_error"] in note
    expected = by_itself(rec, pcm, "")[0].result
    assert found["result"]["probabilities"] == expected.probabilities
    (fine,) = [e for e in ByVoice(rec, 16000, "w2").push(pcm) if e["type"] == "result"]
    assert fine["words_error"] is None
    check_event(json.dumps(found))
