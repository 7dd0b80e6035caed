"""Messages that configure or reset budgets become commands."""

from collections.abc import Sequence
from typing import cast

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.bounds import LIMIT_AMOUNT_MAX
from budgetd_server.domain.budget import MAIN, Action, Limit, ResetMode
from budgetd_server.domain.commands import (
    CreateBudget,
    DeleteBudget,
    LimitDraft,
    Request,
    ResetCost,
    ResetOnDuration,
    UpdateBudget,
)
from budgetd_server.domain.window import (
    Calendar,
    CalendarUnit,
    Fixed,
    Lifetime,
    Weekday,
    Window,
    window_violations,
)
from budgetd_server.rpc.checks import Checks
from budgetd_server.rpc.request_ids import request_of

_ACTIONS = {int(action): action for action in Action}
_RESET_MODES = {int(mode): mode for mode in ResetMode}
_UNITS: dict[int, str] = {pb.UNIT_NANO_USD: "nano-USD"}
_WEEKDAYS = {int(day): day for day in Weekday}
_CALENDAR_UNITS = {int(unit): unit for unit in CalendarUnit}
_OUTPUT_ONLY_TIMES = ("create_time", "update_time", "delete_time")
_OUTPUT_ONLY = ("lifetime_cost_nano_usd", "limit_statuses", "model_costs", "current_cost_nano_usd")
_SETTABLE = ("limits", "labels")
#: More would only repeat each other.
MASK_PATHS_MAX = 64


def create_budget(request: service.CreateBudgetRequest) -> CreateBudget:
    """Decode and check a CreateBudgetRequest."""
    checks = Checks()
    budget = request.budget
    _check_names(checks, budget)
    _check_output_only(checks, budget)
    checks.empty("budget.etag", is_set=bool(budget.etag))
    draft = _main_limit(checks, budget)
    labels = checks.labels("budget.labels", budget.labels)
    checks.request_id("request_id", request.request_id)
    checks.done()
    fields = (
        budget.project_id,
        budget.budget_id,
        _sent_limits(budget),
        sorted(labels.items()),
        request.replace_existing,
    )
    return CreateBudget(
        project_id=budget.project_id,
        budget_id=budget.budget_id,
        request=request_of(request.request_id, "create", *fields),
        main_limit=draft,
        labels=labels,
        replace_existing=request.replace_existing,
    )


def update_budget(request: service.UpdateBudgetRequest) -> UpdateBudget:
    """Decode and check an UpdateBudgetRequest."""
    checks = Checks()
    budget, paths = request.budget, list(request.update_mask.paths)
    _check_names(checks, budget)
    # What is output only or outside of the mask is passed over, so that callers may send back what they have read.
    _check_mask(checks, paths)
    sets_limits, sets_labels = "limits" in paths, "labels" in paths
    draft = _main_limit(checks, budget) if sets_limits else None
    labels = checks.labels("budget.labels", budget.labels) if sets_labels else None
    checks.request_id("request_id", request.request_id)
    checks.done()
    limits = _sent_limits(budget) if sets_limits else None
    sent_labels = None if labels is None else sorted(labels.items())
    fields = (budget.project_id, budget.budget_id, sorted(set(paths)), limits, sent_labels, budget.etag)
    return UpdateBudget(
        project_id=budget.project_id,
        budget_id=budget.budget_id,
        request=request_of(request.request_id, "update", *fields),
        sets_limits=sets_limits,
        main_limit=draft,
        labels=labels,
        etag=budget.etag,
    )


def delete_budget(request: service.DeleteBudgetRequest) -> DeleteBudget:
    """Decode and check a DeleteBudgetRequest."""
    return DeleteBudget(
        project_id=request.project_id,
        budget_id=request.budget_id,
        request=_named(request, "delete", request.etag),
        etag=request.etag,
    )


def reset_cost(request: service.ResetCostRequest) -> ResetCost:
    """Decode and check a ResetCostRequest."""
    return ResetCost(
        project_id=request.project_id,
        budget_id=request.budget_id,
        request=_named(request, "reset", view=request.view),
    )


def reset_on_duration(request: service.ResetOnDurationRequest) -> ResetOnDuration:
    """Decode and check a ResetOnDurationRequest."""
    return ResetOnDuration(
        project_id=request.project_id,
        budget_id=request.budget_id,
        request=_named(request, "reset-on-duration", view=request.view),
    )


