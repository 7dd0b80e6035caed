"""How budgets and entries look as rows of SQLite, in the order in which `queries.sql` names their columns."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from budgetd_server.domain.budget import Action, BudgetState, Counter, Limit, ResetMode, Sums
from budgetd_server.domain.entry import Entry, EntryKind
from budgetd_server.domain.state import NewRequest
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Span, window_from_text, window_to_text

Row = tuple[Any, ...]
_NO_TOKENS: Row = (None,) * 5
_KIND, _USAGE = Entry._fields.index("kind"), Entry._fields.index("usage")
#: In the row, where the usage takes five columns.
_LABELS = Entry._fields.index("labels") + len(_NO_TOKENS) - 1
_RPC = NewRequest._fields.index("rpc")
_KINDS = {int(kind): kind for kind in EntryKind}


def budget_from_row(row: Row) -> BudgetState:
    """A budget with its main count and no models."""
    (
        project_key,
        budget_key,
        budget_id,
        labels,
        version,
        created_at_us,
        updated_at_us,
        deleted_at_us,
        amount,
        window,
        action,
        reset_mode,
        start_at_us,
        end_at_us,
        since_seq,
        *sums,
        burn_rate_per_hour,
        burn_at_us,
        models_count,
        lifetime_cost_nano_usd,
        last_seq,
    ) = row
    limit = None if amount is None else _limit(amount, window, action, reset_mode)
    return BudgetState(
        project_key=project_key,
        budget_key=budget_key,
        budget_id=budget_id,
        labels=_labels_from_text(labels),
        version=version,
        created_at_us=created_at_us,
        updated_at_us=updated_at_us,
        deleted_at_us=deleted_at_us,
        main=Counter(limit, Span(start_at_us, end_at_us), since_seq, Sums(*sums), burn_rate_per_hour, burn_at_us),
        models_count=models_count,
        lifetime_cost_nano_usd=lifetime_cost_nano_usd,
        last_seq=last_seq,
    )


def budget_row(budget: BudgetState) -> Row:
    """The parameters of `save_budget`."""
    return (
        budget.project_key,
        budget.budget_key,
        budget.budget_id,
        _labels_to_text(budget.labels),
        budget.version,
        budget.created_at_us,
        budget.updated_at_us,
        budget.deleted_at_us,
    )


def counter_row(budget: BudgetState) -> Row:
    """The parameters of `save_counter`."""
    counter, limit = budget.main, budget.main.limit
    rule: Row = (None, None, int(Action.BLOCK), int(ResetMode.AUTOMATIC))
    if limit is not None:
        rule = (limit.amount, window_to_text(limit.window), int(limit.action), int(limit.reset_mode))
    return (budget.project_key, budget.budget_key, *rule, *counter.span, counter.since_seq, *_counts(budget))


def count_row(budget: BudgetState) -> Row:
    """The parameters of `save_count`."""
    return (budget.project_key, budget.budget_key, *_counts(budget))


def model_row(budget: BudgetState, model: str, sums: Sums) -> Row:
    """The parameters of `save_model`."""
    return (budget.project_key, budget.budget_key, model, *_sums(sums))


def entry_row(entry: Entry) -> Row:
    """The parameters of `insert_entry`."""
    # Cut and joined rather than taken apart, and no enum, which the driver takes twice as long for: every charge pays.
    row: Row = (
        entry[:_KIND]
        + (int(entry.kind),)
        + entry[_KIND + 1 : _USAGE]
        + (entry.usage or _NO_TOKENS)
        + entry[_USAGE + 1 :]
    )
    if entry.labels is None:
        return row
    return (*row[:_LABELS], _labels_to_text(entry.labels), *row[_LABELS + 1 :])


def request_row(request: NewRequest) -> Row:
    """The parameters of `insert_request`."""
    return (*request[:_RPC], int(request.rpc), *request[_RPC + 1 :])


def entry_from_row(row: Row) -> tuple[str, Entry]:
    """An entry and the id of its budget."""
    budget_id, project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd, *rest = row
    tokens, (model, request_id, labels, *tail) = rest[:5], rest[5:]
    usage = None if tokens[0] is None else Usage(*tokens)
    return budget_id, Entry(
        project_key,
        seq,
        budget_key,
        previous_seq,
        _KINDS[kind],
        created_at_us,
        cost_nano_usd,
        usage,
        model,
        request_id,
        None if labels is None else json.loads(labels),
        *tail,
    )


def _counts(budget: BudgetState) -> Row:
    counter = budget.main
    return (
        *_sums(counter.sums),
        counter.burn_rate_per_hour,
        counter.burn_at_us,
        budget.models_count,
        budget.lifetime_cost_nano_usd,
        budget.last_seq,
    )


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
def _limit(amount: int, window: str, action: int, reset_mode: int) -> Limit:
    """Kept by its columns: most budgets of a project have one of a few limits."""
    return Limit(
        amount=amount,
        window=window_from_text(window),
        action=Action(action),
        reset_mode=ResetMode(reset_mode),
    )


def _labels_from_text(text: str) -> Mapping[str, str]:
    labels: dict[str, str] = {} if text == "{}" else json.loads(text)
    return labels


def _labels_to_text(labels: Mapping[str, str]) -> str:
    return json.dumps(dict(labels), ensure_ascii=False, separators=(",", ":"), sort_keys=True) if labels else "{}"
