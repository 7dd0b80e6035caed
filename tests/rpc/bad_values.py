"""Values that break the rule of a field, by kind of field; each with words that the refusal must hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Any, NamedTuple

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from budgetd_server.domain.bounds import COST_NANO_USD_MAX, LIMIT_AMOUNT_MAX
from tests.rpc.running_server import DAY_US, NOW_US, SECOND_US

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_NOW_S = NOW_US // SECOND_US


class Bad(NamedTuple):
    """One value that must be refused."""

    title: str
    value: Any
    #: Words of the rule, and of the value where it is short enough to be shown whole.
    words: Sequence[str]
    #: What follows the field's path in the violation's path, such as the key of a label.
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is checked of a field: the values in `bad` are refused, those in `good`, at the bounds, are not."""

    bad: Sequence[Bad]
    good: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Exempt:
    """No value of this field can be bad, for a reason."""

    because: str


@dataclass(frozen=True, slots=True)
class Descend:
    """A message whose fields have rules of their own; `bad` are wrongs of the message as a whole.

    Args:
        bad: (name, what to do to the request, the path that is named, words of the refusal).
    """

    bad: Sequence[tuple[str, Callable[[Any], object], str, Sequence[str]]] = ()


def _control(characters: Sequence[str] = ("\x00", "\n", "\x1b", "\x7f", "\x85")) -> list[Bad]:
    return [Bad(f"with {char!r}", f"a{char}b", ("control characters", repr(f"a{char}b"))) for char in characters]


_ID = [
    Bad("too long", "x" * 257, ("at most 256 bytes", "xxx", "…")),
    Bad("too many bytes in few characters", "é" * 129, ("at most 256 bytes", "é", "…")),
    Bad("enormous", "x" * 100_000, ("at most 256 bytes", "…")),
    *_control(),
]
_GOOD_IDS = ("x", "x" * 256, "é" * 128, " a/b\u202e😀")
OPTIONAL_ID = Rule(_ID, ("", *_GOOD_IDS))
ID = Rule([Bad("empty", "", ("must not be empty", "''")), *_ID], _GOOD_IDS)

REQUEST_ID = Rule(
    [
        Bad("too long", "x" * 65, ("at most 64 visible ASCII", "xxx", "…")),
        Bad("with a space", "a b", ("visible ASCII", "'a b'")),
        Bad("with an accent", "é", ("visible ASCII", "'é'")),
        Bad("with a line break", "a\nb", ("visible ASCII", r"'a\nb'")),
        Bad("with a line break at its end", "a\n", ("visible ASCII", r"'a\n'")),
        Bad("with a null byte", "a\x00", ("visible ASCII", r"'a\x00'")),
    ],
    ("", "!", "~" * 64),
)

LINE = Rule(
    [
        Bad("empty", "", ("1 to 256 characters", "''")),
        Bad("too long", "ü" * 257, ("1 to 256 characters", "üüü", "…")),
        Bad("with a line break", "a\nb", ("without control characters", r"'a\nb'")),
        Bad("with an escape", "\x1b[31m", ("without control characters", r"'\x1b[31m'")),
    ],
    ("x", "ü" * 256),
)


def _word(rule: str, characters_max: int, *, may_be_empty: bool) -> Rule:
    bad = [
        Bad("too long", "x" * (characters_max + 1), (rule, "xxx")),
        Bad("with a line break", "a\nb", (rule, r"'a\nb'")),
    ]
    unset = [] if may_be_empty else [Bad("empty", "", (rule, "''"))]
    return Rule([*bad, *unset], ("", "x" * characters_max) if may_be_empty else ("x" * characters_max,))


TERM = _word("1 to 64 characters", 64, may_be_empty=True)
DIALECT = Rule(
    [*_word("a-z, 0-9", 32, may_be_empty=True).bad, Bad("a capital", "Chat", ("a-z, 0-9", "'Chat'"))], ("", "a_1")
)
#: The first of a list of paths in an answer.
UNREAD_FIELDS = Rule(
    [*_word("1 to 128 characters", 128, may_be_empty=False).bad, Bad("blank", " \u2003", ("must not be blank", "' "))]
)

