"""The table of what each dialect reads, in docs/prices.md, is that of the code, and what it calls priced is priced."""

import dataclasses
import re
from typing import Any

import pytest

from budgetd.usage.dialect import Look, Reading, read
from budgetd.usage.gemini import camel
from budgetd.usage.recogniser import LIBRARIES, ORDER
from budgetd.usage.totals import check_parts
from tests.docs.pages import page

PAGE = page("docs/prices.md")
DIALECTS = {dialect.name: dialect for dialect in ORDER}
#: What must also be given, and be more, for parts of other wholes than input and output.
WHOLES = {
    "cached_audio_input_tokens": ("input_tokens", "output_tokens", "audio_input_tokens", "cached_input_tokens"),
    "cached_image_input_tokens": ("input_tokens", "output_tokens", "image_input_tokens", "cached_input_tokens"),
    # Without text, all output of a form for images or speech is one of the two.
    "audio_output_tokens": ("input_tokens", "output_tokens", "_text_output"),
    "image_output_tokens": ("input_tokens", "output_tokens", "_text_output"),
    "_other_input": ("output_tokens",),
    "_other_output": ("input_tokens",),
    "_seen_input": ("_seen_output",),
    "_seen_output": ("_seen_input",),
}


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


SHORT = {
    (_names(dialect)[0], _names(short)[0]): _names(holders)
    for short, dialect, holders in PAGE.table_rows("Where each part is read")
}


def _expanded(dialect: str, path: str) -> list[str]:
    """The real paths that a path of the page stands for."""
    first, _, rest = path.partition(".")
    paths = [f"{holder}.{rest}" for holder in SHORT.get((dialect, first), [])] or [path]
    return paths + [camel(each) for each in paths] if dialect == "gemini" else paths


def _documented() -> dict[str, dict[str, tuple[str, str]]]:
    """By dialect and path: the part and whether it is priced."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for dialect, where, part, priced in PAGE.table_rows("Parts by dialect"):
        rows = found.setdefault(_names(dialect)[0], {})
        if where.startswith("all of"):
            rows.update(found[_names(where)[0]])
        else:
            for path in _names(where):
                rows.update(dict.fromkeys(_expanded(_names(dialect)[0], path), (part, priced)))
    return found


DOCUMENTED = _documented()
PRICED = [
    (dialect, path) for dialect, rows in DOCUMENTED.items() for path, (_, priced) in rows.items() if priced == "yes"
]


def test_every_dialect_has_its_rows() -> None:
    assert {name: set(rows) for name, rows in DOCUMENTED.items()} == {
        name: set(dialect.parts) for name, dialect in DIALECTS.items()
    }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_row_names_the_part_that_is_read(dialect: str) -> None:
    for path, part in DIALECTS[dialect].parts.items():
        named = _names(DOCUMENTED[dialect][path][0])
        assert named == ([] if part.startswith("_") else [part.replace("_seconds", "_milliseconds")]), path


def test_every_cost_that_a_usage_may_give_has_its_row() -> None:
    documented = {name for where, _ in PAGE.table_rows("A cost in the answer") for name in _names(where)}

    read = {path for dialect in ORDER for path in dialect.money}
    assert documented == read | {"cost_details.upstream_inference_cost"}


#: Dialects that are not read in OpenAI's way.
NATIVE = {"anthropic", "bedrock_converse", "cohere", "gemini", "gemini_embeddings", "titan", "video"} | LIBRARIES


def _listed(heading: str) -> dict[str, set[str]]:
    """By dialect: the paths of a table that has them in its second column."""
    found: dict[str, set[str]] = {}
    for dialect, where, _ in PAGE.table_rows(heading):
        spelled = _expanded if dialect != "all" else lambda _, path: [path]
        for name in _names(dialect) or DIALECTS:
            found.setdefault(name, set()).update(each for path in _names(where) for each in spelled(name, path))
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("heading", "kind"), [("Read, but not priced", "harmless"), ("Priced in part, and reported", "unpriced")]
)
def test_what_has_no_price_is_what_the_page_lists(dialect: str, heading: str, kind: str) -> None:
    listed = _listed(heading)
    common = set() if dialect in NATIVE else listed["openai_chat"]

    assert set(getattr(DIALECTS[dialect], kind)) == listed.get(dialect, set()) | common


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_part_that_is_marked_priced_is_never_unread(dialect: str) -> None:
    missed = [path for name, path in PRICED if name == dialect and not _is_priced(dialect, path)]

    assert missed == []


def test_a_planted_part_that_is_read_and_not_sent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    chat, path = DIALECTS["openai_chat"], "completion_tokens_details.audio_tokens"
    planted = dataclasses.replace(chat, parts={**chat.parts, path: "_planted"})
    monkeypatch.setitem(DIALECTS, "openai_chat", planted)

    assert not _is_priced("openai_chat", path)


def _is_priced(dialect: str, path: str) -> bool:
    """True if one more of a count changes what is sent of a minimal usage, and nothing of it is unread."""
    before, after = (_read(dialect, path, count) for count in (7, 8))
    return _sent(before) != _sent(after) and not before.unread + after.unread


def _read(name: str, path: str, count: int) -> Reading:
    """A usage of this count, and of the wholes that it is part of."""
    parts = DIALECTS[name].parts
    leaves: dict[str, object] = {}
    for whole in WHOLES.get(parts[path], ("input_tokens", "output_tokens")):
        if whole in parts.values() and whole != parts[path]:
            leaves[next(each for each, part in parts.items() if part == whole)] = 1 if whole == "_text_output" else 100
    leaves[path] = count
    reading = read(DIALECTS[name], Look({}, None, _nested(leaves), "", ""), leaves, is_cost_known=False)
    check_parts(reading)
    return reading


def _nested(leaves: dict[str, object]) -> dict[str, Any]:
    usage: dict[str, Any] = {}
    for path, count in leaves.items():
        *holders, name = path.split(".")
        target = usage
        for holder in holders:
            target = target.setdefault(holder, {})
        target[name] = count
    return usage


def _sent(reading: Reading) -> dict[str, int]:
    return {part: count for part, count in reading.counts.items() if count and not part.startswith("_")}
