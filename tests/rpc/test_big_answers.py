"""Answers with as much as budgets can have: they always arrive."""

from typing import Any

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as rpb
from budgetd_server.domain.bounds import DEPTH_MAX, LIMITS_MAX, MODEL_PATTERNS_MAX
from budgetd_server.rpc import batch_answers
from tests.rpc.failures import failure
from tests.rpc.running_server import PROJECT, RunningServer

LONG = 256


def longest(number: int, end: str = "") -> str:
    """A name that is as long as any may be, another for each number."""
    return f"{number:04}{'x' * (LONG - 4 - len(end))}{end}"


def biggest_limits(amount: int = 0) -> list[pb.Limit]:
    """As many limits as a budget may have, with as many and as long patterns, which all match the model "0000x"."""
    models = ["0000x*", *(longest(number, "*") for number in range(1, MODEL_PATTERNS_MAX))]
    return [pb.Limit(limit_id=longest(number), amount=amount, models=models) for number in range(LIMITS_MAX)]


@pytest.fixture
def chain(server: RunningServer) -> str:
    """The lowest of as many budgets above each other as there may be, each as big as it may be."""
    parent_id = ""
    for depth in range(DEPTH_MAX):
        server.create(longest(depth), *biggest_limits(), parent_budget_id=parent_id)
        parent_id = longest(depth)
    return parent_id


def test_the_limits_of_a_whole_tree_arrive_with_every_call_that_returns_limits(
    server: RunningServer, chain: str
) -> None:
    who: Any = {"project_id": PROJECT, "budget_id": chain}
    item = cost_pb.UpdateCostRequest(budget_id=chain, cost_nano_usd=1)

    charged = server.charge(1, chain)
    adjusted = server.stub.AdjustCost(cost_pb.AdjustCostRequest(**who, amount_nano_usd=1, reason="a test"))
    held = server.reserve(0, chain, model="0000x")
    settle = rpb.CommitReservationRequest(project_id=PROJECT, reservation_id=held.reservation_id, cost_nano_usd=3)
    settled = server.stub.CommitReservation(settle)
    read = server.stub.GetCurrentCost(cost_pb.GetCurrentCostRequest(**who, include_ancestors=True))
    projected = server.stub.ProjectCost(cost_pb.ProjectCostRequest(**who, cost_nano_usd=1, model="0000x"))
    batch = server.stub.BatchUpdateCost(
        cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[item], include_limits=True)
    )

    for limits in (
        charged.limits,
        adjusted.limits,
        held.limits,
        settled.limits,
        read.limits,
        projected.exceeded_limits,
        batch.limits,
    ):
        assert len(limits) == DEPTH_MAX * LIMITS_MAX
        assert {tuple(limit.models) for limit in limits} == {("0000x*",)}  # Never none, which would mean all.


def test_a_refusal_by_a_whole_tree_arrives(server: RunningServer, chain: str) -> None:
    refused = failure(lambda: server.reserve(1, chain, model="0000x"))

    exceeded = refused.detail(pb.BudgetExceeded)
    assert refused.reason == "BUDGET_EXCEEDED"
    assert exceeded is not None
    assert exceeded.limits
    assert len(exceeded.limits) + exceeded.omitted_limits == DEPTH_MAX * LIMITS_MAX


def test_the_limits_of_one_budget_are_reported_completely(server: RunningServer) -> None:
    server.create("alice", *biggest_limits())

    assert {len(limit.models) for limit in server.charge(1).limits} == {MODEL_PATTERNS_MAX}


@pytest.mark.parametrize("is_new", [False, True], ids=["budgets that exist", "budgets to be made of a template"])
def test_a_batch_whose_limits_do_not_fit_the_answer_is_refused_beforehand(
    server: RunningServer, is_new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"b{number}" for number in range(10)]
    if is_new:
        server.create("template", *biggest_limits(), is_template=True)
    else:
        for name in names:  # One by one: their answers are too big to be on their way together.
            server.create(name, *biggest_limits())
    monkeypatch.setattr(batch_answers, "ANSWER_BYTES_MAX", 10 * LIMITS_MAX * 1_000)
    items = [
        cost_pb.UpdateCostRequest(
            budget_id=name, cost_nano_usd=1, template_budget_id="template" if is_new else "", request_id=name
        )
        for name in names
    ]
    before = server.stored()

    def send(count: int) -> cost_pb.BatchUpdateCostResponse:
        return server.stub.BatchUpdateCost(
            cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items[:count], include_limits=True)
        )

    # Of four budgets, all patterns are returned; of more, one per limit.
    assert list(failure(lambda: send(4)).violations) == ["include_limits"]
    assert server.stored() == before
    answer = send(10)
    assert len(answer.limits) == 10 * LIMITS_MAX
    assert answer.ByteSize() <= 10 * LIMITS_MAX * 1_000
