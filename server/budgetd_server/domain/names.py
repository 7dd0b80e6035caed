"""The rule that names of projects, budgets and models obey."""

import re
from functools import lru_cache

from budgetd_server.domain.bounds import ID_BYTES_MAX

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@lru_cache(maxsize=65_536)
def broken_name_rule(value: str) -> str | None:
    """The rule that a name breaks; None: it is fine. Kept, since the same names come again and again."""
    if not value:
        return "must not be empty"
    if len(value) > ID_BYTES_MAX or len(value.encode("utf-8", "surrogatepass")) > ID_BYTES_MAX:
        return f"must be at most {ID_BYTES_MAX} bytes of UTF-8"
    if CONTROL.search(value):
        return "must not contain control characters"
    return None
