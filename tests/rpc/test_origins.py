"""The source of a cost, the terms of the call, and its usage: an entry has them as they were sent."""

from typing import Any

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from tests.rpc.conftest import Start
from tests.rpc.failures import failure
from tests.rpc.running_server import PROJECT, RunningServer, Setup, shipped_prices

TEXT = pb.Text(input="How do I center a div?", output="With flexbox.")
USAGE = pb.Usage(input_tokens=1_000, output_tokens=1_000)
#: Every part that a usage may have, and what contains them.
PARTS = pb.Usage(
    input_tokens=1_000,
    output_tokens=900,
    cached_input_tokens=100,
    cache_write_tokens=90,
    reasoning_tokens=80,
    audio_input_tokens=70,
    audio_output_tokens=60,
    cached_audio_input_tokens=50,
    cached_image_input_tokens=15,
    explicit_cached_input_tokens=12,
    image_input_tokens=40,
    image_output_tokens=30,
    cache_write_1h_tokens=20,
    citation_tokens=10,
    web_searches=1,
    input_images=2,
    output_images=3,
    audio_input_milliseconds=4,
    audio_output_milliseconds=5,
    video_milliseconds=6,
    characters=7,
    queries=8,
    pages=9,
)
#: gpt-4o and azure/us/gpt-4o-2024-08-06, a thousand tokens each way.
GPT_4O_NANO_USD, AZURE_US_NANO_USD = 12_500_000, 13_750_000

TELLINGS = [
    pytest.param({"cost_nano_usd": 5}, pb.COST_SOURCE_CALLER, id="a cost"),
    pytest.param({"cost_nano_usd": 0}, pb.COST_SOURCE_CALLER, id="a cost of zero"),
    pytest.param({"cost_nano_usd": 5, "usage": USAGE}, pb.COST_SOURCE_CALLER, id="a cost with a usage"),
    pytest.param({"cost_nano_usd": 5, "cost_source": 1}, pb.COST_SOURCE_CALLER, id="a cost of the caller's"),
    pytest.param({"cost_nano_usd": 5, "cost_source": 2}, pb.COST_SOURCE_GATEWAY, id="a cost of a gateway's"),
    pytest.param({"cost_nano_usd": 5, "cost_source": 3}, pb.COST_SOURCE_PROVIDER, id="a cost of the provider's"),
    pytest.param({"model": "gpt-4o", "usage": USAGE}, pb.COST_SOURCE_USAGE, id="a usage"),
    pytest.param({"model": "gpt-4o", "text": TEXT}, pb.COST_SOURCE_TEXT, id="a text"),
]


@pytest.fixture
def alice(server: RunningServer) -> RunningServer:
    """A server with a budget "alice"."""
    server.create("alice")
    return server


def settle(server: RunningServer, reservation_id: str, **fields: Any) -> reservation_pb.CommitReservationResponse:
    request = reservation_pb.CommitReservationRequest(project_id=PROJECT, reservation_id=reservation_id, **fields)
    return server.stub.CommitReservation(request)


@pytest.mark.parametrize(("telling", "source"), TELLINGS)
def test_a_charge_has_the_source_of_its_cost(alice: RunningServer, telling: dict[str, Any], source: int) -> None:
    alice.stub.UpdateCost(cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", **telling))

    assert alice.entries()[0].cost_source == source


@pytest.mark.parametrize(("telling", "source"), TELLINGS)
def test_an_item_of_a_batch_has_the_source_of_its_cost(
    alice: RunningServer, telling: dict[str, Any], source: int
) -> None:
    item = cost_pb.UpdateCostRequest(budget_id="alice", **telling)
    alice.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[item]))

    assert alice.entries()[0].cost_source == source


@pytest.mark.parametrize(("telling", "source"), TELLINGS)
def test_a_settlement_has_the_source_of_its_cost(alice: RunningServer, telling: dict[str, Any], source: int) -> None:
    settle(alice, alice.reserve(1).reservation_id, **telling)

    settled, held = alice.entries()[:2]
    assert (settled.cost_source, held.cost_source) == (source, pb.COST_SOURCE_UNSPECIFIED)


