"""Reads `user_cost.json`: every record that can be recovered, and a report of everything that cannot."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from budgetd_server.litellm.files.members import Damage, NoObject, parse_members
from budgetd_server.litellm.files.records import RecordFault, UserRecord, parse_record

#: Enough for three and a half million users; the file is read into memory.
FILE_BYTES_MAX = 2**30


class FileRefused(Exception):
    """The file cannot be read at all; the text says why."""


class Note(NamedTuple):
    """A remark about a user whose record can be imported all the same."""

    user: str
    sentence: str


class Reading(NamedTuple):
    """The content of a file."""

    #: The size of the file.
    size_bytes: int
    #: The records that can be imported, in the file's order.
    records: Sequence[UserRecord]
    #: Why other records cannot; a user may have several.
    faults: Sequence[RecordFault]
    #: The ranges that cannot be read, in the file's order.
    damages: Sequence[Damage]
    notes: Sequence[Note]


def read(path: Path) -> Reading:
    """Read a file.

    Raises:
        FileRefused: The path does not exist, is not a file, cannot be opened, is too large, or is JSON of another kind.
    """
    try:
        if not path.exists():
            raise FileRefused(f"{path} does not exist")
        if not path.is_file():
            raise FileRefused(f"{path} is not a file")
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
    """Read the content of a file.

    If a user occurs twice, the last record counts, as usual in JSON. But if the file is damaged in between, the record
    before the damage counts, since what follows it is most likely the end of an older file.

    Raises:
        NoObject: It is JSON of another kind.
    """
    found: dict[str, object] = {}
    before_damage: frozenset[str] = frozenset()
    damages: list[Damage] = []
    notes: list[Note] = []
    for each in parse_members(content):
        if isinstance(each, Damage):
            damages.append(each)
            before_damage = before_damage.union(found) if len(damages) == 1 else before_damage
        elif each.key in before_damage:
            notes.append(Note(each.key, "is in the file again after it is damaged; the record before that counts"))
        else:
            if each.key in found:
                notes.append(Note(each.key, "is in the file twice; the last record counts"))
            found[each.key] = each.value
    records: list[UserRecord] = []
    faults: list[RecordFault] = []
    for user, value in found.items():
        result = parse_record(user, value)
        faults += result.faults
        notes += [Note(user, sentence) for sentence in result.notes]
        if result.record is not None:
            records.append(result.record)
    return Reading(len(content), records, faults, damages, notes)
