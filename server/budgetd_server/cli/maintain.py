"""`budgetd migrate` and `budgetd verify`: what an operator does to a database, with or without a server running."""

import json
import sqlite3
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from budgetd_server import config as settings
from budgetd_server.config import Config, ConfigRefused
from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.sqlite_file import open_file
from budgetd_server.ledger.sqlite_verify import verify_file

Database = Annotated[str, typer.Option(envvar="BUDGETD_DATABASE", metavar="URL", help="sqlite:///PATH, or a path.")]
EXIT_DEVIATIONS, EXIT_REFUSED = 1, 2


def migrate(*, database: Database = settings.DATABASE_DEFAULT) -> None:
    """Bring a database up to date, or make a new one. Stop servers of older versions first."""
    try:
        open_file(Config(database=database).database_path, migrates=True)
    except (ConfigRefused, LedgerRefused) as refusal:
        typer.echo(f"budgetd: {refusal}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    typer.echo("up to date")


def verify(
    *,
    database: Database = settings.DATABASE_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Recount the whole ledger and name everything that does not agree. Reads one snapshot; servers may run."""
    try:
        report = verify_file(Config(database=database).database_path)
    except (ConfigRefused, LedgerRefused, sqlite3.Error) as refusal:
        typer.echo(f"budgetd: {refusal}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    if as_json:
        typer.echo(json.dumps({**report.counts, "deviations": [each._asdict() for each in report.deviations]}))
    else:
        table = Table("invariant", "where", "found", "expected")
        for each in report.deviations:
            table.add_row(each.invariant, each.where, str(each.found), str(each.expected))
        if report.deviations:
            Console().print(table)
        told = ", ".join(f"{count} {name}" for name, count in report.counts.items())
        typer.echo(f"{told}: {len(report.deviations)} deviations")
    if report.deviations:
        raise typer.Exit(EXIT_DEVIATIONS)
