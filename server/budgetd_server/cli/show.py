"""`budgetd show` and `budgetd list`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.cli.answers import print_json, print_table, table_of, when_text
from budgetd_server.cli.connection import (
    PROJECT_DEFAULT,
    TIMEOUT_SECONDS_DEFAULT,
    Address,
    AsJson,
    Labels,
    Project,
    Timeout,
    connected,
    labels_of,
)
from budgetd_server.cli.dollars import amount_text, usd_text
from budgetd_server.cli.periods import period_text

if TYPE_CHECKING:
    from budgetd import BudgetClient

PAGE_SIZE = 500


def show(
    budget_id: Annotated[str, typer.Argument(metavar="ID", help="The budget.")],
    *,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show a budget: its limits, what was spent and what remains, how fast it goes, and on which models."""
    with connected(address, timeout) as client:
        request = service.GetBudgetRequest(project_id=project, budget_id=budget_id, view=pb.BUDGET_VIEW_FULL)
        budget = client.get_budget(request).budget
    if as_json:
        print_json(budget)
        return
    typer.echo(f"{budget.budget_id} in project {budget.project_id}, made {when_text(budget, 'create_time', unset='-')}")
    if budget.labels:
        typer.echo("labels: " + ", ".join(f"{key}={value}" for key, value in sorted(budget.labels.items())))
    current, lifetime = usd_text(budget.current_cost_nano_usd), usd_text(budget.lifetime_cost_nano_usd)
    typer.echo(f"spent: {current}, since it was made {lifetime}")
    if budget.limit_statuses:
        _print_limits(budget)
    if budget.model_costs:
        _print_models(budget)


def list_budgets(
    *,
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Only budgets whose id begins so.")] = "",
    min_used: Annotated[
        float | None,
        typer.Option(metavar="RATIO", min=0, help="Only budgets of whose limit so much is used: 0.8 is 80 %."),
    ] = None,
    label: Labels = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted budgets too.")] = False,
    project: Project = PROJECT_DEFAULT,
    address: Address = None,
    timeout: Timeout = TIMEOUT_SECONDS_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one budget a line as JSON, for programs.")] = False,
) -> None:
    """List a project's budgets in order of creation, all of them, however many pages that takes."""
    with connected(address, timeout) as client:
        request = service.ListBudgetsRequest(
            project_id=project,
            page_size=PAGE_SIZE,
            id_prefix=prefix,
            labels=labels_of(label),
            min_used_ratio=min_used,
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
    table = table_of(columns, right=(*numbers, "rate an hour"))
    configured = {limit.limit_id: limit for limit in budget.limits}
    for status in budget.limit_statuses:
        limit = configured.get(status.limit_id, pb.Limit())
        table.add_row(
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
        )
    print_table(table)


def _print_models(budget: pb.Budget) -> None:
    numbers = ("cost", "calls", "input tokens", "output tokens")
    table = table_of(("model", *numbers), right=numbers)
    for each in budget.model_costs:
        tokens = (each.usage.input_tokens, each.usage.output_tokens)
        table.add_row(each.model or "(none)", usd_text(each.cost_nano_usd), *(f"{n:,}" for n in (each.calls, *tokens)))
    print_table(table)


def _print_list(budgets: Iterator[pb.Budget]) -> None:
    numbers = ("spent", "amount", "remaining", "used")
    table = table_of(("budget", *numbers, "window ends", "labels"), right=numbers)
    for budget in budgets:
        name = f"{budget.budget_id}{' (deleted)' if budget.HasField('delete_time') else ''}"
        labels = ", ".join(f"{key}={value}" for key, value in sorted(budget.labels.items()))
        main = next((status for status in budget.limit_statuses if not status.limit_id), None)
        if main is not None:
            money = [usd_text(main.spent), usd_text(main.amount), usd_text(main.remaining), _used_text(main)]
            table.add_row(name, *money, when_text(main, "window_end_time", unset="never"), labels)
        else:
            table.add_row(
                name,
                usd_text(budget.current_cost_nano_usd),
                "no limit" if not budget.limit_statuses else "no main limit",
                "-",
                "-",
                "-",
                labels,
            )
    if table.row_count:
        print_table(table)
    typer.echo(f"{table.row_count} budget{'' if table.row_count == 1 else 's'}")


def _used_text(status: pb.LimitStatus) -> str:
    return f"{status.used_ratio:.1%}{' EXCEEDED' if status.is_exceeded else ''}"
