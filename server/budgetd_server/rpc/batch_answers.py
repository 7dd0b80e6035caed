"""Bounds the answer to a batch of charges, and chooses what to leave out of a large one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain.commands import Charge, Outcome
from budgetd_server.domain.errors import FieldViolation, InvalidField, Refusal
from budgetd_server.domain.results import Charged
from budgetd_server.domain.status import LimitStatus
from budgetd_server.rpc import answers
from budgetd_server.rpc.answer_pages import ANSWER_BYTES_MAX
from budgetd_server.rpc.errors import item_error

#: Estimated bytes per result, limit and path, excluding names and the paths themselves.
_CHARGED_BYTES, _LIMIT_BYTES, _PATH_BYTES = 48, 192, 4


def batch_results(
    charges: Sequence[Charge],
    outcomes: Sequence[Outcome[Charged] | Refusal],
    refusals: Mapping[int, Refusal],
    *,
    limit_bytes: int,
) -> Iterator[cost_pb.UpdateCostResult]:
    """Yield a result for each item, in order.

    Once the answer reaches its size limit, errors have only code and reason, and unread fields are left out.
    """
    in_turn = zip(charges, outcomes, strict=True)
    items = len(charges) + len(refusals)
    answer_bytes = limit_bytes + items * _CHARGED_BYTES
    for index in range(items):
        refused = refusals.get(index)
        if refused is None:
            charge, outcome = next(in_turn)
            if isinstance(outcome, Outcome):
                answer_bytes += sum(_PATH_BYTES + len(path.encode()) for path in charge.unread_fields)
                charged = cost_pb.Charged(
                    entry_id=answers.entry_id(outcome.entry_seq),
                    cost_nano_usd=outcome.result.cost_nano_usd,
                    replayed=outcome.replayed,
                    unread_fields=charge.unread_fields if answer_bytes <= ANSWER_BYTES_MAX else (),
                )
                yield cost_pb.UpdateCostResult(charged=charged)
                continue
            refused = outcome
        error = item_error(refused)
        answer_bytes += error.ByteSize()
        if answer_bytes > ANSWER_BYTES_MAX:
            error = pb.ItemError(code=error.code, reason=error.reason)
        yield cost_pb.UpdateCostResult(error=error)


def names_bytes(budget_ids: Iterable[str]) -> int:
    """Estimate the smallest size of the limits of some budgets, with one limit each, in bytes."""
    return sum(_LIMIT_BYTES + len(name.encode()) for name in budget_ids)


def limits_bytes(statuses: Iterable[LimitStatus]) -> int:
    """Estimate the size of some limits in an answer, in bytes."""
    names = ((status.budget_id, status.limit_id, *status.models) for status in statuses)
    return sum(_LIMIT_BYTES + sum(4 + len(each.encode()) for each in texts) for texts in names)


def check_room(request: cost_pb.BatchUpdateCostRequest, limit_bytes: int) -> None:
    """Refuse a batch whose limits could make its answer too large.

    Raises:
        InvalidField: They could.
    """
    if limit_bytes + len(request.requests) * _CHARGED_BYTES > ANSWER_BYTES_MAX:
        rule = f"must be false: the limits of this many budgets could exceed {ANSWER_BYTES_MAX} bytes"
        raise InvalidField([FieldViolation("include_limits", rule)])
