"""The rules of what tells a cost: usage, texts, chats, and what they come to."""

from operator import attrgetter

from budgetd.v1 import budget_pb2 as pb
from budgetd_server.domain.bounds import CHAT_MESSAGES_MAX, COST_NANO_USD_MAX
from budgetd_server.domain.errors import FieldViolation, InvalidField
from budgetd_server.domain.usage import COUNT_MAX, NO_PARTS, Parts, Usage, usage_violations
from budgetd_server.rpc.checks import Checks

_part_counts = attrgetter(*Parts._fields)


def usage_of(checks: Checks, usage: pb.Usage) -> Usage:
    """The tokens of a call."""
    counted = Usage(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        _parts_of(usage),
    )
    if broken := usage_violations(counted, "usage"):
        checks.violations.extend(broken)
    return counted


def _parts_of(usage: pb.Usage) -> Parts:
    counts = _part_counts(usage)
    return Parts(*counts) if any(counts) else NO_PARTS


def sent_usage(usage: Usage | None) -> tuple[int, ...] | None:
    """The counts as they were sent, for the digest; without other parts the five usual ones alone."""
    if usage is None:
        return None
    return tuple(usage[:-1]) if usage.parts is NO_PARTS else (*usage[:-1], *usage.parts)


def check_not_too_dear(field: str, cost_nano_usd: int) -> None:
    """Make sure that a price, once it is known, is within bounds; raises InvalidField if it is not."""
    if cost_nano_usd > COST_NANO_USD_MAX:
        rule = f"must not cost more than {COST_NANO_USD_MAX} nano-USD, and would cost {cost_nano_usd}"
        raise InvalidField([FieldViolation(field, rule)])


def check_text(checks: Checks, text: pb.Text, *, beside_usage: bool = False) -> None:
    """The texts of a call, which must not be told along with its usage."""
    for name, value in (("input", text.input), ("output", text.output)):
        if not value:
            checks.refuse(f"text.{name}", "must not be empty", value)
    if beside_usage:
        checks.refuse("text", "must be unset if usage is set", "both")


def check_messages(checks: Checks, chat: pb.Messages) -> None:
    """A chat that is about to be sent."""
    if not 1 <= len(chat.messages) <= CHAT_MESSAGES_MAX:
        checks.refuse("messages.messages", f"must be 1 to {CHAT_MESSAGES_MAX} messages", len(chat.messages))
    field = "messages.max_output_tokens"
    checks.number(field, chat.max_output_tokens, least=0, most=COUNT_MAX, unit="tokens")
