"""What clients of the self-hosted protocol had saved in an older file is the note that their next save finds."""

from contextlib import closing
from pathlib import Path

import pytest

from budgetd_server.ledger.sqlite.file import connect
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.litellm.record import Accepted, Record
from budgetd_server.litellm.saving import SaveRecord, note_key
from tests.domain.desk import ALICE, DAY_US, MONDAY_US, PROJECT
from tests.ledger.older_files import make_older
from tests.ledger.stores import carry_out

RECORD = Record(1_000, DAY_US, "1772409600.0", MONDAY_US, 130, (("gpt-4o", 100), ("漢字", 30)))
#: As every version from 2 to 4 wrote it.
TEXT = '[1000,86400000000,"1772409600.0",1772409600000000,130,[["gpt-4o",100],["漢字",30]]]'


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("former_at_us", [None, MONDAY_US - DAY_US])
async def test_a_save_that_an_older_server_has_accepted_changes_nothing_when_it_is_sent_again(
    tmp_path: Path, version: int, former_at_us: int | None
) -> None:
    path = tmp_path / "budgetd.db"
    make_older(path, version)
    with closing(connect(path)) as connection:
        connection.execute(
            "INSERT INTO accepted_records VALUES (1, 'view', ?, ?, ?, ?)", (ALICE, TEXT, MONDAY_US + 1, former_at_us)
        )
    ledger = await SqliteLedger.open(path, migrates=True)

    save = SaveRecord(project_id=PROJECT, budget_id=ALICE, client="view", record=RECORD)
    (outcome,) = await carry_out(ledger, save.command())
    await ledger.close()

    assert not outcome.result.has_changed
    with closing(connect(path)) as connection:
        ((note,),) = connection.execute(
            "SELECT note FROM notes WHERE owner = ? AND key = ?", note_key("view", ALICE)
        ).fetchall()
    accepted = Accepted(RECORD, MONDAY_US + 1, former_at_us)
    assert Accepted.from_note(note) == accepted
    assert note == accepted.to_note()
