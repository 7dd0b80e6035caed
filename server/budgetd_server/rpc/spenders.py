"""Decodes which budgets a charge or hold counts on in addition to the one that it names."""

from typing import NamedTuple

from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.domain.bounds import ADDITIONAL_BUDGETS_MAX
from budgetd_server.rpc.checks import Checks


class Spenders(NamedTuple):
    """Additional budgets, and the template of a budget that is missing."""

    additional_ids: tuple[str, ...] = ()
    skips_missing: bool = False
    template_id: str = ""

    @property
    def sent(self) -> tuple[object, ...]:
        """Return them as they were sent, for the digest; empty if nothing was."""
        return () if self == NOBODY_ELSE else (list(self.additional_ids), self.skips_missing, self.template_id)


NOBODY_ELSE = Spenders()


def parse_spenders(checks: Checks, request: cost_pb.UpdateCostRequest | reservation_pb.ReserveCostRequest) -> Spenders:
    """Decode and check the additional budgets and the template of a request."""
    additional_ids = parse_additional_ids(checks, request)
    template_id, skips_missing = request.template_budget_id, request.skip_missing_additional
    if not (additional_ids or template_id or skips_missing):
        return NOBODY_ELSE
    checks.optional_id("template_budget_id", template_id)
    return Spenders(additional_ids, skips_missing, template_id)


def parse_additional_ids(
    checks: Checks,
    request: cost_pb.UpdateCostRequest | reservation_pb.ReserveCostRequest | cost_pb.ProjectCostRequest,
) -> tuple[str, ...]:
    """Decode and check the ids of additional budgets. A repeated one counts once."""
    ids = request.additional_budget_ids
    if not ids:
        return ()
    if not checks.at_most("additional_budget_ids", len(ids), ADDITIONAL_BUDGETS_MAX, "budgets"):
        return ()
    for index, budget_id in enumerate(ids):
        checks.id(f"additional_budget_ids[{index}]", budget_id)
    return tuple(ids)
