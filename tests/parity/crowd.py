"""A program: processes that all charge one user in the working folder, each from many threads at once.

`python -m tests.parity.crowd litellm|budgetd PROCESSES THREADS UPDATES`. Of four processes, three are forked from one
that has used its manager already; the fourth starts from nothing. All open their managers before any of them charges.
It exits with 1 if any of them failed.
"""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, NamedTuple

PROJECT = "crowd"
USER = "alice"
#: It costs 600 nano-dollars.
CHARGE = {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}}
CHARGE_COST = 6e-7


class Size(NamedTuple):
    """How many charge, and how often."""

    processes: int
    threads: int
    updates: int

    @property
    def charges(self) -> int:
        """How many charges there are at the end: the first process makes one of its own."""
        return 1 + self.processes * self.threads * self.updates


class Gate:
    """Opens for all processes at once, when all have arrived."""

    def __init__(self) -> None:
        self.come_end, self.opened_end = os.pipe()
        self.arrivals_end, self.arrive_end = os.pipe()

    def wait(self) -> None:
        """Say that this process has come, and wait until the gate opens."""
        wait_at(self.arrive_end, self.come_end)

    def open(self, processes: int) -> None:
        """Wait for so many, then let them through."""
        seen = b""
        while len(seen) < processes:
            read = os.read(self.arrivals_end, processes)
            assert read, "a process ended before it came to the gate"
            seen += read
        os.close(self.opened_end)


def wait_at(arrive_end: int, come_end: int) -> None:
    """Report that this process has arrived, and wait until the other end is closed everywhere."""
    os.write(arrive_end, b".")
    os.close(arrive_end)
    os.read(come_end, 1)


def open_manager(whose: str) -> Any:
    """A manager of the working folder."""
    if whose == "litellm":
        from litellm import BudgetManager  # noqa: PLC0415 - It takes seconds, and the other processes have no need of it.
    else:
        from budgetd import BudgetManager  # noqa: PLC0415 - The same.
    return BudgetManager(PROJECT)


def charge(manager: Any, size: Size) -> None:
    """Charge from many threads; raises what the first of them that failed raised."""
    failures: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(size.updates):
                manager.update_cost(USER, CHARGE)
        except Exception as error:  # noqa: BLE001 - It is raised below.
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(size.threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]


def leave(manager: Any) -> None:
    """Let LiteLLM's threads write what they have, or close ours."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    with suppress(AttributeError):
        manager.close()


def lead(whose: str, size: Size) -> int:
    """Make the first charge and the other processes, and let them all go at once; how many of them failed."""
    manager = open_manager(whose)
    manager.create_budget(1_000, USER, "yearly")
    manager.update_cost(USER, CHARGE)
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    gate = Gate()
    started = [_started(whose, size, gate) for _ in range(size.processes // 4)]
    forked = [_forked(manager, size, gate) for _ in range(size.processes - len(started))]
    os.close(gate.arrive_end)
    gate.open(size.processes)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in forked]
    codes += [process.wait() for process in started]
    leave(manager)
    return sum(code != 0 for code in codes)


def _started(whose: str, size: Size, gate: Gate) -> subprocess.Popen[bytes]:
    """A process that starts from nothing."""
    ends = (gate.arrive_end, gate.come_end)
    numbers = [str(each) for each in (*size, *ends)]
    return subprocess.Popen([sys.executable, "-m", __spec__.name, whose, *numbers], pass_fds=ends)


def _forked(manager: Any, size: Size, gate: Gate) -> int:
    """A process that goes on with the manager of this one; its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.close(gate.opened_end)
        gate.wait()
        charge(manager, size)
        leave(manager)
    except BaseException:  # noqa: BLE001 - Whatever it is, the copy of the parent ends here.
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def main(whose: str, *numbers: str) -> int:
    """Lead, or with the ends of a gate follow."""
    size, ends = Size(*map(int, numbers[:3])), [int(each) for each in numbers[3:]]
    if not ends:
        return min(1, lead(whose, size))
    manager = open_manager(whose)
    wait_at(*ends)
    charge(manager, size)
    leave(manager)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
