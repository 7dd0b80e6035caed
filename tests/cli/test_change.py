"""`budgetd create` and `budgetd reset` against a real server."""

import json
import re
from collections.abc import Callable

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from tests.cli.conftest import Give
from tests.rpc.running_server import PROJECT, RunningServer

Done = Callable[..., str]


def budget_of(server: RunningServer, budget_id: str) -> pb.Budget:
    request = service.GetBudgetRequest(project_id=PROJECT, budget_id=budget_id, view=pb.BUDGET_VIEW_FULL)
    return server.stub.GetBudget(request).budget


def test_create_makes_the_budget_that_the_options_say(server: RunningServer, done: Done) -> None:
    done(
        *("create", "alice", "--usd", "5.000000001", "--per", "day", "--time-zone", "Europe/Berlin"),
        *("--warn", "--label", "team=red", "--label", "note=a=b"),
    )

    budget = budget_of(server, "alice")
    limit = budget.limits[0]
    assert (limit.amount, limit.action) == (5_000_000_001, pb.LIMIT_ACTION_WARN)
    assert (limit.window.calendar.unit, limit.window.calendar.time_zone) == (pb.CALENDAR_UNIT_DAY, "Europe/Berlin")
    assert dict(budget.labels) == {"team": "red", "note": "a=b"}


def test_create_without_dollars_makes_a_budget_without_a_limit(server: RunningServer, done: Done) -> None:
    done("create", "alice")

    assert not budget_of(server, "alice").limits


def test_create_says_what_it_made(done: Done) -> None:
    assert done("create", "alice", "--usd", "5", "--per", "7d") == "created alice: $5.00 per 7d\n"


def test_create_prints_the_answer_as_json_for_programs(done: Done) -> None:
    answer = json.loads(done("create", "alice", "--usd", "5", "--json"))

    assert answer["budget"]["limits"][0]["amount"] == "5000000000"
    assert answer["replayed"] is False


def test_create_does_not_touch_a_budget_that_exists(server: RunningServer, give: Give, done: Done) -> None:
    done("create", "alice", "--usd", "5")

    result = give("create", "alice", "--usd", "6")

    assert result.exit_code == 1
    assert result.stderr == "budgetd: project 'project' already has a budget 'alice' (BUDGET_EXISTS)\n"
    assert result.stdout == ""
    assert budget_of(server, "alice").limits[0].amount == 5_000_000_000


def test_create_replaces_when_asked_to(server: RunningServer, done: Done) -> None:
    done("create", "alice", "--usd", "5")
    server.charge(7)

    done("create", "alice", "--usd", "6", "--replace")

    budget = budget_of(server, "alice")
    assert (budget.limits[0].amount, budget.current_cost_nano_usd) == (6_000_000_000, 0)


def test_create_sent_again_under_its_request_id_changes_nothing(done: Done) -> None:
    done("create", "alice", "--request-id", "once")

    assert "before" in done("create", "alice", "--request-id", "once")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param(("--usd", "0.0000000001"), "at most 9 decimals", id="finer than a nano-dollar"),
        pytest.param(("--per", "day"), "needs --usd", id="a window of nothing"),
        pytest.param(("--usd", "5", "--per", "fortnight"), "must be hour, day", id="an unknown span"),
        pytest.param(("--usd", "5", "--per", "7d", "--time-zone", "UTC"), "time zone", id="a zone without a calendar"),
        pytest.param(("--usd", "5", "--per", "day", "--on-request"), "needs --per with a length", id="on request"),
        pytest.param(("--label", "novalue"), "must be KEY=VALUE", id="a label without a value"),
        pytest.param(("--label", "a=1", "--label", "a=2"), "twice", id="a label twice"),
        pytest.param(("--timeout", "0"), "--timeout", id="no time at all"),
        pytest.param(("--timeout", "nan"), "'--timeout': the time must be a finite number", id="a time that is none"),
        pytest.param(("--timeout", "1e300"), "at most 1,000,000, got 1e+300", id="a time without end"),
        pytest.param(("--address", "http://localhost:1"), "gRPC", id="an address of HTTP"),
    ],
)
def test_create_refuses_options_that_make_no_sense(
    server: RunningServer, give: Give, options: tuple[str, ...], sentence: str
) -> None:
    before = server.stored()

    result = give("create", "alice", *options)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert server.stored() == before


