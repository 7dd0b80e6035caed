"""A program with a planted bug: the real server, which follows links to its file and claims no name for it."""

import os

from budgetd_server.cli import main
from budgetd_server.ledger.sqlite import file as sqlite_file
from budgetd_server.ledger.sqlite import guard

if __name__ == "__main__":
    os.lstat = os.stat
    # They are the names that opening and the guard look up.
    setattr(sqlite_file, "claim", lambda *_: None)  # noqa: B010
    setattr(guard, "kept_place", lambda _: None)  # noqa: B010
    setattr(guard, "find_place", lambda _: None)  # noqa: B010
    main()
