"""What the pages name exists: files, headings, symbols, constants with their values, commands, make targets."""

import ast
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

import pytest
import typer

from budgetd_server.cli import COMMANDS, HELP, app
from budgetd_server.litellm.hosted.metrics import HostedMetrics
from budgetd_server.metrics import Metrics
from tests.docs.pages import REPOSITORY, Link, Page, all_pages

PAGES = all_pages()
SERVER = REPOSITORY / "server" / "budgetd_server"
SOURCE = ("server", "clients", "proto", "tests", "examples", "bench", "tools")
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

#: Names in code font that belong to other projects.
FOREIGN = re.compile(
    r"google\.|grpc\.|litellm|prometheus|json_each|ioerr_|pkg_resources|grpc_health_probe|"
    r"project_name|total_budget|update_cost|projected_cost|create_budget|BudgetManager|user_dict"
)


@every_page
def test_no_code_span_goes_over_the_end_of_a_line(page: Page) -> None:
    odd = [line for line in page.prose.splitlines() if line.count("`") % 2]

    assert odd == [], "the other tests read spans line by line"


@every_page
def test_every_link_leads_to_a_file_of_this_repository_and_to_a_heading_in_it(page: Page) -> None:
    broken = [link.target for link in page.links() if not _leads_somewhere(page, link)]

    assert broken == []


@every_page
def test_every_name_that_links_to_source_is_defined_there(page: Page) -> None:
    wrong = [
        f"{link.symbol} in {link.target}"
        for link in page.links()
        if link.symbol is not None and not _defines(_target(page, link), link.symbol)
    ]

    assert wrong == []


@every_page
def test_every_path_in_code_font_exists(page: Page) -> None:
    wrong = [span for span in page.spans() if (path := _as_path(span)) is not None and not _exists(path)]

    assert wrong == []


@every_page
def test_every_identifier_in_code_font_is_in_the_source(page: Page) -> None:
    words = _source_words()
    names = {name for span in page.spans() if (name := _as_identifier(span)) is not None}

    assert sorted(name for name in names if not FOREIGN.match(name) and name not in words) == []


@every_page
def test_every_documented_value_of_a_constant_is_its_value(page: Page) -> None:
    documented = re.findall(r"`([A-Z][A-Z_]+)` \(([\d,]+(?:\.\d+)?)\)", page.prose)

    wrong = [
        f"{name} is {_constants().get(name)}, not {value}" for name, value in documented if not _is_value(name, value)
    ]

    assert wrong == []


@every_page
def test_every_make_target_that_a_page_names_exists(page: Page) -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    code = "\n".join([*page.spans(), *(block.code for block in page.blocks())])

    named = set(re.findall(r"^make ([a-z][a-z-]+)", code, flags=re.MULTILINE))

    assert {name for name in named if not re.search(rf"^{name}:", makefile, flags=re.MULTILINE)} == set()


@every_page
def test_every_command_that_a_page_names_exists_with_the_options_it_is_given(page: Page) -> None:
    code = [*page.spans(), *(line for block in page.blocks() for line in block.code.splitlines())]
    given = [(match[1], match[2]) for text in code if (match := re.match(r"budgetd ([a-z]+)\b(.*)", text))]

    wrong = [
        f"budgetd {command}{rest}"
        for command, rest in given
        if command != HELP and (command not in COMMANDS or not set(re.findall(r"--[a-z-]+", rest)) <= _options(command))
    ]

    assert wrong == []


def _target(page: Page, link: Link) -> Path:
    return (page.path.parent / link.target.partition("#")[0]).resolve() if link.target[0] != "#" else page.path


def _leads_somewhere(page: Page, link: Link) -> bool:
    if "://" in link.target:
        return True  # Tests use no network.
    path, anchor = _target(page, link), link.target.partition("#")[2]
    if not path.exists() or not path.is_relative_to(REPOSITORY):
        return False
    return not anchor or anchor in Page(path, path.read_text("utf-8")).anchors()


