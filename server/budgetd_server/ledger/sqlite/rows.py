"""How budgets, entries and reservations look as rows of SQLite, in the order in which statements name their columns."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from budgetd_server.domain.bounds import US_PER_HOUR
from budgetd_server.domain.budget import (
    ALERT_RATIOS_DEFAULT,
    MAIN,
    Action,
    BudgetState,
    Counter,
    Limit,
    ResetMode,
    Sums,
    Unit,
)
from budgetd_server.domain.entry import CostSource, Entry, EntryKind
from budgetd_server.domain.record import Accepted, Record
from budgetd_server.domain.reservation import OnExpiry, Reservation, ReservationState
from budgetd_server.domain.state import NewRequest, StoredRequest
from budgetd_server.domain.usage import NO_PARTS, STANDARD_TERMS, CallTerms, Parts, Usage
from budgetd_server.domain.window import Span, length_us, window_from_text, window_to_text

Row = tuple[Any, ...]
_NO_TOKENS: Row = (None,) * 5
_KIND, _USAGE, _SOURCE = map(Entry._fields.index, ("kind", "usage", "cost_source"))
#: From here on a plain charge has nothing to tell.
_TAIL = Entry._fields.index("reservation_seq")
_TERMS = Entry._fields.index("terms")
_PLAIN_TAIL = tuple(Entry._field_defaults[name] for name in Entry._fields[_TAIL:])
#: In the row, where the usage takes five columns.
_LABELS = Entry._fields.index("labels") + len(_NO_TOKENS) - 1
_KINDS = {int(kind): kind for kind in EntryKind}
_SOURCES = {int(source): source for source in CostSource}
#: Windows below this roll when somebody touches them, and by nothing else.
SWEPT_US_MIN = US_PER_HOUR
#: The columns of a budget before those of its main count.
_BUDGET_COLUMNS = 15


def budget_from_row(row: Row) -> tuple[BudgetState, int]:
    """A budget with its main count and no models, and how many named limits it has, which are not loaded either."""
    (
        project_key,
        budget_key,
        budget_id,
        parent_key,
        parent_id,
        is_template,
        named_count,
        labels,
        version,
        created_at_us,
        updated_at_us,
        deleted_at_us,
        models_count,
        lifetime_cost_nano_usd,
        last_seq,
    ) = row[:_BUDGET_COLUMNS]
    budget = BudgetState(
        project_key=project_key,
        budget_key=budget_key,
        budget_id=budget_id,
        parent_key=parent_key,
        parent_id=parent_id or "",
        is_template=bool(is_template),
        labels=_labels_from_text(labels),
        version=version,
        created_at_us=created_at_us,
        updated_at_us=updated_at_us,
        deleted_at_us=deleted_at_us,
        main=counter_from_row(row[_BUDGET_COLUMNS:]),
        models_count=models_count,
        lifetime_cost_nano_usd=lifetime_cost_nano_usd,
        last_seq=last_seq,
    )
    return budget, named_count


def counter_from_row(row: Row) -> Counter:
    """The count of a limit, or the main one of a budget without a main limit."""
    limit_id, unit, amount, window, models, action, reset_mode, ratios = row[:8]
    start_at_us, end_at_us, since_seq, burn_rate_per_hour, burn_at_us, held, alerts_fired, *sums = row[8:]
    limit = None if amount is None else _limit(limit_id, unit, amount, window, models, action, reset_mode, ratios)
    return Counter(
        limit,
        Span(start_at_us, end_at_us),
        since_seq,
        Sums(*sums),
        burn_rate_per_hour,
        burn_at_us,
        held,
        alerts_fired,
    )


def budget_row(budget: BudgetState) -> Row:
    """The parameters of `save_budget`."""
    return (
        budget.project_key,
        budget.budget_key,
        budget.budget_id,
        budget.parent_key,
        int(budget.is_template),
        len(budget.named),
        _labels_to_text(budget.labels),
        budget.version,
        budget.created_at_us,
        budget.updated_at_us,
        budget.deleted_at_us,
    )


def counter_row(budget: BudgetState, counter: Counter) -> Row:
    """The parameters of `save_counter`."""
    limit = counter.limit
    if limit is None:
        rule: Row = (int(Unit.NANO_USD), None, None, None, int(Action.BLOCK), int(ResetMode.AUTOMATIC), None)
    else:
        rule = (
            int(limit.unit),
            limit.amount,
            window_to_text(limit.window),
            json.dumps(limit.models, ensure_ascii=False) if limit.models else None,
            int(limit.action),
            int(limit.reset_mode),
            None if limit.alert_ratios == ALERT_RATIOS_DEFAULT else json.dumps(limit.alert_ratios),
        )
    limit_id = MAIN if limit is None else limit.limit_id
    swept = int(_is_swept(budget, counter))
    key = (budget.project_key, budget.budget_key, limit_id)
    return (*key, *rule, swept, *counter.span, counter.since_seq, *_counts(budget, counter))


def count_row(budget: BudgetState, counter: Counter) -> Row:
    """The parameters of `save_count`."""
    limit_id = MAIN if counter.limit is None else counter.limit.limit_id
    return (budget.project_key, budget.budget_key, limit_id, *_counts(budget, counter))


def model_row(budget: BudgetState, model: str, sums: Sums) -> Row:
    """The parameters of `save_model`."""
    return (budget.project_key, budget.budget_key, model, *_sums(sums))


def is_plain(entry: Entry) -> bool:
    """True if its columns from `reservation_seq` on have their defaults, as of most charges."""
    return entry[_TAIL:] == _PLAIN_TAIL and (entry.usage is None or entry.usage.parts is NO_PARTS)


def entry_row(entry: Entry) -> Row:
    """The parameters of `insert_entry`."""
    parts = NO_PARTS if entry.usage is None else entry.usage.parts
    counts = {name: count for name, count in parts._asdict().items() if count}
    return (
        *plain_entry_row(entry),
        *entry[_TAIL:_TERMS],
        json.dumps(counts) if counts else None,
        json.dumps(entry.terms, ensure_ascii=False) if entry.terms != STANDARD_TERMS else None,
        json.dumps(entry.unread_fields, ensure_ascii=False) if entry.unread_fields else None,
        json.dumps(entry.other_keys) if entry.other_keys else None,
    )


def plain_entry_row(entry: Entry) -> Row:
    """The parameters of `insert_plain_entry`."""
    # Cut and joined rather than taken apart, and no enum, which the driver takes twice as long for: every charge pays.
    row: Row = (
        entry[:_KIND]
        + (int(entry.kind),)
        + entry[_KIND + 1 : _USAGE]
        + (_NO_TOKENS if entry.usage is None else entry.usage[:-1])
        + entry[_USAGE + 1 : _SOURCE]
        + (int(entry.cost_source), _names_to_text(entry.other_names) if entry.other_names else None)
    )
    if entry.labels is None:
        return row
    return (*row[:_LABELS], _labels_to_text(entry.labels), *row[_LABELS + 1 :])


def request_row(request: NewRequest) -> Row:
    """The parameters of `insert_request`."""
    more = request.numbers[1:]
    return (*plain_request_row(request), json.dumps(more) if more else None)


def plain_request_row(request: NewRequest) -> Row:
    """The parameters of `insert_plain_request`."""
    project_key, rpc, request_id, fingerprint, entry_seq, created_at_us, numbers = request
    return project_key, int(rpc), request_id, fingerprint, entry_seq, numbers[0] if numbers else 0, created_at_us


def request_from_row(row: Row) -> StoredRequest:
    """A request id that has taken effect."""
    fingerprint, entry_seq, result, more = row
    return StoredRequest(fingerprint, entry_seq, (result, *json.loads(more)) if more else (result,))


def entry_from_row(row: Row) -> tuple[str, Entry]:
    """An entry and the id of its budget."""
    budget_id, project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd, *rest = row
    tokens, (model, request_id, labels, *tail) = tuple(rest[:5]), rest[5:]
    reason, event_at_us, price_version, windows_skipped, calls, cost_source, other_names, *tail = tail
    reservation_seq, adjusted_seq, is_estimated, is_late, overage_nano_usd, catalogue_name, limit_id, *tail = tail
    parts, terms, unread_fields, other_keys = tail
    return budget_id, Entry(
        project_key,
        seq,
        budget_key,
        previous_seq,
        _KINDS[kind],
        created_at_us,
        cost_nano_usd,
        None if tokens[0] is None else _usage(tokens, parts),
        model,
        request_id,
        None if labels is None else json.loads(labels),
        reason,
        event_at_us,
        price_version,
        windows_skipped,
        calls,
        _SOURCES[cost_source],
        names_from_row(other_names, catalogue_name),
        reservation_seq,
        adjusted_seq,
        bool(is_estimated),
        bool(is_late),
        overage_nano_usd,
        limit_id,
        STANDARD_TERMS if terms is None else CallTerms(*json.loads(terms)),
        () if unread_fields is None else tuple(json.loads(unread_fields)),
        _keys(other_keys),
    )


def reservation_row(reservation: Reservation) -> Row:
    """The parameters of `save_reservation`."""
    usage = reservation.held_usage
    return (
        reservation.project_key,
        reservation.seq,
        reservation.budget_key,
        int(reservation.state),
        reservation.held_nano_usd,
        None if usage is None else usage.input_tokens,
        None if usage is None else usage.output_tokens,
        reservation.held_calls,
        int(reservation.on_expiry),
        reservation.created_at_us,
        reservation.expires_at_us,
        reservation.ended_at_us,
        reservation.ended_seq,
    )


def reservation_from_row(row: Row) -> Reservation:
    """A reservation."""
    project_key, seq, budget_key, budget_id, other_keys, model, other_names, catalogue_name, labels, terms, *rest = row
    on_expiry, created_at_us, expires_at_us, state, held_nano_usd, held_input, held_output, *tail = rest
    held_calls, ended_at_us, ended_seq = tail
    return Reservation(
        project_key=project_key,
        seq=seq,
        budget_key=budget_key,
        budget_id=budget_id,
        other_keys=_keys(other_keys),
        model=model,
        other_names=names_from_row(other_names, catalogue_name),
        labels=None if labels is None else json.loads(labels),
        provider="" if terms is None else CallTerms(*json.loads(terms)).provider,
        on_expiry=OnExpiry(on_expiry),
        created_at_us=created_at_us,
        expires_at_us=expires_at_us,
        state=ReservationState(state),
        held_nano_usd=held_nano_usd,
        held_usage=None if held_input is None else Usage(held_input, held_output),
        held_calls=held_calls,
        ended_at_us=ended_at_us,
        ended_seq=ended_seq,
        stored_expires_at_us=expires_at_us if state == ReservationState.OPEN else None,
    )


def names_from_row(other_names: str | None, catalogue_name: str) -> tuple[str, ...]:
    """What else a model is called, by an entry's two columns. Entries of the first tables have the second alone."""
    if other_names is not None:
        return _names_from_text(other_names)
    return (catalogue_name,) if catalogue_name else ()


