"""How counters go through their windows: by the clock, on request, and when clocks step back."""

from contextlib import suppress
from typing import Any

import pytest

from budgetd_server.domain.admission import BudgetExceeded
from budgetd_server.domain.budget import Limit, Sums
from budgetd_server.domain.commands import Command
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.errors import NoWindow
from budgetd_server.domain.results import WindowsReset
from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed, Span
from tests.domain.desk import (
    DAY_US,
    HOUR_US,
    MONDAY_US,
    Desk,
    adjust,
    charge,
    create,
    limited,
    reset,
    reset_many,
    reset_on_duration,
    update,
)

DAILY = limited(100, every_us=DAY_US)
ON_REQUEST = limited(100, every_us=DAY_US, on_request=True)
CALENDAR_MONTH = limited(100, window=Calendar(unit=CalendarUnit.MONTH, time_zone="Europe/Berlin"))


def a_desk(limit: Limit | None = DAILY) -> Desk:
    """Alice has the limit and has spent 10 on Monday."""
    desk = Desk()
    desk.decide(create(limit))
    desk.decide(charge(10, model="gpt"))
    return desk


def day(number: int) -> Span:
    return Span(MONDAY_US + number * DAY_US, MONDAY_US + (number + 1) * DAY_US)


# --- By the clock.


@pytest.mark.parametrize(
    ("at_us", "spent"),
    [
        pytest.param(DAY_US - 1, 15, id="just before it closes it counts on"),
        pytest.param(DAY_US, 5, id="the instant of closing belongs to the next window"),
        pytest.param(40 * DAY_US, 5, id="long after, with nothing between"),
    ],
)
def test_a_window_is_over_once_its_end_has_come(at_us: int, spent: int) -> None:
    desk = a_desk()
    desk.now_us = MONDAY_US + at_us

    outcome = desk.decide(charge(5))

    assert outcome.limits[0].spent == spent


def test_a_roll_is_an_entry_before_that_of_the_charge_and_has_the_windows_skipped() -> None:
    desk = a_desk()
    desk.now_us += 4 * DAY_US + HOUR_US

    outcome = desk.decide(charge(5, request_id="late"))

    rolled, charged = desk.entries()[-2:]
    assert (rolled.kind, rolled.cause, rolled.windows_skipped) == (EntryKind.RESET, Cause.WINDOW_ENDED, 3)
    assert (rolled.request_id, charged.request_id) == ("", "late")
    assert outcome.entry_seq == charged.seq == rolled.seq + 1
    assert desk.budget().main.since_seq == rolled.seq
    assert desk.budget().main.span == day(4)


def test_a_roll_begins_the_models_again_and_keeps_the_lifetime() -> None:
    desk = a_desk()
    desk.now_us += DAY_US

    desk.decide(charge(5, model="claude"))

    assert desk.budget().models == {"claude": Sums(5, calls=1)}
    assert desk.budget().lifetime_cost_nano_usd == 15


def test_a_window_that_is_over_reads_as_zero_before_anything_has_rolled() -> None:
    desk = a_desk()
    desk.now_us += 2 * DAY_US

    status = desk.status()

    assert (status.current_cost_nano_usd, status.limits[0].spent, status.limits[0].span) == (0, 0, day(2))
    assert (status.models, status.lifetime_cost_nano_usd) == ((), 10)
    assert len(desk.entries()) == 2


@pytest.mark.parametrize("command", [charge(0), adjust(0), update(limit=DAILY), reset(), reset_on_duration()])
def test_every_command_on_a_budget_ends_a_window_that_is_over(command: Command[Any]) -> None:
    desk = a_desk()
    desk.now_us += DAY_US

    desk.decide(command)

    assert Cause.WINDOW_ENDED in {entry.cause for entry in desk.entries()}
    assert desk.budget().main.span == day(1)


