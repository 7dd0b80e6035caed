"""Splits a possibly damaged JSON object into its members, and reports what is lost and at which byte.

LiteLLM's class opens its file with `open(..., "w")` and writes it with `json.dump(..., indent=4)`. A process that is
killed leaves the beginning of the file, or nothing. Two that save at the same time leave the beginning of one followed
by the end of the other, or a hole of zero bytes. In this layout every member begins on its own line after four spaces,
and nothing else does, since a JSON string cannot contain a line break. So damage affects only its own member, and
reading resumes at the next one. In any other layout members are read in sequence up to the first damage.

A member that is valid JSON is accepted: if two saves were merged within its digits, that cannot be detected.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from budgetd_server.domain.errors import SHOWN_CHARACTERS_MAX, short_repr

#: The most digits of a whole number that can be an amount or a time; Python itself parses at most 4,300.
_DIGITS_MAX = 40
_SPACES = " \t\r\n"
_SPACE = re.compile(f"[{_SPACES}]*")
#: Where a member begins, or the object ends, in what `json.dump(..., indent=4)` writes.
_LINE = re.compile(r'\r?\n    (?=")|\r?\n(?=\})')
#: A record in that layout. No other layout matches: with an indent of 2, four spaces are followed by six.
_RECORD = re.compile(r'\n    "[^\n]*\{\r?\n        "')
#: How a record ends in that layout.
_RECORD_END = "\n    }"
_KEY = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*+"')
#: A number of a record that is complete, since another character follows it.
_LEGIBLE = re.compile(r'"(total_budget|duration|created_at|last_updated_at|current_cost)": ([-+.0-9eE]+)(?=[,\s}])')
_CUT = "users after it, if there were any, are not in the file"


class Odd(NamedTuple):
    """A value that no field can have: NaN, Infinity, or a number of too many digits."""

    text: str


class Member(NamedTuple):
    """An undamaged member."""

    key: str
    value: Any


class Damage(NamedTuple):
    """A range of the file that cannot be read."""

    #: The offsets of the first lost byte, and of the byte after the last.
    start: int
    end: int
    #: The user whose record is damaged; None if it is no record, or if the name cannot be read.
    user: str | None
    #: The numbers of that record that can still be read, as written.
    legible: Mapping[str, str]
    #: A description for people.
    sentence: str


class NoObject(ValueError):
    """The content is JSON but not an object."""


def parse_members(content: bytes) -> Iterator[Member | Damage]:
    """Yield the members of a JSON object in order, and the damaged ranges between them.

    Numbers with a point are Decimals. Invalid UTF-8 bytes and halves of surrogate pairs become lone surrogates in the
    text, as with `errors="surrogateescape"`.

    Raises:
        NoObject: The content is JSON of another kind.
    """
    text = content.decode("utf-8", "surrogateescape")
    reader = _Reader(text)
    begin = 1 if text.startswith("\ufeff") else 0
    brace = _after_space(text, begin)
    if not text.startswith("{", brace):
        _refuse_other_json(text[brace:])
        return reader.by_lines(begin)
    is_by_lines = _LINE.match(text, brace + 1) or _RECORD.search(text)
    return reader.by_lines(begin) if is_by_lines else reader.in_a_row(brace + 1)


def describe_json(value: object) -> str:
    """Format a value of the file for a message: as JSON, on one line and of bounded length."""
    match value:
        case Odd(text):
            pass
        case Decimal():
            text = str(value)
        case Mapping():
            text = "an object"
        case list():
            text = "a list"
        case None:
            text = "null"
        case bool():
            text = str(value).lower()
        case _:
            return short_repr(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[: SHOWN_CHARACTERS_MAX - 1]}…"


class _Reader:
    """Reads one text, and converts its positions to byte offsets of the file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._is_ascii = text.isascii()
        self._known = (0, 0)

    def by_lines(self, start: int) -> Iterator[Member | Damage]:
        """Yield the members of a text in the layout of LiteLLM's class."""
        text = self._text
        begin, is_member = start, False
        for line in _LINE.finditer(text, start):
            yield from self._piece(begin, line.start(), is_member=is_member)
            begin, is_member = line.end(), line[0].endswith(" ")
        if not is_member:
            yield from self._piece(begin, len(text), is_member=False, is_last=True)
            return
        found, *more = self._member(begin, len(text))
        if isinstance(found, Damage):
            yield self._cut_within(begin)
        else:
            yield from (found, *(more or [self._cut(found.key)]))

    def in_a_row(self, position: int) -> Iterator[Member | Damage]:
        """Yield the members of a text in any other layout, up to the first damage."""
        text, user = self._text, None
        position = _after_space(text, position)
        while not text.startswith("}", position):
            begin = position
            try:
                key, value, position = _decode(text, position)
            except _UNREADABLE as error:
                yield self._broken_off(begin, user, _position(error, begin), error)
                return
            position = _after_space(text, position)
            if not text.startswith((",", "}"), position):
                if position == len(text):
                    yield Member(key, value)
                    yield self._cut(key)
                else:
                    yield self._broken_off(begin, user, position, ValueError("Expecting ',' or '}'"))
                return
            yield Member(key, value)
            user = key
            if text.startswith(",", position):
                position = _after_space(text, position + 1)
        yield from self._piece(position, len(text), is_member=False, is_last=True)

    def _piece(self, begin: int, end: int, *, is_member: bool, is_last: bool = False) -> Iterator[Member | Damage]:
        """Read the text between two lines that begin a member: a member, or the opening or closing brace."""
        if is_member:
            yield from self._member(begin, end)
            return
        rest = self._text[begin:end].strip(_SPACES)
        if rest != ("}" if is_last else "{"):
            yield self._strange(begin, end, rest)

    def _member(self, begin: int, end: int) -> Iterator[Member | Damage]:
        """Yield the member that begins there, and the text after it that belongs to no member."""
        piece = self._text[begin:end]
        try:
            key, value, position = _decode(piece, 0)
        except _UNREADABLE as error:
            at = self._byte(begin + _position(error, 0))
            yield self._damage(begin, end, f"is damaged at byte {at:,} ({_describe(error)})")
            return
        rest = piece[position:].strip(_SPACES)
        if rest in ("", ","):
            yield Member(key, value)
        elif piece.endswith(_RECORD_END, 0, position):
            yield Member(key, value)
            yield self._strange(begin + position, end, rest)
        else:
            yield self._damage(begin, end, f"is damaged at byte {self._byte(begin + position):,}")

    def _damage(self, begin: int, end: int, what: str) -> Damage:
        user = _legible_key(self._text, begin)
        whose = "a record" if user is None else f"the record of user {short_repr(user)}"
        sentence = f"{whose}, bytes {self._byte(begin):,} to {self._byte(end):,}, {what}"
        return self._at(begin, end, user, sentence)

    def _cut_within(self, begin: int) -> Damage:
        user, end = _legible_key(self._text, begin), len(self._text)
        where = "name of a user" if user is None else f"record of user {short_repr(user)}"
        sentence = f"the file ends at byte {self._byte(end):,} in the middle of the {where}; {_CUT}"
        return self._at(begin, end, user, sentence)

    def _cut(self, user: str | None) -> Damage:
        byte = self._byte(len(self._text))
        where = "before the first user"
        if user is not None:
            where = f"after user {short_repr(user)} and before its closing brace"
        return Damage(byte, byte, None, {}, f"the file ends at byte {byte:,}, {where}; {_CUT}")

    def _broken_off(self, begin: int, user: str | None, position: int, error: Exception) -> Damage:
        """Describe the first damage in a text whose layout does not allow reading on."""
        end = len(self._text)
        if begin == end:
            return self._cut(user)
        if position >= len(self._text.rstrip(_SPACES)) or str(error).startswith("Unterminated"):
            return self._cut_within(begin)
        whose = _legible_key(self._text, begin)
        of = "" if whose is None else f", in the record of user {short_repr(whose)}"
        at = f"byte {self._byte(position):,}{of}"
        sentence = f"the file is damaged at {at} ({_describe(error)}); what comes after it was not read"
        return self._at(begin, end, whose, sentence)

    def _strange(self, begin: int, end: int, rest: str) -> Damage:
        first, last = self._byte(begin), self._byte(end)
        if not self._text.strip("\ufeff \t\r\n"):
            sentence = "the file is empty: whatever was in it is lost"
        elif not rest.strip("\0"):
            sentence = f"bytes {first:,} to {last:,} are all zero: nothing was written there"
        elif rest == "}":
            sentence = f"the object ends at byte {first + 1:,}, and more comes after it: the end of another file"
        else:
            sentence = f"bytes {first:,} to {last:,} belong to no record that can be read"
        return Damage(first, last, None, {}, sentence)

    def _at(self, begin: int, end: int, user: str | None, sentence: str) -> Damage:
        # Stop where the record could end: the next record's numbers do not belong to this one.
        stretch = re.split(r"\},", self._text[begin : min(end, begin + 100_000)], maxsplit=1)[0]
        legible = dict(_LEGIBLE.findall(stretch)) if user is not None else {}
        return Damage(self._byte(begin), self._byte(end), user, legible, sentence)

    def _byte(self, position: int) -> int:
        """Convert a position to a byte offset. In rising order, each call costs only the text since the last one."""
        if self._is_ascii:
            return position
        known, byte = self._known if self._known[0] <= position else (0, 0)
        byte += len(self._text[known:position].encode("utf-8", "surrogateescape"))
        self._known = (position, byte)
        return byte


