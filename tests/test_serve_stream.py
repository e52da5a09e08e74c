"""The WebSocket: a real client's sound in, events out; and clients that misbehave."""

import json
import socket
import struct
from contextlib import ExitStack, closing, contextmanager

import numpy as np
import pytest
from serve_contract import check_event
from serve_server import PATIENCE, PCM, Server, until
from test_serve import TOKEN, same
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as connect_to

from gban_edge import EmotionRecognizer

pytestmark = pytest.mark.alone
BY_HAND = {"type": "start", "sample_rate": 16000, "words": None, "by_hand": True}
SILENCE = np.zeros(8000, "<i2")


@pytest.fixture(scope="module")
def server(small_gban, tmp_path_factory):
    limits = {"streams": 3, "message_bytes": 100_000}
    with Server(small_gban, tmp_path_factory.mktemp("server"), limits=limits) as found:
        yield found


@pytest.fixture(scope="module")
def rec(small_gban):
    return EmotionRecognizer.from_pretrained(small_gban, "cpu")


@contextmanager
def connect(server, start=BY_HAND, **more):
    """A WebSocket on which ``start`` was said, if not None, and answered with ready."""
    url = f"ws://127.0.0.1:{server.port}/v1/stream"
    with connect_to(url, open_timeout=PATIENCE, compression=None, **more) as client:
        if start is not None:
            client.send(json.dumps(start))
            assert json.loads(client.recv(PATIENCE)) == {"type": "ready"}
        yield client


def say(client, **message):
    client.send(json.dumps(message))


def push(client, pcm, block=1600):
    for first in range(0, len(pcm), block):
        client.send(pcm[first : first + block].tobytes())


def events_to(client, kind):
    """All events up to the first of this kind."""
    found = []
    while not found or found[-1]["type"] != kind:
        found.append(check_event(client.recv(PATIENCE)))
        assert found[-1]["type"] in ("level", "speech_started", kind), found[-1]
    return found


def closed(client):
    """The close code and the error event before it."""
    events = []
    with pytest.raises(ConnectionClosed) as end:
        all_events(client, events)
    errors = [one for one in events if one["type"] == "error"]
    assert all(one["message"].startswith(end.value.rcvd.reason[:40]) for one in errors)
    return end.value.rcvd.code, errors[0]["code"] if errors else None


def all_events(client, events):
    """Until the connection closes, which raises."""
    while True:
        events.append(check_event(client.recv(PATIENCE)))


def still_serves(server):
    with connect(server) as client:
        push(client, PCM[:8000])
        say(client, type="end")
        events_to(client, "result")


def test_an_utterance_ended_by_hand_is_the_recognisers(server, rec):
    with connect(server, {**BY_HAND, "words": "w2 w3"}) as client:
        push(client, PCM, 1000)
        say(client, type="end")
        *before, found = events_to(client, "result")
        same(found["result"], rec(PCM, "w2 w3"))
        assert (found["start"], found["end"], found["words"]) == (0.0, 1.5, "w2 w3")
        assert found["latency"] > 0
        assert before[0] == {"type": "speech_started", "time": 0.0}
        levels = before[1:]
        assert [one["time"] for one in levels] == [0.125 * i for i in range(1, 13)]
        first = np.sqrt(np.mean((PCM[:2000] / 32768.0) ** 2))
        assert abs(levels[0]["rms"] - first) < 1e-5
        assert all(one["speaking"] for one in levels)


def test_words_once_and_until_told_otherwise(server, rec):
    with connect(server) as client:
        for message, expected in (
            (None, ""), ({"text": "w4"}, "w4"), (None, "w4"),
            ({"text": "w5", "once": True}, "w5"), (None, "w4"), ({"text": ""}, ""),
        ):  # fmt: skip
            push(client, PCM[:9000])
            if message is not None:
                say(client, type="words", **message)
            say(client, type="end")
            found = events_to(client, "result")[-1]
            assert found["words"] == expected
            same(found["result"], rec(PCM[:9000], expected))


def test_another_rate_and_nothing_to_end(server, rec):
    with connect(server, {**BY_HAND, "sample_rate": 44100}) as client:
        say(client, type="end")  # of nothing: no result
        push(client, PCM)
        say(client, type="end")
        same(events_to(client, "result")[-1]["result"], rec(PCM, "", 44100))