LABELS = Rule(
    [
        Bad("too many", {f"k{n}": "v" for n in range(65)}, ("at most 64 labels", "65")),
        Bad("far too many", {f"k{n}": "v\n" for n in range(20_000)}, ("at most 64 labels", "20000")),
        Bad("an empty key", {"": "v"}, ("a key must be 1 to 63 characters", "''")),
        Bad("a long key", {"k" * 64: "v"}, ("a key must be 1 to 63 characters", "…")),
        Bad("a key with a line break", {"a\nb": "v"}, ("control characters", r"'a\nb'")),
        Bad("a long value", {"k": "v" * 257}, ("at most 256 characters", "vvv", "…"), "['k']"),
        Bad("a value with a null byte", {"k": "\x00"}, ("control characters", r"'\x00'"), "['k']"),
    ],
    ({}, {"k": ""}, {f"{n:02}{'ü' * 61}": "😀" * 256 for n in range(64)}),
)

FREE_TEXT = Rule([Bad("empty", "", ("must not be empty", "''"))])
#: The first of a list of ids.
IDS = Rule(ID.bad)
PATTERNS = Rule([*ID.bad, Bad("with a star inside", "gpt*4o", ("*", "'gpt*4o'"))], ("*", "gpt*", *_GOOD_IDS))


def _name(kind: str, other: str) -> Rule:
    names = (
        "x",
        f"{kind}0",
        f"{kind}-1",
        f"{kind}01",
        f"{kind.upper()}1",
        f"{other}1",
        f"{kind}{2**63}",
        f"{kind}\u0661",
    )
    return Rule([Bad(repr(name), name, ("of an answer", repr(name))) for name in names])


ENTRY_ID = _name("e", "r")
RESERVATION_ID = Rule([*_name("r", "e").bad, Bad("empty", "", ("of an answer", "''"))])


def enum(*, may_be_unset: bool = True) -> Rule:
    """An enum: numbers that no value has, and zero where it must be set."""
    unset = [] if may_be_unset else [Bad("unset", 0, ("must be one of", "0"))]
    return Rule([Bad("unknown", 99, ("99",)), Bad("negative", -1, ("-1",)), *unset], (0, 1) if may_be_unset else (1,))


def number(least: int, most: int, *, type_min: int = INT64_MIN, type_max: int = INT64_MAX, shown: str = "") -> Rule:
    """A whole number within bounds; `shown` are words of the rule, if not the bounds themselves."""
    values = {least - 1, most + 1, type_min, type_max, -1} - set(range(max(least, -1), 0))
    bad = [
        Bad(f"{value}", value, (shown or str(most), str(value)))
        for value in sorted(values)
        if not least <= value <= most
    ]
    return Rule(bad, (least, most))


#: A count that is a part of another one, or that most models have no price for.
PART = Rule(number(0, 10**12, shown="10^12").bad)
TELLER = Rule([*enum().bad, *(Bad(f"the server, {value}", value, (str(value),)) for value in (4, 5))], (0, 1, 2, 3))
COST = number(0, COST_NANO_USD_MAX)
AMOUNT = number(0, LIMIT_AMOUNT_MAX)
TOKENS = number(0, 10**12, shown="10^12")
PAGE_SIZE = Rule(
    [Bad("negative", -1, ("0 or more", "-1")), Bad("least", INT32_MIN, ("0 or more", str(INT32_MIN)))], (0, INT32_MAX)
)
RATIO = Rule(
    [
        Bad("negative", -0.01, ("0 or more", "-0.01")),
        Bad("not a number", nan, ("0 or more", "nan")),
        Bad("minus infinity", -inf, ("0 or more", "-inf")),
    ],
    (0.0, -0.0, 1e-300, inf),
)
ALERT_RATIOS = Rule(
    [Bad(f"{value}", value, ("above 0 and at most 10", f"{value}")) for value in (0.0, -0.5, 10.01, nan, inf, -inf)],
    (1e-9, 0.5, 10.0),
)
PAGE_TOKEN = Rule(
    [
        Bad("garbage", "no token", ("next_page_token", "'no token'")),
        Bad("not ASCII", "ü", ("next_page_token", "'ü'")),
        Bad("too short", "AAAA", ("next_page_token", "'AAAA'")),
        Bad("of nothing", "A" * 22, ("same query", "AAA")),
        Bad("with characters that no token has", "AAAA" * 5 + "AA!!\n", ("next_page_token", "AAA")),
        Bad("enormous", "A" * 100_000, ("next_page_token", "…")),
    ]
)

