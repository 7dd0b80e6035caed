"""The changelog is up to date with the distributions, and in its form."""

import re
import tomllib

import pytest

from tests.docs.pages import REPOSITORY, page

VERSIONS = re.findall(
    r"^## \[(\d+\.\d+\.\d+)\] - (unreleased|\d{4}-\d\d-\d\d)$", page("CHANGELOG.md").text, re.MULTILINE
)


@pytest.mark.parametrize("project", ["server/pyproject.toml", "clients/python/pyproject.toml"])
def test_the_newest_version_of_the_changelog_is_that_of_the_distributions(project: str) -> None:
    version = tomllib.loads((REPOSITORY / project).read_text("utf-8"))["project"]["version"]

    assert VERSIONS[0][0] == version


def test_every_heading_is_a_version_or_one_of_the_kinds_of_change() -> None:
    headings = re.findall(r"^##+ (.*)$", page("CHANGELOG.md").text, re.MULTILINE)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}

    assert len([heading for heading in headings if heading not in kinds]) == len(VERSIONS)


def test_only_the_newest_version_may_be_unreleased() -> None:
    assert all(date != "unreleased" for _, date in VERSIONS[1:])
