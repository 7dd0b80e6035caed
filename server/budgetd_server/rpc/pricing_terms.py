"""Decodes how a call was served, who gave its cost, and which fields of the provider's answer could not be read."""

import re
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.domain.bounds import TERM_CHARACTERS_MAX, UNREAD_FIELD_CHARACTERS_MAX, UNREAD_FIELDS_MAX
from budgetd_server.domain.entry import CostSource
from budgetd_server.domain.names import CONTROL
from budgetd_server.domain.usage import STANDARD_TERMS, CallTerms
from budgetd_server.rpc.checks import Checks

#: The longest name of a dialect is 32 characters.
_DIALECT = re.compile(r"[a-z0-9_]{1,32}")
_SOURCES: Mapping[int, CostSource] = {
    pb.COST_SOURCE_CALLER: CostSource.CALLER,
    pb.COST_SOURCE_GATEWAY: CostSource.GATEWAY,
    pb.COST_SOURCE_PROVIDER: CostSource.PROVIDER,
}


class _Served(Protocol):
    """A request that says how a call was, or will be, served."""

    provider: str
    service_tier: str
    is_batch: bool
    inference_geo: str


class Origin(NamedTuple):
    """Where the cost of a charge or settlement comes from."""

    source: CostSource
    unread_fields: tuple[str, ...] = ()
    #: As they were sent, for the digest; empty for what an older client sends.
    sent: tuple[object, ...] = ()
    #: The form of the provider's answer; empty if the caller did not name it.
    dialect: str = ""


_STATED, _COUNTED, _USED = (Origin(each) for each in (CostSource.CALLER, CostSource.TEXT, CostSource.USAGE))


def parse_call_terms(checks: Checks, request: _Served) -> CallTerms:
    """Decode and check how a call was served."""
    if not (request.provider or request.service_tier or request.is_batch or request.inference_geo):
        return STANDARD_TERMS
    for name in ("provider", "service_tier", "inference_geo"):
        if value := getattr(request, name):
            checks.text(name, value, characters_max=TERM_CHARACTERS_MAX)
    return CallTerms(request.provider, request.service_tier, request.is_batch, request.inference_geo)


def parse_origin(
    checks: Checks, request: cost_pb.UpdateCostRequest | reservation_pb.CommitReservationRequest
) -> Origin:
    """Decode and check who gave the cost, and which fields of the provider's answer could not be read."""
    is_stated = request.HasField("cost_nano_usd")
    usual = _STATED if is_stated else _COUNTED if request.HasField("text") else _USED
    source, dialect, unread = request.cost_source, request.usage_dialect, request.unread_fields
    if not (source or dialect or unread):
        return usual
    if source:
        if not is_stated:
            checks.refuse("cost_source", "must be unset unless cost_nano_usd is set", source)
        checks.known("cost_source", source, _SOURCES)
    if dialect and not _DIALECT.fullmatch(dialect):
        checks.refuse("usage_dialect", "must be 1 to 32 characters of a-z, 0-9 and _", dialect)
    if checks.at_most("unread_fields", len(unread), UNREAD_FIELDS_MAX, "paths"):
        for index, path in enumerate(unread):
            field = f"unread_fields[{index}]"
            checks.text(field, path, characters_max=UNREAD_FIELD_CHARACTERS_MAX)
            if path.isspace() and not CONTROL.search(path):
                checks.refuse(field, "must not be blank", path)
            elif path and path in unread[:index]:
                checks.refuse(field, "must name each path once", path)
    found = _SOURCES.get(source, usual.source) if is_stated else usual.source
    return Origin(found, tuple(unread), (int(source), dialect) if source or dialect else (), dialect)


def sent_terms(terms: CallTerms, origin: Origin | None = None) -> tuple[object, ...]:
    """Return both as they were sent, for the digest; defaults add nothing, so that older digests stay the same."""
    sent: tuple[object, ...] = () if terms == STANDARD_TERMS else ("terms", *terms)
    return sent if origin is None or not origin.sent else (*sent, "origin", *origin.sent)
