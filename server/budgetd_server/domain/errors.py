"""Every way in which budgetd refuses a request or fails to serve it, as one flat tree.

    BudgetError
    ├── Refusal: the request is refused; nothing of it was recorded.
    │   ├── InvalidField, RequestIdReused, UnknownModel, UnpricedUsage
    │   ├── BudgetNotFound, ReservationNotFound, EntryNotFound, BudgetExists, EtagMismatch
    │   ├── NoWindow, BelowZero, RefundExceedsEntry, CounterOverflow
    │   ├── HasChildren, HasOpenReservations, ParentCycle, TooDeep, IsTemplate, AlreadySettled
    │   └── BudgetExceeded (admission.py: with the status of the limits)
    └── Unavailable: not acknowledged; sending the same request id again is safe.
        └── QueueFull, StoreUnavailable, ShuttingDown, AnswersUnread

`reason` is the machine-readable name that callers see; numbers in the sentence are also in `metadata`.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import ClassVar, NamedTuple

SHOWN_CHARACTERS_MAX = 64


class FieldViolation(NamedTuple):
    """One bad field of a request: its path in the message, and a sentence with the value and the rule."""

    field: str
    description: str


class Term(Enum):
    """What a broken rule is about, in terms of the domain; each edge translates it to a field of its requests."""

    ADDITIONAL_BUDGETS = "additional budgets"
    TEMPLATE_OF_BUDGET = "template"
    MODEL_OF_CORRECTION = "model of the correction"
    LIMIT_TO_RESET = "limit to reset"
    LIMITS_OF_BUDGET = "limits of the budget"
    PARENT_OF_BUDGET = "parent of the budget"
    IS_TEMPLATE = "whether it is a template"


class BrokenRule(NamedTuple):
    """A broken rule of the domain: what it is about, and a sentence with the value and the rule."""

    term: Term
    description: str
    #: The index, if there are several such terms. None: there is only one.
    position: int | None = None


def short_repr(value: object) -> str:
    """Return a value for the text of an error: quoted, escaped and shortened."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[: SHOWN_CHARACTERS_MAX - 1]}…"


