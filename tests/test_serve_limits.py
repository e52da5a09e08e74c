"""The service among clients that are too many, too slow, too large, or gone."""

import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serve_server import HEAD, PATIENCE, Server, answer, status_of, until

from gban_edge.serve import Limits, ServeOptions
from gban_edge.serve.server import listen

pytestmark = pytest.mark.alone
QUICK = {"body_seconds": 0.5, "head_seconds": 0.5, "body_bytes": 100_000, "uploads": 2}


@pytest.fixture(scope="module")
def server(small_gban, tmp_path_factory):
    """A server with little patience."""
    with Server(small_gban, tmp_path_factory.mktemp("server"), limits=QUICK) as found:
        yield found


def test_beyond_capacity_the_answer_is_429_at_once(small_gban, tmp_path):
    limits = {"workers": 2, "recognitions": 3, "answer_seconds": PATIENCE}
    with Server(small_gban, tmp_path, limits=limits) as server, ThreadPoolExecutor(3) as pool:
        held = [pool.submit(server.recognize, "hold") for _ in range(3)]
        until(lambda: server.metric("gban_recognitions_in_progress") == 3)
        until(lambda: server.held() == 2)
        for _ in range(5):  # while the three cannot end
            refused = server.recognize()
            assert refused.status_code == 429
            assert refused.json()["error"]["code"] == "busy"
            assert refused.headers["retry-after"] == "1"
        assert server.http.get("/healthz").status_code == 200  # the loop is free
        server.release()
        assert [one.result().status_code for one in held] == [200] * 3
        assert server.recognize().status_code == 200
        assert server.metric('gban_requests_total{path="/v1/recognize",status="429"}') == 5


def test_a_refused_client_reads_why_though_its_sound_was_not_read(server):
    """Closing on bytes that still arrive would reset the connection under the answer."""
    for _ in range(20):
        with server.connect() as connection:
            connection.sendall(
                HEAD.replace(b"localhost", b"evil") + b"Content-Length: 90000\r\n\r\n"
            )
            connection.sendall(bytes(50_000))
            connection.sendall(bytes(40_000))
            assert status_of(answer(connection)) == (403, "host")


def test_an_answer_that_takes_too_long_keeps_its_place_until_it_ends(small_gban, tmp_path):
    limits = {"workers": 1, "recognitions": 1, "answer_seconds": 0.3}
    with Server(small_gban, tmp_path, limits=limits) as server:
        late = server.recognize("hold")
        assert (late.status_code, late.json()["error"]["code"]) == (503, "timeout")
        assert server.recognize().status_code == 429
        server.release()
        until(lambda: server.recognize().status_code == 200)


def test_a_gigabyte_is_refused_before_it_is_sent(server):
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1000000000\r\n\r\n" + bytes(1000))
        assert status_of(answer(connection)) == (413, "too_large")
    assert server.recognize().status_code == 200


def test_a_gigabyte_in_pieces_is_cut(server):
    """A client that does not stop sending is told, or its connection breaks; nothing else."""
    before = server.metric("process_resident_memory_bytes")
    sent = 0
    with server.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 1_000_000_000:
                connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
                sent += 65536
        except ConnectionError:
            pass
        assert sent < 50_000_000
        assert status_of(answer(connection)) == (413, "too_large")
    assert server.recognize().status_code == 200
    assert server.metric("process_resident_memory_bytes") < before + 30e6


@pytest.mark.parametrize("length", [b"-1", b"nan", b"1e9", b"9" * 5000, b"5\r\nContent-Length: 6"])
def test_a_length_that_is_none_is_refused(server, length):
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: " + length + b"\r\n\r\n")
        assert answer(connection).split()[1] in (b"400", b"413")
    assert server.recognize().status_code == 200


def test_a_body_that_stalls_is_given_up(server):
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + bytes(500))
        assert server.recognize().status_code == 200
        assert status_of(answer(connection)) == (408, "slow")