def hold_rows(reservation: Reservation, expires_at_us: int) -> list[Row]:
    """The parameters of `insert_hold` and `remove_hold`, one row for each budget."""
    project_key, seq = reservation.project_key, reservation.seq
    return [(project_key, key, expires_at_us, seq) for key in (reservation.budget_key, *reservation.other_keys)]


def _is_swept(budget: BudgetState, counter: Counter) -> bool:
    """True if the window of a counter ends by itself, and is to be rolled if nobody touches it."""
    limit, window_us = counter.limit, length_us(counter.span)
    if limit is None or window_us is None or budget.deleted_at_us is not None:
        return False
    return limit.reset_mode is ResetMode.AUTOMATIC and window_us >= SWEPT_US_MIN


def _counts(budget: BudgetState, counter: Counter) -> Row:
    counted = (
        *_sums(counter.sums),
        counter.burn_rate_per_hour,
        counter.burn_at_us,
        counter.held,
        counter.alerts_fired,
    )
    if counter is not budget.main:
        return (*counted, 0, 0, 0)
    return (*counted, budget.models_count, budget.lifetime_cost_nano_usd, budget.last_seq)


def _sums(sums: Sums) -> Row:
    return (
        sums.cost_nano_usd,
        sums.input_tokens,
        sums.output_tokens,
        sums.cached_input_tokens,
        sums.cache_write_tokens,
        sums.reasoning_tokens,
        sums.calls,
    )


