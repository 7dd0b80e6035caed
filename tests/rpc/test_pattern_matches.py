"""CreateBudget and UpdateBudget return which known models each pattern of a limit matches, and refuse none of them."""

from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from tests.rpc.running_server import PROJECT, RunningServer, shipped_prices

OPUS, SLIP = "claude-opus*", "claude-opsu*"


def limit(limit_id: str, *models: str) -> pb.Limit:
    return pb.Limit(limit_id=limit_id, amount=10**9, models=models)


def create(server: RunningServer, *limits: pb.Limit, request_id: str = "") -> service.CreateBudgetResponse:
    budget = pb.Budget(project_id=PROJECT, budget_id="alice", limits=limits)
    return server.stub.CreateBudget(service.CreateBudgetRequest(budget=budget, request_id=request_id))


def update(
    server: RunningServer, *limits: pb.Limit, paths: tuple[str, ...] = ("limits",)
) -> service.UpdateBudgetResponse:
    budget = pb.Budget(project_id=PROJECT, budget_id="alice", limits=limits)
    return server.stub.UpdateBudget(service.UpdateBudgetRequest(budget=budget, update_mask=FieldMask(paths=paths)))


def matches_of(
    answer: service.CreateBudgetResponse | service.UpdateBudgetResponse,
) -> list[tuple[str, str, int, list[str]]]:
    return [
        (each.limit_id, each.pattern, each.matched_count, list(each.example_models)) for each in answer.pattern_matches
    ]


def test_a_new_budget_returns_the_matches_of_each_pattern_in_order(server: RunningServer) -> None:
    opus = shipped_prices().matching(OPUS)

    answer = create(server, pb.Limit(amount=1), limit("b", "gpt-4o", OPUS), limit("a", SLIP))

    assert opus.matched_count > 3
    assert matches_of(answer)[1:] == [("b", OPUS, opus.matched_count, list(opus.examples)), ("a", SLIP, 0, [])]
    assert matches_of(answer)[0][:2] == ("b", "gpt-4o")
    assert matches_of(answer)[0][2] >= 1
    assert [each.models for each in answer.budget.limits] == [[], [SLIP], ["gpt-4o", OPUS]]


def test_a_repeated_request_returns_the_same(server: RunningServer) -> None:
    first = create(server, limit("a", OPUS), request_id="r1")

    again = create(server, limit("a", OPUS), request_id="r1")

    assert again.replayed
    assert matches_of(again) == matches_of(first) != []


def test_a_change_of_limits_returns_the_matches_of_the_patterns_that_it_sets(server: RunningServer) -> None:
    create(server, limit("a", OPUS))

    assert [each[:3] for each in matches_of(update(server, limit("b", SLIP)))] == [("b", SLIP, 0)]


def test_what_sets_no_pattern_returns_no_matches(server: RunningServer) -> None:
    assert matches_of(create(server, pb.Limit(amount=1))) == []
    assert matches_of(update(server, limit("a", OPUS), paths=("labels",))) == []


def test_an_answer_about_very_many_patterns_has_no_examples(server: RunningServer) -> None:
    limits = [limit(f"l{number}", *("claude-opus*" for _ in range(64))) for number in range(5)]

    answer = create(server, *limits)

    assert {(each.matched_count > 0, tuple(each.example_models)) for each in answer.pattern_matches} == {(True, ())}
    assert len(answer.pattern_matches) == 320
