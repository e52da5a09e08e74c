"""uvicorn's connections, with limits for clients that stall, flood, or are too many.

What is used of uvicorn besides asyncio's own protocol: of H11Protocol ``transport``, ``loop``,
``flow``, ``connections``, ``headers``, ``cycle``, ``on_response_complete`` and
``send_400_response``; of the WebSocket ``transport``, ``loop``, ``frames`` and ``run_asgi``.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gban_edge.serve.errors import ApiError
from gban_edge.serve.options import Limits

HEAD_BYTES = 64 << 10  # of a request's head
MOST_FRAMES = 1024  # of one WebSocket message
LINGER_SECONDS = 1.0
READ_BYTES = 64 << 10  # of one connection at once: asyncio's 256 KiB can hold the loop for long
PIECE = 4 << 10
SIZED_PIECE = 16 << 10  # of a body whose length was told, which costs the same in any pieces
MOST_CHUNK_LINES = 2 * PIECE // 64  # each chunk costs the same: 64 bytes of it are 2 ms of sound


def http_protocol(limits: Limits) -> type[H11Protocol]:
    """uvicorn's HTTP with a limit of connections, of the time a request's head may take, and of the
    time that an answer may wait for its client to take it."""

    class Protocol(H11Protocol):
        _refused = False
        _held = b""  # of a client that does not wait for the answer to send its next request

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.max_size = READ_BYTES
            transport.set_write_buffer_limits(high=1)  # pause_writing: the client leaves bytes
            self._idle_since = self.loop.time()
            self._stalled: asyncio.TimerHandle | None = None
            self._watch = self.loop.call_later(limits.head_seconds, self._look)
            if len(self.connections) > limits.connections:
                self._refuse(ApiError(429, "busy", "too many connections; try again soon"))

        def data_received(self, data: bytes) -> None:
            if self._refused:
                return
            self._held += data
            while self._held and self.transport.get_protocol() is self:
                if self._answers():
                    self.flow.pause_reading()
                    return
                self._take(self._body_comes_in_chunks())

        def _take(self, chunked: bool | None) -> None:
            """Give uvicorn's parser, which stops for nothing but a request, the next piece."""
            size = SIZED_PIECE if chunked is False else PIECE
            piece, self._held = self._held[:size], self._held[size:]
            if chunked and piece.count(b"\r\n") > MOST_CHUNK_LINES:
                self._refuse(ApiError(400, "http", "the chunks of the body are too small"))
            else:
                super().data_received(piece)

        def _answers(self) -> bool:
            """Whether a request came whole and waits for its answer."""
            cycle = self.cycle
            return cycle is not None and not cycle.more_body and not cycle.response_complete

        def _body_comes_in_chunks(self) -> bool | None:
            """Of the request whose body is arriving; None if none is."""
            if self.cycle is None or not self.cycle.more_body:
                return None
            return any(name == b"transfer-encoding" for name, _ in self.headers)

        def on_response_complete(self) -> None:
            self._idle_since = self.loop.time()
            super().on_response_complete()
            if self._held:
                self.loop.call_soon(self.data_received, b"")

        def send_400_response(self, msg: str) -> None:
            self._refuse(ApiError(400, "http", "this is no HTTP/1.1 request, or its head too long"))

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stalled = self.loop.call_later(limits.send_seconds, self._abort_if_stalled)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._forget_stall()

        def connection_lost(self, exc: Exception | None) -> None:
            self._watch.cancel()
            self._forget_stall()
            super().connection_lost(exc)

        def _refuse(self, error: ApiError) -> None:
            """Answer without the application, and let what still arrives fall: closing on it would
            reset the connection under the answer."""
            self._refused, self._held = True, b""
            self.transport.write(answer_bytes(error))
            if self.transport.can_write_eof():
                with suppress(OSError):  # the client is gone already
                    self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)

        def _forget_stall(self) -> None:
            if self._stalled is not None:
                self._stalled.cancel()
                self._stalled = None

        def _abort_if_stalled(self) -> None:
            if self.transport.get_write_buffer_size():
                self.transport.abort()

        def _look(self) -> None:
            """Close the connection if no request's head came whole for so long."""
            if self.transport.get_protocol() is not self or self.transport.is_closing():
                return  # a WebSocket by now, or gone
            waited = self.loop.time() - self._idle_since
            if self.cycle is not None and not self.cycle.response_complete:
                waited = 0.0  # a request is under way, which has limits of its own
            if waited >= limits.head_seconds:
                self.transport.close()
            else:
                self._watch = self.loop.call_later(limits.head_seconds - waited, self._look)

    return Protocol


def socket_protocol(limits: Limits) -> type[WebSocketsSansIOProtocol]:
    """uvicorn's WebSocket, which cuts a client that does not take what is left for it, or that
    sends what no message comes of."""

    class Protocol(WebSocketsSansIOProtocol):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            # Pings are answered whether or not the answers are taken, and empty pieces of a
            # message have no size: neither ever reaches the application's limits.
            unread = self.transport.get_write_buffer_size()
            if unread > limits.message_bytes or len(self.frames) > MOST_FRAMES:
                self.transport.abort()

        async def run_asgi(self) -> None:
            await super().run_asgi()
            self.loop.call_later(limits.send_seconds, self.transport.abort)

    return Protocol


def answer_bytes(error: ApiError) -> bytes:
    """An answer that closes its connection, as it is sent."""
    body = json.dumps(error.body(), separators=(",", ":")).encode()
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "content-type: application/json", f"content-length: {len(body)}", "connection: close",
        "x-content-type-options: nosniff", "cache-control: no-store",
        *(["retry-after: 1"] if error.status == HTTPStatus.TOO_MANY_REQUESTS else []),
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