class BudgetError(Exception):
    """The base class of all errors that budgetd reports to callers."""

    reason: ClassVar[str]

    def __init__(self, message: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = metadata or {}


class Refusal(BudgetError):
    """The request is refused; nothing of it was recorded, and its request id is still unused."""


class InvalidField(Refusal):
    """One or more fields break a rule; `violations` names every one of them, not only the first.

    An edge gives the paths of its own fields. The rules give terms; until an edge puts its paths in their place,
    `violations` has them in words.
    """

    reason = "INVALID_FIELD"

    def __init__(self, violations: Sequence[FieldViolation] = (), *, broken: Sequence[BrokenRule] = ()) -> None:
        self.broken = tuple(broken)
        self.violations = (*violations, *(FieldViolation(each.term.value, each.description) for each in broken))
        super().__init__("; ".join(f"{field}: {description}" for field, description in self.violations))


class RequestIdReused(Refusal):
    """The request id has already been used for a request with other content."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {short_repr(request_id)} was already used for a request with other content",
            metadata={"request_id": request_id},
        )


class UnknownModel(Refusal):
    """No price is known for the model, and a price is never guessed.

    Args:
        model: The name as it was sent.
        provider: The provider as it was sent. Empty if not given.
        near: Known names that resemble it, best first; may be empty.
        zero_row: The row of a price file whose prices for it are all zero. Empty if there is no such row.
        version: The version of the price catalogue.
    """

    reason = "UNKNOWN_MODEL"

    def __init__(
        self, model: str, *, provider: str = "", near: Sequence[str] = (), zero_row: str = "", version: str = ""
    ) -> None:
        of = f" of provider {short_repr(provider)}" if provider else ""
        hint = f"; near names: {', '.join(near)}" if near else ""
        name = "send another name" if provider else "send its provider (provider/model, or the field provider)"
        remedy = f"{name} or cost_nano_usd, or add the model to the price file"
        if zero_row:
            hint = f": the prices in row {short_repr(zero_row)} of the price file are zero, which is no price"
            remedy = 'send cost_nano_usd, or add "free": true to that row if the model costs nothing'
        super().__init__(
            f"model {short_repr(model)}{of} has no price{hint}; {remedy}",
            metadata={"model": model[:256], "near": ",".join(near)[:256], "price_version": version}
            | ({"provider": provider} if provider else {})
            | ({"zero_row": zero_row} if zero_row else {}),
        )


class UnpricedUsage(Refusal):
    """The model is known, but has no price for a part of the usage or for the terms of the call.

    Args:
        model: The catalogue's name of the model.
        field: The field that has no price, such as "output_tokens" or "service_tier".
        value: The field's value, if only this value has no price. Empty: the field has no price at all.
        varies: True: its price depends on the size of the output, which a usage does not contain.
        version: The version of the price catalogue.
    """

    reason = "UNPRICED_USAGE"

    def __init__(self, model: str, field: str, *, value: str = "", varies: bool = False, version: str = "") -> None:
        named = f"{field} {short_repr(value)}" if value else field
        why = ": larger sizes cost more, and a usage has no size" if varies else ""
        super().__init__(
            f"model {short_repr(model)} has no price for {named}{why}; "
            "send cost_nano_usd, or add the price to the price file",
            metadata={"model": model[:256], "field": field, "price_version": version}
            | ({"value": value} if value else {})
            | ({"varies_by": "size"} if varies else {}),
        )


class BudgetNotFound(Refusal):
    """The project has no such budget, or it was deleted."""

    reason = "BUDGET_NOT_FOUND"

    def __init__(self, project_id: str, budget_id: str) -> None:
        super().__init__(
            f"project {short_repr(project_id)} has no budget {short_repr(budget_id)}",
            metadata={"project_id": project_id, "budget_id": budget_id},
        )
        self.project_id, self.budget_id = project_id, budget_id


class ReservationNotFound(Refusal):
    """The project has no such reservation."""

    reason = "RESERVATION_NOT_FOUND"

    def __init__(self, project_id: str, reservation_id: str) -> None:
        super().__init__(
            f"project {short_repr(project_id)} has no reservation {short_repr(reservation_id)}",
            metadata={"project_id": project_id, "reservation_id": reservation_id[:64]},
        )
        self.project_id, self.reservation_id = project_id, reservation_id


class EntryNotFound(Refusal):
    """The budget has no such entry, or none that can be corrected."""

    reason = "ENTRY_NOT_FOUND"

    def __init__(self, project_id: str, budget_id: str, entry_id: str) -> None:
        super().__init__(
            f"budget {short_repr(budget_id)} has no charge or settlement {short_repr(entry_id)}",
            metadata={"project_id": project_id, "budget_id": budget_id, "entry_id": entry_id[:64]},
        )
        self.project_id, self.entry_id = project_id, entry_id


class BudgetExists(Refusal):
    """The project has a budget of that id already; nothing was changed."""

    reason = "BUDGET_EXISTS"

    def __init__(self, project_id: str, budget_id: str) -> None:
        super().__init__(
            f"project {short_repr(project_id)} already has a budget {short_repr(budget_id)}",
            metadata={"project_id": project_id, "budget_id": budget_id},
        )
        self.project_id, self.budget_id = project_id, budget_id


class EtagMismatch(Refusal):
    """The budget's configuration has changed since the caller read it."""

    reason = "ETAG_MISMATCH"

    def __init__(self, sent: str, current: str) -> None:
        super().__init__(
            f"etag {short_repr(sent)} is not the current {short_repr(current)}: read the budget again",
            metadata={"etag": sent[:64], "current_etag": current},
        )


class NoWindow(Refusal):
    """The budget's main limit has no window, so no duration ever ends."""

    reason = "NO_WINDOW"

    def __init__(self, project_id: str, budget_id: str) -> None:
        super().__init__(
            f"budget {short_repr(budget_id)} has no main limit with a fixed or calendar window, so it never resets",
            metadata={"project_id": project_id, "budget_id": budget_id},
        )


class BelowZero(Refusal):
    """An adjustment, or a new window, would take a spent amount below zero."""

    reason = "BELOW_ZERO"

    def __init__(self, *, amount_nano_usd: int, spent_nano_usd: int, of: str) -> None:
        terms = f", the sum of {spent_nano_usd} and {amount_nano_usd}" if spent_nano_usd else ""
        super().__init__(
            f"{of} would be below zero: {spent_nano_usd + amount_nano_usd} nano-USD{terms}",
            metadata={"amount_nano_usd": str(amount_nano_usd), "spent_nano_usd": str(spent_nano_usd)},
        )


class RefundExceedsEntry(Refusal):
    """Together with earlier ones, the refund would give back more than the entry cost."""

    reason = "REFUND_EXCEEDS_ENTRY"

    def __init__(self, entry_id: str, *, amount_nano_usd: int, left_nano_usd: int) -> None:
        super().__init__(
            f"a refund of {-amount_nano_usd} nano-USD is more than is left of entry {entry_id}: "
            f"{left_nano_usd} nano-USD",
            metadata={
                "entry_id": entry_id,
                "amount_nano_usd": str(amount_nano_usd),
                "left_nano_usd": str(left_nano_usd),
            },
        )


class HasChildren(Refusal):
    """The budget has children, which would be deleted with it."""

    reason = "HAS_CHILDREN"

    def __init__(self, budget_id: str, children: int) -> None:
        super().__init__(
            f"budget {short_repr(budget_id)} has {children} {'child' if children == 1 else 'children'}: "
            "delete or move what is below it first, or send force",
            metadata={"budget_id": budget_id, "children": str(children)},
        )


class HasOpenReservations(Refusal):
    """Open holds count on the budget."""

    reason = "HAS_OPEN_RESERVATIONS"

    def __init__(self, budget_id: str, reservations: int) -> None:
        noun = "reservation" if reservations == 1 else "reservations"
        super().__init__(
            f"budget {short_repr(budget_id)} has {reservations} open {noun}: settle or release first, or send force",
            metadata={"budget_id": budget_id, "reservations": str(reservations)},
        )


class ParentCycle(Refusal):
    """The new parent is the budget itself or one of its descendants."""

    reason = "PARENT_CYCLE"

    def __init__(self, budget_id: str, parent_id: str) -> None:
        super().__init__(
            f"parent {short_repr(parent_id)} of {short_repr(budget_id)} must be neither that budget nor a descendant",
            metadata={"budget_id": budget_id, "parent_budget_id": parent_id},
        )


class TooDeep(Refusal):
    """The tree would have more levels than are allowed."""

    reason = "TOO_DEEP"

    def __init__(self, budget_id: str, *, depth: int, depth_max: int) -> None:
        super().__init__(
            f"budget {short_repr(budget_id)} would make a tree of {depth} levels; at most {depth_max} are allowed",
            metadata={"budget_id": budget_id, "depth": str(depth), "depth_max": str(depth_max)},
        )


class IsTemplate(Refusal):
    """The budget is a template, which can be copied, but not charged, held on or made a parent."""

    reason = "IS_TEMPLATE"

    def __init__(self, budget_id: str) -> None:
        super().__init__(
            f"budget {short_repr(budget_id)} is a template: it can only be copied, not charged or made a parent",
            metadata={"budget_id": budget_id},
        )


class AlreadySettled(Refusal):
    """The reservation has ended in a way that does not allow this, or its budget was deleted since it ended."""

    reason = "ALREADY_SETTLED"

    def __init__(self, reservation_id: str, state: str, *, deleted_budget_id: str = "") -> None:
        deleted = f", and its budget {short_repr(deleted_budget_id)} was deleted"
        super().__init__(
            f"reservation {reservation_id} is already {state.lower()}{deleted if deleted_budget_id else ''}",
            metadata={"reservation_id": reservation_id, "state": state}
            | ({"budget_id": deleted_budget_id} if deleted_budget_id else {}),
        )


class CounterOverflow(Refusal):
    """The request would take a counter above its largest value, 9·10^18."""

    reason = "COUNTER_OVERFLOW"

    def __init__(self, *, counter: str, value: int, added: int) -> None:
        super().__init__(
            f"{counter} is {value}; adding {added} would exceed 9·10^18",
            metadata={"counter": counter, "value": str(value), "added": str(added)},
        )


class Unavailable(BudgetError):
    """Not acknowledged. Sending the same request id again is safe, and settles an unknown outcome."""

    #: How long a caller should wait before it tries again.
    retry_after_seconds: ClassVar[float] = 0.1


class QueueFull(Unavailable):
    """More commands are waiting than the server accepts; nothing of this one was recorded."""

    reason = "QUEUE_FULL"

    def __init__(self, waiting_max: int) -> None:
        super().__init__(
            f"{waiting_max} commands are waiting already; try again", metadata={"queue_max": str(waiting_max)}
        )


class StoreUnavailable(Unavailable):
    """The store could not commit (locked, disk full, missing); the outcome is unknown if COMMIT itself failed."""

    reason = "STORE_UNAVAILABLE"
    retry_after_seconds = 0.5


class ShuttingDown(Unavailable):
    """The server is draining and takes no new work."""

    reason = "SHUTTING_DOWN"
    retry_after_seconds = 1.0

    def __init__(self) -> None:
        super().__init__("the server is shutting down; try another server, or try again in a moment")


class AnswersUnread(Unavailable):
    """Too many bytes of answers are in flight to this connection, or to all; a change may have been made.

    Args:
        of_connection: Bytes in flight to the caller's connection.
        in_all: Bytes in flight to all connections.
    """

    reason = "ANSWERS_UNREAD"
    retry_after_seconds = 1.0

    def __init__(self, *, of_connection: int, in_all: int) -> None:
        super().__init__(
            f"there is no room for the answer: earlier answers have not been read, {of_connection} bytes on this "
            f"connection and {in_all} bytes on all; read them and try again",
            metadata={"connection_bytes": str(of_connection), "all_bytes": str(in_all)},
        )
