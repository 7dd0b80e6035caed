"""`budgetd charge`."""

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

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
    parse_labels,
    parse_usd_option,
)
from budgetd_server.cli.dollars import amount_text, usd_text
from budgetd_server.cli.layout import print_sentence
from budgetd_server.cli.wording import USAGE_COUNTS

#: The largest count of one kind that the server accepts.
COUNT_MAX = 10**12


def _count(text: str) -> Any:
    """Declare an option for a count of tokens."""
    return typer.Option(min=0, max=COUNT_MAX, help=text)


Parts = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=COUNT",
        help="Any other count of the call's usage, such as web-searches=2 or audio-input-tokens=150; may be repeated.",
    ),
]
InputText = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What was sent, to be counted; - reads standard input.")
]
OutputText = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What was returned, to be counted; - reads standard input.")
]
Provider = Annotated[
    str | None,
    typer.Option(help="Who served the model, by LiteLLM's name, such as groq; that provider's price is used."),
]
ServiceTier = Annotated[
    str | None, typer.Option(metavar="TIER", help="The tier that served the call, such as flex or priority.")
]
Batch = Annotated[bool, typer.Option("--batch", help="The call was part of a batch, at the price of one.")]
Region = Annotated[str | None, typer.Option(metavar="PLACE", help="Where the call ran, such as us.")]


def charge(
    budget_id: Annotated[str, typer.Argument(metavar="ID", help="The budget to charge.")],
    *,
    usd: Annotated[
        str | None,
        typer.Option(metavar="DOLLARS", help="What it cost. Tokens or texts next to it are recorded and not priced."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model; needed unless --usd gives the cost.")] = None,
    input_tokens: Annotated[int | None, _count("Tokens sent, cached and cache-write ones included.")] = None,
    output_tokens: Annotated[int | None, _count("Tokens returned, reasoning ones included.")] = None,
    cached_input_tokens: Annotated[int | None, _count("Of the tokens sent: read from a cache.")] = None,
    cache_write_tokens: Annotated[int | None, _count("Of the tokens sent: written to a cache.")] = None,
    reasoning_tokens: Annotated[int | None, _count("Of the tokens returned: spent on reasoning.")] = None,
    part: Parts = None,
    input_text: InputText = None,
    output_text: OutputText = None,
    provider: Provider = None,
    service_tier: ServiceTier = None,
    batch: Batch = False,
    region: Region = None,
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
    counts: dict[str, Any] = {name: count for name, count in tokens.items() if count is not None}
    counts |= _parts(part or [], counts)
    has_text = _check(usd=usd, model=model, has_tokens=bool(counts), texts=(input_text, output_text))
    with connected(address, timeout) as client:
        request = cost_pb.UpdateCostRequest(
            project_id=project,
            budget_id=budget_id,
            model=model or "",
            cost_nano_usd=None if usd is None else parse_usd_option(usd),
            usage=pb.Usage(**counts) if counts else None,
            text=pb.Text(input=_text(input_text), output=_text(output_text)) if has_text else None,
            provider=provider or "",
            service_tier=service_tier or "",
            is_batch=batch,
            inference_geo=region or "",
            labels=parse_labels(label),
            request_id=request_id or "",
        )
        answer = client.update_cost(request)
    if as_json:
        # A replay on a budget that is gone has no limits to return; on one without limits, the answer is the same.
        print_json(answer, without=("limits",) if answer.replayed and not answer.limits else ())
    else:
        print_sentence(_sentence(budget_id, answer))


def _check(*, usd: str | None, model: str | None, has_tokens: bool, texts: tuple[str | None, str | None]) -> bool:
    """Refuse options that do not describe one charge. Returns whether texts are given."""
    has_text = texts != (None, None)
    if has_text and None in texts:
        raise typer.BadParameter("--input-text and --output-text go together")
    if texts == ("-", "-"):
        raise typer.BadParameter("only one of --input-text and --output-text can come from standard input")
    if has_text and has_tokens:
        raise typer.BadParameter("either tokens or texts: the server counts the tokens of texts itself")
    if usd is None:
        if not has_text and not has_tokens:
            if model:
                rule = "needs a usage or a cost: add --input-tokens and --output-tokens, --part, both texts, or --usd"
                raise typer.BadParameter(rule, param_hint="--model")
            raise typer.BadParameter("say what it cost: --usd, or --model with tokens, parts or texts")
        if not model:
            raise typer.BadParameter("needed to price tokens or texts", param_hint="--model")
    return has_text


def _parts(pairs: list[str], counts: Mapping[str, int]) -> dict[str, int]:
    """Parse counts of a usage. Returns them by the contract's names.

    Args:
        pairs: NAME=COUNT, with dashes in the names.
        counts: The counts that other options have given.

    Raises:
        BadParameter: A pair is malformed, its name is unknown, its count is invalid, or a name is given twice.
    """
    known = [name.replace("_", "-") for name in USAGE_COUNTS]
    parts: dict[str, int] = {}
    for pair in pairs:
        given, _, count = pair.partition("=")
        name = given.replace("-", "_")
        if given not in known:
            near = get_close_matches(given, known) or known
            raise typer.BadParameter(
                f"{given!r} is not a count of a usage; known ones are {', '.join(near)}", param_hint="--part"
            )
        if not (count.isascii() and count.isdecimal() and int(count) <= COUNT_MAX):
            raise typer.BadParameter(f"{given} must be 0 to {COUNT_MAX}, got {count!r}", param_hint="--part")
        if name in counts or name in parts:
            raise typer.BadParameter(f"{given} is given twice", param_hint="--part")
        parts[name] = int(count)
    return parts


def _text(given: str | None) -> str:
    """Return an option's text, or the unchanged content of standard input for "-"."""
    if given != "-":
        return given or ""
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"standard input is not UTF-8: {error.reason} at byte {error.start}") from None


def _sentence(budget_id: str, answer: cost_pb.UpdateCostResponse) -> str:
    limits = [
        f"{_whose(budget_id, limit)}{amount_text(limit.spent, limit.unit)} of {amount_text(limit.amount, limit.unit)}"
        f" spent{', EXCEEDED' if limit.is_exceeded else ''}"
        for limit in answer.limits
    ]
    verb, without_limits = "charged", "it has no limit"
    if answer.replayed:
        verb, without_limits = "had charged", "it has no limit, or was deleted"
    return f"{verb} {usd_text(answer.cost_nano_usd)} to {budget_id} by request {answer.request_id}; " + (
        ", ".join(limits) or without_limits
    )


def _whose(budget_id: str, limit: pb.LimitStatus) -> str:
    """Return the prefix that names a limit; empty for the main limit of the budget that was charged."""
    if limit.limit_id:
        return f"{limit.limit_id} of {limit.budget_id}: "
    return "" if limit.budget_id == budget_id else f"{limit.budget_id}: "
