"""The package: what importing it costs, and what it offers."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import budgetd
from budgetd import errors

PUBLIC_MODULES = {
    "address",
    "aio",
    "client",
    "errors",
    "local",
    "request_ids",
    "user_cost",
    "values",
    "wording",
}


def loaded_after(statement: str) -> set[str]:
    program = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize("statement", ["import budgetd", "import budgetd.v1", "from budgetd.v1 import budget_pb2"])
def test_importing_the_package_loads_neither_client_nor_grpc(statement: str) -> None:
    loaded = loaded_after(statement)

    assert "budgetd" in loaded
    assert not {"grpc", "budgetd.client", "budgetd.errors", "budgetd_server", "asyncio"} & loaded


def test_an_error_is_imported_without_grpc() -> None:
    loaded = loaded_after("from budgetd import NotFound")

    assert "budgetd.errors" in loaded
    assert not {"grpc", "google.protobuf"} & loaded


def test_the_client_is_imported_without_the_server() -> None:
    loaded = loaded_after("from budgetd import BudgetClient")

    assert "grpc" in loaded
    assert not {name for name in loaded if name.startswith("budgetd_server")}


def test_every_public_name_is_what_type_checkers_take_it_for() -> None:
    tree = ast.parse(Path(budgetd.__file__).read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }

    assert sorted(typed) == sorted(budgetd.__all__)
    assert all(getattr(budgetd, name) is getattr(sys.modules[module], name) for name, module in typed.items())


def test_the_root_holds_public_modules_and_everything_else_is_in_a_folder_by_its_subject() -> None:
    """A new module here is a promise to users: what is none belongs to a folder."""
    found = {path.stem for path in Path(budgetd.__file__).parent.iterdir() if path.suffix == ".py"}

    assert found == PUBLIC_MODULES | {"__init__"}


def test_every_error_is_public() -> None:
    found = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.BudgetdError)
    }

    assert found <= set(budgetd.__all__)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    ancestors = ["BudgetdError"]
    for branch, name in re.findall(r"^    ([│ ]*[├└]── )(\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(branch) // 4
        ancestors[depth:] = [name]
        drawn[name] = ancestors[depth - 1]
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]

    assert drawn == {each.__name__: each.__bases__[0].__name__ for each in classes if each is not errors.BudgetdError}


def test_every_error_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
    names = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}

    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_dir_lists_names_that_are_not_imported_yet() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import budgetd; print(*dir(budgetd))"], capture_output=True, text=True, check=True
    )

    assert set(budgetd.__all__) <= set(run.stdout.split())


def test_a_name_that_does_not_exist_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="BudgetClint"):
        _ = budgetd.BudgetClint  # type: ignore[attr-defined]
