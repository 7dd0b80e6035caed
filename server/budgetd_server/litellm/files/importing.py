"""Imports the records of `user_cost.json` as budgets. Idempotent, also from several machines.

A user's budget is created, and then charged with what the record says was spent. Both requests have ids that follow
from project and user, so a second import changes nothing, and one that was killed in between is completed by the next.
A label of the budget keeps a digest of its record: so a later file with other figures is recognised before anything is
charged, and so is a budget that has replaced the imported one.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from budgetd import (
    AlreadyExists,
    AsyncBudgetClient,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    RequestIdReused,
    error_of_item,
)
from budgetd.user_cost import CREATED_AT_LABEL, limit_of
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2
from budgetd_server.domain.bounds import COST_NANO_USD_MAX, US_PER_SECOND
from budgetd_server.litellm.files.records import UserRecord

#: The label of an imported budget that holds the digest of its record.
IMPORT_LABEL = "budgetd.import"
#: Users whose budgets one worker creates at the same time; their charges share batches.
USERS_AT_ONCE = 32
WORKERS = 2
BATCH_ITEMS_MAX = 500
PAGE_SIZE = 1_000

T = TypeVar("T")


class Fate(StrEnum):
    """What became of a user."""

    IMPORTED = "imported"
    ALREADY_IMPORTED = "imported before"
    EXISTS = "exists already: left as it is"
    OTHER_FIGURES = "imported before with other figures: left as it is"
    GONE = "imported before, and deleted or replaced since: left as it is"
    REFUSED = "refused by the server"


class UserOutcome(NamedTuple):
    """What became of a user, and the reason if there is one to add."""

    record: UserRecord
    fate: Fate
    detail: str = ""


Notify = Callable[[UserOutcome], None]


async def import_records(
    client: AsyncBudgetClient, project_id: str, records: Sequence[UserRecord], notify: Notify
) -> None:
    """Import records, many at a time; `notify` is called for each user once its outcome is durable.

    Raises:
        BudgetdError: A call failed, for another reason than its record. What was reported is done; another
            import completes the rest.
    """
    parts = _parts(records, USERS_AT_ONCE)
    workers = [asyncio.ensure_future(_work(client, project_id, parts, notify)) for _ in range(WORKERS)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def foresee(client: AsyncBudgetClient, project_id: str, records: Sequence[UserRecord], notify: Notify) -> None:
    """Report what an import would do to each record, and change nothing."""
    budgets = await _budgets(client, project_id)
    for record in records:
        notify(UserOutcome(record, _foreseen(record, budgets.get(record.user))))


def foresee_all_new(records: Sequence[UserRecord], notify: Notify) -> None:
    """Report what an import would do where there are no budgets yet."""
    for record in records:
        notify(UserOutcome(record, Fate.IMPORTED))


async def _work(
    client: AsyncBudgetClient, project_id: str, parts: Iterator[Sequence[UserRecord]], notify: Notify
) -> None:
    for part in parts:
        created = await asyncio.gather(*(_create(client, project_id, record) for record in part))
        for outcome in created:
            if outcome.fate not in (Fate.IMPORTED, Fate.ALREADY_IMPORTED):
                notify(outcome)
        mine = [outcome for outcome in created if outcome.fate in (Fate.IMPORTED, Fate.ALREADY_IMPORTED)]
        for outcome in await _charge(client, project_id, mine):
            notify(outcome)


async def _create(client: AsyncBudgetClient, project_id: str, record: UserRecord) -> UserOutcome:
    """Create a user's budget. IMPORTED if there was none, ALREADY_IMPORTED if an earlier import has created it."""
    try:
        answer = await client.create_budget(create_request(project_id, record))
    except AlreadyExists:
        return UserOutcome(record, Fate.EXISTS)
    except RequestIdReused:
        return UserOutcome(record, Fate.OTHER_FIGURES)
    except InvalidRequest as error:
        return UserOutcome(record, Fate.REFUSED, str(error))
    if not answer.replayed:
        return UserOutcome(record, Fate.IMPORTED)
    is_mine = answer.budget.labels.get(IMPORT_LABEL) == record.digest and not answer.budget.HasField("delete_time")
    return UserOutcome(record, Fate.ALREADY_IMPORTED if is_mine else Fate.GONE)


