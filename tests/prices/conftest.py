"""Price files of an operator, as the tests of this folder write them."""

from collections.abc import Callable
from pathlib import Path

import pytest

WriteFile = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Writes a file of that name and content; returns its path."""

    def write_file(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_text(content, "utf-8")
        return path

    return write_file


def toml(content: str) -> str:
    """A price file with these rows."""
    return f"version = 1\n{content}"