def _defines(path: Path, symbol: str) -> bool:
    """True if the file holds the definition; files of other kinds than Python and SQL hold the word."""
    if path.is_dir() or "/" in symbol or path.name == symbol:
        return path.as_posix().endswith(symbol.rstrip("/"))
    if path.suffix == ".py":
        return symbol.removesuffix("()") in _definitions(path)
    text = path.read_text("utf-8")
    if path.suffix == ".sql":
        heads = r"-- name: |CREATE TABLE |ALTER TABLE \w+ RENAME TO "
        return bool(re.search(rf"^({heads}){re.escape(symbol)}\b", text, flags=re.MULTILINE))
    return re.search(rf"(?<!\w){re.escape(symbol)}(?!\w)", text) is not None


@cache
def _definitions(path: Path) -> frozenset[str]:
    """Every class, function and constant at the top of a module, and `Class.member`."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        for name in _names_of(node):
            found.add(name)
            if isinstance(node, ast.ClassDef):
                found.update(f"{name}.{member}" for child in node.body for member in _names_of(child))
    return frozenset(found)


def _names_of(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


@cache
def _options(command: str) -> frozenset[str]:
    """The options of one of our commands."""
    group = typer.main.get_command(app)
    found = group.get_command(None, command)  # type: ignore[attr-defined]
    return frozenset({"--help", *(name for each in found.params for name in [*each.opts, *each.secondary_opts])})


def _as_path(span: str) -> str | None:
    """The span as a path, if that is what it is: it begins with a folder of the repository or of the server."""
    if not re.fullmatch(r"[\w.*-]+(/[\w.*-]+)*/?", span):
        return None
    first, *rest = span.split("/")
    is_ours = (REPOSITORY / first).is_dir() or (SERVER / first).is_dir()
    return span if (rest and is_ours) or re.fullmatch(r".+\.(py|sql|md|toml|lock)", span) else None


def _exists(path: str) -> bool:
    pattern = path.rstrip("/")
    roots = [REPOSITORY, SERVER, *(REPOSITORY / folder for folder in SOURCE)]
    return any(True for root in roots[:2] for _ in root.glob(pattern)) or any(
        True for root in roots[2:] for _ in root.rglob(pattern)
    )


def _as_identifier(span: str) -> str | None:
    """The span as a name of ours, if it looks like one: snake_case, UPPER_CASE or CamelCase of two words or more."""
    name = span.removesuffix("()")
    is_name = re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)+|[A-Z][a-z0-9]+([A-Z][a-z0-9]*)+", name)
    return name if is_name else None


@lru_cache(maxsize=1)
def _source_words() -> frozenset[str]:
    """Every word of the source, the contract, the Makefile and what configures them, and every metric."""
    suffixes = {".py", ".proto", ".sql", ".toml", ".csv"}
    paths = [path for folder in SOURCE for path in (REPOSITORY / folder).rglob("*") if path.suffix in suffixes]
    paths += [REPOSITORY / name for name in ("Makefile", "Dockerfile", "pyproject.toml")]
    ours = [path for path in paths if "docs" not in path.parts and not path.name.endswith("_pb2.py")]
    registry = Metrics().registry
    HostedMetrics(registry)
    metrics = {sample.name for family in registry.collect() for sample in family.samples}
    return frozenset(word for path in ours for word in re.findall(r"\w+", path.read_text("utf-8"))) | metrics


@lru_cache(maxsize=1)
def _constants() -> dict[str, set[float]]:
    """Every constant of the server whose value is a number, by name."""
    found: dict[str, set[float]] = {}
    for path in SERVER.rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.BinOp):
                value = _number(node.value)
                for name in _names_of(node):
                    if value is not None:
                        found.setdefault(name, set()).add(value)
    return found


def _number(node: ast.expr) -> float | None:
    """Evaluate an expression of literals. Returns None if it has other parts."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.BinOp(left=left, op=ast.Mult() | ast.Pow() as operator, right=right):
            first, second = _number(left), _number(right)
            if first is None or second is None:
                return None
            return float(first * second if isinstance(operator, ast.Mult) else first**second)
    return None


def _is_value(name: str, documented: str) -> bool:
    return float(documented.replace(",", "")) in _constants().get(name, set())
