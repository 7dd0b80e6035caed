"""Price files of the embedded manager: given, or named by the environment, as a server has them."""

import asyncio
from pathlib import Path

import pytest

from budgetd import AsyncBudgetManager, BudgetClient, BudgetManager
from budgetd.errors import UnknownModel
from budgetd.local import LocalTransport
from budgetd.v1.budget_service_pb2 import GetModelPriceRequest

PRICES = """
version = 1
[models."ollama/llama3"]
free = true
[models."gpt-4o"]
input_usd_per_mtok = "2"
[aliases]
"prod-chat" = "gpt-4o"
[fallback]
input_usd_per_mtok = "20"
output_usd_per_mtok = "100"
"""


@pytest.fixture
def price_file(tmp_path: Path) -> Path:
    path = tmp_path / "p.toml"
    path.write_text(PRICES, "utf-8")
    return path


def completion(model: str) -> dict[str, object]:
    return {"model": model, "usage": {"prompt_tokens": 1000, "completion_tokens": 1000}}


def costs_usd(manager: BudgetManager) -> dict[str, float]:
    costs = {}
    for model in ("ollama/llama3", "gpt-4o", "prod-chat", "nobody/knows"):
        manager.create_budget(total_budget=10, user=model)
        manager.update_cost(user=model, completion_obj=completion(model))
        costs[model] = manager.get_current_cost(model)
    return costs


EXPECTED = {"ollama/llama3": 0.0, "gpt-4o": 0.012, "prod-chat": 0.012, "nobody/knows": 0.12}


def test_an_embedded_manager_takes_price_files_from_the_environment(
    price_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETD_PRICES", str(price_file))

    assert costs_usd(BudgetManager("e", database=tmp_path / "b.db")) == EXPECTED


@pytest.mark.parametrize("as_given", [str, Path, lambda path: [path]], ids=["text", "path", "list"])
def test_an_embedded_manager_takes_price_files_as_an_argument(
    price_file: Path, tmp_path: Path, as_given: object
) -> None:
    given = as_given(price_file)  # type: ignore[operator]

    assert costs_usd(BudgetManager("e", database=tmp_path / "b.db", prices=given)) == EXPECTED


def test_an_awaited_manager_takes_them_too(price_file: Path, tmp_path: Path) -> None:
    async def cost_usd() -> float:
        async with AsyncBudgetManager("e", database=tmp_path / "b.db", prices=price_file) as manager:
            await manager.create_budget(total_budget=10, user="u")
            await manager.update_cost(user="u", completion_obj=completion("gpt-4o"))
            return await manager.get_current_cost("u")

    assert asyncio.run(cost_usd()) == 0.012


def test_an_argument_goes_before_the_environment_and_an_empty_one_means_none(
    price_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETD_PRICES", str(price_file))
    asked = GetModelPriceRequest(model="gpt-4o")

    with BudgetClient.over(LocalTransport(tmp_path / "b.db", prices=())) as client:
        price = client.get_model_price(asked).price

    assert price.rates.input_nano_usd_per_mtok == 2_500_000_000


def test_two_managers_with_other_prices_share_one_file(price_file: Path, tmp_path: Path) -> None:
    dear = tmp_path / "dear.toml"
    dear.write_text('version = 1\n[models."gpt-4o"]\ninput_usd_per_mtok = "1000"\n', "utf-8")
    one = BudgetManager("e", database=tmp_path / "b.db", prices=price_file)
    other = BudgetManager("e", database=tmp_path / "b.db", prices=dear)
    one.create_budget(total_budget=10, user="u")

    one.update_cost(user="u", completion_obj=completion("gpt-4o"))
    other.update_cost(user="u", completion_obj=completion("gpt-4o"))

    assert one.get_current_cost("u") == other.get_current_cost("u") == pytest.approx(0.012 + 1.01)


def test_a_fault_in_a_price_file_is_reported_when_the_manager_is_made(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text('version = 1\n[models."m"]\nprice = 1\n', "utf-8")

    with pytest.raises(ValueError, match=r"broken\.toml: model 'm': price: is not a key"):
        BudgetManager("e", database=tmp_path / "b.db", prices=broken)
    with pytest.raises(ValueError, match=r"missing\.toml: cannot be read"):
        BudgetManager("e", database=tmp_path / "b.db", prices=[tmp_path / "missing.toml"])

    assert not (tmp_path / "b.db").exists()


@pytest.mark.parametrize("prices", [123, b"prices.toml", [5], {"gpt-4o": "prices.toml"}], ids=repr)
def test_prices_that_are_no_paths_are_refused_by_name(prices: object, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="prices must be the path of a price file, or a list of paths, got "):
        BudgetManager("e", database=tmp_path / "b.db", prices=prices)  # type: ignore[arg-type] # What is wrong.


def test_a_server_has_its_own_prices(price_file: Path) -> None:
    with pytest.raises(ValueError, match="prices must not be given with client_type 'hosted'"):
        BudgetManager("e", client_type="hosted", api_base="127.0.0.1:1", prices=price_file)


def test_without_a_price_file_an_unknown_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETD_PRICES", "")
    manager = BudgetManager("e", database=tmp_path / "b.db")
    manager.create_budget(total_budget=10, user="u")

    with pytest.raises(UnknownModel):
        manager.update_cost(user="u", completion_obj=completion("nobody/knows"))
