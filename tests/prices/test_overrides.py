"""The operator's price files: what they change, what they inherit, and how they are refused."""

import json
from pathlib import Path

import pytest

from budgetd_server.domain.errors import UnknownModel
from budgetd_server.domain.model_price import Rates
from budgetd_server.domain.usage import Usage
from budgetd_server.prices import PriceFileError, ReloadablePrices, load_prices
from tests.prices.conftest import WriteFile, toml

#: 2026-12-01 00:00 UTC.
DECEMBER_US = 1_796_083_200 * 10**6


def test_a_new_model_has_the_price_that_the_file_gives_it(write: WriteFile) -> None:
    path = write(
        "prices.toml",
        toml("""
            [models."acme/llama-70b"]
            input_usd_per_mtok = "0.35"
            output_usd_per_mtok = "0.4"
            cached_input_usd_per_mtok = "0"
            cache_write_usd_per_mtok = 0.5
            reasoning_usd_per_mtok = 1
        """),
    )

    price = load_prices([path]).find("acme/llama-70b", 0)

    assert price.rates == Rates(350_000_000, 400_000_000, 0, 500_000_000, 1_000_000_000)
    assert (price.source, price.provider) == ("override", "acme")


def test_what_an_override_leaves_out_it_inherits(write: WriteFile) -> None:
    shipped = load_prices().find("gpt-5.5", 0)
    path = write("prices.toml", toml('[models."gpt-5.5"]\ninput_usd_per_mtok = "2.1"'))

    price = load_prices([path]).find("openai/gpt-5.5", 0)

    assert price.rates == shipped.rates._replace(input=2_100_000_000)
    assert price.tiers == shipped.tiers != ()
    assert (price.source, price.provider) == ("override", "openai")


def test_the_example_in_the_documentation_is_a_price_file(write: WriteFile) -> None:
    documentation = (Path(__file__).parents[2] / "docs" / "prices.md").read_text("utf-8")
    example = documentation.partition("```toml\n")[2].partition("```")[0]

    prices = load_prices([write("prices.toml", example)])

    assert prices.find("prod-chat", 0).rates.cached_input == 1_050_000_000
    assert prices.find("gpt-5", DECEMBER_US).rates.input == 10**9
    assert prices.find("ollama/llama3", 0).is_free
    assert prices.find("nobody/knows", 0).source == "fallback"


def test_of_several_files_the_last_word_on_each_key_counts(write: WriteFile) -> None:
    first = write("a.toml", toml('[models."gpt-4o"]\ninput_usd_per_mtok = "1"\noutput_usd_per_mtok = "2"'))
    second = write("b.json", json.dumps({"gpt-4o": {"output_cost_per_token": 3e-6}}))

    rates = load_prices([first, second]).find("gpt-4o", 0).rates

    assert (rates.input, rates.output) == (10**9, 3 * 10**9)


def test_a_free_model_must_be_said_to_be_free(write: WriteFile) -> None:
    path = write("prices.toml", toml('[models."ollama/llama3"]\nfree = true'))
    json_path = write(
        "prices.json", '{"local": {"litellm_provider": "ollama", "free": true, "input_cost_per_token": 0}}'
    )

    prices = load_prices([path, json_path])

    assert prices.price("ollama/llama3", Usage(10**6, 10**6), at_us=0).cost_nano_usd == 0
    assert prices.price("local", Usage(10**6, 10**6), at_us=0).cost_nano_usd == 0
    assert prices.find("local", 0).is_free


def test_a_price_after_free_ends_the_freedom(write: WriteFile) -> None:
    free = write("a.toml", toml('[models."m"]\nfree = true'))
    priced = write("b.toml", toml('[models."m"]\ninput_usd_per_mtok = "1"'))

    price = load_prices([free, priced]).find("m", 0)

    assert (price.is_free, price.rates) == (False, Rates(10**9))


