"""Answers for which there is no room: pages wait for it, others are dropped, and a change that was made stays made."""

from collections.abc import Iterator

import grpc
import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.engine import answer_room
from tests.faults.silent_reader import SilentReader
from tests.rpc.failures import failure
from tests.rpc.running_server import PROJECT, RunningServer
from tests.rpc.test_big_answers import biggest_limits

PAGE = service.ListBudgetsRequest(project_id=PROJECT, view=pb.BUDGET_VIEW_STATUS)


@pytest.fixture
def full(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentReader]:
    """A peer whose unread page takes all the room that there is."""
    server.create("big", *biggest_limits(10))
    server.create("small")
    monkeypatch.setattr(answer_room, "ANSWERS_BYTES_MAX", 1)
    monkeypatch.setattr(answer_room, "ROOM_SECONDS_MAX", 0.05)
    with SilentReader(server.address) as reader:
        reader.call("ListBudgets", PAGE.SerializeToString())
        while not held(server):
            pass
        yield reader


def held(server: RunningServer) -> int:
    """How many bytes of answers are on their way."""
    return server.server._room._bytes  # noqa: SLF001 - nothing else shows it.


@pytest.mark.usefixtures("full")
def test_a_page_waits_and_is_then_refused_and_small_answers_go_on(server: RunningServer) -> None:
    refused = failure(lambda: server.stub.ListBudgets(PAGE))

    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "ANSWERS_UNREAD")
    assert refused.retry_seconds == 1.0
    assert int(refused.info.metadata["connection_bytes"]) == 0
    assert int(refused.info.metadata["all_bytes"]) > 0
    assert server.charge(1, "small").entry_id


@pytest.mark.usefixtures("full")
def test_a_charge_whose_answer_is_dropped_is_answered_under_the_same_request_id(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = failure(lambda: server.charge(1, "big", request_id="r"))
    monkeypatch.setattr(answer_room, "ANSWERS_BYTES_MAX", 1 << 30)
    again = server.charge(1, "big", request_id="r")

    assert refused.reason == "ANSWERS_UNREAD"
    assert again.replayed
    assert server.spent("big") == 1


def test_room_is_there_again_once_the_reader_has_hung_up(server: RunningServer, full: SilentReader) -> None:
    full.close()
    while held(server):
        pass

    assert len(server.stub.ListBudgets(PAGE).budgets) == 2


def test_a_reader_that_is_too_slow_is_cut_off_and_counted(
    server: RunningServer, full: SilentReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    full.close()
    while held(server):
        pass
    monkeypatch.setattr(answer_room, "UNREAD_SECONDS_MAX", 0.05)

    with SilentReader(server.address) as reader:
        reader.call("ListBudgets", PAGE.SerializeToString())

        assert reader.is_cut_off.wait(30)
    while held(server):
        pass
    assert server.server.metrics.registry.get_sample_value("budgetd_slow_readers_total") == 1
    assert len(server.stub.ListBudgets(PAGE).budgets) == 2
