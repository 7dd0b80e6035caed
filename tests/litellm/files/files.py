"""What LiteLLM's class leaves: files of users, whole and damaged."""

import json
from typing import Any

from hypothesis import strategies as st

Record = dict[str, Any]
Users = dict[str, Record]

#: Users with and without a window, with costs, with none, and with costs that sum to zero.
SOME: Users = {
    "alice": {
        "total_budget": 10,
        "duration": 28,
        "created_at": 1764000000.123456,
        "last_updated_at": 1764100000.5,
        "current_cost": 0.0012,
        "model_cost": {"gpt-4o": 0.001, "claude-sonnet": 0.0002},
    },
    "zoë 😀": {"total_budget": 5.5},
    'a "quoted" \\ name\u2028': {"total_budget": 0, "current_cost": 0, "model_cost": {}},
    "dave": {"total_budget": 0.1, "current_cost": 7.25, "model_cost": {"gpt-4o": 7.25}},
}


def saved(users: Users) -> bytes:
    """The file, as LiteLLM's class writes it."""
    return json.dumps(users, indent=4).encode()


def _amounts(most: float = 1e6) -> st.SearchStrategy[float]:
    return st.one_of(st.integers(0, int(most)), st.floats(0, most, allow_nan=False))


_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
_COSTS = st.dictionaries(_NAMES, _amounts(1e3), max_size=3).map(
    lambda costs: {"current_cost": sum(costs.values()), "model_cost": costs}
)
_TIMES = st.fixed_dictionaries(
    {
        "duration": st.sampled_from([1, 7, 28, 365]),
        "created_at": st.floats(1.7e9, 1.8e9),
        "last_updated_at": st.floats(1.7e9, 1.8e9),
    }
)
_RECORDS = st.builds(
    lambda total, times, costs: {"total_budget": total, **times, **costs},
    # A limit below a nano-dollar is refused; costs as small as that are rounded.
    _amounts().filter(lambda total: not 0 < total < 1e-9),
    st.one_of(st.just({}), _TIMES),
    st.one_of(st.just({}), _COSTS),
)
#: Any users that LiteLLM's class could have, within the rules.
any_users = st.dictionaries(_NAMES, _RECORDS, min_size=1, max_size=5)
