"""Settings of the whole suite."""

import os

import pytest
from hypothesis import settings

# Hypothesis brings a profile for CI; elsewhere, too, a busy machine must not fail a test for being slow.
# Servers of tests are there before they are called; on a busy machine the first connection may take longer than the
# second that the client waits by default. Tests of a server that is away use
# `brief_search`.
os.environ["BUDGETD_CONNECT_TIMEOUT_SECONDS"] = "60"

if "CI" not in os.environ:
    settings.register_profile("budgetd", deadline=None)
    settings.load_profile("budgetd")


@pytest.fixture
def brief_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """For calls of a server that is away: it is not looked for long."""
    monkeypatch.setenv("BUDGETD_CONNECT_TIMEOUT_SECONDS", "0.1")
