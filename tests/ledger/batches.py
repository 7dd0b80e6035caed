"""Random batches: commands of every kind on a few budgets, which move, go and come again while they are charged."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import Any, NamedTuple, TypeVar

from budgetd_server.domain.budget import Action, Limit, ResetMode, Unit
from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    Command,
    CommitReservation,
    CreateBudget,
    DeleteBudget,
    ExtendReservation,
    LimitDraft,
    ReleaseReservation,
    Request,
    ReserveCost,
    ResetCost,
    ResetManyOnDuration,
    ResetOnDuration,
    Sweep,
    UpdateBudget,
)
from budgetd_server.domain.reservation import OnExpiry
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed, Lifetime
from budgetd_server.litellm.record import Record
from budgetd_server.litellm.saving import DropRecord, SaveRecord
from tests.domain.desk import DAY_US, HOUR_US, MONDAY_US

T = TypeVar("T")

SECOND_US = 1_000_000
#: Most commands use the first, so that they meet each other.
PROJECTS = ("shop", "shop", "shop", "bank")
IDS = ("org", "team", "other", "alice", "bob", "tpl")
MODELS = ("", "m1", "m2", "m3", "m4", "_other")
TTLS_US = (SECOND_US, 60 * SECOND_US, HOUR_US)
JUMPS_US = (0, 0, 1, SECOND_US, 61 * SECOND_US, HOUR_US, DAY_US, -2 * SECOND_US, -HOUR_US)
WINDOWS = (
    Lifetime(),
    Fixed(length_us=HOUR_US, anchor_at_us=MONDAY_US),
    Calendar(unit=CalendarUnit.DAY, time_zone="Europe/Berlin"),
)


class Seen(NamedTuple):
    """What is known of a project before a batch: numbers to speak of in it."""

    last_seq: int = 0
    #: Newest last.
    holds: Sequence[int] = ()
    last_key: int = 0
    living: frozenset[str] = frozenset()


class Batches:
    """Draws batches by a seed.

    Args:
        seed: The same one draws the same batches, as long as their results are the same.
        see: What is known of a project now.
    """

    def __init__(self, seed: int, see: Callable[[str], Seen]) -> None:
        self._random = Random(seed)
        self._see = see
        self._numbers = iter(range(1, 10**9))
        #: What each saving client says of its users.
        self._records: dict[tuple[str, str, str], Record] = {}
        self._sent: list[Command[Any]] = []
        #: The budget that most commands of a batch are about: what one does to it, the next ones meet.
        self._focus = IDS[0]
        self._kinds: tuple[tuple[Callable[[str], Command[Any]], int], ...] = (
            (self._charge, 14),
            (self._reserve, 5),
            (self._move, 6),
            (self._create, 5),
            (self._settle, 4),
            (self._delete, 2),
            (self._adjust, 3),
            (self._limits, 2),
            (self._save, 2),
            (self._reset, 1),
            (self._release, 1),
            (self._extend, 1),
            (self._sweep, 1),
            (self._drop, 1),
            (self._again, 1),
        )

    def first(self) -> list[Command[Any]]:
        """A tree and a template in each project, so that no history begins empty."""
        parents = {"org": "", "team": "org", "other": "org", "alice": "team", "bob": "other", "tpl": "team"}
        return [
            self._creation(project_id, budget_id, parent_id)
            for project_id in dict.fromkeys(PROJECTS)
            for budget_id, parent_id in parents.items()
        ]

    def next(self, commands_max: int = 9) -> list[Command[Any]]:
        """Some commands."""
        self._focus = self._pick(IDS[:-1])
        kinds, weights = zip(*self._kinds, strict=True)
        drawn = [draw(self._pick(PROJECTS)) for draw in self._random.choices(kinds, weights, k=commands_max)]
        batch = drawn[: self._random.randint(2, commands_max)]
        if self._random.random() < 0.5:
            places = sorted(self._random.choices(range(len(batch) + 1), k=3), reverse=True)
            for place, command in zip(places, reversed(self._scene(self._pick(PROJECTS))), strict=False):
                batch.insert(place, command)
        self._sent = (self._sent + batch)[-30:]
        return batch

    def jump_us(self) -> int:
        """How far the clock goes before a batch."""
        return self._pick(JUMPS_US)

    def cut(self, commands: Sequence[Command[Any]]) -> list[Sequence[Command[Any]]]:
        """A batch, cut at random places."""
        places = [place for place in range(1, len(commands)) if self._random.random() < 0.3]
        return [commands[begin:end] for begin, end in zip([0, *places], [*places, len(commands)], strict=True)]

    def _scene(self, project_id: str) -> list[Command[Any]]:
        """Commands that are seldom drawn in this order: a tree that changes, and then what it brings into the way."""
        child, above = self._random.sample(IDS[:-1], 2)
        delete, move = self._deletion(project_id, child), self._moving(project_id, child, above)
        create = self._creation(project_id, child, above)
        hold, spend = self._reserve(project_id), self._charge(project_id)
        assert isinstance(hold, ReserveCost)
        assert isinstance(spend, Charge)
        of_child, rejecting = spend._replace(budget_id=child), spend._replace(budget_id=child, rejects_over_limit=True)
        held = replace(hold, budget_id=child, amount_nano_usd=1, least_nano_usd=None)
        scenes: list[list[Command[Any]]] = [
            [delete, create, of_child],
            [create, of_child],
            [move, of_child],
            [move, rejecting],
            [move, replace(hold, budget_id=child)],
            [move, self._deletion(project_id, above)],
            [replace(hold, budget_id=child), move, self._deletion(project_id, above)],
            [of_child, delete, spend._replace(budget_id=child, template_id="tpl", request=self._request())],
            [self._moving(project_id, "tpl", above), spend._replace(budget_id=f"new{hold.request.request_id}")],
            # Refused because of what the batch itself has done before, or not, because of it.
            [held, self._deletion(project_id, child, force=False), of_child],
            [create, held, self._deletion(project_id, child, force=False)],
            [move, self._deletion(project_id, above, force=False), of_child],
            [move, self._moving(project_id, above, child), of_child],
        ]
        return self._random.choice(scenes)

    # --- What is spent.

    def _charge(self, project_id: str) -> Command[Any]:
        random = self._random
        return Charge(
            project_id,
            self._id(),
            self._request(),
            random.randint(0, 12),
            self._pick(MODELS),
            random.choice((None, Usage(3, 2, 1))),
            additional_ids=self._additional(),
            skips_missing=random.random() < 0.7,
            template_id="tpl" if random.random() < 0.5 else "",
            rejects_over_limit=random.random() < 0.4,
        )

    def _reserve(self, project_id: str) -> Command[Any]:
        random = self._random
        return ReserveCost(
            project_id=project_id,
            budget_id=self._id(),
            request=self._request(),
            amount_nano_usd=random.randint(0, 9),
            least_nano_usd=random.choice((None, 1)),
            usage=random.choice((None, Usage(3, 2))),
            model=self._pick(MODELS),
            ttl_us=self._pick(TTLS_US),
            on_expiry=random.choice(tuple(OnExpiry)),
            additional_ids=self._additional(),
            skips_missing=random.random() < 0.7,
            template_id="tpl" if random.random() < 0.5 else "",
        )

    def _settle(self, project_id: str) -> Command[Any]:
        random = self._random
        return CommitReservation(
            project_id=project_id,
            reservation_seq=self._hold(project_id),
            request=self._request(),
            cost_nano_usd=random.randint(0, 12),
            usage=random.choice((None, Usage(4, 4))),
            model=self._pick(MODELS) if random.random() < 0.5 else "",
            keeps_open=random.random() < 0.3,
        )

    def _release(self, project_id: str) -> Command[Any]:
        return ReleaseReservation(
            project_id=project_id, reservation_seq=self._hold(project_id), request=self._request()
        )

    def _extend(self, project_id: str) -> Command[Any]:
        return ExtendReservation(
            project_id=project_id,
            reservation_seq=self._hold(project_id),
            request=self._request(),
            ttl_us=self._pick(TTLS_US),
        )

    def _adjust(self, project_id: str) -> Command[Any]:
        random = self._random
        last_seq = self._see(project_id).last_seq
        names_entry = random.random() < 0.6
        return AdjustCost(
            project_id=project_id,
            budget_id=self._id(),
            request=self._request(),
            amount_nano_usd=random.randint(-9, 4),
            reason="a correction",
            model="" if names_entry else self._pick(MODELS),
            entry_seq=max(1, last_seq + random.randint(-12, 3)) if names_entry else None,
        )

    def _save(self, project_id: str) -> Command[Any]:
        random = self._random
        client, user = random.choice(("one", "two")), self._pick(("alice", "bob", "team"))
        key = (project_id, client, user)
        record = self._records.get(key)
        if record is None or random.random() < 0.1:
            record = Record(50, created_at="1772409600.0")
        model, cost = self._pick(MODELS[1:4]), random.randint(-2, 6)
        models = dict(record.models)
        models[model] = max(models.get(model, 0) + cost, 0)
        record = record._replace(spent_nano_usd=sum(models.values()), models=tuple(models.items()))
        self._records[key] = record
        save = SaveRecord(project_id=project_id, budget_id=user, client=client, record=record)
        return save.command()

    # --- What is configured.

    def _create(self, project_id: str) -> Command[Any]:
        random = self._random
        missing = [each for each in IDS if each not in self._see(project_id).living]
        budget_id = random.choice(missing) if missing and random.random() < 0.7 else self._id()
        parent_id = random.choice(("", *IDS[:-1]))
        return self._creation(project_id, budget_id, parent_id, replaces=random.random() < 0.4)

    def _move(self, project_id: str) -> Command[Any]:
        return self._moving(project_id, self._id(), self._random.choice(("", *IDS[:-1])))

    def _moving(self, project_id: str, budget_id: str, parent_id: str) -> UpdateBudget:
        return UpdateBudget(project_id=project_id, budget_id=budget_id, request=self._request(), parent_id=parent_id)

    def _limits(self, project_id: str) -> Command[Any]:
        return UpdateBudget(
            project_id=project_id,
            budget_id=self._id(),
            request=self._request(),
            sets_limits=True,
            limits=self._drafts(),
        )

    def _delete(self, project_id: str) -> Command[Any]:
        return self._deletion(project_id, self._id(), force=self._random.random() < 0.6)

    def _deletion(self, project_id: str, budget_id: str, *, force: bool = True) -> DeleteBudget:
        return DeleteBudget(project_id=project_id, budget_id=budget_id, request=self._request(), force=force)

    def _drop(self, project_id: str) -> Command[Any]:
        last_key = self._see(project_id).last_key
        user = self._pick(("alice", "bob", "team"))
        drop = DropRecord(project_id=project_id, budget_id=user, clients=("one", "two"), given_until_key=last_key)
        return drop.command()

    # --- What begins or ends.

    def _reset(self, project_id: str) -> Command[Any]:
        random, budget_id, request = self._random, self._id(), self._request()
        which = random.randrange(3)
        if which == 0:
            return ResetOnDuration(project_id=project_id, budget_id=budget_id, request=request)
        if which == 1:
            return ResetManyOnDuration(project_id=project_id, budget_ids=IDS, request=request, is_last=True)
        return ResetCost(project_id=project_id, budget_id=budget_id, request=request)

    def _sweep(self, project_id: str) -> Command[Any]:
        return Sweep(project_id=project_id, budget_ids=IDS, reservation_seqs=tuple(self._see(project_id).holds)[-9:])

    def _again(self, project_id: str) -> Command[Any]:
        """A command that was sent before, under its id."""
        return self._pick(self._sent) if self._sent else self._reset(project_id)

    # --- What they are made of.

    def _creation(self, project_id: str, budget_id: str, parent_id: str, *, replaces: bool = False) -> CreateBudget:
        return CreateBudget(
            project_id=project_id,
            budget_id=budget_id,
            request=self._request(),
            limits=self._drafts(),
            labels={},
            parent_id=parent_id,
            is_template=budget_id == "tpl",
            replace_existing=replaces,
        )

    def _drafts(self) -> tuple[LimitDraft, ...]:
        random = self._random
        main = Limit(
            amount=random.randint(5, 60),
            window=random.choice(WINDOWS),
            action=random.choice((Action.BLOCK, Action.WARN)),
        )
        if isinstance(main.window, Fixed) and random.random() < 0.3:
            main = Limit(amount=main.amount, window=main.window, reset_mode=ResetMode.ON_REQUEST)
        named = Limit(limit_id="calls", unit=Unit.CALLS, amount=20, window=random.choice(WINDOWS), models=("m*",))
        chosen = [limit for limit, share in ((main, 0.7), (named, 0.3)) if random.random() < share]
        return tuple(LimitDraft(limit=limit) for limit in chosen)

    def _additional(self) -> tuple[str, ...]:
        return tuple(self._random.sample(IDS[:-1], self._random.choice((0, 0, 1, 2))))

    def _hold(self, project_id: str) -> int:
        """An open hold, or one that may be made in the same batch."""
        seen = self._see(project_id)
        if seen.holds and self._random.random() < 0.8:
            return self._pick(seen.holds)
        return seen.last_seq + self._random.randint(1, 6)

    def _id(self) -> str:
        which = self._random.random()
        return self._focus if which < 0.4 else self._pick(IDS if which < 0.5 else IDS[:-1])

    def _pick(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def _request(self) -> Request:
        name = f"request-{next(self._numbers)}"
        return Request(name, sha256(name.encode()).digest())
