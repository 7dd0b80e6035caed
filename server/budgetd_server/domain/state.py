"""The working set of one transaction: the stored state of everything that a batch of commands touches.

A ledger fills it before the commands are decided, and writes its changes afterwards. Nothing here outlives the
transaction: the server keeps no state in memory.
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
    """A request id that has taken effect, and its result."""

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
    """An entry that may be corrected, and the sum of its corrections so far, in nano-USD."""

    entry: Entry
    adjusted_nano_usd: int = 0


@dataclass(slots=True)
class Tally:
    """What a transaction has done in addition to its answers, for metrics."""

    #: The units and ratios of the alerts that have fired.
    alerts: list[tuple[Unit, float]] = field(default_factory=list)
    #: The number of holds made, and ended in each way.
    holds: dict[str, int] = field(default_factory=dict)
    #: The number of charges and settlements with fields that their callers could not read, by dialect.
    unread: dict[str, int] = field(default_factory=dict)
    #: The number of charges that were steps of other commands, which have no answer of their own, and their cost.
    charges: int = 0
    charged_nano_usd: int = 0

    def count_charge(self, cost_nano_usd: int) -> None:
        """Count a charge that was a step of another command."""
        self.charges += 1
        self.charged_nano_usd += cost_nano_usd

    def count_hold(self, what: str) -> None:
        """Count a hold that was made, committed, released, expired or estimated."""
        self.holds[what] = self.holds.get(what, 0) + 1

    def count_unread(self, dialect: str) -> None:
        """Count a charge or settlement with unread fields. The dialect is empty if the caller gave none."""
        self.unread[dialect] = self.unread.get(dialect, 0) + 1


@dataclass(slots=True)
class Project:
    """A namespace, as a transaction sees it."""

    project_id: str
    project_key: int
    #: The sequence number of the newest entry. Zero before the first.
    last_seq: int = 0
    #: The key of the newest budget. Zero before the first. Loaded only if a command creates budgets.
    last_budget_key: int = 0
    is_new: bool = False
    #: True: the deletion of some budgets whose ancestors are deleted is not yet written.
    is_deleting: bool = False


_expires_at_us = attrgetter("expires_at_us")


class State:
    """Everything that a batch touches, as loaded and then changed by the batch."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {}
        #: The projects by key. A budget knows its project by the key.
        self._projects_by_key: dict[int, Project] = {}
        #: The live budgets by (project id, budget id). A missing one does not exist.
        self.budgets: dict[tuple[str, str], BudgetState] = {}
        #: The number of the newest entry, for budget ids that have no live budget but had one before.
        self.last_seqs: dict[tuple[str, str], int] = {}
        self.requests: dict[tuple[str, Rpc, str], StoredRequest | NewRequest] = {}
        #: All loaded budgets by their keys, including deleted ones that holds and entries still refer to.
        self.by_key: dict[tuple[int, int], BudgetState] = {}
        #: By parent, its children by key, former ones included; `loaded_children` leaves those out.
        self._below: dict[BudgetPlace, dict[int, BudgetState]] = {}
        #: Budgets that are deleted before the commands are decided: see `finish_deletions`.
        self.unfinished: list[BudgetState] = []
        #: By project key, the budgets below which a Sweep has searched for more budgets to delete.
        self.looked_below: dict[int, list[int]] = {}
        #: By root, the subtrees that are too large to be loaded, as they were before the batch.
        self.large_trees: dict[BudgetPlace, StoredTree] = {}
        #: The keys of projects whose trees the batch has changed so far.
        self._changed_trees: set[int] = set()
        #: The keys of projects in which the batch has deleted the root of a large tree, but not all descendants.
        self.cut_trees: set[int] = set()
        #: By (project id, the number of the entry that made it).
        self.reservations: dict[tuple[str, int], Reservation] = {}
        #: By budget, the holds to check before it refuses or is deleted, including those of this batch.
        self.holds: dict[tuple[int, int], dict[int, Reservation]] = {}
        #: Entries to be corrected, by (project id, seq), with the sum of their corrections so far.
        self.corrected: dict[tuple[str, int], Corrected] = {}
        #: By budget key, the entries that `Needs.chains` requested, newest first.
        self.chains: dict[tuple[int, int], list[Entry]] = {}

        #: The requested notes, by project id and key.
        self.notes: dict[tuple[str, NoteKey], bytes] = {}

        # What was requested from the store, for budgets that it has; new budgets have nothing stored.
        #: False: there is no store, so anything that is not here does not exist.
        self.has_store = False
        #: The sums by model, by project key.
        self.stored_parts: dict[int, StoredParts] = defaultdict(StoredParts)
        #: Budgets of which all holds were requested, and those of which only the first.
        self.asked_holds: set[BudgetPlace] = set()
        self.asked_first_holds: set[BudgetPlace] = set()
        #: Budgets of which the holds that were made on them were requested.
        self.asked_own_holds: set[BudgetPlace] = set()
        self._lacking = Lacking()

        # What the transaction writes.
        #: None: the note is to be deleted.
        self.new_notes: dict[tuple[str, NoteKey], bytes | None] = {}
        self.new_entries: list[Entry] = []
        #: Budgets deleted in this batch whose descendants may still have to be deleted, with the request id.
        self.deleted_above: list[tuple[BudgetState, str]] = []
        self.new_requests: list[NewRequest] = []

        # What the metrics count once the transaction is durable.
        self.tally: Tally = Tally()

    def add_project(self, project: Project) -> None:
        """Add a project, before its budgets."""
        self.projects[project.project_id] = self._projects_by_key[project.project_key] = project

    def project_of(self, owned: BudgetState | Reservation) -> Project:
        """Return the project of a budget or a reservation."""
        return self._projects_by_key[owned.project_key]

    def add_budget(self, budget: BudgetState) -> None:
        """Add a budget, stored or new."""
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
        """Return the parent of a budget. None if it is a root."""
        return None if budget.parent_key is None else self.by_key[(budget.project_key, budget.parent_key)]

    def children(self, budget: BudgetState) -> list[BudgetState]:
        """Return the live children, oldest first. They are all loaded only if a command needs the subtree."""
        place = (budget.project_key, budget.budget_key)
        if place in self.large_trees:
            self._lacking.is_entangled = True  # An earlier command has moved it into this tree.
        return self.loaded_children(budget)

    def loaded_children(self, budget: BudgetState) -> list[BudgetState]:
        """Return the loaded live children of a budget, in order of creation."""
        below = self._below.get((budget.project_key, budget.budget_key))
        if below is None:
            return []
        own = budget.budget_key
        return [
            below[key] for key in sorted(below) if below[key].parent_key == own and below[key].deleted_at_us is None
        ]

    def large_tree(self, budget: BudgetState) -> StoredTree | None:
        """Return the size of a subtree that is too large to be loaded. None if `children` returns all of it."""
        tree = self.large_trees.get((budget.project_key, budget.budget_key))
        if tree is not None and budget.project_key in self._changed_trees:
            self._lacking.is_entangled = True
        return tree

    def is_deleting(self, budget: BudgetState) -> bool:
        """Return True if open holds in the budget's project may be on budgets whose ancestors are deleted.

        The budgets of these holds are loaded then.
        """
        project = self.project_of(budget)
        if project.project_key in self.cut_trees:
            self._lacking.is_entangled = True  # Those of a tree that this batch has deleted are not loaded.
        return project.is_deleting

    def move(self, budget: BudgetState, parent: BudgetState | None) -> None:
        """Move a budget below another one. None makes it a root."""
        self._changed_trees.add(budget.project_key)
        budget.parent_key = None if parent is None else parent.budget_key
        budget.parent_id = "" if parent is None else parent.budget_id
        if parent is not None:
            self._below.setdefault((parent.project_key, parent.budget_key), {})[budget.budget_key] = budget

    def note_deleted(self, budget: BudgetState) -> None:
        """Remove a deleted budget from the live ones, keep the number of its newest entry, and mark it as changed."""
        budget.is_configured = True
        key = (self.project_of(budget).project_id, budget.budget_id)
        self.budgets.pop(key, None)
        self.last_seqs[key] = budget.last_seq
        self._changed_trees.add(budget.project_key)

    def add_reservation(self, reservation: Reservation) -> None:
        """Add a reservation, stored or new."""
        self.reservations[(self.project_of(reservation).project_id, reservation.seq)] = reservation
        if reservation.is_open:
            for key in (reservation.budget_key, *reservation.other_keys):
                self.holds.setdefault((reservation.project_key, key), {})[reservation.seq] = reservation

    @property
    def lacking(self) -> Lacking:
        """What the commands looked for but was not requested from the store. If any, the outcomes are void."""
        for project_key, parts in self.stored_parts.items():
            if parts.lacking:
                self._lacking.models[project_key] |= parts.lacking
        return self._lacking

    def open_holds(self, budget: BudgetState) -> list[Reservation]:
        """Return the open holds on a budget, oldest first."""
        place = (budget.project_key, budget.budget_key)
        if self.has_store and place not in self.asked_holds and not budget.is_new:
            self._lacking.holds.add(place)
        holds = self.holds.get(place)
        return [] if holds is None else [holds[seq] for seq in sorted(holds) if holds[seq].is_open]

    def own_holds(self, budget: BudgetState) -> list[Reservation]:
        """Return the open holds that were made on a budget, oldest first."""
        place = (budget.project_key, budget.budget_key)
        if self.has_store and place not in self.asked_own_holds and not budget.is_new:
            self.open_holds(budget)  # Records them as lacking.
        holds = self.holds.get(place, {})
        return [holds[seq] for seq in sorted(holds) if holds[seq].is_open and holds[seq].budget_key == place[1]]

    def next_holds(self, budget: BudgetState) -> list[Reservation]:
        """Return open holds on a budget, those that expire first in front. Of many, only the first are loaded."""
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
        """Return the live budget of an id.

        Raises:
            BudgetNotFound: No such budget exists.
        """
        budget = self.budgets.get((project_id, budget_id))
        if budget is None:
            raise BudgetNotFound(project_id, budget_id)
        return budget

    def append(self, budget: BudgetState, kind: EntryKind, now_us: int, **fields: Unpack[EntryFields]) -> Entry:
        """Append the next entry of a budget; see Entry for its fields."""
        project_key = budget.project_key
        project = self._projects_by_key[project_key]
        seq = project.last_seq + 1
        # The first fields by position: by name, each charge would build the arguments twice.
        entry = Entry(project_key, seq, budget.budget_key, budget.last_seq, kind, now_us, **fields)
        project.last_seq = budget.last_seq = seq
        budget.is_counted = True
        self.new_entries.append(entry)
        return entry

    def remember(self, command: Requested[R], rpc: Rpc, outcome: Outcome[R], now_us: int) -> None:
        """Keep a request id and its outcome, so that a retry finds both."""
        request, project_id = command.request, command.project_id
        project = self.projects[project_id]
        # A project is created by its first entry; before that, nothing can have taken effect in it.
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
        """Keep a note of a project that exists or is created in this batch. None deletes the note."""
        if note is None and key[0] not in self.projects:
            return
        self.new_notes[key] = note
        if note is None:
            self.notes.pop(key, None)
        else:
            self.notes[key] = note

    def entries_after(self, budget: BudgetState, seq: int) -> Iterable[Entry]:
        """Yield the entries above a number that count on a budget, newest first: of this batch, then loaded ones."""
        own = (budget.project_key, budget.budget_key)
        for entry in reversed(self.new_entries):
            if entry.project_key == own[0] and entry.seq > seq and own[1] in (entry.budget_key, *entry.other_keys):
                yield entry
        yield from (entry for entry in self.chains.get(own, ()) if entry.seq > seq)

    def changed_budgets(self) -> list[BudgetState]:
        """Return the budgets to be written, deleted ones first, since their ids may already be used again."""
        changed = [budget for budget in self.by_key.values() if budget.is_counted or budget.is_configured]
        changed.sort(key=lambda budget: budget.deleted_at_us is None)
        return changed
