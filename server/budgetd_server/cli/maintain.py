"""`budgetd migrate` and `budgetd verify`: maintenance of a database, whether or not a server runs on it."""

import json
from typing import Annotated

import typer

from budgetd_server import config as settings
from budgetd_server.cli.failing import EXIT_FAILED, refuse
from budgetd_server.cli.layout import print_rows
from budgetd_server.config import Config, ConfigRefused
from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.sqlite.file import open_file
from budgetd_server.ledger.sqlite.recount import Deviation
from budgetd_server.ledger.sqlite.verify import verify_file

Database = Annotated[str, typer.Option(envvar="BUDGETD_DATABASE", metavar="URL", help="sqlite:///PATH, or a path.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]


def migrate(*, database: Database = settings.DATABASE_DEFAULT, as_json: AsJson = False) -> None:
    """Bring a database up to date after copying it to FILE.before-VERSION, or make a new one."""
    try:
        path = Config(database=database).database_path
        is_new = not path.exists()
        migrated = open_file(path, migrates=True)
    except (ConfigRefused, LedgerRefused) as refusal:
        refuse(str(refusal))
    if as_json:
        summary = {} if migrated is None else {**migrated._asdict(), "copy": str(migrated.copy)}
        typer.echo(json.dumps({"database": str(path), **({"created": True} if is_new else {}), **summary}))
        return
    if is_new:
        typer.echo(f"made a new database: there was no {path}")
    if migrated is not None:
        typer.echo(f"migrated from version {migrated.from_version} to {migrated.to_version}")
        typer.echo(f"the file as it was before: {migrated.copy}")
    typer.echo("up to date")


def verify(*, database: Database = settings.DATABASE_DEFAULT, as_json: AsJson = False) -> None:
    """Recount the whole ledger and name everything that does not agree. Reads one snapshot; servers may run."""
    try:
        report = verify_file(Config(database=database).database_path)
    except (ConfigRefused, LedgerRefused) as refusal:
        refuse(str(refusal))
    # Amounts may exceed the numbers of JSON readers, so all values are printed as text.
    rows = [[str(each) for each in deviation] for deviation in report.deviations]
    if as_json:
        deviations = [dict(zip(Deviation._fields, row, strict=True)) for row in rows]
        typer.echo(json.dumps({**report.counts, "deviations": deviations}))
    else:
        if rows:
            print_rows(Deviation._fields, rows)
        summary = ", ".join(_counted(count, name) for name, count in report.counts.items())
        typer.echo(f"{summary}: {len(rows)} deviation{'' if len(rows) == 1 else 's'}")
    if rows:
        raise typer.Exit(EXIT_FAILED)


def _counted(count: int, name: str) -> str:
    """Format a count with its name, which is a plural."""
    words = name.replace("_", " ")
    return (
        f"{count} {words.removesuffix('ies') + 'y' if words.endswith('ies') else words.removesuffix('s')}"
        if count == 1
        else f"{count} {words}"
    )
