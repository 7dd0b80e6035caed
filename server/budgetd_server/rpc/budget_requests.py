"""Decodes messages that configure or reset budgets into commands."""

from collections.abc import Sequence

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.bounds import LIMITS_MAX
from budgetd_server.domain.commands import (
    CreateBudget,
    DeleteBudget,
    Request,
    ResetCost,
    ResetOnDuration,
    UpdateBudget,
)
from budgetd_server.rpc.checks import Checks
from budgetd_server.rpc.limit_requests import parse_limits, sent_limits
from budgetd_server.rpc.request_ids import request_of

_OUTPUT_ONLY_TIMES = ("create_time", "update_time", "delete_time")
_OUTPUT_ONLY = ("lifetime_cost_nano_usd", "limit_statuses", "model_costs", "current_cost_nano_usd")
_SETTABLE = ("limits", "labels", "parent_budget_id")
#: More would only repeat each other.
MASK_PATHS_MAX = 64


def parse_create_budget(request: service.CreateBudgetRequest) -> CreateBudget:
    """Decode and check a CreateBudgetRequest."""
    checks = Checks()
    budget = request.budget
    _check_names(checks, budget)
    _check_output_only(checks, budget)
    checks.empty("budget.etag", is_set=bool(budget.etag))
    drafts = parse_limits(checks, budget)
    labels = checks.labels("budget.labels", budget.labels)
    checks.optional_id("budget.parent_budget_id", budget.parent_budget_id)
    checks.request_id("request_id", request.request_id)
    checks.done()
    fields = (
        budget.project_id,
        budget.budget_id,
        sent_limits(budget),
        sorted(labels.items()),
        budget.parent_budget_id,
        budget.is_template,
        request.replace_existing,
    )
    return CreateBudget(
        project_id=budget.project_id,
        budget_id=budget.budget_id,
        request=request_of(request.request_id, "create", *fields),
        limits=drafts,
        labels=labels,
        parent_id=budget.parent_budget_id,
        is_template=budget.is_template,
        replace_existing=request.replace_existing,
    )


def parse_update_budget(request: service.UpdateBudgetRequest) -> UpdateBudget:
    """Decode and check an UpdateBudgetRequest."""
    checks = Checks()
    budget, paths = request.budget, list(request.update_mask.paths)
    _check_names(checks, budget)
    # Output-only fields and fields outside of the mask are ignored, so that callers may send back what they have read.
    _check_mask(checks, paths)
    sets_limits, sets_labels = "limits" in paths, "labels" in paths
    moves = "parent_budget_id" in paths
    drafts = parse_limits(checks, budget) if sets_limits else ()
    labels = checks.labels("budget.labels", budget.labels) if sets_labels else None
    parent_id = checks.optional_id("budget.parent_budget_id", budget.parent_budget_id) if moves else None
    checks.request_id("request_id", request.request_id)
    checks.done()
    limits = sent_limits(budget) if sets_limits else None
    sent_labels = None if labels is None else sorted(labels.items())
    fields = (budget.project_id, budget.budget_id, sorted(set(paths)), limits, sent_labels, parent_id, budget.etag)
    return UpdateBudget(
        project_id=budget.project_id,
        budget_id=budget.budget_id,
        request=request_of(request.request_id, "update", *fields),
        sets_limits=sets_limits,
        limits=drafts,
        parent_id=parent_id,
        labels=labels,
        etag=budget.etag,
    )


def parse_delete_budget(request: service.DeleteBudgetRequest) -> DeleteBudget:
    """Decode and check a DeleteBudgetRequest."""
    return DeleteBudget(
        project_id=request.project_id,
        budget_id=request.budget_id,
        request=_named(request, "delete", request.etag, request.force),
        etag=request.etag,
        force=request.force,
    )


def parse_reset_cost(request: service.ResetCostRequest) -> ResetCost:
    """Decode and check a ResetCostRequest."""
    checks = Checks()
    limit_ids = tuple(request.limit_ids)
    if checks.at_most("limit_ids", len(limit_ids), LIMITS_MAX, "limits"):
        for index, limit_id in enumerate(limit_ids):
            checks.optional_id(f"limit_ids[{index}]", limit_id)
            if limit_id in limit_ids[:index]:
                checks.refuse(f"limit_ids[{index}]", "must name each limit once", limit_id)
    return ResetCost(
        project_id=request.project_id,
        budget_id=request.budget_id,
        request=_named(request, "reset", list(limit_ids), view=request.view, checks=checks),
        limit_ids=limit_ids,
    )


def parse_reset_on_duration(request: service.ResetOnDurationRequest) -> ResetOnDuration:
    """Decode and check a ResetOnDurationRequest."""
    return ResetOnDuration(
        project_id=request.project_id,
        budget_id=request.budget_id,
        request=_named(request, "reset-on-duration", view=request.view),
    )


def parse_reset_all(request: service.ResetAllOnDurationRequest) -> Request:
    """Decode and check a ResetAllOnDurationRequest."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    checks.request_id("request_id", request.request_id)
    checks.done()
    return request_of(request.request_id, "reset-all", request.project_id)


def check_view(checks: Checks, view: int) -> int:
    """Check the view of a budget; 0 is unset."""
    return checks.known("view", view, {1: "BASIC", 2: "STATUS", 3: "FULL"})


def _named(
    request: service.DeleteBudgetRequest | service.ResetCostRequest | service.ResetOnDurationRequest,
    *fields: object,
    view: int = 0,
    checks: Checks | None = None,
) -> Request:
    checks = checks or Checks()
    checks.id("project_id", request.project_id)
    checks.id("budget_id", request.budget_id)
    checks.request_id("request_id", request.request_id)
    check_view(checks, view)
    checks.done()
    return request_of(request.request_id, request.project_id, request.budget_id, *fields)


def _check_names(checks: Checks, budget: pb.Budget) -> None:
    checks.id("budget.project_id", budget.project_id)
    checks.id("budget.budget_id", budget.budget_id)


def _check_output_only(checks: Checks, budget: pb.Budget) -> None:
    for name in _OUTPUT_ONLY_TIMES:
        checks.empty(f"budget.{name}", is_set=budget.HasField(name))  # type: ignore[arg-type]
    for name in _OUTPUT_ONLY:
        checks.empty(f"budget.{name}", is_set=bool(getattr(budget, name)))


def _check_mask(checks: Checks, paths: Sequence[str]) -> None:
    if not paths:
        checks.refuse("update_mask", f"must name at least one of {', '.join(_SETTABLE)}", paths)
    if checks.at_most("update_mask.paths", len(paths), MASK_PATHS_MAX, "paths"):
        for index, path in enumerate(paths):
            if path not in _SETTABLE:
                checks.refuse(f"update_mask.paths[{index}]", f"must be one of {', '.join(_SETTABLE)}", path)
