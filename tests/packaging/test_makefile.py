"""The Makefile explains itself, and offers what CONTRIBUTING and the README promise."""

import re
import subprocess

import pytest

from tests.packaging.dockerfile import REPOSITORY

MAKEFILE = (REPOSITORY / "Makefile").read_text("utf-8")
TARGETS = sorted(set(re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, flags=re.MULTILINE)))


@pytest.fixture(scope="module")
def help_lines() -> dict[str, str]:
    output = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return dict(line.strip().split(maxsplit=1) for line in output.splitlines())


def test_help_lists_every_target_and_nothing_else(help_lines: dict[str, str]) -> None:
    assert sorted(help_lines) == TARGETS


def test_every_target_says_what_it_does_in_a_sentence(help_lines: dict[str, str]) -> None:
    assert [name for name, text in help_lines.items() if not re.fullmatch(r"[A-Z].{15,}\.", text)] == []


def test_every_target_is_phony_so_that_a_file_of_its_name_does_not_hide_it() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)

    assert sorted(phony) == TARGETS


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md", ".ci/run", ".pre-commit-config.yaml"])
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)(?=[`\s)])", _commands_of(page)))

    assert named <= set(TARGETS)


def _commands_of(page: str) -> str:
    """Of a Markdown page only what is set as code, so that the verb in a sentence is no command."""
    text = (REPOSITORY / page).read_text("utf-8") + "\n"
    if not page.endswith(".md"):
        return "\n".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("#"))
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))
