"""The named statements: each has a sentence, each is used, and the hot ones touch only the rows that they want."""

import ast
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from budgetd_server.ledger import queries
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite.file import connect, open_file
from budgetd_server.ledger.sqlite.statements import SqliteStatements

QUERIES = load_queries("sqlite")
FOLDER = Path(queries.__file__).parent
#: They look at everything, and say so.
WHOLE = {name for name in QUERIES if name.startswith("verify_")}
#: The newest of a project's rows, by the last key: one step down the tree, though the plan does not show it.
NEWEST = {"load_projects", "last_budget_key", "last_project_key", "newest_entries"}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A connection to a file with our tables."""
    path = tmp_path_factory.mktemp("plans") / "budgetd.db"
    open_file(path, migrates=False)
    connection = connect(path)
    yield connection
    connection.close()


def plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    """How SQLite goes about a statement."""
    body = re.sub(r"--.*", "", statement)
    names = re.findall(r":(\w+)", body)
    parameters: dict[str, None] | tuple[None, ...] = dict.fromkeys(names) if names else (None,) * body.count("?")
    return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def scans(steps: list[str]) -> list[str]:
    """The steps that look at a whole table; a list of parameters, a constant and a walk's own rows are no tables."""
    no_table = re.compile(r"SCAN (k VIRTUAL TABLE|json_each VIRTUAL TABLE|CONSTANT ROW$|[wud]$|down$)")
    return [step for step in steps if step.startswith("SCAN") and not no_table.match(step)]


def half_searches(steps: list[str]) -> list[str]:
    """The steps that look at all rows of a project in a table."""
    return [step for step in steps if step.endswith("(project_key=?)")]


# --- The file of statements.


