"""Why an older server wrote an entry, which it kept as a text, is known to newer ones as a number."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.ledger.sqlite.file import connect, open_file
from tests.ledger.older_files import OLDER, make_older

#: Kind and reason of entries as older programs wrote them, and the cause that newer ones read.
CAUSES = [
    (EntryKind.RESET, "window ended", Cause.WINDOW_ENDED),
    (EntryKind.RESET, "requested", Cause.REQUESTED),
    (EntryKind.RESET, "clock stepped back", Cause.CLOCK_STEPPED_BACK),
    (EntryKind.CREATE, "", Cause.NONE),
    (EntryKind.CREATE, "replaced", Cause.REPLACED),
    (EntryKind.CREATE, "from template", Cause.FROM_TEMPLATE),
    (EntryKind.RELEASE, "", Cause.NONE),
    (EntryKind.RELEASE, "budget deleted", Cause.BUDGET_DELETED),
    (EntryKind.ADJUST, "requested", Cause.NONE),
    (EntryKind.ADJUST, "from template", Cause.NONE),
]


@pytest.mark.parametrize("older", [version for version in OLDER if version < 6])
def test_entries_that_had_their_cause_as_a_text_have_it_as_a_number_and_never_change_again(
    tmp_path: Path, older: int
) -> None:
    path = tmp_path / "budgetd.db"
    make_older(path, older, with_rows=False)
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO projects (project_key, project_id) VALUES (1, 'shop')")
        connection.executemany(
            "INSERT INTO entries (project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd,"
            " model, request_id, reason) VALUES (1, ?, 1, 0, ?, 0, 0, '', '', ?)",
            [(seq, int(kind), reason) for seq, (kind, reason, _) in enumerate(CAUSES, 1)],
        )

    open_file(path, migrates=True)

    with closing(connect(path)) as connection:
        assert connection.execute("SELECT kind, reason, cause FROM entries").fetchall() == CAUSES
        with pytest.raises(sqlite3.IntegrityError, match="entries never change"):
            connection.execute("UPDATE entries SET cause = 1")
