"""Reads the Markdown pages of this repository: their links, code spans, fenced blocks, tables and headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?P<text>(?:`[^`]*`|[^\[\]`])+)\]\((?P<target>[^()\s]+)\)")
_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


class Link(NamedTuple):
    """`[text](target)`; the target as written."""

    text: str
    target: str

    @property
    def symbol(self) -> str | None:
        """The name that a text in code font stands for; None: the text is prose."""
        return self.text.strip("`") if re.fullmatch(r"`[^`]+`", self.text) else None


class Block(NamedTuple):
    """A fenced block: its language, the marks behind it, and the code."""

    language: str
    marks: tuple[str, ...]
    code: str


@dataclass(frozen=True, slots=True)
class Page:
    """One Markdown page."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return self.path.relative_to(REPOSITORY).as_posix()

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> list[Block]:
        """The fenced blocks, in order."""
        found: list[Block] = []
        for match in _FENCE.finditer(self.text):
            language, *marks = match["info"].split() or [""]
            found.append(Block(language, tuple(marks), match["code"]))
        return found

    def links(self) -> list[Link]:
        """Every link."""
        return [Link(match["text"], match["target"]) for match in _LINK.finditer(self.prose)]

    def spans(self) -> list[str]:
        """Everything that is set in code font within prose, link texts included."""
        return _SPAN.findall(self.prose)

    def anchors(self) -> set[str]:
        """What a link may name after `#`: the headings, as GitHub writes them."""
        headings = (re.sub(r"\]\([^)]*\)", "", heading) for heading in _HEADING.findall(self.prose))
        return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}

    def table_rows(self, heading: str) -> Iterator[list[str]]:
        """The cells of every table row below a heading, up to the next one; without heads and rulers."""
        section = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", self.prose, re.MULTILINE | re.DOTALL)
        assert section is not None, f"{self.name} has no heading {heading!r}"
        rows = re.findall(r"^\|(.*)\|$", section[1], re.MULTILINE)
        for row, following in zip(rows, [*rows[1:], ""], strict=True):
            if not _is_ruler(row) and not _is_ruler(following):
                yield [cell.strip() for cell in re.split(r"(?<!\\)\|", row)]


def page(name: str) -> Page:
    """A page by its path in the repository."""
    path = REPOSITORY / name
    return Page(path, path.read_text("utf-8"))


def all_pages() -> list[Page]:
    """Every page that people read."""
    paths = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    return [page(path.relative_to(REPOSITORY).as_posix()) for path in sorted(paths)]


def _is_ruler(row: str) -> bool:
    return bool(re.fullmatch(r"[\s|:-]+", row)) and "-" in row
