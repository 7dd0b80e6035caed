"""What is refused of every field of every request: one rule a field, looked up by message and field name.

`tests/rpc/test_bad_input.py` walks the service's descriptor, so a field without a line here fails a test. A line that
begins with the name of a request holds for that request alone and goes before the one of the message in it.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from tests.rpc import bad_values as bad
from tests.rpc.bad_call_table import CALL_RULES
from tests.rpc.bad_values import Bad, Descend, Exempt, Rule
from tests.rpc.valid_requests import DAY, HOUR, NOW, PARTS, VALID

OUTPUT_ONLY = "output only: leave it unset"


def _output_only(value: Any) -> Rule:
    return Rule([Bad("set", value, (OUTPUT_ONLY,))])


_IGNORED = Exempt("outside of the mask: what was read may be sent back whole")


def _limits_of(budget: pb.Budget, *limits: pb.Limit) -> None:
    del budget.limits[:]
    budget.limits.extend(limits)


def _on_request(window: pb.Window | None) -> pb.Limit:
    return pb.Limit(amount=1, window=window, reset_mode=pb.RESET_MODE_ON_REQUEST)


def _calendar(**fields: Any) -> pb.Limit:
    return pb.Limit(amount=1, window=pb.Window(calendar=pb.CalendarWindow(**fields)))


def _wrong_limit(title: str, limit: pb.Limit, field: str, *words: str) -> Any:
    return title, lambda budget: _limits_of(budget, limit), f"budget.limits[0].{field}", words


_RATIOS_17 = pb.AlertRatios(values=[number / 17 for number in range(1, 18)])
_BUDGET = Descend(
    [
        (
            "two main limits",
            lambda budget: _limits_of(budget, pb.Limit(amount=1), pb.Limit(amount=2)),
            "budget.limits[1].limit_id",
            ("unique", "''"),
        ),
        (
            "a limit named twice",
            lambda budget: _limits_of(budget, *[pb.Limit(limit_id="daily", amount=1)] * 2),
            "budget.limits[1].limit_id",
            ("unique", "'daily'"),
        ),
        (
            "a hundred thousand limits",
            lambda budget: _limits_of(budget, *[pb.Limit()] * 100_000),
            "budget.limits",
            ("at most 32", "100000"),
        ),
        _wrong_limit("no amount", pb.Limit(), "amount", "must be set"),
        _wrong_limit("no kind of window", pb.Limit(amount=1, window=pb.Window()), "window.kind", "lifetime, fixed"),
        _wrong_limit("on request for ever", _on_request(None), "reset_mode", "needs a fixed window"),
        _wrong_limit(
            "on request by the calendar", _on_request(pb.Window(calendar=DAY)), "reset_mode", "needs a fixed window"
        ),
        _wrong_limit(
            "a main limit with models", pb.Limit(amount=1, models=["gpt-4o"]), "models", "main limit", "gpt-4o"
        ),
        _wrong_limit("a main limit in tokens", pb.Limit(amount=1, unit=pb.UNIT_TOKENS), "unit", "main limit", "TOKENS"),
        _wrong_limit(
            "a named limit on request",
            pb.Limit(limit_id="a", amount=1, window=pb.Window(fixed=HOUR), reset_mode=pb.RESET_MODE_ON_REQUEST),
            "reset_mode",
            "main limit",
        ),
        _wrong_limit(
            "far too many models",
            pb.Limit(limit_id="a", amount=1, models=["gpt"] * 100_000),
            "models",
            "at most 64",
            "100000",
        ),
        _wrong_limit(
            "too many ratios", pb.Limit(amount=1, alert_ratios=_RATIOS_17), "alert_ratios.values", "at most 16", "17"
        ),
        _wrong_limit(
            "a ratio twice",
            pb.Limit(amount=1, alert_ratios=pb.AlertRatios(values=[0.5, 0.5])),
            "alert_ratios.values[1]",
            "above",
            "0.5",
        ),
        _wrong_limit("5 hours", _calendar(unit=1, count=5), "window.calendar.count", "divide 24", "5"),
        _wrong_limit("5 months", _calendar(unit=4, count=5), "window.calendar.count", "divide 12", "5"),
        _wrong_limit("2 days", _calendar(unit=2, count=2), "window.calendar.count", "must be 1", "2"),
        _wrong_limit("2 weeks", _calendar(unit=3, count=2), "window.calendar.count", "must be 1", "2"),
        _wrong_limit("Tuesday's month", _calendar(unit=4, first_weekday=2), "window.calendar.first_weekday", "TUESDAY"),
    ]
)

_TOO_DEAR = pb.Usage(input_tokens=10**12, output_tokens=10**12)
_SOURCES = ("cost_nano_usd", "usage", "text")
_TOO_MANY_BUDGETS = (
    "too many additional budgets",
    lambda request: request.additional_budget_ids.extend(["tag"] * 17),
    "additional_budget_ids",
    ("at most 16 budgets", "17"),
)
_HOLD_NAMES = {
    f"{request.DESCRIPTOR.name}.reservation_id": bad.RESERVATION_ID
    for request in VALID.values()
    if "reservation_id" in request.DESCRIPTOR.fields_by_name
}

RULES: Mapping[str, Rule | Exempt | Descend] = {
    **CALL_RULES,
    # Who.
    "CreateBudgetRequest.budget": _BUDGET,
    "UpdateBudgetRequest.budget": _BUDGET,
    "Budget.project_id": bad.ID,
    "Budget.budget_id": bad.ID,
    **{
        f"{request.DESCRIPTOR.name}.{name}": bad.ID
        for request in VALID.values()
        for name in ("project_id", "budget_id")
        if name in request.DESCRIPTOR.fields_by_name
    },
    **{
        f"{request.DESCRIPTOR.name}.request_id": bad.REQUEST_ID
        for request in VALID.values()
        if "request_id" in request.DESCRIPTOR.fields_by_name
    },
    **{
        f"{request.DESCRIPTOR.name}.view": bad.enum()
        for request in VALID.values()
        if "view" in request.DESCRIPTOR.fields_by_name
    },
    **{
        f"{request.DESCRIPTOR.name}.{name}": rule
        for request in VALID.values()
        for name, rule in (("page_size", bad.PAGE_SIZE), ("page_token", bad.PAGE_TOKEN))
        if name in request.DESCRIPTOR.fields_by_name
    },
    **{
        f"{request.DESCRIPTOR.name}.{name}": rule
        for request in VALID.values()
        for name, rule in (("additional_budget_ids", bad.IDS), ("template_budget_id", bad.OPTIONAL_ID))
        if name in request.DESCRIPTOR.fields_by_name
    },
    **_HOLD_NAMES,
    # Budgets.
    "Budget.parent_budget_id": bad.OPTIONAL_ID,
    "ListBudgetsRequest.parent_budget_id": bad.OPTIONAL_ID,
    "ResetCostRequest.limit_ids": Rule(bad.OPTIONAL_ID.bad),
    "Budget.limits": Descend(),
    "Budget.labels": bad.LABELS,
    "Budget.create_time": _output_only(NOW),
    "Budget.update_time": _output_only(NOW),
    "Budget.delete_time": _output_only(NOW),
    "Budget.etag": _output_only("1-1"),
    "Budget.lifetime_cost_nano_usd": _output_only(1),
    "Budget.current_cost_nano_usd": _output_only(1),
    "Budget.limit_statuses": _output_only(pb.LimitStatus()),
    "Budget.model_costs": _output_only(pb.ModelCost()),
    "UpdateBudgetRequest.budget.create_time": _IGNORED,
    "UpdateBudgetRequest.budget.update_time": _IGNORED,
    "UpdateBudgetRequest.budget.delete_time": _IGNORED,
    "UpdateBudgetRequest.budget.lifetime_cost_nano_usd": _IGNORED,
    "UpdateBudgetRequest.budget.current_cost_nano_usd": _IGNORED,
    "UpdateBudgetRequest.budget.limit_statuses": _IGNORED,
    "UpdateBudgetRequest.budget.model_costs": _IGNORED,
    "UpdateBudgetRequest.budget.etag": Exempt("any other etag than the current one is ETAG_MISMATCH"),
    "DeleteBudgetRequest.etag": Exempt("any other etag than the current one is ETAG_MISMATCH"),
    "UpdateBudgetRequest.update_mask": Rule(
        [
            Bad("empty", FieldMask(), ("must name at least one of limits, labels",)),
            Bad("unknown", FieldMask(paths=["amount"]), ("must be one of limits, labels", "'amount'"), ".paths[0]"),
            Bad("output only", FieldMask(paths=["etag"]), ("must be one of limits, labels", "'etag'"), ".paths[0]"),
            Bad("everything", FieldMask(paths=["*"]), ("must be one of limits, labels", "'*'"), ".paths[0]"),
            Bad("an empty path", FieldMask(paths=[""]), ("must be one of limits, labels", "''"), ".paths[0]"),
            Bad("far too many", FieldMask(paths=["limits"] * 100_000), ("at most 64 paths", "100000"), ".paths"),
        ],
        (FieldMask(paths=["limits"]), FieldMask(paths=["labels"] * 64)),
    ),
    "Limit.limit_id": bad.OPTIONAL_ID,
    "Limit.models": bad.PATTERNS,
    "Limit.alert_ratios": Descend(),
    "AlertRatios.values": bad.ALERT_RATIOS,
    "Limit.unit": bad.enum(),
    "Limit.amount": bad.AMOUNT,
    "Limit.window": Descend(),
    "Limit.action": bad.enum(),
    "Limit.reset_mode": bad.enum(),
    "Window.lifetime": Exempt("a message without fields"),
    "Window.fixed": Descend(),
    "Window.calendar": Descend(),
    "FixedWindow.length": bad.LENGTH,
    "FixedWindow.anchor_time": bad.TIME,
    "CalendarWindow.unit": bad.enum(may_be_unset=False),
    "CalendarWindow.count": Rule(
        [Bad(f"{count}", count, ("must be 1", str(count))) for count in (-1, bad.INT32_MIN, bad.INT32_MAX)],
        (0, 1),
    ),
    "CalendarWindow.time_zone": Rule(
        [
            Bad("unknown", "Europe/Berlim", ("IANA time zone", "'Europe/Berlim'", "Europe/Berlin")),
            Bad("this machine's", "localtime", ("IANA time zone", "'localtime'")),
            Bad("a path", "../../etc/passwd", ("IANA time zone", "passwd")),
            Bad("with a null byte", "UTC\x00", ("IANA time zone", r"'UTC\x00'")),
            Bad("an offset", "+01:00", ("IANA time zone", "'+01:00'")),
            Bad("enormous", "Europe/" * 10_000, ("IANA time zone", "…")),
        ],
        ("", "UTC", "Europe/Berlin", "America/Argentina/ComodRivadavia"),
    ),
    "CalendarWindow.first_weekday": bad.enum(),
    # Costs.
    "UpdateCostRequest.model": bad.ID,
    "UpdateCostRequest.cost_nano_usd": bad.COST,
    "UpdateCostRequest.usage": Descend(
        [
            ("none of three", lambda request: request.ClearField("usage"), "cost_nano_usd", _SOURCES),
            _TOO_MANY_BUDGETS,
            ("and text", lambda request: request.text.CopyFrom(PARTS["Text"]), "text", ("usage",)),
            (
                "too dear",
                lambda request: request.usage.CopyFrom(_TOO_DEAR),
                "usage",
                (str(10**15), str(12_500 * 10**12)),
            ),
        ]
    ),
    "UpdateCostRequest.text": Descend(),
    "UpdateCostRequest.admission": bad.enum(),
    "UpdateCostRequest.labels": bad.LABELS,
    "UpdateCostRequest.event_time": bad.EVENT_TIME,
    "Usage.input_tokens": bad.TOKENS,
    "Usage.output_tokens": bad.TOKENS,
    "Usage.cached_input_tokens": Rule(
        [*bad.TOKENS.bad, Bad("more than the input", 11, ("must not exceed input_tokens 10", "11"))]
    ),
    "Usage.cache_write_tokens": Rule(
        [*bad.TOKENS.bad, Bad("more than the input", 11, ("must not exceed input_tokens 10", "11"))]
    ),
    "Usage.reasoning_tokens": Rule(
        [*bad.TOKENS.bad, Bad("more than the output", 11, ("must not exceed output_tokens 10", "11"))]
    ),
    "Text.input": bad.FREE_TEXT,
    "Text.output": bad.FREE_TEXT,
    "BatchUpdateCostRequest.requests": Descend(
        [
            ("none", lambda request: request.ClearField("requests"), "requests", ("1 to 8000 items", "0")),
            (
                "too many",
                lambda request: request.requests.extend(list(request.requests) * 8_000),
                "requests",
                ("1 to 8000 items", "8001"),
            ),
        ]
    ),
    "BatchUpdateCostRequest.requests.project_id": Rule(
        [Bad("another project", "other", ("must be empty or the batch's", "'other'"))]
    ),
    "BatchUpdateCostRequest.requests.view": Rule([Bad("set", 1, ("must be unset in an item",))]),
    "AdjustCostRequest.amount_nano_usd": Rule(
        [
            Bad(f"{amount}", amount, ("not 0", f"got {amount}"))
            for amount in (0, 10**15 + 1, -(10**15) - 1, bad.INT64_MIN, bad.INT64_MAX)
        ],
        (1, 10**15, -1, -(10**15)),
    ),
    "AdjustCostRequest.entry_id": bad.ENTRY_ID,
    "AdjustCostRequest.model": bad.OPTIONAL_ID,
    "AdjustCostRequest.reason": bad.LINE,
    "AdjustCostRequest.labels": bad.LABELS,
    "ProjectCostRequest.model": bad.ID,
    "ProjectCostRequest.usage": Descend(
        [
            (
                "none of four",
                lambda request: request.ClearField("usage"),
                "cost_nano_usd",
                ("exactly one", *_SOURCES, "messages"),
            ),
            (
                "and a cost",
                lambda request: setattr(request, "cost_nano_usd", 1),
                "cost_nano_usd",
                ("exactly one", "'cost_nano_usd and usage'"),
            ),
            (
                "and a text",
                lambda request: request.text.CopyFrom(PARTS["Text"]),
                "cost_nano_usd",
                ("exactly one", "'usage and text'"),
            ),
            (
                "too dear",
                lambda request: request.usage.CopyFrom(_TOO_DEAR),
                "usage",
                (str(10**15), str(12_500 * 10**12)),
            ),
        ]
    ),
    "ProjectCostRequest.text": Descend(),
    "ProjectCostRequest.messages": Descend(),
    "ProjectCostRequest.cost_nano_usd": bad.COST,
    "Messages.messages": Descend(
        [
            (
                "none",
                lambda chat: chat.ClearField("messages"),
                "messages.messages",
                ("1 to 10000 messages", "0"),
            ),
            (
                "too many",
                lambda chat: chat.messages.extend(list(chat.messages) * 10_000),
                "messages.messages",
                ("1 to 10000 messages", "10001"),
            ),
        ]
    ),
    "Messages.max_output_tokens": bad.number(0, 10**12),
    "ChatMessage.role": Exempt("any text is counted"),
    "ChatMessage.content": Exempt("any text is counted"),
    # Reservations.
    "ReserveCostRequest.model": bad.ID,
    "ReserveCostRequest.amount_nano_usd": bad.COST,
    "ReserveCostRequest.usage": Descend(
        [
            (
                "none of three",
                lambda request: request.ClearField("usage"),
                "amount_nano_usd",
                ("amount_nano_usd", "usage", "messages"),
            ),
            ("and a chat", lambda request: request.messages.CopyFrom(PARTS["Messages"]), "messages", ("usage",)),
            (
                "too dear",
                lambda request: request.usage.CopyFrom(_TOO_DEAR),
                "usage",
                (str(10**15), str(12_500 * 10**12)),
            ),
            (
                "a least amount without the mode",
                lambda request: setattr(request, "min_amount_nano_usd", 1),
                "min_amount_nano_usd",
                ("UP_TO_AVAILABLE",),
            ),
            _TOO_MANY_BUDGETS,
        ]
    ),
    "ReserveCostRequest.messages": Descend(),
    "ReserveCostRequest.ttl": bad.TTL,
    "ReserveCostRequest.mode": bad.enum(),
    "ReserveCostRequest.on_expiry": bad.enum(),
    "ReserveCostRequest.labels": bad.LABELS,
    "ReserveCostRequest.min_amount_nano_usd": bad.COST,
    "CommitReservationRequest.cost_nano_usd": bad.COST,
    "CommitReservationRequest.usage": Descend(
        [
            ("none of three", lambda request: request.ClearField("usage"), "cost_nano_usd", _SOURCES),
            ("and text", lambda request: request.text.CopyFrom(PARTS["Text"]), "text", ("usage",)),
            (
                "too dear",
                lambda request: request.usage.CopyFrom(_TOO_DEAR),
                "usage",
                (str(10**15), str(12_500 * 10**12)),
            ),
        ]
    ),
    "CommitReservationRequest.text": Descend(),
    "CommitReservationRequest.model": bad.OPTIONAL_ID,
    "CommitReservationRequest.labels": bad.LABELS,
    "ExtendReservationRequest.ttl": bad.TTL,
    "ListReservationsRequest.budget_id": bad.OPTIONAL_ID,
    "ListReservationsRequest.state": bad.enum(),
    # Lists and prices.
    "ListBudgetsRequest.id_prefix": bad.OPTIONAL_ID,
    "ListBudgetsRequest.labels": bad.LABELS,
    "ListBudgetsRequest.min_used_ratio": bad.RATIO,
    "ListEntriesRequest.budget_id": bad.OPTIONAL_ID,
    "ListEntriesRequest.kinds": Rule(
        [
            *bad.enum(may_be_unset=False).bad,
            Bad("one too many", 11, ("must be one of", "11")),
        ]
    ),
    "ListEntriesRequest.start_time": bad.TIME,
    "ListEntriesRequest.end_time": bad.TIME,
    "ListEntriesRequest.labels": bad.LABELS,
    "ListModelPricesRequest.model_prefix": bad.OPTIONAL_ID,
    "GetModelPriceRequest.model": bad.ID,
}
