"""Shared by the commands that call a server: options for server and project, and how refusals end a command."""

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
    """Check a timeout: limits of the option itself would accept "nan".

    Raises:
        BadParameter: It is not above 0, or it is too long.
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
    typer.Option(help="Makes it safe to repeat: the same id changes nothing a second time. By default a new one."),
]
Labels = Annotated[list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="May be given many times.")]


def address_text(address: str | None) -> str:
    """Return the server to call: host:port, optionally with grpc:// or grpcs://, or unix:PATH.

    Args:
        address: The value of `--address` or BUDGETD_ADDRESS; None or empty if neither is set.

    Raises:
        BadParameter: BUDGETD_LISTEN does not name a port.
    """
    if address:
        return address
    listen = os.environ.get("BUDGETD_LISTEN") or LISTEN_DEFAULT
    if unix_path(listen) is not None:
        return listen
    host, _, port = listen.rpartition(":")
    if port == "0":
        raise typer.BadParameter("BUDGETD_LISTEN leaves the port to the system: say --address HOST:PORT")
    # A server that listens on all addresses is called on the loopback address.
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound.
    return f"{host}:{port}"


@contextmanager
def connected(address: str | None, timeout_seconds: float = TIMEOUT_SECONDS_DEFAULT) -> "Iterator[BudgetClient]":
    """Connect a client to the server; a call that is refused or fails ends the command with exit code 1.

    Build requests inside the block, too: an argument that is not UTF-8 fails there, and is a usage error.
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
    """End the command with exit code 1 if a call in the block is refused or fails, with 2 if the file is refused."""
    from budgetd import BudgetdError, DatabaseRefused  # noqa: PLC0415

    try:
        yield
    except UnicodeEncodeError:
        raise typer.BadParameter("arguments must be UTF-8") from None
    except DatabaseRefused as error:
        refuse(str(error))
    except BudgetdError as error:
        raise failure_of(error) from None


def parse_labels(pairs: list[str] | None) -> dict[str, str]:
    """Parse `key=value` pairs into a dictionary.

    Raises:
        BadParameter: A pair is malformed, or a key is given twice.
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


def parse_usd_option(text: str) -> int:
    """Parse the dollars of `--usd` as nano-USD.

    Raises:
        BadParameter: The amount is invalid.
    """
    from budgetd_server.cli.dollars import parse_usd  # noqa: PLC0415

    try:
        return parse_usd(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--usd") from None