def test_tiers_are_read_and_an_empty_list_removes_them(write: WriteFile) -> None:
    tiered = write(
        "a.toml",
        toml("""
            [models."m"]
            input_usd_per_mtok = "1"
            output_usd_per_mtok = "5"
            [[models."m".tiers]]
            above_input_tokens = 400000
            input_usd_per_mtok = "3"
            [[models."m".tiers]]
            above_input_tokens = 200000
            input_usd_per_mtok = "2"
            output_usd_per_mtok = "7"
            [models."gpt-5.5"]
            tiers = []
        """),
    )

    prices = load_prices([tiered])

    assert [(above, rates.input, rates.output) for above, rates in prices.find("m", 0).tiers] == [
        (200_000, 2 * 10**9, 7 * 10**9),
        (400_000, 3 * 10**9, 7 * 10**9),
    ]
    assert prices.find("gpt-5.5", 0).tiers == ()


@pytest.mark.parametrize(
    "written", ['"2026-12-01"', "2026-12-01", "2026-12-01T00:00:00Z", '"2026-12-01T01:00:00+01:00"']
)
def test_a_period_begins_at_its_moment_and_keeps_what_it_does_not_change(write: WriteFile, written: str) -> None:
    path = write("p.toml", toml(f'[[models."gpt-4o".periods]]\nfrom = {written}\ninput_usd_per_mtok = "1"'))

    prices = load_prices([path])
    before, after = prices.find("gpt-4o", DECEMBER_US - 1), prices.find("gpt-4o", DECEMBER_US)

    assert before.rates.input == 2_500_000_000
    assert after.rates == before.rates._replace(input=10**9)


def test_an_alias_is_resolved_to_its_model_and_the_model_lists_it(write: WriteFile) -> None:
    path = write("p.toml", toml('[aliases]\n"prod-chat" = "gpt-4o"'))

    prices = load_prices([path])

    assert prices.price("prod-chat", Usage(10), at_us=0).model == "gpt-4o"
    assert prices.find("gpt-4o", 0).aliases == ("prod-chat",)


