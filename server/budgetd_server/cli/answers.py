"""How answers are printed: as tables for people, exact to the last digit, and as JSON for programs."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import typer
from google.protobuf import json_format
from google.protobuf.message import Message

if TYPE_CHECKING:  # JSON needs no rich.
    from rich.table import Table

#: Where standard output is no terminal there is no width; this is enough for every table of ours.
WIDTH_WITHOUT_TERMINAL = 240


def print_json(message: Message) -> None:
    """Print a message on one line, as protobuf's JSON with the contract's field names.

    Fields of 64 bits are strings there, so that no reader rounds them; zeros and empty fields are present.
    """
    typer.echo(
        json_format.MessageToJson(
            message, indent=None, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
    )


def table_of(columns: Sequence[str], *, right: Sequence[str] = (), title: str | None = None) -> "Table":
    """A table whose cells are broken rather than cut; columns named in `right` are for numbers."""
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def print_table(table: "Table") -> None:
    """Print a table to standard output."""
    from rich.console import Console  # noqa: PLC0415

    # Ids are the callers' own: nothing in them is markup.
    is_terminal = sys.stdout.isatty()
    width = None if is_terminal else WIDTH_WITHOUT_TERMINAL
    Console(markup=False, emoji=False, highlight=False, width=width).print(table)


def when_text(message: Message, field: str, *, unset: str) -> str:
    """A message's timestamp in UTC, to the second; `unset` if it is not there."""
    if not message.HasField(field):
        return unset
    at: datetime = getattr(message, field).ToDatetime()
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
