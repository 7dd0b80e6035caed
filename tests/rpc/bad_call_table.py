"""What is refused of how a call was served, of who told its cost, and of the parts of its usage."""

from collections.abc import Mapping

from budgetd_server.domain.usage import Parts
from tests.rpc import bad_values as bad
from tests.rpc.bad_values import Rule

_TERMS = {
    f"{request}.{name}": bad.TERM
    for request in ("UpdateCostRequest", "ProjectCostRequest", "ReserveCostRequest", "CommitReservationRequest")
    for name in ("provider", "service_tier", "inference_geo")
}
_ORIGINS = {
    f"{request}.{name}": rule
    for request in ("UpdateCostRequest", "CommitReservationRequest")
    for name, rule in (
        ("cost_source", bad.TELLER),
        ("unread_fields", bad.UNREAD_FIELDS),
        ("usage_dialect", bad.DIALECT),
    )
}
_PARTS = {f"Usage.{name}": bad.PART for name in Parts._fields}

CALL_RULES: Mapping[str, Rule] = {**_TERMS, **_ORIGINS, **_PARTS}
