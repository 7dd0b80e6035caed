"""Rows of the operator's price files: of every kind, for many models at once, and those that are left out."""

import json

import pytest

from budgetd_server.domain.errors import UnknownModel, UnpricedUsage
from budgetd_server.domain.model_price import TOKEN_RATES, Rates
from budgetd_server.domain.usage import CallTerms, Parts, Usage
from budgetd_server.prices import PriceFileError, ReloadablePrices, load_prices, toml_format
from budgetd_server.prices.catalogue import SHIPPED
from tests.prices.conftest import WriteFile, toml


def test_a_pattern_prices_every_model_that_begins_so(write: WriteFile) -> None:
    path = write(
        "p.toml",
        toml("""
            [models."ollama/*"]
            free = true
            [models."ollama/big-*"]
            input_usd_per_mtok = "1"
            output_usd_per_mtok = "2"
            [models."ollama/big-one"]
            input_usd_per_mtok = "5"
            output_usd_per_mtok = "5"
        """),
    )

    prices = load_prices([path])
    costs = {
        name: prices.price(name, Usage(1000, 1000), at_us=0).cost_nano_usd
        for name in ("ollama/llama3", "ollama/anything", "ollama/big-two", "ollama/big-one")
    }

    assert costs == {
        "ollama/llama3": 0,
        "ollama/anything": 0,
        "ollama/big-two": 3_000_000,
        "ollama/big-one": 10_000_000,
    }
    assert prices.price("ollama/anything", Usage(1), at_us=0).model == "ollama/anything"
    assert "ollama/*" not in prices.models()
    with pytest.raises(UnknownModel):
        prices.price("ollam/anything", Usage(1), at_us=0)


def test_a_price_of_its_own_beats_a_pattern_and_no_price_does_not(write: WriteFile) -> None:
    path = write("p.toml", toml('[models."g*"]\ninput_usd_per_mtok = "7"\noutput_usd_per_mtok = "7"'))

    prices = load_prices([path])

    assert prices.price("gpt-4o", Usage(1000), at_us=0).cost_nano_usd == 2_500_000
    assert prices.price("gemini/gemini-exp-1206-nobody", Usage(1000), at_us=0).cost_nano_usd == 7_000_000


@pytest.mark.parametrize("name", ["*-mini", "gpt-*-mini", "**", "a*b*"])
def test_a_pattern_that_can_match_nothing_is_refused(write: WriteFile, name: str) -> None:
    with pytest.raises(PriceFileError, match="star"):
        load_prices([write("p.toml", toml(f'[models."{name}"]\nfree = true'))])


def test_rows_of_every_kind_are_read_from_toml(write: WriteFile) -> None:
    path = write(
        "p.toml",
        toml("""
            [models."acme/ears"]
            audio_input_second_usd = "0.0001"
            [models."acme/rank"]
            query_usd = "0.002"
            [models."acme/all"]
            input_usd_per_mtok = "1"
            output_usd_per_mtok = "2"
            audio_input_usd_per_mtok = "10"
            web_search_usd = "0.01"
            [models."acme/all".service_tiers.flex]
            input_usd_per_mtok = "0.5"
            [models."acme/all".batch]
            input_usd_per_mtok = "0.25"
            output_usd_per_mtok = "1"
            [models."acme/all".places]
            mars = "1.5"
        """),
    )
    prices = load_prices([path])

    def cost(model: str, usage: Usage, **terms: object) -> int:
        return prices.price(model, usage, at_us=0, terms=CallTerms(**terms)).cost_nano_usd  # type: ignore[arg-type]

    assert cost("acme/ears", Usage(parts=Parts(audio_input_milliseconds=1500))) == 150_000
    assert cost("acme/rank", Usage(parts=Parts(queries=2))) == 4_000_000
    assert cost("acme/all", Usage(1000, 0, parts=Parts(audio_input_tokens=1000, web_searches=1))) == 20_000_000
    assert cost("acme/all", Usage(1000, 1000), service_tier="flex") == 2_500_000
    assert cost("acme/all", Usage(1000, 1000), is_batch=True) == 1_250_000
    assert cost("acme/all", Usage(1000, 1000), inference_geo="mars") == 4_500_000


