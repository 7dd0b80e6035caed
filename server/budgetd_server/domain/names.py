"""The rule for names of projects, budgets and models."""

import re

from budgetd_server.domain.bounds import ID_BYTES_MAX

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def broken_name_rule(value: str) -> str | None:
    """Return the rule that a name breaks. None if it breaks none."""
    if not value:
        return "must not be empty"
    if len(value) > ID_BYTES_MAX:
        return f"must be at most {ID_BYTES_MAX} bytes of UTF-8"
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        return "must not have half a surrogate pair"
    if len(encoded) > ID_BYTES_MAX:
        return f"must be at most {ID_BYTES_MAX} bytes of UTF-8"
    if CONTROL.search(value):
        return "must not contain control characters"
    return None
