"""The maps of the folders are true, and so are the worked examples: each list is what the source gives."""

import re
from pathlib import Path

import pytest

from tests.architecture.test_sizes import FUNCTION_LINES_MAX, LINES_MAX
from tests.docs.pages import REPOSITORY, Page, page

CONTRIBUTING, DESIGN = page("CONTRIBUTING.md"), page("docs/design.md")
PRODUCT = ("proto", "server", "clients")
MAPPED = (*PRODUCT, "tests", "bench", "examples", "tools", "docs")
#: Folders that programs make.
MADE = re.compile(r"\.|__pycache__$|build$|dist$|.*\.egg-info$|node_modules$")
GENERATED = "clients/python/budgetd/v1/"


def folders_on_disk(root: Path, tops: tuple[str, ...]) -> set[str]:
    """Every folder that holds files."""
    return {path.rpartition("/")[0] for path in files_on_disk(root, tops)}


def files_on_disk(root: Path, tops: tuple[str, ...]) -> set[str]:
    """Every file that is not made by a program, by its path."""
    found = (path.relative_to(root) for top in tops for path in (root / top).rglob("*") if path.is_file())
    return {path.as_posix() for path in found if not any(MADE.match(part) for part in path.parts)}


def drawn_folders(text: str) -> set[str]:
    """The folders of the tree below "Where things are", by their paths."""
    tree = Page(CONTRIBUTING.path, text[text.index("## Where things are") :]).blocks()[0].code
    above: list[str] = []
    found: set[str] = set()
    for indent, name in re.findall(r"^( *)(\S+)/(?: |$)", tree, re.MULTILINE):
        above[len(indent) // 2 :] = [name]
        found.add("/".join(above))
    return found


def links_below(text: Page, heading: str) -> set[str]:
    """The files and folders of this repository that a section links to, by their paths."""
    section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text.text, re.MULTILINE | re.DOTALL)
    assert section is not None, heading
    targets = [each.target.partition("#")[0] for each in Page(text.path, section[1]).links()]
    paths = [(text.path.parent / target).resolve() for target in targets if target]
    return {path.relative_to(REPOSITORY).as_posix() for path in paths}


def occurrences(pattern: str, tops: tuple[str, ...]) -> set[str]:
    """The files written by hand in which a name of an example occurs."""
    paths = (path for path in files_on_disk(REPOSITORY, tops) if path.endswith((".py", ".sql", ".proto")))
    ours = (path for path in paths if not path.startswith(GENERATED))
    return {path for path in ours if re.search(pattern, (REPOSITORY / path).read_text("utf-8"))}


def test_the_tree_of_contributing_is_every_folder_that_holds_files() -> None:
    drawn, on_disk = drawn_folders(CONTRIBUTING.text), folders_on_disk(REPOSITORY, MAPPED)

    assert on_disk - drawn == set(), "folders that the tree does not show"
    assert {folder for folder in drawn if not (REPOSITORY / folder).is_dir()} == set(), "folders that do not exist"


def test_the_map_of_the_design_is_every_folder_of_the_product() -> None:
    shown = {path for path in links_below(DESIGN, "The map") if path.startswith(PRODUCT)}

    assert shown == folders_on_disk(REPOSITORY, PRODUCT)


def test_a_folder_that_is_missing_in_the_tree_or_on_disk_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "server" / "new").mkdir(parents=True)
    (tmp_path / "server" / "new" / "file.py").touch()
    (tmp_path / "server" / "__pycache__").mkdir()
    (tmp_path / "server" / "__pycache__" / "file.pyc").touch()
    line = next(line for line in CONTRIBUTING.text.splitlines() if line.startswith("    rpc/"))
    planted = CONTRIBUTING.text.replace(line, "    gone/   not there")

    assert folders_on_disk(tmp_path, ("server",)) == {"server/new"}
    assert drawn_folders(CONTRIBUTING.text) - drawn_folders(planted) == {"server/budgetd_server/rpc"}
    assert drawn_folders(planted) - drawn_folders(CONTRIBUTING.text) == {"server/budgetd_server/gone"}


@pytest.mark.parametrize(
    ("heading", "name", "tops"),
    [
        pytest.param("Add a field to an entry", r"\bwindows_skipped\b", PRODUCT, id="a field"),
        pytest.param(
            "Add a read RPC", r"\b(GetModelPrice(Request|Response)?|get_model_price)\b", PRODUCT, id="a read RPC"
        ),
        pytest.param("Add a migration", r"\bpending_deletions\b", PRODUCT, id="a migration"),
    ],
)
def test_a_worked_example_lists_every_product_file_in_which_its_example_occurs(
    heading: str, name: str, tops: tuple[str, ...]
) -> None:
    listed = {path for path in links_below(CONTRIBUTING, heading) if path.startswith(PRODUCT)}

    assert listed == occurrences(name, tops)


def test_contributing_gives_the_lengths_that_a_test_holds() -> None:
    stated = re.search(r"A Python or SQL file has at most (\d+) lines, a function at most (\d+)\.", CONTRIBUTING.text)

    assert stated is not None
    assert (int(stated[1]), int(stated[2])) == (LINES_MAX, FUNCTION_LINES_MAX)
