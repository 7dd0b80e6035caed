"""Makes the shipped price catalogue from LiteLLM's price file.

    python tools/import_prices.py litellm-1.106.2-….whl          # a wheel is read as a zip; nothing of it is
    imported python tools/import_prices.py prices.json --source my-prices-2026-12

The result is LiteLLM's format, less everything that no price rests on, one model a line, so that a change of
price is a line of a diff. Models that the new file no longer has keep their last price, marked retired: a
call of yesterday must not become an error. The difference to the present catalogue is printed, and nothing is
written with --dry-run.
"""

import argparse
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).parents[1] / "server/budgetd_server/prices/data/catalogue.json"
WHEEL_MEMBER = "litellm/model_prices_and_context_window_backup.json"
WHEEL_NAME = re.compile(r"litellm-([0-9.]+)-.*\.whl")

RATES = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
    "output_cost_per_reasoning_token",
)
TIER_RATE = re.compile(rf"^({'|'.join(RATES[:4])})_above_\d+k?_tokens$")
#: A model of these kinds without any price is listed, so that the error can say "no price" and not "unknown".
TOKEN_MODES = ("chat", "responses", "completion", "embedding")


def main() -> None:
    """Read, trim, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="a litellm wheel, or a JSON file in LiteLLM's price format")
    parser.add_argument("--source", help="what the catalogue's version begins with; default: the wheel's name")
    parser.add_argument("--output", type=Path, default=CATALOGUE, help="the file to write")
    parser.add_argument("--dry-run", action="store_true", help="print the difference; write nothing")
    arguments = parser.parse_args()

    wheel = WHEEL_NAME.fullmatch(arguments.path.name)
    source = arguments.source or (f"litellm-{wheel[1]}" if wheel else arguments.path.stem)
    entries = read_entries(arguments.path)
    models = {name: kept for name, entry in entries.items() if (kept := trimmed(entry))}
    present = json.loads(arguments.output.read_text("utf-8"))["models"] if arguments.output.exists() else {}
    for name in present.keys() - models.keys():
        models[name] = {**present[name], "retired": True}

    for line in differences(present, models):
        print(line)
    if not arguments.dry_run:
        arguments.output.write_text(rendered(source, known_keys(entries), models), "utf-8")


def read_entries(path: Path) -> dict[str, dict[str, Any]]:
    """The entries of a price file by model, from a JSON file or from inside a wheel."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            entries = json.loads(wheel.read(WHEEL_MEMBER))
    else:
        entries = json.loads(path.read_text("utf-8"))
    return {name: entry for name, entry in entries.items() if name != "sample_spec" and "litellm_provider" in entry}


def trimmed(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """What prices tokens in an entry; None for a model that is not sold by the token."""
    kept = {key: value for key, value in entry.items() if value is not None and (key in RATES or TIER_RATE.match(key))}
    # Search engines have tiers by number of results, which no usage in tokens tells.
    tiers = [tier for tier in entry.get("tiered_pricing", ()) if "input_cost_per_token" in tier]
    if tiers:
        kept["tiered_pricing"] = [
            {key: tier[key] for key in sorted(tier) if key in (*RATES, "range")} for tier in tiers
        ]
    if not any(kept.values()) and entry.get("mode") not in TOKEN_MODES:
        return None
    return {"litellm_provider": entry["litellm_provider"], **dict(sorted(kept.items()))}


def known_keys(entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Every key that the format has, so that a misspelt one in an operator's file is noticed."""
    return sorted({key for entry in entries.values() for key in entry})


def rendered(source: str, keys: list[str], models: Mapping[str, Mapping[str, Any]]) -> str:
    """The catalogue as text: a head, then a line for each model, in order of name."""
    lines = [f"{json.dumps(name)}:{json.dumps(models[name], separators=(',', ':'))}" for name in sorted(models)]
    keys_text = json.dumps(keys, separators=(",", ":"))
    head = f'{{"source":{json.dumps(source)},\n"known_keys":{keys_text},\n"models":{{\n'
    return head + ",\n".join(lines) + "\n}}\n"


def differences(present: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """A line for each model that is added, retired or priced differently."""
    lines = [f"+ {name}" for name in sorted(new.keys() - present.keys())]
    for name in sorted(present.keys() & new.keys()):
        if present[name] != new[name]:
            is_retired = new[name].get("retired") and not present[name].get("retired")
            lines.append(f"- {name} retired" if is_retired else f"~ {name}: {present[name]} -> {new[name]}")
    return lines


if __name__ == "__main__":
    main()
