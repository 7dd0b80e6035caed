"""The working set of one transaction: what the store holds of everything that a batch of commands touches.

A ledger fills it before the commands are decided and writes what has changed in it afterwards. Nothing here outlives
the transaction: there is no truth in memory.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple, Unpack

from budgetd_server.domain.budget import BudgetState, Unit
from budgetd_server.domain.commands import Outcome, R, Requested, Rpc
from budgetd_server.domain.entry import Entry, EntryFields, EntryKind
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.lacking import BudgetPlace, Lacking, StoredParts, StoredTree
from budgetd_server.domain.needs import NoteKey
from budgetd_server.domain.reservation import Reservation, ReservationState


class StoredRequest(NamedTuple):
    """A request id that has taken effect, and what it came to."""

    fingerprint: bytes
    entry_seq: int
    #: See `Result.to_numbers`.
    numbers: tuple[int, ...]


class NewRequest(NamedTuple):
    """A request id that takes effect in this transaction."""

    project_key: int
    rpc: Rpc
    request_id: str
    fingerprint: bytes
    entry_seq: int
    created_at_us: int
    #: See `Result.to_numbers`.
    numbers: tuple[int, ...]


@dataclass(slots=True)
class Corrected:
    """An entry that may be corrected, and what its corrections come to so far, in nano-USD."""

    entry: Entry
    adjusted_nano_usd: int = 0


@dataclass(slots=True)
class Tally:
    """What a transaction has brought about beside its answers, for metrics."""

    #: The units and ratios of limits that have told of themselves.
    alerts: list[tuple[Unit, float]] = field(default_factory=list)
    #: How many holds came to each end, and how many were made.
    holds: dict[str, int] = field(default_factory=dict)
    #: How many charges and settlements had fields that their callers could not read, by dialect.
    unread: dict[str, int] = field(default_factory=dict)
    #: How many charges were steps of other commands, which have no answers of their own, and what they cost.
    charges: int = 0
    charged_nano_usd: int = 0

    def count_charge(self, cost_nano_usd: int) -> None:
        """One more charge that was a step of another command."""
        self.charges += 1
        self.charged_nano_usd += cost_nano_usd

    def count_hold(self, what: str) -> None:
        """One more hold that was made, committed, released, expired or estimated."""
        self.holds[what] = self.holds.get(what, 0) + 1

    def count_unread(self, dialect: str) -> None:
        """One more charge or settlement with unread fields; the dialect is empty if the caller did not give one."""
        self.unread[dialect] = self.unread.get(dialect, 0) + 1


@dataclass(slots=True)
class Project:
    """A namespace, as a transaction sees it."""

    project_id: str
    project_key: int
    #: The newest entry's sequence number; zero before the first.
    last_seq: int = 0
    #: The newest budget's key; zero before the first. Known only if a command creates budgets.
    last_budget_key: int = 0
    is_new: bool = False
    #: True: some budgets whose ancestors are deleted have yet to be noted as such.
    is_deleting: bool = False


_expires_at_us = attrgetter("expires_at_us")


class State:
    """Everything that a batch touches, as loaded and as the batch has changed it so far."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {}
        #: The same by key: a budget knows its project by that.
        self._projects_by_key: dict[int, Project] = {}
        #: The live budgets by (project id, budget id); one that is missing does not exist.
        self.budgets: dict[tuple[str, str], BudgetState] = {}
        #: The newest entry's number of budget ids that have no live budget but once had one.
        self.last_seqs: dict[tuple[str, str], int] = {}
        self.requests: dict[tuple[str, Rpc, str], StoredRequest | NewRequest] = {}
        #: Every budget that is loaded, deleted ones that holds and entries still name among them, by their keys.
        self.by_key: dict[tuple[int, int], BudgetState] = {}
        #: By parent, every budget that was ever right below it, by key; `children` leaves out those that have gone.
        self._below: dict[BudgetPlace, dict[int, BudgetState]] = {}
        #: Budgets that are deleted before the commands are decided: see `finish_deletions`.
        self.unfinished: list[BudgetState] = []
        #: By project key, the budgets below which a Sweep has looked for more to delete.
        self.looked_below: dict[int, list[int]] = {}
        #: By root, subtrees that are too large to be loaded, as they were before the batch.
        self.large_trees: dict[BudgetPlace, StoredTree] = {}
        #: The keys of projects whose trees the batch has changed so far.
        self._changed_trees: set[int] = set()
        #: The keys of projects in which the batch has deleted a large tree, and not all that is below it.
        self.cut_trees: set[int] = set()
        #: By (project id, the number of the entry that made it).
        self.reservations: dict[tuple[str, int], Reservation] = {}
        #: By budget, the holds to be looked at before it refuses anybody or is deleted; those of this batch among them.
        self.holds: dict[tuple[int, int], dict[int, Reservation]] = {}
        #: Entries to be corrected, by (project id, seq), and what their corrections come to so far.
        self.corrected: dict[tuple[str, int], Corrected] = {}
        #: By budget key, the entries that `Needs.chains` asked for, newest first.
        self.chains: dict[tuple[int, int], list[Entry]] = {}

        #: The notes that were asked for, by project id and name.
        self.notes: dict[tuple[str, NoteKey], bytes] = {}

        # What a store was asked for of the budgets that it has; of those that are new there is nothing to ask.
        #: False: no store is behind this, and what is not here is nowhere.
        self.has_store = False
        #: The sums by model, by project key.
        self.stored_parts: dict[int, StoredParts] = defaultdict(StoredParts)
        #: Budgets of which all holds were asked for, and those of which the first were.
        self.asked_holds: set[BudgetPlace] = set()
        self.asked_first_holds: set[BudgetPlace] = set()
        #: Budgets of which those were asked for that were made on them.
        self.asked_own_holds: set[BudgetPlace] = set()
        self._lacking = Lacking()

        # What the transaction writes.
        #: None: it is to be forgotten.
        self.new_notes: dict[tuple[str, NoteKey], bytes | None] = {}
        self.new_entries: list[Entry] = []
        #: Budgets deleted in this batch that may have others below them, whose deletion follows; with its request id.
        self.deleted_above: list[tuple[BudgetState, str]] = []
        self.new_requests: list[NewRequest] = []

        # What is told to metrics once it is durable.
        self.tally: Tally = Tally()

    def add_project(self, project: Project) -> None:
        """Take in a project, before its budgets."""
        self.projects[project.project_id] = self._projects_by_key[project.project_key] = project

    def project_of(self, owned: BudgetState | Reservation) -> Project:
        """The project of a budget or a reservation."""
        return self._projects_by_key[owned.project_key]

    def add_budget(self, budget: BudgetState) -> None:
        """Take in a budget that the store has, or that is new."""
        self.by_key[(budget.project_key, budget.budget_key)] = budget
        if budget.models_count:
            budget.stored_parts = self.stored_parts[budget.project_key]
        if budget.is_new:
            self._changed_trees.add(budget.project_key)
        if budget.deleted_at_us is None:
            self.budgets[(self.project_of(budget).project_id, budget.budget_id)] = budget
            if budget.parent_key is not None:
                self._below.setdefault((budget.project_key, budget.parent_key), {})[budget.budget_key] = budget

    def parent(self, budget: BudgetState) -> BudgetState | None:
        """The budget above; None: it is a root."""
        return None if budget.parent_key is None else self.by_key[(budget.project_key, budget.parent_key)]

    def children(self, budget: BudgetState) -> list[BudgetState]:
        """The live budgets right below, in order of creation, if a command that needs its subtree is in the batch."""
        place = (budget.project_key, budget.budget_key)
        if place in self.large_trees:
            self._lacking.is_entangled = True  # A command before has brought it below this one's budget.
        return self.loaded_children(budget)

    def loaded_children(self, budget: BudgetState) -> list[BudgetState]:
        """Those of the live budgets right below that are loaded, in order of creation."""
        below = self._below.get((budget.project_key, budget.budget_key))
        if below is None:
            return []
        own = budget.budget_key
        return [
            below[key] for key in sorted(below) if below[key].parent_key == own and below[key].deleted_at_us is None
        ]

    def large_tree(self, budget: BudgetState) -> StoredTree | None:
        """What is known of a budget's subtree, if that is too large to be loaded; None: `children` has all of it."""
        tree = self.large_trees.get((budget.project_key, budget.budget_key))
        if tree is not None and budget.project_key in self._changed_trees:
            self._lacking.is_entangled = True
        return tree

    def is_deleting(self, budget: BudgetState) -> bool:
        """True if open holds in the budget's project may be those of budgets whose ancestors are deleted.

        Their budgets are loaded, then.
        """
        project = self.project_of(budget)
        if project.project_key in self.cut_trees:
            self._lacking.is_entangled = True  # Of a tree that this batch has deleted, they are not.
        return project.is_deleting

    def move(self, budget: BudgetState, parent: BudgetState | None) -> None:
        """Put a budget below another one; None: make it a root."""
        self._changed_trees.add(budget.project_key)
        budget.parent_key = None if parent is None else parent.budget_key
        budget.parent_id = "" if parent is None else parent.budget_id
        if parent is not None:
            self._below.setdefault((parent.project_key, parent.budget_key), {})[budget.budget_key] = budget

    def note_deleted(self, budget: BudgetState) -> None:
        """Write that a budget is deleted, and take it from those that live; its newest entry stays known."""
        budget.is_configured = True
        key = (self.project_of(budget).project_id, budget.budget_id)
        self.budgets.pop(key, None)
        self.last_seqs[key] = budget.last_seq
        self._changed_trees.add(budget.project_key)

    def add_reservation(self, reservation: Reservation) -> None:
        """Take in a reservation that the store has, or that is new."""
        self.reservations[(self.project_of(reservation).project_id, reservation.seq)] = reservation
        if reservation.is_open:
            for key in (reservation.budget_key, *reservation.other_keys):
                self.holds.setdefault((reservation.project_key, key), {})[reservation.seq] = reservation

    @property
    def lacking(self) -> Lacking:
        """What the commands so far have looked for and nobody had asked the store for: what they came to is void."""
        for project_key, parts in self.stored_parts.items():
            if parts.lacking:
                self._lacking.models[project_key] |= parts.lacking
        return self._lacking

    def open_holds(self, budget: BudgetState) -> list[Reservation]:
        """The open holds on a budget, oldest first."""
        place = (budget.project_key, budget.budget_key)
        if self.has_store and place not in self.asked_holds and not budget.is_new:
            self._lacking.holds.add(place)
        holds = self.holds.get(place)
        return [] if holds is None else [holds[seq] for seq in sorted(holds) if holds[seq].is_open]

    def own_holds(self, budget: BudgetState) -> list[Reservation]:
        """The open holds that were made on a budget, oldest first."""
        place = (budget.project_key, budget.budget_key)
        if self.has_store and place not in self.asked_own_holds and not budget.is_new:
            self.open_holds(budget)  # Asks for them.
        holds = self.holds.get(place, {})
        return [holds[seq] for seq in sorted(holds) if holds[seq].is_open and holds[seq].budget_key == place[1]]

    def next_holds(self, budget: BudgetState) -> list[Reservation]:
        """The same, those that expire first in front. A refusal asks, and there may be many: the first few will do."""
        place = (budget.project_key, budget.budget_key)
        if self.has_store and place not in self.asked_first_holds and not budget.is_new:
            self._lacking.first_holds.add(place)
        holds = self.holds.get(place)
        if holds is None:
            return []
        found = [each for each in holds.values() if each.state is ReservationState.OPEN]
        found.sort(key=_expires_at_us)
        return found

    def budget(self, project_id: str, budget_id: str) -> BudgetState:
        """The live budget of that id.

        Raises:
            BudgetNotFound: There is none.
        """
        budget = self.budgets.get((project_id, budget_id))
        if budget is None:
            raise BudgetNotFound(project_id, budget_id)
        return budget

    def append(self, budget: BudgetState, kind: EntryKind, now_us: int, **fields: Unpack[EntryFields]) -> Entry:
        """Write the next entry of a budget; see Entry for the fields beyond its place."""
        project_key = budget.project_key
        project = self._projects_by_key[project_key]
        seq = project.last_seq + 1
        entry = Entry(
            project_key=project_key,
            seq=seq,
            budget_key=budget.budget_key,
            previous_seq=budget.last_seq,
            kind=kind,
            created_at_us=now_us,
            **fields,
        )
        project.last_seq = budget.last_seq = seq
        budget.is_counted = True
        self.new_entries.append(entry)
        return entry

    def remember(self, command: Requested[R], rpc: Rpc, outcome: Outcome[R], now_us: int) -> None:
        """Keep a request id and what it came to, so that a retry finds both."""
        request, project_id = command.request, command.project_id
        project = self.projects[project_id]
        # A project is made by its first entry; before that nothing can have taken effect in it.
        if not project.last_seq:
            return
        request_id, fingerprint = request
        new = NewRequest(
            project.project_key,
            rpc,
            request_id,
            fingerprint,
            outcome.entry_seq,
            now_us,
            outcome.result.to_numbers(),
        )
        self.requests[(project_id, rpc, request_id)] = new
        self.new_requests.append(new)

    def keep_note(self, key: tuple[str, NoteKey], note: bytes | None) -> None:
        """Keep a note of a project that exists, or is made in this batch. None: it is forgotten."""
        if note is None and key[0] not in self.projects:
            return
        self.new_notes[key] = note
        if note is None:
            self.notes.pop(key, None)
        else:
            self.notes[key] = note

    def entries_after(self, budget: BudgetState, seq: int) -> Iterable[Entry]:
        """The entries above a number that count on a budget, newest first: those of this batch, then those loaded."""
        own = (budget.project_key, budget.budget_key)
        for entry in reversed(self.new_entries):
            if entry.project_key == own[0] and entry.seq > seq and own[1] in (entry.budget_key, *entry.other_keys):
                yield entry
        yield from (entry for entry in self.chains.get(own, ()) if entry.seq > seq)

    def changed_budgets(self) -> list[BudgetState]:
        """The budgets that the store has to write: first the deleted ones, whose ids may have been taken anew."""
        changed = [budget for budget in self.by_key.values() if budget.is_counted or budget.is_configured]
        changed.sort(key=lambda budget: budget.deleted_at_us is None)
        return changed