def test_a_calendar_window_ends_with_the_month_of_its_zone() -> None:
    desk = a_desk(CALENDAR_MONTH)
    april_us = desk.status().limits[0].span.end_at_us
    assert april_us == (1_774_994_400) * 1_000_000, "31 March 2026, 22:00 UTC: summer time has begun in Berlin"

    desk.now_us = april_us - 1
    before = desk.decide(charge(1)).limits[0].spent
    desk.now_us = april_us
    after = desk.decide(charge(1)).limits[0].spent

    assert (before, after) == (11, 1)


def test_windows_do_not_drift_with_late_rolls() -> None:
    desk = a_desk()
    for days in range(1, 30):
        desk.now_us = MONDAY_US + days * DAY_US + days * HOUR_US // 2
        desk.decide(charge(1))

        assert desk.budget().main.span == day(days)


def test_a_budget_without_a_limit_never_rolls() -> None:
    desk = a_desk(None)
    desk.now_us += 10_000 * DAY_US

    desk.decide(charge(5))

    assert desk.budget().main.sums.cost_nano_usd == 15
    assert [entry.kind for entry in desk.entries()] == [EntryKind.CREATE, EntryKind.CHARGE, EntryKind.CHARGE]


# --- Clocks that step back.


def test_a_clock_that_steps_back_across_the_end_and_forward_again_wipes_nothing_and_counts_nothing_twice() -> None:
    desk = a_desk()
    desk.now_us = MONDAY_US + DAY_US + 5
    desk.decide(charge(1))
    desk.now_us = MONDAY_US + DAY_US - HOUR_US
    during = desk.decide(charge(2)).limits[0]
    desk.now_us = MONDAY_US + DAY_US + 10
    after = desk.decide(charge(4)).limits[0]

    assert (during.spent, during.span) == (3, day(1)), "the stored window lies ahead, stays and is charged"
    assert (after.spent, after.span) == (7, day(1))
    assert desk.budget().lifetime_cost_nano_usd == 17
    assert [entry.kind for entry in desk.entries()].count(EntryKind.RESET) == 1


@pytest.mark.parametrize(
    ("back_us", "moves"),
    [
        pytest.param(DAY_US, False, id="exactly one length ahead it stays"),
        pytest.param(DAY_US + 1, True, id="more than one length ahead it becomes the window of now"),
        pytest.param(30 * DAY_US, True, id="the same for a month ahead"),
    ],
)
def test_a_window_more_than_one_length_ahead_becomes_that_of_now_and_keeps_its_count(back_us: int, moves: bool) -> None:
    desk = a_desk()
    since_seq = desk.budget().main.since_seq
    desk.now_us = MONDAY_US - back_us

    spent = desk.decide(charge(5)).limits[0].spent

    assert spent == 15
    assert desk.budget().main.since_seq == since_seq
    assert (desk.budget().main.span == day(0)) is not moves
    assert [entry.cause for entry in desk.entries()].count(Cause.CLOCK_STEPPED_BACK) == int(moves)


def test_clocks_that_differ_by_more_than_a_short_window_do_not_take_it_back_and_forth() -> None:
    desk = Desk(now_us=MONDAY_US + 500_000)
    desk.decide(create(limited(10, every_us=1_000_000)))
    slow_us, fast_us = desk.now_us, desk.now_us + 2_000_000

    admitted = 0
    for turn in range(20):
        desk.now_us = fast_us if turn % 2 else slow_us
        with suppress(BudgetExceeded):
            desk.decide(charge(5)._replace(rejects_over_limit=True))
            admitted += 1

    assert admitted == 3, "one by the slow clock, and two in the window that the fast one has opened"