async def _charge(client: AsyncBudgetClient, project_id: str, created: Sequence[UserOutcome]) -> list[UserOutcome]:
    """Charge imported budgets with what their records say was spent."""
    fates = dict(enumerate(created))
    items = [(place, item) for place, outcome in fates.items() for item in charge_items(project_id, outcome.record)]
    for part in _parts(items, BATCH_ITEMS_MAX):
        request = cost_pb2.BatchUpdateCostRequest(project_id=project_id, requests=[item for _, item in part])
        answer = await client.batch_update_cost(request)
        for (place, _), result in zip(part, answer.results, strict=True):
            outcome = fates[place]
            if result.HasField("charged"):
                if not result.charged.replayed and outcome.fate is Fate.ALREADY_IMPORTED:
                    fates[place] = outcome._replace(fate=Fate.IMPORTED)  # The earlier import was interrupted.
            else:
                fates[place] = _refused(outcome, result)
    return list(fates.values())


def _refused(outcome: UserOutcome, result: cost_pb2.UpdateCostResult) -> UserOutcome:
    error = error_of_item(result.error)
    match error:
        case RequestIdReused():
            return outcome._replace(fate=Fate.OTHER_FIGURES)
        case NotFound():
            return outcome._replace(fate=Fate.GONE)
        case InvalidRequest() | FailedPrecondition():
            return outcome._replace(fate=Fate.REFUSED, detail=str(error))
    raise error


def create_request(project_id: str, record: UserRecord) -> service.CreateBudgetRequest:
    """Build the request that creates a user's budget."""
    window = None
    if record.duration_seconds is not None:
        fixed = pb.FixedWindow(length=Duration(seconds=record.duration_seconds))
        if record.window_start_us is not None:
            seconds, microseconds = divmod(record.window_start_us, US_PER_SECOND)
            fixed.anchor_time.CopyFrom(Timestamp(seconds=seconds, nanos=microseconds * 1_000))
        window = pb.Window(fixed=fixed)
    labels = {IMPORT_LABEL: record.digest}
    if record.created_at is not None:
        labels[CREATED_AT_LABEL] = repr(record.created_at)
    limit = limit_of(record.total_nano_usd, window, pb.RESET_MODE_ON_REQUEST)
    budget = pb.Budget(project_id=project_id, budget_id=record.user, limits=[limit], labels=labels)
    return service.CreateBudgetRequest(budget=budget, request_id=_request_id(project_id, record.user))


def charge_items(project_id: str, record: UserRecord) -> Iterator[cost_pb2.UpdateCostRequest]:
    """Build the charges for a user's costs; a cost above the maximum of a charge becomes several."""
    for model, cost in record.costs:
        for number in range(max(1, -(-cost // COST_NANO_USD_MAX))):
            yield cost_pb2.UpdateCostRequest(
                budget_id=record.user,
                model=model,
                cost_nano_usd=min(cost - number * COST_NANO_USD_MAX, COST_NANO_USD_MAX),
                request_id=_request_id(project_id, record.user, model, number),
                is_history=True,
            )


def _request_id(*parts: str | int) -> str:
    return f"import-{hashlib.sha256(repr(parts).encode()).hexdigest()[:48]}"


async def _budgets(client: AsyncBudgetClient, project_id: str) -> dict[str, pb.Budget]:
    """Read a project's budgets by id, deleted ones included; of several with one id, the live one counts."""
    budgets: dict[str, pb.Budget] = {}
    request = service.ListBudgetsRequest(
        project_id=project_id, page_size=PAGE_SIZE, view=pb.BUDGET_VIEW_STATUS, show_deleted=True
    )
    while True:
        page = await client.list_budgets(request)
        for budget in page.budgets:
            if not budget.HasField("delete_time") or budget.budget_id not in budgets:
                budgets[budget.budget_id] = budget
        if not page.next_page_token:
            return budgets
        request.page_token = page.next_page_token


def _foreseen(record: UserRecord, budget: pb.Budget | None) -> Fate:
    digest = None if budget is None else budget.labels.get(IMPORT_LABEL)
    if budget is None or (budget.HasField("delete_time") and digest is None):
        return Fate.IMPORTED
    if digest is None:
        return Fate.EXISTS
    if digest != record.digest:
        return Fate.OTHER_FIGURES
    if budget.HasField("delete_time"):
        return Fate.GONE
    # If less than the record's cost was ever spent, the import was interrupted before it charged.
    is_complete = budget.lifetime_cost_nano_usd >= record.spent_nano_usd
    return Fate.ALREADY_IMPORTED if is_complete else Fate.IMPORTED


def _parts(items: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    return (items[start : start + length] for start in range(0, len(items), length))
