"""A thousand calls of $0.10 on a budget of $5: a check before each lets more than fifty through, a hold fifty."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from budgetd.client import BudgetClient
from budgetd.errors import BudgetExceededError
from budgetd.local import LocalTransport
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from tests.parity.theirs import litellm

PROJECT, USER = "project", "alice"
CALLS, CALLERS, FIT = 1_000, 64, 50
#: Where money is a float: fifty times 0.1 is 4.999999999999998.
FIT_FLOAT = 51
BUDGET_USD = 5.0
BUDGET_NANO_USD, CALL_NANO_USD = 5_000_000_000, 100_000_000
#: It costs $0.10.
CHARGE = {"model": "gpt-4o", "usage": {"prompt_tokens": 40_000, "completion_tokens": 0, "total_tokens": 40_000}}
#: What a call takes, between the check or hold before it and the charge after it.
CALL_SECONDS = (0.0, 0.01)


def let_through(call: Callable[[], bool], *, callers: int = CALLERS) -> int:
    """How many of a thousand calls from many threads are let through; the threads that they have started are done."""
    before = set(threading.enumerate())
    with ThreadPoolExecutor(callers) as pool:
        through = sum(pool.map(lambda _: call(), range(CALLS)))
    for thread in set(threading.enumerate()) - before:
        if not thread.daemon:  # LiteLLM's class writes its file on one for each charge.
            thread.join()
    return through


def their_manager(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """LiteLLM's class as it is, in a folder of its own, with a user who has $5."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    manager = litellm.BudgetManager(PROJECT, client_type="local")
    manager.create_budget(BUDGET_USD, USER, "yearly")
    return manager


def checked(manager: Any, seconds: float) -> bool:
    """One call as LiteLLM's page has it: made if the cost so far is below the budget."""
    if not manager.get_current_cost(USER) < manager.get_total_budget(USER):
        return False
    time.sleep(seconds)
    manager.update_cost(USER, CHARGE)
    return True


def held(client: BudgetClient, seconds: float) -> bool:
    """One call of ours: made if its cost can be held."""
    hold = reservation_pb.ReserveCostRequest(project_id=PROJECT, budget_id=USER, amount_nano_usd=CALL_NANO_USD)
    try:
        reservation_id = client.reserve_cost(hold).reservation_id
    except BudgetExceededError:
        return False
    time.sleep(seconds)
    client.commit_reservation(
        reservation_pb.CommitReservationRequest(
            project_id=PROJECT, reservation_id=reservation_id, cost_nano_usd=CALL_NANO_USD
        )
    )
    return True


def report(capsys: pytest.CaptureFixture[str], what: str, through: int) -> None:
    """Print a figure, past what pytest hides."""
    with capsys.disabled():
        print(f"\n{what}: {through} of {CALLS} calls let through, {FIT} fit")  # noqa: T201 - the report.


@pytest.mark.parametrize("seconds", CALL_SECONDS)
def test_of_ours_fifty_are_let_through(seconds: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with BudgetClient.over(LocalTransport(tmp_path / "budgetd.db")) as client:
        limits = [pb.Limit(amount=BUDGET_NANO_USD)]
        budget = pb.Budget(project_id=PROJECT, budget_id=USER, limits=limits)
        client.create_budget(service.CreateBudgetRequest(budget=budget))

        through = let_through(lambda: held(client, seconds))

        spent = client.get_current_cost(cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=USER))
    report(capsys, f"budgetd, {CALLERS} threads, calls of {seconds * 1e3:g} ms", through)
    assert (through, spent.current_cost_nano_usd) == (FIT, BUDGET_NANO_USD)


def test_of_theirs_one_more_is_let_through_even_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manager = their_manager(tmp_path / "theirs", monkeypatch)

    through = let_through(lambda: checked(manager, 0), callers=1)

    report(capsys, "LiteLLM, 1 thread", through)
    assert through == FIT_FLOAT


@pytest.mark.parametrize("seconds", CALL_SECONDS)
def test_of_theirs_more_are_let_through_at_once(
    seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manager = their_manager(tmp_path / "theirs", monkeypatch)

    through = let_through(lambda: checked(manager, seconds))

    report(capsys, f"LiteLLM, {CALLERS} threads, calls of {seconds * 1e3:g} ms", through)
    assert through >= FIT_FLOAT
    if seconds:  # Without, it is a matter of luck.
        assert through > FIT_FLOAT
