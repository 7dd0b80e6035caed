"""Steps that load what a batch of commands touches, and decide the batch on that working set.

Only this module decides which budgets, holds, sums and entries are loaded, and how many; a store only finds the rows.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from budgetd_server.domain.bounds import MODELS_PER_WINDOW_MAX, OTHER_MODELS
from budgetd_server.domain.budget import BudgetState, Sums
from budgetd_server.domain.deleting import finish_deletions
from budgetd_server.domain.lacking import Lacking
from budgetd_server.domain.needs import Needs, NoteKey, Place
from budgetd_server.domain.state import Corrected, Project, State
from budgetd_server.domain.touching import upwards
from budgetd_server.ledger import budgets, trees
from budgetd_server.ledger.base import BatchEntangled, Decide
from budgetd_server.ledger.chains import entries_above
from budgetd_server.ledger.rows import entry_from_row, request_from_row, reservation_from_row
from budgetd_server.ledger.steps import Steps

#: How many holds that are not due yet are loaded for each budget that may refuse, to estimate when it has room.
NEXT_HOLDS_MAX = 32
#: How often a batch is loaded if its commands lack something. Each load adds what the last decision was lacking.
LOADS_MAX = 4
#: How many descendants of a budget are loaded if their number would be enough.
DESCENDANTS_LOADED_MAX = 100
#: How many descendants are deleted together with a budget. If there are more, all follow in steps.
DELETED_AT_ONCE_MAX = 100
#: How many budgets are deleted in one step.
DELETED_IN_STEP = 50

_project_id: Callable[[tuple[str, Any]], str] = itemgetter(0)

#: A project's id or key.
P = TypeVar("P", str, int)
T = TypeVar("T")
V = TypeVar("V")


def decided(needs: Needs, decide: Decide[T], now_us: int) -> Steps[tuple[State, T]]:
    """Load what a batch needs, and decide it. If its commands needed more, load that too, and decide the batch again.

    Raises:
        BatchEntangled: The batch lacked something each time, or it reads a tree that is too large to be loaded after
            changing it. A single command never does.
    """
    lacking = Lacking()
    for _ in range(LOADS_MAX):
        state = yield from load(needs, now_us, lacking)
        try:
            finish_deletions(state, now_us)
            outcomes = decide(state, now_us)
        except Exception:  # A rule that lacks something may fail in any way; the next load includes it.
            if not state.lacking:
                raise
        else:
            if not state.lacking:
                return state, outcomes
        if state.lacking.is_entangled:
            break
        lacking.add(state.lacking)
    raise BatchEntangled


def load(needs: Needs, now_us: int, lacking: Lacking | None = None) -> Steps[State]:
    """Load everything that a batch of commands touches.

    Args:
        needs: What the commands touch.
        now_us: The time at which they will be decided.
        lacking: What an earlier decision was lacking.
    """
    loading = _Loading(now_us, lacking or Lacking())
    yield from loading.projects(needs)
    yield from loading.budgets(needs)
    if needs.subtrees or needs.deleted or needs.moved:
        yield from loading.trees(needs)
    if needs.reservations:
        yield from loading.reservations(needs)
    if needs.entries:
        yield from loading.entries(needs)
    if needs.refusing or needs.holds or needs.subtrees or needs.deleted:
        yield from loading.holds(needs)
    if lacking:
        yield from loading.lacking_holds()
    if needs.deleting or loading.state.unfinished:
        yield from loading.unfinished(needs)
    yield from loading.models(needs)
    yield from loading.requests(needs)
    if needs.creating:
        yield from loading.creations(needs)
    if needs.notes:
        yield from loading.notes(needs)
    if needs.chains:
        yield from loading.chains(needs)
    return loading.state


def by_project(places: Iterable[tuple[P, V]]) -> Mapping[P, Sequence[V]]:
    """Group values by their project's id or key."""
    found: dict[P, list[V]] = defaultdict(list)
    for project, what in places:
        found[project].append(what)
    return found


