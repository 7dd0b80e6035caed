"""ProjectCost, and the prices that it rests on."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import model_price_pb2 as price_pb
from budgetd_server.prices import ReloadablePrices, load_prices
from tests.rpc.conftest import Start
from tests.rpc.running_server import PROJECT, RunningServer, Setup, shipped_prices

BLOCK, WARN = pb.LIMIT_ACTION_BLOCK, pb.LIMIT_ACTION_WARN


def project(server: RunningServer, **fields: Any) -> cost_pb.ProjectCostResponse:
    """ProjectCost for alice."""
    return server.stub.ProjectCost(cost_pb.ProjectCostRequest(project_id=PROJECT, budget_id="alice", **fields))


@pytest.mark.parametrize(
    ("amount", "spent", "cost", "is_allowed"),
    [
        pytest.param(10, 4, 6, True, id="exactly the amount is allowed"),
        pytest.param(10, 4, 7, False, id="one more is not"),
        pytest.param(10, 12, 0, True, id="nothing is always allowed"),
        pytest.param(0, 0, 1, False, id="a limit of zero allows nothing"),
    ],
)
def test_a_call_is_allowed_if_no_blocking_limit_would_be_passed(
    server: RunningServer, amount: int, spent: int, cost: int, is_allowed: bool
) -> None:
    server.create("alice", pb.Limit(amount=amount))
    server.charge(spent)
    before = server.stored()

    answer = project(server, cost_nano_usd=cost)

    assert answer.is_allowed is is_allowed
    assert (answer.cost_nano_usd, answer.projected_cost_nano_usd) == (cost, spent + cost)
    assert [limit.spent for limit in answer.exceeded_limits] == ([] if is_allowed else [spent])
    assert not answer.HasField("usage")
    assert server.stored() == before


def test_a_warning_limit_is_named_and_allows(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=1, action=WARN))

    answer = project(server, cost_nano_usd=2)

    assert answer.is_allowed
    assert [limit.action for limit in answer.exceeded_limits] == [WARN]


def test_without_a_limit_everything_is_allowed(server: RunningServer) -> None:
    server.create()

    assert project(server, cost_nano_usd=10**15).is_allowed


def test_a_window_that_is_over_by_the_clock_does_not_count(server: RunningServer) -> None:
    hour = pb.Window(fixed=pb.FixedWindow(length=Duration(seconds=3_600)))
    server.create("alice", pb.Limit(amount=10, window=hour))
    server.charge(10)
    server.clock.advance(seconds=3_600)

    answer = project(server, cost_nano_usd=5)

    assert (answer.is_allowed, answer.projected_cost_nano_usd) == (True, 5)


def test_what_may_happen_is_rounded_up_and_what_has_happened_half_even(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('version = 1\n[models."half"]\ninput_usd_per_mtok = "0.0005"\n', "utf-8")
    server = start(Setup(prices=load_prices([path])))
    server.create()
    usage = pb.Usage(input_tokens=1)  # Half a nano-dollar.

    projected = project(server, model="half", usage=usage)
    charged = server.stub.UpdateCost(
        cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", model="half", usage=usage)
    )

    assert (projected.cost_nano_usd, projected.usage) == (1, usage)
    assert charged.cost_nano_usd == 0


@pytest.mark.parametrize(
    ("source", "input_tokens", "output_tokens"),
    [
        pytest.param({"text": pb.Text(input="hello world", output="hello")}, 2 + 7, 1 + 7, id="texts, each as a chat"),
        pytest.param(
            {"messages": pb.Messages(messages=[pb.ChatMessage(role="user", content="hello world")])},
            2,
            0,
            id="the prompt alone",
        ),
        pytest.param(
            {
                "messages": pb.Messages(
                    messages=[pb.ChatMessage(role="user", content="hello world")], max_output_tokens=50
                )
            },
            2 + 7,
            50,
            id="the prompt as it is billed and the longest answer",
        ),
    ],
)
def test_texts_and_messages_are_counted(
    server: RunningServer, source: dict[str, Any], input_tokens: int, output_tokens: int
) -> None:
    server.create()

    answer = project(server, model="gpt-4o", **source)

    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (input_tokens, output_tokens)
    assert answer.cost_nano_usd == input_tokens * 2_500 + output_tokens * 10_000
    assert not answer.is_estimated


def test_a_count_in_another_models_encoding_is_said_to_be_an_estimate(server: RunningServer) -> None:
    server.create()

    answer = project(server, model="claude-sonnet-4-5", text=pb.Text(input="hello", output="world"))

    assert answer.is_estimated


def test_a_projection_and_the_charge_after_it_agree(server: RunningServer) -> None:
    server.create()
    text = pb.Text(input="How do I center a div?", output="With flexbox.")

    projected = project(server, model="gpt-4o", text=text)
    charged = server.stub.UpdateCost(
        cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", model="gpt-4o", text=text)
    )

    assert projected.cost_nano_usd == charged.cost_nano_usd
    assert projected.projected_cost_nano_usd == server.spent()


# --- Prices.


def prices(server: RunningServer, page_size: int, prefix: str = "") -> list[price_pb.ModelPrice]:
    """All prices, page by page."""
    request = service.ListModelPricesRequest(page_size=page_size, model_prefix=prefix)
    listed: list[price_pb.ModelPrice] = []
    while True:
        answer = server.stub.ListModelPrices(request)
        assert answer.price_version == shipped_prices().version
        assert len(answer.prices) <= page_size
        listed += answer.prices
        request.page_token = answer.next_page_token
        if not request.page_token:
            return listed


def test_prices_are_listed_by_name_each_once(server: RunningServer) -> None:
    listed = prices(server, 1_000)

    assert [price.model for price in listed] == list(shipped_prices().models())


def test_prices_are_listed_by_the_beginning_of_their_names_in_pages_of_any_size(server: RunningServer) -> None:
    for page_size in (1, 7, 1_000):
        names = [price.model for price in prices(server, page_size, "gpt-4o-mini")]

        assert names == [name for name in shipped_prices().models() if name.startswith("gpt-4o-mini")]
    assert prices(server, 5, "no model begins so") == []


def test_the_page_of_prices_has_fifty_by_default(server: RunningServer) -> None:
    assert len(server.stub.ListModelPrices(service.ListModelPricesRequest()).prices) == 50


def test_no_price_is_listed_twice_or_left_out_when_others_come_between_two_pages(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text("version = 1\n", "utf-8")
    reloadable = ReloadablePrices((file,))
    server = start(Setup(prices=reloadable))
    before = [name for name in reloadable.models() if name.startswith("gpt-4o")]
    request = service.ListModelPricesRequest(page_size=3, model_prefix="gpt-4o")
    first = server.stub.ListModelPrices(request)
    own = ('[models."gpt-4o#first"]', '[models."gpt-4o~last"]')
    file.write_text("version = 1\n" + "".join(f'{each}\ninput_usd_per_mtok = "1"\n' for each in own), "utf-8")
    reloadable.reload()

    request.page_token, request.page_size = first.next_page_token, 1_000
    second = server.stub.ListModelPrices(request)

    assert [price.model for price in (*first.prices, *second.prices)] == [*before, "gpt-4o~last"]
    assert "gpt-4o#first" in reloadable.models()


def test_a_price_has_its_rates_and_its_source(server: RunningServer) -> None:
    answer = server.stub.GetModelPrice(service.GetModelPriceRequest(model="openai/gpt-4o"))

    assert answer.price_version == shipped_prices().version
    assert answer.price == price_pb.ModelPrice(
        model="gpt-4o",
        provider="openai",
        rates=price_pb.TokenRates(
            input_nano_usd_per_mtok=2_500_000_000,
            output_nano_usd_per_mtok=10_000_000_000,
            cached_input_nano_usd_per_mtok=1_250_000_000,
        ),
        source=price_pb.PRICE_SOURCE_CATALOGUE,
        count_rates=price_pb.CountRates(),
        service_tiers=[
            price_pb.ServedPrice(
                service_tier="priority",
                rates=price_pb.TokenRates(
                    input_nano_usd_per_mtok=4_250_000_000,
                    output_nano_usd_per_mtok=17_000_000_000,
                    cached_input_nano_usd_per_mtok=2_125_000_000,
                ),
                divisor=1,
            )
        ],
        batch=price_pb.ServedPrice(
            rates=price_pb.TokenRates(
                input_nano_usd_per_mtok=2_500_000_000,
                output_nano_usd_per_mtok=10_000_000_000,
                cached_input_nano_usd_per_mtok=2_500_000_000,
            ),
            divisor=2,
        ),
        places=[price_pb.PriceFactor(inference_geo="fedramp", numerator=11, denominator=10)],
    )


def test_a_price_has_what_is_not_a_token(server: RunningServer) -> None:
    answer = server.stub.GetModelPrice(service.GetModelPriceRequest(model="whisper-1"))

    assert answer.price.count_rates == price_pb.CountRates(audio_input_second_nano_usd_per_million=10**11)


def test_an_operators_prices_tiers_free_models_and_fallback_are_returned_as_such(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(
        """
        version = 1
        [models."acme"]
        input_usd_per_mtok = "1"
        output_usd_per_mtok = "2"
        [[models."acme".tiers]]
        above_input_tokens = 1000
        input_usd_per_mtok = "3"
        [models."gift"]
        free = true
        [fallback]
        input_usd_per_mtok = "9"
        output_usd_per_mtok = "9"
        """,
        "utf-8",
    )
    server = start(Setup(prices=load_prices([path])))

    def price(model: str) -> price_pb.ModelPrice:
        return server.stub.GetModelPrice(service.GetModelPriceRequest(model=model)).price

    assert price("acme").source == price_pb.PRICE_SOURCE_OVERRIDE
    (tier,) = price("acme").tiers
    assert (tier.above_input_tokens, tier.rates.input_nano_usd_per_mtok) == (1_000, 3 * 10**9)
    assert price("gift").is_free
    assert (price("unheard of").source, price("unheard of").model) == (price_pb.PRICE_SOURCE_FALLBACK, "unheard of")
