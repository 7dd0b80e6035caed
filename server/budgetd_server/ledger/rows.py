"""Convert budgets, entries and reservations to rows and back, with the columns and the order of `columns`."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter, itemgetter
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
from budgetd_server.domain.entry import Cause, CostSource, Entry, EntryKind
from budgetd_server.domain.reservation import OnExpiry, Reservation, ReservationState
from budgetd_server.domain.state import NewRequest, StoredRequest
from budgetd_server.domain.usage import NO_PARTS, STANDARD_TERMS, CallTerms, Parts, Usage
from budgetd_server.domain.window import Span, length_us, window_from_text, window_to_text
from budgetd_server.ledger.columns import (
    BUDGET,
    BUDGET_FIELDS,
    COUNTER_FIELDS,
    ENTRY_FIELDS,
    HOLD_ENTRY,
    RARE_ENTRY_FIELDS,
    RESERVATION,
    RESERVATION_FIELDS,
    RULE,
    SPAN,
    STORED_ENTRY,
    SUMS,
    TOKENS,
    TOTALS,
)

Row = tuple[Any, ...]

# Getters for values that are stored as they are, in column order. In C, since every charge writes an entry and a count.
_entry_fields: Callable[[Entry], Row] = attrgetter(*ENTRY_FIELDS)
_rare_entry_fields: Callable[[Entry], Row] = attrgetter(*RARE_ENTRY_FIELDS)
_budget_fields: Callable[[BudgetState], Row] = attrgetter(*BUDGET_FIELDS)
_totals: Callable[[BudgetState], Row] = attrgetter(*TOTALS)
_counter_fields: Callable[[Counter], Row] = attrgetter(*COUNTER_FIELDS)
_sums: Callable[[Sums], Row] = attrgetter(*SUMS)
_reservation_fields: Callable[[Reservation], Row] = attrgetter(*RESERVATION_FIELDS)

#: The fields of an entry that have their defaults in most charges.
_RARE = (*RARE_ENTRY_FIELDS, "terms", "unread_fields", "other_keys", "cause")
_rare: Callable[[Entry], Row] = attrgetter(*_RARE)
_USUAL = tuple(Entry._field_defaults[name] for name in _RARE)
_NO_TOKENS: Row = (None,) * len(TOKENS)
_NO_TOTALS: Row = (0,) * len(TOTALS)
#: The first columns of rows of `walk_chain` and similar statements.
_STORED_ENTRY = ("budget_id", *STORED_ENTRY)
_TOKENS = slice(_STORED_ENTRY.index(TOKENS[0]), _STORED_ENTRY.index(TOKENS[-1]) + 1)
_PARTS, _CATALOGUE_NAME = map(_STORED_ENTRY.index, ("usage_parts", "catalogue_name"))
#: The column of each field, in the order of the fields. For the usage, the first of its columns.
_entry_columns: Callable[[Sequence[Any]], Row] = itemgetter(
    *(_TOKENS.start if name == "usage" else _STORED_ENTRY.index(name) for name in Entry._fields)
)
_STORED_RESERVATION = ("budget_id", *RESERVATION, *HOLD_ENTRY)
#: The first columns of rows of `load_budgets` and similar statements: fields of a budget as they are.
_AS_THEY_ARE = (*TOTALS, *BUDGET_FIELDS)
_AS_THEY_ARE_END = len(_AS_THEY_ARE)
_BUDGET_END = len(TOTALS) + len(BUDGET) + 1
_AMOUNT = 1 + RULE.index("amount")
_RULE_END = 1 + len(RULE)
_SPAN_END = _RULE_END + len(SPAN)
_SUMS_END = _SPAN_END + len(SUMS)
_KINDS = {int(kind): kind for kind in EntryKind}
_SOURCES = {int(source): source for source in CostSource}
_CAUSES = {int(cause): cause for cause in Cause}
#: Windows shorter than this roll only when their budget is touched.
SWEPT_US_MIN = US_PER_HOUR


def budget_from_row(row: Sequence[Any]) -> tuple[BudgetState, int]:
    """Return a budget with its main count, without models and named limits, and the number of its named limits."""
    is_template, named_count, labels, parent_id = row[_AS_THEY_ARE_END:_BUDGET_END]
    budget = BudgetState(
        parent_id=parent_id or "",
        is_template=bool(is_template),
        labels=_labels_from_text(labels),
        main=counter_from_row(row[_BUDGET_END:]),
        **dict(zip(_AS_THEY_ARE, row, strict=False)),
    )
    return budget, named_count


def counter_from_row(row: Sequence[Any]) -> Counter:
    """Return the counter of a limit, or the main counter of a budget without a main limit."""
    limit = None if row[_AMOUNT] is None else _limit(*row[:_RULE_END])
    start_at_us, end_at_us, since_seq = row[_RULE_END:_SPAN_END]
    sums, rest = Sums(*row[_SPAN_END:_SUMS_END]), row[_SUMS_END:]
    return Counter(limit, Span(start_at_us, end_at_us), since_seq, sums, *rest)


def budget_row(budget: BudgetState) -> Row:
    """Return the parameters of `save_budget`."""
    return (
        *_budget_fields(budget),
        int(budget.is_template),
        len(budget.named),
        _labels_to_text(budget.labels),
    )


def counter_row(budget: BudgetState, counter: Counter) -> Row:
    """Return the parameters of `save_counter`."""
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
    swept = int(_is_swept(budget, counter))
    return (*_key(budget, counter), *rule, swept, *counter.span, counter.since_seq, *_count(budget, counter))


def count_row(budget: BudgetState, counter: Counter) -> Row:
    """Return the parameters of `save_count`."""
    return _key(budget, counter) + _count(budget, counter)


def model_row(budget: BudgetState, model: str, sums: Sums) -> Row:
    """Return the parameters of `save_model`."""
    return (budget.project_key, budget.budget_key, model, *_sums(sums))


def is_plain(entry: Entry) -> bool:
    """Return True if all columns beyond those of `insert_plain_entry` have their defaults, as in most charges."""
    return _rare(entry) == _USUAL and (entry.usage is None or entry.usage.parts is NO_PARTS)


def entry_row(entry: Entry) -> Row:
    """Return the parameters of `insert_entry`."""
    parts = NO_PARTS if entry.usage is None else entry.usage.parts
    counts = {name: count for name, count in parts._asdict().items() if count}
    return (
        *plain_entry_row(entry),
        *_rare_entry_fields(entry),
        json.dumps(counts) if counts else None,
        json.dumps(entry.terms, ensure_ascii=False) if entry.terms != STANDARD_TERMS else None,
        json.dumps(entry.unread_fields, ensure_ascii=False) if entry.unread_fields else None,
        json.dumps(entry.other_keys) if entry.other_keys else None,
        int(entry.cause),
    )


def plain_entry_row(entry: Entry) -> Row:
    """Return the parameters of `insert_plain_entry`."""
    labels, usage, names = entry.labels, entry.usage, entry.other_names
    # An int instead of the enum, which takes the driver twice as long.
    return (
        _entry_fields(entry)
        + (_NO_TOKENS if usage is None else usage[:-1])
        + (
            int(entry.kind),
            None if labels is None else _labels_to_text(labels),
            int(entry.cost_source),
            _names_to_text(names) if names else None,
        )
    )


def request_row(request: NewRequest) -> Row:
    """Return the parameters of `insert_request`."""
    project_key, rpc, request_id, fingerprint, entry_seq, created_at_us, numbers = request
    result, more = (numbers[0], numbers[1:]) if numbers else (0, ())
    more_text = json.dumps(more) if more else None
    return project_key, int(rpc), request_id, fingerprint, entry_seq, result, created_at_us, more_text


def request_from_row(row: Sequence[Any]) -> StoredRequest:
    """Return a request id that has taken effect."""
    fingerprint, entry_seq, result, more = row
    return StoredRequest(fingerprint, entry_seq, (result, *json.loads(more)) if more else (result,))


def entry_from_row(row: Sequence[Any]) -> tuple[str, Entry]:
    """Return an entry and the id of its budget."""
    stored: Any = Entry._make(_entry_columns(row))
    return row[0], stored._replace(
        kind=_KINDS[stored.kind],
        usage=None if stored.usage is None else _usage(row[_TOKENS], row[_PARTS]),
        labels=None if stored.labels is None else json.loads(stored.labels),
        cost_source=_SOURCES[stored.cost_source],
        other_names=names_from_row(stored.other_names, row[_CATALOGUE_NAME]),
        is_estimated=bool(stored.is_estimated),
        is_late=bool(stored.is_late),
        terms=STANDARD_TERMS if stored.terms is None else CallTerms(*json.loads(stored.terms)),
        unread_fields=() if stored.unread_fields is None else tuple(json.loads(stored.unread_fields)),
        other_keys=_keys(stored.other_keys),
        cause=_CAUSES[stored.cause],
    )


def reservation_row(reservation: Reservation) -> Row:
    """Return the parameters of `save_reservation`."""
    usage = reservation.held_usage
    return (
        *_reservation_fields(reservation),
        int(reservation.state),
        int(reservation.on_expiry),
        None if usage is None else usage.input_tokens,
        None if usage is None else usage.output_tokens,
    )


def reservation_from_row(row: Sequence[Any]) -> Reservation:
    """Return a reservation."""
    stored = dict(zip(_STORED_RESERVATION, row, strict=True))
    take = stored.pop
    state, labels, terms = ReservationState(take("state")), take("labels"), take("terms")
    held_input, held_output = take("held_input_tokens"), take("held_output_tokens")
    return Reservation(
        state=state,
        on_expiry=OnExpiry(take("on_expiry")),
        held_usage=None if held_input is None else Usage(held_input, held_output),
        other_names=names_from_row(take("other_names"), take("catalogue_name")),
        labels=None if labels is None else json.loads(labels),
        provider="" if terms is None else CallTerms(*json.loads(terms)).provider,
        other_keys=_keys(take("other_keys")),
        stored_expires_at_us=stored["expires_at_us"] if state is ReservationState.OPEN else None,
        **stored,
    )


def names_from_row(other_names: str | None, catalogue_name: str) -> tuple[str, ...]:
    """Return the other names of a model. Entries of the oldest version have only the catalogue's name, if any."""
    if other_names is not None:
        return _names_from_text(other_names)
    return (catalogue_name,) if catalogue_name else ()