class _Loading:
    """A working set that is being loaded."""

    def __init__(self, now_us: int, lacking: Lacking) -> None:
        self.state = State()
        self.state.has_store = True
        self._now_us = now_us
        self._lacking = lacking
        #: By project key, the pairs (budget key, model) whose sums to load.
        self._models: dict[int, set[tuple[int, str]]] = defaultdict(set)
        for project_key, pairs in lacking.models.items():
            self._models[project_key].update(pairs)

    def projects(self, needs: Needs) -> Steps[None]:
        """Load the projects. New ones get the next keys."""
        state = self.state
        project_ids = {*needs.budgets, *map(_project_id, needs.requests), *map(_project_id, needs.reservations)}
        rows = yield "load_projects", {"ids": list(project_ids)}
        for project_id, project_key, last_seq, is_deleting in rows:
            state.add_project(Project(project_id, project_key, last_seq, is_deleting=bool(is_deleting)))
        unknown = project_ids - state.projects.keys()
        if not unknown:
            return
        ((last_project_key,),) = yield "last_project_key", {}
        for project_id in unknown:
            last_project_key += 1
            state.add_project(Project(project_id, last_project_key, is_new=True))

    def budgets(self, needs: Needs) -> Steps[None]:
        """Load the named live budgets, and their ancestors."""
        for project_id, budget_ids in needs.budgets.items():
            project = self.state.projects[project_id]
            if project.is_new:
                continue
            loaded = yield from budgets.live(project.project_key, budget_ids, is_deleting=project.is_deleting)
            for budget in loaded:
                self.state.add_budget(budget)
                if budget.deleted_by is not None:
                    self.state.unfinished.append(budget)
            parents = {budget.parent_key for budget in loaded if budget.parent_key is not None}
            if parents:
                yield from self._by_keys(project_id, parents)

    def trees(self, needs: Needs) -> Steps[None]:
        """Load the live descendants of some budgets, or only their number if there are many."""
        whole: set[tuple[str, int]] = set()
        for places, below_max in (
            (needs.subtrees, DELETED_AT_ONCE_MAX),
            (needs.deleted | needs.moved, DESCENDANTS_LOADED_MAX),
        ):
            for project_id, budget_ids in by_project(places).items():
                project_key = self.state.projects[project_id].project_key
                keys = [key for key in self._keys(project_id, budget_ids) if (project_id, key) not in whole]
                below = yield from trees.descendants(project_key, keys, below_max)
                whole.update((project_id, key) for key in set(keys) - below.large)
                yield from self._by_keys(project_id, below.found)
                for key in below.large:
                    budget = self.state.by_key[(project_key, key)]
                    is_measured = (project_id, budget.budget_id) in needs.subtrees | needs.moved
                    asked = trees.measured if is_measured else trees.counted
                    self.state.large_trees[(project_key, key)] = yield from asked(project_key, key)

    def unfinished(self, needs: Needs) -> Steps[None]:
        """Load some budgets with deleted ancestors whose deletion is due, and the holds on these and the named ones."""
        for project_id in needs.deleting:
            project = self.state.projects[project_id]
            if project.is_deleting:
                pending = yield from trees.unfinished(project.project_key, DELETED_IN_STEP)
                self.state.looked_below[project.project_key] = pending.parents
                yield from self._by_keys(project_id, pending.children)
                named = {each.budget_key for each in self.state.unfinished if self.state.project_of(each) is project}
                self.state.unfinished.extend(
                    self.state.by_key[(project.project_key, key)] for key in pending.children if key not in named
                )
        of_projects = ((self.state.project_of(each).project_id, each.budget_key) for each in self.state.unfinished)
        for project_id, budget_keys in by_project(of_projects).items():
            yield from self._holds(project_id, "load_own_holds", budget_keys)

    def reservations(self, needs: Needs) -> Steps[None]:
        """Load the named reservations, and all their budgets."""
        for project_id, seqs in by_project(needs.reservations).items():
            yield from self._reservations(project_id, seqs)
            for seq in seqs:
                reservation = self.state.reservations.get((project_id, seq))
                if reservation is not None:
                    keys = (reservation.budget_key, *reservation.other_keys)
                    for model in (reservation.model, *needs.reservations[(project_id, seq)]):
                        self._models[reservation.project_key].update((key, model) for key in keys)

    def entries(self, needs: Needs) -> Steps[None]:
        """Load the entries to be corrected, and all their budgets."""
        for project_id, seqs in by_project(needs.entries).items():
            project_key = self.state.projects[project_id].project_key
            rows = yield "load_corrected", {"project_key": project_key, "seqs": seqs}
            for adjusted_nano_usd, *row in rows:
                _, entry = entry_from_row(row)
                keys = (entry.budget_key, *entry.other_keys)
                yield from self._by_keys(project_id, keys)
                self._models[project_key].update((key, entry.model) for key in keys)
                self.state.corrected[(project_id, entry.seq)] = Corrected(entry, adjusted_nano_usd)

    def holds(self, needs: Needs) -> Steps[None]:
        """Load the holds that are needed before budgets refuse, are deleted or are configured."""
        for project_id, budget_ids in by_project(needs.refusing).items():
            keys = self._keys(project_id, budget_ids)
            above = {
                each.budget_key
                for key in keys
                for each in upwards(self.state, self.state.by_key[(self.state.projects[project_id].project_key, key)])
            }
            yield from self._holds(project_id, "load_first_holds", {*keys, *above})
        # A budget with many descendants is not deleted without force, so its holds make no difference.
        large = {place for place in needs.deleted | needs.subtrees if self._is_large(place)}
        for project_id, budget_ids in by_project(needs.holds | ((needs.subtrees | needs.deleted) - large)).items():
            keys = self._keys(project_id, budget_ids)
            forced = self._keys(project_id, (name for project, name in needs.subtrees - large if project == project_id))
            below = {each.budget_key for key in forced for each in self._below(project_id, key)}
            yield from self._holds(project_id, "load_holds", {*keys, *below})
        for project_id, budget_ids in by_project(needs.subtrees & large).items():
            yield from self._holds(project_id, "load_own_holds", self._keys(project_id, budget_ids))

    def lacking_holds(self) -> Steps[None]:
        """Load the holds of budgets that commands need only because of changes by the batch itself."""
        project_ids = {project.project_key: project_id for project_id, project in self.state.projects.items()}
        for name, places in (("load_first_holds", self._lacking.first_holds), ("load_holds", self._lacking.holds)):
            for project_key, keys in by_project(places).items():
                yield from self._holds(project_ids[project_key], name, keys)

    def models(self, needs: Needs) -> Steps[None]:
        """Load the sums by model that may change."""
        state = self.state
        for project_id, budget_id, model in needs.models:
            budget = state.budgets.get((project_id, budget_id))
            if budget is not None:
                wanted = self._models[budget.project_key]
                wanted.add((budget.budget_key, model))
                if budget.parent_key is not None:
                    wanted.update((above.budget_key, model) for above in upwards(state, budget))
        for project_key, places in self._models.items():
            pairs: list[tuple[int, str]] = []
            asked = state.stored_parts[project_key].asked
            for budget_key, model in places:
                budget = state.by_key.get((project_key, budget_key))
                if budget is None or not budget.models_count:
                    continue
                pairs.append((budget_key, model))
                # The window is full, or earlier models of the batch may fill it: then OTHER_MODELS is needed.
                if budget.models_count + len(places) >= MODELS_PER_WINDOW_MAX:
                    pairs.append((budget_key, OTHER_MODELS))
            if pairs:
                asked.update(pairs)
                rows = yield "load_models", {"project_key": project_key, "pairs": pairs}
                for budget_key, model, *sums in rows:
                    state.by_key[(project_key, budget_key)].models[model] = Sums(*sums)

    def requests(self, needs: Needs) -> Steps[None]:
        """Load the request ids that have taken effect before."""
        for (project_id, rpc), request_ids in needs.requests.items():
            project = self.state.projects[project_id]
            if project.is_new:
                continue
            parameters = {"project_key": project.project_key, "rpc": int(rpc), "ids": request_ids}
            rows = yield "load_requests", parameters
            for request_id, *stored in rows:
                self.state.requests[(project_id, rpc, request_id)] = request_from_row(stored)

    def creations(self, needs: Needs) -> Steps[None]:
        """Load what a new budget needs: the next key, and the end of the chain of its id."""
        for project_id in needs.creating:
            project = self.state.projects[project_id]
            ((project.last_budget_key,),) = yield "last_budget_key", {"project_key": project.project_key}
            for budget_id in needs.budgets[project_id]:
                if (project_id, budget_id) not in self.state.budgets and not project.is_new:
                    parameters = {"project_key": project.project_key, "budget_id": budget_id}
                    rows = yield "last_seq_of_deleted", parameters
                    if rows:
                        self.state.last_seqs[(project_id, budget_id)] = rows[0][0]

    def notes(self, needs: Needs) -> Steps[None]:
        """Load the requested notes."""
        for project_id, keys in needs.notes.items():
            rows = yield "load_notes", {"project_key": self.state.projects[project_id].project_key, "keys": list(keys)}
            for owner, key, note in rows:
                self.state.notes[(project_id, NoteKey(owner, key))] = note

    def chains(self, needs: Needs) -> Steps[None]:
        """Load the entries that recounts still have to add."""
        for key, seq in needs.chains.items():
            budget = self.state.budgets.get(key)
            if budget is not None:
                self.state.chains[(budget.project_key, budget.budget_key)] = yield from entries_above(budget, seq)

    def _keys(self, project_id: str, budget_ids: Iterable[str]) -> list[int]:
        found = (self.state.budgets.get((project_id, budget_id)) for budget_id in budget_ids)
        return [budget.budget_key for budget in found if budget is not None]

    def _is_large(self, place: Place) -> bool:
        budget = self.state.budgets.get(place)
        return budget is not None and (budget.project_key, budget.budget_key) in self.state.large_trees

    def _below(self, project_id: str, key: int) -> list[BudgetState]:
        """Return the loaded descendants of a budget."""
        found = self.state.children(self.state.by_key[(self.state.projects[project_id].project_key, key)])
        return [*found, *(below for child in found for below in self._below(project_id, child.budget_key))]

    def _by_keys(self, project_id: str, keys: Iterable[int]) -> Steps[None]:
        """Load budgets by key with their ancestors, unless they are already loaded."""
        state, project_key = self.state, self.state.projects[project_id].project_key
        missing = {key for key in keys if (project_key, key) not in state.by_key}
        if not missing:
            return
        is_deleting = state.projects[project_id].is_deleting
        loaded = yield from budgets.upwards(project_key, missing, is_deleting=is_deleting)
        for budget in loaded:
            if (project_key, budget.budget_key) not in state.by_key:
                state.add_budget(budget)

    def _holds(self, project_id: str, name: str, keys: Iterable[int]) -> Steps[None]:
        """Load the holds that a statement finds on some budgets, and the budgets of those that may end now."""
        project_key, wanted = self.state.projects[project_id].project_key, list(keys)
        parameters: dict[str, object] = {"project_key": project_key, "keys": wanted}
        places = [(project_key, key) for key in wanted]
        self.state.asked_own_holds.update(places if name != "load_first_holds" else ())
        self.state.asked_first_holds.update(places if name != "load_own_holds" else ())
        if name == "load_holds":
            self.state.asked_holds.update(places)
        elif name == "load_first_holds":
            parameters |= {"now_us": self._now_us, "next_max": NEXT_HOLDS_MAX}
        rows = yield name, parameters
        seqs = [seq for (seq,) in rows]
        if seqs:
            # Holds that were made on deleted budgets end before a refusal, even if they are not due.
            ends_all = name != "load_first_holds" or self.state.projects[project_id].is_deleting
            yield from self._reservations(project_id, seqs, ends_all=ends_all)

    def _reservations(self, project_id: str, seqs: Iterable[int], *, ends_all: bool = True) -> Steps[None]:
        """Load reservations by number, and the budgets of those that may end: of all, or only of the due ones."""
        state, project_key = self.state, self.state.projects[project_id].project_key
        missing = [seq for seq in seqs if (project_id, seq) not in state.reservations]
        if missing:
            rows = yield "load_reservations", {"project_key": project_key, "seqs": missing}
            for row in rows:
                state.add_reservation(reservation_from_row(row))
        keys: set[int] = set()
        for seq in seqs:
            reservation = state.reservations.get((project_id, seq))
            if reservation is not None and (ends_all or reservation.is_due(self._now_us)):
                own = (reservation.budget_key, *reservation.other_keys)
                keys.update(own)
                if reservation.is_due(self._now_us):
                    self._models[project_key].update((key, reservation.model) for key in own)
        yield from self._by_keys(project_id, keys)
