"""A usage that sums up several requests of a provider: each is priced by itself, by every RPC that takes a usage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from budgetd.usage import read_answer
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.cli.wording import USAGE_COUNTS
from budgetd_server.domain.bounds import BATCH_USAGE_REQUESTS_MAX, USAGE_REQUESTS_MAX
from budgetd_server.prices import ReloadablePrices
from tests.rpc.conftest import Start
from tests.rpc.failures import failure
from tests.rpc.fingerprint_requests import digest
from tests.rpc.running_server import PROJECT, RunningServer, Setup, shipped_prices
from tests.rpc.valid_requests import VALID, WHO

#: Its price doubles above 200,000 tokens of input.
SONNET = "vertex_ai/claude-sonnet-4-5"
COMPACTION, MESSAGE = (
    pb.Usage(input_tokens=180_000, output_tokens=3_500),
    pb.Usage(input_tokens=23_000, output_tokens=1_000),
)
SUM = pb.Usage(input_tokens=203_000, output_tokens=4_500)
APART_NANO_USD, TOGETHER_NANO_USD = 676_500_000, 1_319_250_000
#: A message of Anthropic's that took both runs.
ANSWER = {
    "type": "message",
    "model": SONNET,
    "usage": {
        "input_tokens": 23_000,
        "output_tokens": 1_000,
        "iterations": [
            {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
            {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
        ],
    },
}
Ask = Callable[..., int]


def summed(*requests: pb.Usage, **counts: int) -> pb.Usage:
    """The usage of the two runs, with some counts changed, and with these requests."""
    usage = pb.Usage(requests=requests)
    usage.MergeFrom(SUM)
    usage.MergeFrom(pb.Usage(**counts))  # type: ignore[arg-type] # Counts alone.
    return usage


def _charge(server: RunningServer, **fields: Any) -> int:
    return server.stub.UpdateCost(cost_pb.UpdateCostRequest(**WHO, **fields)).cost_nano_usd


def _item(server: RunningServer, **fields: Any) -> int:
    item = cost_pb.UpdateCostRequest(budget_id="alice", **fields)
    batch = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[item])
    return server.stub.BatchUpdateCost(batch).results[0].charged.cost_nano_usd


def _project(server: RunningServer, **fields: Any) -> int:
    return server.stub.ProjectCost(cost_pb.ProjectCostRequest(**WHO, **fields)).cost_nano_usd


def _hold(server: RunningServer, **fields: Any) -> int:
    return server.stub.ReserveCost(reservation_pb.ReserveCostRequest(**WHO, **fields)).granted_nano_usd


def _settle(server: RunningServer, **fields: Any) -> int:
    held = server.reserve(1).reservation_id
    request = reservation_pb.CommitReservationRequest(project_id=PROJECT, reservation_id=held, **fields)
    return server.stub.CommitReservation(request).cost_nano_usd


ASKS = [
    pytest.param(_charge, id="UpdateCost"),
    pytest.param(_item, id="BatchUpdateCost"),
    pytest.param(_project, id="ProjectCost"),
    pytest.param(_hold, id="ReserveCost"),
    pytest.param(_settle, id="CommitReservation"),
]


@pytest.mark.parametrize("ask", ASKS)
def test_each_request_is_priced_by_the_tier_of_its_own_input(ask: Ask, server: RunningServer) -> None:
    server.create()

    assert ask(server, model=SONNET, usage=SUM) == TOGETHER_NANO_USD
    assert ask(server, model=SONNET, usage=summed(COMPACTION, MESSAGE)) == APART_NANO_USD


def test_a_message_that_took_several_runs_costs_what_its_runs_cost(server: RunningServer) -> None:
    server.create()
    answer = read_answer(ANSWER)

    _charge(server, model=answer.model, usage=answer.usage)

    assert server.spent() == APART_NANO_USD
    assert answer.unread_fields == ()


@pytest.mark.parametrize("ask", [_charge, _item, _settle], ids=["charge", "item", "settlement"])
def test_an_entry_has_the_sum_and_not_the_requests_and_is_one_call(ask: Ask, server: RunningServer) -> None:
    server.create("alice", pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=9))

    ask(server, model=SONNET, usage=summed(COMPACTION, MESSAGE))

    assert server.entries()[0].usage == SUM
    assert server.charge(0).limits[-1].spent == 2


@pytest.mark.parametrize(
    ("ask", "cost_nano_usd"),
    [
        pytest.param(_charge, 1, id="UpdateCost"),
        pytest.param(_item, 1, id="BatchUpdateCost"),
        pytest.param(_settle, 1, id="CommitReservation"),
        pytest.param(_project, 2, id="ProjectCost"),
        pytest.param(_hold, 2, id="ReserveCost"),
    ],
)
def test_the_costs_of_requests_are_rounded_once_together(
    ask: Ask, cost_nano_usd: int, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "prices.toml"
    # Each request costs 0.4 nano-dollars, all three together 1.2.
    path.write_text('version = 1\n[models."m"]\ninput_usd_per_mtok = "0.0004"\noutput_usd_per_mtok = "1"\n', "utf-8")
    server = start(Setup(prices=ReloadablePrices([path])))
    server.create()

    usage = pb.Usage(input_tokens=3, requests=[pb.Usage(input_tokens=1)] * 3)

    assert ask(server, model="m", usage=usage) == cost_nano_usd


def test_what_one_request_alone_has_is_priced_with_it(server: RunningServer) -> None:
    server.create()
    searching = pb.Usage(input_tokens=23_000, output_tokens=1_000, web_searches=2)

    # Two cents for the searches.
    assert (
        _charge(server, model="claude-sonnet-4-5", usage=summed(COMPACTION, searching, web_searches=2))
        == APART_NANO_USD + 20_000_000
    )


# --- Refusals.


def _refused(usage: pb.Usage, field: str, *words: str, id: str) -> Any:  # noqa: A002 - as pytest calls it.
    return pytest.param(usage, field, words, id=id)


REFUSED = [
    _refused(
        summed(pb.Usage(input_tokens=180_000, output_tokens=4_500)),
        "usage.input_tokens",
        "must be 180000",
        "sum of usage.requests",
        "got 203000",
        id="too few",
    ),
    _refused(
        summed(COMPACTION, MESSAGE, reasoning_tokens=5), "usage.reasoning_tokens", "must be 0", "5", id="a part as well"
    ),
    _refused(summed(COMPACTION, MESSAGE, web_searches=2), "usage.web_searches", "must be 0", "2", id="no token"),
    _refused(
        summed(COMPACTION, pb.Usage(input_tokens=23_000, output_tokens=1_000, pages=3)),
        "usage.pages",
        "must be 3",
        "got 0",
        id="more in the requests",
    ),
    _refused(
        summed(*[pb.Usage()] * USAGE_REQUESTS_MAX, SUM), "usage.requests", "at most 64 requests", "65", id="too many"
    ),
    _refused(
        summed(pb.Usage(input_tokens=203_000, output_tokens=4_500, requests=[COMPACTION, MESSAGE])),
        "usage.requests[0].requests",
        "must be empty",
        "2",
        id="requests of a request",
    ),
    _refused(
        summed(COMPACTION, pb.Usage(input_tokens=23_001, output_tokens=1_000), pb.Usage(input_tokens=-1)),
        "usage.requests[2].input_tokens",
        "must be from 0 to 10^12",
        "-1",
        id="no count",
    ),
    _refused(
        summed(
            pb.Usage(input_tokens=203_000), pb.Usage(output_tokens=4_500, cached_input_tokens=5), cached_input_tokens=5
        ),
        "usage.requests[1].cached_input_tokens",
        "must not exceed input_tokens 0",
        "5",
        id="a part of a request that exceeds its whole",
    ),
]


@pytest.mark.parametrize(("usage", "field", "words"), REFUSED)
def test_requests_that_do_not_make_up_the_usage_are_refused_by_field_value_and_rule(
    usage: pb.Usage, field: str, words: tuple[str, ...], server: RunningServer
) -> None:
    server.create()

    for ask in (_charge, _project, _hold, _settle):
        failed = failure(lambda ask=ask: ask(server, model=SONNET, usage=usage))  # type: ignore[misc]

        assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert list(failed.violations) == [field]
        for word in words:
            assert word in failed.violations[field]
    assert server.spent() == 0


def test_an_item_of_a_batch_is_refused_for_its_requests_alone(server: RunningServer) -> None:
    server.create()
    items = [
        cost_pb.UpdateCostRequest(budget_id="alice", model=SONNET, usage=usage)
        for usage in (summed(COMPACTION), summed(COMPACTION, MESSAGE))
    ]

    bad, good = server.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items)).results

    assert [each.field for each in bad.error.field_violations] == ["usage.input_tokens", "usage.output_tokens"]
    assert good.charged.cost_nano_usd == APART_NANO_USD


def test_a_batch_with_far_too_many_requests_in_all_is_refused(server: RunningServer) -> None:
    server.create()
    usage = pb.Usage(requests=[pb.Usage()] * USAGE_REQUESTS_MAX)
    item = cost_pb.UpdateCostRequest(budget_id="alice", model=SONNET, usage=usage)
    most, rest = divmod(BATCH_USAGE_REQUESTS_MAX, USAGE_REQUESTS_MAX)
    batch = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[item] * (most + 1))

    failed = failure(lambda: server.stub.BatchUpdateCost(batch))

    assert rest == 0
    assert (failed.reason, list(failed.violations)) == ("INVALID_FIELD", ["requests"])
    assert "at most 8000 usage.requests" in failed.violations["requests"]
    assert "got 8064" in failed.violations["requests"]


def test_as_many_requests_as_may_be_are_priced(server: RunningServer) -> None:
    server.create()
    usage = summed(COMPACTION, MESSAGE, *[pb.Usage()] * (USAGE_REQUESTS_MAX - 2))

    assert _charge(server, model=SONNET, usage=usage) == APART_NANO_USD


def test_something_of_a_request_without_a_price_is_refused_by_name(server: RunningServer) -> None:
    server.create()
    usage = summed(COMPACTION, pb.Usage(input_tokens=23_000, output_tokens=1_000, pages=3), pages=3)

    failed = failure(lambda: _charge(server, model=SONNET, usage=usage))

    assert (failed.reason, failed.info.metadata["field"]) == ("UNPRICED_USAGE", "pages")


# --- Request ids.

#: A usage of two requests with every count, whose parts are less than their wholes.
_WHOLES = {"input_tokens": 1_000, "output_tokens": 1_000, "cached_input_tokens": 400, "cache_write_tokens": 90}
_EVEN = {
    name: _WHOLES.get(name, 90 if name in ("audio_input_tokens", "image_input_tokens") else 9) for name in USAGE_COUNTS
}


def _two(moved: str = "") -> pb.Usage:
    """The usage, with one of a count moved from its first request to its second."""
    first, second = ({**_EVEN, moved: _EVEN[moved] + more} if moved else _EVEN for more in (-1, 1))
    requests = [pb.Usage(**first), pb.Usage(**second)]  # type: ignore[arg-type] # Counts alone.
    return pb.Usage(requests=requests, **{name: 2 * count for name, count in _EVEN.items()})


@pytest.mark.parametrize("rpc", ["UpdateCost", "ReserveCost", "CommitReservation"])
def test_every_count_of_every_request_is_part_of_the_digest_of_a_request_id(rpc: str) -> None:
    def digest_of(usage: pb.Usage) -> str:
        request: Any = type(VALID[rpc])()
        request.CopyFrom(VALID[rpc])
        setattr(request, "amount_nano_usd" if rpc == "ReserveCost" else "cost_nano_usd", 1)
        request.usage.CopyFrom(usage)
        return digest(rpc, request, shipped_prices())

    digests = {digest_of(_two(moved)) for moved in ("", *USAGE_COUNTS)}

    assert len(digests) == len(USAGE_COUNTS) + 1


@pytest.mark.parametrize("other", [SUM, summed(MESSAGE, COMPACTION), summed(SUM)], ids=["none", "order", "one"])
def test_the_same_request_id_with_other_requests_is_refused(other: pb.Usage, server: RunningServer) -> None:
    server.create()
    _charge(server, model=SONNET, usage=summed(COMPACTION, MESSAGE), request_id="r1")

    failed = failure(lambda: _charge(server, model=SONNET, usage=other, request_id="r1"))

    assert failed.reason == "REQUEST_ID_REUSED"
    assert _charge(server, model=SONNET, usage=summed(COMPACTION, MESSAGE), request_id="r1") == APART_NANO_USD
    assert server.spent() == APART_NANO_USD
