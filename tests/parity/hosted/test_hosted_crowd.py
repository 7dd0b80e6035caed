"""Processes of LiteLLM's class and callers over gRPC charge the same users at once, while the server is killed.

On budgetd no cost is lost; on a server that keeps the dictionary that was saved last, most are.
"""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from budgetd import BudgetClient
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from tests.client.server_process import ServerProcess
from tests.parity.hosted.crowd import EARLY, users_to_create
from tests.parity.hosted.crowds import (
    Crowd,
    GrpcCaller,
    Report,
    Size,
    kept_by_budgetd,
    kept_by_dictionary,
    seconds_since,
    sums,
)
from tests.parity.hosted.dictionary_server import DictionaryServer
from tests.parity.hosted.unmodified import PROJECT

SIZE = Size(processes=2, threads=3, charges=200)
LARGE = Size(processes=4, threads=4, charges=1_500)
#: So many charges over gRPC lie between two power cuts.
CHARGES_BETWEEN = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own, with an HTTP port."""
    process = ServerProcess(tmp_path / "server.db", has_http=True)
    yield process
    process.kill()


def report(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Print, past what pytest hides."""
    with capsys.disabled():
        print(f"\n{text}")  # noqa: T201 - the report.


def create_early_users(client: BudgetClient) -> None:
    """The users that the project has before a process loads it."""
    limited, unlimited = EARLY
    limits = [pb.Limit(amount=10_000_000_000)]
    for budget in (
        pb.Budget(project_id=PROJECT, budget_id=limited, limits=limits),
        pb.Budget(project_id=PROJECT, budget_id=unlimited),
    ):
        client.create_budget(service.CreateBudgetRequest(budget=budget))


def all_users(size: Size, *, has_early: bool) -> list[str]:
    """Every user that there is at the end."""
    names = [f"process {number}" for number in range(size.processes)]
    created = [user.name for name in names for user in users_to_create(name, have_durations=not has_early)]
    return list(dict.fromkeys([*(EARLY if has_early else ()), *created]))


def charge_through_power_cuts(
    server: ServerProcess, size: Size, *, has_early: bool, power_cuts: int
) -> tuple[list[Report], dict[str, Counter[str]]]:
    """The reports of the processes, and what was charged over gRPC."""
    crowd = Crowd(f"http://127.0.0.1:{server.http_port}", size, have_durations=not has_early)
    try:
        caller = GrpcCaller(server.address, all_users(size, has_early=has_early))
        try:
            crowd.go()
            for _ in range(power_cuts):
                caller.wait_for_more(CHARGES_BETWEEN)
                server.kill()
                server.restart()
            caller.wait_for_more(CHARGES_BETWEEN)
            reports = crowd.stop()
        finally:
            by_grpc = caller.stop()
    finally:
        crowd.kill()
    return reports, by_grpc


def assert_nothing_is_lost(
    server: ServerProcess,
    size: Size,
    capsys: pytest.CaptureFixture[str],
    *,
    has_early: bool,
    power_cuts: int,
    database: Path,
) -> None:
    """Let a crowd charge, then count."""
    began_at = time.monotonic()
    users = all_users(size, has_early=has_early)
    with BudgetClient(server.address) as client:
        if has_early:
            create_early_users(client)

        reports, by_grpc = charge_through_power_cuts(server, size, has_early=has_early, power_cuts=power_cuts)

        kept = kept_by_budgetd(client, users)
    expected = sums(*(each.charged for each in reports), by_grpc)
    total = sum(costs.total() for costs in expected.values())
    charges = sum(each.charges for each in reports)
    failed = sum(each.failed.total() for each in reports)
    lost = total - sum(costs.total() for costs in kept.values())
    report(
        capsys,
        f"budgetd, {size}, {power_cuts} power cuts: {charges} charges and those over gRPC, "
        f"{failed} saves failed, {lost} of {total} nano-dollars lost, {seconds_since(began_at)}",
    )
    assert kept == expected
    assert set(users) == expected.keys()
    assert power_cuts == 0 or all(each.failed for each in reports)
    server.kill()
    verified = subprocess.run(
        [sys.executable, "-m", "budgetd_server", "verify", "--database", str(database)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.parametrize("has_early", [True, False], ids=["a project with budgets", "an empty project"])
@pytest.mark.parametrize("power_cuts", [0, 2], ids=["no power cut", "two power cuts"])
def test_no_cost_is_lost(
    has_early: bool, power_cuts: int, server: ServerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "server.db"
    assert_nothing_is_lost(server, SIZE, capsys, has_early=has_early, power_cuts=power_cuts, database=database)


@pytest.mark.drill
@pytest.mark.timeout(600)
@pytest.mark.parametrize("has_early", [True, False], ids=["a project with budgets", "an empty project"])
def test_no_cost_is_lost_by_more_processes_in_more_power_cuts(
    has_early: bool, server: ServerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "server.db"
    assert_nothing_is_lost(server, LARGE, capsys, has_early=has_early, power_cuts=8, database=database)


def test_a_dictionary_loses_costs(dictionary: DictionaryServer, capsys: pytest.CaptureFixture[str]) -> None:
    began_at = time.monotonic()
    dictionary.kept[PROJECT] = {user: {"total_budget": 10} for user in EARLY}
    crowd = Crowd(dictionary.api_base, SIZE, have_durations=False)
    try:
        crowd.go()
        reports = crowd.stop()
    finally:
        crowd.kill()

    expected = sums(*(each.charged for each in reports))
    kept = kept_by_dictionary(dictionary.kept[PROJECT], expected)
    total, left = (sum(costs.total() for costs in each.values()) for each in (expected, kept))
    missing = [user for user in expected if user not in dictionary.kept[PROJECT]]
    report(
        capsys,
        f"a dictionary, {SIZE}: {sum(each.charges for each in reports)} charges, {total - left} of {total} nano-dollars"
        f" lost ({(total - left) / total:.0%}), {len(missing)} of {len(expected)} users are missing, "
        f"{seconds_since(began_at)}",
    )
    assert left < total * 3 / 4
    assert missing
