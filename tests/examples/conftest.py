"""A server in a process of its own, as the demo starts it."""

from collections.abc import Iterator

import pytest

from budgetd import BudgetClient
from examples.own_server import own_server


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the server is; tests use projects of their own."""
    with own_server() as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[BudgetClient]:
    """A client of it."""
    with BudgetClient(address) as client:
        yield client


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the demo's own settings."""
    for name in ("TRACE", "ADDRESS", "BUDGETD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
