"""The cost of any usage: the short way and the whole one agree, parts add up, and rounding up is never less."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd_server.domain.cost import Rounding, cost_nano_usd, whole_cost_nano_usd
from budgetd_server.domain.model_price import MTOK, TOKEN_RATES, ModelPrice, Rates, Schedule
from budgetd_server.domain.usage import STANDARD_TERMS, CallTerms, Parts, Usage, usage_violations
from tests.domain.test_pricing import prices, usages

RATE = st.integers(1, 10**13)
FULL = st.builds(lambda rates: ModelPrice(model="any", rates=Rates(*rates)), st.tuples(*[RATE] * len(Rates._fields)))
COUNT = st.integers(0, 5000)


@st.composite
def whole_usages(draw: st.DrawFn) -> Usage:
    text, audio, cached_audio, image, cached_image, cited, explicit = (draw(COUNT) for _ in range(7))
    cached, written, hour, made, spoken, drawn, thought = (draw(COUNT) for _ in range(7))
    parts = Parts(
        audio_input_tokens=audio + cached_audio,
        audio_output_tokens=spoken,
        cached_audio_input_tokens=cached_audio,
        cached_image_input_tokens=cached_image,
        explicit_cached_input_tokens=explicit,
        image_input_tokens=image + cached_image,
        image_output_tokens=drawn,
        cache_write_1h_tokens=hour,
        citation_tokens=cited,
        web_searches=draw(COUNT),
    )
    usage = Usage(
        text + audio + cached_audio + image + cached_image + cited + cached + explicit + written + hour,
        made + spoken + drawn + thought,
        cached + cached_audio + cached_image + explicit,
        written + hour,
        thought,
        parts,
    )
    assert not usage_violations(usage)
    return usage


def cost(
    price: ModelPrice, usage: Usage, rounding: Rounding = Rounding.HALF_EVEN, terms: CallTerms = STANDARD_TERMS
) -> int:
    return whole_cost_nano_usd(price, usage, terms, at_us=0, rounding=rounding)


@given(prices(), usages(), st.sampled_from(Rounding))
def test_the_short_way_and_the_whole_one_come_to_the_same(price: ModelPrice, usage: Usage, rounding: Rounding) -> None:
    assert cost(price, usage, rounding) == cost_nano_usd(price, usage, rounding)


@given(FULL, whole_usages())
def test_every_part_is_charged_by_its_own_rate_and_nothing_twice(price: ModelPrice, usage: Usage) -> None:
    rates, parts = price.rates, usage.parts
    text_in = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    text_in -= parts.audio_input_tokens - parts.cached_audio_input_tokens
    text_in -= parts.image_input_tokens - parts.cached_image_input_tokens
    text_in -= parts.citation_tokens
    text_out = usage.output_tokens - usage.reasoning_tokens - parts.audio_output_tokens - parts.image_output_tokens
    counts = (
        text_in,
        text_out,
        usage.cached_input_tokens
        - parts.cached_audio_input_tokens
        - parts.cached_image_input_tokens
        - parts.explicit_cached_input_tokens,
        usage.cache_write_tokens - parts.cache_write_1h_tokens,
        usage.reasoning_tokens,
        parts.cache_write_1h_tokens,
        parts.audio_input_tokens - parts.cached_audio_input_tokens,
        parts.audio_output_tokens,
        parts.cached_audio_input_tokens,
        parts.cached_image_input_tokens,
        parts.explicit_cached_input_tokens,
        parts.image_input_tokens - parts.cached_image_input_tokens,
        parts.image_output_tokens,
        parts.citation_tokens,
        parts.web_searches,
    )

    exact = sum(count * (rate or 0) for count, rate in zip(counts, rates, strict=False))

    assert cost(price, usage, Rounding.UP) == -(-exact // 10**6)


@given(FULL, whole_usages(), whole_usages())
def test_two_calls_cost_what_they_do_together_but_for_the_rounding(price: ModelPrice, one: Usage, other: Usage) -> None:
    parts = Parts(*map(sum, zip(one.parts, other.parts, strict=True)))
    both = Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_input_tokens + other.cached_input_tokens,
        one.cache_write_tokens + other.cache_write_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
        parts,
    )

    assert abs(cost(price, both) - cost(price, one) - cost(price, other)) <= 1
    assert cost(price, both) >= cost(price, one)
    assert 0 <= cost(price, both, Rounding.UP) - cost(price, both) <= 1


@given(FULL, whole_usages())
def test_half_of_everything_but_searches_is_exact(price: ModelPrice, usage: Usage) -> None:
    in_batches = ModelPrice(model="any", rates=price.rates, batch=Schedule(price.rates, (), 2))
    alone = usage._replace(parts=usage.parts._replace(web_searches=0))
    searches = usage.parts.web_searches * (price.rates.web_search or 0)

    doubled = 2 * cost(in_batches, usage, Rounding.UP, CallTerms(is_batch=True))

    assert 0 <= doubled * 10**6 - cost(price, alone, Rounding.UP) * 10**6 - 2 * searches + 10**6 <= 4 * 10**6


@st.composite
def overlapping_usages(draw: st.DrawFn) -> Usage:
    """A valid usage whose audio, images and citations may be cached or written as well."""

    def up_to(most: int) -> int:
        return draw(st.integers(0, most))

    made = up_to(5_000)
    sent = up_to(5_000)
    cached = up_to(sent)
    written = up_to(sent - cached)
    audio = up_to(sent)
    image = up_to(sent - audio)
    cached_audio = up_to(min(audio, cached))
    spoken = up_to(made)
    parts = Parts(
        audio_input_tokens=audio,
        audio_output_tokens=spoken,
        cached_audio_input_tokens=cached_audio,
        cached_image_input_tokens=up_to(min(image, cached - cached_audio)),
        explicit_cached_input_tokens=up_to(cached),
        image_input_tokens=image,
        image_output_tokens=up_to(made - spoken),
        cache_write_1h_tokens=up_to(written),
        citation_tokens=up_to(sent - audio - image),
    )
    usage = Usage(sent, made, cached, written, up_to(made), parts)
    assert not usage_violations(usage)
    return usage


OF_OUTPUT = ("output", "reasoning", "audio_output", "image_output")


def tokens_by_rate(usage: Usage, **rates: int | None) -> dict[str, int]:
    """How many tokens each rate is charged for: each is one nano-USD a token in turn, and the others nothing."""
    nothing = Rates(*[0] * TOKEN_RATES)
    return {
        rate: cost(ModelPrice(model="any", rates=nothing._replace(**{rate: MTOK, **rates})), usage)
        for rate in Rates._fields[:TOKEN_RATES]
    }


def cached_for_certain(usage: Usage) -> tuple[int, int]:
    """How much audio and how many image tokens were cached: what the usage says, and what no other token has room for.

    Token by token: audio goes first to what was neither cached nor written, then to what was cached; then images do.
    """
    parts = usage.parts
    cached = {"audio": parts.cached_audio_input_tokens, "image": parts.cached_image_input_tokens}
    free = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    room = usage.cached_input_tokens - sum(cached.values())
    for kind, whole in (("audio", parts.audio_input_tokens), ("image", parts.image_input_tokens)):
        for _ in range(whole - cached[kind]):
            if free:
                free -= 1
            elif room:
                room -= 1
                cached[kind] += 1
    return cached["audio"], cached["image"]


@given(overlapping_usages())
def test_overlapping_parts_are_charged_neither_twice_nor_less_than_nothing(usage: Usage) -> None:
    stated = {**usage._asdict(), **usage.parts._asdict()}
    stated["cached_audio_input_tokens"], stated["cached_image_input_tokens"] = cached_for_certain(usage)

    charged = tokens_by_rate(usage)

    assert charged["cached_audio_input"] == stated["cached_audio_input_tokens"]
    assert charged["cached_image_input"] == stated["cached_image_input_tokens"]

    for rate, tokens in charged.items():
        assert 0 <= tokens <= stated[f"{rate}_tokens"], rate
    assert sum(charged[rate] for rate in OF_OUTPUT) == usage.output_tokens
    assert sum(tokens for rate, tokens in charged.items() if rate not in OF_OUTPUT) == usage.input_tokens


@given(overlapping_usages(), st.integers(1, 3))
def test_overlapping_tokens_of_what_is_paid_by_the_piece_are_left_out_once(usage: Usage, images: int) -> None:
    with_images = usage._replace(parts=usage.parts._replace(input_images=images))

    charged = tokens_by_rate(with_images, image_input=None, input_image=0)

    assert min(charged.values()) >= 0
    assert sum(charged.values()) == usage.input_tokens - usage.parts.image_input_tokens + usage.output_tokens


def test_cached_images_cost_cached_input_and_the_rest_of_them_images() -> None:
    usage = Usage(1_000, 0, 900, parts=Parts(image_input_tokens=800))
    rates = Rates(input=3 * MTOK, output=MTOK, cached_input=MTOK, image_input=10 * MTOK)

    assert cost(ModelPrice(model="any", rates=rates), usage) == 900 * 1 + 100 * 10


AUDIO_OR_IMAGE = ("audio", "image")


@pytest.mark.parametrize("kind", AUDIO_OR_IMAGE)
@pytest.mark.parametrize(
    ("rates", "cost_usd"),
    [
        pytest.param({}, 800 * 10 + 200 * 3, id="without any price of a cache as if nothing were cached"),
        pytest.param({"cached_input": 1}, 100 * 10 + 900 * 1, id="with that of cached input alone"),
        pytest.param({"cached_input": 1, "cached": 2}, 100 * 10 + 700 * 2 + 200 * 1, id="with its own"),
    ],
)
def test_audio_and_images_that_only_the_cache_has_room_for_cost_what_they_cost_cached(
    kind: str, rates: dict[str, int], cost_usd: int
) -> None:
    usage = Usage(1_000, 0, 900, parts=Parts(**{f"{kind}_input_tokens": 800}))
    names = {"cached": f"cached_{kind}_input"}
    stated = {"input": 3, f"{kind}_input": 10} | {names.get(name, name): rate for name, rate in rates.items()}
    price = Rates(output=MTOK, **{name: rate * MTOK for name, rate in stated.items()})

    assert cost(ModelPrice(model="any", rates=price), usage) == cost_usd


@pytest.mark.parametrize("kind", AUDIO_OR_IMAGE)
def test_written_audio_and_images_cost_what_they_usually_do_without_a_price_for_writing(kind: str) -> None:
    usage = Usage(1_000, 0, 0, 1_000, parts=Parts(**{f"{kind}_input_tokens": 800}))
    rates = Rates(input=3 * MTOK, output=MTOK, **{f"{kind}_input": 10 * MTOK})
    with_writes = rates._replace(cache_write=4 * MTOK)

    costs = [cost(ModelPrice(model="any", rates=each), usage) for each in (rates, with_writes)]

    assert costs == [800 * 10 + 200 * 3, 1_000 * 4]


@pytest.mark.parametrize(
    ("rates", "rate"),
    [
        pytest.param({"explicit_cached_input": 1, "cached_input": 2}, 1, id="its own"),
        pytest.param({"cached_input": 2}, 2, id="without it that of cached input"),
        pytest.param({}, 3, id="without both that of input"),
    ],
)
def test_tokens_of_an_explicit_cache_have_their_own_price(rates: dict[str, int], rate: int) -> None:
    usage = Usage(1_000, 0, 700, parts=Parts(explicit_cached_input_tokens=700))
    price = Rates(input=3 * MTOK, output=MTOK, **{name: each * MTOK for name, each in rates.items()})

    assert cost(ModelPrice(model="any", rates=price), usage) == 300 * 3 + 700 * rate


@pytest.mark.parametrize(
    ("rates", "rate"),
    [
        pytest.param({"cached_image_input": 2, "cached_input": 1, "image_input": 10}, 2, id="its own"),
        pytest.param({"cached_input": 1, "image_input": 10}, 1, id="without it that of cached input"),
        pytest.param({"image_input": 10}, 10, id="without both that of images"),
        pytest.param({}, 3, id="without all that of input"),
    ],
)
def test_images_that_are_known_to_be_cached_have_their_own_price(rates: dict[str, int], rate: int) -> None:
    usage = Usage(1_000, 0, 700, parts=Parts(image_input_tokens=700, cached_image_input_tokens=700))
    price = Rates(input=3 * MTOK, output=MTOK, **{name: each * MTOK for name, each in rates.items()})

    assert cost(ModelPrice(model="any", rates=price), usage) == 300 * 3 + 700 * rate