def test_a_fallback_in_a_file_goes_before_the_argument(write: WriteFile) -> None:
    path = write("p.toml", toml('[fallback]\ninput_usd_per_mtok = "100"\noutput_usd_per_mtok = "200"'))

    prices = load_prices([path], fallback=Rates(1, 1))

    assert prices.price("nobody/knows", Usage(1, 1), at_us=0).cost_nano_usd == 300_000
    assert load_prices(fallback=Rates(10**9, 10**9)).price("nobody/knows", Usage(1, 1), at_us=0)[0] == 2000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param('[models."m"]\ninput_usd_per_mtok = "-1"', ["'m'", "input_usd_per_mtok", "'-1'"], id="negative"),
        pytest.param('[models."m"]\ninput_usd_per_mtok = "10001"', ["from 0 to 10000", "'10001'"], id="absurd"),
        pytest.param('[models."m"]\ninput_usd_per_mtok = "1e999999999"', ["1e999999999"], id="astronomic"),
        pytest.param('[models."m"]\ninput_usd_per_mtok = "cheap"', ["'cheap'"], id="words"),
        pytest.param('[models."m"]\ninput_usd_per_mtok = nan', ["NaN"], id="no number"),
        pytest.param('[models."m"]\ninput_usd_per_mtok = inf', ["Infinity"], id="infinite"),
        pytest.param('[models."m"]\ninput_usd_per_mtok = true', ["True"], id="a truth"),
        pytest.param('[models."m"]\ninput_usd_per_mtok = "0"', ["free = true"], id="zero"),
        pytest.param(
            '[models."m"]\noutput_usd_per_mtok = "1"',
            ["input_usd_per_mtok", "output_usd_per_mtok", "no model of this name"],
            id="no input price",
        ),
        pytest.param(
            '[models."m"]\ninput_price = "1"',
            ["input_price", "is not a key", "docs/prices.md", "similar keys are", "input_usd_per_mtok"],
            id="an unknown key",
        ),
        pytest.param('[models."m"]\nzzz = "1"', ["zzz: is not a key", "has all), got"], id="a key that is near none"),
        pytest.param('[models."m"]\nbach.input_usd_per_mtok = 1', ["bach", "keys are batch"], id="a misspelt table"),
        pytest.param("[models.gpt-4.1]\nfree = true", ['in quotes: models."gpt-4.1"'], id="a name split at its dot"),
        pytest.param(
            "[[models.gpt-4.1.tiers]]\nabove_input_tokens = 1",
            ['in quotes: models."gpt-4.1"'],
            id="a split name's tier",
        ),
        pytest.param("[models.a.b.c]\nfree = true", ['models."a.b.c"'], id="a name split twice"),
        pytest.param("[models.a.b]", ['models."a.b"'], id="a split name of nothing"),
        pytest.param('[aliases]\nprod.chat = "gpt-4o"', ['in quotes: aliases."prod.chat"'], id="a split alias"),
        pytest.param("[models.acme/x]\nfree = true", ["must be in quotes, as in"], id="a slash without quotes"),
        pytest.param('[aliases]\nprod/chat = "gpt-4o"', ["must be in quotes"], id="an alias's slash without quotes"),
        pytest.param('[models."m"]\nfree = false', ["free", "False"], id="free that is not true"),
        pytest.param('[models."m"]\nfree = true\ninput_usd_per_mtok = "1"', ["free"], id="free and priced"),
        pytest.param('[models."m"]\nprovider = 7\ninput_usd_per_mtok = "1"', ["provider", "7"], id="provider"),
        pytest.param("[models]\nm = 5", ["'m'", "must be a table"], id="a model that is no table"),
        pytest.param("models = 5", ["models", "must be a table"], id="models that are no table"),
        pytest.param('[models."m\\u0007"]\nfree = true', ["control characters"], id="a bell in the name"),
        pytest.param('[models.""]\nfree = true', ["must be a name"], id="no name"),
        pytest.param('[prices]\n"m" = 1', ["prices", "is not a key"], id="an unknown table"),
        pytest.param('[models."gpt-4o"]\ntiers = 5', ["tiers", "array"], id="tiers that are no list"),
        pytest.param('[models."gpt-4o"]\ntiers = [5]', ["tiers[0]", "must be a table"], id="a tier that is no table"),
        pytest.param(
            '[[models."gpt-4o".tiers]]\ninput_usd_per_mtok = "1"',
            ["tiers[0].above_input_tokens"],
            id="no threshold",
        ),
        pytest.param(
            2 * '[[models."gpt-4o".tiers]]\nabove_input_tokens = 1\n',
            ["tiers[1].above_input_tokens", "differ"],
            id="two tiers at one threshold",
        ),
        pytest.param(
            '[[models."gpt-4o".tiers]]\nabove_input_tokens = 1\nabove = 2',
            ["tiers[0].above"],
            id="a tier's unknown key",
        ),
        pytest.param(
            '[[models."gpt-4o".periods]]\nfrom = "soon"',
            ["periods[0].from", "'soon'"],
            id="a period from no date",
        ),
        pytest.param(
            '[[models."gpt-4o".periods]]\nfrom = 2026-12-01T00:00:00',
            ["periods[0].from"],
            id="a time without a zone",
        ),
        pytest.param('[aliases]\n"x" = "no-such-model"', ["'x'", "'no-such-model'"], id="an alias that leads nowhere"),
        pytest.param('[aliases]\n"x" = "gpt4o"', ["similar ones are 'gpt-4o'"], id="an alias for a misspelt model"),
        pytest.param('[aliases]\n"gpt-4o" = "gpt-5"', ["'gpt-4o'", "must not be the name"], id="an alias over a model"),
        pytest.param('[aliases]\n"x" = 5', ["'x'", "5"], id="an alias for no name"),
        pytest.param('[fallback]\ninput_usd_per_mtok = "1"', ["fallback"], id="half a fallback"),
        pytest.param('[fallback]\nprice = "1"', ["price", "is not a key"], id="a fallback's unknown key"),
        pytest.param(
            '[fallback]\ninput_usd_per_mtok = "x"\noutput_usd_per_mtok = 1',
            ["fallback", "'x'"],
            id="a fallback in words",
        ),
    ],
)
def test_a_fault_is_named_once_with_file_key_and_value(write: WriteFile, content: str, words: list[str]) -> None:
    path = write("prices.toml", toml(content))

    with pytest.raises(PriceFileError) as refused:
        load_prices([path])

    (problem,) = refused.value.problems
    assert problem.startswith(f"{path}: ")
    assert all(word in problem for word in words), problem
    assert len(problem) - len(str(path)) < 320


