"""The working set of one transaction: what the store holds of everything that a batch of commands touches.

A ledger fills it before the commands are decided and writes what has changed in it afterwards. Nothing here outlives
the transaction: there is no truth in memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    Command,
    CreateBudget,
    Outcome,
    ResetManyOnDuration,
    Rpc,
    UpdateBudget,
)
from budgetd_server.domain.entry import Entry, EntryKind
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.usage import Usage


class StoredRequest(NamedTuple):
    """A request id that has taken effect, and what it came to."""

    fingerprint: bytes
    entry_seq: int
    result: int


class NewRequest(NamedTuple):
    """A request id that takes effect in this transaction."""

    project_key: int
    rpc: Rpc
    request_id: str
    fingerprint: bytes
    entry_seq: int
    result: int
    created_at_us: int


@dataclass(slots=True)
class Project:
    """A namespace, as a transaction sees it."""

    project_key: int
    #: The newest entry's sequence number; zero before the first.
    last_seq: int = 0
    #: The newest budget's key; zero before the first. Known only if a command creates budgets.
    last_budget_key: int = 0
    is_new: bool = False


@dataclass(slots=True)
class Needs:
    """What a batch of commands touches, so that a ledger can load it in a few statements. Ids repeat freely."""

    #: Project id → budget ids.
    budgets: dict[str, set[str]] = field(default_factory=dict)
    #: (project id, budget id, model)s whose sums may change.
    models: set[tuple[str, str, str]] = field(default_factory=set)
    #: (project id, rpc) → request ids.
    requests: dict[tuple[str, Rpc], list[str]] = field(default_factory=dict)
    #: Projects in which budgets may be created.
    creating: set[str] = field(default_factory=set)
    #: (project id, budget id) → seq: all entries of that budget id above that sequence number.
    chains: dict[tuple[str, str], int] = field(default_factory=dict)


def needs_of(commands: Sequence[Command]) -> Needs:
    """What a batch of commands touches."""
    needs = Needs()
    budgets, models, requests = needs.budgets, needs.models, needs.requests
    for command in commands:
        project_id = command.project_id
        if isinstance(command, Charge):
            budgets.setdefault(project_id, set()).add(command.budget_id)
            models.add((project_id, command.budget_id, command.model))
            requests.setdefault((project_id, Rpc.UPDATE_COST), []).append(command.request.request_id)
            continue
        requests.setdefault((project_id, command.rpc), []).append(command.request.request_id)
        if isinstance(command, ResetManyOnDuration):
            budgets.setdefault(project_id, set()).update(command.budget_ids)
            continue
        budgets.setdefault(project_id, set()).add(command.budget_id)
        if isinstance(command, AdjustCost):
            models.add((project_id, command.budget_id, command.model))
        elif isinstance(command, CreateBudget):
            needs.creating.add(project_id)
        elif isinstance(command, UpdateBudget) and command.recount is not None:
            # Several recounts of one budget in a batch were begun at different times: the oldest needs most.
            chain, seq = (project_id, command.budget_id), command.recount.until_seq
            needs.chains[chain] = min(seq, needs.chains.get(chain, seq))
    return needs


class State:
    """Everything that a batch touches, as loaded and as the batch has changed it so far."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {}
        #: The live budgets by (project id, budget id); one that is missing does not exist.
        self.budgets: dict[tuple[str, str], BudgetState] = {}
        #: The newest entry's number of budget ids that have no live budget but once had one.
        self.last_seqs: dict[tuple[str, str], int] = {}
        self.requests: dict[tuple[str, Rpc, str], StoredRequest | NewRequest] = {}
        #: By budget key, the entries that `Needs.chains` asked for, newest first.
        self.chains: dict[tuple[int, int], list[Entry]] = {}

        # What the transaction writes.
        self.new_entries: list[Entry] = []
        self.new_requests: list[NewRequest] = []
        self.deleted_budgets: list[BudgetState] = []

    def budget(self, project_id: str, budget_id: str) -> BudgetState:
        """The live budget of that id.

        Raises:
            BudgetNotFound: There is none.
        """
        budget = self.budgets.get((project_id, budget_id))
        if budget is None:
            raise BudgetNotFound(project_id, budget_id)
        return budget

    def append(  # noqa: PLR0913 - the fields of an entry; by name they would take as long as the rest of it.
        self,
        project_id: str,
        budget: BudgetState,
        kind: EntryKind,
        now_us: int,
        *,
        cost_nano_usd: int = 0,
        usage: Usage | None = None,
        model: str = "",
        request_id: str = "",
        labels: Mapping[str, str] | None = None,
        reason: str = "",
        event_at_us: int | None = None,
        price_version: str = "",
        windows_skipped: int = 0,
    ) -> Entry:
        """Write the next entry of a budget; see Entry for the fields beyond its place."""
        project = self.projects[project_id]
        seq = project.last_seq + 1
        entry = Entry(
            project.project_key,
            seq,
            budget.budget_key,
            budget.last_seq,
            kind,
            now_us,
            cost_nano_usd,
            usage,
            model,
            request_id,
            labels,
            reason,
            event_at_us,
            price_version,
            windows_skipped,
        )
        project.last_seq = budget.last_seq = seq
        budget.is_counted = True
        self.new_entries.append(entry)
        return entry

    def remember(self, command: Command, rpc: Rpc, outcome: Outcome, now_us: int) -> None:
        """Keep a request id and what it came to, so that a retry finds both."""
        request, project_id = command.request, command.project_id
        # A project is made by its first entry; before that nothing can have taken effect in it.
        if not self.projects[project_id].last_seq:
            return
        request_id, fingerprint = request
        new = NewRequest(
            self.projects[project_id].project_key,
            rpc,
            request_id,
            fingerprint,
            outcome.entry_seq,
            outcome.result,
            now_us,
        )
        self.requests[(project_id, rpc, request_id)] = new
        self.new_requests.append(new)

    def entries_after(self, budget: BudgetState, seq: int) -> Iterable[Entry]:
        """A budget's entries above a sequence number, newest first: those of this batch, then those loaded."""
        own = (budget.project_key, budget.budget_key)
        for entry in reversed(self.new_entries):
            if (entry.project_key, entry.budget_key) == own and entry.seq > seq:
                yield entry
        yield from (entry for entry in self.chains.get(own, ()) if entry.seq > seq)

    def changed_budgets(self) -> list[BudgetState]:
        """The budgets that the store has to write: first the deleted ones, whose ids may have been taken anew."""
        changed = [budget for budget in self.budgets.values() if budget.is_counted or budget.is_configured]
        return self.deleted_budgets + changed
