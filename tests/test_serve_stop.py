"""How the service ends: what is under way is finished, and what never ends is left behind."""

import json
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serve_server import HEAD, PATIENCE, PCM, Server, answer, until
from spoken import TEXTS, speech
from test_serve_stream import BY_HAND, closed, connect, events_to, push, say

pytestmark = pytest.mark.alone


def refuses(server):
    """Nobody new is let in."""
    try:
        server.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):  # the second: met while it closes
        return True
    return False


def unwell(server):
    """What /healthz answers, if that is no 200."""
    answered = server.http.get("/healthz")
    return None if answered.status_code == 200 else answered


def asks_health(connection):
    """/healthz, on this connection."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    found = b""
    while not found.endswith(b"}"):
        found += connection.recv(4096)
    return json.loads(found.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_finishes_what_is_under_way(small_gban, tmp_path, number):
    """A request in work, one whose sound is arriving, and nothing of a connection that waits."""
    server = Server(small_gban, tmp_path)
    with ThreadPoolExecutor(1) as pool, server.connect() as arriving, server.connect() as idle:
        arriving.sendall(HEAD + b"Content-Length: 9000\r\n\r\n" + bytes(4000))
        assert asks_health(idle)["status"] == "ready"
        held = pool.submit(server.recognize, "hold w2")
        until(lambda: server.held() == 1)
        server.process.send_signal(number)
        until(lambda: refuses(server))
        assert asks_health(idle)["reason"] == "the server is stopping"
        server.release()
        assert held.result().status_code == 200
        assert held.result().json()["label"]
        arriving.sendall(bytes(5000))
        assert answer(arriving).startswith(b"HTTP/1.1 200")
    assert server.stop() == 0
    assert server.log.read_text() == ""


def test_a_stop_says_goodbye_to_streams(small_gban, tmp_path):
    server = Server(small_gban, tmp_path)
    with connect(server) as client:
        push(client, PCM[:2000])
        events_to(client, "level")
        server.process.terminate()
        assert closed(client) == (1001, "stopping")
    assert server.process.wait(PATIENCE) == 0
    server.stop()
    assert server.log.read_text() == ""


def stuck(server, pool):
    """A request that the network never answers."""
    asked = pool.submit(server.recognize, "hold")
    until(lambda: server.held() == 1)
    return asked


def ends(server):
    """The exit status and the last line, of a server whose thread stays stuck."""
    status = server.process.wait(PATIENCE)
    assert not (server.folder / "go").exists()
    last = server.log.read_text().splitlines()[-1]
    server.stop()
    return status, last


def test_a_worker_that_is_stuck_does_not_keep_the_process(small_gban, tmp_path):
    limits = {"grace_seconds": 1.0, "answer_seconds": PATIENCE}
    server = Server(small_gban, tmp_path, limits=limits)
    with ThreadPoolExecutor(1) as pool:
        asked = stuck(server, pool)
        server.process.terminate()
        refused = asked.result(PATIENCE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
        status, last = ends(server)
    assert status == 1
    assert re.fullmatch(r"RuntimeError: 1 under way had not ended .* 1 s after .*", last)


def test_a_request_that_timed_out_and_goes_on_does_not_either(small_gban, tmp_path):
    """Its client has its answer; its thread is still in the network."""
    limits = {"grace_seconds": 0.5, "answer_seconds": 0.3}
    server = Server(small_gban, tmp_path, limits=limits)
    assert server.recognize("hold").status_code == 503
    sick = until(lambda: unwell(server))  # the thread may have begun after the request
    assert sick.status_code == 503
    assert "at one utterance for" in sick.json()["reason"]
    server.process.terminate()
    assert ends(server)[0] == 1


def test_a_stuck_stream_does_not_either(small_gban, tmp_path):
    limits = {"grace_seconds": 0.5, "answer_seconds": PATIENCE}
    server = Server(small_gban, tmp_path, limits=limits, words="stuck")
    spoken = np.round(speech(TEXTS[1]) * 32767).astype("<i2")
    with connect(server, {**BY_HAND, "by_hand": False}) as client:
        push(client, spoken)
        say(client, type="end")
        until(lambda: server.held() == 1)
        with connect(server) as other:  # what hears words keeps no other stream waiting
            push(other, PCM[:8000])
            say(other, type="end")
            events_to(other, "result")
        server.process.terminate()
        assert closed(client) == (1012, None)
    assert ends(server)[0] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_wait(small_gban, tmp_path, number):
    limits = {"grace_seconds": 300.0, "answer_seconds": 300.0}
    server = Server(small_gban, tmp_path, limits=limits)
    with ThreadPoolExecutor(1) as pool:
        asked = stuck(server, pool)
        server.process.terminate()
        until(lambda: refuses(server))
        server.process.send_signal(number)
        status, last = ends(server)
        assert asked.exception() is not None or asked.result().status_code == 503
    assert status == 1
    assert last.startswith("RuntimeError: 1 under way had not ended")


def test_a_network_that_fails_at_once_is_told(small_gban, tmp_path):
    with pytest.raises(
        AssertionError, match="RuntimeError: the network failed: the device is gone"
    ):
        Server(small_gban, tmp_path, broken=True)


def test_a_supervisor_is_told(small_gban, tmp_path, monkeypatch):
    """systemd's Type=notify, by its datagrams."""
    place = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(place)
        supervisor.settimeout(PATIENCE)
        server = Server(small_gban, tmp_path)
        assert supervisor.recv(100) == b"READY=1"
        assert server.recognize().status_code == 200
        assert server.stop() == 0
        assert supervisor.recv(100) == b"STOPPING=1"


def test_no_supervisor_is_no_failure(small_gban, tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    with Server(small_gban, tmp_path) as server:
        assert server.recognize().status_code == 200
