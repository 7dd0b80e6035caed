"""Files and functions stay small enough to be read."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.imports import REPOSITORY

LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FOLDERS = ("server", "clients", "tests", "bench", "examples", "tools")
#: What people write; data and generated files have other endings or other folders.
SUFFIXES = {".py", ".sql", ".sh", ".c", ".go", ".ts", ".java"}
GENERATED = ("clients/python/budgetd/v1/",)
SKIPPED = {"node_modules", "build", "dist", "__pycache__"}


def written(root: Path) -> Iterator[Path]:
    """Every hand-written file of code."""
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*")):
            path = file.relative_to(root).as_posix()
            is_ours = (
                not path.startswith(GENERATED)
                and not SKIPPED & set(file.relative_to(root).parts)
                and not file.name.startswith(".")
            )
            if file.suffix in SUFFIXES and is_ours:
                yield file


def long_files(root: Path) -> list[str]:
    """Files above the limit, with their lines."""
    counts = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in written(root)}
    return [f"{file.relative_to(root)}: {count} lines" for file, count in counts.items() if count > LINES_MAX]


def long_functions(root: Path) -> list[str]:
    """Functions above the limit, with their lines."""
    found = []
    for file in written(root):
        if file.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    found.append(f"{file.relative_to(root)}:{node.lineno}: {node.name} has {lines} lines")
    return found


def test_the_files_are_found() -> None:
    found = {file.relative_to(REPOSITORY).as_posix() for file in written(REPOSITORY)}

    assert {"server/budgetd_server/domain/decide.py", "tests/architecture/test_sizes.py"} <= found
    assert "server/budgetd_server/ledger/sql/sqlite/queries/reads.sql" in found
    assert not any(path.startswith(GENERATED) for path in found)


def test_no_file_that_people_write_is_long() -> None:
    assert long_files(REPOSITORY) == []


def test_no_function_is_long() -> None:
    assert long_functions(REPOSITORY) == []


def test_a_long_file_and_a_long_function_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    fine = ["def fine():", *["    pass"] * (FUNCTION_LINES_MAX - 1)]
    long = ["async def long():", *["    pass"] * FUNCTION_LINES_MAX]
    source = fine + long
    source += ["# Filled up."] * (LINES_MAX + 1 - len(source))
    (tmp_path / "server" / "long.py").write_text("\n".join(source))
    (tmp_path / "server" / "fine.sql").write_text("\n" * LINES_MAX)

    assert long_files(tmp_path) == [f"server/long.py: {LINES_MAX + 1} lines"]
    assert long_functions(tmp_path) == [f"server/long.py:{len(fine) + 1}: long has {FUNCTION_LINES_MAX + 1} lines"]
