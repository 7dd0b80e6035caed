"""Plays a random history to a store and to the naive model, and compares the two after every transaction."""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Protocol

from budgetd_server.domain.bounds import OTHER_MODELS
from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import AdjustCost, Charge, Outcome, Requested, Rpc, UpdateBudget
from budgetd_server.domain.decide import decide
from budgetd_server.domain.entry import Entry, EntryKind
from budgetd_server.domain.errors import Refusal
from budgetd_server.domain.recount import StaleRecount
from budgetd_server.domain.status import budget_status
from tests.domain.desk import DAY_US, Desk
from tests.domain.histories import ETAG_ANY, ETAG_NOW, PLACES, PROJECTS, START_US, Batch, Step
from tests.domain.naive_model import Account, NaiveModel, Told

Place = tuple[str, str]
Result = Outcome[Any] | Refusal | StaleRecount


class Store(Protocol):
    """Something that carries out batches."""

    def commit(self, commands: Sequence[Requested[Any]], now_us: int) -> list[Result]:
        """Carry out a batch in one transaction."""

    def budgets(self) -> Mapping[Place, BudgetState]:
        """The live ones of PLACES, with all their models."""

    def entries(self, project_id: str) -> Sequence[tuple[str, Entry]]:
        """All entries of a project with the ids of their budgets, oldest first."""

    def first_step(self, command: UpdateBudget, now_us: int) -> UpdateBudget:
        """The command with the first step of the recount that it needs."""


class MemoryStore:
    """A working set kept in memory; makes sure that whoever is refused leaves it as it was."""

    def __init__(self) -> None:
        self._desk = Desk(*PROJECTS)

    def commit(self, commands: Sequence[Requested[Any]], now_us: int) -> list[Result]:
        """See Store."""
        return [self._decided(command, now_us) for command in commands]

    def budgets(self) -> Mapping[Place, BudgetState]:
        """See Store."""
        return self._desk.state.budgets

    def entries(self, project_id: str) -> Sequence[tuple[str, Entry]]:
        """See Store."""
        known = self._desk.state.by_key.values()
        ids = {(budget.project_key, budget.budget_key): budget.budget_id for budget in known}
        entries = self._desk.entries(project_id=project_id)
        return [(ids[(entry.project_key, entry.budget_key)], entry) for entry in entries]

    def first_step(self, command: UpdateBudget, now_us: int) -> UpdateBudget:
        """See Store."""
        self._desk.now_us = now_us
        return self._desk.with_recount(command)

    def _decided(self, command: Requested[Any], now_us: int) -> Result:
        before = pickle.dumps(vars(self._desk.state))
        result: Result
        try:
            return decide(self._desk.state, command, now_us)
        except (Refusal, StaleRecount) as refusal:
            result = refusal
        assert vars(self._desk.state) == pickle.loads(before), f"{result!r} has left something behind"
        return result


