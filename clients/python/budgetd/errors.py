"""Everything that a call to budgetd can raise, as one tree.

    BudgetdError
    ├── InvalidRequest          INVALID_FIELD: `field_violations` names every bad field
    │   ├── RequestIdReused     REQUEST_ID_REUSED
    │   ├── UnknownModel        UNKNOWN_MODEL
    │   └── UnpricedUsage       UNPRICED_USAGE
    ├── NotFound                BUDGET_NOT_FOUND, RESERVATION_NOT_FOUND, ENTRY_NOT_FOUND
    ├── AlreadyExists           BUDGET_EXISTS
    ├── EtagMismatch            ETAG_MISMATCH
    ├── FailedPrecondition
    │   ├── NoWindow            NO_WINDOW
    │   ├── BelowZero           BELOW_ZERO
    │   ├── RefundExceedsEntry  REFUND_EXCEEDS_ENTRY
    │   ├── CounterOverflow     COUNTER_OVERFLOW
    │   ├── AlreadySettled      ALREADY_SETTLED
    │   ├── HasChildren         HAS_CHILDREN
    │   ├── HasOpenReservations HAS_OPEN_RESERVATIONS
    │   ├── ParentCycle         PARENT_CYCLE
    │   ├── TooDeep             TOO_DEEP
    │   └── IsTemplate          IS_TEMPLATE
    ├── BudgetExceededError     BUDGET_EXCEEDED: `exceeded` has the limits
    ├── Unauthenticated         TOKEN_MISSING, TOKEN_INVALID
    ├── PermissionDenied        SCOPE
    ├── ServerError             INTERNAL
    ├── Unavailable             QUEUE_FULL, STORE_UNAVAILABLE, SHUTTING_DOWN, ANSWERS_UNREAD; or a connection that broke
    │   └── ServerUnreachable   no server has ever answered at the address
    ├── DeadlineExceeded        no answer in time
    ├── DatabaseRefused         in local mode only: the file must not be used
    └── CallFailed              a failure that is not budgetd's: a proxy's, or gRPC's own

After the errors above ServerError nothing was recorded. After ServerError, Unavailable, DeadlineExceeded,
DatabaseRefused and CallFailed the outcome of a change is unknown: send the same request again under the same request
id, never under a new one. An error whose reason this version does not know has the class of its status code.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # A program that catches an error needs no gRPC, whose import takes long.
    import grpc

    from budgetd.v1.budget_pb2 import BudgetExceeded


class FieldViolation(NamedTuple):
    """A bad field of a request: its path in the message, and a sentence with the value and the rule."""

    field: str
    description: str


class BudgetdError(Exception):
    """The base of all errors of calls to budgetd. Raised itself if no class below fits.

    Args:
        message: A sentence for people.
        code: The status code of the answer, or that of gRPC if there was no answer.
        reason: The server's name for what happened, in capitals. Empty if the server gave none.
        metadata: The numbers and names in the message, as text; may be empty.
        field_violations: Every bad field that the server named. Empty unless the request is invalid.
        retry_after_seconds: How long the server asks to wait before a retry. None if it does not ask.
        request_id: The id under which the request was sent. Empty for reads, and for batches, whose items have ids.
    """

    def __init__(
        self,
        message: str,
        *,
        code: "grpc.StatusCode",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        field_violations: Sequence[FieldViolation] = (),
        retry_after_seconds: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.field_violations = tuple(field_violations)
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the class without its keywords. Process pools send errors as pickles.
        return bare, (type(self), self.message), self.__dict__


class InvalidRequest(BudgetdError):
    """The request breaks a rule of the contract, and would be refused again."""


class RequestIdReused(InvalidRequest):
    """The request id has already been used for a request with other content."""


class UnknownModel(InvalidRequest):
    """The server has no price for the model, and never guesses one; `metadata["near"]` lists similar names."""


class UnpricedUsage(InvalidRequest):
    """The model is known, but not at a price for something that the usage contains."""


class NotFound(BudgetdError):
    """No such budget, hold or entry exists; `reason` says which."""


class AlreadyExists(BudgetdError):
    """Such a budget already exists; nothing was changed."""


class EtagMismatch(BudgetdError):
    """The configuration has changed since the caller read it."""


class FailedPrecondition(BudgetdError):
    """The budget, or the hold, is not in a state that allows the request."""


class NoWindow(FailedPrecondition):
    """The budget's main limit has no window that could end."""


