"""Where a command finds its budgets: on a running server, or in a database file that the command opens itself."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from budgetd_server.cli.connection import address_text, refusals_end_it
from budgetd_server.cli.failing import refuse
from budgetd_server.config import Config, ConfigRefused

if TYPE_CHECKING:  # Wrong usage and `--help` need no gRPC.
    from budgetd import AsyncBudgetClient, BudgetClient

Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A ledger to open without a server, sqlite:///PATH or a path; servers may run on it. "
        "By default a server is called.",
        show_default=False,
    ),
]


class Place(NamedTuple):
    """A server or a database file."""

    #: A file to open; None to call a server.
    database: Path | None
    address: str
    timeout_seconds: float


def parse_place(context: typer.Context, *, database: str | None, address: str | None, timeout_seconds: float) -> Place:
    """Parse the options. A database takes precedence over an address in the environment.

    Raises:
        BadParameter: Both are on the command line, or one is invalid.
    """
    if database is None:
        return Place(None, address_text(address), timeout_seconds)
    source = context.get_parameter_source("address")
    if source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("either --database or --address")
    try:
        return Place(Config(database=database).database_path, "", timeout_seconds)
    except ConfigRefused as error:
        raise typer.BadParameter(str(error), param_hint="--database") from None


@contextmanager
def asked(
    context: typer.Context, *, database: str | None, address: str | None, timeout_seconds: float
) -> "Iterator[BudgetClient]":
    """Open a client of the place in the options; a database must exist. Refusals end the command."""
    place = parse_place(context, database=database, address=address, timeout_seconds=timeout_seconds)
    if place.database is not None and not place.database.exists():
        refuse(f"{place.database} does not exist")  # Opening it would create it.
    with refusals_end_it(), opened(place) as client:
        yield client


@contextmanager
def opened(place: Place) -> "Iterator[BudgetClient]":
    """Open a client of the place.

    Raises:
        BadParameter: The address is invalid.
    """
    from budgetd import BudgetClient, CallPolicy, LocalTransport  # noqa: PLC0415

    if place.database is not None:
        policy = CallPolicy(timeout_seconds=place.timeout_seconds)
        with BudgetClient.over(LocalTransport(place.database), policy) as client:
            yield client
        return
    try:
        client = BudgetClient(place.address, timeout_seconds=place.timeout_seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with client:
        yield client


@asynccontextmanager
async def opened_async(place: Place) -> "AsyncIterator[AsyncBudgetClient]":
    """Open an async client of the place, like `opened`."""
    from budgetd import AsyncBudgetClient, AsyncLocalTransport, CallPolicy  # noqa: PLC0415

    if place.database is not None:
        policy = CallPolicy(timeout_seconds=place.timeout_seconds)
        async with AsyncBudgetClient.over(AsyncLocalTransport(place.database), policy) as client:
            yield client
        return
    try:
        client = AsyncBudgetClient(place.address, timeout_seconds=place.timeout_seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    async with client:
        yield client
