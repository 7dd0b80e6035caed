"""The client without a server: it does what the one with a server does."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest

from budgetd import AsyncBudgetClient, AsyncLocalTransport, BudgetClient, BudgetdError, LocalTransport, errors
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.ledger.sqlite import file as sqlite_file
from budgetd_server.rpc import budgets
from tests.client.local.ledgers import BUDGET, PROJECT, charge, create, local, read, spent, with_budget
from tests.client.server_process import ServerProcess

THREAD = "budgetd-embedded"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file with a budget in it."""
    return with_budget(tmp_path / "ledger.db")


@pytest.fixture
def client(database: Path) -> Iterator[BudgetClient]:
    """A client on it."""
    with local(database) as embedded:
        yield embedded


def servers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == THREAD]


def test_what_is_charged_is_read_back_and_is_in_the_file(client: BudgetClient, database: Path) -> None:
    response = client.update_cost(charge(12_345))

    assert response.cost_nano_usd == 12_345
    assert len(response.request_id) == 36
    assert client.get_current_cost(read()).current_cost_nano_usd == 12_345
    rows = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    assert rows.execute("SELECT max(cost_nano_usd) FROM entries").fetchone() == (12_345,)
    rows.close()


async def test_the_awaited_client_does_the_same(client: BudgetClient, database: Path) -> None:
    async with AsyncBudgetClient.over(AsyncLocalTransport(database)) as awaited:
        await asyncio.gather(*(awaited.update_cost(charge()) for _ in range(100)))
        with pytest.raises(errors.NotFound):
            await awaited.update_cost(charge(budget_id="nobody"))

    with pytest.raises(RuntimeError, match="closed"):
        await awaited.update_cost(charge())
    assert client.get_current_cost(read()).current_cost_nano_usd == 100


def test_one_client_that_awaits_serves_several_loops(database: Path) -> None:
    awaited = AsyncBudgetClient.over(AsyncLocalTransport(database))

    for _ in range(2):
        asyncio.run(awaited.update_cost(charge()))
    asyncio.run(awaited.close())

    assert spent(database) == 2


def test_a_model_and_its_texts_are_priced(client: BudgetClient) -> None:
    texts = pb.Text(input="How much is this? " * 500, output="That much.")
    request = cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id=BUDGET, model="gpt-4o-mini", text=texts)

    assert client.update_cost(request).cost_nano_usd > 0


Call = Callable[[BudgetClient], object]
REFUSED: dict[str, Call] = {
    "no such budget": lambda client: client.update_cost(charge(budget_id="nobody")),
    "there is one already": lambda client: client.create_budget(create()),
    "bad fields": lambda client: client.update_cost(cost_pb.UpdateCostRequest(project_id=PROJECT, cost_nano_usd=-1)),
    "no window": lambda client: client.reset_on_duration(
        service.ResetOnDurationRequest(project_id=PROJECT, budget_id=BUDGET)
    ),
    "below zero": lambda client: client.adjust_cost(
        cost_pb.AdjustCostRequest(project_id=PROJECT, budget_id=BUDGET, amount_nano_usd=-1, reason="none")
    ),
    "unknown model": lambda client: client.get_model_price(service.GetModelPriceRequest(model="gpt-4oo")),
    "wrong etag": lambda client: client.delete_budget(
        service.DeleteBudgetRequest(project_id=PROJECT, budget_id=BUDGET, etag="none")
    ),
    "more bad fields than are reported": lambda client: client.batch_update_cost(
        cost_pb.BatchUpdateCostRequest(project_id="\n" * 200, requests=[charge()] * 10_001)
    ),
}


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BudgetClient]:
    """A client of a server with the same content."""
    process = ServerProcess(tmp_path_factory.mktemp("server") / "ledger.db")
    with BudgetClient(process.address) as over_grpc:
        over_grpc.create_budget(create())
        yield over_grpc
    process.kill()


def refusal(call: Call, client: BudgetClient) -> dict[str, object]:
    with pytest.raises(BudgetdError) as caught:
        call(client)
    return {"class": type(caught.value)} | {
        name: value for name, value in vars(caught.value).items() if name != "request_id"
    }


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_the_one_that_comes_over_grpc(client: BudgetClient, connected: BudgetClient, call: Call) -> None:
    assert refusal(call, client) == refusal(call, connected)


def test_an_internal_error_has_an_incident_id_that_is_in_the_log(
    client: BudgetClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def planted(*_: Any) -> NoReturn:
        raise LookupError("planted")

    monkeypatch.setattr(budgets, "read_budget", planted)

    with caplog.at_level(logging.ERROR), pytest.raises(errors.ServerError) as caught:
        client.get_budget(service.GetBudgetRequest(project_id=PROJECT, budget_id=BUDGET))

    assert "planted" not in str(caught.value)
    assert caught.value.metadata["incident_id"] in caplog.text
    assert "planted" in caplog.text


def test_eight_threads_count_exactly(client: BudgetClient) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: client.update_cost(charge(), timeout_seconds=60), range(8 * 200)))

    assert client.get_current_cost(read()).current_cost_nano_usd == 8 * 200