class BelowZero(FailedPrecondition):
    """The adjustment, or the new window, would take a spent amount below zero."""


class RefundExceedsEntry(FailedPrecondition):
    """Together with earlier ones, the adjustment would give back more than the entry cost."""


class CounterOverflow(FailedPrecondition):
    """The request would take a counter past its largest value, 9·10^18."""


class AlreadySettled(FailedPrecondition):
    """The hold has already ended in a way that does not allow the request."""


class HasChildren(FailedPrecondition):
    """Other budgets have the budget as their parent; `force` deletes them, too."""


class HasOpenReservations(FailedPrecondition):
    """Open holds count on the budget; `force` releases them."""


class ParentCycle(FailedPrecondition):
    """The new parent is the budget itself, or below it."""


class TooDeep(FailedPrecondition):
    """The tree of budgets would have more levels than are allowed."""


class IsTemplate(FailedPrecondition):
    """The budget is a template: it can be copied, but not charged, held on or made a parent."""


class BudgetExceededError(BudgetdError):
    """The request would pass a limit. Never raised for gRPC's own RESOURCE_EXHAUSTED."""

    #: The limits, worst first, and what was asked for. None if the answer does not have it.
    exceeded: "BudgetExceeded | None" = None


class Unauthenticated(BudgetdError):
    """The server requires a token, or does not know the one that was sent."""


class PermissionDenied(BudgetdError):
    """The token does not allow this call."""


class ServerError(BudgetdError):
    """An internal error of the server; `metadata["incident_id"]` finds it in the server's log."""


class Unavailable(BudgetdError):
    """The request was not acknowledged, after all retries that the deadline allows."""


class ServerUnreachable(Unavailable):
    """No server has ever answered at the address: it is not running, or the address is wrong."""


class DeadlineExceeded(BudgetdError):
    """The server did not answer before the deadline."""


class DatabaseRefused(BudgetdError):
    """Without a server: the file is damaged, foreign, of another version, not writable, or was moved in use.

    The outcome of a change is unknown, since the place of the file is also checked after its commit. Once the file can
    be used again, send the same request under the same request id.
    """


class CallFailed(BudgetdError):
    """The failure is not budgetd's, but that of a proxy or of gRPC; `code` and the message have the details."""


#: The class of each reason that the server may give.
CLASS_OF_REASON: Mapping[str, type[BudgetdError]] = {
    "INVALID_FIELD": InvalidRequest,
    "REQUEST_ID_REUSED": RequestIdReused,
    "UNKNOWN_MODEL": UnknownModel,
    "UNPRICED_USAGE": UnpricedUsage,
    "BUDGET_NOT_FOUND": NotFound,
    "RESERVATION_NOT_FOUND": NotFound,
    "ENTRY_NOT_FOUND": NotFound,
    "BUDGET_EXISTS": AlreadyExists,
    "ETAG_MISMATCH": EtagMismatch,
    "NO_WINDOW": NoWindow,
    "BELOW_ZERO": BelowZero,
    "REFUND_EXCEEDS_ENTRY": RefundExceedsEntry,
    "COUNTER_OVERFLOW": CounterOverflow,
    "ALREADY_SETTLED": AlreadySettled,
    "HAS_CHILDREN": HasChildren,
    "HAS_OPEN_RESERVATIONS": HasOpenReservations,
    "PARENT_CYCLE": ParentCycle,
    "TOO_DEEP": TooDeep,
    "IS_TEMPLATE": IsTemplate,
    "BUDGET_EXCEEDED": BudgetExceededError,
    "TOKEN_MISSING": Unauthenticated,
    "TOKEN_INVALID": Unauthenticated,
    "SCOPE": PermissionDenied,
    "INTERNAL": ServerError,
    "QUEUE_FULL": Unavailable,
    "STORE_UNAVAILABLE": Unavailable,
    "SHUTTING_DOWN": Unavailable,
    "ANSWERS_UNREAD": Unavailable,
}


def bare(error_class: type[BudgetdError], message: str) -> BudgetdError:
    """Make an error that has only its message. Unpickling sets the other attributes."""
    return error_class.__new__(error_class, message)
