"""Trees over gRPC: who is charged along with whom, how trees change, and what they refuse."""

from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as rpb
from tests.rpc.failures import failure
from tests.rpc.running_server import PROJECT, RunningServer


def move(server: RunningServer, budget_id: str, parent_id: str) -> pb.Budget:
    """Give a budget another parent."""
    budget = pb.Budget(project_id=PROJECT, budget_id=budget_id, parent_budget_id=parent_id)
    mask = FieldMask(paths=["parent_budget_id"])
    return server.stub.UpdateBudget(service.UpdateBudgetRequest(budget=budget, update_mask=mask)).budget


def delete(server: RunningServer, budget_id: str, *, force: bool = False) -> int:
    """Delete a budget."""
    request = service.DeleteBudgetRequest(project_id=PROJECT, budget_id=budget_id, force=force)
    return server.stub.DeleteBudget(request).deleted_count


@pytest.fixture
def tree(server: RunningServer) -> RunningServer:
    """org, with team below it, with alice below that; and a tag."""
    server.create("org", pb.Limit(amount=1_000))
    server.create("team", pb.Limit(amount=100), parent_budget_id="org")
    server.create("alice", pb.Limit(amount=10), parent_budget_id="team")
    server.create("tag")
    return server


def spent(server: RunningServer, *budget_ids: str) -> list[int]:
    """What some budgets have spent."""
    return [server.spent(budget_id) for budget_id in budget_ids]


# --- Charged along.


def test_a_charge_counts_on_all_ancestors_and_additional_budgets_each_once(tree: RunningServer) -> None:
    answer = tree.charge(5, additional_budget_ids=["tag", "team", "tag", "alice"])

    assert spent(tree, "alice", "team", "org", "tag") == [5, 5, 5, 5]
    assert [limit.budget_id for limit in answer.limits] == ["alice", "team", "org"]
    assert list(tree.entries()[0].charged_budget_ids) == ["alice", "team", "org", "tag"]


def test_a_missing_additional_budget_refuses_the_charge_unless_it_may_be_skipped(tree: RunningServer) -> None:
    refused = failure(lambda: tree.charge(5, additional_budget_ids=["tag", "nobody"]))
    assert (refused.reason, refused.info.metadata["budget_id"]) == ("BUDGET_NOT_FOUND", "nobody")
    assert spent(tree, "alice", "tag") == [0, 0]

    tree.charge(5, additional_budget_ids=["tag", "nobody"], skip_missing_additional=True)

    assert spent(tree, "alice", "tag") == [5, 5]


def test_items_of_a_batch_count_on_trees_too_and_each_touched_limit_is_returned_once(tree: RunningServer) -> None:
    items = [cost_pb.UpdateCostRequest(budget_id="alice", cost_nano_usd=1, additional_budget_ids=["tag"])] * 3
    batch = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items, include_limits=True)

    answer = tree.stub.BatchUpdateCost(batch)

    assert [(limit.budget_id, limit.spent) for limit in answer.limits] == [("alice", 3), ("team", 3), ("org", 3)]


def test_more_than_64_budgets_are_refused(tree: RunningServer) -> None:
    for number in range(12):
        for level in range(6):
            parent = f"{number}/{level - 1}" if level else ""
            tree.create(f"{number}/{level}", parent_budget_id=parent)

    refused = failure(lambda: tree.charge(1, additional_budget_ids=[f"{number}/5" for number in range(12)]))

    assert refused.reason == "INVALID_FIELD"
    assert "at most 64" in dict(refused.violations)["additional_budget_ids"]
    request = cost_pb.ProjectCostRequest(project_id=PROJECT, budget_id="alice", cost_nano_usd=1)
    request.additional_budget_ids.extend(f"{number}/5" for number in range(12))
    assert failure(lambda: tree.stub.ProjectCost(request)).violations == refused.violations


def test_the_limits_of_ancestors_are_returned_if_asked(tree: RunningServer) -> None:
    tree.charge(5)
    request = cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id="alice", include_ancestors=True)

    answer = tree.stub.GetCurrentCost(request)

    assert [(limit.budget_id, limit.remaining) for limit in answer.limits] == [("alice", 5), ("team", 95), ("org", 995)]


# --- Admission.


def test_a_refusal_has_every_level_with_all_details(tree: RunningServer) -> None:
    refused = failure(lambda: tree.reserve(200, model="gpt-4o"))

    exceeded = refused.detail(pb.BudgetExceeded)
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED")
    assert exceeded is not None
    assert [limit.budget_id for limit in exceeded.limits] == ["alice", "team"]
    assert (exceeded.requested_nano_usd, exceeded.omitted_limits) == (200, 0)
    assert "200 nano-USD" in refused.message
    assert spent(tree, "org") == [0]


