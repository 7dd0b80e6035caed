"""Room for answers: who gets some, who waits, who is refused, and who is cut off."""

import asyncio

import pytest

from budgetd_server.domain.errors import AnswersUnread
from budgetd_server.engine import answer_room
from budgetd_server.engine.answer_room import AnswerRoom


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> AnswerRoom:
    """Room for 10 bytes to one connection and 20 to all; who waits or does not read is given up at once."""
    for name, value in (
        ("CONNECTION_BYTES_MAX", 10),
        ("ANSWERS_BYTES_MAX", 20),
        ("ROOM_SECONDS_MAX", 0.01),
        ("UNREAD_SECONDS_MAX", 0.01),
    ):
        monkeypatch.setattr(answer_room, name, value)
    return AnswerRoom(lambda _: None)


async def test_a_connection_has_room_up_to_its_bound_and_others_have_theirs(room: AnswerRoom) -> None:
    room.take("a", 6)
    room.take("a", 4)

    with pytest.raises(AnswersUnread) as refused:
        room.take("a", 1)

    assert refused.value.metadata == {"connection_bytes": "10", "all_bytes": "10"}
    room.take("b", 10)
    with pytest.raises(AnswersUnread):
        room.take("c", 1)


async def test_the_first_answer_of_a_connection_may_be_larger_than_the_bound(room: AnswerRoom) -> None:
    room.take("a", 15)

    with pytest.raises(AnswersUnread):
        room.take("a", 1)


async def test_room_that_is_given_back_twice_counts_once(room: AnswerRoom) -> None:
    held = room.take("a", 10)

    held.release()
    held.release()

    room.take("a", 6)
    with pytest.raises(AnswersUnread):
        room.take("a", 5)


async def test_an_answer_that_came_out_smaller_leaves_the_rest_to_others(room: AnswerRoom) -> None:
    held = await room.wait("a", 10)
    waiting = asyncio.create_task(room.wait("a", 7))
    await asyncio.sleep(0)

    held.send(3)

    await waiting
    held.release()


async def test_those_that_wait_are_let_in_in_turn_but_do_not_block_other_connections(room: AnswerRoom) -> None:
    first = room.take("a", 10)
    waiting = [asyncio.create_task(room.wait("a", 10)) for _ in range(2)]
    await asyncio.sleep(0)

    room.take("b", 10).release()
    first.release()
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    assert [each.done() for each in waiting] == [True, False]
    waiting[0].result().release()
    (await waiting[1]).release()
    room.take("c", 20)  # Nothing is left behind.


async def test_who_waits_in_vain_is_refused_and_leaves_nothing_behind(room: AnswerRoom) -> None:
    held = room.take("a", 10)

    with pytest.raises(AnswersUnread):
        await room.wait("a", 10)

    held.release()
    room.take("a", 10)


async def test_who_leaves_while_it_is_let_in_gives_its_room_back(room: AnswerRoom) -> None:
    held = room.take("a", 10)
    leaving = asyncio.create_task(room.wait("a", 10))
    await asyncio.sleep(0)

    held.release()
    leaving.cancel()
    await asyncio.wait([leaving])

    assert leaving.cancelled()
    room.take("a", 10)


async def test_an_answer_that_is_left_unread_cuts_its_connection_off_and_one_that_is_read_does_not(
    room: AnswerRoom,
) -> None:
    cut: asyncio.Queue[str] = asyncio.Queue()
    room.cut_off = cut.put_nowait
    read, unread = room.take("a", 10), room.take("b", 10)

    read.send(10)
    read.release()
    unread.send(10)

    assert await cut.get() == "b"
    assert cut.empty()
