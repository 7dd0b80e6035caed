"""Prints text for people, laid out so that no number is ever split over two lines.

A table that is wider than the screen is printed as lines of a name and a value. The width is COLUMNS if that is set,
else that of the terminal. Without either, as in a pipe, lines have any length.
"""

import os
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence

import typer

#: The values of an empty cell.
NOTHING = ("", "-")
_GAP = "  "


def screen_width() -> int | None:
    """Return how many characters a line may have, or None if there is no limit."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):  # Standard output is not a terminal, or not a file at all.
        return None


def print_sentence(text: str) -> None:
    """Print a sentence, wrapped between words to the width of the screen."""
    width = screen_width()
    if width is not None:
        lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        text = "\n".join(lines)
    typer.echo(text)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()) -> None:
    """Print rows as a table, or as lines of name and value if the table would be too wide.

    Args:
        columns: The names of the columns; the first one identifies the rows.
        rows: A text for each column. Columns that are empty in all rows are left out.
        right: The columns to align to the right, for numbers.
    """
    from rich.cells import cell_len  # noqa: PLC0415 - JSON needs no rich. Some characters are two columns wide.

    used = [place for place in range(len(columns)) if any(row[place] not in NOTHING for row in rows)]
    columns, *rows = ([row[place] for place in used] for row in (columns, *rows))
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    limit = screen_width()
    is_narrow = limit is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > limit
    if is_narrow:
        lines = _below_each_other(columns, rows)
    else:
        sides = [name in right for name in columns]
        lines = (
            _GAP.join(_padded(cell, width - cell_len(cell), is_right=side) for cell, width, side in line).rstrip()
            for line in (zip(row, widths, sides, strict=True) for row in (columns, *rows))
        )
    for line in lines:
        typer.echo(line)


def _padded(cell: str, missing: int, *, is_right: bool) -> str:
    return " " * missing + cell if is_right else cell + " " * missing


def _below_each_other(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    width = max(map(len, columns[1:]))
    for row in rows:
        yield f"{columns[0]} {row[0]}"
        for name, cell in zip(columns[1:], row[1:], strict=True):
            if cell not in NOTHING:
                yield f"{_GAP}{name.ljust(width)}{_GAP}{cell}"
