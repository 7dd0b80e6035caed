"""What the two distributions use of each other: public names only, and only those that the tables list."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.imports import CLIENT, SERVER

#: What a part of the server imports from the client, by module. The generated contract is for everybody: `budgetd.v1`.
OF_THE_CLIENT = {
    ("cli", "budgetd"): """AsyncBudgetClient AsyncLocalTransport BudgetClient BudgetdError CallPolicy DatabaseRefused
        LocalTransport""",
    ("cli", "budgetd.address"): "Address parse_address",
    ("cli", "budgetd.values"): "check_seconds parse_project_id",
    ("cli", "budgetd.wording"): "Words reword",
    ("litellm", "budgetd"): """AlreadyExists AsyncBudgetClient BudgetClient FailedPrecondition InvalidRequest NotFound
        RequestIdReused error_of_item""",
    ("litellm", "budgetd.manager"): "read_records",
    ("litellm", "budgetd.user_cost"): """CREATED_AT_LABEL KEYS Record RecordReader compute_rest find_created_at limit_of
        make_record""",
}
#: The same for the client, which needs the server only where it runs without one.
OF_THE_SERVER = {
    ("local", "budgetd_server.config"): "Config",
    ("local", "budgetd_server.embedded"): "Answer Embedded",
}
#: A module that is imported as a whole, so that the used names are not visible.
WHOLE = "(the whole module)"

Table = dict[tuple[str, str], set[str]]


def imported(folder: Path, other: str) -> Table:
    """Find what each part of a package imports from another package.

    Args:
        folder: The package that imports.
        other: The name of the package that is imported from.
    """
    table: Table = {}
    for file in sorted(folder.rglob("*.py")):
        part = file.relative_to(folder).with_suffix("").parts[0]
        for module, name in _imports(ast.parse(file.read_text(encoding="utf-8"))):
            if module.partition(".")[0] == other and not f"{module}.".startswith("budgetd.v1."):
                table.setdefault((part, module), set()).add(name)
    return table


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, WHOLE) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "budgetd":
            # `from budgetd import wording` imports a module, and says nothing about its names.
            is_module = {path.stem for path in (CLIENT / "budgetd").iterdir()}
            yield from (
                (f"budgetd.{alias.name}", WHOLE) if alias.name in is_module else ("budgetd", alias.name)
                for alias in node.names
            )
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def parsed(table: dict[tuple[str, str], str]) -> Table:
    return {key: set(names.split()) for key, names in table.items()}


def test_the_server_imports_exactly_the_names_of_the_client_that_the_table_lists() -> None:
    assert imported(SERVER / "budgetd_server", "budgetd") == parsed(OF_THE_CLIENT)


def test_the_client_imports_exactly_the_names_of_the_server_that_the_table_lists() -> None:
    assert imported(CLIENT / "budgetd", "budgetd_server") == parsed(OF_THE_SERVER)


@pytest.mark.parametrize("table", [OF_THE_CLIENT, OF_THE_SERVER], ids=["of the client", "of the server"])
def test_every_shared_name_is_public_and_exists(table: dict[tuple[str, str], str]) -> None:
    for (_, module), names in parsed(table).items():
        found = importlib.import_module(module)
        assert not [name for name in (*module.split("."), *names) if name.startswith("_")]
        assert [name for name in sorted(names) if not hasattr(found, name)] == []


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("from budgetd.manager import _RecordReader", ("budgetd.manager", "_RecordReader")),
        ("def later():\n    from budgetd import wording", ("budgetd.wording", WHOLE)),
        ("import budgetd.client", ("budgetd.client", WHOLE)),
        ("from budgetd import NoWindow", ("budgetd", "NoWindow")),
    ],
)
def test_a_planted_import_is_seen(tmp_path: Path, line: str, seen: tuple[str, str]) -> None:
    (tmp_path / "rpc").mkdir()
    (tmp_path / "rpc" / "handlers.py").write_text(f"from budgetd.v1 import budget_pb2\n{line}\n")

    assert imported(tmp_path, "budgetd") == {("rpc", seen[0]): {seen[1]}}
