"""What is refused of the terms of a call, of the source of its cost, and of the parts of its usage."""

from collections.abc import Mapping

from budgetd.v1 import budget_pb2 as pb
from budgetd_server.domain.usage import Parts
from tests.rpc import bad_values as bad
from tests.rpc.bad_values import Rule
from tests.rpc.valid_requests import USAGE

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
#: What it sums up is as it must be.
_REQUEST_OF_REQUESTS = pb.Usage(input_tokens=10, output_tokens=10, requests=[USAGE])
_REQUESTS = Rule(
    [bad.Bad("with requests", _REQUEST_OF_REQUESTS, ("must be empty in a request", "1"), "[0].requests")], (USAGE,)
)

CALL_RULES: Mapping[str, Rule] = {**_TERMS, **_ORIGINS, **_PARTS, "Usage.requests": _REQUESTS}
