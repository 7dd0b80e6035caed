"""How bodies come: too slowly, too short, at the same time, and more of them than there is room for."""

import select
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from budgetd_server.http import bodies
from tests.litellm.hosted.conftest import Hosted, Start, answer_on
from tests.rpc.running_server import PATIENCE_SECONDS, PROJECT

LOAD = b'{"project_name": "project"}'
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def begin(hosted: Hosted, size: int) -> socket.socket:
    """Announce a load of that size; its body comes once the server says so, which it does when it begins to read."""
    caller = hosted.connect()
    head = f"POST /get_budget HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {size}\r\n\r\n"
    before = hosted.calls_served()
    caller.sendall(head.encode())
    while hosted.calls_served() == before:
        pass
    return caller


def is_let_in(caller: socket.socket, *, seconds: float = PATIENCE_SECONDS) -> bool:
    """True if the server begins to read the body within that time."""
    readable, _, _ = select.select([caller], [], [], seconds)
    return bool(readable) and caller.recv(len(CONTINUE)) == CONTINUE


def finish(caller: socket.socket, size: int) -> int:
    """Send a body of that size; returns the status of its answer."""
    with caller:
        caller.sendall(LOAD.ljust(size))
        status, _ = answer_on(caller)
        return status


def test_a_body_that_never_comes_is_given_up(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS_MAX", 0.05)
    with begin(hosted, 100) as caller:
        assert is_let_in(caller)
        caller.sendall(LOAD)

        status, answer_body = answer_on(caller)

    assert status == 408
    assert answer_body["message"].startswith("the body must come within ")
    assert hosted.load() == {}


def test_a_caller_that_goes_before_its_body_is_whole_has_saved_nothing(hosted: Hosted) -> None:
    body = b'{"project_name": "project", "user_dict": {"alice": {"total_budget": 1}}}'
    before = hosted.server.stored()
    with hosted.connect() as caller:
        head = f"POST /set_budget HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 1}\r\n\r\n"
        caller.sendall(head.encode() + body)
        caller.shutdown(socket.SHUT_RDWR)

    while not any(each.get("why") == "the caller has disconnected" for each in hosted.logs):
        hosted.load()
    assert hosted.server.stored() == before


def test_what_comes_after_the_declared_length_is_not_part_of_the_body(hosted: Hosted) -> None:
    body = b'{"project_name": "project", "user_dict": {"alice": {"total_budget": 1}}}'
    with hosted.connect() as caller:
        head = f"POST /set_budget HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        caller.sendall(head.encode() + body + b'{"user_dict": {"mallory": {"total_budget": 1}}}')

        status, answer_body = answer_on(caller)

    assert (status, answer_body) == (200, {"status": "success"})
    assert list(hosted.load()) == ["alice"]


def test_a_body_with_two_lengths_is_not_read_both_ways(hosted: Hosted) -> None:
    """What one server takes for a body, and the next one for a call of its own, is how calls are smuggled."""
    chunk = b'{"project_name": "project", "user_dict": {"mallory": {"total_budget": 1}}}'
    with hosted.connect() as caller:
        head = b"POST /set_budget HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        caller.sendall(head + f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n0\r\n\r\n")

        answer = int(caller.recv(64).split()[1])

    assert answer == 400
    assert hosted.load() == {}


def test_more_calls_than_are_served_at_a_time_are_refused_with_a_time_to_retry(start: Start) -> None:
    hosted = start(calls_max=2)
    callers = [begin(hosted, 100) for _ in range(2)]

    answer = hosted.post("/get_budget", LOAD)

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["message"] == "more than 2 calls at the same time: try again in a moment"
    assert [finish(caller, 100) for caller in callers] == [200, 200]
    assert hosted.load() == {}


def test_calls_that_have_gone_make_room_for_others(start: Start) -> None:
    hosted = start(calls_max=2)
    for _ in range(5):
        callers = [begin(hosted, 100) for _ in range(2)]
        for caller in callers:
            caller.close()
        while hosted.calls_served():
            pass

    assert hosted.load() == {}


def test_bodies_that_do_not_fit_together_wait_in_the_order_in_which_they_came(start: Start) -> None:
    hosted = start(bytes_max=1_000)
    first = begin(hosted, 800)
    assert is_let_in(first)
    second = begin(hosted, 500)
    third = begin(hosted, 100)
    assert not is_let_in(second, seconds=0)
    assert not is_let_in(third, seconds=0), "it would fit, and comes after one that waits"

    assert finish(first, 800) == 200

    assert is_let_in(second)
    assert is_let_in(third), "both fit"
    assert [finish(third, 100), finish(second, 500)] == [200, 200]


def test_a_body_larger_than_all_the_room_is_read_alone(start: Start) -> None:
    hosted = start(bytes_max=200)
    first = begin(hosted, 100)
    large = begin(hosted, 5_000)
    assert is_let_in(first)
    assert not is_let_in(large, seconds=0)

    assert finish(first, 100) == 200

    assert is_let_in(large)
    small = begin(hosted, 50)
    assert not is_let_in(small, seconds=0)
    assert finish(large, 5_000) == 200
    assert is_let_in(small)
    assert finish(small, 50) == 200


def test_a_caller_that_goes_while_it_waits_does_not_hold_up_the_others(start: Start) -> None:
    hosted = start(bytes_max=1_000)
    first = begin(hosted, 800)
    gone = begin(hosted, 900)
    last = begin(hosted, 700)
    gone.close()

    assert finish(first, 800) == 200

    assert is_let_in(last)
    assert finish(last, 700) == 200
    while hosted.calls_served():
        pass


def test_many_bodies_at_once_all_come_through_little_room(start: Start) -> None:
    hosted = start(bytes_max=300)
    users = [f"user{number}" for number in range(40)]

    def save(user: str) -> int:
        record = {"total_budget": 1, "current_cost": 0.5, "model_cost": {"gpt-4o": 0.5}, "created_at": 1}
        return hosted.post("/set_budget", {"project_name": PROJECT, "user_dict": {user: record}}).status_code

    with ThreadPoolExecutor(20) as callers:
        statuses = set(callers.map(save, users))

    assert statuses == {200}
    assert {user: hosted.server.spent(user) for user in users} == dict.fromkeys(users, 500_000_000)
