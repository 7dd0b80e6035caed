"""What a batch of commands touches, so that a ledger can load it in a few statements before they are decided."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    Command,
    CommitReservation,
    CreateBudget,
    DeleteBudget,
    DropRecord,
    ExtendReservation,
    ReleaseReservation,
    ReserveCost,
    ResetCost,
    ResetManyOnDuration,
    ResetOnDuration,
    Rpc,
    SaveRecord,
    Sweep,
    UpdateBudget,
)

Place = tuple[str, str]


@dataclass(slots=True)
class Needs:
    """What to load; ids repeat freely. Along with a budget come its ancestors, whatever asks for it."""

    #: Project id → budget ids.
    budgets: dict[str, set[str]] = field(default_factory=dict)
    #: (project id, budget id, model)s whose sums may change, on that budget and its ancestors.
    models: set[tuple[str, str, str]] = field(default_factory=set)
    #: (project id, rpc) → request ids.
    requests: dict[tuple[str, Rpc], list[str]] = field(default_factory=dict)
    #: Projects in which budgets may be created.
    creating: set[str] = field(default_factory=set)
    #: (project id, budget id) → seq: all entries that count on that budget above that sequence number.
    chains: dict[Place, int] = field(default_factory=dict)
    #: (project id, seq) → models: these reservations and all their budgets, with the sums of those models.
    reservations: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    #: (project id, seq)s: these entries, what their corrections come to, and all their budgets.
    entries: set[tuple[str, int]] = field(default_factory=set)
    #: Budgets that may refuse: on each and its ancestors the holds that are due, and some of those that are due next.
    refusing: set[Place] = field(default_factory=set)
    #: Budgets on which all open holds are wanted.
    holds: set[Place] = field(default_factory=set)
    #: (project id, client) → the users whose accepted records are wanted.
    accepted: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    #: Projects of which some more budgets are wanted whose ancestors are deleted.
    deleting: set[str] = field(default_factory=set)
    #: Budgets that are deleted with their live descendants: these are wanted with all open holds on them, or that it is
    #: much and how many they are; in the latter case those holds on it are wanted that were made on it.
    subtrees: set[Place] = field(default_factory=set)
    #: Budgets that are deleted unless they have children: what is below them is wanted, or that it is much; in the
    #: latter case their holds are not.
    deleted: set[Place] = field(default_factory=set)
    #: Budgets that get another parent: what is below them is wanted, or that it is much and how many levels it has.
    moved: set[Place] = field(default_factory=set)


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
            if command.additional_ids or command.template_id or command.rejects_over_limit:
                _add_spending(needs, command, may_refuse=command.rejects_over_limit)
        elif isinstance(command, SaveRecord | DropRecord):
            _add_saved(needs, command)
        elif isinstance(command, Sweep):
            _add_swept(needs, command)
        else:
            requests.setdefault((project_id, command.rpc), []).append(command.request.request_id)
            if isinstance(command, ResetManyOnDuration):
                budgets.setdefault(project_id, set()).update(command.budget_ids)
            elif isinstance(command, CommitReservation | ReleaseReservation | ExtendReservation):
                model = command.model if isinstance(command, CommitReservation) else ""
                needs.reservations.setdefault((project_id, command.reservation_seq), set()).add(model)
            else:
                budgets.setdefault(project_id, set()).add(command.budget_id)
                _add_rest(needs, command)
    return needs


def _add_swept(needs: Needs, command: Sweep) -> None:
    """What happens without a caller."""
    needs.budgets.setdefault(command.project_id, set()).update(command.budget_ids)
    for seq in command.reservation_seqs:
        needs.reservations.setdefault((command.project_id, seq), set())
    if command.finishes_deletions:
        needs.deleting.add(command.project_id)


def _add_saved(needs: Needs, command: SaveRecord | DropRecord) -> None:
    """A record that a client has saved: it may create its user, and change the sums of every model in it."""
    project_id, budget_id = command.project_id, command.budget_id
    needs.budgets.setdefault(project_id, set()).add(budget_id)
    if isinstance(command, DropRecord):
        needs.deleted.add((project_id, budget_id))
        return
    needs.accepted.setdefault((project_id, command.client), set()).add(budget_id)
    needs.creating.add(project_id)
    needs.models.update((project_id, budget_id, model) for model in ("", *dict(command.record.models)))


def _add_rest(
    needs: Needs,
    command: ReserveCost | AdjustCost | CreateBudget | UpdateBudget | DeleteBudget | ResetCost | ResetOnDuration,
) -> None:
    """What a command needs beside its own budget."""
    if isinstance(command, ReserveCost):
        needs.models.add((command.project_id, command.budget_id, command.model))
        _add_spending(needs, command, may_refuse=True)
    elif isinstance(command, AdjustCost):
        needs.models.add((command.project_id, command.budget_id, command.model))
        if command.entry_seq is not None:
            needs.entries.add((command.project_id, command.entry_seq))
    elif isinstance(command, CreateBudget | UpdateBudget | DeleteBudget):
        _add_configuring(needs, command)


def _add_spending(needs: Needs, command: Charge | ReserveCost, *, may_refuse: bool) -> None:
    """A charge or hold beyond its own budget."""
    project_id = command.project_id
    needs.budgets[project_id].update(command.additional_ids)
    needs.models.update((project_id, each, command.model) for each in command.additional_ids)
    if command.template_id:
        needs.budgets[project_id].add(command.template_id)
        # A copy of the template is charged along with the template's ancestors.
        needs.models.add((project_id, command.template_id, command.model))
        needs.creating.add(project_id)
    if may_refuse:
        ids = (command.budget_id, *command.additional_ids, command.template_id)
        needs.refusing.update((project_id, each) for each in ids if each)


def _add_configuring(needs: Needs, command: CreateBudget | UpdateBudget | DeleteBudget) -> None:
    project_id, place = command.project_id, (command.project_id, command.budget_id)
    if isinstance(command, CreateBudget):
        needs.creating.add(project_id)
        if command.replace_existing and command.limits:
            needs.holds.add(place)
        if command.parent_id:
            needs.budgets[project_id].add(command.parent_id)
    elif isinstance(command, DeleteBudget):
        (needs.subtrees if command.force else needs.deleted).add(place)
    else:
        if command.parent_id:
            needs.moved.add(place)
            needs.budgets[project_id].add(command.parent_id)
        if command.sets_limits:
            needs.holds.add(place)
        if command.recount is not None:
            # Several recounts of one budget in a batch were begun at different times: the oldest needs most.
            seq = command.recount.until_seq
            needs.chains[place] = min(seq, needs.chains.get(place, seq))
