"""Sends a trace to a server as usage, in batches with several in flight, and reads the server's totals."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from budgetd import BudgetClient, BudgetExceededError, error_of_item
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from examples.independent_sum import Totals
from examples.llm_trace import USERS, LlmCall, model_of, user_of

BATCH_ITEMS = 500
BATCHES_IN_FLIGHT = 4
PAGE_SIZE = 100


def create_users(client: BudgetClient, project_id: str, *, limit_nano_usd: int) -> None:
    """Give every user a budget with a limit on its lifetime, so that no window ends while the trace is replayed."""
    limit = pb.Limit(amount=limit_nano_usd)

    def create(row: int) -> None:
        budget = pb.Budget(project_id=project_id, budget_id=user_of(row), limits=[limit])
        client.create_budget(service.CreateBudgetRequest(budget=budget))

    with ThreadPoolExecutor(BATCHES_IN_FLIGHT) as pool:
        for _ in pool.map(create, range(USERS)):
            pass


def replay(
    client: BudgetClient, project_id: str, calls: Sequence[LlmCall], *, on_progress: Callable[[int], None]
) -> frozenset[int]:
    """Charge every call to its user, as tokens that the server prices, unless it would pass the user's limit.

    Args:
        client: Its retries are safe: the request id of an item is its row, so no item counts twice.
        project_id: The project of the users.
        calls: The trace.
        on_progress: Called after each batch with the number of calls that have been answered.

    Returns:
        The rows of the calls that were refused because they would have passed a limit.

    Raises:
        BudgetdError: A batch failed, or an item of it was refused for another reason.
    """
    refused: set[int] = set()

    def send(first: int) -> int:
        rows = range(first, min(first + BATCH_ITEMS, len(calls)))
        request = cost_pb.BatchUpdateCostRequest(
            project_id=project_id, requests=[_charge(row, calls[row]) for row in rows]
        )
        for row, result in zip(rows, client.batch_update_cost(request).results, strict=True):
            if result.HasField("error"):
                error = error_of_item(result.error)
                if not isinstance(error, BudgetExceededError):
                    raise error
                refused.add(row)
        return len(rows)

    pool = ThreadPoolExecutor(BATCHES_IN_FLIGHT)
    try:
        for batch in as_completed([pool.submit(send, first) for first in range(0, len(calls), BATCH_ITEMS)]):
            on_progress(batch.result())
    finally:
        pool.shutdown(cancel_futures=True)
    return frozenset(refused)


def _charge(row: int, call: LlmCall) -> cost_pb.UpdateCostRequest:
    return cost_pb.UpdateCostRequest(
        budget_id=user_of(row),
        model=model_of(row),
        usage=pb.Usage(input_tokens=call.input_tokens, output_tokens=call.output_tokens),
        request_id=f"row-{row}",
        admission=cost_pb.ADMISSION_REJECT_OVER_LIMIT,
    )


def prices_of(client: BudgetClient, models: Sequence[str]) -> Mapping[str, service.GetModelPriceResponse]:
    """Read the server's price of each model."""
    return {model: client.get_model_price(service.GetModelPriceRequest(model=model)) for model in models}


def server_budgets(client: BudgetClient, project_id: str) -> Sequence[pb.Budget]:
    """Read every budget of the project, with limits and model costs."""
    request = service.ListBudgetsRequest(project_id=project_id, page_size=PAGE_SIZE, view=pb.BUDGET_VIEW_FULL)
    budgets: list[pb.Budget] = []
    while True:
        page = client.list_budgets(request)
        budgets.extend(page.budgets)
        if not page.next_page_token:
            return budgets
        request.page_token = page.next_page_token


def server_totals(budgets: Sequence[pb.Budget]) -> Totals:
    """Return the server's totals by user and by model."""
    cost_by_model: Counter[str] = Counter()
    calls_by_model: Counter[str] = Counter()
    for budget in budgets:
        for each in budget.model_costs:
            cost_by_model[each.model] += each.cost_nano_usd
            calls_by_model[each.model] += each.calls
    return Totals(
        cost_nano_usd_by_user={budget.budget_id: budget.lifetime_cost_nano_usd for budget in budgets},
        cost_nano_usd_by_model=dict(cost_by_model),
        calls_by_model=dict(calls_by_model),
        cost_nano_usd=sum(budget.current_cost_nano_usd for budget in budgets),
    )
