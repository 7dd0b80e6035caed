"""What is remembered of saves is bounded, and what is forgotten is known to be."""

from budgetd_server.litellm.hosted.unchanged import Seen, Unchanged

RECORD = Seen(b"a record", 1)


def test_clients_that_were_not_seen_for_longest_are_forgotten_whole() -> None:
    unchanged = Unchanged(records_max=4)
    for client in ("first", "second", "first", "third"):
        unchanged.begin(("project", client))
        unchanged.keep(("project", client), "alice", RECORD)

    found = {client: unchanged.knows(("project", client)) for client in ("first", "second", "third")}

    assert found == {"first": True, "second": False, "third": True}
    assert unchanged.seen(("project", "first"), "alice") == RECORD


def test_clients_of_which_nothing_is_remembered_are_bounded_too() -> None:
    unchanged = Unchanged(records_max=10)

    for number in range(1_000):
        unchanged.begin(("project", f"view {number}"))

    assert sum(unchanged.knows(("project", f"view {number}")) for number in range(1_000)) <= 10


def test_of_a_client_that_has_been_forgotten_nothing_is_kept() -> None:
    unchanged = Unchanged(records_max=2)
    unchanged.begin(("project", "first"))
    unchanged.begin(("project", "second"))
    unchanged.begin(("project", "third"))

    unchanged.keep(("project", "first"), "alice", RECORD)

    assert unchanged.seen(("project", "first"), "alice") is None
    assert not unchanged.knows(("project", "first"))


def test_what_was_forgotten_leaves_room() -> None:
    unchanged = Unchanged(records_max=4)
    unchanged.begin(("project", "first"))
    unchanged.keep(("project", "first"), "alice", RECORD)
    unchanged.keep(("project", "first"), "bob", RECORD)
    unchanged.forget(("project", "first"), ["alice"])

    unchanged.begin(("project", "second"))
    unchanged.keep(("project", "second"), "carol", RECORD)

    assert unchanged.seen(("project", "first"), "bob") == RECORD


def test_a_single_client_is_forgotten_too_once_it_has_more_than_there_is_room_for() -> None:
    unchanged = Unchanged(records_max=10)

    for number in range(1_000):
        unchanged.begin(("project", ""))
        unchanged.keep(("project", ""), f"user {number}", RECORD)

    assert sum(unchanged.seen(("project", ""), f"user {number}") is not None for number in range(1_000)) <= 10
