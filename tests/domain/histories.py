"""Random histories: batches of steps over a few budgets, with a clock that jumps both ways, as plain data."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from budgetd_server.domain.bounds import OTHER_MODELS
from budgetd_server.domain.budget import Limit
from budgetd_server.domain.commands import LimitDraft, Requested
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Calendar, CalendarUnit
from tests.domain.desk import (
    DAY_US,
    HOUR_US,
    adjust,
    charge,
    create,
    delete,
    draft,
    limited,
    reset,
    reset_many,
    reset_on_duration,
    update,
)

#: Friday, 27 March 2026, 00:00 UTC: two days before the clocks of Berlin are set forward.
START_US = 1_774_569_600 * 1_000_000
#: Two projects, one budget id in both.
PLACES = (("shop", "alice"), ("shop", "bob"), ("bank", "alice"))
PROJECTS = ("shop", "bank")
ETAG_NOW, ETAG_FIRST, ETAG_ANY = "now", "first", ""

LIMITS: tuple[LimitDraft | None, ...] = (
    None,
    draft(limited(100)),
    draft(limited(50, every_us=HOUR_US, anchor_at_us=START_US)),
    draft(limited(50, every_us=DAY_US), anchors_at_creation=True),
    draft(limited(70, every_us=DAY_US, anchor_at_us=START_US), anchors_at_creation=False),
    draft(limited(50, every_us=DAY_US, anchor_at_us=START_US, on_request=True)),
    draft(limited(50, every_us=6 * HOUR_US, on_request=True), anchors_at_creation=True),
    draft(limited(50, window=Calendar(unit=CalendarUnit.DAY, time_zone="Europe/Berlin"))),
    draft(limited(50, window=Calendar(unit=CalendarUnit.HOUR, count=6))),
)

_HUGE = 4 * 10**18
_JUMPS_US = [0, 0, 1, HOUR_US // 3, HOUR_US, 6 * HOUR_US, DAY_US, 3 * DAY_US]
_JUMPS_BACK_US = [-1, -HOUR_US // 3, -HOUR_US, -6 * HOUR_US, -DAY_US, -3 * DAY_US]
_KINDS = {
    "charge": 8,
    "adjust": 3,
    "create": 2,
    "update": 4,
    "delete": 1,
    "reset": 1,
    "reset on duration": 2,
    "reset many": 1,
    "again": 3,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One command, before it is known what it meets."""

    kind: str
    place: tuple[str, str] = PLACES[0]
    amount: int = 1
    model: str = ""
    usage: Usage | None = None
    #: Which of LIMITS.
    limit: int = 0
    #: Whether a creation replaces, an update sets the limit, and a step of a run is the last.
    flag: bool = True
    etag: str = ETAG_ANY
    #: Under the request id of the command sent so many before; 0: an id of its own.
    reuses: int = 0
    #: How many batches lie between the two steps of an update's recount.
    delay: int = 0

    def command(self, request_id: str | None, etag: str) -> Requested[Any]:
        """The command that it is."""
        project_id, budget_id = self.place
        limit = LIMITS[self.limit]
        rule: Limit | None = limit.limit if limit is not None else None
        anchors = limit is not None and limit.anchors_at_creation
        labels = {"n": str(self.amount)} if self.amount % 2 else None
        match self.kind:
            case "charge":
                return charge(
                    abs(self.amount),
                    model=self.model,
                    usage=self.usage,
                    budget_id=budget_id,
                    request_id=request_id,
                    project_id=project_id,
                )
            case "adjust":
                return adjust(
                    self.amount, model=self.model, budget_id=budget_id, request_id=request_id, project_id=project_id
                )
            case "create":
                return create(
                    rule,
                    budget_id=budget_id,
                    replaces=self.flag,
                    anchors_at_creation=anchors,
                    labels=labels,
                    request_id=request_id,
                    project_id=project_id,
                )
            case "update":
                return update(
                    limit=rule,
                    sets_limits=self.flag,
                    anchors_at_creation=anchors,
                    labels=labels,
                    etag=etag,
                    budget_id=budget_id,
                    request_id=request_id,
                    project_id=project_id,
                )
            case "delete":
                return delete(etag=etag, budget_id=budget_id, request_id=request_id, project_id=project_id)
            case "reset":
                return reset(budget_id=budget_id, request_id=request_id, project_id=project_id)
            case "reset on duration":
                return reset_on_duration(budget_id=budget_id, request_id=request_id, project_id=project_id)
        return reset_many("alice", "bob", "nobody", is_last=self.flag, request_id=request_id, project_id=project_id)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction carries out, after the clock has jumped."""

    jump_us: int
    steps: tuple[Step, ...]


#: A history that meets what random ones meet seldom: a reset behind which a recount must not go, a charge right before
#: a window, a refusal when a window is over, a recount of many entries, an id deleted and taken anew in one batch.
TELLING = [
    Batch(0, tuple(Step("create", place, limit=4) for place in PLACES)),
    Batch(0, (Step("charge", amount=5), Step("reset"), Step("charge", amount=3), Step("charge"), Step("charge"))),
    Batch(3 * HOUR_US, (Step("charge", amount=2), Step("update", limit=2))),
    Batch(HOUR_US, (Step("adjust", amount=-20),)),
    Batch(0, (Step("update", limit=1), Step("charge", amount=2))),
    Batch(0, (Step("delete"), Step("create", limit=1), Step("charge", amount=3))),
]


def steps() -> st.SearchStrategy[Step]:
    """Any command on any budget; charges most often."""
    return st.builds(
        Step,
        kind=st.sampled_from([kind for kind, weight in _KINDS.items() for _ in range(weight)]),
        place=st.sampled_from((*PLACES, PLACES[0])),
        amount=st.sampled_from([1, 2, 3, 5, 10, 20, 0, -1, -2, -5, -20, _HUGE]),
        model=st.sampled_from(["", "m1", "m2", "m3", "m4", "m5", OTHER_MODELS]),
        usage=st.sampled_from([None, Usage(10, 5, 3, 1, 2), Usage(1, 1), Usage(_HUGE, 0)]),
        limit=st.integers(0, len(LIMITS) - 1),
        flag=st.booleans(),
        etag=st.sampled_from([ETAG_ANY, ETAG_ANY, ETAG_NOW, ETAG_FIRST]),
        reuses=st.sampled_from([0] * 9 + [1, 2, 5]),
        delay=st.sampled_from([0, 0, 1, 2]),
    )


def histories(*, batches_max: int, batch_max: int) -> st.SearchStrategy[list[Batch]]:
    """The creation of every budget, and then whatever comes."""
    first = st.lists(st.integers(0, len(LIMITS) - 1), min_size=len(PLACES), max_size=len(PLACES)).map(
        lambda limits: Batch(0, tuple(Step("create", place, limit=n) for place, n in zip(PLACES, limits, strict=True)))
    )
    batch = st.builds(
        Batch,
        jump_us=st.sampled_from(_JUMPS_US) | st.sampled_from(_JUMPS_BACK_US),
        steps=st.lists(steps(), min_size=1, max_size=batch_max).map(tuple),
    )
    rest = st.lists(batch, min_size=batches_max // 2, max_size=batches_max)
    return st.tuples(first, rest).map(lambda parts: [parts[0], *parts[1]])
