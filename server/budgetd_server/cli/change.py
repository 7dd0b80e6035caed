"""`budgetd create` and `budgetd reset`."""

from typing import Annotated

import typer

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.cli.answers import print_json, when_text
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
from budgetd_server.cli.dollars import amount_text
from budgetd_server.cli.layout import print_sentence
from budgetd_server.cli.periods import parse_window, period_text

#: The name of the limit that `create --models` makes.
_MODELS_LIMIT = "models"


def create(
    budget_id: Annotated[str, typer.Argument(metavar="ID", help="Who spends: a user, an API key, a team.")],
    *,
    usd: Annotated[
        str | None,
        typer.Option(metavar="DOLLARS", help="The most that may be spent; left out, spending is only counted."),
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            help="In each hour, day, week, month, quarter or year of the calendar, or in each length such as 7d, 12h, "
            "90m, 60s. Left out: in the budget's lifetime.",
        ),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of the calendar, such as Europe/Berlin; UTC if left out.")
    ] = None,
    on_request: Annotated[
        bool, typer.Option("--on-request", help="Only `reset --on-duration` ends a window; it must be a length.")
    ] = False,
    warn: Annotated[
        bool, typer.Option("--warn", help="The limit is reported as exceeded and refuses nothing.")
    ] = False,
    models: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Limit these models alone: a name, or the beginning of names with * at its end; may be repeated. The "
            "limit is then a named one, `models`.",
        ),
    ] = None,
    label: Labels = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a budget of that id; its count starts again, its history stays.")
    ] = False,
    request_id: RequestId = None,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Create a budget."""
    limit = _limit(usd=usd, per=per, time_zone=time_zone, on_request=on_request, warn=warn, models=models or [])
    with connected(address, timeout) as client:
        budget = pb.Budget(
            project_id=project, budget_id=budget_id, limits=[limit] if limit else [], labels=parse_labels(label)
        )
        request = service.CreateBudgetRequest(budget=budget, replace_existing=replace, request_id=request_id or "")
        answer = client.create_budget(request)
    if as_json:
        print_json(answer)
        return
    limits = [
        f"{amount_text(each.amount, each.unit)} per {period_text(each.window, reset_mode=each.reset_mode)}"
        f"{' for ' + ', '.join(each.models) if each.models else ''}"
        for each in answer.budget.limits
    ]
    again = " (by this request id, before)" if answer.replayed else ""
    print_sentence(f"created {budget_id}: {', '.join(limits) or 'no limit'}{again}")
    for each in answer.pattern_matches:
        _print_matches(each)


def _print_matches(found: pb.PatternMatches) -> None:
    """Print which known models a pattern matches. If it matches none, likely a typing error, warn on standard error."""
    if not found.matched_count:
        typer.echo(f"budgetd: {found.pattern} matches none of the models that the server has prices of", err=True)
        return
    examples = ", ".join(found.example_models)
    such_as = f", such as {examples}" if found.matched_count > len(found.example_models) else f": {examples}"
    print_sentence(
        f"{found.pattern} matches {found.matched_count} known model{'s' if found.matched_count > 1 else ''}{such_as}"
    )


def _limit(
    *,
    usd: str | None,
    per: str | None,
    time_zone: str | None,
    on_request: bool,
    warn: bool,
    models: list[str],
) -> pb.Limit | None:
    """Build the limit that the options describe: the main one unless `models` is given. Returns None without one."""
    if usd is None:
        if per is not None or time_zone is not None or on_request or warn or models:
            raise typer.BadParameter("needs --usd: there is no limit without an amount", param_hint="the limit")
        return None
    try:
        window = parse_window(per, time_zone=time_zone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--per") from None
    if on_request and not window.HasField("fixed"):
        raise typer.BadParameter("needs --per with a length, such as 28d", param_hint="--on-request")
    if on_request and models:
        raise typer.BadParameter("is for a limit on all models, not with --models", param_hint="--on-request")
    return pb.Limit(
        limit_id=_MODELS_LIMIT if models else "",
        models=models,
        amount=parse_usd_option(usd),
        window=window,
        action=pb.LIMIT_ACTION_WARN if warn else pb.LIMIT_ACTION_UNSPECIFIED,
        reset_mode=pb.RESET_MODE_ON_REQUEST if on_request else pb.RESET_MODE_UNSPECIFIED,
    )


def reset(
    budget_id: Annotated[str | None, typer.Argument(metavar="ID", help="The budget; left out with --all.")] = None,
    *,
    on_duration: Annotated[
        bool, typer.Option("--on-duration", help="Only if its window is over by the server's clock.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Every budget of the project whose window is over by the server's clock.")
    ] = False,
    request_id: RequestId = None,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Begin the count of a budget again at zero. What was spent over its lifetime, and its history, stay."""
    if (budget_id is None) is not everything:
        raise typer.BadParameter("either an ID or --all")
    named = request_id or ""
    with connected(address, timeout) as client:
        answer: service.ResetAllOnDurationResponse | service.ResetOnDurationResponse | service.ResetCostResponse
        if budget_id is None:
            answer = client.reset_all_on_duration(
                service.ResetAllOnDurationRequest(project_id=project, request_id=named)
            )
            sentence = f"reset {answer.reset_count} budget{'' if answer.reset_count == 1 else 's'}"
        elif on_duration:
            answer = client.reset_on_duration(
                service.ResetOnDurationRequest(
                    project_id=project, budget_id=budget_id, view=pb.BUDGET_VIEW_STATUS, request_id=named
                )
            )
            sentence = f"reset {budget_id}" if answer.was_reset else _not_yet(answer.budget)
        else:
            answer = client.reset_cost(
                service.ResetCostRequest(
                    project_id=project, budget_id=budget_id, view=pb.BUDGET_VIEW_STATUS, request_id=named
                )
            )
            sentence = f"reset {budget_id}"
    if as_json:
        print_json(answer)
    else:
        print_sentence(f"{sentence}{' (by this request id, before)' if answer.replayed else ''}")


def _not_yet(budget: pb.Budget) -> str:
    ends = budget.limit_statuses[0] if budget.limit_statuses else pb.LimitStatus()
    return f"not reset: the window of {budget.budget_id} ends {when_text(ends, 'window_end_time', unset='never')}"
