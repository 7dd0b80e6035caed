"""Every guarantee names a test that shows it; `test_names.py` holds that those tests exist."""

import ast
import re

import pytest

from tests.docs.pages import page

PAGE = page("docs/guarantees.md")
TEST_LINK = re.compile(r"\[`test_\w+`\]\(\.\./tests/[\w/]+\.py\)")
ROWS = {cells[0]: cells for cells in PAGE.table_rows("The invariants")}
SECTIONS = re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", PAGE.text, re.MULTILINE)


def test_the_invariants_are_those_that_exist_in_this_version() -> None:
    assert list(ROWS) == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize("number", ROWS)
def test_every_invariant_names_what_keeps_it_and_a_test_that_shows_it(number: str) -> None:
    _, holds, kept_by, shown_by = ROWS[number]

    assert holds.startswith("**")
    assert kept_by
    assert TEST_LINK.search(shown_by)


@pytest.mark.parametrize(("heading", "text"), SECTIONS, ids=[heading for heading, _ in SECTIONS])
def test_every_section_names_a_test(heading: str, text: str) -> None:
    assert TEST_LINK.search(text), heading


def test_the_tests_that_are_called_drills_are_those_that_are() -> None:
    links = re.findall(r"\[`(test_\w+)`\]\((\S+\.py)\)(\s+\(drill\))?", PAGE.text)

    wrong = [name for name, target, mark in links if _is_drill(name, target) != bool(mark)]

    assert links
    assert wrong == []


def _is_drill(name: str, target: str) -> bool:
    module = ast.parse((PAGE.path.parent / target).read_text("utf-8"))
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    marks = [ast.unparse(mark) for node in functions if node.name == name for mark in node.decorator_list]
    return "pytest.mark.drill" in marks
