"""Reads `user_cost.json`: every record that can be saved, and by name everything that cannot."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from budgetd_server.litellm.files.members import Damage, NoObject, members
from budgetd_server.litellm.files.records import Refusal, UserRecord, checked

#: A file of three and a half million users; it is read into memory.
FILE_BYTES_MAX = 2**30


class FileRefused(Exception):
    """Nothing can be read from the file; the text tells why."""


class Note(NamedTuple):
    """Something about a user that does not keep its record from being imported."""

    user: str
    sentence: str


class Reading(NamedTuple):
    """What a file holds."""

    #: How long it is.
    size_bytes: int
    #: The records that can be imported, in the file's order.
    records: Sequence[UserRecord]
    #: Why others cannot; a user may be there more than once.
    refusals: Sequence[Refusal]
    #: What cannot be read, in the file's order.
    damages: Sequence[Damage]
    notes: Sequence[Note]


def read(path: Path) -> Reading:
    """Read a file.

    Raises:
        FileRefused: It does not exist, is no file, cannot be opened, is too large, or is JSON of another kind.
    """
    try:
        if not path.exists():
            raise FileRefused(f"{path} does not exist")
        if not path.is_file():
            raise FileRefused(f"{path} is no file")
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise FileRefused(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > FILE_BYTES_MAX:
        raise FileRefused(f"{path} must have at most {FILE_BYTES_MAX:,} bytes")
    try:
        return read_content(content)
    except NoObject as error:
        raise FileRefused(f"{path} {error}") from error


def read_content(content: bytes) -> Reading:
    """Read what a file holds.

    Where a user stands twice the last record counts, as everywhere in JSON; but before a damage the first does, since
    what comes after it is most likely the end of an older file.

    Raises:
        NoObject: It is JSON of another kind.
    """
    found: dict[str, object] = {}
    before_damage: frozenset[str] = frozenset()
    damages: list[Damage] = []
    notes: list[Note] = []
    for each in members(content):
        if isinstance(each, Damage):
            damages.append(each)
            before_damage = before_damage.union(found) if len(damages) == 1 else before_damage
        elif each.key in before_damage:
            notes.append(Note(each.key, "stands in the file again after it is damaged; the record before that counts"))
        else:
            if each.key in found:
                notes.append(Note(each.key, "stands in the file twice; the last record counts"))
            found[each.key] = each.value
    records: list[UserRecord] = []
    refusals: list[Refusal] = []
    for user, value in found.items():
        result = checked(user, value)
        refusals += result.refusals
        notes += [Note(user, sentence) for sentence in result.notes]
        if result.record is not None:
            records.append(result.record)
    return Reading(len(content), records, refusals, damages, notes)