def test_a_charge_that_asks_to_be_refused_is_and_others_are_not(tree: RunningServer) -> None:
    refused = failure(lambda: tree.charge(11, admission=cost_pb.ADMISSION_REJECT_OVER_LIMIT))
    assert refused.reason == "BUDGET_EXCEEDED"

    assert tree.charge(11, admission=cost_pb.ADMISSION_ALWAYS).limits[0].is_exceeded


def test_an_item_of_a_batch_that_is_refused_has_the_same_error_and_disturbs_no_other(tree: RunningServer) -> None:
    items = [
        cost_pb.UpdateCostRequest(budget_id="alice", cost_nano_usd=6, admission=cost_pb.ADMISSION_REJECT_OVER_LIMIT)
    ] * 2
    batch = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items)

    first, second = tree.stub.BatchUpdateCost(batch).results

    assert first.charged.cost_nano_usd == 6
    assert (second.error.reason, second.error.budget_exceeded.limits[0].remaining) == ("BUDGET_EXCEEDED", 4)


def test_a_projection_asks_every_level(tree: RunningServer) -> None:
    def projected(cost: int) -> tuple[bool, list[str]]:
        request = cost_pb.ProjectCostRequest(project_id=PROJECT, budget_id="alice", cost_nano_usd=cost)
        answer = tree.stub.ProjectCost(request)
        return answer.is_allowed, [limit.budget_id for limit in answer.exceeded_limits]

    tree.charge(95, "team")

    assert projected(5) == (True, [])
    assert projected(6) == (False, ["team"])
    assert projected(11) == (False, ["alice", "team"])


# --- Trees change.


def test_moving_moves_no_spend_and_no_hold(tree: RunningServer) -> None:
    tree.charge(4)
    held = tree.reserve(3)
    assert move(tree, "alice", "org").parent_budget_id == "org"
    tree.charge(1)

    commit = rpb.CommitReservationRequest(project_id=PROJECT, reservation_id=held.reservation_id, cost_nano_usd=2)
    tree.stub.CommitReservation(commit)

    assert spent(tree, "alice", "team", "org") == [7, 6, 7]
    assert move(tree, "alice", "").parent_budget_id == ""


@pytest.mark.parametrize("parent_id", ["team", "alice", "org"])
def test_a_parent_that_is_the_budget_itself_or_below_it_is_refused(tree: RunningServer, parent_id: str) -> None:
    refused = failure(lambda: move(tree, "org", parent_id))

    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PARENT_CYCLE")


def test_eight_levels_are_allowed_and_nine_are_not(server: RunningServer) -> None:
    for level in range(8):
        server.create(f"{level}", parent_budget_id=f"{level - 1}" if level else "")
    server.create("root")
    server.create("leaf", parent_budget_id="root")

    assert failure(lambda: server.create("8", parent_budget_id="7")).reason == "TOO_DEEP"
    assert failure(lambda: move(server, "root", "6")).reason == "TOO_DEEP"
    assert failure(lambda: move(server, "0", "leaf")).reason == "TOO_DEEP"
    assert move(server, "leaf", "6").parent_budget_id == "6"


def test_a_parent_lives_in_the_same_project(tree: RunningServer) -> None:
    refused = failure(lambda: tree.create("bob", project_id="other", parent_budget_id="org"))

    assert (refused.reason, refused.info.metadata["budget_id"]) == ("BUDGET_NOT_FOUND", "org")


def test_a_budget_with_children_is_deleted_by_force_alone(tree: RunningServer) -> None:
    refused = failure(lambda: delete(tree, "org"))
    assert (refused.reason, "has 1 child:" in refused.message) == ("HAS_CHILDREN", True)

    assert delete(tree, "org", force=True) == 3
    assert failure(lambda: tree.spent("alice")).reason == "BUDGET_NOT_FOUND"
    assert tree.create("alice").parent_budget_id == ""


def test_children_and_roots_are_listed_apart(tree: RunningServer) -> None:
    def ids(**fields: Any) -> list[str]:
        request = service.ListBudgetsRequest(project_id=PROJECT, **fields)
        return [budget.budget_id for budget in tree.stub.ListBudgets(request).budgets]

    assert ids() == ["org", "team", "alice", "tag"]
    assert ids(parent_budget_id="") == ["org", "tag"]
    assert ids(parent_budget_id="team") == ["alice"]


def test_a_replacement_keeps_the_parent_and_takes_no_other(tree: RunningServer) -> None:
    budget = pb.Budget(project_id=PROJECT, budget_id="alice")
    replace = service.CreateBudgetRequest(budget=budget, replace_existing=True)
    assert tree.stub.CreateBudget(replace).budget.parent_budget_id == "team"
    replace.budget.parent_budget_id = "org"

    refused = failure(lambda: tree.stub.CreateBudget(replace))

    assert list(refused.violations) == ["budget.parent_budget_id"]


