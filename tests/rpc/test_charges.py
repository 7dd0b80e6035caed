"""Costs that happened: three ways to give them, request ids, corrections, and what the answers hold."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.prices import ReloadablePrices
from tests.rpc.conftest import Start
from tests.rpc.failures import failure
from tests.rpc.running_server import NOW_US, PROJECT, SECOND_US, RunningServer, Setup, shipped_prices

NOW_S = NOW_US // SECOND_US
USAGE = pb.Usage(
    input_tokens=1_000, output_tokens=100, cached_input_tokens=400, cache_write_tokens=1, reasoning_tokens=10
)
#: gpt-4o: $2.50 and $10 per million tokens, cached $1.25; cache-write tokens cost what input costs.
GPT_4O_NANO_USD = 600 * 2_500 + 400 * 1_250 + 100 * 10_000
TEXT = pb.Text(input="How do I center a div?", output="With flexbox.")


def update(server: RunningServer, **fields: object) -> cost_pb.UpdateCostResponse:
    """UpdateCost for alice."""
    request = cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", **fields)  # type: ignore[arg-type]
    return server.stub.UpdateCost(request)


@pytest.fixture
def alice(server: RunningServer) -> RunningServer:
    """A server with a budget "alice" of a thousand dollars."""
    server.create("alice", pb.Limit(amount=10**12))
    return server


# --- Three ways to give a cost.


def test_a_cost_that_is_given_is_charged(alice: RunningServer) -> None:
    answer = update(alice, cost_nano_usd=7)

    assert (answer.cost_nano_usd, answer.limits[0].spent, answer.replayed) == (7, 7, False)
    (entry,) = alice.entries()[:1]
    assert (entry.entry_id, entry.kind, entry.cost_nano_usd) == (answer.entry_id, pb.ENTRY_KIND_CHARGE, 7)
    assert (entry.model, entry.price_version, entry.HasField("usage")) == ("", "", False)


def test_a_cost_of_zero_is_a_cost(alice: RunningServer) -> None:
    answer = update(alice, cost_nano_usd=0, model="m")

    assert answer.entry_id
    models = alice.stub.GetModelCost(cost_pb.GetModelCostRequest(project_id=PROJECT, budget_id="alice")).models
    assert [(each.model, each.calls) for each in models] == [("m", 1)]


def test_usage_is_priced_exactly(alice: RunningServer) -> None:
    answer = update(alice, model="gpt-4o", usage=USAGE)

    assert answer.cost_nano_usd == GPT_4O_NANO_USD
    (entry,) = alice.entries()[:1]
    assert (entry.model, entry.usage, entry.price_version) == ("gpt-4o", USAGE, shipped_prices().version)


def test_with_a_cost_the_usage_only_gives_the_tokens(alice: RunningServer) -> None:
    answer = update(alice, cost_nano_usd=7, usage=USAGE, model="no such model")

    assert answer.cost_nano_usd == 7
    (entry,) = alice.entries()[:1]
    assert (entry.usage, entry.price_version) == (USAGE, "")


def test_text_is_counted_and_priced(alice: RunningServer) -> None:
    answer = update(alice, model="gpt-4o", text=TEXT)

    (entry,) = alice.entries()[:1]
    assert (entry.usage.input_tokens, entry.usage.output_tokens) == (7 + 7, 4 + 7)
    assert answer.cost_nano_usd == 14 * 2_500 + 11 * 10_000
    assert entry.price_version == shipped_prices().version


def test_with_a_cost_the_text_only_gives_the_tokens(alice: RunningServer) -> None:
    answer = update(alice, cost_nano_usd=7, model="gpt-4o", text=TEXT)

    assert answer.cost_nano_usd == 7
    (entry,) = alice.entries()[:1]
    assert (entry.usage.input_tokens, entry.price_version) == (14, "")


def test_labels_model_and_time_of_the_call_are_kept_with_the_entry(alice: RunningServer) -> None:
    at = Timestamp(seconds=NOW_S - 60, nanos=123_456_789)

    update(alice, cost_nano_usd=7, model="m", labels={"feature": "search", "ü": ""}, event_time=at, request_id="r1")

    (entry,) = alice.entries()[:1]
    assert dict(entry.labels) == {"feature": "search", "ü": ""}
    assert (entry.event_time.seconds, entry.event_time.nanos) == (at.seconds, 123_456_000)  # Whole microseconds.
    assert (entry.create_time.seconds, entry.request_id, entry.budget_id) == (NOW_S, "r1", "alice")
    assert list(entry.charged_budget_ids) == ["alice"]


@pytest.mark.parametrize("seconds", [-35 * 86_400, 300], ids=["35 days ago", "5 minutes ahead"])
def test_the_bounds_of_the_event_time_are_within_it(alice: RunningServer, seconds: int) -> None:
    update(alice, cost_nano_usd=7, event_time=Timestamp(seconds=NOW_S + seconds))

    assert alice.spent() == 7  # In the window of now, whenever the call was.


def test_a_charge_is_recorded_above_the_limit_and_says_so(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=5))

    assert server.charge(6).limits[0].is_exceeded
    assert server.charge(6).limits[0].spent == 12


# --- What the answer holds.


@pytest.mark.parametrize(
    ("view", "filled"),
    [
        (pb.BUDGET_VIEW_UNSPECIFIED, []),
        (pb.BUDGET_VIEW_BASIC, ["limits"]),
        (pb.BUDGET_VIEW_STATUS, ["limits", "limit_statuses"]),
        (pb.BUDGET_VIEW_FULL, ["limits", "limit_statuses", "model_costs"]),
    ],
    ids=["none", "BASIC", "STATUS", "FULL"],
)
def test_the_answer_holds_the_view_that_was_asked_for(
    alice: RunningServer, view: pb.BudgetView.ValueType, filled: Sequence[str]
) -> None:
    answer = update(alice, cost_nano_usd=7, model="m", view=view)

    assert answer.HasField("budget") is bool(filled)
    assert [name for name in ("limits", "limit_statuses", "model_costs") if getattr(answer.budget, name)] == filled
    assert answer.limits[0].spent == 7


def test_the_burn_rate_is_a_known_zero_until_something_was_spent_and_the_exhaustion_unset(
    server: RunningServer,
) -> None:
    day = pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_DAY))
    (status,) = server.create("alice", pb.Limit(amount=1_000, window=day)).limit_statuses
    assert (status.HasField("burn_rate_per_hour"), status.burn_rate_per_hour) == (True, 0)
    assert not status.HasField("exhaustion_time")

    (status,) = server.charge(500).limits

    assert status.burn_rate_per_hour == 347  # 500 · ln 2, with a half-life of an hour.
    assert status.exhaustion_time.ToDatetime().isoformat().startswith("2026-03-10T13:26")


# --- Request ids.


def test_a_repeated_charge_is_counted_once_and_answered_alike_with_limits_as_of_now(alice: RunningServer) -> None:
    first = update(alice, cost_nano_usd=7, request_id="r1")
    update(alice, cost_nano_usd=1)

    again = update(alice, cost_nano_usd=7, request_id="r1", view=pb.BUDGET_VIEW_STATUS)

    assert (again.entry_id, again.cost_nano_usd, again.request_id) == (first.entry_id, 7, "r1")
    assert (again.replayed, again.limits[0].spent, again.budget.current_cost_nano_usd) == (True, 8, 8)
    assert alice.spent() == 8


def test_the_server_makes_a_request_id_for_who_sends_none_and_it_can_be_used_to_repeat(alice: RunningServer) -> None:
    first, second = update(alice, cost_nano_usd=7), update(alice, cost_nano_usd=7)

    again = update(alice, cost_nano_usd=7, request_id=first.request_id)

    assert len({first.request_id, second.request_id}) == 2
    assert first.request_id[14] == "7"  # A UUIDv7: sorted by time.
    assert again.replayed
    assert alice.spent() == 14


OTHER_CONTENT = [
    {"cost_nano_usd": 8},
    {"model": "other"},
    {"budget_id": "bob"},
    {"labels": {"a": "c"}},
    {"labels": {}},
    {"usage": pb.Usage(input_tokens=2)},
    {"usage": None},
    {"event_time": Timestamp(seconds=NOW_S + 1)},
    {"event_time": None},
    {"is_history": True},
]


@pytest.mark.parametrize("change", OTHER_CONTENT, ids=str)
def test_a_request_id_holds_for_one_content(alice: RunningServer, change: dict[str, object]) -> None:
    alice.create("bob")
    fields: dict[str, object] = {
        "project_id": PROJECT,
        "budget_id": "alice",
        "cost_nano_usd": 7,
        "model": "m",
        "labels": {"a": "b"},
        "usage": pb.Usage(input_tokens=1),
        "event_time": Timestamp(seconds=NOW_S),
        "request_id": "r1",
    }
    alice.stub.UpdateCost(cost_pb.UpdateCostRequest(**fields))  # type: ignore[arg-type]

    failed = failure(lambda: alice.stub.UpdateCost(cost_pb.UpdateCostRequest(**{**fields, **change})))  # type: ignore[arg-type]

    assert failed.reason == "REQUEST_ID_REUSED"


def test_a_cost_of_zero_and_no_cost_are_different_contents(alice: RunningServer) -> None:
    update(alice, model="gpt-4o", usage=USAGE, request_id="r1")

    failed = failure(lambda: update(alice, model="gpt-4o", usage=USAGE, cost_nano_usd=0, request_id="r1"))

    assert failed.reason == "REQUEST_ID_REUSED"


def test_request_ids_are_apart_by_project_and_by_call(alice: RunningServer) -> None:
    alice.create("alice", project_id="other")
    update(alice, cost_nano_usd=7, request_id="r1")

    assert not alice.charge(7, project_id="other", request_id="r1").replayed
    adjust = cost_pb.AdjustCostRequest(
        project_id=PROJECT, budget_id="alice", amount_nano_usd=7, reason="test", request_id="r1"
    )
    assert not alice.stub.AdjustCost(adjust).replayed


def test_a_refused_charge_does_not_use_its_request_id_up(server: RunningServer) -> None:
    failed = failure(lambda: server.charge(7, request_id="r1"))
    server.create()

    assert failed.reason == "BUDGET_NOT_FOUND"
    assert not server.charge(7, request_id="r1").replayed


@pytest.mark.parametrize("given", [{"usage": pb.Usage(input_tokens=10)}, {"text": TEXT}], ids=["by usage", "by text"])
def test_a_repeated_charge_is_answered_even_when_its_model_has_lost_its_price(
    start: Start, tmp_path: Path, given: dict[str, object]
) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('version = 1\n[models."acme"]\ninput_usd_per_mtok = "1"\noutput_usd_per_mtok = "1"\n', "utf-8")
    prices = ReloadablePrices([path])
    server = start(Setup(prices=prices))
    server.create()
    first = update(server, model="acme", request_id="r1", **given)
    path.write_text("version = 1\n", "utf-8")
    server.loop.call(prices.reload)

    again = update(server, model="acme", request_id="r1", **given)

    assert (again.replayed, again.cost_nano_usd) == (True, first.cost_nano_usd)
    assert failure(lambda: update(server, model="acme", request_id="r2", **given)).reason == "UNKNOWN_MODEL"
    assert server.spent() == first.cost_nano_usd


def test_a_price_that_changes_leaves_what_was_charged_as_it_was(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('version = 1\n[models."acme"]\ninput_usd_per_mtok = "1"\noutput_usd_per_mtok = "1"\n', "utf-8")
    prices = ReloadablePrices([path])
    server = start(Setup(prices=prices))
    server.create()
    usage = pb.Usage(input_tokens=1_000_000)
    first = update(server, model="acme", usage=usage, request_id="r1")
    path.write_text('version = 1\n[models."acme"]\ninput_usd_per_mtok = "2"\noutput_usd_per_mtok = "1"\n', "utf-8")
    server.loop.call(prices.reload)

    again = update(server, model="acme", usage=usage, request_id="r1")
    second = update(server, model="acme", usage=usage)

    assert (first.cost_nano_usd, again.cost_nano_usd, second.cost_nano_usd) == (10**9, 10**9, 2 * 10**9)
    versions = [entry.price_version for entry in server.entries()[:2]]
    assert len(set(versions)) == 2


# --- Corrections.


def adjust(server: RunningServer, amount_nano_usd: int, **fields: str) -> cost_pb.AdjustCostResponse:
    """AdjustCost for alice."""
    request = cost_pb.AdjustCostRequest(
        project_id=PROJECT,
        budget_id="alice",
        amount_nano_usd=amount_nano_usd,
        reason="wrong bill",
        model=fields.get("model", ""),
        request_id=fields.get("request_id", ""),
        labels={"ticket": "7"},
    )
    return server.stub.AdjustCost(request)


def test_a_correction_counts_in_the_window_on_the_model_and_over_the_lifetime(alice: RunningServer) -> None:
    update(alice, cost_nano_usd=100, model="m")

    answer = adjust(alice, -30, model="m")
    adjust(alice, 5, model="m")

    assert answer.limits[0].spent == 70
    full = alice.stub.GetBudget(
        service.GetBudgetRequest(project_id=PROJECT, budget_id="alice", view=pb.BUDGET_VIEW_FULL)
    ).budget
    assert (full.current_cost_nano_usd, full.lifetime_cost_nano_usd) == (75, 75)
    assert [(each.cost_nano_usd, each.calls) for each in full.model_costs] == [(75, 1)]
    entry = alice.entries()[1]
    assert (entry.kind, entry.cost_nano_usd, entry.reason) == (pb.ENTRY_KIND_ADJUST, -30, "wrong bill")
    assert dict(entry.labels) == {"ticket": "7"}
    assert entry.entry_id == answer.entry_id


def test_a_correction_may_not_take_a_model_below_zero_though_the_budget_would_stay_above(alice: RunningServer) -> None:
    update(alice, cost_nano_usd=100, model="m")
    update(alice, cost_nano_usd=10, model="n")

    failed = failure(lambda: adjust(alice, -11, model="n"))

    assert failed.reason == "BELOW_ZERO"
    assert alice.spent() == 110


def test_a_repeated_correction_is_counted_once(alice: RunningServer) -> None:
    first = adjust(alice, 5, request_id="r1")

    again = adjust(alice, 5, request_id="r1")

    assert (first.replayed, again.replayed, again.entry_id) == (False, True, first.entry_id)
    assert alice.spent() == 5
    assert failure(lambda: adjust(alice, 6, request_id="r1")).reason == "REQUEST_ID_REUSED"
