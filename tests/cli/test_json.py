"""With `--json` every command reports to programs what it did, or why it failed, and never an unknown value as zero."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.cli import COMMANDS
from budgetd_server.cli.answers import FIRST_VIEW
from budgetd_server.cli.failing import JSON_OPTION
from tests.cli.conftest import Give
from tests.cli.test_program import PAGE, options_of
from tests.rpc.running_server import RunningServer

ROOT = Path(__file__).parents[2]
Done = Callable[..., str]


def always(message: type[Message]) -> frozenset[str]:
    """The members that protobuf's JSON of a message always has; the others are absent while they are unset."""
    return frozenset(field.name for field in message.DESCRIPTOR.fields if not field.has_presence)


FULL = always(pb.Budget) | {"create_time", "update_time"}
STATUS = FULL - {"model_costs"}


class Case(NamedTuple):
    """A command that succeeds, and one that fails."""

    words: tuple[str, ...]
    #: The members of the answer.
    members: set[str] | frozenset[str]
    failing: tuple[str, ...]
    reason: str
    exit_code: int = 1
    #: The members of the answer's budget; empty: it has none.
    budget: frozenset[str] = frozenset()


UPDATE_COST = always(cost_pb.UpdateCostResponse)
IMPORT = {
    *("file", "project", "dry_run", "size_bytes", "imported", "imported_nano_usd", "already_imported"),
    *("not_reached", "interruption", "left", "refused", "damages", "notes"),
}
NOWHERE = ("--address", "127.0.0.1:1")
CASES = {
    "create": Case(
        ("create", "bob"),
        {"budget", "replayed", "pattern_matches"},
        ("create", "alice"),
        "BUDGET_EXISTS",
        budget=STATUS,
    ),
    "charge": Case(("charge", "alice", "--usd", "1"), UPDATE_COST, ("charge", "x", "--usd", "1"), "BUDGET_NOT_FOUND"),
    "show": Case(("show", "alice"), FULL, ("show", "nobody"), "BUDGET_NOT_FOUND"),
    "list": Case(("list",), STATUS, ("list", "--min-used", "80"), "USAGE", 2),
    "reset": Case(("reset", "alice"), {"budget", "replayed"}, ("reset", "x"), "BUDGET_NOT_FOUND", budget=STATUS),
    "reset --on-duration": Case(
        ("reset", "alice", "--on-duration"),
        {"budget", "replayed", "was_reset"},
        ("reset", "endless", "--on-duration"),
        "NO_WINDOW",
        budget=STATUS,
    ),
    "reset --all": Case(("reset", "--all"), {"reset_count", "replayed"}, ("reset", "--all", "alice"), "USAGE", 2),
    "health": Case(("health",), {"address", "status"}, ("health", "--address", "x"), "USAGE", 2),
    "migrate": Case(("migrate",), {"database"}, ("migrate", "--database", "postgres://x"), "REFUSED", 2),
    "verify": Case(
        ("verify",),
        {"budgets", "entries", "reservations", "request_ids", "deviations"},
        ("verify", "--database", "none.db"),
        "REFUSED",
        2,
    ),
    "import": Case(("import", "user_cost.json"), IMPORT, ("import", "none.json"), "REFUSED", 2),
}
FAILING = {
    **{name: (case.failing, case.reason, case.exit_code) for name, case in CASES.items()},
    "a command that does not exist": (("chrage",), "USAGE", 2),
    "an option that does not exist": (("show", "alice", "--nonsense"), "USAGE", 2),
    "a bad field": (("create", "x", "--usd", "1", "--per", "day", "--time-zone", "No/Where"), "INVALID_FIELD", 1),
    "no server": (("show", "alice", *NOWHERE), "", 1),
}


