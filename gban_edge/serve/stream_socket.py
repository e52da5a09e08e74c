"""``/v1/stream``: sound in, events out, over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal, NoReturn

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from gban_edge.features import SAMPLE_RATE
from gban_edge.runtime.sound import check_rate
from gban_edge.serve.errors import ApiError, StreamError
from gban_edge.serve.listening import ByHand, ByVoice, Event, Listener
from gban_edge.serve.service import Service

GOING_AWAY, UNREADABLE, POLICY, FAILED, TRY_LATER = 1001, 1007, 1008, 1011, 1013
Stopping = asyncio.Task[Literal[True]]
GONE = 1006  # what a client that left without a word is counted as


async def stream_socket(socket: WebSocket, service: Service) -> None:
    """One client's stream, from its handshake to its close."""
    await socket.accept()
    try:
        with service.streams.held():
            await _Stream(socket, service).run()
            code = 1000
    except ApiError as error:  # no room
        code = await _close(socket, StreamError(TRY_LATER, error.code, error.message), service)
    except StreamError as error:
        code = await _close(socket, error, service)
    except WebSocketDisconnect as left:
        code = left.code or GONE
    # A client chooses its code: only those of the standard are counted by number.
    service.metrics.streams.add(str(code) if code in range(1000, 1016) else "other")


async def _close(socket: WebSocket, error: StreamError, service: Service) -> int:
    """Say why, and close; a client that takes nothing is left to the server's close timer."""

    async def say() -> None:
        await socket.send_json(error.event())
        await socket.close(error.close, error.reason())

    try:
        await asyncio.wait_for(say(), service.limits.send_seconds)
    except (asyncio.TimeoutError, WebSocketDisconnect, RuntimeError):
        return GONE
    return error.close


class _Stream:
    """What one client sent so far."""

    def __init__(self, socket: WebSocket, service: Service) -> None:
        self._socket, self._service = socket, service
        self._limits = service.limits
        self._rate = SAMPLE_RATE
        self._listener: Listener | None = None
        self._end = asyncio.get_running_loop().time() + self._limits.stream_seconds

    async def run(self) -> None:
        """Until the client leaves (WebSocketDisconnect) or must (StreamError)."""
        stopping = asyncio.create_task(self._service.stopping.wait())
        try:
            while True:
                await self._take(await self._next(stopping))
        finally:
            stopping.cancel()

    async def _next(self, stopping: Stopping) -> dict[str, Any]:
        """The next message; not one more once the server stops."""
        left = self._end - asyncio.get_running_loop().time()
        message: asyncio.Task[dict[str, Any]] = asyncio.create_task(_receive(self._socket))
        try:
            both: set[asyncio.Task[Any]] = {message, stopping}
            await asyncio.wait(
                both,
                timeout=max(0.0, min(self._limits.idle_seconds, left)),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if stopping.done():
                raise StreamError(GOING_AWAY, "stopping", "the server is stopping")
            if not message.done():
                self._overdue(left)
            return message.result()
        finally:
            message.cancel()

    def _overdue(self, left: float) -> NoReturn:
        if left <= self._limits.idle_seconds:
            text = f"a stream may last {self._limits.stream_seconds:g} s"
        else:
            text = f"nothing came for {self._limits.idle_seconds:g} s"
        raise StreamError(POLICY, "timeout", text)

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or GONE)
        if message.get("bytes") is not None:
            await self._sound(message["bytes"])
        else:
            await self._command(_object(message["text"]))

    async def _sound(self, raw: bytes) -> None:
        listener = self._started()
        if len(raw) % 2:
            raise StreamError(
                UNREADABLE, "odd_frame", f"16-bit samples are 2 bytes each, got {len(raw)} bytes"
            )
        self._service.metrics.sound_seconds.add(by=len(raw) / 2 / self._rate)
        await self._tell(await self._listen(lambda: listener.push(np.frombuffer(raw, "<i2"))))

    async def _command(self, command: dict[str, Any]) -> None:
        kind = command.get("type")
        if kind == "start":
            await self._start(command)
        elif kind == "words":
            listener, words = self._started(), _text(command, "text")
            once = _flag(command, "once")
            await self._listen(lambda: listener.say(words or "", once))
        elif kind == "end":
            await self._tell(await self._listen(self._started().end))
        else:
            raise StreamError(POLICY, "type", 'type must be "start", "words" or "end"')

    async def _start(self, command: dict[str, Any]) -> None:
        if self._listener is not None:
            raise StreamError(POLICY, "started", "the stream has begun; open another one")
        rate, words = command.get("sample_rate", SAMPLE_RATE), _text(command, "words")
        by_hand = _flag(command, "by_hand")
        try:
            check_rate(rate)
        except ValueError as error:
            raise StreamError(POLICY, "sample_rate", str(error)) from None
        self._rate = rate
        options = self._service.options
        make = ByHand if by_hand else options.listener or ByVoice
        recognizer = self._service.recognizer
        self._listener = await self._listen(lambda: make(recognizer, rate, words, options.words))
        await self._send({"type": "ready"})

    def _started(self) -> Listener:
        if self._listener is None:
            raise StreamError(POLICY, "start", 'a stream begins with {"type": "start"}')
        return self._listener

    async def _listen(self, work: Any) -> Any:
        """In a worker thread; its errors as what ends the stream."""
        try:
            return await self._service.listen(work)
        except ValueError as error:
            raise StreamError(UNREADABLE, "unprocessable", str(error)) from None
        except RuntimeError as error:
            self._service.failed(error)
            raise StreamError(FAILED, "network_failed", self._service.failure or "") from None

    async def _tell(self, events: list[Event]) -> None:
        for event in events:
            if event["type"] == "result":
                self._service.metrics.utterances.add()
                self._service.worked(event["result"]["timings"])
            await self._send(event)

    async def _send(self, event: Event) -> None:
        try:
            await asyncio.wait_for(self._socket.send_json(event), self._limits.send_seconds)
        except asyncio.TimeoutError:
            raise StreamError(POLICY, "stalled", "events are not being taken") from None
        except RuntimeError:  # starlette's or the server's word for a closed connection
            raise WebSocketDisconnect(GONE) from None


async def _receive(socket: WebSocket) -> dict[str, Any]:
    return dict(await socket.receive())


def _object(text: str) -> dict[str, Any]:
    """A JSON object; NaN and infinities, which are no JSON, are refused."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(word)

    try:
        value = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise StreamError(UNREADABLE, "json", "a text message must be a JSON object") from None
    if not isinstance(value, dict):
        raise StreamError(UNREADABLE, "json", "a text message must be a JSON object")
    return value


def _text(command: dict[str, Any], name: str) -> str | None:
    value = command.get(name)
    if value is not None and not isinstance(value, str):
        raise StreamError(POLICY, name, f"{name} must be a text or null")
    return value


def _flag(command: dict[str, Any], name: str) -> bool:
    value = command.get(name, False)
    if not isinstance(value, bool):
        raise StreamError(POLICY, name, f"{name} must be true or false")
    return value
