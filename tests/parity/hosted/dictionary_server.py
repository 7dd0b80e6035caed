"""The server that LiteLLM's page on budgets asks for: it keeps the dictionary of a project as it was saved last.

It is what ours is compared with. It does all that the page says, and what the page leaves open as simply as can be.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Users by project, records by user.
Kept = dict[str, dict[str, Any]]


def takes_all(_number: int) -> bool:
    """Lose no save."""
    return False


class _Server(ThreadingHTTPServer):
    """Threads for all who come, as many as may at once."""

    daemon_threads = True
    request_queue_size = 128


class DictionaryServer:
    """Serves from when it is made until it is stopped, on a port that the system chooses."""

    def __init__(self, kept: Kept | None = None, *, loses: Callable[[int], bool] = takes_all) -> None:
        """Serve.

        Args:
            kept: What an earlier server has kept, as if this one were its next run; None: nothing.
            loses: Which saves are answered and not kept, by their number, for tests of the comparison.
        """
        self.kept: Kept = {} if kept is None else kept
        self.saves = 0
        self._loses = loses
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.api_base = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def get_budget(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The records of a project."""
        with self._lock:
            return {"status": "success", "data": self.kept.get(asked["project_name"], {})}

    def set_budget(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Put other records in their place, all of them: who writes last wins."""
        with self._lock:
            if not self._loses(self.saves):
                self.kept[asked["project_name"]] = asked["user_dict"]
            self.saves += 1
        return {"status": "success"}

    def stop(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(server: DictionaryServer) -> type[BaseHTTPRequestHandler]:
    answers = {"/get_budget": server.get_budget, "/set_budget": server.set_budget}

    class Handler(BaseHTTPRequestHandler):
        """Answers one call of a client: its connection ends with it."""

        def do_POST(self) -> None:
            """Answer as LiteLLM's class reads it."""
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(answers[self.path](asked)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    return Handler
