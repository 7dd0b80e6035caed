"""Encodes prices as messages."""

from budgetd.v1 import model_price_pb2 as price_pb
from budgetd_server.domain.model_price import TOKEN_RATES, ModelPrice, OffPeak, Rates, Schedule

_SOURCES = {
    "catalogue": price_pb.PRICE_SOURCE_CATALOGUE,
    "override": price_pb.PRICE_SOURCE_OVERRIDE,
    "fallback": price_pb.PRICE_SOURCE_FALLBACK,
}


def model_price(price: ModelPrice) -> price_pb.ModelPrice:
    """Encode the price of a model at one moment, with everything that changes it except its periods."""
    return price_pb.ModelPrice(
        model=price.model,
        provider=price.provider,
        rates=_rates(price.rates),
        tiers=[
            price_pb.PriceTier(above_input_tokens=tier.above_input_tokens, rates=_rates(tier.rates))
            for tier in price.tiers
        ],
        is_free=price.is_free,
        source=_SOURCES[price.source],
        count_rates=price_pb.CountRates(
            **{f"{name}_nano_usd_per_million": rate for name, rate in list(price.rates._asdict().items())[TOKEN_RATES:]}
        ),
        service_tiers=[_served(name, schedule) for name, schedule in sorted(price.service_tiers.items())],
        batch=_served("", price.batch) if price.batch is not None else None,
        places=[_factor(place, factor) for place, factor in sorted(price.multipliers.items()) if place != "fast"],
        fast=_factor("", price.multipliers["fast"]) if "fast" in price.multipliers else None,
        off_peak=_off_peak(price.off_peak) if price.off_peak is not None else None,
        searches_are_one=price.searches_are_one,
    )


def _served(service_tier: str, schedule: Schedule) -> price_pb.ServedPrice:
    return price_pb.ServedPrice(
        service_tier=service_tier,
        rates=_rates(schedule.rates),
        tiers=[price_pb.PriceTier(above_input_tokens=above, rates=_rates(rates)) for above, rates in schedule.tiers],
        divisor=schedule.divisor,
    )


def _rates(rates: Rates) -> price_pb.TokenRates:
    return price_pb.TokenRates(
        **{f"{name}_nano_usd_per_mtok": rate for name, rate in list(rates._asdict().items())[:TOKEN_RATES]}
    )


def _factor(place: str, factor: tuple[int, int]) -> price_pb.PriceFactor:
    numerator, denominator = factor
    return price_pb.PriceFactor(inference_geo=place, numerator=numerator, denominator=denominator)


def _off_peak(off_peak: OffPeak) -> price_pb.OffPeakPrice:
    return price_pb.OffPeakPrice(
        rates=_rates(Rates(**off_peak.rates)),
        hours=[
            price_pb.PriceHours(begin_minute=begin, end_minute=end, weekdays=sorted(days or ()))
            for days, begin, end in off_peak.windows
            if days is None or days  # Hours of no day never hold, and without days the message would mean every day.
        ],
        weekday_time_zone=off_peak.zone,
    )
