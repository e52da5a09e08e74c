"""The local HTTP and WebSocket service: ``pip install 'gban-edge[serve]'``.

``create_app(recognizer, options)`` is an ASGI application, ``run(recognizer, options)`` serves it
until SIGTERM. No sound is kept and nothing of what was said is logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gban_edge.serve.options import Limits, ServeOptions

if TYPE_CHECKING:
    from gban_edge.serve.app import create_app
    from gban_edge.serve.server import run

__all__ = ["Limits", "ServeOptions", "create_app", "run"]


def __getattr__(name: str) -> Any:
    """What needs starlette and uvicorn, on first use, so that options import without them."""
    if name not in ("create_app", "run"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from gban_edge.serve.app import create_app
        from gban_edge.serve.server import run
    except ModuleNotFoundError as error:
        if str(error.name).startswith("gban_edge"):
            raise
        raise RuntimeError(
            f"serving needs the package {error.name}, which is not installed: "
            "pip install 'gban-edge[serve]'"
        ) from error
    return {"create_app": create_app, "run": run}[name]
