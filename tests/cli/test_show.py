"""`budgetd show` and `budgetd list` against a real server."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from budgetd import BudgetManager
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.cli import app, show
from tests.cli.conftest import Give
from tests.rpc.running_server import PROJECT, RunningServer

Done = Callable[..., str]


def test_show_prints_limit_spent_remaining_window_rate_and_models(server: RunningServer, done: Done) -> None:
    done("create", "alice", "--usd", "5", "--per", "day", "--time-zone", "Europe/Berlin", "--label", "team=red")
    server.charge(1_000_000_001, model="gpt-4o", usage=pb.Usage(input_tokens=1_234, output_tokens=56))

    printed = done("show", "alice")

    for fact in (
        *("team=red", "day, Europe/Berlin", "$5.00", "$1.000000001", "$3.999999999", "20.0%"),
        *("2026-03-10 23:00:00 UTC", "rate an hour", "gpt-4o", "1,234", "56"),
    ):
        assert fact in printed


def test_show_prints_the_lifetime_next_to_the_count(server: RunningServer, done: Done) -> None:
    server.create("alice")
    server.charge(2_000_000_000)
    done("reset", "alice")

    assert "spent: $0.00, since it was made $2.00" in done("show", "alice")


def test_show_has_no_rate_of_what_a_reset_has_taken_back(server: RunningServer, done: Done) -> None:
    server.create("alice", pb.Limit(amount=3_000_000_000))
    server.charge(2_000_000_000)
    before = done("show", "alice")

    done("reset", "alice")

    assert ["runs out" in printed for printed in (before, done("show", "alice"))] == [True, False]
    (status,) = json.loads(done("show", "alice", "--json"))["limit_statuses"]
    assert status["burn_rate_per_hour"] == "0"


def test_show_prints_the_whole_budget_as_json_for_programs(server: RunningServer, done: Done) -> None:
    server.create("alice", pb.Limit(amount=10))
    server.charge(7)

    budget = json.loads(done("show", "alice", "--json"))

    assert budget["limit_statuses"][0]["remaining"] == "3"
    assert budget["model_costs"][0]["cost_nano_usd"] == "7"


@pytest.mark.parametrize("words", [("show", "alice"), ("list",)], ids=" ".join)
def test_a_file_is_shown_without_a_server(tmp_path: Path, words: tuple[str, ...]) -> None:
    database = tmp_path / "budgetd.db"
    with BudgetManager("chat", database=database) as manager:
        manager.create_budget(total_budget=10, user="alice")

    result = CliRunner().invoke(app, [*words, "--project", "chat", "--database", str(database)])

    assert (result.exit_code, result.stderr) == (0, "")
    assert "alice" in result.stdout
    assert "$10.00" in result.stdout


@pytest.mark.parametrize("words", [("show", "alice"), ("list",)], ids=" ".join)
def test_a_file_that_cannot_be_shown_is_refused_and_none_is_made(
    give: Give, tmp_path: Path, words: tuple[str, ...]
) -> None:
    none, text = tmp_path / "none.db", tmp_path / "text.db"
    text.write_text("no ledger" * 100)

    missing, other = (give(*words, "--database", str(path)) for path in (none, text))

    assert (missing.exit_code, missing.stderr) == (2, f"budgetd: {none} does not exist\n")
    assert (other.exit_code, other.stdout) == (2, "")
    assert "text.db" in other.stderr
    assert not none.exists()


def test_show_of_an_unknown_budget_fails_with_the_reason(give: Give) -> None:
    result = give("show", "nobody")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "(BUDGET_NOT_FOUND)" in result.stderr


def test_an_id_that_looks_like_markup_is_printed_as_it_is(server: RunningServer, done: Done) -> None:
    server.create("[bold]x[/bold]:smile:")

    assert "[bold]x[/bold]:smile:" in done("list")


def test_a_long_id_is_printed_whole(server: RunningServer, done: Done) -> None:
    name = "x" * 256
    server.create(name)

    assert done("list").count("x") == len(name)


def test_list_pages_through_everything_in_order_of_creation(
    server: RunningServer, done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "PAGE_SIZE", 2)
    names = ["c", "a", "e", "b", "d"]
    for name in names:
        server.create(name)

    lines = done("list", "--json").splitlines()

    assert [json.loads(line)["budget_id"] for line in lines] == names
    assert "5 budgets" in done("list")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        pytest.param(("--prefix", "user-"), ["user-1", "user-2"], id="by prefix"),
        pytest.param(("--min-used", "0.8"), ["user-2"], id="by use"),
        pytest.param(("--min-used", "80%"), ["user-2"], id="by use in percent"),
        pytest.param(("--min-used", "79 %"), ["user-1", "user-2"], id="by use in percent, with a space"),
        pytest.param(("--label", "team=red"), ["user-1", "key"], id="by label"),
        pytest.param(("--label", "team=red", "--prefix", "k"), ["key"], id="by both"),
        pytest.param(("--prefix", "nobody"), [], id="none"),
    ],
)
def test_list_filters(server: RunningServer, done: Done, options: tuple[str, ...], names: list[str]) -> None:
    server.create("user-1", pb.Limit(amount=100), labels={"team": "red"})
    server.create("user-2", pb.Limit(amount=100))
    server.create("key", labels={"team": "red"})
    server.charge(80, "user-2")
    server.charge(79, "user-1")

    lines = done("list", "--json", *options).splitlines()

    assert [json.loads(line)["budget_id"] for line in lines] == names


def test_list_shows_deleted_budgets_only_when_asked(server: RunningServer, done: Done) -> None:
    server.create("alice")
    server.stub.DeleteBudget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice"))

    assert done("list") == "0 budgets\n"
    assert "alice (deleted)" in done("list", "--deleted")


def test_list_shows_what_was_spent_of_each(server: RunningServer, done: Done) -> None:
    server.create("alice", pb.Limit(amount=10_000_000))
    server.create("bob")
    server.charge(20_000_000, "alice")
    server.charge(1, "bob")

    table = done("list")

    assert [word in table for word in ("200.0% EXCEEDED", "-$0.01", "no limit", "$0.000000001")] == [True] * 4


def test_limits_are_returned_in_their_own_units_with_what_is_held(server: RunningServer, done: Done) -> None:
    tokens = pb.Limit(limit_id="tpm", unit=pb.UNIT_TOKENS, amount=100_000)
    calls = pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=50)
    server.create("alice", pb.Limit(amount=5_000_000_000), tokens, calls)
    server.charge(1_000_000_000, model="gpt-4o", usage=pb.Usage(input_tokens=1_234))
    server.reserve(2_000_000_000)

    printed = done("show", "alice")

    for fact in ("100,000 tokens", "1,234 tokens", "98,766 tokens", "50 calls", "48 calls", "held", "$2.00", "60.0%"):
        assert fact in printed


def test_a_list_takes_no_other_limit_for_the_main_one(server: RunningServer, done: Done) -> None:
    server.create(
        "alice", pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=50), pb.Limit(limit_id="day", amount=9)
    )
    server.charge(3)

    table = done("list")

    assert [word in table for word in ("$0.000000003", "no main limit", "33.3% of limit day")] == [True] * 3
