"""Two managers that are called alike, step by step, until they differ."""

import json
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from tests.parity.amended import Amended
from tests.parity.comparing import Outcome, differences, outcome
from tests.parity.drawing import Draw, Step
from tests.parity.steps import draw_step

#: After how many steps the whole of `user_dict` is compared.
WHOLE_EVERY_STEPS = 5
#: The number of steps that a failure reports.
REPORTED_STEPS = 12


_LOOKS: tuple[Callable[[Any], Any], ...] = (
    lambda manager: manager.user_dict,
    lambda manager: list(manager.user_dict),
    lambda manager: [len(manager.user_dict), bool(manager.user_dict)],
    # It goes by what a dict holds, past the methods of a subclass.
    lambda manager: json.loads(json.dumps(manager.user_dict)),
)


class Deviation(AssertionError):
    """The two differ where they must not."""


class Lockstep:
    """LiteLLM's class, amended, and a manager that should do the same, of the same users from the beginning."""

    def __init__(self, theirs: Amended, ours: Any, *, seed: int) -> None:
        self._theirs = theirs
        self._ours = ours
        self._seed = seed
        self._draw = Draw(seed, begun_at=int(time.time()))
        self._recent: deque[str] = deque(maxlen=REPORTED_STEPS)
        #: How often each kind of step returned, and how often it raised.
        self.returned: Counter[str] = Counter()
        self.raised: Counter[str] = Counter()

    def run(self, steps: int) -> None:
        """Draw and make steps.

        Raises:
            Deviation: The two differ; with the step, and those before it.
        """
        for number in range(steps):
            self._draw.known = list(self._theirs.user_dict)
            kind, step = draw_step(self._draw)
            self._recent.append(f"{number}: {step.text}")
            theirs = self._step(step)
            (self.returned if theirs.error is None else self.raised)[kind] += 1
            if number % WHOLE_EVERY_STEPS == 0:
                # Every time the records, and in turn one of the other ways.
                turn = number // WHOLE_EVERY_STEPS % (len(_LOOKS) - 1)
                self._compare_looks(_LOOKS[0], _LOOKS[1 + turn])

    def compare_whole(self) -> None:
        """Compare every record, in every way in which one may look at them."""
        self._compare_looks(*_LOOKS)

    def _compare_looks(self, *looks: Callable[[Any], Any]) -> None:
        for look in looks:
            self._compare(outcome(look, self._theirs), outcome(look, self._ours))

    def _step(self, step: Step) -> Outcome:
        before = time.time()
        is_amended = getattr(self._ours, "is_amended", False)
        ours = outcome((is_amended and step.amended) or step.call, self._ours)
        # Each reads the clock by itself; ours is asked what it read, within the time that its call took.
        created_at = ours.value.get("created_at") if isinstance(ours.value, dict) else None
        self._theirs.called_at = min(max(created_at or 0, before), time.time())
        theirs = outcome(step.amended or step.call, self._theirs)
        self._compare(theirs, ours)
        return theirs

    def _compare(self, theirs: Outcome, ours: Outcome) -> None:
        found = differences(theirs, ours)
        if found:
            raise Deviation("\n  ".join([f"seed {self._seed}:", *found, "after these steps:", *self._recent]))
