"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from gban_edge.runtime.recognizer import EmotionRecognizer
from gban_edge.serve.errors import ApiError
from gban_edge.serve.guard import Guard
from gban_edge.serve.options import ServeOptions
from gban_edge.serve.rest import Rest
from gban_edge.serve.service import Service
from gban_edge.serve.stream_socket import stream_socket

PAGE = Path(__file__).parent / "page"
GUARDED = frozenset({"/v1/recognize", "/v1/model", "/v1/stream", "/metrics", "/openapi.json"})
REFUSED = {
    404: ("not_found", "no such path; /openapi.json lists them"),
    405: ("method", "this path answers to other methods; /openapi.json lists them"),
}
OPEN = frozenset({"/", "/healthz"})  # without the token: the page holds nothing of its own


def create_app(recognizer: EmotionRecognizer, options: ServeOptions | None = None) -> Starlette:
    """The service; ``app.state.service`` is its state.

    Args:
        recognizer: what answers; several threads use it at once.
        options: limits, token, names. The address is for :func:`run` alone, but says what a
            request's Host may be.
    """
    options = options or ServeOptions()
    service = Service(recognizer, options)
    rest = Rest(service)

    async def stream(socket: WebSocket) -> None:
        await stream_socket(socket, service)

    routes = [
        Route("/v1/recognize", rest.recognize, methods=["POST"]),
        Route("/v1/model", rest.model),
        WebSocketRoute("/v1/stream", stream),
        Route("/healthz", rest.health),
        Route("/metrics", rest.metrics),
        Route("/openapi.json", rest.openapi),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(
                Guard, options=options, requests=service.metrics.requests,
                guarded=GUARDED, known=OPEN,
            )
        ],
        exception_handlers={HTTPException: _plain},
        lifespan=_lifespan,
    )  # fmt: skip
    app.state.service = service
    app.router.default = _page_or(app.router.default)
    return app


def _page_or(missing: ASGIApp) -> ASGIApp:
    """The page's files where no route is meant: a mount at / would hide that a method is wrong."""
    files = StaticFiles(directory=PAGE, html=True)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        answer = files if scope["type"] == "http" else missing
        await answer(scope, receive, send)

    return serve


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    service: Service = app.state.service
    await service.warm_up()
    yield
    service.close()


async def _plain(_: Request, error: Exception) -> Response:
    """Starlette's own refusals (no such path, another method) in the form of the others."""
    assert isinstance(error, HTTPException)
    code, message = REFUSED.get(error.status_code, ("refused", str(error.detail)))
    return ApiError(error.status_code, code, message, error.headers).response()
