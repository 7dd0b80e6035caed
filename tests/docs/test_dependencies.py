"""`docs/dependencies.md` lists every direct dependency and nothing else."""

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.docs.pages import REPOSITORY, page

#: Each table of the page, and the dependency groups that it is about.
GROUPS = {
    "Run time": "runtime",
    "Build": "build",
    "Development": "dev",
    "Code generation": "proto",
    "Parity": "parity",
}
OWN = {"budgetd": "clients/python/pyproject.toml", "budgetd-server": "server/pyproject.toml"}
PAGE = page("docs/dependencies.md")
#: How the packages themselves name the licences that their metadata has no SPDX expression for.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "MIT License": "MIT",
}


def declared(group: str) -> set[str]:
    """What a dependency group names itself, our own distributions replaced by what they name."""
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    names = {Requirement(each).name for each in groups[group] if isinstance(each, str)}
    for own in names & OWN.keys():
        project = tomllib.loads((REPOSITORY / OWN[own]).read_text("utf-8"))["project"]
        names |= {Requirement(each).name for each in project["dependencies"]}
    return names - OWN.keys()


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of a table by package."""
    return {cells[0]: cells[1:] for cells in PAGE.table_rows(heading)}


def installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed on this system")


@pytest.mark.parametrize(("heading", "group"), GROUPS.items())
def test_every_direct_dependency_has_a_row_and_no_row_is_left_over(heading: str, group: str) -> None:
    assert set(rows(heading)) == declared(group)


def test_every_dependency_group_has_its_table() -> None:
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["dependency-groups"]

    # Two groups are of packages that have a row already, at other versions.
    assert set(groups) == {*GROUPS.values(), "oldest", "parity-newest"}
    assert {Requirement(each).name for each in groups["oldest"]} <= set(rows("Run time"))
    assert declared("parity") - declared("parity-newest") == {"cohere", "google-genai", "mistralai"}
    assert declared("parity-newest") < declared("parity")


@pytest.mark.parametrize("heading", GROUPS)
def test_every_row_is_filled_in(heading: str) -> None:
    assert [name for name, cells in rows(heading).items() if len(cells) != 5 or not all(cells)] == []


# The last two groups live in environments of their own, which tests do not make.
@pytest.mark.parametrize(
    ("name", "licence"),
    [(name, cells[0]) for heading in list(GROUPS)[:3] for name, cells in rows(heading).items()],
)
def test_the_documented_licence_is_that_of_the_installed_package(name: str, licence: str) -> None:
    metadata = installed(name).metadata
    fields = [metadata.get_all(field) or [] for field in ("License-Expression", "License", "Classifier")]
    first_lines = [text.strip().splitlines()[0] for texts in fields for text in texts if text.strip()]

    assert licence in {SPDX.get(line, line) for line in first_lines}


@pytest.mark.parametrize(
    ("name", "size"), [(name, cells[2]) for heading in list(GROUPS)[:3] for name, cells in rows(heading).items()]
)
def test_the_documented_size_is_about_that_of_the_installed_package(name: str, size: str) -> None:
    match = re.fullmatch(r"([\d.]+) MB", size)
    files = [Path(str(file.locate())) for file in installed(name).files or [] if "__pycache__" not in str(file)]

    megabytes = sum(file.stat().st_size for file in files if file.is_file()) / 1e6

    assert match is not None
    # Wheels of other systems and Pythons differ; three times as much is a wrong figure.
    assert megabytes / 3 <= float(match[1]) <= max(3 * megabytes, 0.1)
