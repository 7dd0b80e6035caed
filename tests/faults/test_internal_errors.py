"""An internal error in one command: it fails alone, its callers get an incident id, and nothing else leaks."""

import asyncio
import re
from pathlib import Path
from typing import Any

import grpc
import pytest

from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain.commands import Command, Outcome
from budgetd_server.domain.decide import decide
from budgetd_server.domain.state import State
from budgetd_server.engine import writer
from tests.faults.calls import PROJECT, Refusal, charge, cost_of, new_budget, refusal_of, stub_for
from tests.faults.checker import Record, deviations_of
from tests.faults.planted_ledgers import GatedLedger
from tests.faults.server_inside import Inside, serving_ledger, until
from tests.faults.server_process import planted, running

SECRET = "hunter2"
NEIGHBOURS = 20


def decide_wrongly(state: State, command: Command[Any], now_us: int) -> Outcome[Any]:
    """The real function, with a bug that one budget meets, after it has changed the working set."""
    outcome = decide(state, command, now_us)
    if getattr(command, "budget_id", "") == "marked" and not hasattr(command, "limits"):
        raise RuntimeError(f"something about {SECRET}")
    return outcome


async def test_an_internal_error_in_one_command_fails_only_that_one(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = await GatedLedger.open(database)
    record = Record()
    monkeypatch.setattr(writer, "decide", decide_wrongly)
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())
        await inside.stub.CreateBudget(new_budget("marked"))
        ledger.gate.clear()
        # The first one is a batch of its own; what comes meanwhile is the next batch, all in one transaction.
        neighbours = [asyncio.create_task(charge_and_record(inside, record, 0))]
        await until(lambda: ledger.commits == 3)
        failing = asyncio.create_task(refusal_of(inside.stub.UpdateCost(charge("marked-1", 5, "marked"))))
        neighbours += [asyncio.create_task(charge_and_record(inside, record, each)) for each in range(1, NEIGHBOURS)]
        await until(lambda: inside.waiting() == NEIGHBOURS + 1)

        ledger.gate.set()
        refusal = await failing
        await asyncio.gather(*neighbours)

        assert_internal(refusal)
        assert (await inside.stub.GetCurrentCost(cost_of())).current_cost_nano_usd == NEIGHBOURS
        assert (await inside.stub.GetCurrentCost(cost_of("marked"))).current_cost_nano_usd == 0
        assert inside.server.engine.writer.is_healthy
    assert "a batch failed with an internal error" in caplog.messages
    assert record.faults_of(database) == []


async def test_an_internal_error_in_a_batch_fails_the_batch_and_sending_it_again_counts_nothing_twice(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [charge("b-1", 10), charge("b-2", 10, "marked"), charge("b-3", 10)]
    batch = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items)
    ledger = await GatedLedger.open(database)
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())
        await inside.stub.CreateBudget(new_budget("marked"))
        with monkeypatch.context() as patched:
            patched.setattr(writer, "decide", decide_wrongly)
            refusal = await refusal_of(inside.stub.BatchUpdateCost(batch))

        again = await inside.stub.BatchUpdateCost(batch)

        assert_internal(refusal)
        assert [result.WhichOneof("outcome") for result in again.results] == ["charged"] * 3
        assert (await inside.stub.GetCurrentCost(cost_of())).current_cost_nano_usd == 20
        assert (await inside.stub.GetCurrentCost(cost_of("marked"))).current_cost_nano_usd == 10
    assert deviations_of(database) == []


@pytest.mark.parametrize("is_json", [pytest.param("true", id="as JSON"), pytest.param("false", id="as text")])
async def test_the_log_has_an_internal_error_under_its_incident_id_and_not_what_callers_sent(
    database: Path, is_json: str
) -> None:
    environment = {"BUDGETD_LOG_JSON": is_json}
    async with running(database, program=planted("planted_internal_error"), environment=environment) as server:
        async with stub_for(server.address) as stub:
            await stub.CreateBudget(new_budget())
            request = charge("r-1", 5)
            request.labels["note"] = SECRET

            refusal = await refusal_of(stub.UpdateCost(request))

        server.terminate()
        assert await server.ended() == 0
    incident_id = assert_internal(refusal)
    written = "".join(server.lines)
    assert incident_id in written
    assert "a planted bug" in written
    assert SECRET not in written


def assert_internal(refusal: Refusal) -> str:
    """An internal error has an incident id and no details. Returns that id."""
    incident_id = str(refusal.info.metadata["incident_id"])
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert re.fullmatch(r"[0-9a-f]{12}", incident_id)
    assert incident_id in refusal.message
    for leak in (SECRET, "RuntimeError", "Traceback", "something"):
        assert leak not in refusal.raw
    return incident_id


async def charge_and_record(inside: Inside, record: Record, number: int) -> None:
    request_id = f"c-{number}"
    record.send(request_id, 1)
    answer = await inside.stub.UpdateCost(charge(request_id, 1))
    record.acknowledge(request_id, answer.entry_id)
