"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from gban_edge.runtime.recognizer import EmotionRecognizer
from gban_edge.serve.errors import ApiError
from gban_edge.serve.guard import Guard
from gban_edge.serve.options import ServeOptions
from gban_edge.serve.page_files import page_routes
from gban_edge.serve.rest import Rest
from gban_edge.serve.service import Service
from gban_edge.serve.stream_socket import stream_socket

REFUSED = {
    405: ("method", "this path answers to other methods; /openapi.json lists them"),
}


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

    page = page_routes()  # without the token: it holds nothing of its own
    health = Route("/healthz", rest.health, methods=["GET"])
    guarded: list[Route | WebSocketRoute] = [
        Route("/v1/recognize", rest.recognize, methods=["POST"]),
        Route("/v1/model", rest.model, methods=["GET"]),
        WebSocketRoute("/v1/stream", stream),
        Route("/v1/stream", rest.no_websocket, methods=["GET"]),
        Route("/metrics", rest.metrics, methods=["GET"]),
        Route("/openapi.json", rest.openapi, methods=["GET"]),
    ]
    open_paths = frozenset(route.path for route in (health, *page))
    paths = open_paths | {route.path for route in guarded}
    app = Starlette(
        routes=[*guarded, health, *page],
        middleware=[
            Middleware(
                Guard, options=options, requests=service.metrics.requests,
                paths=paths, open_paths=open_paths,
            )
        ],
        exception_handlers={HTTPException: _plain},
        lifespan=_lifespan,
    )  # fmt: skip
    app.state.service = service
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    service: Service = app.state.service
    await service.warm_up()
    yield
    service.close()


async def _plain(_: Request, error: Exception) -> Response:
    """Starlette's own refusal, of another method, in the form of the others."""
    assert isinstance(error, HTTPException)
    code, message = REFUSED.get(error.status_code, ("refused", error.detail))
    return ApiError(error.status_code, code, message, error.headers).response()
