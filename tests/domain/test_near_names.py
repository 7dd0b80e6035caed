"""Near names: useful after a slip, and cheap whatever is asked."""

import difflib

import pytest

from budgetd_server.domain import near_names
from budgetd_server.domain.near_names import NEAR_MAX, NearNames

NAMES = (
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4o-mini-tts",
    *(f"gpt-4o-mini-2024-07-{day}" for day in range(10, 30)),
    "gpt-5",
    "azure/gpt-4o",
    "claude-sonnet-4-5",
    "acme/llama-70b",
)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        pytest.param("gpt-4o-mni", "gpt-4o-mini", id="a letter left out, behind many longer names"),
        pytest.param("claude-sonet-4-5", "claude-sonnet-4-5", id="a letter left out in the middle"),
        pytest.param("gpt5", "gpt-5", id="punctuation left out"),
        pytest.param("GPT-4o", "gpt-4o", id="other case"),
        pytest.param("llama-70b", "acme/llama-70b", id="the provider left out"),
        pytest.param("openai/gpt-4o-min", "gpt-4o-mini", id="a provider too many"),
    ],
)
def test_the_name_that_was_meant_comes_first(sent: str, meant: str) -> None:
    assert NearNames(NAMES).of(sent)[0] == meant


SERVED = (
    *("sonar-pro", "far/sonar-pro", "kyma/sonar-pro", "perplexity/sonar-pro", "kyma/eu/sonar-pro"),
    *("vertex_ai/opus-5", "vertex_ai/opus-5-thinking", "gpt-opus", "opus-4"),
)


def provider_of(name: str) -> str:
    return name.partition("/")[0] if "/" in name else "openai"


@pytest.mark.parametrize(
    ("sent", "provider", "near"),
    [
        pytest.param("sonar-pro", "", ["sonar-pro", "far/sonar-pro", "kyma/sonar-pro"], id="each provider once"),
        pytest.param("SonarPro", "", ["sonar-pro", "far/sonar-pro", "kyma/sonar-pro"], id="the same but for its form"),
        pytest.param("sonar-prro", "", ["sonar-pro"], id="of a slip, one"),
        pytest.param(
            "sonar-pro", "perplexity", ["perplexity/sonar-pro", "sonar-pro", "far/sonar-pro"], id="the provider first"
        ),
        pytest.param("sonar-prro", "perplexity", ["perplexity/sonar-pro", "sonar-pro"], id="a slip at a provider"),
        pytest.param(
            "opus-4", "vertex_ai", ["vertex_ai/opus-5", "opus-4"], id="the provider first, though others are more alike"
        ),
        pytest.param("sonar-pro", "groq", ["sonar-pro", "far/sonar-pro", "kyma/sonar-pro"], id="a provider without it"),
        pytest.param("zzzz", "vertex_ai", [], id="a provider whose models are nothing like it"),
    ],
)
def test_near_names_are_of_the_provider_that_was_given_and_of_several_others(
    sent: str, provider: str, near: list[str]
) -> None:
    assert NearNames(SERVED, provider_of).of(sent, provider)[: len(near) or None] == near


def test_nothing_is_near_a_name_like_no_other() -> None:
    assert NearNames(NAMES).of("zzzzzz") == []


@pytest.mark.parametrize("sent", ["", "/", "\x00", "g" * 256, "gpt-4o" * 40, "💸"])
def test_any_name_gets_an_answer_of_at_most_three(sent: str) -> None:
    assert len(NearNames(NAMES).of(sent)) <= NEAR_MAX


def test_the_work_does_not_grow_with_the_number_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    class Counting(difflib.SequenceMatcher[str]):
        def set_seq1(self, a: str) -> None:  # type: ignore[override]
            compared.append(a)
            super().set_seq1(a)

    monkeypatch.setattr(near_names, "SequenceMatcher", Counting)
    index = NearNames(f"gpt-{number}" for number in range(20_000))
    compared.clear()

    index.of("openrouter/gpt-x" + "y" * 10_000)

    # __init__ of a matcher sets its sequences too: once for each of the two forms.
    assert 0 < len(compared) <= 2 * 24 + 2
    compared.clear()

    index.of("bedrock/eu.anthropic.gpt-x-20250929-v1:0" + "y" * 10_000)

    assert 0 < len(compared) <= 3 * 24 + 3


def test_the_work_for_a_provider_does_not_grow_with_the_number_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def alike(matcher: difflib.SequenceMatcher[str], form: str) -> float:
        compared.append(form)
        return 1.0

    monkeypatch.setattr(near_names, "_ratio", alike)
    index = NearNames((f"openrouter/gpt-{number}" for number in range(20_000)), provider_of)

    assert len(index.of("gpt-12345" + "y" * 10_000, "openrouter")) == NEAR_MAX

    assert 0 < len(compared) <= (2 + NEAR_MAX) * 24
    assert max(map(len, compared)) <= 32