def test_speech_is_found_in_silence(server):
    """With the detector that is there; when it decides is its own tests' business."""
    with connect(server, {"type": "start", "words": "w2"}) as client:
        loud = np.concatenate([np.zeros(16000, "<i2"), PCM, PCM, SILENCE])
        push(client, loud)
        say(client, type="end")
        push(client, np.zeros(3 * 16000, "<i2"))
        say(client, type="words", text="\ud800".encode("utf-8", "replace").decode())
        say(client, type="nonsense")
        levels = [json.loads(client.recv(PATIENCE)) for _ in range(10)]
        assert {one["type"] for one in levels} <= {"level", "speech_started", "result"}
        assert closed(client) == (1008, "type")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{", (1007, "json")),
        ("[1]", (1007, "json")),
        ("[" * 50000, (1007, "json")),
        ('{"type": "start", "sample_rate": NaN}', (1007, "json")),
        ('{"type": "start", "sample_rate": 16000.5}', (1008, "sample_rate")),
        ('{"type": "start", "sample_rate": 1e999}', (1008, "sample_rate")),
        ('{"type": "start", "sample_rate": true}', (1008, "sample_rate")),
        ('{"type": "start", "sample_rate": 96}', (1008, "sample_rate")),
        ('{"type": "start", "words": 5}', (1008, "words")),
        ('{"type": "start", "by_hand": 1}', (1008, "by_hand")),
        ('{"type": "end"}', (1008, "start")),
        ('{"type": "words", "text": "a"}', (1008, "start")),
        ("{}", (1008, "type")),
        (bytes(100), (1008, "start")),
    ],
)
def test_what_cannot_be_understood_closes_the_stream(server, message, expected):
    with connect(server, None) as client:
        client.send(message)
        assert closed(client) == expected
    still_serves(server)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"123", (1007, "odd_frame")),
        (json.dumps(BY_HAND), (1008, "started")),
        ('{"type": "words", "text": ["w2"]}', (1008, "text")),
        (bytes(100_002), (1009, None)),
    ],
)
def test_a_stream_that_goes_wrong_is_closed(server, message, expected):
    with connect(server) as client:
        push(client, PCM[:2000])
        client.send(message)
        assert closed(client) == expected
    still_serves(server)


def test_a_lone_surrogate_is_no_text(server):
    with connect(server) as client:
        client.send('{"type": "words", "text": "\\ud800"}')
        push(client, PCM[:2000])
        say(client, type="end")
        assert closed(client) == (1007, "unprocessable")


def test_one_stream_too_many_is_told_to_come_later(server):
    def opened():
        return server.metric("gban_streams_open")

    until(lambda: opened() == 0)
    with ExitStack() as others, ExitStack() as third:
        clients = [others.enter_context(connect(server)) for _ in range(2)]
        third.enter_context(connect(server))
        with connect(server, None) as late:
            assert closed(late) == (1013, "busy")
        third.close()
        until(lambda: opened() == 2)
        still_serves(server)
        for client in clients:  # they did not notice
            push(client, PCM[:5000])
            say(client, type="end")
            assert events_to(client, "result")
    until(lambda: opened() == 0)
    until(lambda: server.metric('gban_streams_total{code="1013"}') == 1)


def raw_frames(server, receives=None):
    """A handshake by hand, for frames that a library would not send; ``receives`` is how many bytes
    the client's side of the connection holds."""
    found = socket.socket()
    if receives is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    found.settimeout(PATIENCE)
    found.connect(("127.0.0.1", server.port))
    found.sendall(
        b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert b" 101 " in found.recv(4096)
    return found


def close_code(connection):
    """Of the first close frame that comes; None for a connection that ends without."""
    found = b""
    while b"\x88" not in found and (piece := connection.recv(4096)):
        found += piece
    place = found.rfind(b"\x88")
    return None if place < 0 else struct.unpack(">H", found[place + 2 : place + 4])[0]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x82\xff" + struct.pack(">Q", 10**9) + bytes(4), 1009),  # a gigabyte announced
        (b"\x82\x7f" + struct.pack(">Q", 10), 1002),  # not masked
        (b"\x81\x82" + bytes(4) + b"\xff\xfe", 1007),  # not UTF-8
        (b"\xf3\x80" + bytes(4), 1002),  # no such kind
        (b"GET / HTTP/1.1\r\n\r\n", 1002),
    ],
)
def test_frames_that_are_none(server, frame, code):
    with closing(raw_frames(server)) as connection:
        connection.sendall(frame)
        assert close_code(connection) == code
    still_serves(server)


