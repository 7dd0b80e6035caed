"""What the machine draws from: few budgets, few names, small amounts, and times that meet each other."""

from hypothesis import strategies as st

from budgetd_server.domain.bounds import OTHER_MODELS
from budgetd_server.domain.budget import MAIN, Action, Limit, ResetMode, Unit
from budgetd_server.domain.commands import LimitDraft
from budgetd_server.domain.usage import NO_PARTS, Usage
from budgetd_server.domain.window import SECOND_US, Calendar, CalendarUnit, Fixed, Lifetime, Window
from tests.domain.desk import DAY_US, HOUR_US

#: Friday, 27 March 2026, 10:30 UTC: in the middle of an hour, two days before the clocks of Berlin are set forward.
START_US = 1_774_607_400 * SECOND_US
#: The code under test is patched to allow no more levels, so that trees of few budgets are too deep.
DEPTH_MAX = 3
#: Likewise few: a budget is charged for more models than it counts apart.
MODELS_MAX = 3
#: Twice this is a count that fits, three times is not.
HUGE = 4 * 10**18

IDS = {"p": ("org", "team", "alice", "bob", "tpl"), "q": ("org", "alice", "tpl")}
PLACES = [(project_id, budget_id) for project_id, ids in IDS.items() for budget_id in ids]
#: How many steps all machines of this process have made.
steps_made = [0]

projects = st.sampled_from(["p", "p", "p", "q"])
#: Which of a project's budgets; those from 10 on may be missing, or templates.
numbers = st.integers(0, 3) | st.integers(0, 14)
picks = st.integers(0, 9)
#: True: the command waits, and shares a transaction with the next one.
joins = st.sampled_from([False, False, False, True])
rarely = st.sampled_from([False, False, False, True])
costs = st.integers(0, 12)
_bits = st.integers(0, 1)
usages = st.none() | st.builds(Usage, st.integers(2, 6), st.integers(1, 6), _bits, _bits, _bits, st.just(NO_PARTS))
#: A hold keeps input and output, and no parts of them.
held_usages = st.none() | st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda each: Usage(*each))
models: st.SearchStrategy[tuple[str, tuple[str, ...]]] = st.sampled_from(
    [("", ()), ("m1", ()), ("m2", ()), ("x", ("m1",)), ("x", ()), ("y", ("n", "m2")), (OTHER_MODELS, ())]
)
ttls = st.sampled_from([SECOND_US, 60 * SECOND_US, 600 * SECOND_US, HOUR_US])
patterns: st.SearchStrategy[tuple[str, ...]] = st.sampled_from([(), (), ("m1",), ("m*",), ("m2", "x*")])
windows: st.SearchStrategy[Window] = st.sampled_from(
    [
        Lifetime(),
        Fixed(length_us=HOUR_US, anchor_at_us=START_US - 1_800 * SECOND_US),
        Fixed(length_us=600 * SECOND_US, anchor_at_us=START_US + 90 * SECOND_US),
        Calendar(unit=CalendarUnit.HOUR),
        Calendar(unit=CalendarUnit.HOUR, count=6),
        Calendar(unit=CalendarUnit.DAY, time_zone="Europe/Berlin"),
        Calendar(unit=CalendarUnit.MONTH),
    ]
)
actions = st.sampled_from([Action.BLOCK, Action.BLOCK, Action.BLOCK, Action.WARN])
jumps = st.sampled_from([SECOND_US, 61 * SECOND_US, 601 * SECOND_US, HOUR_US, DAY_US, 800 * DAY_US]) | st.sampled_from(
    [-2 * SECOND_US, -HOUR_US, -3 * DAY_US, -400 * DAY_US]
)
label_sets = st.sampled_from([{}, {"tier": "gold"}, {"tier": "tin", "city": "Ulm"}])
some_limit_ids = st.lists(st.sampled_from([MAIN, "a", "b", "c"]), max_size=2, unique=True)
OTHER_CONTENT = b"other content"


@st.composite
def main_limits(draw: st.DrawFn) -> LimitDraft:
    """A main limit, in money; some of a fixed window are reset on request, and some get their anchor at creation."""
    window = draw(windows)
    is_fixed = isinstance(window, Fixed)
    mode = ResetMode.ON_REQUEST if is_fixed and draw(st.booleans()) else ResetMode.AUTOMATIC
    limit = Limit(amount=draw(st.integers(0, 30)), window=window, action=draw(actions), reset_mode=mode)
    return LimitDraft(limit=limit, anchors_at_creation=is_fixed and draw(rarely))


@st.composite
def named_limits(draw: st.DrawFn, limit_id: str, unit: Unit) -> LimitDraft:
    """A limit in addition to the main one; rarely in another unit than it usually has."""
    if draw(st.integers(0, 19)) == 0:
        unit = draw(st.sampled_from(Unit))
    amount = draw(st.integers(0, 5 if unit is Unit.CALLS else 30))
    limit = Limit(
        limit_id=limit_id, unit=unit, amount=amount, window=draw(windows), models=draw(patterns), action=draw(actions)
    )
    return LimitDraft(limit=limit)


limit_lists = st.tuples(
    st.none() | main_limits(),
    st.none() | named_limits("a", Unit.NANO_USD),
    st.none() | named_limits("b", Unit.TOKENS),
    st.none() | named_limits("c", Unit.CALLS),
).map(lambda drafts: tuple(draft for draft in drafts if draft is not None))
