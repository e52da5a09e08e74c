"""Where the service listens, who may use it, and how much of it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields
from urllib.parse import urlsplit

from gban_edge.serve.listening import ListenerFactory, WordSource
from gban_edge.serve.tls import tls_context

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Limits:
    """What one server gives at most; beyond it a request gets 429 at once, a stream 1013.

    Attributes:
        body_bytes: of one request's sound. 7.5 s at 48 kHz, stereo, 32 bits are 2.9 MB.
        body_seconds: for a client to send its sound.
        answer_seconds: for the network to answer, its turn included.
        workers: threads that run the network for requests, and as many for streams.
        recognitions: requests that are being answered or wait for a worker.
        uploads: requests whose sound is arriving; with body_bytes this bounds the memory.
        streams: open WebSockets.
        message_bytes: of one WebSocket message.
        idle_seconds: that a stream may send nothing.
        stream_seconds: that a stream may last.
        send_seconds: for a client to take an answer or event.
        head_seconds: for a connection to send the head of its next request.
        connections: open at once, streams included.
        grace_seconds: that SIGTERM leaves to requests under way.
    """

    body_bytes: int = 4 << 20
    body_seconds: float = 10.0
    answer_seconds: float = 10.0
    workers: int = 2
    recognitions: int = 4
    uploads: int = 32
    streams: int = 8
    message_bytes: int = 256 << 10
    idle_seconds: float = 60.0
    stream_seconds: float = 4 * 3600.0
    send_seconds: float = 10.0
    head_seconds: float = 10.0
    connections: int = 256
    grace_seconds: float = 15.0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            counted = isinstance(one.default, int)
            if isinstance(value, bool) or not isinstance(value, int if counted else (int, float)):
                kind = "an integer" if counted else "a number"
                raise ValueError(f"{one.name} must be {kind}, got {value!r}")
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{one.name} must be finite and above 0, got {value!r}")
        if self.recognitions < self.workers:
            raise ValueError(
                f"recognitions must be at least workers, {self.workers}, got {self.recognitions}"
            )


@dataclass(frozen=True)
class ServeOptions:
    """How to serve.

    Attributes:
        host: the address to listen on; another than loopback needs ``token``.
        port: 0 takes a free one.
        token: what clients must send, at least 16 visible ASCII characters; None asks for none.
        hosts: names, besides loopback's and ``host``, that a request's Host may have.
        origins: other sites whose pages may use this service ("https://kiosk.example").
        certificate: a PEM file, for https; with ``key``.
        key: its private key, a PEM file without a passphrase.
        words: what hears words in a stream where its client sends none.
        listener: makes the listener of a stream; the default hears where speech begins and ends.
        limits: how much is given at most.

    Raises:
        ValueError: an address beyond loopback without a token; a bad token or origin; a
            certificate or key that cannot be used.
        FileNotFoundError: no such certificate or key.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    words: WordSource | None = None
    listener: ListenerFactory | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must lie in 0..65535, got {self.port}")
        if self.token is not None:
            _check_token(self.token)
        elif self.host not in LOOPBACK:
            raise ValueError(
                f"host {self.host} lets other machines in: "
                f"give a token of at least {SHORTEST_TOKEN} characters, or use 127.0.0.1"
            )
        for origin in self.origins:
            _check_origin(origin)
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key must be given together")
        if self.certificate is not None and self.key is not None:
            tls_context(self.certificate, self.key)

    @property
    def loopback(self) -> bool:
        """Only programs of this machine reach the service."""
        return self.host in LOOPBACK


def _check_token(token: str) -> None:
    """ValueError, which does not quote it."""
    if len(token) < SHORTEST_TOKEN or not all("!" <= c <= "~" for c in token):
        raise ValueError(
            f"token must have at least {SHORTEST_TOKEN} visible ASCII characters, got {len(token)} "
            "characters; for one: python -c 'import secrets; print(secrets.token_urlsafe())'"
        )


def _check_origin(origin: str) -> None:
    parts = urlsplit(origin)
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme)
    sent = f"{parts.scheme}://{parts.netloc}".lower()  # by browsers, which leave the usual port out
    if usual is None or origin != sent or origin.endswith(usual):
        raise ValueError(
            "origin must be as browsers send it, in lower case and without path or usual port, "
            f'like "https://kiosk.example:8080", got "{origin}"'
        )
