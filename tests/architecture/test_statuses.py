"""Every way in which a request can fail has its status, and its own name."""

import re

import grpc

from budgetd_server.domain.errors import BudgetError, Refusal, Unavailable
from budgetd_server.rpc.errors import STATUS

#: Names of kinds of errors; nothing raises them themselves.
ABSTRACT = {BudgetError, Refusal, Unavailable}


def all_errors(kind: type[BudgetError] = BudgetError) -> set[type[BudgetError]]:
    """An error and everything below it."""
    return {kind}.union(*(all_errors(each) for each in kind.__subclasses__()))


def test_every_error_has_a_status() -> None:
    assert all_errors() - ABSTRACT == set(STATUS)


def test_every_error_has_a_reason_of_its_own_and_kinds_of_errors_have_none() -> None:
    reasons = [error.reason for error in STATUS]

    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)*", reason) for reason in reasons)
    assert not any(hasattr(kind, "reason") for kind in ABSTRACT)


def test_what_may_be_sent_again_is_unavailable_and_nothing_else_is() -> None:
    unavailable = {error for error, status in STATUS.items() if status is grpc.StatusCode.UNAVAILABLE}

    assert unavailable == all_errors(Unavailable) - ABSTRACT
