"""A program with a planted bug: the real server, which does not look whether its file is still at its path."""

from budgetd_server.cli import main
from budgetd_server.ledger.sqlite.guard import FileGuard

if __name__ == "__main__":
    setattr(FileGuard, "check_place", lambda _: None)  # noqa: B010 - it is the name that the ledger looks up.
    main()
