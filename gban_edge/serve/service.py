"""What all requests share: the recogniser, its worker threads, the doors, the counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from gban_edge.runtime.recognizer import EmotionRecognizer
from gban_edge.runtime.result import Result
from gban_edge.serve.errors import ApiError
from gban_edge.serve.limits import Gate
from gban_edge.serve.metrics import Metrics
from gban_edge.serve.options import ServeOptions
from gban_edge.serve.workers import Workers

T = TypeVar("T")
log = logging.getLogger("gban_edge.serve")


class Service:
    """One server's state; its methods belong to the event loop's thread.

    The network runs in worker threads, so that the loop stays free. Requests and streams have
    threads of their own: a crowd of one kind does not delay the other.
    """

    def __init__(self, recognizer: EmotionRecognizer, options: ServeOptions) -> None:
        self.recognizer, self.options = recognizer, options
        self.limits = options.limits
        self.metrics = Metrics()
        self.recognitions = Gate(self.limits.recognitions, "requests are being answered")
        self.uploads = Gate(self.limits.uploads, "requests are arriving")
        self.streams = Gate(self.limits.streams, "streams are open")
        self.failure: str | None = None
        self.stopping = asyncio.Event()
        self._answering = Workers(self.limits.workers, "answer")
        # What hears words takes seconds an utterance: no other stream's sound must wait for that.
        listening = self.limits.workers if options.words is None else self.limits.streams
        self._listening = Workers(listening, "listen")
        self.metrics.gauge(
            "gban_recognitions_in_progress", "Requests in work.", lambda: self.recognitions.inside
        )
        self.metrics.gauge("gban_streams_open", "Open streams.", lambda: self.streams.inside)

    def unready(self) -> str | None:
        """Why no request would be answered now; None if one would."""
        if self.stopping.is_set():
            return "the server is stopping"
        took = self._answering.longest()
        if self.options.words is None:  # what hears words may take its time
            took = max(took, self._listening.longest())
        if took > self.limits.answer_seconds:
            return f"the network has been at one utterance for {took:.0f} s"
        return self.failure

    def check(self) -> None:
        """ApiError 503 while stopping; a network that failed may be tried again."""
        if self.stopping.is_set():
            raise ApiError(503, "stopping", "the server is stopping", {"retry-after": "5"})

    async def recognize(self, work: Callable[[], Result]) -> Result:
        """``work`` by a worker thread.

        Raises:
            ApiError: 429 without room; 422 for sound or words that it refuses; 503 where the
                network failed or took too long.
        """
        self.recognitions.enter()
        future = self._answering.run(work)
        # A thread cannot be stopped: its place is free when it ends, not when the client gives up.
        future.add_done_callback(self._answered)
        try:
            result = await asyncio.wait_for(asyncio.shield(future), self.limits.answer_seconds)
        except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
            raise ApiError(
                503, "timeout", f"no answer within {self.limits.answer_seconds:g} s",
                {"retry-after": "1"},
            ) from None  # fmt: skip
        except ValueError as error:
            raise ApiError(422, "unprocessable", str(error)) from None
        except RuntimeError as error:
            raise self._failed(error) from None
        self.worked(result.timings)
        return result

    def _answered(self, future: asyncio.Future[Result]) -> None:
        self.recognitions.leave()
        if not future.cancelled():
            future.exception()  # looked at, so that asyncio does not log it

    def _failed(self, error: RuntimeError) -> ApiError:
        if "pip install" in str(error):  # sound of a format that a missing package would read
            return ApiError(415, "unsupported_sound", str(error))
        self.failed(error)
        return ApiError(503, "network_failed", self.failure or "")

    def worked(self, timings: Mapping[str, float]) -> None:
        """The network answered, of a request or a stream, in these times."""
        self.failure = None
        self.metrics.engine_seconds.observe(timings["total"])

    def failed(self, error: RuntimeError) -> None:
        """The network failed; /healthz says so until it answers again."""
        self.failure = f"the network failed: {error}"
        log.error(self.failure)

    async def listen(self, work: Callable[[], T]) -> T:
        """``work`` of a stream, by a thread that only streams use."""
        return await self._listening.run(work)

    async def warm_up(self) -> None:
        """One answer for silence, so that the first client does not pay for first use.

        Raises:
            ApiError: the network failed, or did not answer in time; :attr:`failure` says so.
        """
        silence = np.zeros(16000, np.float32)
        try:
            await self.recognize(lambda: self.recognizer(silence))
        except ApiError as error:
            self.failure = self.failure or f"the network failed on silence: {error.message}"
            raise

    @property
    def inside(self) -> int:
        """Requests and streams under way."""
        return self.uploads.inside + self.recognitions.inside + self.streams.inside

    async def drain(self, hurried: Callable[[], bool]) -> int:
        """Take nothing new, and wait until what is under way has ended, for ``grace_seconds`` or
        until ``hurried``; how many had not ended then."""
        self.stopping.set()
        loop = asyncio.get_running_loop()
        end = loop.time() + self.limits.grace_seconds
        while self.inside and loop.time() < end and not hurried():
            await asyncio.sleep(0.02)
        return self.inside

    def close(self) -> None:
        """Let the threads end."""
        self._answering.close()
        self._listening.close()
