"""Rewrites error messages in the words of the caller: command-line options or arguments of the manager.

The server's messages name fields of the contract, which these users never see. A new message is made from the error's
reason and metadata, not from the server's text. An error whose reason has no row keeps the server's text.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple, TypeVar

from budgetd.errors import BudgetdError, FieldViolation


class Words(NamedTuple):
    """The words of one kind of caller."""

    #: How to give a cost, as in "give --usd".
    cost_hint: str
    #: How to give the provider of a model.
    provider_hint: str
    #: Where a price can be added, after "add the model to".
    price_file: str
    #: The word to use for each path of the contract. It also applies to everything below the path.
    fields: Mapping[str, str]

    def name_of(self, path: str) -> str:
        """Return the word for a path, or the path itself if there is none."""
        inner = path
        while inner:
            if inner in self.fields:
                return self.fields[inner]
            inner = inner[: max(inner.rfind("."), inner.rfind("["), 0)]
        return path

    def rule_of(self, rule: str) -> str:
        """Return a rule in the words of this caller, with amounts of money in dollars.

        The text after ", got " is the value that was sent. Only its unit is converted.
        """
        text, got, value = rule.partition(", got ")
        if _NANO_USD in text:
            text = _dollars(text.replace(_NANO_USD, ""))
            value = _dollars(value)
        return _FIELD.sub(lambda name: self._count_or_field(name[0]), text) + got + value

    def _count_or_field(self, name: str) -> str:
        """Return the word for a field in a rule. A count without a word becomes its name with spaces."""
        return self.fields.get(name) or name.replace("_", " ")


_NANO_USD = " nano-USD"
#: Names of fields in a sentence: words with an underscore.
_FIELD = re.compile(r"(?<![\w'\"])[a-z0-9]+(?:_[a-z0-9]+)+(?![\w'\"])")
_INTEGER = re.compile(r"(?<![\w.^])-?\d+(?![\w.^])")


def _dollars(text: str) -> str:
    """Convert the whole numbers of a sentence from nano-USD to dollars."""
    return _INTEGER.sub(lambda nano_usd: _usd_text(int(nano_usd[0])), text)


def _usd_text(nano_usd: int) -> str:
    decimals = f"{Decimal(abs(nano_usd)).scaleb(-9):,f}".rstrip("0").rstrip(".")
    return f"{'-' if nano_usd < 0 else ''}${decimals}"


#: For users of BudgetManager and AsyncBudgetManager.
MANAGER = Words(
    cost_hint="pass cost_usd=",
    provider_hint="pass model= with its provider, provider/model",
    price_file="a price file: prices= or BUDGETD_PRICES of an embedded manager, `budgetd serve --prices` of a server",
    fields={
        "cost_nano_usd": "cost_usd",
        "text.input": "input_text",
        "text.output": "output_text",
        "usage": "completion_obj",
        "messages": "messages",
        "model": "model",
        "request_id": "request_id",
        "project_id": "project_name",
        "budget.project_id": "project_name",
        "budget_id": "user",
        "budget.budget_id": "user",
        "budget.limits[0].amount": "total_budget",
        "budget.limits[0].window.fixed.length": "duration",
        "budget.limits[0].window.fixed.anchor_time": "last_updated_at",
        "budget.labels": "created_at",
    },
)

ErrorT = TypeVar("ErrorT", bound=BudgetdError)


def reword(error: ErrorT, words: Words) -> ErrorT:
    """Rewrite the message of an error in the words of a caller. Returns the same error."""
    sentence = REWORDED.get(error.reason)
    if sentence is None:
        return error
    named = [FieldViolation(words.name_of(field), words.rule_of(rule)) for field, rule in error.field_violations]
    error.field_violations = tuple(named)
    try:
        error.message = sentence(error, words)
    except KeyError:  # The server sent less metadata than this client expects: keep its message.
        return error
    error.args = (error.message,)
    return error


def _unknown_model(error: BudgetdError, words: Words) -> str:
    near = error.metadata.get("near", "").replace(",", ", ")
    hint = f"; near names: {near}" if near else ""
    model, provider = error.metadata["model"], error.metadata.get("provider", "")
    of = f" of provider {provider!r}" if provider else ""
    if zero_row := error.metadata.get("zero_row", ""):
        why = f"the prices in row {zero_row!r} of the price file are zero, which is no price"
        return (
            f"model {model!r}{of} has no price: {why}; {words.cost_hint}, "
            'or add "free": true to that row if the model costs nothing'
        )
    name_hint = "give another name" if provider else words.provider_hint
    remedy = f"{name_hint}, {words.cost_hint}, or add the model to {words.price_file}"
    return f"model {model!r}{of} has no price{hint}; {remedy}"


def _unpriced_usage(error: BudgetdError, words: Words) -> str:
    model, field = error.metadata["model"], words.name_of(error.metadata["field"])
    value = error.metadata.get("value", "")
    named = f"{field} {value!r}" if value else field
    why = ": larger sizes cost more, and a usage has no size" if error.metadata.get("varies_by") == "size" else ""
    return f"model {model!r} has no price for {named}{why}; {words.cost_hint}, or add the price to {words.price_file}"


def _invalid_field(error: BudgetdError, words: Words) -> str:  # noqa: ARG001 - one form for all rows.
    if not error.field_violations:
        raise KeyError("violations")
    text = "; ".join(f"{field}: {rule}" for field, rule in error.field_violations)
    count = int(error.metadata.get("violations", 0))
    return f"{count} bad fields: {text}" if count > len(error.field_violations) else text


def _request_id_reused(error: BudgetdError, words: Words) -> str:
    request_id = error.metadata["request_id"]
    return f"{words.name_of('request_id')} {request_id!r} was already used for a request with other content"


def _has_children(error: BudgetdError, words: Words) -> str:  # noqa: ARG001 - one form for all rows.
    budget_id, children = error.metadata["budget_id"], error.metadata["children"]
    budgets, them = ("1 budget", "that one") if children == "1" else (f"{children} budgets", "those")
    return f"{budget_id!r} has {budgets} below it: delete or move {them} first"


def _has_open_reservations(error: BudgetdError, words: Words) -> str:  # noqa: ARG001 - one form for all rows.
    budget_id, reservations = error.metadata["budget_id"], error.metadata["reservations"]
    holds, them = ("1 open hold counts", "it") if reservations == "1" else (f"{reservations} open holds count", "them")
    return f"{holds} on {budget_id!r}: settle or release {them} first"


#: For each reason, the function that makes a message in the words of a caller. Every reason whose message names a field
#: of the contract has a row.
REWORDED: Mapping[str, Callable[[BudgetdError, Words], str]] = {
    "UNKNOWN_MODEL": _unknown_model,
    "UNPRICED_USAGE": _unpriced_usage,
    "INVALID_FIELD": _invalid_field,
    "REQUEST_ID_REUSED": _request_id_reused,
    "HAS_CHILDREN": _has_children,
    "HAS_OPEN_RESERVATIONS": _has_open_reservations,
}
