"""Clients of LiteLLM's self-hosted protocol, as far as the rules see them: dictionaries that are sent whole.

A client changes its dictionary and sends snapshots of it. They may arrive late, twice, or never.
"""

from itertools import count
from random import Random
from typing import Any, NamedTuple

from budgetd_server.domain.commands import Outcome
from budgetd_server.domain.status import budget_status
from budgetd_server.domain.window import Fixed
from budgetd_server.litellm.record import Record
from budgetd_server.litellm.saving import DropRecord, SaveRecord
from tests.domain.desk import ALICE, PROJECT, Desk, charge, create, limited

SECOND_US = 1_000_000
_numbers = count(1)


class Sent(NamedTuple):
    """A snapshot on its way."""

    sent_at_us: int
    commands: tuple[SaveRecord, ...]


class Client:
    """One process of the class, which has loaded its dictionary once."""

    def __init__(self, desk: Desk, *, knows_its_view: bool = True) -> None:
        self._desk = desk
        self._name = f"view{next(_numbers)}"
        self.users: dict[str, Record] = {}
        self._given: dict[str, Record] = {}
        state = desk.state
        budgets = [budget for (project_id, _), budget in state.budgets.items() if project_id == PROJECT]
        for budget in budgets:
            self.users[budget.budget_id] = self._given[budget.budget_id] = given(desk, budget.budget_id)
        self._until_key = max((budget.budget_key for budget in budgets), default=0) if knows_its_view else None
        self._marked = set(self._given)
        self.imported_at_us = desk.now_us

    def create(self, user: str, total: int = 1_000, *, length_us: int | None = None) -> None:
        """Do `create_budget`: the user starts again, whatever its former state."""
        self._marked.discard(user)
        if length_us is None:
            self.users[user] = Record(total)
        else:
            at_us = self.imported_at_us
            self.users[user] = Record(total, length_us, repr(at_us / SECOND_US), at_us)

    def charge(self, user: str, cost: int, model: str = "gpt-4o") -> None:
        """`update_cost`."""
        record = self.users[user]
        models = dict(record.models)
        models[model] = models.get(model, 0) + cost
        self.users[user] = record._replace(spent_nano_usd=record.spent + cost, models=tuple(models.items()))

    def reset(self, user: str) -> None:
        """`reset_cost`."""
        self.users[user] = self.users[user]._replace(spent_nano_usd=0, models=())

    def reset_on_duration(self, user: str) -> None:
        """`reset_on_duration`, of a window that is over."""
        self.reset(user)
        self.users[user] = self.users[user]._replace(window_at_us=self._desk.now_us)

    def snapshot(self) -> Sent:
        """`save_data`, before it is sent."""
        return Sent(self._desk.now_us, tuple(self.command(user) for user in self.users))

    def command(self, user: str) -> SaveRecord:
        """One record of a save."""
        is_marked = user in self._marked
        record = self.users[user]
        return SaveRecord(
            project_id=PROJECT,
            budget_id=user,
            client=self._name if is_marked else self._client_of_new(record),
            record=record,
            given=self._given[user] if is_marked else None,
            given_until_key=None if is_marked else self._until_key,
        )

    def drop(self, user: str) -> DropRecord:
        """What comes of a save in which a user is missing that was given."""
        assert self._until_key is not None, "without a view it is unknown what is missing"
        clients = (self._name, f"{self._name}/new")
        return DropRecord(project_id=PROJECT, budget_id=user, clients=clients, given_until_key=self._until_key)

    def _client_of_new(self, record: Record) -> str:
        return f"created {record.created_at}" if self._until_key is None else f"{self._name}/new"

    def save(self) -> list[Outcome[Any]]:
        """`save_data`, at once."""
        return deliver(self._desk, self.snapshot())


def deliver(desk: Desk, sent: Sent) -> list[Outcome[Any]]:
    """Let a snapshot arrive."""
    return [desk.decide(save.command()) for save in sent.commands]


def given(desk: Desk, user: str) -> Record:
    """A user's record as a load gives it."""
    budget = desk.budget(user)
    status = budget_status(budget, desk.now_us)
    limit = status.main_limit
    assert limit is not None, "clients make budgets with a limit"
    has_costs = bool(budget.main.sums.calls or budget.main.sums.cost_nano_usd)
    return Record(
        limit.amount,
        limit.window.length_us if isinstance(limit.window, Fixed) else None,
        status.labels.get("litellm.created_at", ""),
        status.limits[0].span.start_at_us if isinstance(limit.window, Fixed) else None,
        status.current_cost_nano_usd if has_costs else None,
        tuple((each.model, each.sums.cost_nano_usd) for each in status.models if each.model) if has_costs else (),
    )


def desk_with_alice() -> Desk:
    """A desk with one budget of 1,000, of which 100 are spent."""
    desk = Desk()
    desk.decide(create(limited(1_000)))
    desk.decide(charge(100, model="gpt-4o"))
    return desk


def spent(desk: Desk, user: str = ALICE) -> int:
    """What was spent in the window of now."""
    return desk.status(user).current_cost_nano_usd


def by_model(desk: Desk, user: str = ALICE) -> dict[str, int]:
    """The same by model."""
    return {each.model: each.sums.cost_nano_usd for each in desk.status(user).models}


class Post:
    """What is on its way: it arrives in any order, but no later than `late_us`, some of it twice or never."""

    def __init__(self, desk: Desk, random: Random, *, late_us: int) -> None:
        self._desk, self._random, self._late_us = desk, random, late_us
        self._sent: list[Sent] = []

    def send(self, sent: Sent, *, may_be_lost: bool = True) -> None:
        """Include a snapshot."""
        if not may_be_lost or self._random.random() < 0.8:
            self._sent.append(sent)
            if self._random.random() < 0.2:
                self._sent.append(sent)

    def deliver_some(self) -> None:
        """Let what is due arrive, and some of the rest."""
        due = [each for each in self._sent if self._desk.now_us - each.sent_at_us >= self._late_us // 2]
        early = [each for each in self._sent if self._random.random() < 0.3]
        for each in self._random.sample(due + early, len(due) + len(early)):
            if each in self._sent:
                self._sent.remove(each)
                deliver(self._desk, each)

    def deliver_all(self) -> None:
        """Let everything arrive."""
        for each in self._random.sample(self._sent, len(self._sent)):
            deliver(self._desk, each)
        self._sent.clear()
