"""The service's connections: heads and bodies in odd pieces, requests that do not wait."""

import asyncio
import json
import re
import socket
import tracemalloc

import pytest
from serve_server import HEAD, PCM, Server, answer, status_of, until
from uvicorn import Config
from uvicorn.server import ServerState

from gban_edge.serve import Limits
from gban_edge.serve.connections import http_protocol

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def server(small_gban, tmp_path_factory):
    with Server(small_gban, tmp_path_factory.mktemp("server")) as found:
        yield found


def test_what_is_no_http_is_told_in_json(server):
    for garbage in (b"GET / HTTP\r\n\r\n", b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n"):
        with server.connect() as connection:
            connection.sendall(garbage)
            assert status_of(answer(connection)) == (400, "http")
    with server.connect() as connection:  # in the middle of a body
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
        assert status_of(answer(connection)) == (400, "http")
    assert server.recognize().status_code == 200


def test_a_body_in_crumbs_is_refused(server):
    """Each chunk costs the same, and a token is asked for only once those that came are read."""
    chunked = HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(chunked + b"1\r\nx\r\n" * 40000)
        assert status_of(answer(connection)) == (400, "http")
    pieces = [PCM.tobytes()[i : i + 128] for i in range(0, 2 * len(PCM), 128)]
    with server.connect() as connection:
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        connection.sendall(chunked + body + b"0\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 200")
    with server.connect() as connection:  # a body of line ends may be sound
        line_ends = b"\r\n" * 24000
        connection.sendall(HEAD + b"Connection: close\r\nContent-Length: 48000\r\n\r\n" + line_ends)
        assert answer(connection).startswith(b"HTTP/1.1 200")


def test_requests_that_do_not_wait_for_answers(server):
    """Three in one piece, each answered in its turn; the crumbs of a fourth are refused."""
    sound = PCM.tobytes()
    one = HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(sound), sound)
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    whole = chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(sound), sound)
    with server.connect() as connection:
        connection.sendall(one + whole + one + chunked + b"1\r\nx\r\n" * 40000)
        answered = answer(connection)
    heads = re.findall(rb"HTTP/1.1 (\d+)", answered)
    assert heads == [b"200", b"200", b"200", b"400"]
    bodies = [json.loads(found) for found in re.findall(rb"\{\"label.*?\}(?=HTTP)", answered)]
    assert len(bodies) == 3
    assert bodies[0]["probabilities"] == bodies[1]["probabilities"] == bodies[2]["probabilities"]


class Transport(asyncio.Transport):
    """Of a client that is far away."""

    paused, protocol, said = False, None, b""

    def write(self, data):
        self.said += data

    def can_write_eof(self):
        return False

    def abort(self):
        pass

    def pause_reading(self):
        self.paused = True

    def get_protocol(self):
        return self.protocol

    def set_write_buffer_limits(self, high=None, low=None):
        pass


def connection_to_nowhere():
    """A connection of the service without one, its transport and its server's state."""

    async def never(scope, receive, send):
        await asyncio.Event().wait()

    state = ServerState()
    config = Config(never, http="h11", ws="none")
    config.load()
    one = http_protocol(Limits())(config=config, server_state=state, app_state={})
    transport = Transport()
    transport.protocol = one
    one.connection_made(transport)
    return one, transport, state


def test_what_waits_for_its_turn_is_not_parsed():
    """The parser would go through all of it at once, after the answer."""

    async def held():
        one, transport, state = connection_to_nowhere()
        one.data_received(HEAD + b"Content-Length: 4000\r\n\r\n" + bytes(4000 + 60000))
        for task in state.tasks:
            task.cancel()
        return transport.paused, len(one.conn.trailing_data[0])

    paused, parsed = asyncio.run(held())
    assert paused
    assert 0 < parsed < 16384


def test_what_comes_after_a_refusal_is_not_kept():
    async def refused():
        one, transport, _ = connection_to_nowhere()
        one.data_received(b"no HTTP\r\n\r\n")
        assert transport.said.startswith(b"HTTP/1.1 400")
        tracemalloc.start()
        for _ in range(100):
            one.data_received(bytes(65536))
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return kept

    assert asyncio.run(refused()) < 65536


def test_one_that_is_refused_and_gone_leaves_no_traceback(small_gban, tmp_path):
    with Server(small_gban, tmp_path, limits={"connections": 2}) as server:
        others = [server.connect() for _ in range(2)]
        for _ in range(50):
            server.connect().close()
        for one in others:
            one.close()
        until(lambda: server.http.get("/healthz").status_code == 200)
    assert "Traceback" not in server.log.read_text()


def test_a_head_of_what_words_may_have_is_taken_however_it_comes(server):
    """15000 characters of them; h11's own limit would depend on the pieces."""
    head = HEAD.replace(b"recognize", b"recognize?words=" + b"w2+" * 5000)
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for first in range(0, len(head), 8000):
            connection.sendall(head[first : first + 8000])
        connection.sendall(b"Connection: close\r\nContent-Length: 0\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 200")


def test_connections_beyond_the_limit_get_429(small_gban, tmp_path):
    with Server(small_gban, tmp_path, limits={"connections": 4}) as server:
        others = [server.connect() for _ in range(3)]
        assert server.http.get("/healthz").status_code == 200
        for _ in range(10):  # those who have sent their request too
            with server.connect() as one_more:
                one_more.sendall(HEAD + b"Content-Length: 50000\r\n\r\n" + bytes(50000))
                assert status_of(answer(one_more)) == (429, "busy")
        for one in others:
            one.close()
        until(lambda: server.http.get("/healthz").status_code == 200)
