"""Makes the shipped price catalogue from LiteLLM's price file.

    .venv/bin/python tools/import_prices.py litellm-….whl        # read as a zip; its code is not imported
    .venv/bin/python tools/import_prices.py prices.json --source my-prices-2026-12

The result has LiteLLM's format without everything that does not affect a price, and without zeros, which are not
prices. Each model has its own line, so that a changed price is one line of a diff. Models that the new file lacks keep
their last price and are marked retired: calls that worked yesterday must not fail. The difference from the current
catalogue is printed. With --dry-run nothing is written.
"""

import argparse
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from budgetd_server.prices import litellm_keys

CATALOGUE = Path(__file__).parents[1] / "server/budgetd_server/prices/data/catalogue.json"
WHEEL_MEMBER = "litellm/model_prices_and_context_window_backup.json"
WHEEL_NAME = re.compile(r"litellm-([0-9.]+)-.*\.whl")

#: Models of these kinds are listed even without a price, so that the error can say "no price", not "unknown".
TOKEN_MODES = ("chat", "responses", "completion", "embedding")
#: What affects a price in `provider_specific_entry`, which also has other switches.
FACTORS = frozenset({"us", "eu", "fast"})


def main() -> None:
    """Read the new prices, trim them, compare them with the catalogue, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="a litellm wheel, or a JSON file in LiteLLM's price format")
    parser.add_argument("--source", help="the first part of the catalogue's version; default: the wheel's name")
    parser.add_argument("--output", type=Path, default=CATALOGUE, help="the file to write")
    parser.add_argument("--dry-run", action="store_true", help="print the difference; write nothing")
    arguments = parser.parse_args()

    wheel = WHEEL_NAME.fullmatch(arguments.path.name)
    source = arguments.source or (f"litellm-{wheel[1]}" if wheel else arguments.path.stem)
    read = read_file(arguments.path)
    entries = sold(read)
    models = {name: kept for name, entry in entries.items() if (kept := trimmed(entry))}
    before = json.loads(arguments.output.read_text("utf-8")) if arguments.output.exists() else {}
    present = before.get("models", {})
    for name in present.keys() - models.keys():
        models[name] = {**present[name], "retired": True}

    for line in differences(present, models):
        print(line)
    if not arguments.dry_run:
        arguments.output.write_text(rendered(source, known_keys(read, before), models), "utf-8")


def read_file(path: Path) -> dict[str, dict[str, Any]]:
    """Read a price file by model, from a JSON file or from inside a wheel."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return dict(json.loads(wheel.read(WHEEL_MEMBER)))
    return dict(json.loads(path.read_text("utf-8")))


def sold(entries: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the entries that are models, without explanations. An alias has the entry of its model."""
    models = {name: entries.get(entry.get("alias_of", ""), {}) | entry for name, entry in entries.items()}
    return {name: entry for name, entry in models.items() if name != "sample_spec" and "litellm_provider" in entry}


def trimmed(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parts of an entry that affect a price. None if a model has no price and is not sold by the token."""
    kept = {key: value for key, value in entry.items() if value and litellm_keys.prices(key)}
    mode = kept.pop("mode", None)
    # Search engines have tiers by number of results, which a usage does not contain.
    tiers = [tier for tier in kept.pop("tiered_pricing", ()) if "input_cost_per_token" in tier]
    if tiers:
        kept["tiered_pricing"] = [
            {key: tier[key] for key in sorted(tier) if key == "range" or litellm_keys.prices(key)} for tier in tiers
        ]
    specific = {key: value for key, value in kept.pop("provider_specific_entry", {}).items() if key in FACTORS}
    if specific:
        kept["provider_specific_entry"] = specific
    has_price = any(litellm_keys.is_price(key) for key in kept)
    if not has_price and mode not in TOKEN_MODES:
        return None
    if mode not in (None, *TOKEN_MODES):
        kept["mode"] = mode
    return {"litellm_provider": entry["litellm_provider"], **dict(sorted(kept.items()))}


def known_keys(entries: Mapping[str, Mapping[str, Any]], before: Mapping[str, Any]) -> list[str]:
    """Return every key that the format has or had: misspelt keys in an operator's file are found, old keys accepted."""
    return sorted({key for entry in entries.values() for key in entry} | set(before.get("known_keys", ())))


def rendered(source: str, keys: list[str], models: Mapping[str, Mapping[str, Any]]) -> str:
    """Format the catalogue: a head, then a line for each model, sorted by name."""
    lines = [f"{json.dumps(name)}:{json.dumps(models[name], separators=(',', ':'))}" for name in sorted(models)]
    keys_text = json.dumps(keys, separators=(",", ":"))
    head = f'{{"source":{json.dumps(source)},\n"known_keys":{keys_text},\n"models":{{\n'
    return head + ",\n".join(lines) + "\n}}\n"


def differences(present: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line for each model that is added, retired or priced differently."""
    lines = [f"+ {name}" for name in sorted(new.keys() - present.keys())]
    for name in sorted(present.keys() & new.keys()):
        if present[name] != new[name]:
            is_retired = new[name].get("retired") and not present[name].get("retired")
            lines.append(f"- {name} retired" if is_retired else f"~ {name}: {present[name]} -> {new[name]}")
    return lines


if __name__ == "__main__":
    main()
