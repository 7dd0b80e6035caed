"""A desk at which commands are decided one after the other on one working set, with no store behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import count as count_up
from typing import Any

from budgetd_server.domain.budget import Action, BudgetState, Limit, ResetMode
from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    Command,
    CreateBudget,
    DeleteBudget,
    LimitDraft,
    Outcome,
    Request,
    ResetCost,
    ResetManyOnDuration,
    ResetOnDuration,
    UpdateBudget,
)
from budgetd_server.domain.configure import anchored
from budgetd_server.domain.decide import decide
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.recount import begin_recount, limits_to_recount
from budgetd_server.domain.state import Project, State
from budgetd_server.domain.status import BudgetStatus, budget_status
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed, Lifetime, Window

#: Monday, 2 March 2026, 00:00 UTC, in microseconds since the Unix epoch.
MONDAY_US = 1_772_409_600 * 1_000_000
HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US

PROJECT = "shop"
#: The budget that commands are about unless they name another one.
ALICE = "alice"

_numbers = count_up(1)


def limited(
    amount: int = 100,
    *,
    window: Window | None = None,
    every_us: int | None = None,
    anchor_at_us: int = MONDAY_US,
    on_request: bool = False,
    action: Action = Action.BLOCK,
) -> Limit:
    """A main limit in nano-USD; its window is `window`, or fixed of `every_us`, or else the lifetime."""
    if window is None:
        window = Lifetime() if every_us is None else Fixed(length_us=every_us, anchor_at_us=anchor_at_us)
    mode = ResetMode.ON_REQUEST if on_request else ResetMode.AUTOMATIC
    return Limit(amount=amount, window=window, reset_mode=mode, action=action)


def draft(limit: Limit | None, *, anchors_at_creation: bool = False) -> LimitDraft | None:
    """A limit as a caller asks for it."""
    return None if limit is None else LimitDraft(limit=limit, anchors_at_creation=anchors_at_creation)


def drafts(limit: Limit | None, *, anchors_at_creation: bool = False) -> tuple[LimitDraft, ...]:
    """At most a main limit as a caller asks for it."""
    asked = draft(limit, anchors_at_creation=anchors_at_creation)
    return () if asked is None else (asked,)


def request(request_id: str | None, *content: object) -> Request:
    """An id, a new one for None, with the digest of the content."""
    name = request_id if request_id is not None else f"request-{next(_numbers)}"
    return Request(name, sha256(repr(content).encode()).digest())


def charge(
    cost_nano_usd: int,
    *,
    model: str = "",
    usage: Usage | None = None,
    budget_id: str = ALICE,
    request_id: str | None = None,
    labels: Mapping[str, str] | None = None,
    wants_limits: bool = True,
    project_id: str = PROJECT,
) -> Charge:
    """A cost that happened."""
    asked = request(request_id, "charge", budget_id, cost_nano_usd, model, usage, labels)
    return Charge(
        project_id, budget_id, asked, cost_nano_usd, model, usage, labels, wants_limits=wants_limits, price_version="v1"
    )


def adjust(
    amount_nano_usd: int,
    *,
    model: str = "",
    budget_id: str = ALICE,
    request_id: str | None = None,
    project_id: str = PROJECT,
) -> AdjustCost:
    """A signed correction."""
    return AdjustCost(
        project_id=project_id,
        budget_id=budget_id,
        request=request(request_id, "adjust", budget_id, amount_nano_usd, model),
        amount_nano_usd=amount_nano_usd,
        reason="a refund",
        model=model,
    )


def create(
    limit: Limit | None = None,
    *,
    budget_id: str = ALICE,
    replaces: bool = False,
    anchors_at_creation: bool = False,
    labels: Mapping[str, str] | None = None,
    request_id: str | None = None,
    project_id: str = PROJECT,
) -> CreateBudget:
    """A budget to be created, or created again."""
    return CreateBudget(
        project_id=project_id,
        budget_id=budget_id,
        request=request(request_id, "create", budget_id, limit, replaces, labels),
        limits=drafts(limit, anchors_at_creation=anchors_at_creation),
        labels=labels or {},
        replace_existing=replaces,
    )


def update(
    *,
    limit: Limit | None = None,
    sets_limits: bool = True,
    anchors_at_creation: bool = False,
    labels: Mapping[str, str] | None = None,
    etag: str = "",
    budget_id: str = ALICE,
    request_id: str | None = None,
    project_id: str = PROJECT,
) -> UpdateBudget:
    """Another configuration; `limit` None takes the limit away unless `sets_limits` is False."""
    return UpdateBudget(
        project_id=project_id,
        budget_id=budget_id,
        request=request(request_id, "update", budget_id, limit, sets_limits, labels, etag),
        sets_limits=sets_limits,
        limits=drafts(limit, anchors_at_creation=anchors_at_creation),
        labels=labels,
        etag=etag,
    )


def delete(
    *, etag: str = "", budget_id: str = ALICE, request_id: str | None = None, project_id: str = PROJECT
) -> DeleteBudget:
    """A budget to be deleted."""
    asked = request(request_id, "delete", budget_id, etag)
    return DeleteBudget(project_id=project_id, budget_id=budget_id, request=asked, etag=etag)


def reset(*, budget_id: str = ALICE, request_id: str | None = None, project_id: str = PROJECT) -> ResetCost:
    """A count to begin again."""
    return ResetCost(project_id=project_id, budget_id=budget_id, request=request(request_id, "reset", budget_id))


def reset_on_duration(
    *, budget_id: str = ALICE, request_id: str | None = None, project_id: str = PROJECT
) -> ResetOnDuration:
    """A count to begin again if its window is over."""
    asked = request(request_id, "reset on duration", budget_id)
    return ResetOnDuration(project_id=project_id, budget_id=budget_id, request=asked)


def reset_many(
    *budget_ids: str,
    request_id: str | None = None,
    reset_count_before: int = 0,
    is_last: bool = True,
    project_id: str = PROJECT,
) -> ResetManyOnDuration:
    """A step of a run over all budgets, the last one by default."""
    return ResetManyOnDuration(
        project_id=project_id,
        budget_ids=budget_ids,
        request=request(request_id, "reset all"),
        reset_count_before=reset_count_before,
        is_last=is_last,
    )


class Desk:
    """Decides on a working set that is kept in memory for as long as the desk is.

    Args:
        project_ids: The projects that it knows; they need no budget yet.
        now_us: The time at which it opens. Set it to let time pass, forward or back.
    """

    def __init__(self, *project_ids: str, now_us: int = MONDAY_US) -> None:
        self.now_us = now_us
        self.state = State()
        for number, project_id in enumerate(project_ids or (PROJECT,), start=1):
            self.state.add_project(Project(project_id, number))

    def decide(self, command: Command[Any]) -> Outcome[Any]:
        """Carry out one command; an update is given the first step of the recount that it needs."""
        if isinstance(command, UpdateBudget) and command.recount is None:
            command = self.with_recount(command)
        return decide(self.state, command, self.now_us)

    def with_recount(self, command: UpdateBudget) -> UpdateBudget:
        """An update with the sums of its new window as of now, as the engine prepares it."""
        budget = self.state.budgets.get((command.project_id, command.budget_id))
        if budget is None or not command.sets_limits:
            return command
        limits = limits_to_recount(budget, anchored(command.limits, budget.created_at_us))
        if not limits:
            return command
        recount = begin_recount(budget, limits, self.now_us)
        recount.until_seq = self.state.projects[command.project_id].last_seq
        recount.take(self.chain(command.budget_id, project_id=command.project_id))
        return replace(command, recount=recount)

    def budget(self, budget_id: str = ALICE, *, project_id: str = PROJECT) -> BudgetState:
        """The working set's own state of a live budget."""
        return self.state.budget(project_id, budget_id)

    def status(self, budget_id: str = ALICE, *, project_id: str = PROJECT) -> BudgetStatus:
        """A live budget as of now."""
        return budget_status(self.budget(budget_id, project_id=project_id), self.now_us)

    def entries(self, *, project_id: str = PROJECT) -> list[Entry]:
        """All entries of a project, oldest first."""
        project_key = self.state.projects[project_id].project_key
        return [entry for entry in self.state.new_entries if entry.project_key == project_key]

    def chain(self, budget_id: str = ALICE, *, project_id: str = PROJECT) -> Sequence[Entry]:
        """The entries of a live budget's id, newest first, across incarnations."""
        by_seq = {entry.seq: entry for entry in self.entries(project_id=project_id)}
        chain, seq = [], self.budget(budget_id, project_id=project_id).last_seq
        while seq:
            chain.append(by_seq[seq])
            seq = by_seq[seq].previous_seq
        return chain
