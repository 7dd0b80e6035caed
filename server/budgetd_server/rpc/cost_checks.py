"""Checks what a cost is computed from (usage, texts, chats), and the cost itself."""

from collections.abc import Iterable, Sequence
from operator import attrgetter

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.domain.bounds import CHAT_MESSAGES_MAX, COST_NANO_USD_MAX, USAGE_REQUESTS_MAX
from budgetd_server.domain.errors import FieldViolation, InvalidField
from budgetd_server.domain.usage import (
    COUNT_MAX,
    NO_PARTS,
    BadCount,
    Parts,
    Usage,
    requests_violations,
    usage_violations,
)
from budgetd_server.rpc.checks import Checks

_part_counts = attrgetter(*Parts._fields)
#: The requests that may have a usage.
_Using = (
    cost_pb.UpdateCostRequest
    | cost_pb.ProjectCostRequest
    | reservation_pb.ReserveCostRequest
    | reservation_pb.CommitReservationRequest
)
_ONE_REQUEST: tuple[Usage, ...] = ()


def parse_usage(checks: Checks, request: _Using) -> tuple[Usage | None, tuple[Usage, ...]]:
    """Decode and check a usage, and the provider requests that it sums up; empty if it is a single request.

    The usage is None if the request has none.
    """
    if not request.HasField("usage"):
        return None, _ONE_REQUEST
    sent = request.usage
    usage = _counted(sent)
    if broken := usage_violations(usage):
        _refuse_counts(checks, broken)
    return usage, _parse_requests(checks, sent, usage, is_valid=not broken) if sent.requests else _ONE_REQUEST


def _parse_requests(checks: Checks, sent: pb.Usage, usage: Usage, *, is_valid: bool) -> tuple[Usage, ...]:
    if not checks.at_most("usage.requests", len(sent.requests), USAGE_REQUESTS_MAX, "requests"):
        return _ONE_REQUEST
    for index, request in enumerate(sent.requests):
        if request.requests:
            checks.refuse(f"usage.requests[{index}].requests", "must be empty in a request", len(request.requests))
    requests = tuple(map(_counted, sent.requests))
    if is_valid:
        _refuse_counts(checks, requests_violations(usage, requests, "usage.requests"))
    return requests


def _refuse_counts(checks: Checks, broken: Iterable[BadCount]) -> None:
    """Note bad counts of `usage` by their paths; the contract's counts have the names of the domain's."""
    for name, description, position in broken:
        of = "usage" if position is None else f"usage.requests[{position}]"
        checks.violations.append(FieldViolation(f"{of}.{name}", description))


def _counted(usage: pb.Usage) -> Usage:
    return Usage(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        _parts_of(usage),
    )


def _parts_of(usage: pb.Usage) -> Parts:
    counts = _part_counts(usage)
    return Parts(*counts) if any(counts) else NO_PARTS


def sent_usage(usage: Usage | None, requests: Sequence[Usage] = ()) -> tuple[object, ...] | None:
    """Return the counts as they were sent, for the digest: the five usual ones, then other parts and requests, if any.

    Parts have names, and zeros are left out, so that a part of a later version does not change earlier digests.
    """
    if usage is None:
        return None
    if usage.parts is NO_PARTS and not requests:  # The usual case; this runs for every charge.
        return usage[:-1]
    parts = sorted((name, count) for name, count in usage.parts._asdict().items() if count)
    return (*usage[:-1], *parts, *map(sent_usage, requests))


def check_not_too_dear(field: str, cost_nano_usd: int) -> None:
    """Refuse a computed cost that is out of bounds. Raises InvalidField."""
    if cost_nano_usd > COST_NANO_USD_MAX:
        rule = f"must cost at most {COST_NANO_USD_MAX} nano-USD, got {cost_nano_usd}"
        raise InvalidField([FieldViolation(field, rule)])


def check_text(checks: Checks, text: pb.Text, *, beside_usage: bool = False) -> None:
    """Check the texts of a call, which exclude a usage."""
    for name, value in (("input", text.input), ("output", text.output)):
        if not value:
            checks.refuse(f"text.{name}", "must not be empty", value)
    if beside_usage:
        checks.refuse("text", "must be unset if usage is set", "both")


def check_messages(checks: Checks, chat: pb.Messages) -> None:
    """Check a chat that is about to be sent."""
    if not 1 <= len(chat.messages) <= CHAT_MESSAGES_MAX:
        checks.refuse("messages.messages", f"must be 1 to {CHAT_MESSAGES_MAX} messages", len(chat.messages))
    field = "messages.max_output_tokens"
    checks.number(field, chat.max_output_tokens, least=0, most=COUNT_MAX, unit="tokens")
