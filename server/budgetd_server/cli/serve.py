"""`budgetd serve`."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from budgetd_server import config as settings
from budgetd_server import log as logs
from budgetd_server.app import Server, check_ports, open_ledger
from budgetd_server.cli.failing import EXIT_REFUSED, refuse, refuse_lines
from budgetd_server.config import Config, ConfigRefused
from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.prices import PriceFileError, ReloadablePrices
from budgetd_server.rpc.server import PortBusy

log = logging.getLogger(__name__)


def serve(
    *,
    listen: Annotated[
        str, typer.Option(envvar="BUDGETD_LISTEN", metavar="HOST:PORT", help="Where gRPC listens; or unix:PATH.")
    ] = settings.LISTEN_DEFAULT,
    http_listen: Annotated[
        str,
        typer.Option(
            envvar="BUDGETD_HTTP_LISTEN",
            metavar="HOST:PORT",
            help="Where HTTP listens, or unix:PATH: metrics, probes, LiteLLM's class; empty: nowhere.",
        ),
    ] = settings.HTTP_LISTEN_DEFAULT,
    database: Annotated[
        str, typer.Option(envvar="BUDGETD_DATABASE", metavar="URL", help="sqlite:///PATH, or a path.")
    ] = settings.DATABASE_DEFAULT,
    prices: Annotated[
        list[Path] | None,
        typer.Option(envvar="BUDGETD_PRICES", help="A price file, TOML or LiteLLM's JSON; later ones win."),
    ] = None,
    queue_max: Annotated[
        int, typer.Option(envvar="BUDGETD_QUEUE_MAX", help="How many commands may wait for their commit.")
    ] = settings.QUEUE_MAX_DEFAULT,
    grace_seconds: Annotated[
        float,
        typer.Option(envvar="BUDGETD_GRACE_SECONDS", help="How long calls may take once it shuts down."),
    ] = settings.GRACE_SECONDS_DEFAULT,
    migrate: Annotated[
        bool, typer.Option("--migrate", envvar="BUDGETD_MIGRATE", help="Bring an older database up to date.")
    ] = False,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure", envvar="BUDGETD_INSECURE", help="Listen beyond this machine without TLS and tokens."
        ),
    ] = False,
    preload_tokenizers: Annotated[
        bool,
        typer.Option("--preload-tokenizers", envvar="BUDGETD_PRELOAD_TOKENIZERS", help="Load them at start."),
    ] = False,
    log_level: Annotated[str, typer.Option(envvar="BUDGETD_LOG_LEVEL", help="debug, info, warning or error.")] = "info",
    log_json: Annotated[
        bool, typer.Option("--log-json", envvar="BUDGETD_LOG_JSON", help="Log JSON, one object a line.")
    ] = False,
) -> None:
    """Serve until SIGTERM or SIGINT. A second signal ends at once, and loses nothing that was acknowledged."""
    if log_level not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter("must be debug, info, warning or error", param_hint="--log-level")
    logs.set_up(level=log_level, is_json=log_json)
    config = Config(
        listen=listen,
        http_listen=http_listen,
        database=database,
        prices=tuple(prices or ()),
        queue_max=queue_max,
        grace_seconds=grace_seconds,
        migrates=migrate,
        is_insecure=insecure,
        preloads_tokenizers=preload_tokenizers,
    )
    try:
        config.check()
        is_outdated = run(config)
    except PriceFileError as refusal:
        refuse_lines("the price files cannot be used:", str(refusal).splitlines())
    except (ConfigRefused, LedgerRefused, PortBusy) as refusal:
        refuse(str(refusal))
    if is_outdated:  # It is in the log already.
        raise typer.Exit(EXIT_REFUSED)


def run(config: Config) -> bool:
    """Serve until a signal. Returns True if it stopped because another budgetd has migrated the file."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(config))


async def _serve(config: Config) -> bool:
    prices = ReloadablePrices(config.prices)
    # Install signal handlers first: process 1 of a container has no default ones.
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _ask_to_stop, stopping)
    loop.add_signal_handler(signal.SIGHUP, _reload, prices)
    check_ports(config)  # Before a new database is created, which a refusal would leave behind.
    ledger = await open_ledger(config)
    server = Server(config, ledger, prices)
    await server.start()
    log.info(
        "serving",
        extra={
            "listen": f"{config.listen.rpartition(':')[0]}:{server.port}" if server.port else config.listen,
            "http_port": server.http_port or config.http_listen or 0,
            "database": str(config.database_path),
            "price_version": prices.version,
        },
    )
    ends = [asyncio.create_task(event.wait()) for event in (stopping, ledger.outdated)]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    log.info("shutting down")
    await server.stop()
    log.info("stopped")
    return ledger.outdated.is_set()


def _ask_to_stop(stopping: asyncio.Event) -> None:
    if stopping.is_set():
        # A normal exit would wait for the threads of database connections, which may wait for a locked file.
        log.warning("ended by a second signal")
        os._exit(1)
    stopping.set()


def _reload(prices: ReloadablePrices) -> None:
    try:
        prices.reload()
    except (PriceFileError, OSError) as error:
        log.error("the price files cannot be used; the prices in force stay", extra={"problems": str(error)})  # noqa: TRY400
    else:
        log.info("the price files were read again", extra={"price_version": prices.version})


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows.
    except ImportError:
        return None
    return uvloop.Loop
