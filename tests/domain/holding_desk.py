"""Commands about trees, limits and reservations, in addition to those of the desk."""

from collections.abc import Sequence

from budgetd_server.domain.budget import Limit
from budgetd_server.domain.commands import (
    Charge,
    CommitReservation,
    CreateBudget,
    ExtendReservation,
    LimitDraft,
    ReleaseReservation,
    ReserveCost,
    UpdateBudget,
)
from budgetd_server.domain.reservation import OnExpiry
from budgetd_server.domain.usage import Usage
from tests.domain.desk import ALICE, PROJECT, charge, request

MINUTE_US = 60 * 1_000_000


def with_limits(
    *limits: Limit, budget_id: str = ALICE, parent_id: str = "", is_template: bool = False, replaces: bool = False
) -> CreateBudget:
    """A budget to be made."""
    return CreateBudget(
        project_id=PROJECT,
        budget_id=budget_id,
        request=request(None, "create", budget_id),
        limits=tuple(LimitDraft(limit=limit) for limit in limits),
        labels={},
        parent_id=parent_id,
        is_template=is_template,
        replace_existing=replaces,
    )


def limits_of(*limits: Limit, budget_id: str = ALICE) -> UpdateBudget:
    """Other limits for a budget."""
    return UpdateBudget(
        project_id=PROJECT,
        budget_id=budget_id,
        request=request(None, "update", budget_id),
        sets_limits=True,
        limits=tuple(LimitDraft(limit=limit) for limit in limits),
    )


def move(parent_id: str, *, budget_id: str = ALICE) -> UpdateBudget:
    """Another parent for a budget."""
    asked = request(None, "move", budget_id, parent_id)
    return UpdateBudget(project_id=PROJECT, budget_id=budget_id, request=asked, parent_id=parent_id)


def reserve(
    amount_nano_usd: int,
    *,
    budget_id: str = ALICE,
    model: str = "",
    usage: Usage | None = None,
    ttl_us: int = 10 * MINUTE_US,
    on_expiry: OnExpiry = OnExpiry.RELEASE,
    least_nano_usd: int | None = None,
    also: Sequence[str] = (),
    template_id: str = "",
    request_id: str | None = None,
) -> ReserveCost:
    """A hold to be made."""
    return ReserveCost(
        project_id=PROJECT,
        budget_id=budget_id,
        request=request(request_id, "reserve", budget_id, amount_nano_usd, model, usage),
        amount_nano_usd=amount_nano_usd,
        usage=usage,
        model=model,
        ttl_us=ttl_us,
        on_expiry=on_expiry,
        least_nano_usd=least_nano_usd,
        additional_ids=tuple(also),
        template_id=template_id,
    )


def commit_hold(
    seq: int,
    cost_nano_usd: int,
    *,
    usage: Usage | None = None,
    model: str = "",
    keeps_open: bool = False,
    request_id: str | None = None,
) -> CommitReservation:
    """The real cost of a hold."""
    return CommitReservation(
        project_id=PROJECT,
        reservation_seq=seq,
        request=request(request_id, "commit", seq, cost_nano_usd, keeps_open),
        cost_nano_usd=cost_nano_usd,
        usage=usage,
        model=model,
        keeps_open=keeps_open,
    )


def release_hold(seq: int) -> ReleaseReservation:
    """A hold to be given back."""
    return ReleaseReservation(project_id=PROJECT, reservation_seq=seq, request=request(None, "release", seq))


def extend_hold(seq: int, ttl_us: int) -> ExtendReservation:
    """A hold to be kept for so long from now."""
    asked = request(None, "extend", seq, ttl_us)
    return ExtendReservation(project_id=PROJECT, reservation_seq=seq, request=asked, ttl_us=ttl_us)


def rejecting(cost_nano_usd: int, *, budget_id: str = ALICE) -> Charge:
    """A charge that is refused rather than pass a limit."""
    return charge(cost_nano_usd, budget_id=budget_id)._replace(rejects_over_limit=True)
