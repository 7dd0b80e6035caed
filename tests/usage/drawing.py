"""Random usages of every dialect, and an independent look at what of them was dropped."""

import copy
import random
from collections.abc import Iterator
from typing import Any

from budgetd.usage import Answer, UsageError, read_answer
from budgetd.usage.dialect import COST_PARTS, Dialect
from budgetd.usage.recogniser import ORDER, UNKNOWN
from tests.usage.cached_image_cases import CACHED_IMAGES
from tests.usage.cases import PARTS, TOTALS
from tests.usage.library_cases import LIBRARIES, PROVIDERS
from tests.usage.media_cases import MEDIA
from tests.usage.more_cases import CHATS, GOOGLE, OTHERS
from tests.usage.term_cases import TERMS
from tests.usage.tool_cases import CACHES, TOOLS
from tests.usage.wrapped_cases import WRAPPED

CASES = (
    *PARTS,
    *MEDIA,
    *CACHED_IMAGES,
    *TOTALS,
    *GOOGLE,
    *CHATS,
    *OTHERS,
    *WRAPPED,
    *TOOLS,
    *CACHES,
    *TERMS,
    *PROVIDERS,
    *LIBRARIES,
)
HOLDERS = ("usage", "usage_metadata", "usageMetadata", "usage_info", "meta")
DIALECTS = {dialect.name: dialect for dialect in (*ORDER, UNKNOWN)}
NEW_NAMES = ("wonder_tokens", "toolTokens", "fee", "prompt_tokens_extra", "seconds_billed")
#: Larger than every count that is drawn, so that it cannot hide among them.
BUMP = 10**9
#: Counts that change nothing: what they are is on the page of each dialect.
KNOWN_TO_CHANGE_NOTHING = {"_tool_use", "_tool_text", "_seen_input", "_seen_output"}
#: Paths that are read only to be reported, so that nothing is left of them where a cost that was given includes them.
COVERED_BY_COST = {("pydantic_ai", "requests"), ("ai_sdk", "cachedInputTokens")}


def draw(choose: random.Random) -> dict[str, Any]:
    """An answer of some form, with counts scaled, set, removed and added."""
    answer = copy.deepcopy(choose.choice(CASES).answer)
    usage = usage_of(answer)
    if usage is None:
        return answer
    if choose.random() < 0.5:
        scale(usage, choose.randint(1, 1_000))
    for _ in range(choose.randint(0, 3)):
        choose.choice((_add_unknown, _add_unknown_below, _set, _remove))(usage, choose)
    return answer


def usage_of(answer: dict[str, Any]) -> dict[str, Any] | None:
    """Where an answer keeps its counts, whole answers of events included."""
    inner = answer.get("response") or answer.get("delta") or answer
    places = (inner, inner.get("x_groq") or {}, *(inner.get("choices") or ()))
    return next((place[holder] for place in places for holder in HOLDERS if holder in place), None)


def lost(answer: dict[str, Any]) -> list[str]:
    """Every nonzero number of an answer's usage that was neither priced, nor refused, nor reported as unread."""
    try:
        read = read_answer(answer)
    except UsageError:
        return []
    dialect, found = DIALECTS[read.dialect], []
    for path, holder, key in numbers(usage_of(answer) or {}):
        names = set(spellings(path, usage_of(answer) or {}))
        if names & set(read.unread_fields):
            continue
        if read.cost_nano_usd is not None and (read.dialect, path) in COVERED_BY_COST:
            continue
        part = next((dialect.parts[name] for name in names if name in dialect.parts), None)
        if part is None:
            is_lost = not _is_accounted(dialect, read, names) and not _matters(answer, read, holder, key)
        else:
            is_lost = part not in KNOWN_TO_CHANGE_NOTHING and not _matters(answer, read, holder, key)
        if is_lost:
            found.append(path)
    return found


def numbers(holder: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each nonzero number below a holder: its path, what holds it and under which key."""
    for key, value in list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder)):
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict | list):
            yield from numbers(value, name)
        elif isinstance(value, int | float) and not isinstance(value, bool) and value:
            yield name, holder, key


def spellings(path: str, usage: dict[str, Any]) -> Iterator[str]:
    """A path by places in lists, and by modality where an item has one."""
    yield path
    names: list[str] = []
    here: Any = usage
    for name in path.split("."):
        here = here[int(name)] if isinstance(here, list) else here[name]
        kind = (here.get("modality") or ("count" in here and here.get("type"))) if isinstance(here, dict) else None
        names.append(kind.lower() if kind else name)
    yield ".".join(names)


def scale(holder: Any, factor: int) -> None:
    """Multiply every number."""
    for _, where, key in list(numbers(holder)):
        where[key] *= factor


def _matters(answer: dict[str, Any], read: Any, holder: Any, key: Any) -> bool:
    """True if a much larger number there changes what is charged or reported, or is refused."""
    before = holder[key]
    holder[key] = before + BUMP
    try:
        after = read_answer(answer)
        return bool((after.usage, after.unread_fields) != (read.usage, read.unread_fields))
    except UsageError:
        return True
    finally:
        holder[key] = before


def _is_accounted(dialect: Dialect, read: Answer, names: set[str]) -> bool:
    """True for what the page of prices calls no count of its own, or money, or part of a cost that was given."""
    if read.cost_nano_usd is None:
        known = {*dialect.harmless, *dialect.money} - COST_PARTS.keys()
    else:
        known = {*dialect.harmless, *dialect.money, *dialect.unpriced}
    return any(name == path or (path.endswith(".*") and name.startswith(path[:-1])) for name in names for path in known)


def _add_unknown(usage: dict[str, Any], choose: random.Random) -> None:
    usage[choose.choice(NEW_NAMES)] = choose.choice((1, 7, 10**6, 0.25, -3))


def _add_unknown_below(usage: dict[str, Any], choose: random.Random) -> None:
    holders = [value for value in usage.values() if isinstance(value, dict)]
    target = choose.choice(holders) if holders and choose.random() < 0.7 else usage.setdefault("new_details", {})
    target[choose.choice(NEW_NAMES)] = choose.choice((5, [3, {"deep": 4}], {"one": {"two": 9}}))


def _set(usage: dict[str, Any], choose: random.Random) -> None:
    """Set a count or amount of any dialect to anything, mostly something small."""
    path = choose.choice(_PATHS)
    count: Any = choose.choice((0, 1, 5, 50, 1_000, 10**6, -1, 1.5, True, None, "9"))
    *holders, key = path.split(".")
    target = usage
    for name in holders:
        deeper = target.setdefault(name, {})
        if not isinstance(deeper, dict):
            return
        target = deeper
    target[key] = count


def _remove(usage: dict[str, Any], choose: random.Random) -> None:
    if usage:
        del usage[choose.choice(sorted(usage))]


_PATHS = sorted({path for dialect in ORDER for path in (*dialect.parts, *dialect.unpriced, *dialect.money)})
