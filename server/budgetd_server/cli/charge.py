"""`budgetd charge`."""

import sys
from typing import Annotated

import typer

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.cli.answers import print_json
from budgetd_server.cli.connection import (
    PROJECT_DEFAULT,
    TIMEOUT_SECONDS_DEFAULT,
    Address,
    AsJson,
    Labels,
    Project,
    RequestId,
    Timeout,
    connected,
    labels_of,
    usd_option,
)
from budgetd_server.cli.dollars import amount_text, usd_text
from budgetd_server.cli.layout import print_sentence

#: Tokens of one kind that the server takes at most.
TOKENS_MAX = 10**12


def charge(
    budget_id: Annotated[str, typer.Argument(metavar="ID", help="The budget to charge.")],
    *,
    usd: Annotated[
        str | None,
        typer.Option(metavar="DOLLARS", help="What it cost; tokens or texts then only tell how much it was."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model; needed unless --usd tells the cost.")] = None,
    input_tokens: Annotated[
        int | None, typer.Option(min=0, max=TOKENS_MAX, help="Tokens sent, cached and cache-write ones included.")
    ] = None,
    output_tokens: Annotated[
        int | None, typer.Option(min=0, max=TOKENS_MAX, help="Tokens returned, reasoning ones included.")
    ] = None,
    cached_input_tokens: Annotated[
        int | None, typer.Option(min=0, max=TOKENS_MAX, help="Of the tokens sent: read from a cache.")
    ] = None,
    cache_write_tokens: Annotated[
        int | None, typer.Option(min=0, max=TOKENS_MAX, help="Of the tokens sent: written to a cache.")
    ] = None,
    reasoning_tokens: Annotated[
        int | None, typer.Option(min=0, max=TOKENS_MAX, help="Of the tokens returned: spent on reasoning.")
    ] = None,
    input_text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What was sent, to be counted; - reads standard input.")
    ] = None,
    output_text: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What was returned, to be counted; - reads standard input.")
    ] = None,
    label: Labels = None,
    request_id: RequestId = None,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Record a cost that happened: in dollars, or as tokens or texts that the server prices."""
    tokens = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cached_input_tokens": cached_input_tokens,
        "cache_write_tokens": cache_write_tokens,
        "reasoning_tokens": reasoning_tokens,
    }
    told = {name: count for name, count in tokens.items() if count is not None}
    has_text = _check(usd=usd, model=model, has_tokens=bool(told), texts=(input_text, output_text))
    with connected(address, timeout) as client:
        request = cost_pb.UpdateCostRequest(
            project_id=project,
            budget_id=budget_id,
            model=model or "",
            cost_nano_usd=None if usd is None else usd_option(usd),
            usage=pb.Usage(**told) if told else None,
            text=pb.Text(input=_text(input_text), output=_text(output_text)) if has_text else None,
            labels=labels_of(label),
            request_id=request_id or "",
        )
        answer = client.update_cost(request)
    if as_json:
        print_json(answer)
    else:
        print_sentence(_sentence(budget_id, answer))


def _check(*, usd: str | None, model: str | None, has_tokens: bool, texts: tuple[str | None, str | None]) -> bool:
    """Refuse options that do not make one charge; returns whether there are texts."""
    has_text = texts != (None, None)
    if has_text and None in texts:
        raise typer.BadParameter("--input-text and --output-text go together")
    if texts == ("-", "-"):
        raise typer.BadParameter("only one of --input-text and --output-text can come from standard input")
    if has_text and has_tokens:
        raise typer.BadParameter("either tokens or texts: the server counts the tokens of texts itself")
    if usd is None:
        if not has_text and not has_tokens:
            raise typer.BadParameter("say what it cost: --usd, or --model with tokens or with texts")
        if not model:
            raise typer.BadParameter("needed to price tokens or texts", param_hint="--model")
    return has_text


def _text(given: str | None) -> str:
    """An option's text, or exactly what standard input holds for "-"."""
    if given != "-":
        return given or ""
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"standard input is no UTF-8: {error.reason} at byte {error.start}") from None


def _sentence(budget_id: str, answer: cost_pb.UpdateCostResponse) -> str:
    limits = [
        f"{_whose(budget_id, limit)}{amount_text(limit.spent, limit.unit)} of {amount_text(limit.amount, limit.unit)}"
        f" spent{', EXCEEDED' if limit.is_exceeded else ''}"
        for limit in answer.limits
    ]
    verb = "had charged" if answer.replayed else "charged"
    return f"{verb} {usd_text(answer.cost_nano_usd)} to {budget_id} by request {answer.request_id}; " + (
        ", ".join(limits) or "it has no limit"
    )


def _whose(budget_id: str, limit: pb.LimitStatus) -> str:
    """What a limit is called, unless it is the main one of the budget that was charged."""
    if limit.limit_id:
        return f"{limit.limit_id} of {limit.budget_id}: "
    return "" if limit.budget_id == budget_id else f"{limit.budget_id}: "
