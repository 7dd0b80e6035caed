"""Every model of LiteLLM's price file with a grid of calls: our price is LiteLLM's, or the difference is listed."""

import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from budgetd_server.domain.pricing import Catalogue
from tests.parity.pricing_grid import grid
from tests.parity.pricing_grid.differences import FIXED, REASONS, TWICE, WHY_TWICE

SEED = random.SystemRandom().randrange(10**6)
APART = {grid.ZERO, grid.RAISES}
#: Of the calls that LiteLLM has a price for, so many may differ for a listed reason that the newest has not fixed.
LISTED_SHARE_MAX = 0.02
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "prices.md"


def check(seen: list[grid.Seen]) -> Counter[str]:
    """That nothing differs without a reason, and not too much with one."""
    counts = grid.outcomes(seen)
    unlisted = [one for one in seen if one.outcome == grid.UNLISTED]
    compared = sum(count for outcome, count in counts.items() if outcome not in APART)

    assert not unlisted, "\n".join(str(one) for one in unlisted[:20])
    listed = compared - counts[grid.EQUAL] - sum(counts[reason] for reason in FIXED)
    assert listed <= LISTED_SHARE_MAX * compared, grid.written(counts)
    return counts


def test_a_sample_of_all_models_costs_what_litellm_says_or_differs_for_a_listed_reason(tmp_path: Path) -> None:
    entries = grid.their_file()
    prices = grid.catalogue_of(entries, tmp_path)
    seen = list(grid.compared(prices, entries, share=0.2, seed=SEED))

    assert len(seen) > 5000
    check_sample(seen)


def check_sample(seen: list[grid.Seen]) -> None:
    """A sample may by chance have more of what is listed than the whole."""
    unlisted = [one for one in seen if one.outcome == grid.UNLISTED]

    assert not unlisted, f"seed {SEED}:\n" + "\n".join(str(one) for one in unlisted[:20])
    assert grid.outcomes(seen)[grid.EQUAL] > 0.9 * len(seen)


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_the_whole_grid_costs_what_litellm_says_or_differs_for_a_listed_reason(tmp_path: Path) -> None:
    entries = grid.their_file()

    counts = check(list(grid.compared(grid.catalogue_of(entries, tmp_path), entries, share=1, seed=0)))

    assert sum(counts.values()) > 50_000


def test_a_price_that_is_wrong_by_the_smallest_step_is_found(tmp_path: Path) -> None:
    entries = {"gpt-4o": grid.their_file()["gpt-4o"]}
    prices = grid.catalogue_of(entries, tmp_path)
    right = prices.find("gpt-4o", 0)
    assert right.rates.output is not None
    wrong = replace(right, rates=right.rates._replace(output=right.rates.output + 10_000))
    planted = Catalogue({"gpt-4o": wrong}, version="planted")

    seen = list(grid.compared(planted, entries, share=1, seed=0))

    assert {one.outcome for one in grid.compared(prices, entries, share=1, seed=0)} == {grid.EQUAL}
    assert {"text", "reasoning", "image out"} <= {one.cell.kind for one in seen if one.outcome == grid.UNLISTED}


def test_every_reason_is_in_the_documentation() -> None:
    page = re.sub(r"\s+", " ", DOCUMENTATION.read_text("utf-8"))

    assert [name for name in (TWICE, *(reason.name for reason in REASONS)) if f"| {name} |" not in page] == []
    assert [why for why in (WHY_TWICE, *(reason.why for reason in REASONS)) if why not in page] == []
