"""An answer that is no result, as every part of the service gives it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse


class ApiError(Exception):
    """A request that gets no result.

    Args:
        status: the HTTP status.
        code: one word for programs ("busy").
        message: for people: what is wrong and what is allowed; nothing of the sound or words.
        headers: more of the response's.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, dict[str, str]]:
        return {"error": {"code": self.code, "message": self.message}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body(), self.status, self.headers)


class StreamError(Exception):
    """What ends a stream.

    Args:
        close: the WebSocket's close code: 1001 the server stops, 1007 a message that cannot be
            read, 1008 a rule was broken, 1011 the network failed, 1013 no room.
        code: one word for programs.
        message: for people.
    """

    def __init__(self, close: int, code: str, message: str) -> None:
        super().__init__(message)
        self.close, self.code, self.message = close, code, message

    def event(self) -> dict[str, str]:
        return {"type": "error", "code": self.code, "message": self.message}

    def reason(self) -> str:
        """The message, in the 123 bytes that a close frame has."""
        return self.message.encode()[:120].decode("utf-8", "ignore")
