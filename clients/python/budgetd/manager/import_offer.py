"""Offers to import LiteLLM's file of budgets when a new database is about to be made in the same folder."""

import shlex
import warnings
from pathlib import Path

#: Where LiteLLM's class keeps all budgets.
FILE_NAME = "user_cost.json"
#: The frames from `warnings.warn` to the line that makes a manager: the constructor and the check around it.
_STACK_LEVEL = 4


class UserCostFileFound(UserWarning):
    """A new, empty database is made in a folder with a file of LiteLLM's budgets. The text has the command to type."""


def offer_import(database: Path, project_id: str) -> None:
    """Warn if the database does not exist and its folder has LiteLLM's file. Nothing is imported.

    Args:
        database: The absolute path of the file that the first call will make.
        project_id: The project into which the budgets would be imported.
    """
    found = database.with_name(FILE_NAME)
    try:
        if database.exists() or not found.is_file():
            return
        size_bytes = found.stat().st_size
    except OSError:  # The folder cannot be read, so there is nothing to offer.
        return
    command = ["budgetd", "import", _typed(found), "--database", _typed(database), "--project", project_id]
    warnings.warn(
        f"{database} is new and has no budgets; next to it is LiteLLM's {FILE_NAME} ({size_bytes:,} bytes), of which "
        f"nothing is imported. To import its budgets, before users are created again, type: {shlex.join(command)}",
        UserCostFileFound,
        stacklevel=_STACK_LEVEL,
    )


def _typed(path: Path) -> str:
    """Return a path as a user would type it: relative if it is below the current folder."""
    try:
        relative = path.relative_to(Path.cwd().resolve())
    except (OSError, ValueError):
        return str(path)
    return str(path) if str(relative).startswith("-") else str(relative)
