"""Loads that are never read: they are held to the bounds of all answers, and their connections are ended."""

import socket
from typing import Any

import pytest

from budgetd_server.engine import answer_room
from tests.litellm.hosted.conftest import Hosted
from tests.rpc.running_server import PROJECT

#: Their load is more than the sockets of both ends keep.
USERS = {f"{number:0>240}": {"total_budget": number} for number in range(2_000)}


@pytest.fixture
def big(hosted: Hosted) -> Hosted:
    """A project whose load is some megabytes."""
    hosted.save_whole(USERS)
    return hosted


def ask_and_never_read(hosted: Hosted) -> socket.socket:
    """A load whose answer is left on its way."""
    listening: Any = hosted.server.server._http._server.servers[0].sockets[0]  # noqa: SLF001 - no one else has it.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)  # Connections have it from there.
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    caller.connect(("127.0.0.1", hosted.server.server.http_port))
    body = b'{"project_name": "%s"}' % PROJECT.encode()
    caller.sendall(b"POST /get_budget HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    while not held(hosted):
        pass
    return caller


def held(hosted: Hosted) -> int:
    """How many bytes of answers are on their way."""
    return hosted.server.server._room._bytes  # noqa: SLF001 - nothing else shows it.


def test_while_there_is_no_room_a_load_is_turned_away_and_may_come_again(
    big: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_room, "ANSWERS_BYTES_MAX", 1)

    with ask_and_never_read(big):
        refused = big.post("/get_budget", {"project_name": PROJECT})

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert "no room for the answer" in refused.json()["message"]
    while held(big):
        pass
    totals = {user: {"total_budget": record["total_budget"]} for user, record in big.load().items()}
    assert totals == USERS, "it arrives whole, over many parts"


def test_a_connection_that_leaves_its_load_unread_is_ended(big: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_room, "UNREAD_SECONDS_MAX", 0.2)

    with ask_and_never_read(big) as caller:
        while held(big):
            pass

        received = 0
        while chunk := caller.recv(1 << 20):
            received += len(chunk)
    assert 0 < received < 240 * len(USERS), "the rest was not kept for it"
    assert big.observed.value("budgetd_slow_readers_total") == 1