def test_stalled_bodies_do_not_take_all_memory_nor_the_workers(small_gban, tmp_path):
    limits = {"uploads": 2, "body_seconds": PATIENCE}
    with Server(small_gban, tmp_path, limits=limits) as server:
        stalled = [server.connect() for _ in range(2)]
        for one in stalled:
            one.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
            assert b"100" in one.recv(100)
        assert server.recognize().status_code == 429
        assert server.http.get("/healthz").status_code == 200
        for one in stalled:  # they leave, in the middle
            one.close()
        until(lambda: server.recognize().status_code == 200)


def test_a_head_that_never_comes_is_given_up(server):
    with server.connect() as silent, server.connect() as slow:
        slow.sendall(b"POST /v1/recognize HTTP/1.1\r\nHost: local")
        assert answer(silent) == b""
        assert answer(slow) == b""


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET\r\n\r\n", b"\0" * 70000, b"x" * 70000]
)
def test_garbage_is_answered_with_400(server, garbage):
    with server.connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(garbage + b"\r\n\r\n")
        assert answer(connection).split()[1:2] in ([b"400"], [])
    assert server.recognize().status_code == 200


def test_clients_that_leave_at_once_leave_nothing(server):
    for i in range(50):
        with server.connect() as connection:
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
            )  # a reset
            connection.sendall((HEAD + b"Content-Length: 1000\r\n\r\n" + bytes(500))[: 20 * i])
    until(lambda: server.recognize().status_code == 200)
    assert server.metric("gban_recognitions_in_progress") == 0


def test_a_client_that_takes_no_answer_is_cut(small_gban, tmp_path):
    """It asks and asks, and never reads: its connection must not stay, nor its place."""
    limits = {"send_seconds": 0.5, "head_seconds": PATIENCE}
    with Server(small_gban, tmp_path, limits=limits) as server, socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        greedy.settimeout(PATIENCE)
        greedy.connect(("127.0.0.1", server.port))
        descriptors = Path(f"/proc/{server.process.pid}/fd")
        until(lambda: server.http.get("/healthz").status_code == 200)
        before = len(list(descriptors.iterdir()))
        with pytest.raises(ConnectionError):
            send_for_ever(greedy, b"GET /main.js HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        until(lambda: len(list(descriptors.iterdir())) < before)
        assert server.recognize().status_code == 200


def send_for_ever(connection, message):
    while True:
        connection.sendall(message)


def test_names_are_the_same_in_capitals(small_gban, tmp_path):
    with Server(small_gban, tmp_path, hosts=["Robot.Local"]) as server:
        for name in ("Robot.Local", "robot.local:1"):
            answered = server.http.get("/v1/model", headers={"host": name})
            assert answered.status_code == 200
        assert server.http.get("/v1/model", headers={"host": "other.local"}).status_code == 403


def test_nobody_else_is_let_in_without_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.5", "robot.local", "127.0.0.1.evil.example"):
        with pytest.raises(ValueError, match="token"):
            ServeOptions(host)
    for token in ("", "short", "x" * 15, "with a blank in it", "\u00e9" * 20):
        with pytest.raises(ValueError, match="16 visible") as caught:
            ServeOptions("0.0.0.0", token=token)
        assert not token or token not in str(caught.value)
    assert "secret" not in repr(ServeOptions(token="secret-secret-secret"))


def test_options_are_checked(tmp_path):
    with pytest.raises(ValueError, match=r"port must lie in 0\.\.65535, got 70000"):
        ServeOptions(port=70000)
    with pytest.raises(ValueError, match="origin must be as browsers send it"):
        ServeOptions(origins=("kiosk.example",))
    for never in ("https://Kiosk.Example", "https://kiosk.example:443", "http://kiosk.example:80"):
        with pytest.raises(ValueError, match="origin must be as browsers send it"):
            ServeOptions(origins=(never,))
    with pytest.raises(ValueError, match="together"):
        ServeOptions(certificate=tmp_path)
    for name, value in (
        ("workers", 0),
        ("workers", 1.5),
        ("body_seconds", float("nan")),
        ("streams", True),
    ):
        with pytest.raises(ValueError, match=name):
            Limits(**{name: value})
    with pytest.raises(ValueError, match="recognitions must be at least workers"):
        Limits(workers=5)


def test_a_port_that_is_taken_is_named():
    with listen(ServeOptions(port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port}, cannot be listened on"):
            listen(ServeOptions(port=port))
