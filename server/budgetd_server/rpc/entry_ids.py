"""Names of entries and holds become their numbers; how numbers become names is in answers.py and reservation.py."""

import re

from budgetd_server.rpc.checks import Checks

#: One form for each number: ASCII digits without leading zeros.
_NAME = re.compile(r"([er])([1-9][0-9]{0,18})")
_SEQ_MAX = 2**63 - 1


def entry_seq(checks: Checks, field: str, name: str) -> int | None:
    """The number of an entry, such as 7 of "e7". None: it is none, which is noted."""
    return _seq(checks, field, name, "e", "an entry_id of an answer")


def reservation_seq(checks: Checks, field: str, name: str) -> int | None:
    """The number of a hold, such as 7 of "r7". None: it is none, which is noted."""
    return _seq(checks, field, name, "r", "a reservation_id of an answer")


def _seq(checks: Checks, field: str, name: str, kind: str, what: str) -> int | None:
    found = _NAME.fullmatch(name)
    if found is not None and found[1] == kind and (seq := int(found[2])) <= _SEQ_MAX:
        return seq
    checks.refuse(field, f"must be {what}", name)
    return None