def test_a_client_that_leaves_in_the_middle_of_a_frame_frees_its_place(server):
    for _ in range(5):
        with closing(raw_frames(server)) as connection:
            connection.sendall(b"\x82\xfe" + struct.pack(">H", 5000) + bytes(4) + bytes(100))
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, bytes((1, 0, 0, 0) + (0,) * 4)
            )
    until(lambda: server.metric("gban_streams_open") == 0)
    still_serves(server)


@pytest.mark.parametrize("limits", [{"idle_seconds": 0.3}, {"stream_seconds": 0.3}])
def test_a_client_that_says_nothing_is_closed(small_gban, tmp_path, limits):
    with Server(small_gban, tmp_path, limits=limits) as server, closing(raw_frames(server)) as half:
        half.sendall(b"\x82\xfe\x10\x00")  # and never the rest
        with connect(server, None) as client:
            assert closed(client) == (1008, "timeout")
        assert close_code(half) == 1008


@pytest.mark.parametrize(
    ("first", "flood"),
    [
        (b"", (b"\x89\xfd" + bytes(4) + bytes(125)) * 500),  # pings, whose answers it leaves
        (b"\x02\x80" + bytes(4), (b"\x00\x80" + bytes(4)) * 5000),  # a message of empty pieces
    ],
    ids=["pings", "pieces"],
)
def test_a_flood_that_is_no_message_is_cut(server, first, flood):
    """The application never hears of these frames, so its limits do not hold them."""
    before = server.metric("process_resident_memory_bytes")
    with closing(raw_frames(server, 2048)) as connection:
        connection.sendall(first)
        with pytest.raises(ConnectionError):
            push_for_ever(connection, flood)
    assert server.metric("process_resident_memory_bytes") < before + 20e6
    still_serves(server)


def test_a_client_that_takes_no_events_is_dropped(small_gban, tmp_path):
    """Its events fill the buffers between; it is not waited for, and others are answered."""
    limits = {"send_seconds": 0.3, "streams": 2}
    with (
        Server(small_gban, tmp_path, limits=limits) as server,
        closing(raw_frames(server, 4096)) as stalled,
    ):
        stalled.sendall(masked(1, json.dumps(BY_HAND).encode()))
        asked = masked(2, PCM[:4000].tobytes()) + masked(1, b'{"type": "end"}')
        stalled.settimeout(5)
        with pytest.raises(OSError):  # no more room, or closed
            push_for_ever(stalled, asked)
        still_serves(server)
        until(lambda: server.metric("gban_streams_open") == 0)
        assert server.metric("gban_engine_seconds_count") > server.metric("gban_utterances_total")


def push_for_ever(connection, message):
    while True:
        connection.sendall(message)


def masked(kind, payload):
    """A whole frame with a mask of zeros."""
    return bytes((0x80 | kind, 0xFE)) + struct.pack(">H", len(payload)) + bytes(4) + payload


def refused(server, url="ws://localhost/v1/stream", **more):
    """The status of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as caught, connect_to(url, sock=server.connect(), **more):
        pass
    return caught.value.response.status_code


def test_who_may_not_come_in_gets_no_websocket(server, small_gban, tmp_path):
    assert refused(server, "ws://evil.example/v1/stream") == 403
    assert refused(server, origin="http://evil.example") == 403
    until(lambda: server.metric('gban_requests_total{path="/v1/stream",status="403"}') == 2)
    with Server(small_gban, tmp_path, token=TOKEN) as locked:
        assert refused(locked) == 401
        with connect(locked, additional_headers={"Authorization": f"Bearer {TOKEN}"}):
            pass


def test_a_websocket_elsewhere_is_refused(server):
    assert refused(server, "ws://localhost/nothing") == 404
    assert server.http.get("/healthz").json()["status"] == "ready"
    assert server.log.read_text() == ""
