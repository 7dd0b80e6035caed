"""Exports a project's budgets as LiteLLM's `user_cost.json`, with the records that our `BudgetManager` returns."""

import contextlib
import json
import math
import os
from pathlib import Path
from typing import NamedTuple

from budgetd import BudgetClient
from budgetd.manager import read_records
from budgetd.user_cost import Record

#: Replaces infinity, which JSON does not have: the largest amount that a limit can have, in dollars.
TOTAL_BUDGET_MAX = 1e9


class Exported(NamedTuple):
    """A project's budgets as LiteLLM's records."""

    records: dict[str, Record]
    #: The users whose budgets have no limit: their `total_budget` is the largest amount.
    unlimited: list[str]

    @property
    def text(self) -> str:
        """The content of the file, formatted as LiteLLM's class does it."""
        return json.dumps(self.records, indent=4, allow_nan=False)


def exported(client: BudgetClient, project_id: str) -> Exported:
    """Read a project. Each record is consistent; records of different users may be from different moments.

    Raises:
        BudgetdError: A call failed.
    """
    records = read_records(client, project_id)
    unlimited = [user for user, record in records.items() if math.isinf(record["total_budget"])]
    for user in unlimited:
        records[user]["total_budget"] = TOTAL_BUDGET_MAX
    return Exported(records, unlimited)


def write(path: Path, text: str, *, replaces: bool) -> None:
    """Write a file atomically: concurrent readers see either the old or the new content.

    Args:
        path: The file; its folder must exist.
        text: The new content.
        replaces: Whether to replace an existing file.

    Raises:
        FileExistsError: The file exists and must not be replaced.
        OSError: The file cannot be written; nothing was changed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            temporary.replace(path)
        else:
            os.link(temporary, path)  # Unlike a rename, it fails if another program has created the file meanwhile.
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make the name of a new file durable, on systems where folders can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