@pytest.mark.parametrize("name", ["gpt4o", "gpt-4oo"])
def test_a_part_of_a_price_for_a_model_that_is_not_known_is_refused_with_near_names(
    write: WriteFile, name: str
) -> None:
    path = write("prices.toml", toml(f'[models."{name}"]\noutput_usd_per_mtok = "8"'))

    with pytest.raises(
        PriceFileError, match=r"similar ones are .*'gpt-4o'.*; to add it, input_usd_per_mtok must be given"
    ):
        load_prices([path])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(
            '{"m": {"input_cost_per_tokens": 1e-6}}',
            [
                "'m'",
                "input_cost_per_tokens: is not a key of LiteLLM's price format; similar keys are input_cost_per_token,",
            ],
            id="a misspelt key",
        ),
        pytest.param('{"m": {"input_cost_per_token": -1, "output_cost_per_token": 0}}', ["-1"], id="negative and zero"),
        pytest.param('{"m": {"input_cost_per_token": -1e-6}}', ["input_cost_per_token", "0.000001"], id="negative"),
        pytest.param('{"m": {"input_cost_per_token": 2.5}}', ["per token", "2.5"], id="per million, not per token"),
        pytest.param('{"m": {"input_cost_per_token": "x"}}', ["'x'"], id="words"),
        pytest.param('{"m": {"input_cost_per_token": NaN}}', ["NaN"], id="no number"),
        pytest.param('{"m": {}}', ["input_cost_per_token", '"free": true'], id="no price at all"),
        pytest.param('{"m": {"free": true, "input_cost_per_token": 1e-6}}', ["free"], id="free and priced"),
        pytest.param('{"m": {"free": 1}}', ["free"], id="free that is not true"),
        pytest.param(
            '{"m": {"litellm_provider": 1, "input_cost_per_token": 1e-6}}',
            ["litellm_provider"],
            id="provider",
        ),
        pytest.param('{"m": 5}', ["'m'", "must be an object"], id="a model that is no object"),
        pytest.param("[]", ["object of models"], id="a list"),
        pytest.param("{", ["cannot be parsed"], id="torn"),
        pytest.param("[" * 100_000, ["cannot be parsed"], id="too deep"),
        pytest.param('{"m": {"free": true}, "m": {"free": true}}', ["'m'", "twice"], id="a model twice"),
        pytest.param('{"m": {"input_cost_per_token_above_9k_tokens": "x"}}', ["above_9k"], id="a tier in words"),
        pytest.param('{"m": {"tiered_pricing": 5}}', ["tiered_pricing", "list"], id="tiers that are no list"),
        pytest.param('{"m": {"tiered_pricing": [5]}}', ["tiered_pricing[0]"], id="a tier that is no object"),
        pytest.param('{"m": {"tiered_pricing": [{"range": [1]}]}}', ["tiered_pricing[0].range"], id="half a range"),
        pytest.param('{"m": {"tiered_pricing": [{"range": [-1, 2]}]}}', ["tiered_pricing[0].range"], id="below zero"),
        pytest.param(
            '{"m": {"tiered_pricing": [{"range": [0, 2], "input_cost_per_token": "x"}]}}',
            ["tiered_pricing[0].input_cost_per_token"],
            id="a listed tier in words",
        ),
    ],
)
def test_a_fault_in_litellms_format_is_named_too(write: WriteFile, content: str, words: list[str]) -> None:
    path = write("prices.json", content)

    with pytest.raises(PriceFileError) as refused:
        load_prices([path])

    assert all(word in str(refused.value) for word in [*words, str(path)]), str(refused.value)
    keys = [problem.split(": ")[2] for problem in refused.value.problems if ": model '" in problem]
    assert len(set(keys)) <= 1, "no second fault follows from the first"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("p.toml", "version = 2", "version", id="another version"),
        pytest.param("p.toml", "", "version", id="no version"),
        pytest.param("p.toml", "= 1", "cannot be parsed", id="no TOML"),
        pytest.param("p.yaml", "version: 1", ".toml", id="another format"),
    ],
)
def test_an_invalid_file_is_refused(write: WriteFile, name: str, content: str, words: str) -> None:
    with pytest.raises(PriceFileError, match=words):
        load_prices([write(name, content)])


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")

    with pytest.raises(PriceFileError) as refused:
        load_prices([tmp_path / "missing.toml", binary])

    assert [word in str(refused.value) for word in ("missing.toml", "binary.toml")] == [True, True]


