"""Random clients of the self-hosted protocol, whose saves come late, twice or never, while others charge."""

from collections import Counter
from random import Random

import pytest

from budgetd_server.domain.state import State
from budgetd_server.litellm import record
from budgetd_server.litellm.record import Record
from tests.domain.desk import DAY_US, PROJECT, Desk, charge, create, limited
from tests.litellm.saving_clients import SECOND_US, Client, Post

USERS = ("alice", "bob", "carol", "dora")
MODELS = ("gpt-4o", "o3")
SEEDS = range(60)
STEPS = 120
LATE_US = 10 * SECOND_US


class Crowd:
    """Three clients and others, who charge users, some of whom are created on the way."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.desk = Desk()
        self.desk.decide(create(limited(10**6), budget_id="alice"))
        self.post = Post(self.desk, self.random, late_us=LATE_US)
        self.clients = [Client(self.desk) for _ in range(3)]
        self.spent: Counter[str] = Counter()

    def run(self) -> None:
        """Make all steps, and let everything arrive that has not."""
        for _ in range(STEPS):
            self.desk.now_us += self.random.randrange(3 * SECOND_US)
            self._step(self.random.choice(USERS), self.random.randrange(1, 50), self.random.choice(MODELS))
            self.post.deliver_some()
        for client in self.clients:
            self.post.send(client.snapshot(), may_be_lost=False)
        self.post.deliver_all()

    def found(self) -> dict[str, tuple[int, int]]:
        """What the budgets have spent in their windows, and ever."""
        statuses = {user: self.desk.status(user) for user in self.spent}
        return {user: (each.current_cost_nano_usd, each.lifetime_cost_nano_usd) for user, each in statuses.items()}

    def expected(self) -> dict[str, tuple[int, int]]:
        """The same, by plain addition."""
        return {user: (cost, cost) for user, cost in self.spent.items()}

    def _step(self, user: str, cost: int, model: str) -> None:
        if self.random.random() < 0.15 and (PROJECT, user) in self.desk.state.budgets:
            self.desk.decide(charge(cost, budget_id=user, model=model))
        else:
            number = self.random.randrange(len(self.clients))
            client = self.clients[number]
            if user not in client.users:
                client.create(user, length_us=self.random.choice([None, DAY_US]))
            client.charge(user, cost, model)
            self.post.send(client.snapshot())
            if self.random.random() < 0.05:  # It ends in order, and another process takes its place.
                self.post.send(client.snapshot(), may_be_lost=False)
                self.clients[number] = Client(self.desk)
        self.spent[user] += cost


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cost_is_there_however_saves_arrive(seed: int) -> None:
    crowd = Crowd(seed)

    crowd.run()

    assert crowd.found() == crowd.expected()


def takes_late_saves_for_resets(patch: pytest.MonkeyPatch) -> None:
    """Whatever shows less was reset."""
    patch.setattr(record, "LATE_US_MAX", 0)


def books_the_last_record_to_come(patch: pytest.MonkeyPatch) -> None:
    """Whatever comes last is the truth, as a server has it that stores the dictionary."""
    patch.setattr(Record, "is_below", lambda *_: False)


def forgets_what_was_accepted(patch: pytest.MonkeyPatch) -> None:
    """Each save is compared with what was given, and with nothing that was saved since."""
    patch.setattr(State, "keep_note", lambda *_: None)


PLANTED = (takes_late_saves_for_resets, books_the_last_record_to_come, forgets_what_was_accepted)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(plant)
    plant(monkeypatch)
    crowds = [Crowd(seed) for seed in range(10)]

    for crowd in crowds:
        crowd.run()

    assert any(crowd.found() != crowd.expected() for crowd in crowds)
