"""What is remembered of saves is bounded, and forgotten without harm."""

from budgetd_server.http.hosted.unchanged import Seen, Unchanged

RECORD = Seen(b"a record", 1)


def test_the_records_of_clients_that_were_not_seen_for_longest_are_forgotten() -> None:
    unchanged = Unchanged(records_max=2)
    for client in ("first", "second", "first", "third"):
        unchanged.keep(("project", client), "alice", RECORD)

    found = {client: unchanged.seen(("project", client), "alice") for client in ("first", "second", "third")}

    assert found == {"first": RECORD, "second": None, "third": RECORD}


def test_a_single_client_does_not_keep_more_than_there_is_room_for() -> None:
    unchanged = Unchanged(records_max=10)

    for number in range(1_000):
        unchanged.keep(("project", ""), f"user {number}", RECORD)

    assert sum(unchanged.seen(("project", ""), f"user {number}") is not None for number in range(1_000)) <= 10


def test_what_was_forgotten_leaves_room() -> None:
    unchanged = Unchanged(records_max=2)
    unchanged.keep(("project", "first"), "alice", RECORD)
    unchanged.keep(("project", "first"), "bob", RECORD)
    unchanged.forget(("project", "first"), ["alice"])

    unchanged.keep(("project", "second"), "carol", RECORD)

    assert unchanged.seen(("project", "first"), "bob") == RECORD
