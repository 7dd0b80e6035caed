"""Encodes outcomes and states as messages."""

from collections.abc import Mapping, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.domain.budget import Limit, Sums
from budgetd_server.domain.entry import Cause, Entry, EntryKind
from budgetd_server.domain.reservation import Reservation
from budgetd_server.domain.status import BudgetStatus, LimitStatus, ModelStatus
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed

#: Up to this many limits are returned with all their model patterns, which take up to 16 KiB each.
LIMITS_WITH_PATTERNS_MAX = 128
#: The last instant that a Timestamp can hold, in the year 9999. A window may end after it.
_LAST_AT_US = 253_402_300_800 * 1_000_000 - 1
#: What callers read as the reason of an entry for which nobody has given one.
REASONS: Mapping[Cause, str] = {
    Cause.NONE: "",
    Cause.WINDOW_ENDED: "window ended",
    Cause.REQUESTED: "requested",
    Cause.CLOCK_STEPPED_BACK: "clock stepped back",
    Cause.REPLACED: "replaced",
    Cause.FROM_TEMPLATE: "from template",
    Cause.BUDGET_DELETED: "budget deleted",
}


def timestamp(at_us: int) -> Timestamp:
    """Encode an instant; later ones become the last that a Timestamp can hold."""
    seconds, us = divmod(min(at_us, _LAST_AT_US), 1_000_000)
    return Timestamp(seconds=seconds, nanos=us * 1000)


def entry_id(seq: int) -> str:
    """Return the id of an entry by its number; empty for 0, no entry."""
    return f"e{seq}" if seq else ""


def reservation_id(seq: int) -> str:
    """Return the id of a reservation by its number; empty for 0, no reservation."""
    return f"r{seq}" if seq else ""


def usage(tokens: Usage) -> pb.Usage:
    """Encode a usage."""
    return pb.Usage(
        input_tokens=tokens.input_tokens,
        output_tokens=tokens.output_tokens,
        cached_input_tokens=tokens.cached_input_tokens,
        cache_write_tokens=tokens.cache_write_tokens,
        reasoning_tokens=tokens.reasoning_tokens,
        **tokens.parts._asdict(),
    )


def limit_status(status: LimitStatus) -> pb.LimitStatus:
    """Encode the status of a limit."""
    message = pb.LimitStatus(
        budget_id=status.budget_id,
        limit_id=status.limit_id,
        unit=int(status.unit),  # type: ignore[arg-type]
        amount=status.amount,
        spent=status.spent,
        held=status.held,
        remaining=status.remaining,
        used_ratio=status.used_ratio,
        is_exceeded=status.is_exceeded,
        burn_rate_per_hour=status.burn_rate_per_hour,
        action=int(status.action),  # type: ignore[arg-type]
        models=status.models,
    )
    start_at_us, end_at_us = status.span
    if start_at_us is not None and end_at_us is not None:
        message.window_start_time.CopyFrom(timestamp(start_at_us))
        message.window_end_time.CopyFrom(timestamp(end_at_us))
    if status.exhaustion_at_us is not None:
        message.exhaustion_time.CopyFrom(timestamp(status.exhaustion_at_us))
    return message


def limit_statuses(statuses: Sequence[LimitStatus]) -> list[pb.LimitStatus]:
    """Encode the statuses of limits, shortened to the size of an answer."""
    return [limit_status(status) for status in trim_patterns(statuses)]


def trim_patterns(statuses: Sequence[LimitStatus]) -> Sequence[LimitStatus]:
    """Keep only the first model pattern of each limit if there are too many limits for one answer."""
    if len(statuses) <= LIMITS_WITH_PATTERNS_MAX:
        return statuses
    return [status._replace(models=status.models[:1]) for status in statuses]


def model_cost(status: ModelStatus) -> pb.ModelCost:
    """Encode the cost of one model."""
    sums: Sums = status.sums
    return pb.ModelCost(model=status.model, cost_nano_usd=sums.cost_nano_usd, usage=usage(sums.usage), calls=sums.calls)


