"""What has no price is refused by name: the model with its provider, or what of its usage and terms has none."""

from pathlib import Path

import grpc
import pytest

from budgetd_server.prices import load_prices
from tests.rpc.conftest import Start
from tests.rpc.running_server import RunningServer, Setup
from tests.rpc.valid_requests import failure_of_changed


@pytest.mark.parametrize("rpc", ["UpdateCost", "ProjectCost"])
def test_usage_without_a_price_names_what_has_none(rpc: str, start: Start, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('version = 1\n[models."embedder"]\ninput_usd_per_mtok = "0.02"\n', "utf-8")
    server = start(Setup(prices=load_prices([path])))
    server.create()
    before = server.stored()

    failed = failure_of_changed(server, rpc, model="embedder")

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNPRICED_USAGE")
    assert failed.info.metadata["model"] == "embedder"
    assert failed.info.metadata["field"] == "output_tokens"
    assert "value" not in failed.info.metadata
    assert server.stored() == before


@pytest.mark.parametrize("rpc", ["UpdateCost", "ProjectCost", "ReserveCost"])
@pytest.mark.parametrize(
    ("terms", "sentence", "metadata"),
    [
        pytest.param(
            {"provider": "groq"}, "model 'gpt-4o' of provider 'groq' has no price", {"provider": "groq"}, id="provider"
        ),
        pytest.param(
            {"service_tier": "Turbo"},
            "no price for service_tier 'Turbo';",
            {"field": "service_tier", "value": "Turbo"},
            id="tier",
        ),
        pytest.param(
            {"inference_geo": "mars"},
            "no price for inference_geo 'mars';",
            {"field": "inference_geo", "value": "mars"},
            id="place",
        ),
    ],
)
def test_the_terms_of_a_call_that_leave_it_without_a_price_are_named_with_their_value(
    rpc: str, terms: dict[str, str], sentence: str, metadata: dict[str, str], server: RunningServer
) -> None:
    server.create()
    before = server.stored()

    failed = failure_of_changed(server, rpc, model="gpt-4o", **terms)

    assert sentence in failed.message
    assert metadata.items() <= dict(failed.info.metadata).items()
    assert server.stored() == before


def test_a_model_of_no_provider_is_refused_without_one(server: RunningServer) -> None:
    server.create()

    unknown = failure_of_changed(server, "UpdateCost", model="nobody-knows")

    assert set(unknown.info.metadata) == {"model", "near", "price_version"}
    assert unknown.message.startswith("model 'nobody-knows' has no price")
