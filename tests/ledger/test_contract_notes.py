"""Notes are kept with the steps that they speak of: durable, by owner, project and key, and byte for byte."""

from functools import partial

import pytest

from budgetd_server.domain.needs import NoteKey
from budgetd_server.domain.results import Result
from budgetd_server.domain.steps import RunSteps, Steps
from budgetd_server.ledger.base import Ledger
from tests.domain.desk import ALICE, PROJECT, charge, create
from tests.ledger.stores import Store, carry_out

KEY = NoteKey("owner", "key")
#: Names that must not be taken for each other.
KEYS = (KEY, NoteKey("owner", "key "), NoteKey("Owner", "key"), NoteKey("", "ownerkey"), NoteKey("漢字", '"\\'))


class Read(Result):
    """Nothing but that the function was called."""


def steps(choose: object, *, notes: tuple[NoteKey, ...] = KEYS, project_id: str = PROJECT) -> RunSteps[Read]:
    """A command with a function."""
    return RunSteps(project_id=project_id, budget_id=ALICE, choose=choose, notes=notes)  # type: ignore[arg-type]


def keep(notes: dict[NoteKey, bytes | None], kept: Steps) -> Read:
    """Charge, and keep notes."""
    kept.do(charge(1))
    for key, note in notes.items():
        kept.keep(key, note)
    return Read()


async def found(ledger: Ledger, project_id: str = PROJECT) -> dict[NoteKey, bytes | None]:
    """What a later transaction reads."""
    read: dict[NoteKey, bytes | None] = {}

    def look(seen: Steps) -> Read:
        read.update((key, seen.note(key)) for key in KEYS)
        return Read()

    await carry_out(ledger, steps(look, project_id=project_id))
    return read


async def test_notes_come_back_byte_for_byte_under_their_own_names_also_after_a_restart(store: Store) -> None:
    notes: dict[NoteKey, bytes | None] = {key: bytes(range(256)) * number for number, key in enumerate(KEYS)}
    ledger = await store.open()
    await carry_out(ledger, create(), steps(partial(keep, notes)))
    await ledger.close()

    ledger = await store.open()
    again = await found(ledger)
    await ledger.close()

    assert again == notes


async def test_a_later_note_takes_the_place_of_the_former_and_none_forgets_it(ledger: Ledger) -> None:
    await carry_out(ledger, create(), steps(partial(keep, dict.fromkeys(KEYS, b"first"))))

    await carry_out(ledger, steps(partial(keep, {KEYS[0]: b"second", KEYS[1]: None})))

    assert await found(ledger) == dict.fromkeys(KEYS, b"first") | {KEYS[0]: b"second", KEYS[1]: None}


async def test_steps_later_in_a_batch_read_the_notes_of_those_before_them(ledger: Ledger) -> None:
    read: list[bytes | None] = []

    def look(seen: Steps) -> Read:
        read.append(seen.note(KEY))
        return Read()

    await carry_out(
        ledger, create(), steps(look), steps(partial(keep, {KEY: b"x"})), steps(look), steps(partial(keep, {KEY: None}))
    )

    assert read == [None, b"x"]
    assert (await found(ledger))[KEY] is None


async def test_projects_have_notes_of_their_own(ledger: Ledger) -> None:
    await carry_out(ledger, create(), create(project_id="other"), steps(partial(keep, {KEY: b"x"})))

    assert await found(ledger, "other") == dict.fromkeys(KEYS)


async def test_a_half_that_is_refused_leaves_neither_its_steps_nor_its_note(ledger: Ledger) -> None:
    await carry_out(ledger, create())

    def half(seen: Steps) -> Read:
        keep({KEY: b"half"}, seen)
        seen.do(create())
        return Read()

    with pytest.raises(RuntimeError, match="refused after a change"):
        await carry_out(ledger, steps(half))

    budget = (await ledger.load_budgets([(PROJECT, ALICE)]))[(PROJECT, ALICE)]
    assert budget.main.sums.cost_nano_usd == 0
    assert (await found(ledger))[KEY] is None


async def test_a_note_may_be_forgotten_in_a_project_that_does_not_exist(ledger: Ledger) -> None:
    def forget(seen: Steps) -> Read:
        seen.keep(KEY, None)
        return Read()

    await carry_out(ledger, steps(forget, notes=(), project_id="nowhere"))