def budget(project_id: str, status: BudgetStatus, view: int) -> pb.Budget:
    """Encode the part of a budget that the view includes; an unset view is BASIC."""
    message = pb.Budget(
        project_id=project_id,
        budget_id=status.budget_id,
        parent_budget_id=status.parent_id,
        is_template=status.is_template,
        limits=[limit(rule) for rule in status.rules],
        labels=dict(status.labels),
        create_time=timestamp(status.created_at_us),
        update_time=timestamp(status.updated_at_us),
        etag=status.etag,
    )
    if status.deleted_at_us is not None:
        message.delete_time.CopyFrom(timestamp(status.deleted_at_us))
    if view >= pb.BUDGET_VIEW_STATUS:
        message.limit_statuses.extend(limit_statuses(status.limits))
        message.current_cost_nano_usd = status.current_cost_nano_usd
        message.lifetime_cost_nano_usd = status.lifetime_cost_nano_usd
    if view >= pb.BUDGET_VIEW_FULL:
        message.model_costs.extend(model_cost(model) for model in status.models)
    return message


def limit(rule: Limit) -> pb.Limit:
    """Encode a limit's configuration, with every default filled in."""
    message = pb.Limit(
        limit_id=rule.limit_id,
        unit=int(rule.unit),  # type: ignore[arg-type]
        amount=rule.amount,
        models=rule.models,
        alert_ratios=pb.AlertRatios(values=rule.alert_ratios),
        action=int(rule.action),  # type: ignore[arg-type]
        reset_mode=int(rule.reset_mode),  # type: ignore[arg-type]
    )
    window = rule.window
    if isinstance(window, Fixed):
        seconds, us = divmod(window.length_us, 1_000_000)
        message.window.fixed.length.seconds = seconds
        message.window.fixed.length.nanos = us * 1000
        message.window.fixed.anchor_time.CopyFrom(timestamp(window.anchor_at_us))
    elif isinstance(window, Calendar):
        message.window.calendar.unit = int(window.unit)  # type: ignore[assignment]
        message.window.calendar.count = window.count
        message.window.calendar.time_zone = window.time_zone
        if window.unit is CalendarUnit.WEEK:
            message.window.calendar.first_weekday = int(window.first_weekday)  # type: ignore[assignment]
    else:
        message.window.lifetime.SetInParent()
    return message


def entry(budget_id: str, row: Entry, names: Mapping[int, str]) -> pb.Entry:
    """Encode an entry of the ledger; `names` has the ids of its other budgets by their keys."""
    reservation_seq = row.seq if row.kind is EntryKind.HOLD else row.reservation_seq
    message = pb.Entry(
        entry_id=entry_id(row.seq),
        kind=int(row.kind),  # type: ignore[arg-type]
        budget_id=budget_id,
        charged_budget_ids=[budget_id, *(names[key] for key in row.other_keys)],
        model=row.model,
        cost_nano_usd=row.cost_nano_usd,
        labels=dict(row.labels or {}),
        request_id=row.request_id,
        reason=row.reason or REASONS[row.cause],
        create_time=timestamp(row.created_at_us),
        price_version=row.price_version,
        windows_skipped=row.windows_skipped,
        reservation_id=reservation_id(reservation_seq or 0),
        adjusted_entry_id=entry_id(row.adjusted_seq or 0),
        is_estimated=row.is_estimated,
        is_late=row.is_late,
        overage_nano_usd=row.overage_nano_usd,
        limit_id=row.limit_id,
        cost_source=int(row.cost_source),  # type: ignore[arg-type]
        other_model_names=row.other_names,
        unread_fields=row.unread_fields,
        **row.terms._asdict(),
    )
    if row.usage is not None:
        message.usage.CopyFrom(usage(row.usage))
    if row.event_at_us is not None:
        message.event_time.CopyFrom(timestamp(row.event_at_us))
    return message


def reservation(held: Reservation, names: Mapping[int, str], now_us: int) -> reservation_pb.Reservation:
    """Encode a reservation as of now; `names` has the ids of its other budgets by their keys."""
    ended_at_us = held.ended_at(now_us)
    message = reservation_pb.Reservation(
        reservation_id=reservation_id(held.seq),
        state=int(held.state_at(now_us)),  # type: ignore[arg-type]
        budget_id=held.budget_id,
        charged_budget_ids=[held.budget_id, *(names[key] for key in held.other_keys)],
        model=held.model,
        held_nano_usd=held.held_nano_usd,
        held_tokens=held.held_tokens,
        create_time=timestamp(held.created_at_us),
        expire_time=timestamp(held.expires_at_us),
        on_expiry=int(held.on_expiry),  # type: ignore[arg-type]
        labels=dict(held.labels or {}),
    )
    if ended_at_us is not None:
        message.end_time.CopyFrom(timestamp(ended_at_us))
    return message
