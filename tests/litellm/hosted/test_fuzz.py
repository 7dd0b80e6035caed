"""Anything may be saved: every answer is one of the known ones, and records are carried out whole or not at all."""

import gc
import json
import logging
import sqlite3
import tracemalloc
from contextlib import closing
from random import Random
from typing import Any, NamedTuple

import httpx
import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.http.bodies import parse_json
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.litellm.hosted.conftest import Hosted, Records
from tests.litellm.hosted.hostile_bodies import hostile
from tests.rpc.running_server import NOW_US, PROJECT, SECOND_US

BODIES = 1_000
#: Bodies that are made of one load; then the users of the beginning are there again.
BODIES_A_LOAD = 25
STATUSES = {200, 400, 408, 411, 413, 415, 429, 503}
MIB = 1 << 20
#: So many are sent again while memory is traced, which takes its time; all of them in drills.
BODIES_AGAIN = 200
#: What bodies that were all sent before may leave behind: a few kilobytes do, and a leak of each would be megabytes.
GROWTH_BYTES_MAX = MIB // 8

Budgets = dict[str, bytes]


class Rounds(NamedTuple):
    """What was found while all bodies were sent for the first time."""

    bodies: list[bytes]
    #: Sentences on what must not be, each with its body.
    wrong: list[tuple[str, bytes]]
    statuses: list[int]


class Watch:
    """Looks at a ledger from outside: its content, and whether anything was written."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted
        self._reader = sqlite3.connect(hosted.server.database)

    def version(self) -> int:
        """Another number after each write."""
        return int(self._reader.execute("PRAGMA data_version").fetchone()[0])

    def budgets(self) -> Budgets:
        """All budgets as gRPC returns them, by id."""
        request = service.ListBudgetsRequest(project_id=PROJECT, page_size=100, view=pb.BUDGET_VIEW_FULL)
        found = self._hosted.server.stub.ListBudgets(request).budgets
        return {each.budget_id: each.SerializeToString(deterministic=True) for each in found}

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


def populate(hosted: Hosted) -> None:
    """Users of every kind, where they are not there already."""
    day = pb.Limit(amount=5 * 10**9, window=pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_DAY)))
    named = pb.Limit(limit_id="small", amount=10**9, window=pb.Window(lifetime=pb.LifetimeWindow()))
    kinds: dict[str, tuple[tuple[pb.Limit, ...], dict[str, Any]]] = {
        "gold": ((), {"is_template": True}),
        "team": ((day,), {}),
        "alice": ((day, named), {"parent_budget_id": "team"}),
        "bob": ((), {}),
        "carol": ((), {"labels": {"team": "blue"}}),
    }
    with closing(Watch(hosted)) as watch:
        missing = kinds.keys() - watch.budgets().keys()
    for budget_id, (limits, fields) in kinds.items():
        if budget_id in missing:
            hosted.server.create(budget_id, *limits, **fields)
    at = NOW_US / SECOND_US
    monthly = {"total_budget": 3, "duration": 28, "created_at": at, "last_updated_at": at}
    hosted.save({"dave": monthly, "erin": {"total_budget": 2, "current_cost": 0, "model_cost": {}}})


def send(hosted: Hosted, body: bytes) -> httpx.Response:
    """A save on a connection of its own, on which nothing is held back in the hope of more."""
    return hosted.post("/set_budget", body, {"connection": "close"})


def forget(hosted: Hosted) -> None:
    """Release what only tests keep."""
    hosted.logs.clear()
    hosted.ledger.commits.clear()
    hosted.ledger.lock_waits_seconds.clear()


def wrong_of(answer: httpx.Response, body: bytes, before: Budgets, after: Budgets, *, has_written: bool) -> str:
    """What is wrong with an answer, or with what its save has done; empty: nothing."""
    answer_body = answer.json()
    if answer.status_code not in STATUSES or answer_body["status"] not in ("success", "error"):
        return f"it is answered with {answer.status_code}"
    if answer.status_code != 200:
        return f"it is answered with {answer.status_code} and has written something" if has_written else ""
    refused = set(answer_body.get("refused", {}))
    changed = {user for user in before.keys() | after.keys() if before.get(user) != after.get(user)}
    named = set(parse_json(body)["user_dict"])
    changed -= {"team"} if "alice" in changed else set()  # A child counts on its parent.
    if changed & refused:
        return "users have changed that it refuses"
    if {user for user in changed - named if user in after}:
        return "users have changed that it does not name"
    return ""


def first_round(hosted: Hosted, *, bodies: int, seed: int) -> Rounds:
    """Send as many bodies, and look after each at what it has done."""
    random = Random(seed)
    sent = Rounds([], [], [])
    given: Records = {}
    before: Budgets = {}
    watch = Watch(hosted)
    with closing(watch):
        for number in range(bodies):
            if number % BODIES_A_LOAD == 0:
                hosted.server.clock.advance(days=0.01)
                populate(hosted)
                given, before = hosted.load(), watch.budgets()
            body, version = hostile(random, given), watch.version()
            answer = send(hosted, body)
            has_written = watch.version() != version
            after = watch.budgets() if has_written else before
            sent.bodies.append(body)
            sent.statuses.append(answer.status_code)
            if wrong := wrong_of(answer, body, before, after, has_written=has_written):
                sent.wrong.append((wrong, body))
            before = after
    return sent


@pytest.fixture(scope="module")
def rounds(shared: Hosted) -> Rounds:
    """All bodies, sent for the first time."""
    return first_round(shared, bodies=BODIES, seed=20_261_127)


def grown_by_a_third_round(hosted: Hosted, bodies: list[bytes]) -> int:
    """By how many bytes the memory of this process grows while bodies are sent once more that were all sent twice."""

    def traced_bytes() -> int:
        for body in bodies:
            send(hosted, body)
            forget(hosted)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    logging.disable()  # Pytest keeps each line until the test has ended.
    tracemalloc.start()
    try:
        return -traced_bytes() + traced_bytes()
    finally:
        tracemalloc.stop()
        logging.disable(logging.NOTSET)


def shortened(wrong: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The shortest body for each sentence."""
    shortest: dict[str, bytes] = {}
    for sentence, body in wrong:
        if sentence not in shortest or len(body) < len(shortest[sentence]):
            shortest[sentence] = body
    return [(sentence, body[:2_000]) for sentence, body in shortest.items()]