@pytest.mark.parametrize("how", ["charge", "item", "settlement"])
def test_an_entry_has_parts_terms_names_and_unread_fields_as_they_were_sent(alice: RunningServer, how: str) -> None:
    charge_fields: dict[str, Any] = {
        "cost_nano_usd": 5,
        "cost_source": pb.COST_SOURCE_PROVIDER,
        "model": "gpt-4o-2024-08-06",
        "usage": PARTS,
        "provider": "azure",
        "service_tier": "flex",
        "is_batch": True,
        "inference_geo": "us",
        "unread_fields": ["usage.a", "usage.b[0]"],
        "usage_dialect": "openai_chat",
        "labels": {"job": "x"},
    }
    if how == "charge":
        alice.charge(budget_id="alice", **charge_fields)
    elif how == "item":
        item = cost_pb.UpdateCostRequest(budget_id="alice", **charge_fields)
        alice.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[item]))
    else:
        settle(alice, alice.reserve(1).reservation_id, **charge_fields)

    entry = alice.entries()[0]
    assert entry.usage == PARTS
    assert (entry.provider, entry.service_tier, entry.is_batch, entry.inference_geo) == ("azure", "flex", True, "us")
    assert list(entry.other_model_names) == ["azure/gpt-4o-2024-08-06", "gpt-4o"]
    assert (entry.cost_source, list(entry.unread_fields)) == (pb.COST_SOURCE_PROVIDER, ["usage.a", "usage.b[0]"])
    assert (entry.cost_nano_usd, dict(entry.labels), entry.price_version) == (5, {"job": "x"}, "")


def test_the_parts_of_the_test_above_are_all_that_there_are() -> None:
    # An entry does not keep the requests of a usage.
    assert {field.name for field, _ in PARTS.ListFields()} == {*pb.Usage.DESCRIPTOR.fields_by_name} - {"requests"}


def test_a_repetition_may_tell_other_unread_fields_and_the_entry_keeps_the_first(alice: RunningServer) -> None:
    alice.charge(5, request_id="r1", unread_fields=["a"])

    assert alice.charge(5, request_id="r1", unread_fields=["b"]).replayed
    assert list(alice.entries()[0].unread_fields) == ["a"]


# --- Holds.


def test_a_settlement_without_a_model_is_priced_at_the_provider_of_its_hold(alice: RunningServer) -> None:
    held = alice.reserve(1, model="us/gpt-4o-2024-08-06", provider="azure").reservation_id

    answer = settle(alice, held, usage=USAGE)

    settled, hold = alice.entries()[:2]
    assert answer.cost_nano_usd == AZURE_US_NANO_USD
    assert (settled.provider, hold.provider) == ("azure", "azure")
    assert settled.model == hold.model == "us/gpt-4o-2024-08-06"


def test_a_hold_at_a_provider_is_never_settled_at_the_price_of_another(alice: RunningServer) -> None:
    held = alice.reserve(1, model="gpt-4o", provider="groq").reservation_id

    assert failure(lambda: settle(alice, held, usage=USAGE)).reason == "UNKNOWN_MODEL"
    assert settle(alice, held, usage=USAGE, provider="openai").cost_nano_usd == GPT_4O_NANO_USD


def test_a_settlement_on_another_model_asks_for_its_own_provider(alice: RunningServer) -> None:
    held = alice.reserve(1, model="us/gpt-4o-2024-08-06", provider="azure").reservation_id

    assert settle(alice, held, model="gpt-4o", usage=USAGE).cost_nano_usd == GPT_4O_NANO_USD
    assert alice.entries()[0].provider == ""


def test_the_provider_of_a_hold_is_known_when_its_estimate_is_corrected(start: Start) -> None:
    alice = start(Setup(prices=shipped_prices()))
    alice.create("alice")
    on_expiry = reservation_pb.ON_EXPIRY_COMMIT
    held = alice.reserve(10**9, model="us/gpt-4o-2024-08-06", provider="azure", on_expiry=on_expiry).reservation_id
    alice.clock.advance(days=1)

    settle(alice, held, usage=USAGE)

    assert alice.spent() == AZURE_US_NANO_USD
    assert alice.entries()[0].provider == "azure"