@lru_cache(maxsize=4096)
def _limit(
    limit_id: str,
    unit: int,
    amount: int,
    window: str,
    models: str | None,
    action: int,
    reset_mode: int,
    alert_ratios: str | None,
) -> Limit:
    """Kept by its columns: most budgets of a project have one of a few limits."""
    return Limit(
        limit_id=limit_id,
        unit=Unit(unit),
        amount=amount,
        window=window_from_text(window),
        models=tuple(json.loads(models)) if models else (),
        action=Action(action),
        reset_mode=ResetMode(reset_mode),
        alert_ratios=ALERT_RATIOS_DEFAULT if alert_ratios is None else tuple(json.loads(alert_ratios)),
    )


def _usage(tokens: Row, parts: str | None) -> Usage:
    usage = Usage(*tokens)
    return usage if parts is None else usage._replace(parts=Parts(**json.loads(parts)))


@lru_cache(maxsize=4096)
def _names_to_text(names: tuple[str, ...]) -> str:
    return json.dumps(names, ensure_ascii=False)


@lru_cache(maxsize=4096)
def _names_from_text(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


def _keys(text: str | None) -> tuple[int, ...]:
    return () if text is None else tuple(json.loads(text))


def _labels_from_text(text: str) -> Mapping[str, str]:
    labels: dict[str, str] = {} if text == "{}" else json.loads(text)
    return labels


def _labels_to_text(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels), ensure_ascii=False, separators=(",", ":"), sort_keys=True) if labels else "{}"


def accepted_from_row(row: Row) -> Accepted:
    """What was accepted of a client's record."""
    *told, models = json.loads(row[0])
    record = Record(*told)._replace(models=tuple((model, cost) for model, cost in models))
    return Accepted(record, *row[1:])


def accepted_row(project_key: int, client: str, budget_id: str, accepted: Accepted) -> Row:
    """The same, to be written."""
    record, *times = accepted
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return (project_key, client, budget_id, text, *times)