def test_every_fault_of_every_file_is_reported_at_once_and_a_long_list_is_cut(write: WriteFile) -> None:
    first = write("a.toml", toml("".join(f'[models."m{number}"]\nwrong = 1\nfree = true\n' for number in range(30))))
    second = write("b.toml", "version = 2")

    with pytest.raises(PriceFileError) as refused:
        load_prices([first, second])

    assert len(refused.value.problems) > 30
    assert "b.toml" in refused.value.problems[-1]
    assert str(refused.value).endswith("more")


def test_a_litellm_entry_of_another_kind_of_key_is_accepted(write: WriteFile) -> None:
    entry = {"litellm_provider": "acme", "mode": "chat", "max_tokens": 5, "supports_telepathy": True}
    path = write("p.json", json.dumps({"sample_spec": {"x": 1}, "m": {**entry, "input_cost_per_token": "2e-6"}}))

    assert load_prices([path]).find("m", 0).rates == Rates(2 * 10**9)


def test_a_reload_takes_the_new_prices_and_another_version(write: WriteFile) -> None:
    path = write("p.toml", toml('[models."m"]\ninput_usd_per_mtok = "1"'))
    prices = ReloadablePrices([path])
    before = prices.version

    write("p.toml", toml('[models."n"]\ninput_usd_per_mtok = "1"'))
    prices.reload()

    assert prices.find("n", 0).source == "override"
    assert "n" in prices.models()
    assert prices.version != before
    with pytest.raises(UnknownModel):
        prices.price("m", Usage(1), at_us=0)


def test_a_reload_of_a_broken_file_keeps_every_old_price(write: WriteFile) -> None:
    path = write("p.toml", toml('[models."m"]\ninput_usd_per_mtok = "1"'))
    prices = ReloadablePrices([path])
    before = prices.version, prices.models()

    write("p.toml", toml('[models."m"]\ninput_usd_per_mtok = "2"\n[models."n"]\ninput_usd_per_mtok = "-2"'))
    with pytest.raises(PriceFileError):
        prices.reload()

    assert (prices.version, prices.models()) == before
    assert prices.price("m", Usage(10**6), at_us=0).cost_nano_usd == 10**9


def test_the_version_distinguishes_an_override_from_none_and_from_another(write: WriteFile) -> None:
    one = write("a.toml", toml('[models."m"]\ninput_usd_per_mtok = "1"'))
    other = write("b.toml", toml('[models."m"]\ninput_usd_per_mtok = "2"'))

    orders: list[list[Path]] = [[], [one], [other], [one, other], [other, one]]
    versions = {load_prices(paths).version for paths in orders}

    assert len(versions) == 5
    assert max(map(len, versions)) <= 100
