"""Writes a project's budgets as LiteLLM's `user_cost.json`, with the records that our `BudgetManager` shows."""

import contextlib
import json
import math
import os
from pathlib import Path
from typing import NamedTuple

from budgetd import BudgetClient
from budgetd.manager import read_records
from budgetd.user_cost import Record

#: What stands for no limit: JSON has no infinity, and this is the largest amount that a limit can have, in dollars.
TOTAL_BUDGET_MAX = 1e9


class Exported(NamedTuple):
    """A project's budgets as records."""

    records: dict[str, Record]
    #: The budgets without a limit, whose `total_budget` is the largest amount.
    unlimited: list[str]

    @property
    def text(self) -> str:
        """The file, as LiteLLM's class writes it."""
        return json.dumps(self.records, indent=4, allow_nan=False)


def exported(client: BudgetClient, project_id: str) -> Exported:
    """Read a project. Each record is whole; those of different users may be of different moments.

    Raises:
        BudgetdError: A call failed.
    """
    records = read_records(client, project_id)
    unlimited = [user for user, record in records.items() if math.isinf(record["total_budget"])]
    for user in unlimited:
        records[user]["total_budget"] = TOTAL_BUDGET_MAX
    return Exported(records, unlimited)


def write(path: Path, text: str, *, replaces: bool) -> None:
    """Write a file whole or not at all: whoever reads it meanwhile sees the old one, or the new one.

    Args:
        path: The file; its folder has to exist.
        text: What is to stand in it.
        replaces: True: a file that is there is replaced.

    Raises:
        FileExistsError: There is one already, and it is not to be replaced.
        OSError: It cannot be written; nothing was changed.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            beside.replace(path)
        else:
            os.link(beside, path)  # Unlike a rename, it fails if another has made the file meanwhile.
    finally:
        beside.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make the name of a new file durable, where folders can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