def reset_all(request: service.ResetAllOnDurationRequest) -> Request:
    """Decode and check a ResetAllOnDurationRequest."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    checks.request_id("request_id", request.request_id)
    checks.done()
    return request_of(request.request_id, "reset-all", request.project_id)


def check_view(checks: Checks, view: int) -> int:
    """A view of a budget, or none."""
    return checks.known("view", view, {1: "BASIC", 2: "STATUS", 3: "FULL"})


def _named(
    request: service.DeleteBudgetRequest | service.ResetCostRequest | service.ResetOnDurationRequest,
    *fields: object,
    view: int = 0,
) -> Request:
    checks = Checks()
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


def _main_limit(checks: Checks, budget: pb.Budget) -> LimitDraft | None:
    if not checks.at_most("budget.limits", len(budget.limits), 1, "main limit; named limits are not served yet"):
        return None
    return _limit(checks, "budget.limits[0]", budget.limits[0]) if budget.limits else None


def _limit(checks: Checks, field: str, limit: pb.Limit) -> LimitDraft:
    if limit.limit_id != MAIN:
        checks.refuse(f"{field}.limit_id", "must be empty: named limits are not served yet", limit.limit_id)
    checks.known(f"{field}.unit", limit.unit, _UNITS)
    if limit.HasField("amount"):
        checks.number(f"{field}.amount", limit.amount, least=0, most=LIMIT_AMOUNT_MAX)
    else:
        checks.refuse(f"{field}.amount", "must be set; unlimited is the absence of a limit", None)
    action = _ACTIONS.get(checks.known(f"{field}.action", limit.action, _ACTIONS), Action.BLOCK)
    mode = _RESET_MODES.get(checks.known(f"{field}.reset_mode", limit.reset_mode, _RESET_MODES), ResetMode.AUTOMATIC)
    window, anchors_at_creation = _window(checks, f"{field}.window", limit)
    if mode is ResetMode.ON_REQUEST and limit.window.WhichOneof("kind") != "fixed":
        checks.refuse(f"{field}.reset_mode", "ON_REQUEST needs a fixed window", mode.name)
    return LimitDraft(
        limit=Limit(amount=limit.amount, window=window, action=action, reset_mode=mode),
        anchors_at_creation=anchors_at_creation,
    )


def _window(checks: Checks, field: str, limit: pb.Limit) -> tuple[Window, bool]:
    """The window, and whether its anchor is left to the budget's creation."""
    window: Window = Lifetime()
    if not limit.HasField("window"):
        return window, False
    kind = limit.window.WhichOneof("kind")
    if kind is None:
        checks.refuse(f"{field}.kind", "must be one of lifetime, fixed, calendar", None)
        return window, False
    anchors_at_creation = False
    if kind == "fixed":
        fixed = limit.window.fixed
        anchors_at_creation = not fixed.HasField("anchor_time")
        anchor = 0 if anchors_at_creation else checks.time_us(f"{field}.fixed.anchor_time", fixed.anchor_time)
        length = checks.length_us(f"{field}.fixed.length", fixed.length)
        if length is None or anchor is None:
            return window, False
        window = Fixed(length_us=length, anchor_at_us=anchor)
    elif kind == "calendar":
        calendar = limit.window.calendar
        # Numbers that no enum value has are found among the window's violations.
        window = Calendar(
            unit=_CALENDAR_UNITS.get(calendar.unit, cast(CalendarUnit, calendar.unit)),
            count=calendar.count or 1,
            time_zone=calendar.time_zone or "UTC",
            first_weekday=_WEEKDAYS.get(calendar.first_weekday or 1, cast(Weekday, calendar.first_weekday)),
        )
    checks.violations.extend(window_violations(window, field))
    return window, anchors_at_creation


def _sent_limits(budget: pb.Budget) -> list[object]:
    """The limits as they were sent, for the digest: what is unset differs from what is set to its default."""
    sent: list[object] = []
    for limit in budget.limits:
        kind, window = limit.window.WhichOneof("kind"), limit.window
        fixed, calendar = window.fixed, window.calendar
        sent.append(
            [
                limit.unit,
                limit.amount,
                limit.action,
                limit.reset_mode,
                limit.HasField("window") and kind,
                [
                    fixed.length.seconds,
                    fixed.length.nanos,
                    fixed.anchor_time.seconds,
                    fixed.anchor_time.nanos,
                ],
                fixed.HasField("anchor_time"),
                [calendar.unit, calendar.count, calendar.time_zone, calendar.first_weekday],
            ]
        )
    return sent
