"""What the client's tests share."""

from collections.abc import Iterator

import pytest

from tests.client.fake_server import FakeServer


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUDGETD_ADDRESS", raising=False)
    monkeypatch.delenv("BUDGETD_TOKEN", raising=False)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server with scripted answers."""
    fake = FakeServer()
    yield fake
    fake.stop()
