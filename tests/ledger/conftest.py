"""Ledgers to test, of every kind that there is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from budgetd_server.ledger.base import Ledger
from tests.ledger.stores import STORES, Store


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind in turn."""
    return STORES[request.param](tmp_path)


@pytest.fixture
async def ledger(store: Store) -> AsyncIterator[Ledger]:
    """A ledger on the store; whatever a test has done to it, nothing deviates in the end."""
    ledger = await store.open()
    yield ledger
    await ledger.close()
    assert store.deviations() == []
