"""A program with a planted bug: the real server, which overwrites sums by model that a batch has not loaded."""

from budgetd_server.cli import main
from budgetd_server.domain.lacking import StoredParts

if __name__ == "__main__":
    setattr(StoredParts, "look_for", lambda *_: None)  # noqa: B010 - it is the name that the working set looks up.
    main()
