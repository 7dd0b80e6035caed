"""Tables of the documentation, read the way a person would."""

from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def rows(page: str) -> Iterator[list[str]]:
    """The cells of every row of every table of a page, headings and rulers left out."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("| ") and not following.startswith("|--"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def names(cell: str) -> list[str]:
    """The words in code font of a cell."""
    return cell.split("`")[1::2]