async def test_two_transports_on_one_file_share_one_server_until_the_last_is_closed(
    database: Path, tmp_path: Path
) -> None:
    (tmp_path / "link.db").symlink_to(database)
    first, second = local(database), local(tmp_path / "link.db")
    third = AsyncBudgetClient.over(AsyncLocalTransport(f"sqlite:///{database}"))

    first.update_cost(charge())
    second.update_cost(charge())
    await third.update_cost(charge())
    (server,) = servers()
    first.close()
    second.close()
    await third.update_cost(charge())
    await third.close()

    server.join(10)
    assert not server.is_alive()
    assert not database.with_name("ledger.db-wal").exists()
    assert spent(database) == 4


def test_a_closed_client_raises_and_its_neighbour_works(database: Path) -> None:
    closed, neighbour = local(database), local(database)
    closed.update_cost(charge())
    neighbour.update_cost(charge())
    closed.close()
    closed.close()

    with pytest.raises(RuntimeError, match="the client is closed"):
        closed.update_cost(charge())
    neighbour.update_cost(charge())
    neighbour.close()


def test_calls_in_flight_are_answered_by_a_client_that_is_closed(database: Path) -> None:
    client = local(database)
    client.update_cost(charge())
    lock = sqlite3.connect(database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    transport = client._transport  # noqa: SLF001
    assert isinstance(transport, LocalTransport)

    with ThreadPoolExecutor(2) as threads:
        call = transport._server.begin("UpdateCost", charge(), timeout_seconds=60)  # noqa: SLF001
        closing = threads.submit(client.close)
        assert not call.done()
        lock.execute("ROLLBACK")
        closing.result(60)

    assert isinstance(call.result(0), cost_pb.UpdateCostResponse)
    lock.close()
    assert spent(database) == 2


def test_the_server_of_a_forgotten_transport_ends(database: Path, tmp_path: Path) -> None:
    forgotten = local(database)
    forgotten.update_cost(charge())
    (server,) = servers()

    del forgotten
    other = local(with_budget(tmp_path / "other.db"))
    other.update_cost(charge())

    server.join(10)
    assert not server.is_alive()
    other.close()


def test_a_call_that_has_no_answer_in_time_raises_and_is_not_carried_out(database: Path) -> None:
    client = local(database)
    lock = sqlite3.connect(database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    with pytest.raises(errors.DeadlineExceeded, match="did not answer in time") as caught:
        client.update_cost(charge(), timeout_seconds=0.05)
    lock.execute("ROLLBACK")
    lock.close()

    assert caught.value.request_id
    assert client.get_current_cost(read()).current_cost_nano_usd == 0
    client.close()


async def test_an_awaited_call_that_has_no_answer_in_time_raises_and_is_not_carried_out(database: Path) -> None:
    lock = sqlite3.connect(database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    async with AsyncBudgetClient.over(AsyncLocalTransport(database)) as client:
        with pytest.raises(errors.DeadlineExceeded):
            await client.update_cost(charge(), timeout_seconds=0.05)
        lock.execute("ROLLBACK")
        lock.close()
        assert (await client.get_current_cost(read())).current_cost_nano_usd == 0


def test_a_file_that_another_program_has_locked_is_tried_again(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_MS", 20)
    lock = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def unlocked(pause_seconds: float) -> None:
        pauses.append(pause_seconds)
        lock.rollback()

    with BudgetClient.over(LocalTransport(database), sleep=unlocked) as client:
        client.update_cost(charge(), timeout_seconds=60)

    assert len(pauses) == 1
    lock.close()


def test_a_file_that_is_none_of_ours_is_refused_and_another_try_is_allowed(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    foreign.write_text("This is a diary, and no ledger.\n" * 100)
    client = local(foreign)

    with pytest.raises(errors.DatabaseRefused, match=r"foreign\.db"):
        client.update_cost(charge())
    foreign.unlink()

    client.create_budget(create())
    client.update_cost(charge())
    client.close()
    assert spent(foreign) == 1


def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with local(tmp_path / "nowhere" / "ledger.db") as client, pytest.raises(errors.DatabaseRefused, match="nowhere"):
        client.update_cost(charge())


@pytest.mark.parametrize("url", ["postgresql://alice:SECRET@host/db", "mysql://host/db"])
def test_a_database_that_is_no_sqlite_file_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=url.partition(":")[0]) as caught:
        LocalTransport(url)

    assert "SECRET" not in str(caught.value)
    with pytest.raises(ValueError, match="must name a file"):
        AsyncLocalTransport(":memory:")


def test_without_a_name_the_file_is_that_of_the_environment_or_of_the_folder_of_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("BUDGETD_DATABASE", raising=False)
    nameless = BudgetClient.over(LocalTransport())
    monkeypatch.setenv("BUDGETD_DATABASE", "sqlite:///variable.db")
    from_variable = BudgetClient.over(LocalTransport())
    monkeypatch.chdir(tmp_path)

    for client in (nameless, from_variable):
        with client:
            client.create_budget(create())

    assert sorted(each.name for each in here.iterdir()) == ["budgetd.db", "variable.db"]
    assert list(tmp_path.iterdir()) == [here]


def test_a_request_may_be_changed_after_a_call_and_is_not_changed_by_it(client: BudgetClient) -> None:
    request = service.GetBudgetRequest(project_id=PROJECT, budget_id=BUDGET, view=pb.BUDGET_VIEW_FULL)
    before = request.SerializeToString()

    response = client.get_budget(request)
    response.budget.budget_id = "changed"

    assert request.SerializeToString() == before
    assert client.get_budget(request).budget.budget_id == BUDGET
