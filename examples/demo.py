"""Replays a trace of LLM calls as usage of 200 users with limits, and checks that the server's totals are exact.

    make demo                                     # its own server, and the real trace if it is available
    make demo TRACE=calls.csv ADDRESS=host:port   # this trace, a running server

Exit codes: 0 the totals are equal to the nano-dollar; 1 they are not, or a call failed; 2 the trace or the address
cannot be used.
"""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from budgetd import BudgetClient, BudgetdError
from budgetd.v1 import budget_pb2 as pb
from examples.independent_sum import Totals, differences, independent_totals, saved_nano_usd, wrong_admissions
from examples.llm_trace import MODELS, USERS, LlmCall, TraceRefused, drawn_trace, read_trace, user_of
from examples.own_server import ServerFailed, own_server
from examples.replay import (
    BATCH_ITEMS,
    BATCHES_IN_FLIGHT,
    create_users,
    prices_of,
    replay,
    server_budgets,
    server_totals,
)

EXIT_DIFFERENT, EXIT_REFUSED = 1, 2
NANO_USD_PER_USD = 10**9
LIMIT_NANO_USD = 250_000_000
TOP_SPENDERS = 10
DIFFERENCES_SHOWN = 10
TIMEOUT_SECONDS = 60.0
#: How long to look for a server that was given by its address.
FIND_SECONDS = 2.0

