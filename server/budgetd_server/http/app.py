"""What HTTP serves: `/metrics` for Prometheus, `/livez` and `/readyz` for orchestrators, and mounted protocols."""

from collections.abc import Callable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send


class _SingleSlashes:
    """Normalizes paths: removes repeated slashes and one at the end.

    A client that appends `/path` to an address with a final slash sends `//path`. A redirect would lose the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = "/" + "/".join(part for part in scope["path"].split("/") if part)
            if path != scope["path"]:
                scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


def http_app(registry: CollectorRegistry, is_ready: Callable[[], bool], protocols: Sequence[Route] = ()) -> Starlette:
    """Create the application.

    Args:
        registry: The metrics to serve.
        is_ready: Returns whether calls can succeed: the store accepts writes and the server is not shutting down.
        protocols: The routes of other protocols.
    """

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def livez(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        if is_ready():
            return PlainTextResponse("ok\n")
        return PlainTextResponse("not ready\n", status_code=503)

    probes = [Route("/metrics", metrics), Route("/livez", livez), Route("/readyz", readyz)]
    return Starlette(routes=[*probes, *protocols], middleware=[Middleware(_SingleSlashes)])
