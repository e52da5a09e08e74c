"""The application behind uvicorn, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from gban_edge.runtime.recognizer import EmotionRecognizer
from gban_edge.serve.app import create_app
from gban_edge.serve.connections import HEAD_BYTES, http_protocol, socket_protocol
from gban_edge.serve.options import ServeOptions
from gban_edge.serve.service import Service
from gban_edge.serve.tls import tls_context

FLUSH_SECONDS = 1  # for what was answered to leave


def run(
    recognizer: EmotionRecognizer,
    options: ServeOptions | None = None,
    started: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way; in the main thread.

    A second signal does not wait for them.

    Args:
        recognizer: what answers.
        options: where, for whom, and how much at most.
        started: called with the service's address once it answers.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: a certificate or key that cannot be used.
        RuntimeError: the network failed on a second of silence; or it was told to stop, and
            requests had not ended ``grace_seconds`` later. No thread that may be stuck is waited
            for: the process can end.
    """
    options = options or ServeOptions()
    app = create_app(recognizer, options)
    config = _config(app, options)
    listening = listen(options)
    # Its lines quote addresses, and so a token or words; the service logs for itself.
    for name in ("uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    service: Service = app.state.service
    server = _Server(config, service, lambda: started(address(options, listening)))
    with listening, suppress(SystemExit):  # uvicorn's, where the application did not start
        server.run(sockets=[listening])
    if server.left:
        raise RuntimeError(
            f"{server.left} under way had not ended when the server stopped, "
            f"{server.waited:.0f} s after it was told to"
        )
    if not (server.answered or server.told):
        raise RuntimeError(service.failure or "the server did not start")


def _config(app: Any, options: ServeOptions) -> uvicorn.Config:
    context = None
    if options.certificate is not None and options.key is not None:
        context = tls_context(options.certificate, options.key)
    return _Config(
        app,
        options.limits.head_seconds,
        http=http_protocol(options.limits),
        ws=socket_protocol(options.limits),
        ws_max_size=options.limits.message_bytes,
        ws_per_message_deflate=False,  # a small message must not become a large one
        h11_max_incomplete_event_size=HEAD_BYTES,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=FLUSH_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ssl_context_factory=None if context is None else lambda *_: context,
        lifespan="on",
    )


class _Config(uvicorn.Config):
    """uvicorn's, with an event loop that gives a TLS handshake so many seconds, not a minute."""

    def __init__(self, app: Any, handshake_seconds: float, **options: Any) -> None:
        super().__init__(app, **options)
        self._handshake_seconds = handshake_seconds

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        return lambda: _Loop(self._handshake_seconds)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, handshake_seconds: float) -> None:
        super().__init__()
        self._handshake_seconds = handshake_seconds

    async def create_server(self, *args: Any, **options: Any) -> Any:
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = self._handshake_seconds
        return await super().create_server(*args, **options)


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


def notify(state: str) -> None:
    """Tell systemd, where a unit of Type=notify runs this, and nobody elsewhere."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor, suppress(OSError):
        supervisor.connect(place.replace("@", "\0", 1) if place[0] == "@" else place)
        supervisor.send(state.encode())


class _Server(uvicorn.Server):
    """Says when it answers; lets what is under way end before uvicorn cuts it; ends with status 0.

    Attributes:
        answered: it started.
        told: a signal told it to stop.
        left: how many requests and streams had not ended when it stopped.
        waited: seconds that they were given.
    """

    def __init__(
        self, config: uvicorn.Config, service: Service, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._service, self._tell = service, started
        self.answered, self.told, self.left, self.waited = False, False, 0, 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self.answered = True
            self._tell()
            notify("READY=1")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        notify("STOPPING=1")
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        begin = loop.time()
        self.left = await self._service.drain(lambda: self.force_exit)
        self.waited = loop.time() - begin
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A second signal of either kind means: now."""
        if self.told:
            self.force_exit = True
        self.told = True
        super().handle_exit(sig, frame)

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