def test_a_field_that_the_server_refuses_is_named(give: Give) -> None:
    result = give("create", "alice", "--usd", "5", "--per", "day", "--time-zone", "Mars/Olympus")

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "Mars/Olympus" in result.stderr
    assert result.stderr.endswith("(INVALID_FIELD)\n")


def test_reset_begins_the_count_again_and_keeps_the_lifetime(server: RunningServer, done: Done) -> None:
    server.create("alice")
    server.charge(7)

    assert done("reset", "alice") == "reset alice\n"

    budget = budget_of(server, "alice")
    assert (budget.current_cost_nano_usd, budget.lifetime_cost_nano_usd) == (0, 7)


def test_reset_on_duration_waits_for_the_end_of_the_window(server: RunningServer, done: Done) -> None:
    done("create", "alice", "--usd", "5", "--per", "7d", "--on-request")
    server.charge(7)

    assert done("reset", "alice", "--on-duration") == "not reset: the window of alice ends 2026-03-17 12:00:00 UTC\n"
    server.clock.advance(days=7)
    assert done("reset", "alice", "--on-duration") == "reset alice\n"

    assert server.spent() == 0


def test_reset_on_duration_of_a_budget_without_a_window_fails(server: RunningServer, give: Give) -> None:
    server.create("alice")

    result = give("reset", "alice", "--on-duration")

    assert result.exit_code == 1
    assert "(NO_WINDOW)" in result.stderr


def test_reset_all_resets_those_whose_window_is_over(server: RunningServer, done: Done) -> None:
    done("create", "alice", "--usd", "5", "--per", "7d", "--on-request")
    done("create", "bob", "--usd", "5", "--per", "8d", "--on-request")
    for budget_id in ("alice", "bob"):
        server.charge(7, budget_id)
    server.clock.advance(days=7)

    assert done("reset", "--all") == "reset 1 budget\n"

    assert (server.spent("alice"), server.spent("bob")) == (0, 7)


@pytest.mark.parametrize("words", [(), ("alice", "--all")], ids=["neither", "both"])
def test_reset_wants_one_budget_or_all(give: Give, words: tuple[str, ...]) -> None:
    result = give("reset", *words)

    assert result.exit_code == 2
    assert "either an ID or --all" in result.stderr


# --- Limits on models.


def test_create_with_models_makes_a_named_limit_and_shows_what_each_pattern_matches(
    server: RunningServer, done: Done
) -> None:
    printed = done("create", "alice", "--usd", "5", "--models", "claude-opus-4-5*", "--models", "gemini/gemini-2.5-pro")

    (limit,) = budget_of(server, "alice").limits
    assert (limit.limit_id, list(limit.models)) == ("models", ["claude-opus-4-5*", "gemini/gemini-2.5-pro"])
    created, opus, gemini = printed.splitlines()
    assert created == "created alice: $5.00 per lifetime for claude-opus-4-5*, gemini/gemini-2.5-pro"
    assert re.fullmatch(r"claude-opus-4-5\* matches \d+ known models, such as \S+, \S+, \S+", opus)
    assert gemini == "gemini/gemini-2.5-pro matches 1 known model: gemini/gemini-2.5-pro"


def test_create_warns_of_a_pattern_that_matches_no_known_model(server: RunningServer, give: Give) -> None:
    result = give("create", "alice", "--usd", "5", "--models", "claude-opsu*")

    assert result.exit_code == 0
    assert result.stderr == "budgetd: claude-opsu* matches none of the models that the server has prices of\n"
    assert [list(limit.models) for limit in budget_of(server, "alice").limits] == [["claude-opsu*"]]


def test_create_reports_to_programs_what_each_pattern_matches(give: Give) -> None:
    result = give("create", "alice", "--usd", "5", "--models", "claude-opsu*", "--json")

    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["pattern_matches"] == [
        {"limit_id": "models", "pattern": "claude-opsu*", "matched_count": 0, "example_models": []}
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(("--models", "gpt-4o"), "needs --usd", id="models without an amount"),
        pytest.param(
            ("--usd", "5", "--per", "7d", "--on-request", "--models", "gpt-4o"), "--on-request", id="on request"
        ),
        pytest.param(("--usd", "5", "--models", "*gpt"), "--models", id="a star in front"),
    ],
)
def test_create_refuses_models_that_make_no_limit(give: Give, options: tuple[str, ...], says: str) -> None:
    result = give("create", "alice", *options)

    assert result.exit_code in (1, 2)
    assert says in result.stderr
