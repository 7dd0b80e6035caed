"""tools/import_prices.py: the catalogue that is made from a wheel or a JSON file."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from budgetd_server.prices import load_prices

SCRIPT = Path(__file__).parents[2] / "tools" / "import_prices.py"
ENTRIES: dict[str, Any] = {
    "sample_spec": {"litellm_provider": "one of", "input_cost_per_token": 0.0},
    "a-chat": {"litellm_provider": "a", "mode": "chat", "input_cost_per_token": 1e-6, "max_tokens": 5},
    "a-zero": {"litellm_provider": "a", "mode": "chat", "input_cost_per_token": 0.0},
    "a-picture": {"litellm_provider": "a", "mode": "image_generation", "output_cost_per_image": 0.04},
    "a-latest": {"alias_of": "a-chat"},
    "a-search": {"litellm_provider": "a", "mode": "search", "tiered_pricing": [{"input_cost_per_query": 1}]},
}


def run(*arguments: object) -> str:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def a_wheel(folder: Path, entries: dict[str, Any]) -> Path:
    path = folder / "litellm-9.9.9-cp310-abi3-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("litellm/model_prices_and_context_window_backup.json", json.dumps(entries))
    return path


def test_a_wheel_becomes_a_catalogue_of_what_has_a_price(tmp_path: Path) -> None:
    output = tmp_path / "catalogue.json"

    printed = run(a_wheel(tmp_path, ENTRIES), "--output", output)

    prices = load_prices(catalogue_path=output)
    assert printed.splitlines() == ["+ a-chat", "+ a-latest", "+ a-picture", "+ a-zero"]
    assert list(prices.models()) == ["a-chat", "a-latest", "a-picture", "a-zero"]
    assert prices.find("a-picture", 0).rates.output_image == 4 * 10**13
    assert prices.version.startswith("litellm-9.9.9+")
    assert "max_tokens" not in output.read_text("utf-8").partition('"models"')[2]


def test_the_same_source_gives_the_same_bytes_whatever_its_order(tmp_path: Path) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    run(a_wheel(tmp_path, ENTRIES), "--output", one)

    run(a_wheel(tmp_path, dict(reversed(ENTRIES.items()))), "--output", other)

    assert one.read_bytes() == other.read_bytes()


def test_a_model_that_the_new_file_drops_keeps_its_price(tmp_path: Path) -> None:
    output, newer = tmp_path / "catalogue.json", tmp_path / "newer.json"
    run(a_wheel(tmp_path, ENTRIES), "--output", output)
    newer.write_text(json.dumps({"b": {"litellm_provider": "b", "input_cost_per_token": 2e-6}}), "utf-8")

    printed = run(newer, "--source", "mine", "--output", output)

    prices = load_prices(catalogue_path=output)
    assert printed.splitlines() == [
        "+ b",
        "- a-chat retired",
        "- a-latest retired",
        "- a-picture retired",
        "- a-zero retired",
    ]
    assert prices.find("a-chat", 0).rates.input == 10**9
    assert prices.version.startswith("mine+")


@pytest.mark.parametrize("exists", [True, False])
def test_a_dry_run_writes_nothing(tmp_path: Path, exists: bool) -> None:
    output = tmp_path / "catalogue.json"
    if exists:
        run(a_wheel(tmp_path, ENTRIES), "--output", output)
    before = output.read_bytes() if exists else None

    run(
        a_wheel(tmp_path, {"c": {"litellm_provider": "c", "input_cost_per_token": 1e-6}}),
        "--output",
        output,
        "--dry-run",
    )

    assert (output.read_bytes() if output.exists() else None) == before