def test_every_rate_has_a_key() -> None:
    assert list(toml_format.RATE_BY_KEY.values()) == list(Rates._fields)
    assert [key.endswith("_per_mtok") for key in toml_format.RATE_BY_KEY] == [
        number < TOKEN_RATES for number in range(len(Rates._fields))
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("query_usd = 1001", ["from 0 to 1000", "1001"], id="an absurd price for one"),
        pytest.param('free = true\nplaces.us = "1"', ["free"], id="a factor of nothing"),
        pytest.param('input_usd_per_mtok = 1\nplaces.us = "x"', ["places.us", "'x'"], id="a factor in words"),
        pytest.param("input_usd_per_mtok = 1\nplaces = 5", ["places", "table"], id="places that are no table"),
        pytest.param("input_usd_per_mtok = 1\nbatch = 5", ["batch", "table"], id="a batch that is no table"),
        pytest.param("input_usd_per_mtok = 1\nbatch.x = 5", ["batch.x", "not a key"], id="a batch's unknown key"),
        pytest.param(
            "input_usd_per_mtok = 1\nservice_tiers.flex = 5", ["service_tiers.flex", "table"], id="a tier that is none"
        ),
    ],
)
def test_a_fault_in_what_is_new_is_named(write: WriteFile, content: str, words: list[str]) -> None:
    with pytest.raises(PriceFileError) as refused:
        load_prices([write("p.toml", toml(f'[models."m"]\n{content}'))])

    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_rows_without_a_price_are_left_out_with_a_note(write: WriteFile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="budgetd_server.prices")
    rows = {
        "sample_spec": {"input_cost_per_token": 0},
        "whisper-mine": {"mode": "audio_transcription", "input_cost_per_second": 0.0001},
        "rank-mine": {"mode": "rerank", "litellm_provider": "cohere", "input_cost_per_query": 0.002},
        "rent": {"mode": "guardrail", "litellm_provider": "x", "guardrail_cost_per_unit": {"a": 1}},
        "bedrock/*/mine": {"mode": "chat", "litellm_provider": "bedrock", "input_cost_per_token": 1e-6},
    }

    prices = ReloadablePrices([write("p.json", json.dumps(rows))])

    assert prices.price("whisper-mine", Usage(parts=Parts(audio_input_milliseconds=1000)), at_us=0)[0] == 100_000
    assert prices.price("rank-mine", Usage(parts=Parts(queries=1)), at_us=0)[0] == 2_000_000
    assert [word in caplog.text for word in ("'rent'", "'bedrock/*/mine'", "whisper-mine")] == [True, True, False]


@pytest.mark.parametrize(
    ("model", "provider"), [("ollama_chat/mine", ""), ("mine", "ollama_chat"), ("ollama_chat/mine", "ollama_chat")]
)
@pytest.mark.parametrize("keys", [{"litellm_provider": "ollama_chat", "mode": "chat"}, {}], ids=["LiteLLM's", "own"])
def test_a_model_whose_row_has_zeros_is_refused_with_what_that_row_needs(
    write: WriteFile, keys: dict[str, str], model: str, provider: str
) -> None:
    row = {**keys, "input_cost_per_token": 0, "output_cost_per_token": "0.0"}
    terms = CallTerms(provider=provider)

    with pytest.raises(UnknownModel) as refused:
        load_prices([write("p.json", json.dumps({"ollama_chat/mine": row}))]).price(
            model, Usage(1, 1), at_us=0, terms=terms
        )
    free = load_prices([write("q.json", json.dumps({"ollama_chat/mine": {**row, "free": True}}))])

    assert "the prices in row 'ollama_chat/mine' of the price file are zero" in str(refused.value)
    assert '"free": true' in str(refused.value)
    assert refused.value.metadata["zero_row"] == "ollama_chat/mine"
    assert free.price(model, Usage(1, 1), at_us=0, terms=terms).cost_nano_usd == 0


def test_a_price_that_varies_by_size_is_named_as_the_reason(write: WriteFile) -> None:
    row = {"mode": "video_generation", "output_cost_per_second": 0.4, "output_cost_per_second_4k": 0.6}
    prices = load_prices([write("p.json", json.dumps({"mine": {**row, "output_cost_per_second_4k": 0.3}}))])
    seconds = Usage(parts=Parts(video_milliseconds=1000))

    with pytest.raises(UnpricedUsage, match="video_milliseconds: larger sizes cost more") as refused:
        prices.price("gemini/veo-3.1-generate-001", seconds, at_us=0)

    assert refused.value.metadata["varies_by"] == "size"
    assert prices.price("mine", seconds, at_us=0).cost_nano_usd == 400_000_000
    dearer = load_prices([write("q.json", json.dumps({"mine": row}))])
    with pytest.raises(UnpricedUsage, match="video_milliseconds: larger sizes cost more"):
        dearer.price("mine", seconds, at_us=0)
    assert ["'mine' has no price for video_milliseconds: larger sizes" in note for note in dearer.notes] == [True]


def test_a_row_without_any_price_is_not_called_one_of_zeros(write: WriteFile) -> None:
    rows = {"rent": {"mode": "guardrail", "litellm_provider": "x", "guardrail_cost_per_unit": {"a": 1}}}

    with pytest.raises(UnknownModel, match="add the model to the price file") as refused:
        load_prices([write("p.json", json.dumps(rows))]).price("rent", Usage(1, 1), at_us=0)

    assert "zero" not in str(refused.value)


def test_the_notes_of_a_long_file_are_counted(write: WriteFile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="budgetd_server.prices")
    rows = {f"m{number}": {"mode": "chat", "input_cost_per_token": 0} for number in range(30)}

    path = write("p.json", json.dumps(rows))

    ReloadablePrices([path])

    assert len(load_prices([path]).notes) == 30
    assert "10 more notes" in caplog.text
    notes = [record.levelname for record in caplog.records if "is left out" in record.message]
    assert notes == ["INFO"] * 20 + ["DEBUG"] * 10


def test_the_shipped_catalogue_itself_is_an_operators_file(write: WriteFile) -> None:
    models = json.loads(SHIPPED.read_text("utf-8"))["models"]

    prices = load_prices(
        [write("p.json", json.dumps({name: {**row, "mode": row.get("mode", "chat")} for name, row in models.items()}))]
    )

    assert prices.price("gpt-4o", Usage(1000, 1000), at_us=0).cost_nano_usd == 12_500_000
    assert prices.find("gpt-4o", 0).source == "override"
