"""`budgetd health`: one call of the standard health service, fast enough to run every few seconds."""

import json
from typing import Annotated

import grpc
import typer
from grpc_health.v1 import health_pb2, health_pb2_grpc

from budgetd.address import Address as ServerAddress
from budgetd.address import parse_address
from budgetd_server.cli.connection import Address, AsJson, address_text, checked_timeout
from budgetd_server.cli.failing import EXIT_FAILED

TIMEOUT_SECONDS_DEFAULT = 3.0


def health(
    *,
    address: Address = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", callback=checked_timeout, help="How long the answer may take.")
    ] = TIMEOUT_SECONDS_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Ask whether a server is serving. Exit code 0: it is; 1: it is not, or does not answer."""
    try:
        server = parse_address(address_text(address))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from None
    status, detail = _asked(server, timeout)
    if as_json:
        result = {"address": server.target, "status": status}
        typer.echo(json.dumps({**result, "detail": detail} if detail else result))
    elif status == "SERVING":
        typer.echo(status)
    else:
        typer.echo(f"budgetd: {server.target} is not serving: {status}{f', {detail}' if detail else ''}", err=True)
    if status != "SERVING":
        raise typer.Exit(EXIT_FAILED)


def _asked(server: ServerAddress, timeout_seconds: float) -> tuple[str, str]:
    """Return the status of the server, or the code of the error, and details on one line."""
    with _channel(server) as channel:
        request = health_pb2.HealthCheckRequest(service="budgetd.v1.BudgetService")
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_seconds)
        except grpc.RpcError as error:
            detail = " ".join(str(error.details()).split())
            proxy = server.proxy_variable()
            return error.code().name, f"{detail}, through the proxy of the variable {proxy}" if proxy else detail
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status), ""


def _channel(server: ServerAddress) -> grpc.Channel:
    # A proxy from the environment cannot reach addresses of this machine.
    options = [("grpc.enable_http_proxy", 0)] if server.needs_no_proxy else []
    if server.is_tls:
        return grpc.secure_channel(server.target, grpc.ssl_channel_credentials(), options)
    return grpc.insecure_channel(server.target, options)
