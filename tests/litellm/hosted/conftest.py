"""Servers that speak LiteLLM's self-hosted protocol, and what its class does with what they give."""

import json
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx
import pytest

from budgetd_server.http.bodies import Bodies
from budgetd_server.litellm.hosted import protocol
from tests.engine.watched_ledger import WatchedLedger
from tests.http.conftest import Observed, loop_thread
from tests.rpc.running_server import PATIENCE_SECONDS, PROJECT, LoopThread, RunningServer, Setup

__all__ = ["loop_thread"]

Logs = list[Mapping[str, Any]]
Records = dict[str, dict[str, Any]]


class Hosted(NamedTuple):
    """A server, as clients of the protocol see it."""

    observed: Observed
    #: What the server has logged.
    logs: Logs

    @property
    def server(self) -> RunningServer:
        """The server itself."""
        return self.observed.server

    @property
    def ledger(self) -> WatchedLedger:
        """Its ledger."""
        return self.observed.ledger

    def post(self, path: str, body: object, headers: dict[str, str] | None = None) -> httpx.Response:
        """Post bytes as they are, anything else as Python writes it in JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.observed.http.post(path, content=content, headers=headers, timeout=PATIENCE_SECONDS)

    def load(self, project_id: str = PROJECT) -> Records:
        """`load_data`: the users as they are given."""
        answer = self.post("/get_budget", {"project_name": project_id})
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "success"
        data: Records = answer.json()["data"]
        return data

    def save(self, users: object, project_id: str = PROJECT) -> dict[str, Any]:
        """`save_data`: the whole dictionary is sent; returns the answer."""
        answer = self.post("/set_budget", {"project_name": project_id, "user_dict": users})
        assert answer.status_code == 200, answer.text
        answer_body: dict[str, Any] = answer.json()
        return answer_body

    def save_whole(self, users: object, project_id: str = PROJECT) -> None:
        """A save of which everything has to be taken."""
        assert self.save(users, project_id) == {"status": "success"}

    def refused(self, users: object, project_id: str = PROJECT) -> dict[str, str]:
        """Why each record of a save is refused."""
        answer = self.save(users, project_id)
        assert answer["status"] == "error"
        refused_records: dict[str, str] = answer["refused"]
        assert answer["message"].startswith(f"{len(refused_records)} of ")
        return refused_records

    def connect(self) -> socket.socket:
        """A bare connection to the port, for what httpx would not send."""
        return socket.create_connection(("127.0.0.1", self.server.server.http_port), timeout=PATIENCE_SECONDS)

    def calls_served(self) -> int:
        """How many calls are being served, or wait for their turn."""
        in_flight = self.server.server._in_flight  # noqa: SLF001 - nothing else shows it.
        return self.server.loop.call(lambda: in_flight.count)


def answer_on(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """The next answer on a bare connection: its status, and what its body says."""
    answer = HTTPResponse(connection)
    answer.begin()
    return answer.status, json.loads(answer.read())


class Start(Protocol):
    """Starts a server, always on the same file."""

    def __call__(self, *, bytes_max: int | None = None, calls_max: int | None = None) -> Hosted:
        """The limits are those of all bodies and calls together; None: the usual ones."""
        ...


def charge(record: dict[str, Any], usd: float, model: str = "gpt-4o") -> None:
    """What `update_cost` of LiteLLM's class does to a record."""
    record["current_cost"] = usd + record.get("current_cost", 0)
    models = record.setdefault("model_cost", {})
    models[model] = usd + models.get(model, 0)


def reset(record: dict[str, Any]) -> None:
    """What `reset_cost` does."""
    record["current_cost"] = 0
    record["model_cost"] = {}


@contextmanager
def kept_logs() -> Iterator[Logs]:
    """Keep what the server logs: the fields of each line, and its sentence as `event`."""
    kept: Logs = []
    handler = logging.Handler()
    handler.emit = lambda record: kept.append({**vars(record), "event": record.getMessage()})  # type: ignore[method-assign]
    logger = logging.getLogger("budgetd_server")
    logger.addHandler(handler)
    try:
        yield kept
    finally:
        logger.removeHandler(handler)


@pytest.fixture(scope="module")
def shared(loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A server for tests that change nothing."""
    with kept_logs() as logs, _Running(loop_thread, tmp_path_factory.mktemp("shared")) as observed:
        yield Hosted(observed, logs)


@pytest.fixture
def logs() -> Iterator[Logs]:
    """What is logged, as it is found."""
    with kept_logs() as captured:
        yield captured


@pytest.fixture
def start(loop_thread: LoopThread, tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a server; another one takes the place of the one before."""
    with ExitStack() as running:

        def started(*, bytes_max: int | None = None, calls_max: int | None = None) -> Hosted:
            running.close()
            limits = {"bytes_max": bytes_max, "calls_max": calls_max}
            given = {name: value for name, value in limits.items() if value is not None}
            monkeypatch.setattr(protocol, "Bodies", lambda: Bodies(**given))
            return Hosted(running.enter_context(_Running(loop_thread, tmp_path)), logs)

        yield started


@pytest.fixture
def hosted(start: Callable[[], Hosted]) -> Hosted:
    """A server with nothing in it."""
    return start()


class _Running:
    """A server while a block runs."""

    def __init__(self, loop_thread: LoopThread, folder: Path) -> None:
        ledgers: list[WatchedLedger] = []

        def wrap(ledger: Any) -> WatchedLedger:
            ledgers.append(WatchedLedger(ledger))
            return ledgers[0]

        self._server = RunningServer(loop_thread, folder, Setup(has_http=True, wrap=wrap))
        address = f"http://127.0.0.1:{self._server.server.http_port}"
        self._http = httpx.Client(base_url=address, trust_env=False)
        self._observed = Observed(self._server, ledgers[0], self._http)

    def __enter__(self) -> Observed:
        return self._observed

    def __exit__(self, *raised: object) -> None:
        self._http.close()
        self._server.stop()
