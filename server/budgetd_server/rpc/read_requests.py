"""Decodes messages that only read into queries."""

from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain.bounds import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.queries import BudgetQuery, EntryQuery
from budgetd_server.rpc.budget_requests import check_view
from budgetd_server.rpc.checks import Checks
from budgetd_server.rpc.page_tokens import parse_name, parse_position

_KINDS = {int(kind): kind for kind in EntryKind}
_FULL = 3
#: More would only repeat each other.
KINDS_MAX = 64


def check_budget(
    request: service.GetBudgetRequest | cost_pb.GetCurrentCostRequest | cost_pb.GetModelCostRequest,
    *,
    view: int = 0,
) -> None:
    """Check a request that names one budget."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    checks.id("budget_id", request.budget_id)
    check_view(checks, view)
    checks.done()


def parse_budget_query(request: service.ListBudgetsRequest) -> tuple[BudgetQuery, int]:
    """Decode and check a ListBudgetsRequest. Returns which budgets to list, and the page size."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    checks.optional_id("id_prefix", request.id_prefix)
    check_view(checks, request.view)
    labels = checks.labels("labels", request.labels)
    ratio = request.min_used_ratio
    if not ratio >= 0:  # Not a number, too.
        checks.refuse("min_used_ratio", "must be 0 or more", ratio)
    checks.optional_id("parent_budget_id", request.parent_budget_id)
    page_size = parse_page_size(checks, request.page_size)
    after_key = parse_position(checks, request.page_token, request) or 0
    checks.done()
    query = BudgetQuery(
        project_id=request.project_id,
        after_key=after_key,
        with_deleted=request.show_deleted,
        with_models=request.view >= _FULL,
        id_prefix=request.id_prefix,
        labels=labels,
        used_ratio_min=ratio,
        parent_id=request.parent_budget_id if request.HasField("parent_budget_id") else None,
    )
    return query, page_size


def parse_entry_query(request: service.ListEntriesRequest) -> EntryQuery:
    """Decode and check a ListEntriesRequest."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    checks.optional_id("budget_id", request.budget_id)
    if checks.at_most("kinds", len(request.kinds), KINDS_MAX, "kinds"):
        for index, kind in enumerate(request.kinds):
            checks.known(f"kinds[{index}]", kind, _KINDS, may_be_unset=False)
    start_at_us = checks.time_us("start_time", request.start_time) if request.HasField("start_time") else None
    end_at_us = checks.time_us("end_time", request.end_time) if request.HasField("end_time") else None
    checks.request_id("request_id", request.request_id)
    labels = checks.labels("labels", request.labels)
    page_size = parse_page_size(checks, request.page_size)
    from_seq = parse_position(checks, request.page_token, request)
    checks.done()
    return EntryQuery(
        project_id=request.project_id,
        budget_id=request.budget_id,
        from_seq=from_seq,
        page_size=page_size,
        kinds=sorted({_KINDS[kind] for kind in request.kinds}),
        start_at_us=start_at_us,
        end_at_us=end_at_us,
        request_id=request.request_id,
        labels=labels,
    )


def parse_price_page(request: service.ListModelPricesRequest) -> tuple[str, int]:
    """Decode and check a ListModelPricesRequest. Returns the name at which the page begins, or empty, and its size."""
    checks = Checks()
    checks.optional_id("model_prefix", request.model_prefix)
    page_size = parse_page_size(checks, request.page_size)
    begin = parse_name(checks, request.page_token, request) or ""
    checks.done()
    return begin, page_size


def parse_model_name(request: service.GetModelPriceRequest) -> str:
    """Decode and check a GetModelPriceRequest."""
    checks = Checks()
    checks.id("model", request.model)
    checks.done()
    return request.model


def parse_page_size(checks: Checks, page_size: int) -> int:
    """Decode and check how many items a page holds at most."""
    if page_size < 0:
        checks.refuse("page_size", "must be 0 or more", page_size)
    return min(page_size, PAGE_SIZE_MAX) or PAGE_SIZE_DEFAULT
