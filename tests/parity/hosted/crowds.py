"""Runs crowds: processes of `crowd.py`, and a caller over gRPC that charges the same users."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from budgetd import BudgetClient
from budgetd.errors import NotFound
from budgetd.v1 import cost_pb2 as cost_pb
from tests.parity.hosted.crowd import PAUSE_SECONDS, TOKEN_NANO_USD
from tests.parity.hosted.unmodified import PROJECT

REPOSITORY = Path(__file__).parents[3]
PATIENCE_SECONDS = 60.0

#: Nano-dollars by user and model.
Charged = dict[str, Counter[str]]


class Size(NamedTuple):
    """How many charge, from how many threads each, and how often at least."""

    processes: int
    threads: int
    charges: int


class Report(NamedTuple):
    """The report of a process at its end."""

    charged: Charged
    charges: int
    #: How many saves have failed, by the name of the exception.
    failed: Counter[str]


class Crowd:
    """Processes that have loaded the project and begin on a signal."""

    def __init__(self, api_base: str, size: Size, *, have_durations: bool) -> None:
        kind = "have-durations" if have_durations else "any"
        numbers = (str(size.threads), str(size.charges), kind)
        self.names = [f"process {number}" for number in range(size.processes)]
        self._processes = [_started(api_base, name, *numbers) for name in self.names]
        for process in self._processes:
            assert _line(process) == "ready\n"

    def go(self) -> None:
        """Let them charge."""
        self._signal("go\n")

    def stop(self) -> list[Report]:
        """Let them end, once they have made all their charges, and return their reports."""
        self._signal("stop\n")
        reports = [json.loads(_line(process)) for process in self._processes]
        ends = [(process.wait(), process.stderr.read() if process.stderr else "") for process in self._processes]
        assert ends == [(0, "")] * len(ends)
        return [
            Report(
                {user: Counter(costs) for user, costs in each["charged"].items()},
                each["charges"],
                Counter(each["failed"]),
            )
            for each in reports
        ]

    def kill(self) -> None:
        """End those that have not ended, without asking."""
        for process in self._processes:
            process.kill()
            process.communicate()

    def _signal(self, line: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(line)
            process.stdin.flush()


class GrpcCaller:
    """Charges users over gRPC, from a thread of its own, until it is stopped; those there are not yet it leaves out."""

    def __init__(self, address: str, users: Iterable[str]) -> None:
        self.charged: Charged = {}
        self._users = list(users)
        self._client = BudgetClient(address, timeout_seconds=PATIENCE_SECONDS)
        self._has_charged = threading.Condition()
        self._charges = 0
        self._stopping = threading.Event()
        self._failures: list[Exception] = []
        self._thread = threading.Thread(target=self._work, name="grpc caller")
        self._thread.start()

    def wait_for_more(self, charges: int) -> None:
        """Wait until it has charged so many times more."""
        with self._has_charged:
            enough = self._charges + charges
            done = self._has_charged.wait_for(lambda: self._failures or self._charges >= enough, PATIENCE_SECONDS)
        assert done, "no charge has come through for too long"
        assert self._failures == []

    def stop(self) -> Charged:
        """Let it end; what it has charged."""
        self._stopping.set()
        self._thread.join()
        self._client.close()
        assert self._failures == []
        return self.charged

    def _work(self) -> None:
        try:
            while not self._stopping.wait(PAUSE_SECONDS):
                self._charge()
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited.
            with self._has_charged:
                self._failures.append(error)
                self._has_charged.notify_all()

    def _charge(self) -> None:
        user, model = random.choice(self._users), random.choice(list(TOKEN_NANO_USD))
        cost = random.randint(1, 1_000_000)
        try:
            self._client.update_cost(
                cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id=user, cost_nano_usd=cost, model=model)
            )
        except NotFound:
            return  # The processes have not created it yet.
        with self._has_charged:
            self.charged.setdefault(user, Counter())[model] += cost
            self._charges += 1
            self._has_charged.notify_all()


def sums(*charged: Mapping[str, Counter[str]]) -> Charged:
    """What all have charged together."""
    together: Charged = {}
    for each in charged:
        for user, costs in each.items():
            together.setdefault(user, Counter()).update(costs)
    return together


def kept_by_budgetd(client: BudgetClient, users: Iterable[str]) -> Charged:
    """What the server says that was spent, by user and model. Raises if the models do not add up to the whole."""
    kept: Charged = {}
    for user in users:
        models = client.get_model_cost(cost_pb.GetModelCostRequest(project_id=PROJECT, budget_id=user)).models
        current = client.get_current_cost(cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=user))
        kept[user] = Counter({each.model: each.cost_nano_usd for each in models if each.cost_nano_usd})
        assert kept[user].total() == current.current_cost_nano_usd, user
    return kept


def kept_by_dictionary(records: Mapping[str, Any], users: Iterable[str]) -> Charged:
    """The same of a dictionary, in which users and costs may be missing."""
    costs = {user: records.get(user, {}).get("model_cost", {}) for user in users}
    return {user: Counter({model: round(cost * 1e9) for model, cost in each.items()}) for user, each in costs.items()}


def _started(api_base: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.parity.hosted.crowd", api_base, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"a process has ended: {process.communicate()[1]}")
    return line


def seconds_since(began_at: float) -> str:
    """The duration, as it is printed."""
    return f"{time.monotonic() - began_at:.1f} s"
