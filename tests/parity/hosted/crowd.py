"""A program: a process that charges users of a project from many threads, with LiteLLM's class over a server.

`python -m tests.parity.hosted.crowd API_BASE NAME THREADS CHARGES KIND`. It writes `ready` once it has loaded the
project, charges from the line `go` on until the line `stop` and so many charges, and saves what it has until that
succeeds. Then it writes what it has charged, as JSON: nano-dollars by user and model, and how many saves have failed.

Users there are not yet are created on the way, by the one process or by both. Saves fail while the server is away, on
threads whose errors are not reported.
"""

import json
import random
import sys
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

from tests.parity.hosted.unmodified import PROJECT, opener, wait_for_saves

#: What a token of a prompt costs, in nano-dollars.
TOKEN_NANO_USD = {"gpt-4o-mini": 150, "gpt-4.1-nano": 100}
#: Users that are there before any process begins.
EARLY = ("early", "early without a limit")
#: Another user is created after so many charges.
CHARGES_PER_USER = 12
#: How long a thread waits after a charge, in seconds: so that others have their turn.
PAUSE_SECONDS = 0.01
#: The class starts a thread for each save; with more at once than these, threads wait before they charge again.
SAVING_MAX = 40
SAVED_SECONDS_MAX = 60.0


class NewUser(NamedTuple):
    """A user that a process creates."""

    name: str
    duration: str | None


def users_to_create(process: str, *, have_durations: bool) -> list[NewUser]:
    """The users that a process creates: those that both create come first, and in between those of its own."""
    shared = [NewUser("both daily", "daily"), NewUser("both yearly", "yearly")]
    own = [NewUser(f"{process} weekly", "weekly"), NewUser(f"{process} monthly", "monthly")]
    if not have_durations:
        shared.append(NewUser("both without", None))
        own.append(NewUser(f"{process} without", None))
    return [each for pair in zip(shared, own, strict=True) for each in pair]


class Charging:
    """The manager of this process and what was charged with it."""

    def __init__(self, manager: Any, to_create: list[NewUser], charges_min: int) -> None:
        self.charged: dict[str, Counter[str]] = {}
        self.charges = 0
        self.may_stop = threading.Event()
        self._manager = manager
        self._users = manager.get_users()
        self._to_create, self._created = to_create, 0
        self._charges_min = charges_min
        # The class adds without a lock, and what it loses by that would not be the server's doing.
        self._lock = threading.Lock()

    def work(self) -> None:
        """Charge until it is enough."""
        while not (self.may_stop.is_set() and self.charges >= self._charges_min):
            with self._lock:
                self._charge()
            time.sleep(PAUSE_SECONDS)
            while threading.active_count() > SAVING_MAX:
                time.sleep(PAUSE_SECONDS / 10)

    def _charge(self) -> None:
        if self._created < len(self._to_create) and self.charges >= self._created * CHARGES_PER_USER:
            name, duration = self._to_create[self._created]
            self._created += 1
            self._manager.create_budget(10, name, duration)
            self._users.append(name)
        user = random.choice(self._users)
        model, tokens = random.choice(list(TOKEN_NANO_USD)), 4 * random.randint(1, 50)
        usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
        self._manager.update_cost(user, {"model": model, "usage": usage})
        self.charged.setdefault(user, Counter())[model] += tokens * TOKEN_NANO_USD[model]
        self.charges += 1


def save(manager: Any) -> None:
    """Save until it succeeds."""
    deadline = time.monotonic() + SAVED_SECONDS_MAX
    while True:
        try:
            answer = manager.save_data()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            assert answer == {"status": "success"}, answer
            return


def count_failed_saves() -> Counter[str]:
    """Counts, from now on, what the class raises on the threads on which it saves."""
    failed: Counter[str] = Counter()

    def raised(error_args: threading.ExceptHookArgs) -> None:
        if error_args.thread is not None and error_args.thread.name.endswith("(save_data)"):
            failed[error_args.exc_type.__name__] += 1
        else:
            threading.__excepthook__(error_args)

    threading.excepthook = raised
    return failed


def main(api_base: str, name: str, threads: str, charges: str, kind: str) -> None:
    """Load, charge, save and report."""
    failed = count_failed_saves()
    manager = opener(api_base)(PROJECT)
    to_create = users_to_create(name, have_durations=kind == "have-durations")
    charging = Charging(manager, to_create, int(charges))
    _say("ready")
    assert sys.stdin.readline() == "go\n"
    workers = [threading.Thread(target=charging.work) for _ in range(int(threads))]
    for worker in workers:
        worker.start()
    assert sys.stdin.readline() == "stop\n"
    charging.may_stop.set()
    for worker in workers:
        worker.join()
    wait_for_saves()
    save(manager)
    _say(json.dumps({"charged": charging.charged, "charges": charging.charges, "failed": failed}))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
