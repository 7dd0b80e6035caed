"""Named SQL statements, read from the files in which they stand with a sentence each."""

import re
from importlib import resources

_HEADING = re.compile(r"^-- name: (\w+)\n((?:-- .+\n)+)", re.MULTILINE)


def load_queries(dialect: str) -> dict[str, str]:
    """The statements of a dialect's `queries.sql`, by name.

    Raises:
        ValueError: A name stands twice, or a statement has no sentence.
    """
    text = resources.files(__package__).joinpath("sql", dialect, "queries.sql").read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    if len(headings) != text.count("-- name:"):
        raise ValueError(f"{dialect}/queries.sql: every '-- name:' needs a sentence below it")
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    queries = {
        heading[1]: text[heading.end() : end].strip().rstrip(";") for heading, end in zip(headings, ends, strict=True)
    }
    if len(queries) != len(headings):
        raise ValueError(f"{dialect}/queries.sql: a name stands twice")
    return queries
