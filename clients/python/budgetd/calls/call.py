"""The state of one call, without I/O: its deadline, its request id, and whether and when it is retried.

Both kinds of caller use it. They differ only in how they wait.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from budgetd.errors import BudgetdError, ServerUnreachable, Unavailable
from budgetd.request_ids import RequestT, with_request_ids
from budgetd.values import check_seconds

#: The shortest timeout of an attempt, used if the pause before it took too long.
ATTEMPT_SECONDS_MIN = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPolicy:
    """How long calls may take, and how they are retried."""

    #: The timeout of a whole call, including all attempts and pauses.
    timeout_seconds: float = 10.0
    #: The timeout of calls that only read. None: the same as for changes.
    read_timeout_seconds: float | None = None
    #: How long to try a server that has never answered. If it has answered before, calls retry until their deadline.
    connect_timeout_seconds: float = 1.0
    #: The longest pause after the first attempt; doubled after each further one.
    first_pause_seconds: float = 0.05
    pause_seconds_max: float = 1.0

    def __post_init__(self) -> None:
        check_seconds("timeout_seconds", self.timeout_seconds)
        if self.read_timeout_seconds is not None:
            check_seconds("read_timeout_seconds", self.read_timeout_seconds)
        check_seconds("connect_timeout_seconds", self.connect_timeout_seconds)
        check_seconds("first_pause_seconds", self.first_pause_seconds)
        check_seconds("pause_seconds_max", self.pause_seconds_max)

    def seconds_for(self, *, changes: bool) -> float:
        """Return how long a call may take, by whether it changes something."""
        if changes or self.read_timeout_seconds is None:
            return self.timeout_seconds
        return self.read_timeout_seconds


class Call(Generic[RequestT]):
    """A call that has begun.

    Args:
        request: The caller's message. It is not changed.
        changes: True if the request changes something. It is then copied, and a missing request id is added.
        policy: The policy of the client.
        timeout_seconds: The timeout of this call. None: the policy's.
        clock: Returns seconds that never step back.
        jitter: Returns a random number from 0 to 1, so that many clients do not retry at the same moment.
    """

    def __init__(
        self,
        request: RequestT,
        *,
        changes: bool,
        policy: CallPolicy,
        timeout_seconds: float | None,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        if timeout_seconds is None:
            timeout_seconds = policy.seconds_for(changes=changes)
        else:
            check_seconds("timeout_seconds", timeout_seconds)
        #: The message to send, the same in every attempt.
        self.request = with_request_ids(request) if changes else request
        self._request_id: str = getattr(self.request, "request_id", "") if changes else ""
        self._policy, self._clock, self._jitter = policy, clock, jitter
        self._began = clock()
        self._deadline = self._began + timeout_seconds
        self._attempts = 0
        self._last_error: BudgetdError | None = None

    def attempt_seconds(self) -> float:
        """Begin an attempt, and return how long it may take."""
        self._attempts += 1
        return max(self._deadline - self._clock(), ATTEMPT_SECONDS_MIN)

    def pause_seconds_after(self, error: BudgetdError) -> float | None:
        """Return how long to wait before the next attempt, or None to raise the error.

        Only UNAVAILABLE is retried. It means that nothing was acknowledged, and both reads and requests with an id
        can be repeated safely.
        """
        now = self._clock()
        if isinstance(error, Unavailable):
            pause_seconds = self._pause_seconds(error)
            if now + pause_seconds < self._end_of_patience(error):
                self._last_error = error
                return pause_seconds
        error.request_id = self._request_id
        if self._last_error is not None:
            error.add_note(f"gave up after {self._attempts} attempts in {now - self._began:.1f} s")
            if str(self._last_error) != str(error):
                error.add_note(f"the previous attempt failed: {self._last_error}")
        return None

    def _pause_seconds(self, error: BudgetdError) -> float:
        policy = self._policy
        # After 30 doublings every pause is the longest one; the bound keeps the power small.
        longest = min(math.ldexp(policy.first_pause_seconds, min(self._attempts - 1, 30)), policy.pause_seconds_max)
        asked_seconds = max(error.retry_after_seconds or 0.0, 0.0)
        return asked_seconds + longest * (0.5 + self._jitter() / 2)

    def _end_of_patience(self, error: BudgetdError) -> float:
        if isinstance(error, ServerUnreachable):
            return min(self._began + self._policy.connect_timeout_seconds, self._deadline)
        return self._deadline