def _number(text: str) -> Decimal | Odd:
    try:
        return Decimal(text)
    except InvalidOperation:  # For example, an exponent of twenty digits.
        return Odd(text)


def _whole_number(text: str) -> int | Odd:
    return int(text) if len(text) <= _DIGITS_MAX else Odd(text)


_DECODER = json.JSONDecoder(parse_float=_number, parse_int=_whole_number, parse_constant=Odd)
#: Raised for invalid JSON, and for JSON that is nested too deep to be a record.
_UNREADABLE = (ValueError, RecursionError)


def _decode(text: str, position: int) -> tuple[str, Any, int]:
    """Return a key, its value, and the position after it.

    Raises:
        ValueError, RecursionError: There is no member, or it cannot be read.
    """
    if not text.startswith('"', position):
        raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, position)
    key, position = _DECODER.raw_decode(text, position)
    position = _after_space(text, position)
    if not text.startswith(":", position):
        raise json.JSONDecodeError("Expecting ':' delimiter", text, position)
    value, position = _DECODER.raw_decode(text, _after_space(text, position + 1))
    return key, value, position


def _legible_key(text: str, begin: int) -> str | None:
    match = _KEY.match(text, begin)
    try:
        return None if match is None else str(json.loads(match[0]))
    except ValueError:
        return None


def _refuse_other_json(text: str) -> None:
    try:
        value, end = _DECODER.raw_decode(text)
    except _UNREADABLE:
        return
    if not text[end:].strip(_SPACES):
        raise NoObject(f"must be a JSON object with a record for each user, got {_kind(value)}")


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None, "the pattern matches the empty text too"
    return match.end()


def _position(error: Exception, begin: int) -> int:
    return error.pos if isinstance(error, json.JSONDecodeError) else begin


def _describe(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