TIME = Rule(
    [
        Bad("before the year 1", Timestamp(seconds=-62_135_596_801), ("years 1 to 9999", "-62135596801")),
        Bad("after the year 9999", Timestamp(seconds=253_402_300_800), ("years 1 to 9999", "253402300800")),
        Bad("absurdly late", Timestamp(seconds=INT64_MAX), ("years 1 to 9999", str(INT64_MAX))),
        Bad("absurdly early", Timestamp(seconds=INT64_MIN), ("years 1 to 9999", str(INT64_MIN))),
        Bad("with negative nanos", Timestamp(seconds=_NOW_S, nanos=-1), ("0 to 999999999 nanos", "-1 ns")),
        Bad("with too many nanos", Timestamp(seconds=_NOW_S, nanos=10**9), ("0 to 999999999 nanos", "1000000000 ns")),
    ],
    (
        Timestamp(),
        Timestamp(seconds=-62_135_596_800),
        Timestamp(seconds=253_402_300_799, nanos=999_999_999),
    ),
)
EVENT_TIME = Rule(
    [
        *TIME.bad,
        Bad("zero", Timestamp(), ("35 days ago to 5 minutes ahead", "1970-01-01")),
        Bad(
            "a moment too old", Timestamp(seconds=_NOW_S - 35 * DAY_US // SECOND_US - 1), ("35 days ago", "2026-02-03")
        ),
        Bad("a moment too far ahead", Timestamp(seconds=_NOW_S + 301), ("5 minutes ahead", "2026-03-10T12:05:01")),
    ],
    (
        Timestamp(seconds=_NOW_S - 35 * DAY_US // SECOND_US),
        Timestamp(seconds=_NOW_S, nanos=999_999_999),
        Timestamp(seconds=_NOW_S + 300),
    ),
)

LENGTH = Rule(
    [
        Bad("zero", Duration(), ("1 second to 3,653 days", "0 microseconds")),
        Bad("negative", Duration(seconds=-60), ("1 second to 3,653 days", "-60000000")),
        Bad("a moment too short", Duration(nanos=999_999_000), ("1 second to 3,653 days", "999999")),
        Bad("too long", Duration(seconds=3_653 * 86_400 + 1), ("1 second to 3,653 days", "315619201000000")),
        Bad("absurdly long", Duration(seconds=INT64_MAX), ("1 second to 3,653 days", str(INT64_MAX))),
        Bad("finer than microseconds", Duration(seconds=60, nanos=1), ("whole microseconds", "1 ns")),
        Bad("with nanos of more than a second", Duration(seconds=60, nanos=10**9), ("nanos", "1000000000 ns")),
        Bad("with nanos of another sign", Duration(seconds=60, nanos=-1_000), ("nanos", "-1000 ns")),
        Bad("with absurd nanos", Duration(seconds=60, nanos=INT32_MIN), ("nanos", str(INT32_MIN))),
    ],
    (Duration(seconds=1), Duration(seconds=1, nanos=1_000), Duration(seconds=3_653 * 86_400)),
)
TTL = Rule(
    [
        Bad("zero", Duration(), ("1 second to 24 hours", "0 s")),
        Bad("negative", Duration(seconds=-60), ("1 second to 24 hours", "-60 s")),
        Bad("a moment too short", Duration(nanos=999_999_000), ("1 second to 24 hours", "0.999999 s")),
        Bad("too long", Duration(seconds=86_401), ("1 second to 24 hours", "86401 s")),
        *(each for each in LENGTH.bad if each.value.nanos and each.title != "a moment too short"),
    ],
    (Duration(seconds=1), Duration(seconds=86_400)),
)
