"""What a save of LiteLLM's class comes to: the class sends records as they are, and this finds out what was done.

Each client's record is compared with the one that the same client was given or has saved last, and the difference is
booked: what others have spent meanwhile stays. A record says how much was spent in all, so one that is saved twice
changes nothing the second time, and one that was lost is made up for by the next.

The class saves on a thread for each call, so saves may come late, after newer ones. A late save shows less than was
known, and so does a user that was reset. They are told apart by time: no save is more than ten seconds late. What shows
less than a record that was seen within the last ten seconds is passed over; if it was a reset, the saves that follow
show less, too. A window that begins later than the one before is always a reset.
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

#: The label of an entry that tells which client has brought it.
CLIENT_LABEL = "litellm.client"
EDIT_REASON = "edited by a client of the self-hosted protocol"


class Order(Enum):
    """What a record is beside the one that was accepted before it."""

    SAME = auto()
    #: More was spent, or something else has changed.
    NEWER = auto()
    #: It was made before the accepted one, and comes late.
    LATE = auto()
    #: Its costs were reset, or its user was created again.
    RESET = auto()
    #: Its costs were reset because their window was over.
    NEXT_WINDOW = auto()


@dataclass(frozen=True, slots=True)
class RecordSaved(Result):
    """A record was carried out."""

    charged_nano_usd: int = 0
    charges_count: int = 0
    #: True: it was made before one that was accepted already.
    is_late: bool = False
    #: True: anything changed.
    has_changed: bool = False


def note_key(client: str, user: str) -> NoteKey:
    """The name of the note that keeps what was accepted last of a client's record of a user."""
    return NoteKey(f"litellm:{client}", user)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRecord:
    """What a client has done to a user since it was given the record, or has saved it. Done again, it does nothing."""

    project_id: str
    budget_id: str
    #: Whose record it is: all that one client saves is compared with what it was given or has saved.
    client: str
    record: Record
    #: The record as the client was given it; None: it was given none.
    given: Record | None = None
    #: The key of the newest budget that the client was given; None: it is not known what it was given.
    given_until_key: int | None = None
    #: When the client was last seen to have the record that was accepted before; 0: it is not known.
    seen_at_us: int = 0
    #: What else the models are called, by model.
    other_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def command(self) -> RunSteps[RecordSaved]:
        """The command that carries it out. It is refused with IsTemplate and CounterOverflow."""
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
            saving.charges,
            is_late=saving.order is Order.LATE,
            has_changed=following is not None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DropRecord:
    """A client was given a user and has it no more, so the user is deleted. Done again, it does nothing."""

    project_id: str
    budget_id: str
    #: All that it may have saved of the user is forgotten.
    clients: tuple[str, ...]
    #: The key of the newest budget that the client was given; one of the same id that is newer stays.
    given_until_key: int

    def command(self) -> RunSteps[RecordSaved]:
        """The command that carries it out. It is refused with HasChildren and HasOpenReservations."""
        return RunSteps(project_id=self.project_id, budget_id=self.budget_id, choose=self._carry_out, deletes=True)

    def _carry_out(self, steps: Steps) -> RecordSaved:
        budget = steps.budget
        is_there = budget is not None and budget.budget_key <= self.given_until_key
        if is_there:
            steps.do(DeleteBudget(project_id=self.project_id, budget_id=self.budget_id, request=NO_REQUEST))
        for client in self.clients:
            steps.keep(note_key(client, self.budget_id), None)
        return RecordSaved(has_changed=is_there)


def order_of(accepted: Accepted, record: Record, *, is_old: bool) -> Order:
    """What a record is beside the accepted one.

    Args:
        accepted: What was accepted last.
        record: What was saved.
        is_old: True: nothing that was made before the accepted one can still come.
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
    # A late save shows no more in all, and less on a model.
    is_rearranged = record.spent_nano_usd is not None and record.spent >= before.spent
    return Order.RESET if is_old or is_rearranged else Order.LATE


@dataclass(slots=True)
class _Saving:
    """One record on its way into the ledger."""

    steps: Steps
    command: SaveRecord
    charged_nano_usd: int = 0
    charges: int = 0
    #: What the record was found to be; None: nothing was known of it.
    order: Order | None = None
    labels: Mapping[str, str] | None = field(init=False)

    def __post_init__(self) -> None:
        self.labels = {CLIENT_LABEL: self.command.client} if self.command.client else None

    @property
    def budget(self) -> BudgetState | None:
        """The user's budget; None: there is none."""
        return self.steps.budget

    @property
    def now_us(self) -> int:
        """The time of the transaction."""
        return self.steps.now_us

    def check(self) -> None:
        """Refuse what could not be carried out whole."""
        budget = self.budget
        if budget is not None and budget.is_template:
            raise IsTemplate(budget.budget_id)
        self.steps.check_room(self.command.record.spent)

    def first(self) -> Accepted:
        """A record of which nothing is known: the user was created by this client."""
        record, budget = self.command.record, self.budget
        # If others have created it meanwhile, their configuration stands, and what both have spent.
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
        """A record that follows another; None: it changes nothing."""
        is_old = accepted.is_old(self.now_us, seen_at_us=self.command.seen_at_us)
        order = self.order = order_of(accepted, self.command.record, is_old=is_old)
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
        assert budget is not None, "it was looked for"
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
        """Others have deleted the user: it is made again once this client spends on it, or creates it again."""
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
        """True if the client knew the budget when it created the user: then the new one takes its place."""
        if self.command.given_until_key is not None:
            return budget.budget_key <= self.command.given_until_key
        created_at_us = self.command.record.created_at_us
        return created_at_us is not None and created_at_us > budget.created_at_us

    def _ends_window(self, budget: BudgetState, before: Record) -> bool:
        """True if the client's reset ends the window; False: others have ended it already, or only the clock does."""
        self.steps.roll()
        main, window_at_us = budget.main, self.command.record.window_at_us
        if main.limit is None or main.span.start_at_us is None or main.span.end_at_us is None:
            return True
        if main.limit.reset_mode is not ResetMode.ON_REQUEST:
            return False
        assert window_at_us is not None and before.window_at_us is not None, "it has begun a window"  # noqa: PT018
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
        """The user begins anew; what other clients have added to its budget stays."""
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
        """Carry over what has changed of a configuration, and nothing else."""
        budget, record = self.budget, self.command.record
        assert budget is not None, "it was looked for"
        limit = self._limit(budget.main.limit, before, moves_window=moves_window)
        if limit != budget.main.limit or (record.created_at and record.created_at != before.created_at):
            self._update(budget, limit)

    def _limit(self, current: Limit | None, before: Record, *, moves_window: bool) -> Limit | None:
        """The main limit as it is to be."""
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
        """Charge what was added, then take back what was lowered by hand, as far as it is still counted."""
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
                self.charges += 1
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
            # Others have reset the count since: there is nothing left to be taken back.
            return