def test_a_short_window_more_than_ten_seconds_ahead_becomes_that_of_now() -> None:
    desk = Desk(now_us=MONDAY_US + 20_000_000)
    desk.decide(create(limited(10, every_us=1_000_000)))
    desk.decide(charge(5))
    desk.now_us -= 10_000_000
    stayed = desk.decide(charge(1)).limits[0]
    desk.now_us -= 1

    moved = desk.decide(charge(1)).limits[0]

    assert (stayed.spent, stayed.span.start_at_us) == (6, MONDAY_US + 20_000_000)
    assert (moved.spent, moved.span.start_at_us) == (7, MONDAY_US + 9_000_000)


def test_what_was_kept_when_a_clock_stepped_far_back_ends_with_the_window_it_was_moved_to() -> None:
    desk = a_desk()
    desk.now_us = MONDAY_US - 5 * DAY_US
    desk.decide(charge(5))
    desk.now_us += DAY_US

    assert desk.decide(charge(1)).limits[0].spent == 1


# --- Reset on request.


def test_a_window_reset_on_request_counts_on_past_its_end() -> None:
    desk = a_desk(ON_REQUEST)
    desk.now_us += 10 * DAY_US

    limit = desk.decide(charge(5)).limits[0]

    assert (limit.spent, limit.span) == (15, day(0))
    assert EntryKind.RESET not in {entry.kind for entry in desk.entries()}


def test_reset_on_duration_begins_the_window_of_now_on_its_grid() -> None:
    desk = a_desk(ON_REQUEST)
    desk.now_us += 10 * DAY_US + HOUR_US

    outcome = desk.decide(reset_on_duration(request_id="one"))

    entry = desk.entries()[-1]
    assert (outcome.result, outcome.entry_seq) == (WindowsReset(1), entry.seq)
    assert (entry.cause, entry.request_id, entry.windows_skipped) == (Cause.REQUESTED, "one", 9)
    assert desk.budget().main.span == day(10)
    assert desk.budget().main.sums == Sums()
    assert desk.budget().lifetime_cost_nano_usd == 10


def test_the_anchor_of_a_window_reset_on_request_is_the_start_of_the_current_one() -> None:
    desk = a_desk(ON_REQUEST)
    desk.now_us += 10 * DAY_US + HOUR_US

    desk.decide(reset_on_duration())

    limit = desk.budget().main.limit
    assert limit is not None
    assert limit.window == Fixed(length_us=DAY_US, anchor_at_us=MONDAY_US + 10 * DAY_US)


@pytest.mark.parametrize("limit", [DAILY, ON_REQUEST], ids=["automatic", "on request"])
@pytest.mark.parametrize(
    ("at_us", "was_reset"),
    [
        pytest.param(DAY_US - 1, False, id="just before it closes"),
        pytest.param(DAY_US, True, id="at the instant it closes"),
        pytest.param(90 * DAY_US, True, id="long after"),
    ],
)
def test_reset_on_duration_says_whether_it_reset_in_both_modes(
    limit: Limit | None, at_us: int, was_reset: bool
) -> None:
    desk = a_desk(limit)
    desk.now_us = MONDAY_US + at_us

    first = desk.decide(reset_on_duration())
    second = desk.decide(reset_on_duration())

    assert (first.result, second.result, second.entry_seq) == (WindowsReset(int(was_reset)), WindowsReset(0), 0)
    assert (first.entry_seq > 0) is was_reset
    assert desk.budget().main.sums.cost_nano_usd == (0 if was_reset else 10)


def test_reset_on_duration_does_not_claim_a_roll_that_a_charge_has_done() -> None:
    desk = a_desk()
    desk.now_us += DAY_US
    desk.decide(charge(5))

    outcome = desk.decide(reset_on_duration())

    assert outcome.result == WindowsReset(0)
    assert desk.budget().main.sums.cost_nano_usd == 5


def test_reset_on_duration_after_a_clock_stepped_far_back_resets_nothing() -> None:
    desk = a_desk()
    desk.now_us -= 10 * DAY_US

    outcome = desk.decide(reset_on_duration())

    assert (outcome.result, desk.budget().main.sums.cost_nano_usd) == (WindowsReset(0), 10)
    assert desk.entries()[-1].cause is Cause.CLOCK_STEPPED_BACK