def test_every_body_is_answered_as_documented_and_each_record_is_carried_out_whole_or_not_at_all(
    rounds: Rounds,
) -> None:
    assert shortened(rounds.wrong) == []


def test_many_of_the_bodies_come_far_and_many_do_not(rounds: Rounds) -> None:
    """Or the test above would show little."""
    taken = rounds.statuses.count(200)

    assert BODIES * 0.3 < taken < BODIES * 0.9


def test_bodies_that_are_sent_again_leave_nothing_behind_in_memory(shared: Hosted, rounds: Rounds) -> None:
    assert grown_by_a_third_round(shared, rounds.bodies[:BODIES_AGAIN]) < GROWTH_BYTES_MAX


@pytest.mark.drill
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1])
def test_a_thousand_bodies_more_are_no_different(hosted: Hosted, seed: int) -> None:
    found = first_round(hosted, bodies=BODIES, seed=seed)

    assert shortened(found.wrong) == []
    assert grown_by_a_third_round(hosted, found.bodies) < GROWTH_BYTES_MAX
    assert verify_file(hosted.server.database).deviations == []


def test_after_all_of_it_the_ledger_is_sound_and_everybody_can_be_read(shared: Hosted, rounds: Rounds) -> None:
    shared.server.clock.advance(days=400)

    users = shared.load()

    assert {"alice", "bob"} & users.keys()
    with closing(Watch(shared)) as watch:
        assert len(watch.budgets()) >= len(users)
    assert verify_file(shared.server.database).deviations == []


# --- Names and views that are never sent again.


def grown_bytes(hosted: Hosted, bodies: list[bytes]) -> int:
    """What the memory has grown by after some bodies that are refused."""
    send(hosted, bodies[0])
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for body in bodies:
            assert send(hosted, body).status_code in (200, 400)
            forget(hosted)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{{"project_name": "{name}", "user_dict": {{}}}}', id="projects"),
        pytest.param('{{"project_name": "p", "user_dict": {{"{name}": {{"total_budget": 1}}}}}}', id="users"),
        pytest.param(
            '{{"project_name": "p", "user_dict": {{"a": {{"total_budget": 1, "model_cost": {{"{name}": 1}}}}}}}}',
            id="models",
        ),
    ],
)
def test_names_that_are_too_long_are_not_kept_in_memory(
    shared: Hosted, body: str, request: pytest.FixtureRequest
) -> None:
    bodies = [body.format(name=f"{request.node.name} {number} " + "x" * MIB).encode() for number in range(8)]

    assert grown_bytes(shared, bodies) < MIB


def test_the_users_of_refused_saves_are_not_kept_in_memory(shared: Hosted) -> None:
    """A save that lacks a user of its view is remembered, so that it is not looked for each time."""
    bodies = []
    for number in range(8):
        users: dict[str, Any] = {f"{number}-{user}".ljust(250, "x"): None for user in range(4_000)}
        given = {"total_budget": 1}
        users["bob"] = {**given, "budgetd": {"view": f"{number:016x}.9.0", "given": given}}
        bodies.append(json.dumps({"project_name": "p", "user_dict": users}).encode())

    assert grown_bytes(shared, bodies) < MIB
