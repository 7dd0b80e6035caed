"""Bodies that come of a real answer of `/get_budget`, as the class would save it, and then are damaged.

A generator of its own, with a seed, so that the same bodies can be sent again.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

from tests.litellm.hosted.conftest import Records, charge, reset
from tests.rpc.running_server import PROJECT

#: Values of wrong types and kinds.
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "text", "1.5", [], {}, [1], {"a": 1}),
    *(0, -0.0, 1, -1, 0.1, 1e-9, 1e-300, 1e300, -1e300, 10**9, 10**9 + 1, 2**63, 2**64, 10**30),
    *(float("nan"), float("inf"), float("-inf")),
    *("\x00", "a\nb", "\u202e", "😀" * 65, "x" * 257, "x" * 100_000),
)
#: What no JSON of Python's would hold, put in as it is.
TEXTS = (
    *(b"1e400", b"-1e400", b"9" * 400, b"9" * 5_000, b"01", b"+1", b".5", b"1.", b"0x10", b"1_0"),
    *(
        b"NaN",
        b"-Infinity",
        b"nan",
        b"'x'",
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\xff\xfe"',
        b'"\xed\xa0\x80"',
        b'"\n"',
    ),
    *(b'"\\x41"', b"undefined", b"", b"{}}", b"[,]", b'{"a":1,}', b"/**/1", b'"' + b"\\u0000" * 50 + b'"'),
)
DEPTHS = (2, 50, 200, 260, 500, 990, 1_010, 1_022, 1_100, 50_000)
KEYS = ("total_budget", "duration", "created_at", "last_updated_at", "current_cost", "model_cost", "budgetd", "more")
#: Put where some value is to stand, and replaced once it is JSON.
_PLACE = "«here»"


def hostile(random: Random, given: Records) -> bytes:
    """A save, damaged in up to three ways; of each eight, one is left whole."""
    users = deepcopy(given)
    _use(random, users)
    body: Any = {"project_name": PROJECT, "user_dict": users}
    if not random.randrange(8):
        return json.dumps(body).encode()
    for _ in range(random.choice((1, 1, 2, 3))):
        body = random.choice(_TREES)(random, body)
    content = json.dumps(body, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    place = json.dumps(_PLACE).encode()
    for escaped in (place, json.dumps(_PLACE, ensure_ascii=False).encode()):
        content = content.replace(escaped, _raw(random))
    if random.random() < 0.3:
        content = random.choice(_CONTENTS)(random, content)
    return content


def _use(random: Random, users: Records) -> None:
    """What a program does with its budgets."""
    for record in users.values():
        if random.random() < 0.5:
            charge(record, random.choice((0, 1e-9, 0.1, 0.25, 7)), random.choice(("gpt-4o", "o1", "")))
        if not random.randrange(12):
            reset(record)
        if not random.randrange(12):
            record["total_budget"] = random.choice((0, 1, 99.5))
        if not random.randrange(12):
            record["last_updated_at"] = record.get("last_updated_at", 1.7e9) + random.choice((-86_400, 0, 86_400))
    if not random.randrange(4):
        users[f"new{random.randrange(3)}"] = {"total_budget": 5}
    if not random.randrange(10):
        users.pop(random.choice(list(users)))


# --- Damages of the tree.


def _records(body: Any) -> list[dict[str, Any]]:
    users = body.get("user_dict") if isinstance(body, dict) else None
    return [each for each in users.values() if isinstance(each, dict)] if isinstance(users, dict) else []


def _value(random: Random, more: tuple[Any, ...] = ()) -> Any:
    """A value of any kind, not shared with others: it may be damaged, too."""
    return deepcopy(random.choice((*more, *VALUES)))


def _set(random: Random, target: Any) -> Any:
    """Something in place of something else, one to a few levels deep."""
    if isinstance(target, dict) and target and random.random() < 0.8:
        key = random.choice(list(target))
        target[key] = _set(random, target[key])
        return target
    return _PLACE if random.random() < 0.4 else _value(random)


def _key(random: Random, body: Any) -> Any:
    """A key of a record gets a value of any kind."""
    for record in random.sample(_records(body), min(2, len(_records(body)))):
        value = _PLACE if random.random() < 0.3 else _value(random)
        key = random.choice(KEYS)
        if key == "model_cost" and random.random() < 0.7:
            value = {random.choice(("gpt-4o", "", "\n", "x" * 300)): value}
        record[key] = value
    return body


def _marker(random: Random, body: Any) -> Any:
    """A marker is of another view, or has something else than was given."""
    for record in random.sample(_records(body), min(2, len(_records(body)))):
        marker = record.get("budgetd")
        if not isinstance(marker, dict):
            continue
        views = ("", "0" * 16 + ".0.0", "f" * 16 + "." + "9" * 18 + "." + "9" * 18, "g.1.1", marker.get("view"))
        change = random.randrange(4)
        if change == 0:
            marker["view"] = _value(random, views)
        elif change == 1:
            marker["given"] = _value(random)
        elif change == 2 and isinstance(marker.get("given"), dict):
            marker["given"][random.choice(KEYS)] = _value(random)
        else:
            record.pop("budgetd")
    return body


def _unmarked(random: Random, body: Any) -> Any:
    """No record has a marker; some say that they were made at any time."""
    for record in _records(body):
        record.pop("budgetd", None)
        if not random.randrange(3):
            record["created_at"] = _PLACE if random.random() < 0.5 else _value(random)
    return body


def _without(random: Random, body: Any) -> Any:
    """Some keys are missing."""
    for record in [body, *random.sample(_records(body), min(1, len(_records(body))))]:
        if isinstance(record, dict) and record and random.random() < 0.6:
            record.pop(random.choice(list(record)))
    return body


def _users(random: Random, body: Any) -> Any:
    """Users of any name, with any record."""
    users = body.get("user_dict") if isinstance(body, dict) else None
    if isinstance(users, dict):
        names = ("", "\x00", "a\u0085b", "x" * 257, "\u202e", "😀" * 64, "alice ", "x" * 50_000)
        some = list(users.values()) or [None]
        users[random.choice(names)] = random.choice((None, {"total_budget": 1}, deepcopy(random.choice(some))))
    return body


_TREES: tuple[Callable[[Random, Any], Any], ...] = (*(_set, _key, _key, _marker, _marker, _unmarked, _without, _users),)


def _raw(random: Random) -> bytes:
    if random.random() < 0.3:
        depth = random.choice(DEPTHS)
        opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
        return opening * depth + b"1" + closing * depth
    return random.choice(TEXTS)


# --- Damages of the bytes.


def _truncated(random: Random, content: bytes) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _flipped(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.randint(1, 4)):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _twice(random: Random, content: bytes) -> bytes:
    """A key, or all of it, is there twice."""
    if random.random() < 0.3:
        return content + content
    at = content.find(b'"', random.randrange(len(content) + 1))
    return content[:at] + b'"total_budget": 3, "user_dict": {}, "alice": 5, ' + content[at:]


def _elsewhere(random: Random, content: bytes) -> bytes:
    """In another encoding."""
    text = content.decode("utf-8", "replace")
    return random.choice((text.encode("utf-16"), b"\xef\xbb\xbf" + content, text.encode("latin-1", "replace")))


_CONTENTS = (_truncated, _flipped, _twice, _elsewhere)
