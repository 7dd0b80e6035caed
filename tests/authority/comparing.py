"""Carries out one history on a store and on the slow model, and checks that both do the same."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from budgetd_server.domain.budget import Action, BudgetState, Counter, Sums, Unit
from budgetd_server.domain.commands import Charge, Command, Outcome, ReserveCost, UpdateBudget
from budgetd_server.domain.entry import Cause, Entry, EntryKind
from budgetd_server.domain.errors import Refusal
from budgetd_server.domain.recount import StaleRecount
from budgetd_server.domain.reservation import ReservationState
from budgetd_server.domain.status import budget_status, limit_statuses
from tests.authority.slow_books import Account, Books, Line, tokens_of
from tests.authority.slow_model import Answer, SlowModel, Standing
from tests.authority.stores import Kept, Place, Store, with_first_step
from tests.domain.desk import DAY_US

#: Kinds of entries of which a request id writes at most one.
_ONCE = (EntryKind.CHARGE, EntryKind.HOLD, EntryKind.SETTLE, EntryKind.ADJUST, EntryKind.CREATE, EntryKind.UPDATE)


class Rehearsal:
    """Sends commands to a store and lets the model carry them out.

    Args:
        store: An empty one.
        places: All budgets that there may be.
        model: One that knows nothing yet.
        now_us: The time at which it begins.
    """

    def __init__(self, store: Store, places: Sequence[Place], model: SlowModel, now_us: int) -> None:
        self.model = model
        self.now_us = now_us
        self._store = store
        self._places = places
        self._entries: dict[str, Sequence[Entry]] = {project_id: [] for project_id in model.books}

    def transact(self, commands: Sequence[Command[Any]]) -> None:
        """Carry out a batch in one transaction, and compare everything.

        Raises:
            AssertionError: Store and model disagree, or an invariant is broken.
        """
        stale = self._commit(commands)
        self._compare_all()
        for command in stale:
            again = with_first_step(self._store, replace(command, recount=None), self.now_us)
            assert self._commit([again]) == [], "what was counted at the same moment is stale"
            self._compare_all()

    def prepared(self, command: UpdateBudget) -> UpdateBudget:
        """An update with the first step of its recount, as of now."""
        return with_first_step(self._store, command, self.now_us)

    def _commit(self, commands: Sequence[Command[Any]]) -> list[UpdateBudget]:
        """Carry out a batch; returns the updates whose recount was stale."""
        stale = []
        for command, result in zip(commands, self._store.commit(commands, self.now_us), strict=True):
            if isinstance(result, StaleRecount):
                assert isinstance(command, UpdateBudget)
                stale.append(command)
            else:
                self._compare(command, self.model.carry_out(command, self.now_us), result)
        return stale

    # --- What it answers.

    def _compare(self, command: Command[Any], expected: Answer, result: Outcome[Any] | Refusal) -> None:
        if isinstance(result, Refusal):
            assert result.reason == expected.refusal, f"{command}: {result!r}, and not {expected}"
            return
        number, *more = result.result.to_numbers() or (0,)
        answer = Answer("", result.entry_seq, number, result.replayed, tuple(more))
        assert answer == expected, f"{command}: {answer}, and not {expected}"
        own = self.model.books[command.project_id].living().get(getattr(command, "budget_id", ""))
        if result.budget is not None and own is not None:
            spent = self.model.spent(command.project_id, own, self.now_us)
            assert result.budget.current_cost_nano_usd == spent, f"{command}: the budget has spent {spent}"
        accounts = self.model.reported_accounts
        if accounts is None or any(account.is_deleted for account in accounts):
            return
        standings = [
            each for account in accounts for each in self.model.standings(command.project_id, account, self.now_us)
        ]
        if standings:
            told_limits = [Standing(*each[:4], each.held) for each in result.limits]
            assert told_limits == standings, f"{command}: {told_limits}, and not {standings}"
        if isinstance(command, ReserveCost) or (isinstance(command, Charge) and command.rejects_over_limit):
            self._check_admission(command, result, accounts)

    def _check_admission(
        self, command: Charge | ReserveCost, result: Outcome[Any], accounts: Sequence[Account]
    ) -> None:
        """Invariant 4: no admission makes spent and held pass a limit that blocks."""
        tokens = command.usage.tokens if command.usage is not None else 0
        parts = {Unit.NANO_USD: result.result.to_numbers()[0], Unit.TOKENS: tokens, Unit.CALLS: 1}
        rules = [rule for account in accounts for rule in account.rules.values() if rule.limit is not None]
        statuses = result.limits or ()
        for rule, status in zip(rules, statuses, strict=bool(statuses)):
            limit = rule.limit
            assert limit is not None
            if limit.action is Action.BLOCK and limit.matches(command.model, command.other_names):
                assert not parts[limit.unit] or status.spent + status.held <= limit.amount, "invariant 4"

    # --- What it keeps.

    def _compare_all(self) -> None:
        budgets = self._store.budgets(self._places)
        for project_id, books in self.model.books.items():
            entries = self._store.entries(project_id)
            self._compare_entries(entries, self._entries[project_id], books)
            self._entries[project_id] = entries
            reservations = self._store.reservations(project_id)
            self._compare_reservations(reservations, books)
            living = {budget_id: budget for (owner, budget_id), budget in budgets.items() if owner == project_id}
            assert living.keys() == books.living().keys()
            for budget_id, account in books.living().items():
                self._compare_budget(living[budget_id], account, books)
                check_invariants(living[budget_id], entries, reservations)

    def _compare_entries(self, entries: Sequence[Entry], before: Sequence[Entry], books: Books) -> None:
        """Invariants 5 and 6, and that the new entries are what the model expects."""
        assert entries[: len(before)] == before, "an entry has changed"
        assert all(older.seq < newer.seq for older, newer in pairwise(entries)), "invariant 6"
        written = [_line_of(entry) for entry in entries[len(before) :]]
        assert written == books.lines[len(before) :], "other entries were written"
        newest: dict[str, int] = {}
        for entry in entries:
            budget_id = books.accounts[entry.budget_key].budget_id
            assert entry.previous_seq == newest.get(budget_id, 0), "the chain of a budget id is broken"
            newest[budget_id] = entry.seq
        # What a template makes is made under the request id of the charge or hold.
        caused = [entry for entry in entries if entry.kind in _ONCE and entry.cause is not Cause.FROM_TEMPLATE]
        effects = [(entry.kind, entry.request_id) for entry in caused]
        assert len(effects) == len(set(effects)), "invariant 5"

    def _compare_reservations(self, reservations: Mapping[int, Kept], books: Books) -> None:
        assert reservations.keys() == books.holds.keys()
        for seq, hold in books.holds.items():
            kept = reservations[seq]
            assert (kept.state, kept.expires_at_us) == (hold.state, hold.expires_at_us)
            if kept.state in (ReservationState.OPEN, ReservationState.ESTIMATED):
                assert (kept.nano_usd, kept.tokens, kept.calls) == tuple(hold.kept.of(unit) for unit in Unit)

    def _compare_budget(self, budget: BudgetState, account: Account, books: Books) -> None:
        parent_id = "" if account.parent_key is None else books.accounts[account.parent_key].budget_id
        is_as = (budget.budget_key, budget.parent_key, budget.parent_id, budget.is_template, dict(budget.labels))
        assert is_as == (account.key, account.parent_key, parent_id, account.is_template, dict(account.labels))
        assert (budget.etag, budget.created_at_us) == (account.etag, account.created_at_us)
        assert budget.lifetime_cost_nano_usd == books.lifetime(account)
        counters = dict(zip(["", *budget.named], budget.counters(), strict=True))
        assert list(counters) == list(account.rules)
        for name, counter in counters.items():
            rule = account.rules[name]
            has = (counter.limit, counter.span, counter.since_seq)
            assert has == (rule.limit, rule.span, rule.since), f"{account.budget_id} {name!r}: {has}, and not {rule}"
            assert counter.spent == books.spent(account, rule), f"spent of {name!r}"
            assert counter.held == books.held(account, rule), f"held of {name!r}"
        assert budget.models == books.by_model(account)
        assert budget.models_count == len(budget.models) <= books.models_max + 1
        total = Sums()
        for sums in budget.models.values():
            total.merge(sums)
        assert budget.main.sums == total
        for at_us in self._instants(account, len(books.lines)):
            found = [Standing(*each[:4], each.held) for each in limit_statuses(budget, at_us)]
            assert found == self.model.standings(books.project_id, account, at_us)
            spent = self.model.spent(books.project_id, account, at_us)
            assert budget_status(budget, at_us).current_cost_nano_usd == spent

    def _instants(self, account: Account, turn: int) -> tuple[int, int]:
        """Now, and in turn one before, one after, or one at a bound of the main window."""
        bounds = [each - by for each in account.rules[""].span if each is not None for by in (0, 1)]
        others = [self.now_us + 7_200 * 10**6, self.now_us - 10 * DAY_US, *bounds]
        return self.now_us, others[turn % len(others)]


def check_invariants(budget: BudgetState, entries: Sequence[Entry], reservations: Mapping[int, Kept]) -> None:
    """Invariants 1 and 2 and that nothing is below zero, from the store's own entries, holds and `since_seq`."""
    key = budget.budget_key
    own = [entry for entry in entries if key in (entry.budget_key, *entry.other_keys)]
    assert budget.lifetime_cost_nano_usd == sum(entry.cost_nano_usd for entry in own), "invariant 2"
    open_holds = [entry for entry in own if entry.kind is EntryKind.HOLD and _is_open(reservations[entry.seq])]
    for counter in budget.counters():
        counted = [entry for entry in own if _counts(counter, entry)]
        spent = [
            {
                Unit.NANO_USD: entry.cost_nano_usd,
                Unit.TOKENS: tokens_of(entry.usage),
                Unit.CALLS: entry.calls,
            }[counter.unit]
            for entry in counted
        ]
        assert counter.spent == sum(spent) >= 0, "invariant 1"
        kept = [reservations[entry.seq] for entry in open_holds if _matches(counter, entry)]
        held = [
            {Unit.NANO_USD: each.nano_usd, Unit.TOKENS: each.tokens, Unit.CALLS: each.calls}[counter.unit]
            for each in kept
        ]
        assert counter.held == sum(held) >= 0, "invariant 1"


def _is_open(kept: Kept) -> bool:
    return kept.state is ReservationState.OPEN


def _matches(counter: Counter, entry: Entry) -> bool:
    return counter.limit is None or counter.limit.matches(entry.model, entry.other_names)


def _counts(counter: Counter, entry: Entry) -> bool:
    since, corrected = counter.since_seq, entry.adjusted_seq
    return entry.seq > since and (corrected is None or corrected > since) and _matches(counter, entry)


def _line_of(entry: Entry) -> Line:
    return Line(
        entry.seq,
        entry.budget_key,
        entry.kind,
        entry.created_at_us,
        entry.cost_nano_usd,
        entry.usage,
        entry.calls,
        entry.model,
        entry.other_names,
        entry.other_keys,
        entry.reservation_seq,
        entry.adjusted_seq,
        entry.limit_id,
        entry.reason,
        entry.cause,
        entry.is_late,
        entry.is_estimated,
        entry.overage_nano_usd,
        entry.request_id,
        entry.windows_skipped,
    )
