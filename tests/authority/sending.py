"""How the machine sends: one command or several in a transaction, to a store and to the model."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from budgetd_server.domain.budget import MAIN
from budgetd_server.domain.commands import (
    Command,
    Request,
    Requested,
    Rpc,
    UpdateBudget,
)
from budgetd_server.domain.reservation import ReservationState
from tests.authority.comparing import Rehearsal
from tests.authority.drawing import (
    DEPTH_MAX,
    IDS,
    MODELS_MAX,
    PLACES,
    START_US,
    steps_made,
)
from tests.authority.slow_books import Books
from tests.authority.slow_model import SlowModel
from tests.authority.stores import MemoryStore, Store


def has_holds(machine: "Sender") -> bool:
    """True if there is a reservation to settle; at times also if there is none."""
    holds = any(machine.books(project_id).holds for project_id in IDS)
    return bool(holds or machine.waiting) or len(machine.sent) % 9 == 0


def seldom(machine: "Sender") -> bool:
    """True after every third command: most steps are to spend."""
    return len(machine.sent) % 3 == 0


class Sender(RuleBasedStateMachine):
    """Sends commands to a store and to the model, and finds what they may be about."""

    make_store: Callable[[Sequence[str]], Store] = MemoryStore

    def __init__(self) -> None:
        super().__init__()
        self.store = type(self).make_store(list(IDS))
        model = SlowModel(*IDS, depth_max=DEPTH_MAX, models_max=MODELS_MAX)
        self.rehearsal = Rehearsal(self.store, PLACES, model, START_US)
        self.waiting: list[Command[Any]] = []
        self.sent: list[Requested[Any]] = []
        self.prepared: list[UpdateBudget] = []
        self.asked: dict[Rpc, int] = {}
        #: True: some costs and usages are as large as counts can be.
        self.has_huge = False

    # --- Sending.

    def books(self, project_id: str) -> Books:
        """What the model has of a project."""
        return self.rehearsal.model.books[project_id]

    def place(self, project_id: str, number: int) -> dict[str, Any]:
        """The project and one of its budgets, mostly one that lives and the newest of them."""
        living = [each.budget_id for each in self.books(project_id).living().values() if not each.is_template]
        budget_ids = living if living and number < 10 else IDS[project_id]
        return {"project_id": project_id, "budget_id": budget_ids[-1 - number % len(budget_ids)]}

    def spender(self, project_id: str, number: int) -> dict[str, Any]:
        """The same, and sometimes one that does not exist."""
        living = self.books(project_id).living()
        missing = [each for each in IDS[project_id] if each not in living]
        if missing and number in (8, 9):
            return {"project_id": project_id, "budget_id": missing[0]}
        return self.place(project_id, number)

    def etag(self, place: dict[str, Any], pick: int) -> str:
        """Mostly none; sometimes that of now, or one that is none any more, or never was."""
        account = self.books(place["project_id"]).living().get(place["budget_id"])
        if account is None or pick > 2:
            return ""
        return [account.etag, f"{account.key}-{account.version - 1}", "7-7"][pick]

    def request(self, rpc: Rpc) -> Request:
        """A new id in the scope of an RPC; other RPCs use the same ids."""
        number = self.asked[rpc] = self.asked.get(rpc, 0) + 1
        return Request(f"request-{number}", sha256(f"{rpc} {number}".encode()).digest())

    def send(self, command: Command[Any], *, joins: bool = False) -> None:
        """Send a command, at once or along with the next one."""
        steps_made[0] += 1
        self.waiting.append(command)
        if isinstance(command, Requested):
            self.sent.append(command)
        if not joins:
            waiting, self.waiting = self.waiting, []
            self.rehearsal.transact(waiting)

    def teardown(self) -> None:
        """Send what still waits, and close the store."""
        try:
            if self.waiting:
                self.rehearsal.transact(self.waiting)
        finally:
            self.store.close()

    def additional(self, project_id: str, numbers: list[int]) -> tuple[str, ...]:
        """Some budgets of a project, each once."""
        ids = IDS[project_id]
        return tuple(dict.fromkeys(ids[number] for number in numbers if number < len(ids)))

    def template(self, number: int) -> str:
        """Mostly the template; sometimes none, or what is no template."""
        return {0: "", 1: "org"}.get(number, "tpl")

    def hold(self, project_id: str, pick: int, *states: ReservationState) -> dict[str, Any]:
        """A reservation: mostly an open one, else any, or one that may come about in this transaction."""
        if not self.books(project_id).holds:
            project_id = next((each for each in IDS if self.books(each).holds), project_id)
        books = self.books(project_id)
        wanted = [each.seq for each in books.holds.values() if each.state in (states or (ReservationState.OPEN,))]
        seqs = wanted if wanted and pick < 8 else list(books.holds)
        is_next = not seqs or (pick % 4 == 0 and self.waiting)
        seq = len(books.lines) + 1 if is_next else seqs[-1 - pick % len(seqs)]
        return {"project_id": project_id, "reservation_seq": seq}

    def await_expiry(self, project_id: str) -> None:
        """Let time pass until the newest open hold is due; what waits is sent before."""
        expiries = [each.expires_at_us for each in self.books(project_id).holds.values() if each.is_open]
        self._await(*expiries[-1:])

    def await_end(self, place: dict[str, Any]) -> None:
        """Let time pass until a budget's main window is over, if it lives and the window ends."""
        account = self.books(place["project_id"]).living().get(place["budget_id"])
        end_us = None if account is None else account.rules[MAIN].span.end_at_us
        self._await(*(() if end_us is None else (end_us,)))

    def _await(self, *instants_us: int) -> None:
        if self.waiting:
            waiting, self.waiting = self.waiting, []
            self.rehearsal.transact(waiting)
        self.rehearsal.now_us = max([self.rehearsal.now_us, *instants_us])
