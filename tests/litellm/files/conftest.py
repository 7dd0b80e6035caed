"""A real server for the commands of this folder, and a file to give them."""

from pathlib import Path

import pytest

from tests.cli.conftest import done, give, loop_thread, no_settings, server
from tests.litellm.files.files import SOME, saved

__all__ = ["done", "give", "loop_thread", "no_settings", "server"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file as LiteLLM's class leaves it."""
    path = tmp_path / "user_cost.json"
    path.write_bytes(saved(SOME))
    return path
