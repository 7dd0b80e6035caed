"""What the tests of the bench share."""

from pathlib import Path

import pytest

from bench.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A hundredth of the size that is published."""
    return Stage(tmp_path, 0.01)
