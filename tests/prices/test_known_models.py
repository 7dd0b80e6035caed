"""How many known models a pattern matches: as many as a limit with that pattern counts when each is charged."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetd_server.domain.budget import Limit
from budgetd_server.domain.known_models import EXAMPLES_MAX, KnownModels, Matches
from budgetd_server.domain.pricing import Catalogue
from budgetd_server.prices import load_prices

SHIPPED = load_prices()
NAMES = {model: SHIPPED.other_names(model) for model in SHIPPED.models()}
EVERY_NAME = sorted({name for model, others in NAMES.items() for name in (model, *others)})


def counted(pattern: str) -> list[str]:
    """The models that a limit counts, asked one by one."""
    limit = Limit(limit_id="x", amount=1, models=(pattern,))
    return sorted(model for model, others in NAMES.items() if limit.matches(model, others))


def check(pattern: str) -> None:
    expected = counted(pattern)
    assert SHIPPED.matching(pattern) == (len(expected), tuple(expected[:EXAMPLES_MAX]))


@pytest.mark.parametrize("pattern", ["*", "claude-opus*", "gpt-4o", "us.anthropic.*", "groq/*", "GPT*", "%"])
def test_a_pattern_matches_what_its_limit_counts(pattern: str) -> None:
    check(pattern)


@settings(max_examples=150)
@given(
    name=st.sampled_from(EVERY_NAME), kept=st.integers(min_value=0, max_value=24), ends=st.sampled_from(["", "*", "x*"])
)
def test_any_beginning_of_any_name_matches_what_its_limit_counts(name: str, kept: int, ends: str) -> None:
    if pattern := name[:kept] + ends:
        check(pattern)


def test_a_bare_name_matches_the_model_wherever_it_is_served() -> None:
    found = SHIPPED.matching("claude-opus-4-5*")

    assert {"claude-opus-4-5", "us.anthropic.claude-opus-4-5-20251101-v1:0"} <= set(counted("claude-opus-4-5*"))
    assert found.matched_count == len(counted("claude-opus-4-5*")) > EXAMPLES_MAX == len(found.examples)


def test_a_model_with_several_names_that_match_counts_once() -> None:
    known = KnownModels([("a/x-1", "a/x-1"), ("a/x", "a/x-1"), ("x-1", "a/x-1"), ("x", "x"), ("x", "a/x-1")])

    assert known.matching("x*") == known.matching("x") == Matches(2, ("a/x-1", "x"))
    assert known.matching("a/*") == Matches(1, ("a/x-1",))
    assert known.matching("*") == Matches(2, ("a/x-1", "x"))
    assert known.matching("x-") == known.matching("y*") == Matches(0, ())


def test_names_behind_every_character_are_found() -> None:
    assert KnownModels([("x\U0010ffff\U0010ffff", "m"), ("y", "n")]).matching("x*") == Matches(1, ("m",))


def test_an_alias_matches_its_model(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('version = 1\n[aliases]\n"prod-chat" = "gpt-4o"\n', encoding="utf-8")
    prices: Catalogue = load_prices([own])

    assert prices.matching("prod-*") == prices.matching("prod-chat") == Matches(1, ("gpt-4o",))
