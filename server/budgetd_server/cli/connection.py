"""What the commands that ask a server share: which server and project, and how its refusals end the command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from budgetd_server.cli.failing import failure_of, refuse
from budgetd_server.config import LISTEN_DEFAULT
from budgetd_server.unix_sockets import unix_path

if TYPE_CHECKING:  # Wrong usage and `--help` need no gRPC.
    from budgetd import BudgetClient

PROJECT_DEFAULT = "default"
TIMEOUT_SECONDS_DEFAULT = 10.0

Address = Annotated[
    str | None,
    typer.Option(
        envvar="BUDGETD_ADDRESS",
        metavar="HOST:PORT",
        help="The server. By default the one of this machine: where BUDGETD_LISTEN says, or " + LISTEN_DEFAULT + ".",
        show_default=False,
    ),
]
Project = Annotated[str, typer.Option(envvar="BUDGETD_PROJECT", help="The project that the ids belong to.")]


def checked_timeout(seconds: float) -> float:
    """Refuse a span that is no time to wait: a bound of the option itself would let "nan" pass.

    Raises:
        BadParameter: It is not above 0, or too long.
    """
    from budgetd.values import check_seconds  # noqa: PLC0415

    try:
        check_seconds("the time", seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return seconds


Timeout = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", callback=checked_timeout, help="How long to try before giving up."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the server's answer as JSON, for programs.")]
RequestId = Annotated[
    str | None,
    typer.Option(help="Makes it safe to repeat: the same id changes nothing a second time. By default a fresh one."),
]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="May be given many times.")]


def address_text(address: str | None) -> str:
    """The server to ask, as host:port, perhaps after grpc:// or grpcs://, or unix:PATH.

    Args:
        address: What `--address` or BUDGETD_ADDRESS says; None or empty: neither does.

    Raises:
        BadParameter: BUDGETD_LISTEN does not tell the port.
    """
    if address:
        return address
    listen = os.environ.get("BUDGETD_LISTEN") or LISTEN_DEFAULT
    if unix_path(listen) is not None:
        return listen
    host, _, port = listen.rpartition(":")
    if port == "0":
        raise typer.BadParameter("BUDGETD_LISTEN leaves the port to the system: say --address HOST:PORT")
    # A server that listens everywhere is asked over this machine's own address.
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - it is looked up, not bound.
    return f"{host}:{port}"


@contextmanager
def connected(address: str | None, timeout_seconds: float = TIMEOUT_SECONDS_DEFAULT) -> "Iterator[BudgetClient]":
    """A client of the server; a call that is refused or fails ends the command with exit code 1.

    Requests are made inside the block too: an argument that is no UTF-8 is found out there, and is wrong usage.
    """
    from budgetd import BudgetClient  # noqa: PLC0415

    try:
        client = BudgetClient(address_text(address), timeout_seconds=timeout_seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with client, refusals_end_it():
        yield client


@contextmanager
def refusals_end_it() -> Iterator[None]:
    """A call in the block that is refused or fails ends the command with exit code 1, a file that is with 2."""
    from budgetd import BudgetdError, DatabaseRefused  # noqa: PLC0415

    try:
        yield
    except UnicodeEncodeError:
        raise typer.BadParameter("arguments must be UTF-8") from None
    except DatabaseRefused as error:
        refuse(str(error))
    except BudgetdError as error:
        raise failure_of(error) from None


def labels_of(pairs: list[str] | None) -> dict[str, str]:
    """`key=value` pairs as a dictionary.

    Raises:
        BadParameter: One is no pair, or a key is there twice.
    """
    labels: dict[str, str] = {}
    for pair in pairs or ():
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"must be KEY=VALUE, got {pair!r}", param_hint="--label")
        if key in labels:
            raise typer.BadParameter(f"names {key!r} twice", param_hint="--label")
        labels[key] = value
    return labels


def usd_option(text: str) -> int:
    """Dollars of an option, as nano-USD.

    Raises:
        BadParameter: They cannot be read.
    """
    from budgetd_server.cli.dollars import nano_usd_of  # noqa: PLC0415

    try:
        return nano_usd_of(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--usd") from None