@pytest.fixture(autouse=True)
def place(server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the commands below are given to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BUDGETD_DATABASE", str(server.database))
    (tmp_path / "user_cost.json").write_text('{"eve": {"total_budget": 1}}')
    week = pb.Window(fixed=pb.FixedWindow())
    week.fixed.length.seconds = 7 * 86_400
    server.create("alice", pb.Limit(amount=10, window=week))
    server.create("endless", pb.Limit(amount=10))
    server.charge(7, "alice", model="gpt-4o")


def test_every_command_with_the_option_is_tried_below() -> None:
    assert {name for name in COMMANDS if JSON_OPTION in options_of(name)} == {name.split()[0] for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_one_object_a_line_with_the_members_that_are_known(name: str, done: Done) -> None:
    case = CASES[name]

    answers = [json.loads(line) for line in done(*case.words, "--json").splitlines()]

    assert answers
    for answer in answers:
        assert set(answer) == case.members
        assert set(answer.get("budget", {})) == case.budget
        assert keys_with_spaces(answer) == []


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.usefixtures("brief_search")
def test_a_failure_is_one_object_on_standard_error_with_the_exit_code_of_the_text(name: str, give: Give) -> None:
    words, reason, exit_code = FAILING[name]

    result, in_text = give(*words, "--json"), give(*words)

    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert result.stderr.count("\n") == 1
    error = json.loads(result.stderr)["error"]
    assert {"code", "reason", "message", "violations"} <= set(error)
    assert error["reason"] == reason
    assert re.fullmatch("[A-Z_]+", error["code"])
    assert in_text.exit_code == exit_code
    assert not in_text.stderr.startswith("{")
    # Requests get a fresh id each time; the sentence is the same.
    assert error["message"] in " ".join(in_text.stderr.split())


def test_every_bad_field_is_a_violation(give: Give) -> None:
    result = give("charge", "alice", "--usd", "1", "--label", f"{'k' * 64}=v", "--request-id", "x" * 65, "--json")

    violations = json.loads(result.stderr)["error"]["violations"]
    assert len(violations) == 2
    assert [set(each) for each in violations] == [{"field", "description"}] * 2


def test_a_failure_has_the_numbers_and_the_request_id_that_settles_it(give: Give) -> None:
    error = json.loads(give("charge", "alice", "--model", "gpt-4x", "--input-tokens", "1", "--json").stderr)["error"]

    assert error["metadata"]["model"] == "gpt-4x"
    assert error["request_id"]


def test_a_server_that_does_not_serve_is_an_answer_of_health(give: Give) -> None:
    result = give("health", "--json", *NOWHERE)

    assert (result.exit_code, result.stderr) == (1, "")
    answer = json.loads(result.stdout)
    assert answer["status"] == "UNAVAILABLE"
    assert answer["detail"]


def test_what_an_import_could_not_take_is_in_its_report(give: Give, tmp_path: Path) -> None:
    (tmp_path / "user_cost.json").write_text('{"eve": {"total_budget": -1}}')

    result = give("import", "user_cost.json", "--json")

    assert (result.exit_code, result.stderr) == (1, "")
    assert len(json.loads(result.stdout)["refused"]) == 1


@pytest.mark.usefixtures("brief_search")
def test_an_import_without_a_server_reports_and_fails(give: Give) -> None:
    result = give("import", "user_cost.json", "--json", *NOWHERE)

    assert result.exit_code == 1
    assert json.loads(result.stdout)["not_reached"] == 1
    assert json.loads(result.stderr)["error"]["code"] == "UNAVAILABLE"


def test_deviations_are_an_answer_of_verify_and_all_they_tell_is_text(give: Give, server: RunningServer) -> None:
    server.loop.run(server.server.stop())
    with sqlite3.connect(server.database) as connection:
        connection.execute("UPDATE counters SET lifetime_cost_nano_usd = 9")

    result = give("verify", "--json")

    assert result.exit_code == 1
    deviations = json.loads(result.stdout)["deviations"]
    assert deviations
    assert {type(value) for each in deviations for value in each.values()} == {str}


def test_the_views_of_budgets_are_those_of_the_contract() -> None:
    """Each field that the contract gives in some views alone is known to be absent from the others."""
    contract = (ROOT / "proto/budgetd/v1/budget.proto").read_text()
    message = contract.partition("\nmessage Budget {")[2].partition("\n}")[0]
    views = {"views STATUS and FULL": pb.BUDGET_VIEW_STATUS, "view FULL": pb.BUDGET_VIEW_FULL}
    found = {
        name: views[view]
        for view, name in re.findall(
            r"// Output only, in (view[^.]*)\.(?:\n? *//[^\n]*|[^\n/]*)*\n *[\w ]+ (\w+) = ", message
        )
    }

    assert found == FIRST_VIEW


def test_the_page_documents_every_member_of_every_answer() -> None:
    section = PAGE.text.partition("\n## JSON\n")[2].partition("\n## ")[0]
    members = set().union(*(case.members for case in CASES.values()))

    assert sorted(member for member in members if f"`{member}`" not in section) == []


def keys_with_spaces(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [key for key in value if " " in key] + [key for each in value.values() for key in keys_with_spaces(each)]
    return [key for each in value for key in keys_with_spaces(each)] if isinstance(value, list) else []
