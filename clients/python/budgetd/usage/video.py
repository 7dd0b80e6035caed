"""Videos: the length of the generated video."""

from collections.abc import Mapping

from budgetd.usage.dialect import COST_PARTS, MONEY, Dialect, Look, need_nothing


def _is_it(look: Look) -> bool:
    return look.get("object") == "video" or "duration_seconds" in look.usage


def _outside(look: Look) -> Mapping[str, object]:
    seconds = look.get("seconds")
    return {} if seconds is None or look.usage.get("duration_seconds") else {"seconds": seconds}


DIALECT = Dialect(
    name="video",
    is_it=_is_it,
    parts={"duration_seconds": "video_seconds", "seconds": "video_seconds"},
    harmless={**COST_PARTS, "video_resolution": "is a size; the price is by the second"},
    money={**MONEY, "provider_reported_cost_usd": 1},
    settle=lambda _: None,
    needs=need_nothing,
    outside=_outside,
)
