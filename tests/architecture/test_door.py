"""LiteLLM has one door: no part of the server names it but the door, what opens it, and what reads its price table."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.imports import SERVER

ROOT = SERVER / "budgetd_server"
#: The door itself, price data in LiteLLM's form, and the vocabularies that it is compared with.
INSIDE = ("litellm", "prices", "tokens")
#: What opens the door, or speaks with people who come from LiteLLM.
MOUNTING = {"app.py", "cli/__init__.py", "cli/charge.py", "cli/move.py", "cli/serve.py"}
#: A provider's name that callers send, as any other.
NAMES = {"domain/model_names.py": '_GATEWAYS = ("litellm_proxy",)'}


def naming(root: Path) -> Iterator[tuple[str, str]]:
    """Each line outside the door that names LiteLLM, with its file, and each file whose path does."""
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root)
        if not file.is_file() or path.parts[0] in INSIDE or {"migrations", "__pycache__"} & set(path.parts):
            continue
        if "litellm" in path.as_posix().lower():
            yield path.as_posix(), ""
        for line in file.read_text(encoding="utf-8").splitlines():
            if "litellm" in line.lower() and NAMES.get(path.as_posix()) != line:
                yield path.as_posix(), line


def test_nothing_but_the_mounting_names_litellm() -> None:
    assert {file for file, _ in naming(ROOT)} == MOUNTING


@pytest.mark.parametrize(
    "file", ["domain/state.py", "engine/writer.py", "ledger/sql/sqlite/queries/reads.sql", "http/page.html"]
)
def test_a_planted_name_is_seen(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("# as LiteLLM has it\n")

    assert list(naming(tmp_path)) == [(file, "# as LiteLLM has it")]


def test_a_planted_file_name_is_seen(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "litellm_saves.py").touch()

    assert list(naming(tmp_path)) == [("engine/litellm_saves.py", "")]
