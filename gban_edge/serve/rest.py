"""``POST /v1/recognize`` and what a program may ask about the service."""

from __future__ import annotations

import asyncio
import io
from time import perf_counter

import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gban_edge.features import MAX_SECONDS, SAMPLE_RATE
from gban_edge.runtime.result import Result
from gban_edge.runtime.sound import check_rate
from gban_edge.serve import metrics
from gban_edge.serve.errors import ApiError
from gban_edge.serve.openapi import document
from gban_edge.serve.service import Service

RAW = "application/octet-stream"
MOST_WORDS_TEXT = 16384  # characters; the head of a request has a limit of its own below 64 KiB


class _Sent(io.BytesIO):
    """A sound file as messages call it."""

    name = "the sound that was sent"


class Rest:
    """The endpoints, on ``service``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def recognize(self, request: Request) -> Response:
        """The sound in the body and the words in the query -> a result."""
        begin = perf_counter()
        service = self._service
        service.check()
        service.recognitions.check()  # before the sound is sent in vain
        raw = _is_raw(request)
        words, rate = _words(request), _rate(request)
        with service.uploads.held():
            body = await _body(request, service.limits.body_bytes, service.limits.body_seconds)
        if raw and len(body) % 2:
            raise ApiError(
                400, "odd_body", f"16-bit samples are 2 bytes each, got {len(body)} bytes"
            )
        result = await service.recognize(lambda: self._hear(body, raw, words, rate))
        service.metrics.request_seconds.observe(perf_counter() - begin)
        return JSONResponse(result.to_dict())

    def _hear(self, body: bytes, raw: bool, words: str, rate: int | None) -> Result:
        """In a worker thread."""
        if raw:
            pcm = np.frombuffer(body, "<i2")
            return self._service.recognizer(pcm, words, SAMPLE_RATE if rate is None else rate)
        if not body:
            raise ValueError("the sound that was sent is empty")
        return self._service.recognizer(_Sent(body), words, rate)

    async def model(self, _: Request) -> Response:
        recognizer = self._service.recognizer
        return JSONResponse({
            "labels": list(recognizer.labels), "backend": recognizer.backend,
            "backend_reason": recognizer.backend_reason, "max_seconds": MAX_SECONDS,
        })  # fmt: skip

    async def no_websocket(self, _: Request) -> Response:
        raise ApiError(
            426, "websocket", "this path is a WebSocket; POST /v1/recognize takes a whole sound",
            {"upgrade": "websocket", "connection": "upgrade"},
        )  # fmt: skip

    async def health(self, _: Request) -> Response:
        reason = self._service.unready()
        if reason is not None:
            if self._service.options.token is not None and not self._service.stopping.is_set():
                reason = "the network failed; the server's log says why"  # this path is open
            return JSONResponse({"status": "unready", "reason": reason}, 503)
        return JSONResponse({"status": "ready", "backend": self._service.recognizer.backend})

    async def metrics(self, _: Request) -> Response:
        return PlainTextResponse(self._service.metrics.text(), media_type=metrics.CONTENT_TYPE)

    async def openapi(self, _: Request) -> Response:
        return JSONResponse(document(self._service.options))


def _is_raw(request: Request) -> bool:
    """The body is PCM and no file."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == RAW:
        return True
    if kind.startswith("audio/"):
        return False
    raise ApiError(
        415, "content_type", f"Content-Type must be audio/wav (a sound file) or {RAW} (int16 "
        "little-endian mono)",
    )  # fmt: skip


def _words(request: Request) -> str:
    words = request.query_params.get("words", "")
    if len(words) > MOST_WORDS_TEXT:
        raise ApiError(
            400, "words", f"words must have at most {MOST_WORDS_TEXT} characters, got {len(words)}"
        )
    return words


def _rate(request: Request) -> int | None:
    text = request.query_params.get("sample_rate")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ApiError(400, "sample_rate", "sample_rate must be an integer")
    try:
        check_rate(int(text))
    except ValueError as error:
        raise ApiError(400, "sample_rate", str(error)) from None
    return int(text)


async def _body(request: Request, most: int, seconds: float) -> bytes:
    """The whole body.

    Raises:
        ApiError: 400 for a client that left, 408 for a slow one, 413 for more than ``most`` bytes.
    """
    too_much = ApiError(
        413, "too_large", f"the body may have {most} bytes; send the {MAX_SECONDS:g} s that are "
        "heard",
    )  # fmt: skip
    length = request.headers.get("content-length", "0")
    if int(length) > most:
        raise too_much
    body = bytearray()

    async def read() -> None:
        async for piece in request.stream():
            if len(body) + len(piece) > most:
                raise too_much
            body.extend(piece)

    try:
        await asyncio.wait_for(read(), seconds)
    except asyncio.TimeoutError:
        raise ApiError(408, "slow", f"the body did not arrive within {seconds:g} s") from None
    except ClientDisconnect:
        raise ApiError(400, "disconnected", "the client left before its sound was sent") from None
    return bytes(body)
