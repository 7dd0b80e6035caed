"""How a save becomes commands: the class sends whole records, and this module derives what was done.

Each client's record is compared with the one that the same client was given or has saved last, and only the difference
is booked, so that what others have spent meanwhile stays. A record contains totals, so saving it is idempotent, and the
next save makes up for a lost one.

The class starts a thread for each save, so a save may arrive after newer ones. A late save shows lower costs than were
known, and so does a user that was reset. Time distinguishes them: no save is more than ten seconds late. A save that
shows less than a record seen within the last ten seconds is skipped; if it was a reset, the following saves show less,
too. A window that begins later than the previous one is always a reset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from budgetd.user_cost import CREATED_AT_LABEL
from budgetd_server.domain.budget import MAIN, BudgetState, Limit, ResetMode
from budgetd_server.domain.commands import AdjustCost, Charge, CreateBudget, DeleteBudget, LimitDraft, ResetCost
from budgetd_server.domain.entry import CostSource
from budgetd_server.domain.errors import BelowZero, IsTemplate
from budgetd_server.domain.needs import NoteKey
from budgetd_server.domain.results import Result
from budgetd_server.domain.steps import NO_REQUEST, RunSteps, SetMainLimit, Steps
from budgetd_server.domain.window import Fixed
from budgetd_server.litellm.record import Accepted, Record, differences

#: The label of an entry that names the client whose save caused it.
CLIENT_LABEL = "litellm.client"
EDIT_REASON = "edited by a client of the self-hosted protocol"


class Order(Enum):
    """What a record is compared with the one that was accepted before it."""

    SAME = auto()
    #: More was spent, or something else has changed.
    NEWER = auto()
    #: It is older than the accepted one, and arrived late.
    LATE = auto()
    #: Its costs were reset, or its user was created again.
    RESET = auto()
    #: Its costs were reset because their window was over.
    NEXT_WINDOW = auto()


@dataclass(frozen=True, slots=True)
class RecordSaved(Result):
    """The result of a saved record."""

    charged_nano_usd: int = 0
    #: Whether it is older than the record that was accepted last.
    is_late: bool = False
    #: Whether anything changed.
    has_changed: bool = False


def note_key(client: str, user: str) -> NoteKey:
    """Return the key of the note that stores what was accepted last of a client's record of a user."""
    return NoteKey(f"litellm:{client}", user)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRecord:
    """A save of one user's record by a client. Idempotent."""

    project_id: str
    budget_id: str
    #: Identifies the client: its records are compared with what it was given or has saved.
    client: str
    record: Record
    #: The record as the client was given it; None if it was given none.
    given: Record | None = None
    #: The key of the newest budget that the client was given; None if unknown.
    given_until_key: int | None = None
    #: When the client was last seen with the record that was accepted before; 0 if unknown.
    seen_at_us: int = 0
    #: Other names of the models, by model.
    other_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def command(self) -> RunSteps[RecordSaved]:
        """Build the command that carries it out. It is refused with IsTemplate or CounterOverflow."""
        return RunSteps(
            project_id=self.project_id,
            budget_id=self.budget_id,
            choose=self._carry_out,
            notes=(note_key(self.client, self.budget_id),),
            models=("", *dict(self.record.models)),
            creates=True,
        )

    def _carry_out(self, steps: Steps) -> RecordSaved:
        key = note_key(self.client, self.budget_id)
        note = steps.note(key)
        accepted = None if note is None else Accepted.from_note(note)
        if accepted is None and self.given is not None:
            accepted = Accepted.given(self.given)
        saving = _Saving(steps, self)
        saving.check()
        following = saving.first() if accepted is None else saving.next(accepted)
        if following is not None:
            steps.keep(key, following.to_note())
        return RecordSaved(
            saving.charged_nano_usd,
            is_late=saving.order is Order.LATE,
            has_changed=following is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRecord:
    """The deletion of a user that a client was given and no longer sends. Idempotent."""

    project_id: str
    budget_id: str
    #: The clients whose stored records of the user are forgotten.
    clients: tuple[str, ...]
    #: The key of the newest budget that the client was given; a newer budget of the same id is not deleted.
    given_until_key: int

    def command(self) -> RunSteps[RecordSaved]:
        """Build the command that carries it out. It is refused with HasChildren or HasOpenReservations."""
        return RunSteps(project_id=self.project_id, budget_id=self.budget_id, choose=self._carry_out, deletes=True)

    def _carry_out(self, steps: Steps) -> RecordSaved:
        budget = steps.budget
        is_there = budget is not None and budget.budget_key <= self.given_until_key
        if is_there:
            steps.do(DeleteBudget(project_id=self.project_id, budget_id=self.budget_id, request=NO_REQUEST))
        for client in self.clients:
            steps.keep(note_key(client, self.budget_id), None)
        return RecordSaved(has_changed=is_there)


def classify(accepted: Accepted, record: Record, *, is_old: bool) -> Order:
    """Classify a record by comparing it with the accepted one.

    Args:
        accepted: The record that was accepted last.
        record: The saved record.
        is_old: Whether no save older than the accepted one can still arrive.
    """
    before = accepted.record
    if record == before:
        return Order.SAME
    if record.window_at_us is not None and before.window_at_us is not None:
        if record.window_at_us > before.window_at_us:
            return Order.NEXT_WINDOW
        if record.window_at_us == accepted.former_window_at_us and not is_old:
            return Order.LATE
    if before.spent_nano_usd is None and record.is_reset:
        return Order.RESET
    if not record.is_below(before):
        return Order.NEWER
    # A late save never shows an equal or higher total together with a lower cost of a model.
    is_rearranged = record.spent_nano_usd is not None and record.spent >= before.spent
    return Order.RESET if is_old or is_rearranged else Order.LATE


@dataclass(slots=True)
class _Saving:
    """Carries out one record within a transaction."""

    steps: Steps
    command: SaveRecord
    charged_nano_usd: int = 0
    #: How the record was classified; None if there was no earlier one.
    order: Order | None = None
    labels: Mapping[str, str] | None = field(init=False)

    def __post_init__(self) -> None:
        self.labels = {CLIENT_LABEL: self.command.client} if self.command.client else None

    @property
    def budget(self) -> BudgetState | None:
        """The user's budget; None if there is none."""
        return self.steps.budget

    @property
    def now_us(self) -> int:
        """The time of the transaction."""
        return self.steps.now_us

    def check(self) -> None:
        """Refuse a record that could only be carried out in part."""
        budget = self.budget
        if budget is not None and budget.is_template:
            raise IsTemplate(budget.budget_id)
        self.steps.check_room(self.command.record.spent)

    def first(self) -> Accepted:
        """Carry out a record without an earlier one: this client created the user."""
        record, budget = self.command.record, self.budget
        # If others have created it meanwhile, their configuration stays, and both costs are counted.
        begins = budget is None or self._was_given(budget)
        if budget is None:
            self._create()
        elif begins:
            self._create_again(budget)
        if begins and record.is_reset:
            self._reset_main()
        self._book({}, record.parts())
        return Accepted(record, self.now_us)

    def next(self, accepted: Accepted) -> Accepted | None:
        """Carry out a record that follows another. Returns None if it changes nothing."""
        is_old = accepted.is_old(self.now_us, seen_at_us=self.command.seen_at_us)
        order = self.order = classify(accepted, self.command.record, is_old=is_old)
        if order in (Order.SAME, Order.LATE):
            return None
        if self.budget is None:
            return self._after_deletion(accepted, order)
        if order is Order.NEWER:
            return self._newer(accepted)
        return self._reset(accepted, order)

    def _newer(self, accepted: Accepted) -> Accepted:
        record = self.command.record
        self._configure(accepted.record, moves_window=record.window_at_us != accepted.record.window_at_us)
        self._book(accepted.record.parts(), record.parts())
        return accepted.followed(record, self.now_us)

    def _reset(self, accepted: Accepted, order: Order) -> Accepted:
        record, budget = self.command.record, self.budget
        assert budget is not None, "next() has checked it"
        if record.spent_nano_usd is None:
            self._create_again(budget)
        elif order is Order.RESET or self._ends_window(budget, accepted.record):
            self._reset_main()
            self._configure(accepted.record, moves_window=record.window_at_us != accepted.record.window_at_us)
        else:
            self._configure(accepted.record, moves_window=False)
        self._book({}, record.parts())
        return accepted.followed(record, self.now_us)

    def _after_deletion(self, accepted: Accepted, order: Order) -> Accepted | None:
        """Recreate a user that others have deleted if this client spends on it or creates it again."""
        record = self.command.record
        is_created_again = order is Order.RESET and record.spent_nano_usd is None
        before = accepted.record.parts() if order is Order.NEWER else {}
        added = any(change >= 0 for change in differences(before, record.parts()).values())
        if not (added or is_created_again):
            return None
        self._create()
        self._book(before, record.parts())
        return accepted.followed(record, self.now_us)

    def _was_given(self, budget: BudgetState) -> bool:
        """Whether the client knew the budget when it created the user; if so, the new budget replaces it."""
        if self.command.given_until_key is not None:
            return budget.budget_key <= self.command.given_until_key
        created_at_us = self.command.record.created_at_us
        return created_at_us is not None and created_at_us > budget.created_at_us

    def _ends_window(self, budget: BudgetState, before: Record) -> bool:
        """Whether the client's reset ends the window. False if others have ended it, or only the clock may."""
        self.steps.roll()
        main, window_at_us = budget.main, self.command.record.window_at_us
        if main.limit is None or main.span.start_at_us is None or main.span.end_at_us is None:
            return True
        if main.limit.reset_mode is not ResetMode.ON_REQUEST:
            return False
        assert window_at_us is not None and before.window_at_us is not None, "a later window implies both"  # noqa: PT018
        return main.span.start_at_us <= before.window_at_us or window_at_us >= main.span.end_at_us

    def _create(self) -> None:
        command, record = self.command, self.command.record
        create = CreateBudget(
            project_id=command.project_id,
            budget_id=command.budget_id,
            request=NO_REQUEST,
            limits=(LimitDraft(limit=record.limit(self.now_us)),),
            labels={CREATED_AT_LABEL: record.created_at} if record.created_at else {},
            replace_existing=True,
        )
        self.steps.do(create)

    def _create_again(self, budget: BudgetState) -> None:
        """Start the user again from zero; limits and labels that other clients have added to its budget stay."""
        if budget.named or budget.labels.keys() - {CREATED_AT_LABEL}:
            self._reset_main()
            self._update(budget, self.command.record.limit(self.now_us))
        else:
            self._create()

    def _reset_main(self) -> None:
        command = self.command
        reset = ResetCost(
            project_id=command.project_id, budget_id=command.budget_id, request=NO_REQUEST, limit_ids=(MAIN,)
        )
        self.steps.do(reset)

    def _configure(self, before: Record, *, moves_window: bool) -> None:
        """Apply only what has changed in the configuration."""
        budget, record = self.budget, self.command.record
        assert budget is not None, "callers have checked it"
        limit = self._limit(budget.main.limit, before, moves_window=moves_window)
        if limit != budget.main.limit or (record.created_at and record.created_at != before.created_at):
            self._update(budget, limit)

    def _limit(self, current: Limit | None, before: Record, *, moves_window: bool) -> Limit | None:
        """Return the main limit with the client's changes applied."""
        record = self.command.record
        limit = current
        if record.total_nano_usd != before.total_nano_usd:
            amount = record.total_nano_usd
            limit = Limit(amount=amount) if limit is None else replace(limit, amount=amount)
        if record.length_us != before.length_us:
            asked = record.limit(self.now_us)
            limit = asked if limit is None else replace(limit, window=asked.window, reset_mode=asked.reset_mode)
        elif moves_window and limit is not None and limit.reset_mode is ResetMode.ON_REQUEST:
            window = limit.window
            if isinstance(window, Fixed) and record.window_at_us is not None:
                limit = replace(limit, window=replace(window, anchor_at_us=record.window_at_us))
        return limit

    def _update(self, budget: BudgetState, limit: Limit | None) -> None:
        created_at = self.command.record.created_at
        labels = {key: value for key, value in budget.labels.items() if key != CREATED_AT_LABEL}
        if created_at:
            labels[CREATED_AT_LABEL] = created_at
        command = self.command
        self.steps.do(
            SetMainLimit(project_id=command.project_id, budget_id=command.budget_id, limit=limit, labels=labels)
        )

    def _book(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Charge what was added, then subtract what was lowered manually, as far as it is still counted."""
        command, changes = self.command, differences(before, after)
        for model, change in changes.items():
            if change >= 0:
                spent = Charge(
                    command.project_id,
                    command.budget_id,
                    NO_REQUEST,
                    change,
                    model,
                    labels=self.labels,
                    wants_limits=False,
                    cost_source=CostSource.GATEWAY,
                    other_names=command.other_names.get(model, ()),
                )
                self.steps.do(spent)
                self.charged_nano_usd += change
        for model, change in changes.items():
            if change < 0:
                self._take_back(model, change)

    def _take_back(self, model: str, change: int) -> None:
        command = self.command
        taken = AdjustCost(
            project_id=command.project_id,
            budget_id=command.budget_id,
            request=NO_REQUEST,
            amount_nano_usd=change,
            reason=EDIT_REASON,
            model=model,
            other_names=command.other_names.get(model, ()),
            labels=self.labels,
        )
        try:
            self.steps.do(taken)
        except BelowZero:
            # Others have reset the count since, so there is nothing left to subtract.
            return
