"""`budgetd import` and `budgetd export` of LiteLLM's file of budgets."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from budgetd_server.cli.connection import PROJECT_DEFAULT, TIMEOUT_SECONDS_DEFAULT, Address, Project, Timeout
from budgetd_server.cli.dollars import usd_text
from budgetd_server.cli.failing import EXIT_FAILED, Failure, failure_of, refuse
from budgetd_server.cli.places import Database, Place, asked, opened_async, parse_place

if TYPE_CHECKING:  # Wrong usage and `--help` need none of it.
    from budgetd_server.litellm.files.importing import Notify, UserOutcome
    from budgetd_server.litellm.files.records import UserRecord

_AGAIN = "give the same command again, and it does the rest"


def import_user_cost(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="LiteLLM's user_cost.json; it may be damaged.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would be done, and write nothing.")] = False,
    database: Database = None,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Import the budgets of LiteLLM's user_cost.json. A second time changes nothing, or completes the first."""
    from budgetd_server.litellm.files.reading import FileRefused, read  # noqa: PLC0415 - it takes a moment to import.
    from budgetd_server.litellm.files.report import ImportReport  # noqa: PLC0415 - the same.

    place = parse_place(context, database=database, address=address, timeout_seconds=timeout)
    _check_project(project)
    try:
        reading = read(file)
    except FileRefused as refusal:
        refuse(str(refusal))
    report = ImportReport(file, project, reading, is_dry_run=dry_run)
    with _progress(len(reading.records)) as advance:

        def notify(outcome: "UserOutcome") -> None:
            report.add(outcome)
            advance()

        failure = _carried_out(place, project, reading.records, notify, is_dry_run=dry_run)
    report.interruption = "" if failure is None else failure.line
    if as_json:
        typer.echo(json.dumps(report.as_json()))
    else:
        for line in report.lines(usd_text(report.imported_nano_usd)):
            typer.echo(line)
    if failure is not None:
        failure.hint = f"; {_AGAIN}"
        raise failure
    if not report.is_clean:
        raise typer.Exit(EXIT_FAILED)


def export(
    context: typer.Context,
    *,
    user_cost_json: Annotated[
        bool, typer.Option("--user-cost-json", help="In the form of LiteLLM's user_cost.json; there is no other.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write it, whole or not at all. By default standard output."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    database: Database = None,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
) -> None:
    """Write a project's budgets as LiteLLM's class would have saved them."""
    if not user_cost_json:
        raise typer.BadParameter("say in which form: --user-cost-json")
    _check_project(project)
    if output is not None and output.exists():
        _check_replaceable(output, force=force)
    from budgetd_server.litellm.files.exporting import exported, write  # noqa: PLC0415

    with asked(context, database=database, address=address, timeout_seconds=timeout) as client:
        found = exported(client, project)
    for user in found.unlimited:
        typer.echo(f"budgetd: {user!r} has no limit, so total_budget is the largest amount, 1e9", err=True)
    if output is None:
        typer.echo(found.text)
        return
    try:
        write(output, found.text, replaces=force)
    except OSError as error:
        refuse(f"{output} cannot be written: {error.strerror or error}")
    typer.echo(f"wrote {len(found.records):,} user{'' if len(found.records) == 1 else 's'} to {output}")


def _check_replaceable(output: Path, *, force: bool) -> None:
    if not force:
        refuse(f"{output} exists already: name another file, or say --force")
    if not output.is_file():  # Otherwise a device would be replaced.
        refuse(f"{output} is not a file")


def _check_project(project: str) -> None:
    from budgetd.values import parse_project_id  # noqa: PLC0415

    try:
        parse_project_id(project).encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("arguments must be UTF-8") from None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--project") from None


def _carried_out(
    place: Place, project: str, records: "Sequence[UserRecord]", notify: "Notify", *, is_dry_run: bool
) -> Failure | None:
    """Import the records, or report what an import would do. Returns why it ended early, or None if it did not."""
    from budgetd import BudgetdError, DatabaseRefused  # noqa: PLC0415
    from budgetd_server.litellm.files.importing import foresee, foresee_all_new, import_records  # noqa: PLC0415

    if not records:
        return None
    if is_dry_run and place.database is not None and not place.database.exists():
        foresee_all_new(records, notify)  # Opening the file would create it.
        return None

    async def carry_out() -> None:
        async with opened_async(place) as client:
            await (foresee if is_dry_run else import_records)(client, project, records, notify)

    try:
        asyncio.run(carry_out())
    except DatabaseRefused as error:
        refuse(str(error))
    except BudgetdError as error:
        return failure_of(error)
    except KeyboardInterrupt:
        return Failure("interrupted", code="CANCELLED")
    return None


@contextmanager
def _progress(count: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error if that is a terminal. Yields a function that advances it by one."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("users", total=count)
        yield lambda: bar.advance(task)