def put(folder: Path, text: str) -> None:
    target = folder / "sql" / "test" / "queries"
    target.mkdir(parents=True)
    (target / "some.sql").write_text(text, encoding="utf-8")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which statements are read instead."""
    monkeypatch.setattr("importlib.resources.files", lambda _: tmp_path)
    return tmp_path


def test_statements_are_read_by_name_without_sentence_and_semicolon(elsewhere: Path) -> None:
    one = "-- name: one\n-- The first.\nSELECT 1\n  FROM a;\n"
    two = "-- name: two\n-- The\n-- second.\nSELECT 2;\n"
    put(elsewhere, f"-- A heading.\n\n{one}\n{two}")

    assert load_queries("test") == {"one": "SELECT 1\n  FROM a", "two": "SELECT 2"}


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("-- name: one\nSELECT 1;\n", "needs a description"),
        ("-- name: one\n-- The first.\nSELECT 1;\n-- name: one\n-- Again.\nSELECT 2;\n", "occurs twice"),
    ],
)
def test_statements_without_a_sentence_or_with_a_name_twice_are_refused(
    elsewhere: Path, text: str, trouble: str
) -> None:
    put(elsewhere, text)

    with pytest.raises(ValueError, match=trouble):
        load_queries("test")


def test_every_statement_is_one_that_sqlite_understands(connection: sqlite3.Connection) -> None:
    for name, statement in QUERIES.items():
        assert sqlite3.complete_statement(f"{statement};"), name
        assert plan(connection, statement) is not None


def test_no_statement_asks_for_all_columns() -> None:
    assert [name for name, statement in QUERIES.items() if re.search(r"SELECT\s+(\w+\.)?\*", statement)] == []


# --- The code that uses them.


def words(files: Iterable[Path]) -> set[str]:
    """Every text in the code of the ledger."""
    return {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def named(folder: Path) -> set[str]:
    """The names by which the code asks for statements: keys of statements, and the first parts of what steps yield."""
    nodes = [node for file in folder.rglob("*.py") for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    keys = [
        node.slice
        for node in nodes
        if isinstance(node, ast.Subscript)
        and (ast.unparse(node.value).endswith("sql") or "load_queries" in ast.unparse(node.value))
    ]
    asked = [node.value.elts[0] for node in nodes if isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple)]
    return {each.value for each in (*keys, *asked) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def test_every_statement_is_used() -> None:
    assert sorted(QUERIES.keys() - words(FOLDER.rglob("*.py"))) == []


def test_every_statement_that_is_used_exists() -> None:
    assert {"load_budgets", "save_count", "kept_place"} <= named(FOLDER), "the test finds names"
    assert sorted(named(FOLDER) - QUERIES.keys()) == []


def test_no_sql_statement_is_in_the_code() -> None:
    shouting = re.compile(r"^\s*(SELECT|INSERT|DELETE|WITH) ")
    in_code = {word for word in words(FOLDER.rglob("*.py")) if shouting.match(word)}

    assert in_code == {"SELECT count(*) FROM sqlite_schema"}, "of another program's file, which has none of our tables"


# --- Plans.


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - WHOLE))
def test_a_statement_looks_at_no_whole_table(connection: sqlite3.Connection, name: str) -> None:
    assert scans(plan(connection, QUERIES[name])) == []


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - WHOLE - NEWEST))
def test_a_statement_looks_at_no_whole_project(connection: sqlite3.Connection, name: str) -> None:
    assert half_searches(plan(connection, QUERIES[name])) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("load_budgets", "SEARCH b USING INDEX budgets_live (project_key=? AND budget_id=?)"),
        ("load_models", "AND budget_key=? AND is_model=? AND limit_id=? AND model=?)"),
        ("load_requests", "SEARCH r USING PRIMARY KEY (project_key=? AND rpc=? AND request_id=?)"),
        ("walk_chain", "SEARCH e USING PRIMARY KEY (project_key=? AND seq=?)"),
        ("walk_project", "SEARCH e USING PRIMARY KEY (project_key=? AND seq<?)"),
        ("last_seq_of_deleted", "USING INDEX budgets_deleted (project_key=? AND budget_id=?)"),
        ("last_seq_of_live", "USING INDEX budgets_live (project_key=? AND budget_id=?)"),
    ],
)
def test_a_hot_statement_uses_its_key(connection: sqlite3.Connection, name: str, expected: str) -> None:
    assert any(expected in step for step in plan(connection, QUERIES[name]))


def instructions(connection: sqlite3.Connection, statement: str) -> int:
    """How many instructions SQLite carries out for a statement about the project 1 and a budget that never was."""
    carried_out = 0

    def count() -> int:
        nonlocal carried_out
        carried_out += 1
        return 0

    names = {"ids": '["shop"]', "project_key": 1, "budget_id": "nobody", "budget_key": 1}
    connection.set_progress_handler(count, 1)
    try:
        connection.execute(statement, names).fetchall()
    finally:
        connection.set_progress_handler(None, 1)
    return carried_out


FILL = """
INSERT OR IGNORE INTO projects (project_key, project_id) VALUES (1, 'shop');
WITH RECURSIVE n (i) AS (SELECT 1 + (SELECT count(*) FROM budgets) UNION ALL SELECT i + 1 FROM n LIMIT 500)
INSERT INTO budgets (project_key, budget_key, budget_id, version, created_at_us, updated_at_us, deleted_at_us)
SELECT 1, i, 'budget ' || i, 1, 0, 0, iif(i % 2, 0, NULL) FROM n;
INSERT INTO entries (project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd, model, request_id)
SELECT 1, budget_key, budget_key, 0, 8, 0, 0, '', '' FROM budgets WHERE budget_key > (SELECT count(*) FROM entries);
"""


@pytest.mark.parametrize("name", sorted({*NEWEST, "last_seq_of_deleted", "last_seq_of_live"}))
def test_a_statement_takes_as_long_in_a_large_project_as_in_a_small_one(tmp_path: Path, name: str) -> None:
    open_file(tmp_path / "budgetd.db", migrates=False)
    connection = connect(tmp_path / "budgetd.db")
    taken = []
    for _ in range(2):
        connection.executescript(FILL)
        taken.append(instructions(connection, QUERIES[name]))
    connection.close()

    assert taken[0] == taken[1]
    assert taken[0] < 100


def test_a_planted_scan_is_seen(connection: sqlite3.Connection) -> None:
    assert scans(plan(connection, "SELECT seq FROM entries WHERE model = :model"))
    assert half_searches(plan(connection, "SELECT seq FROM entries WHERE project_key = :project_key AND model = ''"))
    assert (
        instructions(
            connection, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) SELECT i FROM n"
        )
        > 500
    )


def test_reads_take_their_statements_from_the_file() -> None:
    assert SqliteStatements().sql == QUERIES
