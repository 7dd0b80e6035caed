"""`budgetd show` and `budgetd list`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

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
    Timeout,
    parse_labels,
)
from budgetd_server.cli.dollars import amount_text, usd_text
from budgetd_server.cli.layout import print_rows, print_sentence
from budgetd_server.cli.periods import period_text
from budgetd_server.cli.places import Database, asked
from budgetd_server.cli.ratios import parse_ratio

if TYPE_CHECKING:
    from budgetd import BudgetClient

PAGE_SIZE = 500


def show(
    context: typer.Context,
    budget_id: Annotated[str, typer.Argument(metavar="ID", help="The budget.")],
    *,
    database: Database = None,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show a budget: its limits, what was spent and what remains, how fast it goes, and on which models."""
    with asked(context, database=database, address=address, timeout_seconds=timeout) as client:
        request = service.GetBudgetRequest(project_id=project, budget_id=budget_id, view=pb.BUDGET_VIEW_FULL)
        budget = client.get_budget(request).budget
    if as_json:
        print_json(budget, view=pb.BUDGET_VIEW_FULL)
        return
    print_sentence(
        f"{budget.budget_id} in project {budget.project_id}, made {when_text(budget, 'create_time', unset='-')}"
    )
    if budget.labels:
        print_sentence("labels: " + ", ".join(f"{key}={value}" for key, value in sorted(budget.labels.items())))
    current, lifetime = usd_text(budget.current_cost_nano_usd), usd_text(budget.lifetime_cost_nano_usd)
    print_sentence(f"spent: {current}, since it was made {lifetime}")
    if budget.limit_statuses:
        _print_limits(budget)
    if budget.model_costs:
        _print_models(budget)


def list_budgets(
    context: typer.Context,
    *,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Only budgets whose id begins so.")] = "",
    min_used: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Only budgets that have used this much of their main limit: 80% or 0.8."),
    ] = None,
    label: Labels = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted budgets too.")] = False,
    database: Database = None,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one budget a line as JSON, for programs.")] = False,
) -> None:
    """List a project's budgets in order of creation, all of them, however many pages that takes."""
    with asked(context, database=database, address=address, timeout_seconds=timeout) as client:
        request = service.ListBudgetsRequest(
            project_id=project,
            page_size=PAGE_SIZE,
            id_prefix=prefix,
            labels=parse_labels(label),
            min_used_ratio=None if min_used is None else parse_ratio(min_used),
            show_deleted=deleted,
            view=pb.BUDGET_VIEW_STATUS,
        )
        budgets = _all(client, request)
        if as_json:
            for budget in budgets:
                print_json(budget)
        else:
            _print_list(budgets)


def _all(client: "BudgetClient", request: service.ListBudgetsRequest) -> Iterator[pb.Budget]:
    while True:
        page = client.list_budgets(request)
        yield from page.budgets
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def _print_limits(budget: pb.Budget) -> None:
    numbers = ("amount", "spent", "held", "remaining", "used")
    columns = ("limit", "per", *numbers, "window ends", "rate an hour", "runs out")
    configured = {limit.limit_id: limit for limit in budget.limits}
    rows = [_limit_row(status, configured.get(status.limit_id, pb.Limit())) for status in budget.limit_statuses]
    typer.echo()
    print_rows(columns, rows, right=(*numbers, "rate an hour"))


def _limit_row(status: pb.LimitStatus, limit: pb.Limit) -> list[str]:
    return [
        f"{status.limit_id or 'main'}{', warns' if status.action == pb.LIMIT_ACTION_WARN else ''}",
        period_text(limit.window, reset_mode=limit.reset_mode),
        amount_text(status.amount, status.unit),
        amount_text(status.spent, status.unit),
        amount_text(status.held, status.unit) if status.held else "-",
        amount_text(status.remaining, status.unit),
        _used_text(status),
        when_text(status, "window_end_time", unset="never"),
        amount_text(status.burn_rate_per_hour, status.unit) if status.HasField("burn_rate_per_hour") else "-",
        when_text(status, "exhaustion_time", unset="-"),
    ]


def _print_models(budget: pb.Budget) -> None:
    numbers = ("cost", "calls", "input tokens", "output tokens")
    rows = []
    for each in budget.model_costs:
        counts = (each.calls, each.usage.input_tokens, each.usage.output_tokens)
        rows.append([each.model or "(none)", usd_text(each.cost_nano_usd), *(f"{count:,}" for count in counts)])
    typer.echo()
    print_rows(("model", *numbers), rows, right=numbers)


def _print_list(budgets: Iterator[pb.Budget]) -> None:
    numbers = ("spent", "amount", "remaining", "used")
    rows = [_budget_row(budget) for budget in budgets]
    if rows:
        print_rows(("budget", *numbers, "window ends", "labels"), rows, right=numbers)
    typer.echo(f"{len(rows)} budget{'' if len(rows) == 1 else 's'}")


def _budget_row(budget: pb.Budget) -> list[str]:
    name = f"{budget.budget_id}{' (deleted)' if budget.HasField('delete_time') else ''}"
    labels = ", ".join(f"{key}={value}" for key, value in sorted(budget.labels.items()))
    main = next((status for status in budget.limit_statuses if not status.limit_id), None)
    if main is not None:
        money = [usd_text(main.spent), usd_text(main.amount), usd_text(main.remaining), _used_text(main)]
        return [name, *money, when_text(main, "window_end_time", unset="never"), labels]
    spent = usd_text(budget.current_cost_nano_usd)
    if not budget.limit_statuses:
        return [name, spent, "no limit", "-", "-", "-", labels]
    fullest = max(budget.limit_statuses, key=lambda status: status.used_ratio)
    used = f"{_used_text(fullest)} of limit {fullest.limit_id}"
    return [name, spent, "no main limit", "-", used, when_text(fullest, "window_end_time", unset="never"), labels]


def _used_text(status: pb.LimitStatus) -> str:
    return f"{status.used_ratio:.1%}{' EXCEEDED' if status.is_exceeded else ''}"
