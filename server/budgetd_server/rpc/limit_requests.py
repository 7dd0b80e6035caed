"""Decodes and checks the limits of a budget."""

from collections.abc import Mapping
from itertools import pairwise
from typing import cast

from budgetd.v1 import budget_pb2 as pb
from budgetd_server.domain.bounds import (
    ALERT_RATIO_MAX,
    ALERT_RATIOS_MAX,
    LIMIT_AMOUNT_MAX,
    LIMITS_MAX,
    MODEL_PATTERNS_MAX,
)
from budgetd_server.domain.budget import ALERT_RATIOS_DEFAULT, MAIN, Action, Limit, ResetMode, Unit
from budgetd_server.domain.commands import LimitDraft
from budgetd_server.domain.errors import FieldViolation
from budgetd_server.domain.window import (
    Calendar,
    CalendarUnit,
    Fixed,
    Lifetime,
    Weekday,
    Window,
)
from budgetd_server.domain.window_rules import WindowTerm, window_violations
from budgetd_server.rpc.checks import Checks

_ACTIONS = {int(action): action for action in Action}
_RESET_MODES = {int(mode): mode for mode in ResetMode}
_UNITS = {int(unit): unit for unit in Unit}
_WEEKDAYS = {int(day): day for day in Weekday}
_CALENDAR_UNITS = {int(unit): unit for unit in CalendarUnit}
#: What the contract's windows call what the domain's rules are about.
WINDOW_FIELDS: Mapping[WindowTerm, str] = {
    WindowTerm.LENGTH: "fixed.length",
    WindowTerm.ANCHOR: "fixed.anchor_time",
    WindowTerm.CALENDAR_UNIT: "calendar.unit",
    WindowTerm.CALENDAR_COUNT: "calendar.count",
    WindowTerm.TIME_ZONE: "calendar.time_zone",
    WindowTerm.FIRST_WEEKDAY: "calendar.first_weekday",
}


def parse_limits(checks: Checks, budget: pb.Budget) -> tuple[LimitDraft, ...]:
    """Decode and check the limits of a budget."""
    if not checks.at_most("budget.limits", len(budget.limits), LIMITS_MAX, "limits"):
        return ()
    drafts: list[LimitDraft] = []
    seen: set[str] = set()
    for index, limit in enumerate(budget.limits):
        field = f"budget.limits[{index}]"
        if limit.limit_id in seen:
            checks.refuse(f"{field}.limit_id", "must be unique in its budget", limit.limit_id)
        seen.add(limit.limit_id)
        drafts.append(_limit(checks, field, limit))
    return tuple(drafts)


def sent_limits(budget: pb.Budget) -> list[object]:
    """Return the limits as sent, for the digest: an unset field differs from one that is set to its default."""
    sent: list[object] = []
    for limit in budget.limits:
        kind, window = limit.window.WhichOneof("kind"), limit.window
        fixed, calendar = window.fixed, window.calendar
        sent.append(
            [
                limit.limit_id,
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
                list(limit.models),
                list(limit.alert_ratios.values) if limit.HasField("alert_ratios") else None,
            ]
        )
    return sent


def _limit(checks: Checks, field: str, limit: pb.Limit) -> LimitDraft:
    is_main = limit.limit_id == MAIN
    checks.optional_id(f"{field}.limit_id", limit.limit_id)
    unit = _UNITS.get(checks.known(f"{field}.unit", limit.unit, _UNITS), Unit.NANO_USD)
    if is_main and unit is not Unit.NANO_USD:
        checks.refuse(f"{field}.unit", "must be NANO_USD: the main limit counts money", unit.name)
    if limit.HasField("amount"):
        checks.number(f"{field}.amount", limit.amount, least=0, most=LIMIT_AMOUNT_MAX, unit=_shown_unit(unit))
    else:
        checks.refuse(f"{field}.amount", "must be set; to allow any amount, send no limit", None)
    models = _models(checks, f"{field}.models", limit, is_main=is_main)
    action = _ACTIONS.get(checks.known(f"{field}.action", limit.action, _ACTIONS), Action.BLOCK)
    alert_ratios = _alert_ratios(checks, f"{field}.alert_ratios.values", limit)
    mode = _RESET_MODES.get(checks.known(f"{field}.reset_mode", limit.reset_mode, _RESET_MODES), ResetMode.AUTOMATIC)
    window, anchors_at_creation = _window(checks, f"{field}.window", limit)
    if mode is ResetMode.ON_REQUEST and not is_main:
        checks.refuse(f"{field}.reset_mode", "ON_REQUEST is for the main limit alone", mode.name)
    elif mode is ResetMode.ON_REQUEST and limit.window.WhichOneof("kind") != "fixed":
        checks.refuse(f"{field}.reset_mode", "ON_REQUEST needs a fixed window", mode.name)
    return LimitDraft(
        limit=Limit(
            limit_id=limit.limit_id,
            unit=unit,
            amount=limit.amount,
            window=window,
            models=models,
            action=action,
            reset_mode=mode,
            alert_ratios=alert_ratios,
        ),
        anchors_at_creation=anchors_at_creation,
    )


def _shown_unit(unit: Unit) -> str:
    return "nano-USD" if unit is Unit.NANO_USD else unit.name.lower()


def _models(checks: Checks, field: str, limit: pb.Limit, *, is_main: bool) -> tuple[str, ...]:
    """Check the patterns of the models that count."""
    if is_main and limit.models:
        checks.refuse(field, "must be empty: the main limit counts all models", list(limit.models)[:1])
    elif checks.at_most(field, len(limit.models), MODEL_PATTERNS_MAX, "patterns"):
        for index, pattern in enumerate(limit.models):
            checks.id(f"{field}[{index}]", pattern)
            if "*" in pattern[:-1]:
                checks.refuse(f"{field}[{index}]", 'may have "*" only at its end', pattern)
    return tuple(limit.models)


def _alert_ratios(checks: Checks, field: str, limit: pb.Limit) -> tuple[float, ...]:
    """Check the ratios at which the limit alerts."""
    if not limit.HasField("alert_ratios"):
        return ALERT_RATIOS_DEFAULT
    ratios = limit.alert_ratios.values
    if checks.at_most(field, len(ratios), ALERT_RATIOS_MAX, "shares"):
        for index, ratio in enumerate(ratios):
            if not 0 < ratio <= ALERT_RATIO_MAX:  # Not a number, too.
                checks.refuse(f"{field}[{index}]", f"must be above 0 and at most {ALERT_RATIO_MAX:g}", ratio)
        for index, (below, ratio) in enumerate(pairwise(ratios), start=1):
            if below >= ratio:
                checks.refuse(f"{field}[{index}]", f"must be above the share before it, {below}", ratio)
    return tuple(ratios)


def _window(checks: Checks, field: str, limit: pb.Limit) -> tuple[Window, bool]:
    """Decode and check a window; also returns whether it is anchored at the budget's creation."""
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
        # Unknown enum values are kept, and refused by `window_violations`.
        window = Calendar(
            unit=_CALENDAR_UNITS.get(calendar.unit, cast(CalendarUnit, calendar.unit)),
            count=calendar.count or 1,
            time_zone=calendar.time_zone or "UTC",
            first_weekday=_WEEKDAYS.get(calendar.first_weekday or 1, cast(Weekday, calendar.first_weekday)),
        )
    broken = window_violations(window).items()
    checks.violations.extend(FieldViolation(f"{field}.{WINDOW_FIELDS[term]}", rule) for term, rule in broken)
    return window, anchors_at_creation
