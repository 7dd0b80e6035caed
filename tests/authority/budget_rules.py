"""Budgets are created, replaced, changed, moved and deleted."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from budgetd_server.domain.budget import MAIN, Action, Limit, ResetMode
from budgetd_server.domain.commands import (
    Charge,
    CreateBudget,
    DeleteBudget,
    LimitDraft,
    Rpc,
    UpdateBudget,
)
from budgetd_server.domain.window import Fixed, Window
from tests.authority.drawing import (
    IDS,
    costs,
    joins,
    label_sets,
    limit_lists,
    numbers,
    patterns,
    picks,
    projects,
    rarely,
    windows,
)
from tests.authority.sending import Sender, seldom


class BudgetRules(Sender):
    """Commands that configure."""

    @initialize(limits=st.tuples(limit_lists, limit_lists, limit_lists, limit_lists), has_huge=picks)
    def found(self, limits: tuple[tuple[LimitDraft, ...], ...], has_huge: int) -> None:
        """A tree and a template, so that nobody begins with nothing."""
        self.has_huge = has_huge == 1
        tree = [("p", "org", "", 0), ("p", "team", "org", 1), ("p", "alice", "team", 2), ("p", "tpl", "org", 3)]
        tree += [("q", "org", "", 1), ("q", "alice", "org", 0), ("q", "tpl", "", 2)]
        for project_id, budget_id, parent_id, number in tree:
            command = CreateBudget(
                project_id=project_id,
                budget_id=budget_id,
                request=self.request(Rpc.CREATE_BUDGET),
                limits=limits[number],
                labels={},
                parent_id=parent_id,
                is_template=budget_id == "tpl",
            )
            self.send(command)

    @precondition(seldom)
    @rule(
        project_id=projects,
        number=numbers,
        limits=limit_lists,
        parent=picks,
        labels=label_sets,
        replaces=st.booleans(),
        is_template=rarely,
        joins=joins,
    )
    def create(
        self,
        project_id: str,
        number: int,
        limits: tuple[LimitDraft, ...],
        parent: int,
        labels: dict[str, str],
        replaces: bool,
        is_template: bool,
        joins: bool,
    ) -> None:
        ids = IDS[project_id]
        missing = [each for each in ids if each not in self.books(project_id).living()]
        budget_ids = missing if missing and number < 8 else ids
        budget_id = budget_ids[number % len(budget_ids)]
        command = CreateBudget(
            project_id=project_id,
            budget_id=budget_id,
            request=self.request(Rpc.CREATE_BUDGET),
            limits=limits,
            labels=labels,
            parent_id=ids[parent] if parent < len(ids) else "",
            is_template=is_template or budget_id == "tpl",
            replace_existing=replaces,
        )
        self.send(command, joins=joins)

    @rule(
        project_id=projects,
        number=numbers,
        limits=st.none() | limit_lists,
        keeps=st.booleans(),
        labels=st.none() | label_sets,
        etag=picks,
        waits=rarely,
        joins=joins,
    )
    def update(
        self,
        project_id: str,
        number: int,
        limits: tuple[LimitDraft, ...] | None,
        keeps: bool,
        labels: dict[str, str] | None,
        etag: int,
        waits: bool,
        joins: bool,
    ) -> None:
        place = self.place(project_id, number)
        account = self.books(project_id).living().get(place["budget_id"])
        if limits is not None and account is not None and keeps:
            # The limits that there are, the new ones among them.
            new = {draft.limit.limit_id for draft in limits}
            old = [rule.limit for rule in account.rules.values() if rule.limit is not None]
            limits += tuple(LimitDraft(limit=limit) for limit in old if limit.limit_id not in new)
        command = UpdateBudget(
            **place,
            request=self.request(Rpc.UPDATE_BUDGET),
            sets_limits=limits is not None,
            limits=limits or (),
            labels=labels,
            etag=self.etag(place, etag),
        )
        prepared = self.rehearsal.prepared(command)
        if waits:
            self.prepared.append(prepared)
        else:
            self.send(prepared, joins=joins)

    @rule(
        project_id=projects,
        number=numbers,
        pick=picks,
        amount=st.integers(0, 30),
        window=windows,
        patterns=patterns,
        mode=st.sampled_from(ResetMode),
        what=st.sampled_from(["amount", "window", "models", "mode", "none"]),
        joins=joins,
    )
    def retune(
        self,
        project_id: str,
        number: int,
        pick: int,
        amount: int,
        window: Window,
        patterns: tuple[str, ...],
        mode: ResetMode,
        what: str,
        joins: bool,
    ) -> None:
        """One thing of one limit is changed, the rest stays."""
        place = self.place(project_id, number)
        account = self.books(project_id).living().get(place["budget_id"])
        limits = [] if account is None else [rule.limit for rule in account.rules.values() if rule.limit is not None]
        if limits:
            limit = limits.pop(pick % len(limits))
            is_main = limit.limit_id == MAIN
            if what == "amount":
                limits.append(replace(limit, amount=amount))
            elif what == "window" and limit.reset_mode is ResetMode.AUTOMATIC:
                limits.append(replace(limit, window=window))
            elif what == "models" and not is_main:
                limits.append(replace(limit, models=patterns))
            elif what == "mode" and is_main and isinstance(limit.window, Fixed):
                limits.append(replace(limit, reset_mode=mode))
        command = UpdateBudget(
            **place,
            request=self.request(Rpc.UPDATE_BUDGET),
            sets_limits=True,
            limits=tuple(LimitDraft(limit=limit) for limit in limits),
        )
        self.send(self.rehearsal.prepared(command), joins=joins)

    @precondition(seldom)
    @rule(project_id=projects, number=numbers, window=windows, cost=costs, joins=joins)
    def spend_meanwhile(self, project_id: str, number: int, window: Window, cost: int, joins: bool) -> None:
        """A budget is charged between the two steps of a recount."""
        place = self.place(project_id, number)
        limit = Limit(amount=30, window=window, action=Action.WARN)
        command = UpdateBudget(
            **place,
            request=self.request(Rpc.UPDATE_BUDGET),
            sets_limits=True,
            limits=(LimitDraft(limit=limit),),
        )
        prepared = self.rehearsal.prepared(command)
        self.send(Charge(**place, request=self.request(Rpc.UPDATE_COST), cost_nano_usd=cost), joins=joins)
        self.send(prepared)

    @precondition(lambda self: self.prepared)
    @rule(joins=joins)
    def finish_update(self, joins: bool) -> None:
        """The second step of an update, after other commands."""
        self.send(self.prepared.pop(), joins=joins)

    @precondition(seldom)
    @rule(project_id=projects, number=numbers, parent=picks, joins=joins)
    def move(self, project_id: str, number: int, parent: int, joins: bool) -> None:
        ids = IDS[project_id]
        command = UpdateBudget(
            **self.place(project_id, number),
            request=self.request(Rpc.UPDATE_BUDGET),
            parent_id=ids[parent] if parent < len(ids) else "",
        )
        self.send(command, joins=joins)

    @precondition(seldom)
    @rule(project_id=projects, number=numbers, force=picks, etag=picks, is_due=rarely, joins=joins)
    def delete(self, project_id: str, number: int, force: int, etag: int, is_due: bool, joins: bool) -> None:
        """A budget that lives is deleted: sometimes the one of the newest hold, if nothing else prevents it."""
        place = self.place(project_id, number)
        if is_due:
            self.await_expiry(project_id)
        books = self.books(project_id)
        held = [books.accounts[each.keys[-1 if number % 2 else 0]] for each in books.holds.values() if each.is_open]
        if held and number % 3 and not held[-1].is_deleted:
            place["budget_id"] = held[-1].budget_id
            force += 3
        request, etag_sent = self.request(Rpc.DELETE_BUDGET), self.etag(place, etag)
        command = DeleteBudget(**place, request=request, force=force > 6, etag=etag_sent)
        self.send(command, joins=joins)

    @precondition(seldom)
    @rule(project_id=projects, number=numbers, limits=limit_lists, parent=picks, joins=joins)
    def create_again(
        self, project_id: str, number: int, limits: tuple[LimitDraft, ...], parent: int, joins: bool
    ) -> None:
        """A budget is deleted with all below it, and its id is taken again in the same transaction."""
        place, ids = self.place(project_id, number), IDS[project_id]
        self.send(DeleteBudget(**place, request=self.request(Rpc.DELETE_BUDGET), force=True), joins=True)
        command = CreateBudget(
            **place,
            request=self.request(Rpc.CREATE_BUDGET),
            limits=limits,
            labels={},
            parent_id=ids[parent] if parent < len(ids) else "",
        )
        self.send(command, joins=joins)
