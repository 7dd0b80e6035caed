"""The columns of each table, named once. Statements, the order of parameters and the readers of rows derive from it.

In a statement, `{e.ENTRY}` means all columns of a list, qualified by the table `e`; `{ENTRY}` their bare names;
`{?ENTRY}` as many parameters; `{=ENTRY}` the assignments of an upsert, each column from `excluded`.
"""

import re
from dataclasses import fields

from budgetd_server.domain.budget import Counter, Sums
from budgetd_server.domain.usage import Usage

#: Columns that store the field of an entry of the same name as it is.
ENTRY_FIELDS = (
    "project_key",
    "seq",
    "budget_key",
    "previous_seq",
    "created_at_us",
    "cost_nano_usd",
    "model",
    "request_id",
    "reason",
    "event_at_us",
    "price_version",
    "windows_skipped",
    "calls",
)
#: The same, for fields that have their defaults in most charges.
RARE_ENTRY_FIELDS = ("reservation_seq", "adjusted_seq", "is_estimated", "is_late", "overage_nano_usd", "limit_id")
#: Token counts, named as the fields of a usage. NULL: no usage was given.
TOKENS = Usage._fields[:-1]
#: The columns of a plain charge: all others have their defaults.
PLAIN_ENTRY = (*ENTRY_FIELDS, *TOKENS, "kind", "labels", "cost_source", "other_names")
#: The additional columns of all other entries.
RARE_ENTRY = (*RARE_ENTRY_FIELDS, "usage_parts", "terms", "unread_fields", "other_keys", "cause")
ENTRY = (*PLAIN_ENTRY, *RARE_ENTRY)
#: The last column is not written any more, but entries of the first version of the tables have it.
STORED_ENTRY = (*ENTRY, "catalogue_name")

#: Columns that store the field of a budget of the same name as it is.
BUDGET_FIELDS = (
    "project_key",
    "budget_key",
    "budget_id",
    "parent_key",
    "version",
    "created_at_us",
    "updated_at_us",
    "deleted_at_us",
)
BUDGET = (*BUDGET_FIELDS, "is_template", "named_count", "labels")
#: Those of them that a change of the configuration may change.
CONFIGURATION = tuple(name for name in BUDGET if name not in {"project_key", "budget_key", "budget_id", "is_template"})

#: Fields of a budget that are stored with its main count, because every charge writes that row anyway.
TOTALS = ("models_count", "lifetime_cost_nano_usd", "last_seq")
#: The sums of entries.
SUMS = tuple(field.name for field in fields(Sums))
_OTHER_COUNTER_FIELDS = {"limit", "span", "since_seq", "sums"}
#: The other fields of a counter, stored as they are.
COUNTER_FIELDS = tuple(field.name for field in fields(Counter) if field.name not in _OTHER_COUNTER_FIELDS)
#: The rule of a limit, in the order of reading.
RULE = ("unit", "amount", "window", "models", "action", "reset_mode", "alert_ratios")
SPAN = ("window_start_at_us", "window_end_at_us", "since_seq")
#: The count of a limit with its rule, in the order of reading.
COUNTER = ("limit_id", *RULE, *SPAN, *SUMS, *COUNTER_FIELDS)
#: The columns of a count that a charge writes.
COUNT = (*SUMS, *COUNTER_FIELDS, *TOTALS)
#: The columns of a count that are written if its rule is new or has changed.
CONFIGURED_COUNT = (*RULE, "is_swept", *SPAN, *COUNT)

#: Columns that store the field of a reservation of the same name as it is.
RESERVATION_FIELDS = (
    "project_key",
    "seq",
    "budget_key",
    "held_nano_usd",
    "held_calls",
    "created_at_us",
    "expires_at_us",
    "ended_at_us",
    "ended_seq",
)
RESERVATION = (*RESERVATION_FIELDS, "state", "on_expiry", "held_input_tokens", "held_output_tokens")
#: Those of them that may change.
HELD = (
    "state",
    "held_nano_usd",
    "held_input_tokens",
    "held_output_tokens",
    "held_calls",
    "expires_at_us",
    "ended_at_us",
    "ended_seq",
)
#: What a reservation reads from the entry that made it.
HOLD_ENTRY = ("model", "other_names", "catalogue_name", "labels", "terms", "other_keys")

#: The lists, by their names in statements.
LISTS = {
    "PLAIN_ENTRY": PLAIN_ENTRY,
    "ENTRY": ENTRY,
    "STORED_ENTRY": STORED_ENTRY,
    "BUDGET": BUDGET,
    "CONFIGURATION": CONFIGURATION,
    "TOTALS": TOTALS,
    "SUMS": SUMS,
    "COUNTER": COUNTER,
    "COUNT": COUNT,
    "CONFIGURED_COUNT": CONFIGURED_COUNT,
    "RESERVATION": RESERVATION,
    "HELD": HELD,
    "HOLD_ENTRY": HOLD_ENTRY,
}
_LIST = re.compile(r"\{(\?|=|\w+\.|)(\w+)\}")


def with_columns(statement: str) -> str:
    """Return a statement with its lists of columns expanded.

    Raises:
        KeyError: No such list exists.
    """

    def written(found: re.Match[str]) -> str:
        how, columns = found[1], LISTS[found[2]]
        if how == "?":
            return ", ".join("?" * len(columns))
        if how == "=":
            return ", ".join(f"{name} = excluded.{name}" for name in columns)
        return ", ".join(how + name for name in columns)

    return _LIST.sub(written, statement)
