"""Named SQL statements, read from files in which each has a name and a description."""

import re
from importlib import resources

from budgetd_server.ledger.columns import with_columns

_HEADING = re.compile(r"^-- name: (\w+)\n((?:-- .+\n)+)", re.MULTILINE)


def load_queries(dialect: str) -> dict[str, str]:
    """Load the statements of a dialect, by name.

    Raises:
        ValueError: A name occurs twice, or a statement has no description.
        KeyError: A statement names a list of columns that does not exist.
    """
    folder = resources.files(__package__).joinpath("sql", dialect, "queries")
    queries: dict[str, str] = {}
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        text = file.read_text(encoding="utf-8")
        headings = list(_HEADING.finditer(text))
        if len(headings) != text.count("-- name:"):
            raise ValueError(f"{dialect}/{file.name}: every '-- name:' needs a description below it")
        ends = [heading.start() for heading in headings[1:]] + [len(text)]
        for heading, end in zip(headings, ends, strict=True):
            if heading[1] in queries:
                raise ValueError(f"{dialect}/{file.name}: the name {heading[1]} occurs twice")
            queries[heading[1]] = with_columns(text[heading.end() : end].strip().rstrip(";"))
    return queries