def hold_rows(reservation: Reservation, expires_at_us: int) -> list[Row]:
    """Return the parameters of `insert_hold` and `remove_hold`, one row for each budget."""
    project_key, seq = reservation.project_key, reservation.seq
    return [(project_key, key, expires_at_us, seq) for key in (reservation.budget_key, *reservation.other_keys)]


def _is_swept(budget: BudgetState, counter: Counter) -> bool:
    """Return True if the window of a counter ends by the clock, and the sweeper has to roll it."""
    limit, window_us = counter.limit, length_us(counter.span)
    if limit is None or window_us is None or budget.deleted_at_us is not None:
        return False
    return limit.reset_mode is ResetMode.AUTOMATIC and window_us >= SWEPT_US_MIN


def _key(budget: BudgetState, counter: Counter) -> Row:
    return (budget.project_key, budget.budget_key, MAIN if counter.limit is None else counter.limit.limit_id)


def _count(budget: BudgetState, counter: Counter) -> Row:
    totals = _totals(budget) if counter is budget.main else _NO_TOTALS
    return _sums(counter.sums) + _counter_fields(counter) + totals


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
    """Return the limit with these columns. Cached, since most budgets of a project share a few limits."""
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


def _usage(tokens: Sequence[Any], parts: str | None) -> Usage:
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
