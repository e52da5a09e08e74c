"""A small server for the kiosk page's tests: the local API, answered by a real recogniser.

What the page may load is as strict as it gets (Content-Security-Policy: default-src 'self'). It
can be made busy, ask for a token or be cut off at will, and adds ``extra`` to every result.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from gban_edge import EmotionRecognizer

PAGE = Path(__file__).resolve().parent.parent / "gban_edge" / "serve" / "page"
LOUD = 0.01  # of full scale (root of the mean square): above is speech
PAUSE = 0.4  # seconds of quiet that end an utterance


class Utterances:
    """Blocks of PCM in, (start, end, PCM) of each utterance out, by loudness alone."""

    def __init__(self, rate: int) -> None:
        self.rate, self.time, self.begin, self.quiet = rate, 0.0, None, 0.0
        self.blocks: list[np.ndarray] = []

    def push(self, block: np.ndarray) -> tuple[float, bool, bool]:
        """The block's loudness, whether speech began in it, whether it ended."""
        rms = float(np.sqrt(np.mean(block**2)))
        began = rms > LOUD and self.begin is None
        if began:
            self.begin = self.time
        self.time += len(block) / self.rate
        if self.begin is not None:
            self.blocks.append(block)
            self.quiet = 0.0 if rms > LOUD else self.quiet + len(block) / self.rate
        return rms, began, self.begin is not None and self.quiet > PAUSE

    def take(self) -> tuple[float, float, np.ndarray]:
        start, pcm = self.begin, np.concatenate(self.blocks)
        self.begin, self.blocks, self.quiet = None, [], 0.0
        return start, start + len(pcm) / self.rate, pcm


class PageServer:
    """The API over ``recognizer``; ``results`` are what it answered, ``sent`` what it was told."""

    def __init__(self, recognizer: EmotionRecognizer) -> None:
        self.recognizer, self.busy, self.extra = recognizer, False, {}
        self.token = False  # whether one is asked for, which nobody has
        self.results: list[dict] = []
        self.sent: list[dict] = []
        self.sockets: set[WebSocket] = set()
        self.url, self.loop = "", None
        page = StaticFiles(directory=PAGE, html=True)
        self.app = Starlette(
            routes=[
                Route("/v1/model", self.model),
                Route("/v1/recognize", self.recognize, methods=["POST"]),
                WebSocketRoute("/v1/stream", self.stream),
                Mount("/", page),
            ]
        )

    async def model(self, request: Request) -> Response:
        if self.token:
            return error(401, "token", "this server needs its token")
        known = {"labels": list(self.recognizer.labels), "backend": self.recognizer.backend}
        return JSONResponse({**known, "backend_reason": "", "max_seconds": 7.5})

    def answer(self, pcm: np.ndarray, words: str, rate: int) -> dict:
        self.results.append(self.recognizer(pcm, words, rate).to_dict() | self.extra)
        return self.results[-1]

    async def recognize(self, request: Request) -> Response:
        if self.busy:
            return error(429, "busy", "2 of 2 requests are under way")
        try:
            pcm, rate = soundfile.read(BytesIO(await request.body()), dtype="float32")
        except soundfile.LibsndfileError:
            return error(415, "unreadable", "the body is no sound file")
        return JSONResponse(self.answer(pcm, request.query_params.get("words", ""), rate))

    async def stream(self, channel: WebSocket) -> None:
        if self.token:
            await channel.close()  # before it is accepted: HTTP 403, which a page is not told
            return
        await channel.accept()
        if self.busy:
            await channel.close(1013)
            return
        self.sockets.add(channel)
        try:
            await self.listen(channel)
        except (WebSocketDisconnect, KeyError):  # KeyError: cut off from here
            pass
        finally:
            self.sockets.discard(channel)

    async def listen(self, channel: WebSocket) -> None:
        heard, words = Utterances(16000), ""
        while True:
            message = await channel.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text"):
                told = json.loads(message["text"])
                self.sent.append(told)
                if told["type"] == "start":
                    heard, words = Utterances(told["sample_rate"]), told["words"] or ""
                    await channel.send_json({"type": "ready"})
                elif told["type"] == "words":
                    words = told["text"]
                elif told["type"] == "end" and heard.begin is not None:
                    await self.finish(channel, heard, words)
                continue
            block = np.frombuffer(message["bytes"], "<i2").astype(np.float32) / 32768
            rms, began, ended = heard.push(block)
            if began:
                await channel.send_json({"type": "speech_started", "time": heard.begin})
            state = {"time": heard.time, "rms": rms, "speaking": heard.begin is not None}
            await channel.send_json({"type": "level", **state})
            if ended:
                await self.finish(channel, heard, words)

    async def finish(self, channel: WebSocket, heard: Utterances, words: str) -> None:
        start, end, pcm = heard.take()
        result = self.answer(pcm, words, heard.rate)
        times = {"start": start, "end": end, "latency": 0.001}
        await channel.send_json({"type": "result", **times, "words": words, "result": result})

    def cut_off(self) -> None:
        """Close every stream, as a server that is stopped does."""
        for channel in list(self.sockets):
            asyncio.run_coroutine_threadsafe(channel.close(1012), self.loop).result(10)


def error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def strict(app):
    """``app`` with a policy that lets pages load from their own server alone."""

    async def with_policy(scope, receive, send):
        async def sending(message):
            if message["type"] == "http.response.start":
                policy = (b"content-security-policy", b"default-src 'self'")
                message["headers"] = [*message["headers"], policy]
            await send(message)

        await app(scope, receive, sending)

    return with_policy


@contextmanager
def serving(recognizer: EmotionRecognizer) -> Iterator[PageServer]:
    """The server on a free port of 127.0.0.1, at ``url``."""
    page = PageServer(recognizer)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        page.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        config = uvicorn.Config(strict(page.app), log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        started = threading.Event()

        async def run() -> None:
            page.loop = asyncio.get_running_loop()
            started.set()
            await server.serve(sockets=[listener])

        thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
        thread.start()
        started.wait(10)
        try:
            yield page
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)
