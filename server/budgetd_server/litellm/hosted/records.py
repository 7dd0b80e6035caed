"""Converts LiteLLM's records, in dollars and seconds, from and to `Record`, in nano-dollars and microseconds.

A record is an object with `total_budget`. With a duration it also has `duration` in days, `created_at`, and
`last_updated_at`, the start of the current window. Once something was charged or reset, it has `current_cost` and
`model_cost`.
"""

from typing import Any

from budgetd.user_cost import RecordReader, find_created_at, make_record
from budgetd_server.domain.bounds import LIMIT_AMOUNT_MAX, NANO_USD_PER_USD, US_PER_SECOND
from budgetd_server.domain.errors import FieldViolation, InvalidField
from budgetd_server.domain.names import broken_name_rule
from budgetd_server.domain.status import BudgetStatus
from budgetd_server.domain.window import Lifetime
from budgetd_server.http.bodies import quote_value
from budgetd_server.litellm.record import Record

MODELS_MAX = 1_000
#: The `total_budget` of a budget without a main limit: the class could not send infinity back.
UNLIMITED_USD = LIMIT_AMOUNT_MAX // NANO_USD_PER_USD


def record_of(status: BudgetStatus, *, is_fresh: bool) -> dict[str, Any]:
    """Build the record of a budget.

    Args:
        status: The budget, with its models.
        is_fresh: Whether nothing was charged or reset since it was created; then it has no costs, not even zero.
    """
    limit, span_us = status.main_limit, None
    if limit is not None and not isinstance(limit.window, Lifetime):
        span = status.limits[0].span
        assert span.start_at_us is not None and span.end_at_us is not None, "only a lifetime has no end"  # noqa: PT018
        span_us = span.start_at_us, span.end_at_us
    return make_record(
        UNLIMITED_USD if limit is None else _usd(limit.amount),
        span_us=span_us,
        created_at=find_created_at(status.labels, status.created_at_us),
        current_cost=None if is_fresh else _usd(status.current_cost_nano_usd),
        model_cost={each.model: _usd(each.sums.cost_nano_usd) for each in status.models if each.model},
    )


def parse_record(record: object, field: str = "") -> Record:
    """Parse and check a record that the class has sent.

    Raises:
        InvalidField: The record breaks rules; the error has every violation.
    """
    if not isinstance(record, dict):
        raise InvalidField([FieldViolation(field or "record", f"must be an object, got {quote_value(record)}")])
    reader = RecordReader(record, quote_value)
    total_nano_usd = reader.dollars("total_budget")
    spent = reader.dollars("current_cost") if "current_cost" in record else None
    models = _models(reader, record.get("model_cost"))
    if spent is None and models:
        spent = sum(cost for _, cost in models)
    length_us = reader.length_us()
    created_at, window_at = reader.seconds("created_at"), reader.seconds("last_updated_at")
    if reader.broken:
        prefix = f"{field}." if field else ""
        raise InvalidField(
            [FieldViolation(f"{prefix}{each.field}", f"{each.rule}, got {each.value}") for each in reader.broken]
        )
    return Record(
        total_nano_usd=total_nano_usd,
        length_us=length_us,
        created_at="" if created_at is None else repr(created_at),
        window_at_us=None if window_at is None else round(window_at * US_PER_SECOND),
        spent_nano_usd=spent,
        models=models,
    )


def _models(reader: RecordReader, costs: object) -> tuple[tuple[str, int], ...]:
    if isinstance(costs, dict) and len(costs) > MODELS_MAX:
        reader.refuse("model_cost", len(costs), f"must have at most {MODELS_MAX} models")
        return ()
    # What was spent without a model may have an empty name.
    return reader.models(lambda model: broken_name_rule(model) if model else None)


def _usd(nano_usd: int) -> int | float:
    whole, rest = divmod(nano_usd, NANO_USD_PER_USD)
    return nano_usd / NANO_USD_PER_USD if rest else whole
