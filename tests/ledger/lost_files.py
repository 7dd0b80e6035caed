"""What can happen to a database file while a program has it open."""

from collections.abc import Callable
from pathlib import Path

from budgetd_server.ledger.sqlite.file import open_file

Fault = Callable[[Path], None]


def delete(path: Path) -> None:
    """Delete it."""
    path.unlink()


def move(path: Path) -> None:
    """Give it another name, `moved.db`."""
    path.rename(path.with_name("moved.db"))


def replace(path: Path) -> None:
    """Put another ledger, an empty one, in its place."""
    other = path.with_name("other.db")
    open_file(other, migrates=False)
    other.rename(path)


def link(path: Path) -> None:
    """Give it a second name, `link.db`."""
    path.with_name("link.db").hardlink_to(path)


def leave_link(path: Path) -> None:
    """Give it another name, `real.db`, and leave a symbolic link under the old one."""
    path.rename(path.with_name("real.db"))
    path.symlink_to("real.db")