class Rehearsal:
    """One history on one store.

    Args:
        store: An empty one.
        models_max: How many models the store counts apart.
    """

    def __init__(self, store: Store, *, models_max: int) -> None:
        self._store = store
        self._model = NaiveModel(models_max)
        self._now_us = START_US
        self._sent: list[Requested[Any]] = []
        self._first_etags: dict[Place, str] = {}
        #: Updates whose first step is done, by the number of the batch in which they are sent.
        self._later: dict[int, list[Requested[Any]]] = {}
        self._entries: dict[str, list[tuple[str, Entry]]] = {project_id: [] for project_id in PROJECTS}

    def play(self, history: Sequence[Batch]) -> None:
        """Carry out a history.

        Raises:
            AssertionError: Store and model disagree, or an invariant is broken.
        """
        for number, batch in enumerate(history):
            self._now_us += batch.jump_us
            commands = [self._command(step, number) for step in batch.steps]
            self._transact([*(each for each in commands if each is not None), *self._later.pop(number, ())])
            self.check()

    def check(self) -> None:
        """Compare everything."""
        budgets = self._store.budgets()
        assert set(budgets) == set(self._model.accounts)
        for project_id in PROJECTS:
            entries = list(self._store.entries(project_id))
            self._check_entries(project_id, entries)
            self._entries[project_id] = entries
        for place, budget in budgets.items():
            account = self._model.accounts[place]
            self._check_invariants(budget, [entry for _, entry in self._entries[place[0]]])
            self._check_budget(budget, account)
            self._first_etags.setdefault(place, budget.etag)

    def _command(self, step: Step, number: int) -> Requested[Any] | None:
        """What a step sends; None: nothing, or not yet."""
        if step.kind == "again":
            return self._sent[-min(max(step.reuses, 1), len(self._sent))]
        request_id = None
        if step.reuses and len(self._sent) >= step.reuses:
            request_id = self._sent[-step.reuses].request.request_id
        budget = self._store.budgets().get(step.place)
        etag = step.etag
        if etag != ETAG_ANY:
            etag = budget.etag if etag == ETAG_NOW and budget is not None else self._first_etags.get(step.place, "")
        command = step.command(request_id, etag)
        self._sent.append(command)
        if isinstance(command, UpdateBudget) and step.delay:
            prepared = self._store.first_step(command, self._now_us)
            self._later.setdefault(number + step.delay, []).append(prepared)
            return None
        return command

    def _transact(self, commands: list[Requested[Any]]) -> None:
        batch: list[Requested[Any]] = []
        recounted: set[Place] = set()
        for command in commands:
            place = (command.project_id, getattr(command, "budget_id", ""))
            if isinstance(command, AdjustCost) and place in recounted:
                continue  # Which models a recount counts apart can be read only after the commit.
            if isinstance(command, UpdateBudget):
                recounted.add(place)
                prepared = command if command.recount is not None else self._store.first_step(command, self._now_us)
                batch.append(prepared)
            else:
                batch.append(command)
        stale = self._commit(batch)
        self._adopt_names(recounted)
        for command in stale:
            again = self._store.first_step(replace(command, recount=None), self._now_us)
            assert self._commit([again]) == [], "what was counted at the same moment is not stale"
            self._adopt_names(recounted)

    def _commit(self, batch: Sequence[Requested[Any]]) -> list[UpdateBudget]:
        """Carry out a batch; returns the updates whose recount was stale."""
        stale = []
        for command, result in zip(batch, self._store.commit(batch, self._now_us), strict=True):
            if isinstance(result, StaleRecount):
                assert isinstance(command, UpdateBudget)
                stale.append(command)
            else:
                self._compare(command, self._model.tell(command, self._now_us), result)
        return stale

    def _compare(self, command: Requested[Any], told: Told, result: Outcome[Any] | Refusal) -> None:
        if isinstance(result, Refusal):
            assert result.reason == told.refusal, f"{command}: {result!r}, and not {told}"
            return
        number, *_ = result.result.to_numbers() or (0,)
        assert Told("", result.entry_seq, number, result.replayed) == told, str(command)
        account = self._model.accounts.get((command.project_id, getattr(command, "budget_id", "")))
        if account is not None:
            spent = self._model.spent(account, self._now_us)
            assert [limit.spent for limit in result.limits] in ([], [spent]), str(command)
            assert result.budget is None or result.budget.current_cost_nano_usd == spent, str(command)
            assert not isinstance(command, Charge) or len(result.limits) == (account.limit is not None)

    def _adopt_names(self, places: set[Place]) -> None:
        """Which of too many models a recount counts apart is its own affair; that it counts enough of them is not."""
        budgets = self._store.budgets()
        for place in places & set(self._model.accounts):
            account, names = self._model.accounts[place], set(budgets[place].models)
            if len(account.names) > self._model.models_max:
                assert names - {OTHER_MODELS} <= account.names
                assert self._model.models_max <= len(names) <= self._model.models_max + 1
                account.names = names

    def _check_entries(self, project_id: str, entries: list[tuple[str, Entry]]) -> None:
        """Invariant 6: numbers only grow, and entries never change. And they are what the model expects."""
        before = self._entries[project_id]
        assert entries[: len(before)] == before, "an entry has changed"
        newest: dict[str, int] = {}
        for (budget_id, entry), line in zip(entries, self._model.lines.get(project_id, ()), strict=True):
            expected = (line.seq, line.key, newest.get(line.budget_id, 0), line.kind, line.at_us, line.cost_nano_usd)
            assert budget_id == line.budget_id
            assert entry[1:7] == expected
            assert (entry.usage, entry.model, entry.request_id) == (line.usage, line.model, line.request_id)
            assert (entry.reason, entry.cause, entry.windows_skipped) == (line.reason, line.cause, line.skipped)
            newest[line.budget_id] = line.seq
        assert all(older.seq < newer.seq for (_, older), (_, newer) in pairwise(entries))
        self._check_effects([entry for _, entry in entries])

    def _check_effects(self, entries: list[Entry]) -> None:
        """Invariant 5: under a request id of an RPC there is one effect; resets on duration write two rolls at most."""
        scopes = {
            EntryKind.CHARGE: Rpc.UPDATE_COST,
            EntryKind.ADJUST: Rpc.ADJUST_COST,
            EntryKind.CREATE: Rpc.CREATE_BUDGET,
            EntryKind.UPDATE: Rpc.UPDATE_BUDGET,
            EntryKind.DELETE: Rpc.DELETE_BUDGET,
        }
        effects = [(scopes[entry.kind], entry.request_id) for entry in entries if entry.kind in scopes]
        assert len(effects) == len(set(effects)), "a request id has taken effect twice"

    def _check_invariants(self, budget: BudgetState, entries: list[Entry]) -> None:
        """Invariants 1 and 2, from the store's own entries and its own `since_seq`."""
        money = [each for each in entries if each.kind in (EntryKind.CHARGE, EntryKind.ADJUST)]
        own = [entry for entry in money if entry.budget_key == budget.budget_key]
        counted = [entry for entry in own if entry.seq > budget.main.since_seq]
        assert budget.main.sums.cost_nano_usd == sum(entry.cost_nano_usd for entry in counted), "invariant 1"
        assert budget.lifetime_cost_nano_usd == sum(entry.cost_nano_usd for entry in own), "invariant 2"
        assert all(sums.cost_nano_usd >= 0 for sums in (budget.main.sums, *budget.models.values()))
        assert len(budget.models) == budget.models_count <= self._model.models_max + 1

    def _check_budget(self, budget: BudgetState, account: Account) -> None:
        model = self._model
        assert budget.main.sums == model.sums(account)
        assert budget.lifetime_cost_nano_usd == model.lifetime(account)
        assert budget.models == model.by_model(account)
        assert tuple(budget.main.span) == account.window
        assert (budget.main.limit, budget.labels) == (account.limit, account.labels)
        assert (budget.created_at_us, budget.etag) == (account.created_at_us, f"{account.key}-{account.version}")
        assert budget.last_seq == max(
            line.seq for line in model.lines[account.project_id] if line.budget_id == account.budget_id
        )
        instants = {self._now_us, self._now_us - 10 * DAY_US, self._now_us + 10 * DAY_US}
        instants |= {each + by for each in account.window if each is not None for by in (-1, 0)}
        for at_us in instants:
            status = budget_status(budget, at_us)
            assert status.current_cost_nano_usd == model.spent(account, at_us)
            assert [limit.spent for limit in status.limits] in ([], [status.current_cost_nano_usd])


def play(history: Sequence[Batch], *, models_max: int) -> None:
    """Play a history on a working set in memory."""
    assert {step.place for batch in history for step in batch.steps} <= set(PLACES)
    Rehearsal(MemoryStore(), models_max=models_max).play(history)
