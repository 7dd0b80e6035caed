"""Two processes that use LiteLLM's class alike, each over a server of its own, until they differ."""

from collections import Counter, deque
from typing import Any

from tests.parity.comparing import Outcome, differences, outcome
from tests.parity.drawing import Step
from tests.parity.hosted.hosted_steps import ANCHOR, LOADS, RESTART, HostedDraw, draw_days, draw_step
from tests.parity.hosted.unmodified import PROJECT, opener, wait_for_saves, without_marker
from tests.parity.lockstep import REPORTED_STEPS, Deviation
from tests.rpc.running_server import SECOND_US, FakeClock

#: The time between two steps: a save that shows less is no late one then.
STEP_SECONDS = 20


class HostedLockstep:
    """Two managers of the same users from the beginning; the first one's answers are those to be given."""

    def __init__(self, *api_bases: str, clock: FakeClock, seed: int, looks_on: bool) -> None:
        """Begin with one user.

        Args:
            api_bases: The two servers, with nothing in them.
            clock: The one of the second server and of LiteLLM's class.
            seed: Of the steps.
            looks_on: Whether a third process loads the project after each step, only to look.
        """
        self._open = [opener(each) for each in api_bases]
        self._clock = clock
        self._seed = seed
        self._looks_on = looks_on
        self._draw = HostedDraw(seed, begun_at=clock.now_us // SECOND_US)
        self._recent: deque[str] = deque(maxlen=REPORTED_STEPS)
        self._managers: list[Any] = [each(PROJECT) for each in self._open]
        #: How often each kind of step returned, and how often it raised.
        self.returned: Counter[str] = Counter()
        self.raised: Counter[str] = Counter()
        for manager in self._managers:
            manager.create_budget(10, ANCHOR, "monthly", created_at=self._draw.begun_at)
            wait_for_saves()
        self._managers = [each(PROJECT) for each in self._open]

    def run(self, steps: int) -> None:
        """Draw and make steps, then compare what is left.

        Raises:
            Deviation: The two differ; with the step, and those before it.
        """
        for number in range(steps):
            days = draw_days(self._draw)
            self._clock.advance(seconds=STEP_SECONDS, days=days)
            self._draw.begun_at = self._clock.now_us // SECOND_US
            self._draw.known = self._managers[0].get_users()
            kind, step = draw_step(self._draw)
            self._recent.append(f"{number}: {f'{days} days later, ' if days else ''}{step.text}")
            self._step(kind, step)
        self._recent.append(f"{steps}: save_data()")
        self._clock.advance(seconds=STEP_SECONDS)
        for manager in self._managers:
            manager.save_data()
        self._look()

    def _step(self, kind: str, step: Step) -> None:
        if step is RESTART:
            self._managers = [each(PROJECT) for each in self._open]
        outcomes = [_made(step, manager) for manager in self._managers]
        (self.returned if outcomes[0].error is None else self.raised)[kind] += 1
        if kind in LOADS:
            self._draw.loaded = self._managers[0].get_users()
        self._draw.loaded = [user for user in self._draw.loaded if user in self._managers[0].user_dict]
        self._compare(outcomes)
        self._compare([Outcome(manager.user_dict) for manager in self._managers])
        if self._looks_on:
            self._look()

    def _look(self) -> None:
        """Compare what a new process is given."""
        self._compare([Outcome(each(PROJECT).user_dict) for each in self._open])

    def _compare(self, outcomes: list[Outcome]) -> None:
        theirs, ours = (Outcome(_in_any_order(without_marker(each.value)), each.error) for each in outcomes)
        found = differences(theirs, ours)
        if found:
            raise Deviation("\n  ".join([f"seed {self._seed}:", *found, "after these steps:", *self._recent]))


def _in_any_order(value: Any) -> Any:
    """Users that a program has removed and created again between two saves keep their place on budgetd."""
    is_users = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return sorted(value) if is_users else value


def _made(step: Step, manager: Any) -> Outcome:
    """Make a step; where it saves several times at once, on threads, once more when they are done."""
    come_to = outcome(step.call, manager)
    if wait_for_saves() > 1:
        manager.save_data()
    return come_to