# --- Templates.


@pytest.fixture
def template(tree: RunningServer) -> RunningServer:
    """The tree, and a template below its team."""
    tree.create("free tier", pb.Limit(amount=7), parent_budget_id="team", is_template=True, labels={"tier": "free"})
    return tree


def test_a_budget_is_made_by_its_first_charge_or_hold(template: RunningServer) -> None:
    template.charge(5, "new 1", template_budget_id="free tier")
    template.reserve(6, "new 2", template_budget_id="free tier")

    made = template.stub.GetBudget(
        service.GetBudgetRequest(project_id=PROJECT, budget_id="new 1", view=pb.BUDGET_VIEW_STATUS)
    ).budget
    assert (made.parent_budget_id, made.is_template, dict(made.labels)) == ("team", False, {"tier": "free"})
    assert (made.limits[0].amount, made.limit_statuses[0].spent) == (7, 5)
    assert spent(template, "team") == [5]
    assert template.entries(budget_id="new 1")[-1].reason == "from template"
    assert failure(lambda: template.reserve(2, "new 2", template_budget_id="free tier")).reason == "BUDGET_EXCEEDED"


def test_a_refused_hold_makes_no_budget(template: RunningServer) -> None:
    assert failure(lambda: template.reserve(8, "new", template_budget_id="free tier")).reason == "BUDGET_EXCEEDED"

    assert failure(lambda: template.spent("new")).reason == "BUDGET_NOT_FOUND"


def test_a_template_is_never_charged_held_on_or_made_a_parent(template: RunningServer) -> None:
    calls = [
        lambda: template.charge(1, "free tier"),
        lambda: template.charge(1, additional_budget_ids=["free tier"]),
        lambda: template.reserve(1, "free tier"),
        lambda: template.create("child", parent_budget_id="free tier"),
        lambda: move(template, "alice", "free tier"),
    ]

    assert [failure(call).reason for call in calls] == ["IS_TEMPLATE"] * 5


def test_only_a_template_is_copied(template: RunningServer) -> None:
    refused = failure(lambda: template.charge(1, "new", template_budget_id="tag"))
    missing = failure(lambda: template.charge(1, "new", template_budget_id="nothing"))

    assert list(refused.violations) == ["template_budget_id"]
    assert (missing.reason, missing.info.metadata["budget_id"]) == ("BUDGET_NOT_FOUND", "nothing")


# --- Refunds.


def refund(server: RunningServer, amount: int, entry_id: str, budget_id: str = "alice", model: str = "") -> Any:
    """Give back some of what an entry cost."""
    request = cost_pb.AdjustCostRequest(
        project_id=PROJECT,
        budget_id=budget_id,
        amount_nano_usd=-amount,
        reason="a refund",
        entry_id=entry_id,
        model=model,
    )
    return server.stub.AdjustCost(request)


def test_a_refund_of_an_entry_counts_wherever_the_entry_did(tree: RunningServer) -> None:
    entry_id = tree.charge(9, additional_budget_ids=["tag"], model="gpt-4o").entry_id
    move(tree, "alice", "")

    refund(tree, 4, entry_id)

    assert spent(tree, "alice", "team", "org", "tag") == [5, 5, 5, 5]
    entry = tree.entries()[0]
    assert (entry.adjusted_entry_id, entry.model, entry.cost_nano_usd) == (entry_id, "gpt-4o", -4)


def test_a_refund_above_its_entry_is_refused_and_so_are_several_that_together_are(tree: RunningServer) -> None:
    entry_id = tree.charge(9).entry_id
    tree.charge(9)
    assert failure(lambda: refund(tree, 10, entry_id)).reason == "REFUND_EXCEEDS_ENTRY"
    refund(tree, 5, entry_id)

    refused = failure(lambda: refund(tree, 5, entry_id))

    assert (refused.reason, refused.info.metadata["left_nano_usd"]) == ("REFUND_EXCEEDS_ENTRY", "4")
    refund(tree, 4, entry_id)
    assert spent(tree, "alice") == [9]


def test_an_entry_that_is_no_charge_of_the_budget_cannot_be_corrected(tree: RunningServer) -> None:
    theirs = tree.charge(9, "tag").entry_id
    created = tree.entries(budget_id="alice")[-1].entry_id
    mine = tree.charge(9).entry_id
    correction = refund(tree, 1, mine).entry_id

    for entry_id in (theirs, created, correction, "e999"):
        refused = failure(partial(refund, tree, 1, entry_id))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "ENTRY_NOT_FOUND")
    assert list(failure(lambda: refund(tree, 1, mine, model="gpt-4o")).violations) == ["model"]
