"""The judge of admissions sees what it is there to see."""

from tests.faults.slow_replay import (
    CALLS,
    CHARGE,
    EXPIRE,
    HOLD,
    RELEASE,
    RESET,
    SETTLE,
    STEPPED_BACK,
    BlockingLimit,
    Replay,
    Row,
)

USER, TEAM = 1, 2


def test_a_hold_that_passes_a_limit_is_named() -> None:
    replay = replay_of(hold(1, 6), hold(2, 5), hold(3, 1))

    assert replay.passed == [
        "after entry 2 of kind 2, team/main: 0 spent and 11 held are above 10",
        "after entry 3 of kind 2, team/main: 0 spent and 12 held are above 10",
    ]


def test_a_hold_that_passes_a_limit_together_with_what_is_spent_is_named() -> None:
    replay = replay_of(hold(1, 6), settle(2, 1, 5), hold(3, 5), Row(4, CHARGE, USER, (TEAM,), 1, 1))

    assert replay.passed == ["after entry 4 of kind 1, team/main: 6 spent and 5 held are above 10"]


def test_a_call_too_many_is_named() -> None:
    replay = replay_of(*(hold(number, 1) for number in range(1, 6)))

    assert replay.passed == ["after entry 5 of kind 2, team/calls: 0 spent and 5 held are above 4"]


def test_what_is_free_again_can_be_held_again() -> None:
    released, expired = (
        Row(3, RELEASE, USER, (TEAM,), reservation_seq=1),
        Row(6, EXPIRE, USER, (TEAM,), reservation_seq=4),
    )
    ended = Row(8, RESET, TEAM)

    replay = replay_of(hold(1, 9), released, hold(4, 9), expired, hold(7, 9), ended, settle(9, 7, 9), hold(10, 1))

    assert replay.passed == []
    assert replay.passed_on_time == []
    assert replay.open_holds() == 1


def test_an_estimate_that_is_corrected_counts_only_while_it_is_in_the_window() -> None:
    estimate = Row(2, EXPIRE, USER, (TEAM,), 9, 1, reservation_seq=1)
    correction = Row(4, SETTLE, USER, (TEAM,), -8, reservation_seq=1, adjusted_seq=2, is_late=True)

    inside = replay_of(hold(1, 9), estimate, correction, hold(5, 9))
    outside = replay_of(hold(1, 9), estimate, Row(3, RESET, TEAM), correction, hold(5, 10))
    without = replay_of(hold(1, 9), estimate, hold(5, 9))

    assert inside.passed == outside.passed == []
    assert without.passed == ["after entry 5 of kind 2, team/main: 9 spent and 9 held are above 10"]


def test_a_window_that_steps_back_keeps_its_count() -> None:
    replay = replay_of(hold(1, 9), settle(2, 1, 9), Row(3, RESET, TEAM, cause=STEPPED_BACK), hold(4, 2))

    assert replay.passed == ["after entry 4 of kind 2, team/main: 9 spent and 2 held are above 10"]


def test_what_is_booked_late_is_no_admission() -> None:
    expired = Row(2, EXPIRE, USER, (TEAM,), reservation_seq=1)
    late = Row(4, SETTLE, USER, (TEAM,), 9, 1, reservation_seq=1, is_late=True)

    replay = replay_of(hold(1, 9), expired, hold(3, 9), late, Row(5, RELEASE, USER, (TEAM,), reservation_seq=3))

    assert (replay.passed, replay.passed_on_time, replay.late) == ([], [], 1)


def test_a_limit_that_is_passed_by_anything_else_on_time_is_distinguished() -> None:
    replay = replay_of(hold(1, 9), settle(2, 1, 11))

    assert replay.passed == []
    assert replay.passed_on_time == ["after entry 2 of kind 3, team/main: 11 spent and 0 held are above 10"]


def replay_of(*rows: Row) -> Replay:
    money = BlockingLimit(budget_id="team", amount=10)
    calls = BlockingLimit(budget_id="team", limit_id="calls", unit=CALLS, amount=4)
    replay = Replay({TEAM: [money, calls]})
    replay.take_all(rows)
    return replay


def hold(seq: int, nano_usd: int) -> Row:
    return Row(seq, HOLD, USER, (TEAM,), held_nano_usd=nano_usd)


def settle(seq: int, reservation_seq: int, cost_nano_usd: int) -> Row:
    return Row(seq, SETTLE, USER, (TEAM,), cost_nano_usd, 1, reservation_seq)