@pytest.mark.parametrize("limit", [None, limited(100)], ids=["no limit", "a limit over the lifetime"])
def test_reset_on_duration_needs_a_window(limit: Limit | None) -> None:
    desk = a_desk(limit)

    with pytest.raises(NoWindow):
        desk.decide(reset_on_duration())


def test_resetting_many_counts_those_that_were_reset_and_passes_by_the_others() -> None:
    desk = Desk()
    desk.decide(create(DAILY, budget_id="over"))
    desk.decide(create(ON_REQUEST, budget_id="over on request"))
    desk.decide(create(limited(100, every_us=90 * DAY_US), budget_id="open"))
    desk.decide(create(None, budget_id="endless"))
    desk.now_us += DAY_US

    outcome = desk.decide(reset_many("over", "over on request", "open", "endless", "never was", reset_count_before=40))

    assert outcome.result == WindowsReset(42)
    assert [entry.kind for entry in desk.entries()[4:]] == [EntryKind.RESET] * 2


# --- ResetCost.


def test_a_reset_zeroes_the_count_and_leaves_window_lifetime_and_configuration() -> None:
    desk = a_desk()
    etag = desk.budget().etag
    desk.now_us += HOUR_US

    outcome = desk.decide(reset(request_id="one"))

    budget, entry = desk.budget(), desk.entries()[-1]
    assert (budget.main.sums, budget.models, budget.models_count) == (Sums(), {}, 0)
    assert (budget.main.span, budget.lifetime_cost_nano_usd, budget.etag) == (day(0), 10, etag)
    assert (entry.kind, entry.cause, entry.request_id) == (EntryKind.RESET, Cause.REQUESTED, "one")
    assert outcome.entry_seq == budget.main.since_seq == entry.seq


def test_a_reset_of_a_window_reset_on_request_does_not_end_it() -> None:
    desk = a_desk(ON_REQUEST)
    desk.now_us += 3 * DAY_US

    desk.decide(reset())

    assert desk.budget().main.span == day(0)
    assert desk.decide(reset_on_duration()).result == WindowsReset(1)


def test_a_reset_works_without_a_limit() -> None:
    desk = a_desk(None)

    desk.decide(reset())

    assert desk.status().current_cost_nano_usd == 0


# --- Changing the mode.


def test_a_limit_made_to_reset_on_request_keeps_its_window_and_count_and_is_anchored_there() -> None:
    desk = a_desk()
    desk.now_us += 3 * DAY_US
    desk.decide(charge(5))

    desk.decide(update(limit=ON_REQUEST))

    limit = desk.budget().main.limit
    assert limit is not None
    assert limit.window == Fixed(length_us=DAY_US, anchor_at_us=MONDAY_US + 3 * DAY_US)
    assert (desk.budget().main.span, desk.budget().main.sums.cost_nano_usd) == (day(3), 5)


def test_setting_the_anchor_of_a_limit_reset_on_request_moves_its_window_and_keeps_the_count() -> None:
    desk = a_desk(ON_REQUEST)
    anchor_at_us = MONDAY_US - 2 * DAY_US

    desk.decide(update(limit=limited(100, every_us=DAY_US, anchor_at_us=anchor_at_us, on_request=True)))

    assert desk.budget().main.span == Span(anchor_at_us, anchor_at_us + DAY_US)
    assert desk.budget().main.sums.cost_nano_usd == 10
    assert desk.decide(reset_on_duration()).result == WindowsReset(1)


def test_a_limit_made_automatic_again_counts_the_window_of_now() -> None:
    desk = a_desk(ON_REQUEST)
    desk.now_us += 3 * DAY_US
    desk.decide(charge(5))

    desk.decide(update(limit=DAILY))

    assert (desk.budget().main.span, desk.budget().main.sums.cost_nano_usd) == (day(3), 5)
