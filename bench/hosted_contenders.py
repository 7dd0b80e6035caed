"""The reference for a save of LiteLLM's class: a server that stores the dictionary unchanged, as LiteLLM's page shows.

`python -m bench.hosted_contenders FOLDER`: on the same HTTP server and event loop as budgetd, `json.loads` of the body
and `json.dump` of the users to a file for each project, without fsync. Changes that others wrote in between are lost.
"""

import contextlib
import json
import sys
from pathlib import Path

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def plain_app(folder: Path) -> Starlette:
    """Return the app with both calls."""

    async def get_budget(request: Request) -> Response:
        body = json.loads(await request.body())
        with (folder / body["project_name"]).open() as file:
            return JSONResponse({"status": "success", "data": json.load(file)})

    async def set_budget(request: Request) -> Response:
        body = json.loads(await request.body())
        with (folder / body["project_name"]).open("w") as file:
            json.dump(body["user_dict"], file)
        return JSONResponse({"status": "success"})

    routes = [Route("/get_budget", get_budget, methods=["POST"]), Route("/set_budget", set_budget, methods=["POST"])]
    return Starlette(routes=routes)


async def _serve(folder: Path) -> None:
    config = uvicorn.Config(plain_app(folder), port=0, log_config=None, access_log=False, lifespan="off")
    listening = config.bind_socket()
    listening.listen()
    port = listening.getsockname()[1]
    print(
        json.dumps({"event": "serving", "listen": f"127.0.0.1:{port}", "http_port": port}), file=sys.stderr, flush=True
    )
    await uvicorn.Server(config).serve(sockets=[listening])


def main() -> None:
    """Serve until SIGTERM."""
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
