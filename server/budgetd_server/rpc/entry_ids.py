"""Decodes the ids of entries and holds into their numbers; answers.py and reservation.py encode them."""

import re

from budgetd_server.rpc.checks import Checks

#: Each number has one form: ASCII digits without leading zeros.
_NAME = re.compile(r"([er])([1-9][0-9]{0,18})")
_SEQ_MAX = 2**63 - 1


def parse_entry_id(checks: Checks, field: str, name: str) -> int | None:
    """Decode an entry id, such as "e7", into its number, 7. Returns None if malformed, and records a violation."""
    return _seq(checks, field, name, "e", "an entry_id of an answer")


def parse_reservation_id(checks: Checks, field: str, name: str) -> int | None:
    """Decode a hold's id, such as "r7", into its number, 7. Returns None if malformed, and records a violation."""
    return _seq(checks, field, name, "r", "a reservation_id of an answer")


def _seq(checks: Checks, field: str, name: str, kind: str, what: str) -> int | None:
    found = _NAME.fullmatch(name)
    if found is not None and found[1] == kind and (seq := int(found[2])) <= _SEQ_MAX:
        return seq
    checks.refuse(field, f"must be {what}", name)
    return None
