"""The load: what is sent is what was meant, and what is acknowledged is counted in the ledger."""

from pathlib import Path

import grpc
import pytest

from bench.holds import granting
from bench.ledgers import charges_in
from bench.load import LoadFailed, send_messages, send_unary
from bench.messages import COST_NANO_USD, PROJECT, batches, budget_id, charge, read_frames, write_frames
from bench.processes import budgetd, contender
from bench.stage import Acknowledged, Stage, method
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd.v1.budget_service_pb2_grpc import BudgetServiceStub


def test_a_file_of_frames_gives_back_its_messages(tmp_path: Path) -> None:
    sent = [charge(0).SerializeToString(), b"", charge(1).SerializeToString()]

    assert read_frames(write_frames(tmp_path / "three.frames", sent)) == sent


def test_batches_hold_all_items_once_with_request_ids_in_order_of_time() -> None:
    made = batches(items=25, batch_items=10, budgets=3, seed=1)

    ids = [item.request_id for batch in made for item in batch.requests]
    assert [len(batch.requests) for batch in made] == [10, 10, 5]
    assert len(set(ids)) == 25
    assert [each[:13] for each in ids] == sorted(each[:13] for each in ids), "the milliseconds come first"


@pytest.mark.parametrize("with_h2load", [True, False])
def test_both_generators_send_as_many_calls_as_asked(stage: Stage, *, with_h2load: bool) -> None:
    path = stage.ledgers.with_budgets(20)

    with budgetd(path) as server:
        load = send_unary(
            server.address, method("UpdateCost"), stage.charges(), callers=16, calls=64, with_h2load=with_h2load
        )

    assert len(load.calls) == charges_in(path) == 64
    assert load.per_second > 0
    assert 0 < load.quantile_us(0.5) <= load.quantile_us(0.99)


def test_a_charge_that_is_acknowledged_and_not_in_the_ledger_stops_the_bench(stage: Stage) -> None:
    acknowledged = Acknowledged(stage.ledgers.with_budgets(1))
    acknowledged(lambda: {"charges": 1.0})()

    with pytest.raises(LoadFailed, match="1 charges were acknowledged and 0 are in the ledger"):
        acknowledged.check()


def test_calls_that_are_refused_stop_the_bench(stage: Stage) -> None:
    frames = write_frames(stage.folder / "bad.frames", [cost_pb.BatchUpdateCostRequest()])

    with budgetd(stage.ledgers.with_budgets(1)) as server, pytest.raises(LoadFailed, match="1 calls failed"):
        send_messages(server.address, method("BatchUpdateCost"), frames, callers=1)


def test_refusals_are_counted_where_calls_may_be_refused_and_the_time_is_that_of_all(stage: Stage) -> None:
    with contender("refusals", stage.folder) as server:
        hold = reservation_pb.ReserveCostRequest()
        frames = write_frames(stage.folder / "holds.frames", [hold] * 40)
        load = send_messages(server.address, method("ReserveCost"), frames, callers=4, may_refuse=True)

    assert (len(load.calls), len(load.refused)) == (2, 38)
    answered = [*load.calls, *load.refused]
    assert load.seconds * 1e6 == pytest.approx(
        max(ended for _, ended in answered) - min(began for began, _ in answered)
    )


def test_each_hold_is_committed_before_the_next(stage: Stage) -> None:
    path = stage.ledgers.with_budgets(1)
    hold = reservation_pb.ReserveCostRequest(project_id=PROJECT, budget_id=budget_id(0), amount_nano_usd=1)
    frames = write_frames(stage.folder / "holds.frames", [hold] * 8)

    with budgetd(path) as server:
        load = send_messages(
            server.address, method("ReserveCost"), frames, callers=2, commit_path=method("CommitReservation")
        )
        with grpc.insecure_channel(server.address) as channel:
            status = BudgetServiceStub(channel).GetCurrentCost(
                cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=budget_id(0))
            )

    assert len(load.calls) == 8
    assert status.current_cost_nano_usd == 8 * COST_NANO_USD
    assert status.limits[0].held == 0


def test_one_hold_too_many_stops_the_bench(stage: Stage) -> None:
    with budgetd(stage.ledgers.with_budgets(1)) as server:
        hold = reservation_pb.ReserveCostRequest(project_id=PROJECT, budget_id=budget_id(0), amount_nano_usd=1)

        with pytest.raises(LoadFailed, match="of 40 holds 40 were granted and 0 refused"):
            granting(stage, server, [hold] * 40)
