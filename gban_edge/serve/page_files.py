"""The page's files, held in memory: no path of a request ever names a file of this machine."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PAGE = Path(__file__).parent / "page"
INDEX = "index.html"
# Not the system's table: some systems call scripts plain text, which browsers then do not run.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def page_routes(folder: Path = PAGE) -> list[Route]:
    """A route for every file of the page, and / for its first.

    Raises:
        ValueError: a file of a kind that is not served.
    """
    routes = []
    for file in sorted(folder.iterdir()):
        if file.suffix not in TYPES:
            raise ValueError(f"{file} must end in one of {', '.join(TYPES)}")
        routes.append(_route(f"/{file.name}", file))
    return [_route("/", folder / INDEX), *routes]


def _route(path: str, file: Path) -> Route:
    content, kind = file.read_bytes(), TYPES[file.suffix]

    async def serve(_: Request) -> Response:
        return Response(content, media_type=kind)

    return Route(path, serve, methods=["GET"])