console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit code."""
    options = _options(arguments)
    try:
        if options.trace:
            calls, source = read_trace(Path(options.trace)), f"the trace {options.trace}"
        else:
            calls, source = drawn_trace(), "a trace drawn at random from a fixed seed, with the shape of the real one"
        if options.address:
            BudgetClient(options.address).close()  # It does not connect, but checks the address.
    except (TraceRefused, ValueError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_REFUSED
    _say(f"{len(calls):,} calls of {source}")
    try:
        with nullcontext(options.address) if options.address else own_server() as address:
            whose = "the running server" if options.address else "a server of its own, durable, on a temporary file,"
            _say(f"{whose} at {address}")
            # A server that was just started exists, but may be slow at first.
            find_seconds = FIND_SECONDS if options.address else TIMEOUT_SECONDS
            with BudgetClient(address, timeout_seconds=TIMEOUT_SECONDS, connect_timeout_seconds=find_seconds) as client:
                return run(client, calls)
    except (BudgetdError, ServerFailed) as error:
        print(f"demo: {error}", file=sys.stderr)
        return EXIT_DIFFERENT


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Replay a trace of LLM calls and check the server's totals.")
    parser.add_argument(
        "--trace",
        default=os.environ.get("TRACE", ""),
        metavar="FILE",
        help="a CSV file with the columns ContextTokens and GeneratedTokens; by default TRACE, else one is drawn",
    )
    parser.add_argument(
        "--address",
        default=os.environ.get("ADDRESS", ""),
        metavar="HOST:PORT",
        help="a running server; by default ADDRESS, else one is started",
    )
    return parser.parse_args(arguments)


def run(client: BudgetClient, calls: Sequence[LlmCall]) -> int:
    """Replay the trace, show the totals and check them. Returns the exit code."""
    # Each run has its own project, so that the demo can run repeatedly on one server.
    project_id = f"demo-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    create_users(client, project_id, limit_nano_usd=LIMIT_NANO_USD)
    _say(
        f"project {project_id}: {USERS} users take turns, each with a limit of {_usd(LIMIT_NANO_USD)}; "
        f"models take turns: {', '.join(MODELS)}"
    )
    refused, seconds = _replayed(client, project_id, calls)
    budgets = server_budgets(client, project_id)
    found = server_totals(budgets)
    answers = prices_of(client, MODELS)
    prices = {model: answer.price for model, answer in answers.items()}
    expected = independent_totals(calls, prices, refused=refused)

    _print_spenders(budgets)
    _print_models(found)
    users = len({user_of(row) for row in refused})
    _say(
        f"{len(refused):,} calls of {users} users were refused before they could pass a limit: "
        f"{_usd(saved_nano_usd(calls, prices, refused))} was not spent"
    )
    _say(
        f"{len(calls):,} calls decided in {seconds:.2f} s, {len(calls) - len(refused):,} of them durable charges: "
        f"{len(calls) / seconds:,.0f} calls per second (batches of {BATCH_ITEMS}, {BATCHES_IN_FLIGHT} in flight)"
    )
    wrong = [
        *differences(expected=expected, found=found),
        *wrong_admissions(calls, prices, refused, limit_nano_usd=LIMIT_NANO_USD),
    ]
    return _checked(expected, wrong)


def _replayed(client: BudgetClient, project_id: str, calls: Sequence[LlmCall]) -> tuple[frozenset[int], float]:
    """Replay the trace. Returns the refused rows, and how many seconds it took."""
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("replaying", total=len(calls))
        began = time.perf_counter()
        refused = replay(client, project_id, calls, on_progress=lambda count: progress.advance(task, count))
        return refused, time.perf_counter() - began


def _print_spenders(budgets: Sequence[pb.Budget]) -> None:
    dearest = sorted(budgets, key=lambda budget: budget.current_cost_nano_usd, reverse=True)
    over = sum(budget.limit_statuses[0].is_exceeded for budget in budgets)
    table = Table(title=f"Top spenders ({over} of {len(budgets)} users are over their limit)", title_justify="left")
    table.add_column("user")
    for name in ("spent", "remaining", "used", "calls"):
        table.add_column(name, justify="right", no_wrap=True)
    for budget in dearest[:TOP_SPENDERS]:
        limit = budget.limit_statuses[0]
        table.add_row(
            budget.budget_id,
            _usd(limit.spent),
            _usd(limit.remaining),
            f"{limit.used_ratio:.1%}",
            str(sum(each.calls for each in budget.model_costs)),
        )
    console.print(table)


def _print_models(found: Totals) -> None:
    table = Table(title="Totals by model", title_justify="left", show_footer=True)
    table.add_column("model", footer="all")
    table.add_column("calls", justify="right", no_wrap=True, footer=f"{sum(found.calls_by_model.values()):,}")
    table.add_column("cost", justify="right", no_wrap=True, footer=_usd(found.cost_nano_usd))
    for model, cost in sorted(found.cost_nano_usd_by_model.items(), key=lambda item: -item[1]):
        table.add_row(model, f"{found.calls_by_model[model]:,}", _usd(cost))
    console.print(table)


def _checked(expected: Totals, wrong: Sequence[str]) -> int:
    """Print whether all totals and refusals are right. Returns the exit code."""
    if not wrong:
        _say(
            f"check passed: {len(expected.cost_nano_usd_by_user)} users, "
            f"{len(expected.cost_nano_usd_by_model)} models and the whole, {_usd(expected.cost_nano_usd)}, "
            "equal an independent sum to the nano-dollar; every refusal was right, and no user is over the limit",
            style="bold green",
        )
        return 0
    _say(f"check FAILED: {len(wrong)} totals or refusals are not what they must be", style="bold red")
    for each in wrong[:DIFFERENCES_SHOWN]:
        _say(f"  {each}")
    return EXIT_DIFFERENT


def _say(sentence: str, *, style: str | None = None) -> None:
    """Print a sentence unchanged: names of files are not markup, and lines in a pipe are not wrapped."""
    console.print(sentence, style=style, markup=False, emoji=False, soft_wrap=True)


def _usd(nano_usd: int) -> str:
    """Format dollars with all nine decimals."""
    whole, rest = divmod(abs(nano_usd), NANO_USD_PER_USD)
    return f"{'-' if nano_usd < 0 else ''}${whole:,}.{rest:09d}"


if __name__ == "__main__":
    sys.exit(main())
