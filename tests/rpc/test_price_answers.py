"""What GetModelPrice returns is enough to price a call: places, speed, quiet hours and all."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import model_price_pb2 as price_pb
from budgetd_server.domain.model_price import ModelPrice, OffPeak
from budgetd_server.prices import load_prices
from budgetd_server.rpc.price_answers import model_price
from tests.rpc.conftest import Start
from tests.rpc.running_server import NOW_US, PROJECT, RunningServer, Setup
from tests.rpc.valid_requests import USAGE

#: Fields of `ModelPrice` that the message does not have, or has under another name.
NOT_GIVEN = {
    "multipliers": "as `places` and `fast`",
    "periods": "a price is that of one moment",
    "aliases": "other names, and no prices",
    "covered_counts": "counts that cost nothing because tokens pay for them",
    "varying_counts": "counts without a price, with the reason for the refusal of one",
    "base_billing": "made of the others",
    "tiers_falling": "made of the others",
    "has_gaps": "made of the others",
}


def price_of(server: RunningServer, model: str) -> price_pb.ModelPrice:
    return server.stub.GetModelPrice(service.GetModelPriceRequest(model=model)).price


def projected(server: RunningServer, model: str, **terms: str) -> int:
    request = cost_pb.ProjectCostRequest(project_id=PROJECT, budget_id="alice", model=model, usage=USAGE, **terms)  # type: ignore[arg-type]
    return server.stub.ProjectCost(request).cost_nano_usd


def times(cost_nano_usd: int, factor: price_pb.PriceFactor) -> int:
    """A cost times a factor, rounded up as a projection is."""
    return -(-cost_nano_usd * factor.numerator // factor.denominator)


def test_every_field_of_a_price_is_returned_or_has_a_reason_not_to_be() -> None:
    answered = {field.name for field in price_pb.ModelPrice.DESCRIPTOR.fields}

    assert set(ModelPrice.__dataclass_fields__) - answered == set(NOT_GIVEN)


@pytest.mark.parametrize(("model", "has_speed"), [("claude-opus-4-8", True), ("claude-sonnet-4-6", False)])
def test_places_and_speed_cost_the_factor_that_is_returned(model: str, has_speed: bool, server: RunningServer) -> None:
    server.create()
    price, usual = price_of(server, model), projected(server, model)

    assert [place.inference_geo for place in price.places] == ["us"]
    assert projected(server, model, inference_geo="us") == times(usual, price.places[0]) > usual
    assert price.HasField("fast") is has_speed
    if has_speed:
        assert projected(server, model, service_tier="fast") == times(usual, price.fast) > usual


def test_an_operators_places_are_returned_by_name_and_without_them_none(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    rates = 'input_usd_per_mtok = "1"\noutput_usd_per_mtok = "2"\n'
    path.write_text(
        f'version = 1\n[models."here"]\n{rates}[models."there"]\n{rates}places.us = "1.25"\nplaces."*" = "1.1"\n',
        "utf-8",
    )
    server = start(Setup(prices=load_prices([path])))

    assert not price_of(server, "here").places
    assert not price_of(server, "here").HasField("off_peak")
    assert not price_of(server, "here").HasField("fast")
    assert list(price_of(server, "there").places) == [
        price_pb.PriceFactor(inference_geo="*", numerator=11, denominator=10),
        price_pb.PriceFactor(inference_geo="us", numerator=5, denominator=4),
    ]


def test_quiet_hours_are_returned_as_they_are_written(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    quiet = {
        "input_cost_per_token": 1e-07,
        "weekday_timezone": "Asia/Shanghai",
        "windows": [
            {"hours_utc": ["16:30-00:30", "04:00-06:00"], "weekdays": [5, 1]},
            {"hours_utc": "00:00-00:00", "weekdays": []},
            {"hours_utc": "00:00-00:00"},
        ],
    }
    row = {"mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "off_peak_pricing": quiet}
    path.write_text(json.dumps({"night-owl": row}), "utf-8")
    server = start(Setup(prices=load_prices([path])))

    assert price_of(server, "night-owl").off_peak == price_pb.OffPeakPrice(
        rates=price_pb.TokenRates(input_nano_usd_per_mtok=100_000_000),
        hours=[
            price_pb.PriceHours(begin_minute=16 * 60 + 30, end_minute=30, weekdays=[1, 5]),
            price_pb.PriceHours(begin_minute=4 * 60, end_minute=6 * 60, weekdays=[1, 5]),
            price_pb.PriceHours(),
        ],
        weekday_time_zone="Asia/Shanghai",
    )


def is_quiet(price: price_pb.OffPeakPrice, at_us: int) -> bool:
    """Whether the hours of a message hold at a moment, read as the contract says."""
    at = datetime.fromtimestamp(at_us // 10**6, UTC)
    minute, day = at.hour * 60 + at.minute, at.astimezone(ZoneInfo(price.weekday_time_zone)).isoweekday()
    for hours in price.hours:
        length = (hours.end_minute - hours.begin_minute) % 1440 or 1440
        if (minute - hours.begin_minute) % 1440 < length and (not hours.weekdays or day in hours.weekdays):
            return True
    return False


_MINUTES = st.integers(0, 1439)
_DAYS = st.one_of(st.none(), st.frozensets(st.integers(1, 7)))
_OFF_PEAK = st.builds(
    OffPeak,
    st.just({"input": 1}),
    st.lists(st.tuples(_DAYS, _MINUTES, _MINUTES), max_size=3).map(tuple),
    st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York"]),
)


@given(_OFF_PEAK, st.integers(NOW_US, NOW_US + 14 * 86_400 * 10**6))
def test_the_hours_of_a_price_hold_when_pricing_says_so(off_peak: OffPeak, at_us: int) -> None:
    answered = model_price(ModelPrice(model="any", off_peak=off_peak)).off_peak

    assert is_quiet(answered, at_us) is off_peak.is_at(at_us)
