"""Who may come in, and the headers that every answer carries.

A page of another site must not use a service on this machine. A browser sends such a page's address
as Origin, which is compared; and a name that an attacker makes point to 127.0.0.1 (DNS rebinding)
arrives as Host, which must be one of this machine's.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gban_edge.serve.errors import ApiError
from gban_edge.serve.metrics import Counter
from gban_edge.serve.options import LOOPBACK, ServeOptions

log = logging.getLogger("gban_edge.serve")
DRAIN_SECONDS = 1.0
# What the pages of sites that the server was told of may do.
CROSS_ORIGIN = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type",
    "access-control-expose-headers": "retry-after",
    "access-control-max-age": "600",
}
HEADERS = {
    # A page without outside assets; blob: is sound that the page holds itself.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",  # an address may hold the token
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Checks Host, Origin and token before ``app`` sees a request; counts and hardens answers.

    Args:
        app: the application.
        options: names and token.
        requests: counts answers by path and status.
        paths: those that there are; others get 404, and are counted as "other".
        open_paths: those of them that need no token. Every other one does, whoever would answer it.
    """

    def __init__(
        self,
        app: ASGIApp,
        options: ServeOptions,
        requests: Counter,
        paths: frozenset[str],
        open_paths: frozenset[str],
    ) -> None:
        self._app, self._options, self._requests = app, options, requests
        self._paths, self._open = paths, open_paths
        self._hosts = {*LOOPBACK, *(one.lower() for one in (options.host, *options.hosts))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer, request = _Answer(send, self._cross_origin(scope)), _Request(receive)
        try:
            await self._answer(scope, request, answer)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._requests.add(path, str(answer.status or 499))

    async def _answer(self, scope: Scope, request: _Request, answer: _Answer) -> None:
        try:
            self._check(scope)
            if _is_preflight(scope):
                await Response(status_code=204)(scope, request, answer)
            elif scope["path"] not in self._paths:
                raise ApiError(404, "not_found", "no such path; /openapi.json lists them")
            else:
                await self._app(scope, request, answer)
        except ApiError as error:
            await self._refuse(error, scope, request, answer)
        except asyncio.CancelledError:  # the server stops, and waited for long enough
            if not answer.status:
                await self._refuse(
                    ApiError(503, "stopping", "the server is stopping", {"retry-after": "5"}),
                    scope, request, answer,
                )  # fmt: skip
            raise
        except Exception as error:
            # Neither its message nor a traceback, which might quote what was said.
            log.error("%s in %s", type(error).__name__, _where(error))
            if not answer.status:
                await self._refuse(
                    ApiError(500, "internal", "the server failed; its log says where"),
                    scope, request, answer,
                )  # fmt: skip

    def _cross_origin(self, scope: Scope) -> dict[str, str]:
        """Headers that let a page of an allowed site read the answer."""
        origin = Headers(scope=scope).get("origin")
        if origin is None or origin not in self._options.origins:
            return {}
        return {**CROSS_ORIGIN, "access-control-allow-origin": origin, "vary": "origin"}

    async def _refuse(
        self, error: ApiError, scope: Scope, request: _Request, send: _Answer
    ) -> None:
        response = error.response()
        if scope["type"] == "http" and not request.ended:
            # The rest of the body is read for a while: closing a connection on which bytes still
            # arrive resets it, and the client would not see the answer.
            response.headers["connection"] = "close"
            await response(scope, request, send.unfinished)
            await request.drain(self._options.limits.body_bytes)
            await send({"type": "http.response.body", "body": b""})
        elif scope["type"] == "websocket" and "websocket.http.response" not in (
            scope.get("extensions") or {}
        ):
            await send({"type": "websocket.close", "code": 1008, "reason": error.code})
        else:
            await response(scope, request, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers.get("host", ""))
        self._check_origin(headers, scope)
        guarded = scope["path"] not in self._open and not _is_preflight(scope)
        if self._options.token is not None and guarded:
            self._check_token(headers, scope)

    def _check_host(self, host: str) -> None:
        if not self._options.loopback and not self._options.hosts:
            return  # any name of this machine; the token keeps strangers out
        if hostname(host) not in self._hosts:
            raise ApiError(
                403, "host", "Host must be a name of this machine (localhost, 127.0.0.1, or one "
                "that the server was told to answer to)",
            )  # fmt: skip

    def _check_origin(self, headers: Headers, scope: Scope) -> None:
        origin = headers.get("origin")
        if origin is None:
            # An older browser, or a GET: fetch metadata says it, where there is any.
            if headers.get("sec-fetch-site") == "cross-site" and scope["path"] not in self._open:
                raise ApiError(403, "origin", "pages of other sites may not use this service")
            return
        scheme = "https" if scope["scheme"] in ("https", "wss") else "http"
        same = f"{scheme}://{headers.get('host', '')}"
        if origin != same and origin not in self._options.origins:
            raise ApiError(
                403, "origin", "pages of other sites may not use this service, unless the server "
                "is told so",
            )  # fmt: skip

    def _check_token(self, headers: Headers, scope: Scope) -> None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            query = parse_qs(scope["query_string"].decode("latin-1"))
            given = query.get("token", [""])[0]
        wanted = (self._options.token or "").encode()
        if not hmac.compare_digest(given.strip().encode("utf-8", "replace"), wanted):
            raise ApiError(
                401, "token", "this server needs its token: Authorization: Bearer TOKEN, or "
                "?token=TOKEN", {"www-authenticate": "Bearer"},
            )  # fmt: skip


class _Answer:
    """``send`` that adds the headers and remembers the status."""

    def __init__(self, send: Send, more: Mapping[str, str]) -> None:
        self._send, self.status = send, 0
        self._headers = {**HEADERS, **more}

    async def __call__(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        elif message["type"] == "websocket.accept":
            self.status = 101
        await self._send(message)

    async def unfinished(self, message: Message) -> None:
        """Send, but leave the body open."""
        await self({**message, "more_body": True} if "body" in message else message)


class _Request:
    """``receive`` that knows whether the whole body came."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self.ended = receive, False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.ended = not message.get("more_body", False)
        return message

    async def drain(self, most: int) -> None:
        """Forget the rest of the body: at most so many bytes of it, and one second."""

        async def read() -> None:
            left = most
            while not self.ended and left > 0:
                left -= len((await self()).get("body", b""))

        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(read(), DRAIN_SECONDS)


def _is_preflight(scope: Scope) -> bool:
    """A browser asks what another site's page may do; :meth:`Guard._check_origin` let it pass."""
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    headers = Headers(scope=scope)
    return "origin" in headers and "access-control-request-method" in headers


def hostname(host: str) -> str:
    """The name in a Host header, in lower case; empty for none.

    >>> hostname("LocalHost:8765"), hostname("[::1]:80"), hostname("a@b:1:2")
    ('localhost', '::1', '')
    """
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    return "" if "@" in host or parts.path or parts.query else parts.hostname or ""


def _where(error: BaseException) -> str:
    """File and line where ``error`` was raised."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return "an unknown place"
    return f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
