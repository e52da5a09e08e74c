"""The application behind uvicorn, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gban_edge.runtime.recognizer import EmotionRecognizer
from gban_edge.serve.app import create_app
from gban_edge.serve.options import Limits, ServeOptions
from gban_edge.serve.service import Service

FULL = (
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: 74\r\n\r\n"
    b'{"error":{"code":"busy","message":"too many connections; try again soon"}}'
)


def run(
    recognizer: EmotionRecognizer,
    options: ServeOptions | None = None,
    started: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way.

    Args:
        recognizer: what answers.
        options: where, for whom, and how much at most.
        started: called with the service's address once it answers.

    Raises:
        OSError: the address cannot be listened on.
        RuntimeError: the network failed on a second of silence.
    """
    options = options or ServeOptions()
    app = create_app(recognizer, options)
    listening = listen(options)
    config = uvicorn.Config(
        app,
        http=_protocol(options.limits),
        ws=_socket_protocol(options.limits),
        ws_max_size=options.limits.message_bytes,
        ws_per_message_deflate=False,  # a small message must not become a large one
        timeout_keep_alive=5,
        timeout_graceful_shutdown=max(1, round(options.limits.grace_seconds)),
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.key,
        lifespan="on",
    )
    # Its lines quote addresses, and so a token or words; the service logs for itself.
    for name in ("uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    server = _Server(config, app.state.service, lambda: started(address(options, listening)))
    with listening:
        server.run(sockets=[listening])
    if not server.answered:
        raise RuntimeError(app.state.service.failure or "the server did not start")


def listen(options: ServeOptions) -> socket.socket:
    """The socket that the options ask for.

    Raises:
        OSError: no such address here, or its port is taken.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # With its protocol named: asyncio sets TCP_NODELAY on such sockets alone, and without it every
    # answer waits for the client's delayed acknowledgement, 40 ms.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((options.host, options.port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise OSError(
            error.errno, f"{options.host}, port {options.port}, cannot be listened on: "
            f"{error.strerror}; another port: --port, or 0 for a free one",
        ) from None  # fmt: skip
    return found


def address(options: ServeOptions, listening: socket.socket) -> str:
    """Where a browser finds the service."""
    scheme = "http" if options.certificate is None else "https"
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"{scheme}://{host}:{listening.getsockname()[1]}"


class _Server(uvicorn.Server):
    """Says when it answers; lets streams end before uvicorn cuts them; ends with status 0."""

    def __init__(
        self, config: uvicorn.Config, service: Service, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._service, self._tell = service, started
        self.answered = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self.answered = True
            self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        await self._service.drain()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, which raises the signal again at the end: a stop that was asked for is no
        failure."""
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _protocol(limits: Limits) -> type[H11Protocol]:
    """uvicorn's HTTP with a limit of connections, and of the time a request's head may take."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._idle_since = self.loop.time()
            self._watch: Any = None
            if len(self.connections) > limits.connections:
                transport.write(FULL)
                transport.close()
                return
            self._watch = self.loop.call_later(limits.head_seconds, self._look)

        def on_response_complete(self) -> None:
            self._idle_since = self.loop.time()
            super().on_response_complete()

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

        def connection_lost(self, exc: Exception | None) -> None:
            if self._watch is not None:
                self._watch.cancel()
            super().connection_lost(exc)

    return Protocol


def _socket_protocol(limits: Limits) -> type[WebSocketsSansIOProtocol]:
    """uvicorn's WebSocket, which cuts a client that does not take what is left for it."""

    class Protocol(WebSocketsSansIOProtocol):
        async def run_asgi(self) -> None:
            await super().run_asgi()
            self.loop.call_later(limits.send_seconds, self.transport.abort)

    return Protocol
