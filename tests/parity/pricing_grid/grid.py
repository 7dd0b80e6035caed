"""Our prices compared with LiteLLM's over a whole price file: what is equal, what differs and why."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from budgetd_server.domain.errors import BudgetError
from budgetd_server.domain.pricing import Catalogue
from budgetd_server.prices import load_prices
from tests.parity.pricing_grid import asking
from tests.parity.pricing_grid.cells import Cell, cells
from tests.parity.pricing_grid.differences import reason_of
from tests.parity.theirs import litellm
from tools import import_prices

Entry = Mapping[str, Any]
EQUAL, ZERO, RAISES, UNLISTED = "equal", "zero", "raises", "unlisted"


class Seen(NamedTuple):
    """A cell, and what became of it: EQUAL, ZERO, RAISES, UNLISTED, or the name of a reason."""

    model: str
    cell: Cell
    outcome: str
    ours: object
    theirs: object


def their_file() -> dict[str, dict[str, Any]]:
    """The models of the price file that the installed LiteLLM has."""
    path = Path(litellm.__file__).parent / "model_prices_and_context_window_backup.json"
    models = import_prices.sold(import_prices.read_file(path))
    # No model has the name of a class of models; LiteLLM reads it as that of a model of another class.
    return {name: entry for name, entry in models.items() if not name.startswith("together-ai-")}


def catalogue_of(entries: Mapping[str, dict[str, Any]], folder: Path) -> Catalogue:
    """The same file as a catalogue of ours."""
    path = folder / "catalogue.json"
    kept = {name: row for name, entry in entries.items() if (row := import_prices.trimmed(entry))}
    path.write_text(import_prices.rendered("grid", import_prices.known_keys(entries, {}), kept), "utf-8")
    return load_prices(catalogue_path=path)


def compared(prices: Catalogue, entries: Mapping[str, dict[str, Any]], *, share: float, seed: int) -> Iterator[Seen]:
    """Every cell of a share of the models, drawn by a seed."""
    draw = random.Random(seed)
    for name, entry in entries.items():
        if draw.random() < share:
            for cell in cells(name, entry):
                yield _seen(prices, entries, name, cell)


def _seen(prices: Catalogue, entries: Mapping[str, dict[str, Any]], name: str, cell: Cell) -> Seen:
    entry = entries[name]
    try:
        theirs = asking.cost_usd(name, entry, cell) * 10**9
    except Exception as error:  # noqa: BLE001 - whatever it is, there is nothing to compare.
        return Seen(name, cell, RAISES, None, repr(error))
    if theirs == 0:
        return Seen(name, cell, ZERO, None, 0)
    ours: object
    try:
        ours = prices.price(name, cell.usage, at_us=cell.at_us, terms=cell.terms).cost_nano_usd
    except BudgetError as refusal:
        ours = refusal
    if isinstance(ours, int) and abs(ours - theirs) <= 1:
        return Seen(name, cell, EQUAL, ours, theirs)
    price = prices.find(name, cell.at_us)
    # "a/a/model" is "a/model" to LiteLLM.
    provider, _, rest = name.partition("/")
    once = prices.find(rest, cell.at_us) if rest.startswith(f"{provider}/") and rest in entries else None
    return Seen(name, cell, reason_of(name, entry, price, cell, theirs, once) or UNLISTED, ours, theirs)


def outcomes(seen: list[Seen]) -> Counter[str]:
    """How many cells came to what."""
    return Counter(one.outcome for one in seen)


def written(counts: Counter[str]) -> str:
    """For a report."""
    return json.dumps(dict(counts.most_common()), indent=1)
