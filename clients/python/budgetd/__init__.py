"""Client of budgetd, a gRPC service that keeps spend budgets.

Names are imported when they are first used: `import budgetd.v1`, as in the server, loads nothing of the client, and
`import budgetd` alone loads no gRPC.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from budgetd.aio import AsyncBudgetManager
    from budgetd.calls.call import CallPolicy
    from budgetd.calls.callers import AsyncTransport, Transport
    from budgetd.client import AsyncBudgetClient, BudgetClient
    from budgetd.errors import (
        AlreadyExists,
        AlreadySettled,
        BelowZero,
        BudgetdError,
        BudgetExceededError,
        CallFailed,
        CounterOverflow,
        DatabaseRefused,
        DeadlineExceeded,
        EtagMismatch,
        FailedPrecondition,
        FieldViolation,
        HasChildren,
        HasOpenReservations,
        InvalidRequest,
        IsTemplate,
        NotFound,
        NoWindow,
        ParentCycle,
        PermissionDenied,
        RefundExceedsEntry,
        RequestIdReused,
        ServerError,
        ServerUnreachable,
        TooDeep,
        Unauthenticated,
        Unavailable,
        UnknownModel,
        UnpricedUsage,
    )
    from budgetd.local import AsyncLocalTransport, LocalTransport
    from budgetd.manager import BudgetManager
    from budgetd.manager.import_offer import UserCostFileFound
    from budgetd.request_ids import new_request_id, with_request_ids
    from budgetd.transport.status import error_of_item
    from budgetd.usage.errors import UnreadUsageWarning, UsageError

__all__ = [
    "AlreadyExists",
    "AlreadySettled",
    "AsyncBudgetClient",
    "AsyncBudgetManager",
    "AsyncLocalTransport",
    "AsyncTransport",
    "BelowZero",
    "BudgetClient",
    "BudgetExceededError",
    "BudgetManager",
    "BudgetdError",
    "CallFailed",
    "CallPolicy",
    "CounterOverflow",
    "DatabaseRefused",
    "DeadlineExceeded",
    "EtagMismatch",
    "FailedPrecondition",
    "FieldViolation",
    "HasChildren",
    "HasOpenReservations",
    "InvalidRequest",
    "IsTemplate",
    "LocalTransport",
    "NoWindow",
    "NotFound",
    "ParentCycle",
    "PermissionDenied",
    "RefundExceedsEntry",
    "RequestIdReused",
    "ServerError",
    "ServerUnreachable",
    "TooDeep",
    "Transport",
    "Unauthenticated",
    "Unavailable",
    "UnknownModel",
    "UnpricedUsage",
    "UnreadUsageWarning",
    "UsageError",
    "UserCostFileFound",
    "error_of_item",
    "new_request_id",
    "with_request_ids",
]

#: The modules of the names that are not errors.
_MODULES = {
    "AsyncBudgetClient": "budgetd.client",
    "AsyncLocalTransport": "budgetd.local",
    "AsyncBudgetManager": "budgetd.aio",
    "AsyncTransport": "budgetd.calls.callers",
    "BudgetClient": "budgetd.client",
    "BudgetManager": "budgetd.manager",
    "CallPolicy": "budgetd.calls.call",
    "LocalTransport": "budgetd.local",
    "Transport": "budgetd.calls.callers",
    "UnreadUsageWarning": "budgetd.usage.errors",
    "UsageError": "budgetd.usage.errors",
    "UserCostFileFound": "budgetd.manager.import_offer",
    "error_of_item": "budgetd.transport.status",
    "new_request_id": "budgetd.request_ids",
    "with_request_ids": "budgetd.request_ids",
}

if not TYPE_CHECKING:  # Otherwise type checkers would accept every name.

    def __getattr__(name: str) -> object:
        """Import a name of `__all__` on first use, and keep it."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_MODULES.get(name, "budgetd.errors")), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*__all__, *globals()])
