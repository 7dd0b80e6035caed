"""The tree's order: each part imports what the table in `imports.py` allows, and a violation would be seen."""

import shutil
from pathlib import Path

import pytest

from tests.architecture.imports import CLIENT, SERVER, SERVER_RULES, client_rules, imports_of, violations


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the server's source to plant violations in."""
    shutil.copytree(
        SERVER / "budgetd_server", tmp_path / "budgetd_server", ignore=shutil.ignore_patterns("data", "*.pyc")
    )
    return tmp_path


def test_every_part_of_the_server_has_a_rule_and_every_rule_a_part() -> None:
    parts = {
        path.stem
        for path in (SERVER / "budgetd_server").iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))
    }

    assert parts - {"__init__"} == {name.partition(".")[0] for name in SERVER_RULES} - {""}


def test_every_rule_of_a_folder_in_a_folder_is_for_one_that_exists() -> None:
    inner = [name for name in SERVER_RULES if "." in name]

    assert inner
    assert [name for name in inner if not (SERVER / "budgetd_server" / name.replace(".", "/")).is_dir()] == []


def test_the_server_imports_only_what_its_parts_may() -> None:
    assert violations(SERVER, "budgetd_server", SERVER_RULES) == []


def test_the_client_imports_only_its_own_modules_protobuf_and_grpc() -> None:
    assert violations(CLIENT, "budgetd", client_rules(CLIENT)) == []


def test_the_client_rule_sees_the_server_and_litellm(tmp_path: Path) -> None:
    (tmp_path / "budgetd" / "v1").mkdir(parents=True)
    (tmp_path / "budgetd" / "v1" / "budget_pb2.py").write_text("import anything\n")
    (tmp_path / "budgetd" / "__init__.py").touch()
    (tmp_path / "budgetd" / "client.py").write_text(
        "import grpc\nfrom budgetd.v1 import budget_pb2\nfrom google.rpc import status_pb2\nimport budgetd.client\n"
        "import budgetd_server.app\nimport litellm\nimport requests\n"
    )

    found = violations(tmp_path, "budgetd", client_rules(tmp_path))

    assert [each.partition(": ")[0] for each in found] == [f"budgetd/client.py:{line}" for line in (5, 6, 7)]


PLANTS = [
    ("domain/decide.py", "import asyncio"),
    ("domain/decide.py", "import logging"),
    ("domain/decide.py", "def later():\n    import time"),
    ("domain/window.py", "NOW = datetime.now(UTC)"),
    ("domain/window.py", "TODAY = datetime.today()"),
    ("domain/state.py", "from budgetd_server.ledger.base import Ledger"),
    ("domain/state.py", "from ..ledger import base"),
    ("domain/state.py", "import structlog"),
    ("domain/state.py", "from importlib import import_module\nimport_module('budgetd_server.engine')"),
    ("ledger/base.py", "from budgetd_server.engine.engine import Engine"),
    ("ledger/base.py", "from budgetd_server import metrics"),
    ("ledger/sqlite/reads.py", "import aiosqlite"),
    ("ledger/sqlite/ledger.py", "import grpc"),
    ("engine/engine.py", "from budgetd_server.ledger.sqlite.ledger import SqliteLedger"),
    ("engine/engine.py", "from budgetd_server.ledger import sqlite"),
    ("engine/engine.py", "import sqlite3"),
    ("engine/engine.py", "import grpc"),
    ("rpc/handlers.py", "from budgetd_server.ledger.base import Ledger"),
    ("rpc/handlers.py", "import budgetd"),
    ("rpc/handlers.py", "from budgetd_server.prices.loading import load"),
    ("http/app.py", "from budgetd_server.ledger import base"),
    ("http/app.py", "import grpc"),
    ("http/app.py", "from budgetd_server.litellm.hosted import protocol"),
    ("domain/decide.py", "from budgetd_server.litellm.hosted import records"),
    ("engine/engine.py", "import budgetd_server.litellm"),
    ("litellm/__init__.py", "import orjson"),
    ("litellm/files/records.py", "from budgetd_server.engine.engine import Engine"),
    ("litellm/hosted/saving.py", "from budgetd_server.litellm.files.records import parse_record"),
    ("litellm/hosted/saving.py", "import budgetd"),
    ("prices/loading.py", "from urllib.request import urlopen"),
    ("tokens/counter.py", "from budgetd_server.engine import engine"),
    ("config.py", "from budgetd_server.domain import budget"),
    ("app.py", "import litellm"),
    ("cli/serve.py", "def later():\n    from litellm import BudgetManager"),
    ("__init__.py", "import grpc"),
]


@pytest.mark.parametrize(("file", "line"), PLANTS, ids=[f"{file}: {line}" for file, line in PLANTS])
def test_a_planted_violation_is_seen(copy: Path, file: str, line: str) -> None:
    target = copy / "budgetd_server" / file
    with target.open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")

    found = violations(copy, "budgetd_server", SERVER_RULES)

    assert len(found) == 1
    assert found[0].startswith(f"budgetd_server/{file}:")


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("domain/decide.py", "from budgetd_server.domain import window"),
        ("ledger/sqlite/ledger.py", "import aiosqlite"),
        ("engine/engine.py", "from budgetd_server.ledger import base"),
        ("app.py", "from budgetd_server.ledger.sqlite.ledger import SqliteLedger"),
        ("cli/serve.py", "from budgetd.client import BudgetClient"),
    ],
)
def test_what_is_allowed_is_not_taken_for_a_violation(copy: Path, file: str, line: str) -> None:
    with (copy / "budgetd_server" / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")

    assert violations(copy, "budgetd_server", SERVER_RULES) == []


def test_every_module_logs_through_the_standard_library_and_only_log_knows_what_writes_the_lines() -> None:
    importing = {
        file.name
        for file in (SERVER / "budgetd_server").rglob("*.py")
        if any(each.name.startswith("structlog") for each in imports_of(file.read_text("utf-8"), "", frozenset()))
    }

    assert importing == {"log.py"}
