"""Clients that hold, commit, release, go away in the middle of calls and die, on a tree whose windows roll each second.

Afterwards no admission has passed a limit, by the ledger alone; what was held is free again; and every count is right.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import reservation_pb2 as reservation_pb
from tests.faults.authority_clients import TAG, USERS
from tests.faults.authority_crowd import AuthorityCrowd
from tests.faults.calls import PROJECT, fixed, stub_for
from tests.faults.checker import deviations_of
from tests.faults.planted_clock import ClockFile
from tests.faults.server_process import ServerProcess, planted, running
from tests.faults.slow_replay import CHARGE, EXPIRE, HOLD, RELEASE, SETTLE, BlockingLimit, Replay, replayed

if TYPE_CHECKING:
    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

TEAMS = 4
SECOND_US = 1_000_000
LOAD_SECONDS = 60.0
#: The longest time to live, the sweeper's rest, and what a busy machine takes.
FREE_SECONDS_MAX = 30

EVER = pb.Window(lifetime=pb.LifetimeWindow())
SECOND, TWO_SECONDS = fixed(length_seconds=1), fixed(length_seconds=2)
#: What the organisation may spend in a second, in money and in calls.
ORG_NANO_USD, ORG_CALLS = 3_000, 100


async def test_no_admission_passes_a_limit_while_clients_hold_settle_leave_and_die_for_a_moment(
    database: Path, figure: Callable[[str], None]
) -> None:
    async with running(database) as server:
        crowd = AuthorityCrowd([server.address], database.parent, processes=2, clients_each=8)
        await load_tree([server], crowd, seconds=4.0, kills=1, lifetime_nano_usd=6_000)

    judge_of_one_server(database, crowd, 4.0, figure)


@pytest.mark.drill
async def test_no_admission_passes_a_limit_while_64_clients_hold_settle_leave_and_die_for_a_minute(
    database: Path, figure: Callable[[str], None]
) -> None:
    async with running(database) as server:
        crowd = AuthorityCrowd([server.address], database.parent, processes=4, clients_each=16)
        await load_tree([server], crowd, seconds=LOAD_SECONDS, kills=7, lifetime_nano_usd=80_000)

    judge_of_one_server(database, crowd, LOAD_SECONDS, figure)


@pytest.mark.drill
async def test_no_admission_passes_a_current_limit_at_two_servers_whose_clocks_are_two_seconds_apart(
    database: Path, figure: Callable[[str], None]
) -> None:
    clock = ClockFile(database.with_suffix(".clock"), 2 * SECOND_US)
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(running(database)),
            await stack.enter_async_context(
                running(database, program=planted("planted_clock"), environment=clock.environment)
            ),
        ]
        addresses = [server.address for server in servers]
        crowd = AuthorityCrowd(addresses, database.parent, processes=4, clients_each=16)
        await load_tree(servers, crowd, seconds=LOAD_SECONDS, kills=7, lifetime_nano_usd=250_000)

    report(judged(database, crowd), crowd, LOAD_SECONDS, figure)


async def load_tree(
    servers: list[ServerProcess], crowd: AuthorityCrowd, *, seconds: float, kills: int, lifetime_nano_usd: int
) -> None:
    """Make the tree, let the crowd work on it, and wait until every hold has ended by itself."""
    async with stub_for(servers[0].address) as stub:
        for budget in tree(lifetime_nano_usd):
            await stub.CreateBudget(service.CreateBudgetRequest(budget=budget))
    await crowd.work(seconds, kills=kills)
    for server in servers:
        async with stub_for(server.address) as stub, asyncio.timeout(FREE_SECONDS_MAX):
            await everything_is_free(stub)
        server.terminate()
    for server in servers:
        assert await server.ended() == 0
        assert [line for line in server.lines if '"level": "info"' not in line] == []


def tree(lifetime_nano_usd: int) -> list[pb.Budget]:
    """An organisation, its teams, their users, and a tag in addition to them."""
    org = [
        pb.Limit(amount=ORG_NANO_USD, window=SECOND),
        pb.Limit(limit_id="ever", amount=lifetime_nano_usd, window=EVER),
        pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=ORG_CALLS, window=SECOND),
    ]
    budgets = [budget("org", *org), budget(TAG, pb.Limit(amount=ORG_NANO_USD // 4, window=SECOND))]
    team = pb.Limit(amount=ORG_NANO_USD, window=TWO_SECONDS)
    budgets += [budget(f"team-{number}", team, parent="org") for number in range(TEAMS)]
    return budgets + [budget(f"user-{number}", parent=f"team-{number % TEAMS}") for number in range(USERS)]


def budget(budget_id: str, *limits: pb.Limit, parent: str = "") -> pb.Budget:
    return pb.Budget(project_id=PROJECT, budget_id=budget_id, limits=limits, parent_budget_id=parent)


async def everything_is_free(stub: "BudgetServiceAsyncStub") -> None:
    """Return when no hold is open and no limit of any budget holds anything."""
    holds = reservation_pb.ListReservationsRequest(
        project_id=PROJECT, state=reservation_pb.RESERVATION_STATE_OPEN, page_size=1_000
    )
    request = service.ListBudgetsRequest(project_id=PROJECT, view=pb.BUDGET_VIEW_STATUS, page_size=1_000)
    while True:
        budgets = (await stub.ListBudgets(request)).budgets
        assert len(budgets) == 2 + TEAMS + USERS
        held = sum(limit.held for each in budgets for limit in each.limit_statuses)
        if held == 0 and not await is_any_open(stub, holds):
            return
        await asyncio.sleep(0.1)


async def is_any_open(stub: "BudgetServiceAsyncStub", request: reservation_pb.ListReservationsRequest) -> bool:
    page_token = ""
    while True:
        page = reservation_pb.ListReservationsRequest()
        page.CopyFrom(request)
        page.page_token = page_token
        answer = await stub.ListReservations(page)
        if answer.reservations:
            return True
        page_token = answer.next_page_token
        if not page_token:
            return False


def judge_of_one_server(database: Path, crowd: AuthorityCrowd, seconds: float, figure: Callable[[str], None]) -> None:
    """With one clock, nothing else than a late commit may pass a limit either, and no window ends twice."""
    replay = judged(database, crowd)
    report(replay, crowd, seconds, figure)
    assert replay.passed_on_time == []
    for limit in every_limit(replay):
        ends = [at_us // SECOND_US for at_us in limit.reset_at_us]
        assert ends == sorted(set(ends)), limit.name
    refused_by = crowd.refused_by()
    assert {"org/main", "org/calls"} <= refused_by.keys()


def judged(database: Path, crowd: AuthorityCrowd) -> Replay:
    """The replay of a file that contradicts neither itself nor the answers of clients."""
    assert deviations_of(database) == []
    replay = replayed(database)
    assert replay.passed == []
    assert replay.open_holds() == 0
    assert contradictions(replay, crowd.answers()) == []
    assert min(replay.kinds[kind] for kind in (HOLD, SETTLE, RELEASE, EXPIRE)) > 0
    return replay


def contradictions(replay: Replay, answers: Iterable[dict[str, Any]]) -> list[str]:
    """Every answer of a client that the ledger contradicts, and every answer that is never allowed."""
    faults = []
    for line in answers:
        if "unexpected" in line:
            faults.append(line["unexpected"])
        elif "amount" in line and replay.granted.get(int(line["hold"][1:])) != line["amount"]:
            faults.append(f"{line} is recorded as {replay.granted.get(int(line['hold'][1:]))}")
        elif "charge" in line and replay.booked.get(int(line["charge"][1:])) != line["cost"]:
            faults.append(f"{line} is recorded as {replay.booked.get(int(line['charge'][1:]))}")
        elif "commit" in line and replay.settled.get(int(line["hold"][1:])) != line["cost"]:
            faults.append(f"{line} is recorded as {replay.settled.get(int(line['hold'][1:]))}")
    return faults


def every_limit(replay: Replay) -> list[BlockingLimit]:
    return [limit for limits in replay.limits.values() for limit in limits]


def report(replay: Replay, crowd: AuthorityCrowd, seconds: float, figure: Callable[[str], None]) -> None:
    """How much was going on, and what each limit of the organisation let through, in times of its amount."""
    refused_by = crowd.refused_by()
    kinds = replay.kinds
    figure(
        f"{kinds[HOLD]} holds, {kinds[SETTLE]} settled ({replay.late} late), {kinds[RELEASE]} released, "
        f"{kinds[EXPIRE]} expired, {kinds[CHARGE]} charges; {crowd.kills} processes killed"
    )
    for limit in every_limit(replay):
        if limit.budget_id in ("org", TAG):
            windows = f"{len(limit.reset_at_us) / seconds:.2f} windows a second, " if limit.reset_at_us else ""
            rate = limit.ever_spent / limit.amount / (seconds if limit.reset_at_us else 1)
            figure(
                f"{limit.name}: refused {refused_by[limit.name]}, {windows}at most {limit.most / limit.amount:.2f} of "
                f"it at once, {rate:.2f} of it {'a second' if limit.reset_at_us else 'in all'}"
            )
