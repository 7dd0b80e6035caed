"""The two HTTP calls. Every answer, errors included, is one that LiteLLM's class can process."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from budgetd_server.domain.bounds import ID_BYTES_MAX
from budgetd_server.domain.errors import Unavailable
from budgetd_server.domain.names import broken_name_rule
from budgetd_server.domain.pricing import Prices
from budgetd_server.engine.answer_room import AnswerRoom
from budgetd_server.engine.engine import Engine
from budgetd_server.engine.in_flight import InFlight
from budgetd_server.http.answers import JsonAnswer, held_for
from budgetd_server.http.bodies import BODY_BYTES_MAX, BadBody, Bodies, quote_value
from budgetd_server.http.callers import CallerRefused, check_caller
from budgetd_server.litellm.hosted.loads import load_all
from budgetd_server.litellm.hosted.metrics import HostedMetrics
from budgetd_server.litellm.hosted.records import record_of
from budgetd_server.litellm.hosted.saving import RECORDS_AT_A_TIME, SaveResult, Saves
from budgetd_server.litellm.hosted.views import View
from budgetd_server.metrics import Metrics

#: The class sends all users with every save; larger projects must use gRPC.
USERS_MAX = 50_000
#: How many users, and keys of each, an answer names whose records were refused or partly ignored; and the log.
REPORTED_USERS_MAX = 100
REPORTED_KEYS_MAX = 10
LOGGED_USERS_MAX = 3

#: Loads that are served at the same time: each keeps a whole project in memory until its answer is built.
GETS_AT_A_TIME = 4

log = logging.getLogger(__name__)

Call = Callable[[Any], Awaitable[dict[str, Any]]]


class HostedProtocol:
    """`/get_budget` and `/set_budget`."""

    def __init__(self, engine: Engine, prices: Prices, metrics: Metrics, in_flight: InFlight, room: AnswerRoom) -> None:
        self._engine, self._in_flight, self._room = engine, in_flight, room
        self._metrics = HostedMetrics(metrics.registry)
        self._gets = asyncio.Semaphore(GETS_AT_A_TIME)
        self._saves = Saves(engine, prices, metrics)
        self._bodies = Bodies()

    def routes(self) -> list[Route]:
        """Return the HTTP routes of the calls."""
        return [
            Route("/get_budget", self._route("get_budget", self._get), methods=["POST"]),
            Route("/set_budget", self._route("set_budget", self._set), methods=["POST"]),
        ]

    def _route(self, name: str, call: Call) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            began, content, held = time.perf_counter(), b"", None
            self._in_flight.began()
            try:
                check_caller(request)
                self._in_flight.admit()
                async with self._bodies.read(request) as body:
                    status, answer = 200, await call(body)
                content = orjson.dumps(answer)
                if len(content) > BODY_BYTES_MAX:
                    raise BadBody(413, "the project is too large to be saved again by this protocol: use gRPC")  # noqa: TRY301
                held = held_for(self._room, request, len(content))
            except (CallerRefused, BadBody) as error:
                status, answer = error.status, _error(error.message)
            except Unavailable as error:
                status, answer = 503, _error(error.message)
            except Exception:  # An internal error: LiteLLM's class expects JSON, and the log has the traceback.
                incident_id = uuid.uuid4().hex[:12]
                log.exception("internal error", extra={"call": name, "incident_id": incident_id})
                status, answer = 500, _error(f"internal error; the server's log has the details under {incident_id}")
            finally:
                self._in_flight.ended()
            if status != 200:
                fields = {"call": name, "status": status, "why": answer["message"]}
                log.warning("a call was refused or failed", extra=fields)
            self._metrics.calls.labels(name, str(status)).inc()
            self._metrics.seconds.labels(name).observe(time.perf_counter() - began)
            return JsonAnswer(content if status == 200 else orjson.dumps(answer), status, held=held)

        return answered

    async def _get(self, body: object) -> dict[str, Any]:
        project_id = _project_id(body)
        async with self._gets:
            return await self._records(project_id)

    async def _records(self, project_id: str) -> dict[str, Any]:
        budgets = await load_all(self._engine, project_id, USERS_MAX)
        if budgets is None:
            raise BadBody(413, f"a project of more than {USERS_MAX:,} budgets is too large for this protocol: use gRPC")
        given = [each for each in budgets if not each.status.is_template]
        view = View.new(len(given), budgets[-1].budget_key if budgets else 0)
        records: dict[str, Any] = {}
        for number, each in enumerate(given, start=1):
            records[each.status.budget_id] = view.marked(record_of(each.status, is_fresh=each.is_fresh))
            if number % RECORDS_AT_A_TIME == 0:
                await asyncio.sleep(0)  # Let the event loop run other calls.
        self._saves.gave(project_id, view)
        return {"status": "success", "data": records}

    async def _set(self, body: object) -> dict[str, Any]:
        project_id = _project_id(body)
        users = body.get("user_dict") if isinstance(body, dict) else None
        if not isinstance(users, dict):
            raise BadBody(400, f"user_dict must be an object of records by user, got {quote_value(users)}")
        if len(users) > USERS_MAX:
            raise BadBody(413, f"user_dict must have at most {USERS_MAX:,} users, got {len(users):,}: use gRPC")
        saved = await self._saves.save(project_id, users)
        for outcome, count in (("changed", saved.changed), ("late", saved.late), ("refused", len(saved.refused))):
            self._metrics.records.labels(outcome).inc(count)
        self._metrics.records.labels("deleted").inc(saved.deleted)
        return _answer(project_id, saved)


def _answer(project_id: str, saved: SaveResult) -> dict[str, Any]:
    answer: dict[str, Any] = {"status": "success"}
    if saved.ignored:
        log.warning("keys of records are not kept", extra={"project": project_id, "users": len(saved.ignored)})
        ignored = list(saved.ignored.items())[:REPORTED_USERS_MAX]
        answer["ignored"] = {_name(user): [_name(key) for key in keys[:REPORTED_KEYS_MAX]] for user, keys in ignored}
    if saved.refused:
        first = list(saved.refused.items())
        fields = {"project": project_id, "users": saved.users, "refused": len(first)}
        why = [f"{quote_value(user)}: {why}" for user, why in first[:LOGGED_USERS_MAX]]
        log.warning("records were refused", extra=fields | {"why": why})
        answer["status"] = "error"
        were = "was" if len(first) == 1 else "were"
        answer["message"] = f"{len(first)} of {saved.users} records {were} refused, the others are kept"
        answer["refused"] = {_name(user): why for user, why in first[:REPORTED_USERS_MAX]}
    return answer


def _project_id(body: object) -> str:
    if not isinstance(body, dict):
        raise BadBody(400, f"the body must be an object, got {quote_value(body)}")
    name = body.get("project_name")
    if not isinstance(name, str):
        raise BadBody(400, f"project_name must be a text, got {quote_value(name)}")
    if (rule := broken_name_rule(name)) is not None:
        raise BadBody(400, f"project_name {rule}, got {quote_value(name)}")
    return name


def _name(text: str) -> str:
    """Shorten a name for an answer, and make it valid Unicode."""
    return text[: ID_BYTES_MAX + 1].encode("utf-8", "backslashreplace").decode()


def _error(message: str) -> dict[str, Any]:
    return {"status": "error", "message": message}
