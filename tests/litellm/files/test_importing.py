"""`budgetd import`: every user once, however often and from whatever moment on it is tried."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from budgetd import BudgetManager
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.litellm.files.importing import create_request
from budgetd_server.litellm.files.reading import read_content
from tests.cli.conftest import Give
from tests.litellm.files.files import SOME, Users, saved
from tests.rpc.running_server import PROJECT, RunningServer

Done = Callable[..., str]


def records_of(server: RunningServer, project: str = PROJECT) -> dict[str, Any]:
    with BudgetManager(project, client_type="hosted", api_base=server.address) as manager:
        return {user: dict(record) for user, record in manager.user_dict.items()}


def report_of(give: Give, file: Path, *options: str) -> tuple[int, dict[str, Any]]:
    result = give("import", str(file), "--json", *options)
    return result.exit_code, json.loads(result.stdout)


def test_users_are_there_with_the_figures_of_the_file(server: RunningServer, done: Done, file: Path) -> None:
    report = done("import", str(file))

    assert report == "imported 4 users with $7.2512 to project project\n"
    assert records_of(server) == SOME


def test_windows_end_on_request_as_with_litellm(server: RunningServer, done: Done, file: Path) -> None:
    done("import", str(file))

    request = service.GetBudgetRequest(project_id=PROJECT, budget_id="alice", view=pb.BUDGET_VIEW_FULL)
    (limit,) = server.stub.GetBudget(request).budget.limits
    assert (limit.amount, limit.reset_mode) == (10_000_000_000, pb.RESET_MODE_ON_REQUEST)
    assert limit.window.fixed.length.seconds == 28 * 86_400
    assert limit.window.fixed.anchor_time.ToMicroseconds() == 1764100000500000


def test_what_is_imported_is_history_and_no_news(server: RunningServer, done: Done, file: Path) -> None:
    done("import", str(file))

    request = service.ListBudgetsRequest(project_id=PROJECT, view=pb.BUDGET_VIEW_STATUS)
    budgets = server.stub.ListBudgets(request).budgets
    metrics = server.server.metrics.registry
    assert sum(budget.current_cost_nano_usd for budget in budgets) == 7_251_200_000
    statuses = [status for budget in budgets for status in budget.limit_statuses]
    assert [each for each in statuses if each.burn_rate_per_hour or each.HasField("exhaustion_time")] == []
    assert [each.HasField("burn_rate_per_hour") for each in statuses] == [not each.spent for each in statuses]
    assert metrics.get_sample_value("budgetd_charged_nano_usd_total") == 0
    alerts = [sample for family in metrics.collect() if family.name == "budgetd_alerts" for sample in family.samples]
    assert alerts == []
    assert (metrics.get_sample_value("budgetd_charges_total", {"result": "recorded"}) or 0) > 0


def test_a_second_import_changes_nothing_and_says_so(server: RunningServer, done: Done, file: Path) -> None:
    done("import", str(file))
    before = server.stored()

    report = done("import", str(file))

    assert report.splitlines() == ["imported 0 users with $0.00 to project project", "4 users already imported"]
    assert server.stored() == before


def test_what_was_spent_since_stays(server: RunningServer, done: Done, file: Path) -> None:
    done("import", str(file))
    server.charge(7)

    done("import", str(file))

    assert server.spent() == 1_200_007


def test_a_dry_run_reports_the_same_and_writes_nothing(server: RunningServer, give: Give, file: Path) -> None:
    server.create("zoë 😀")
    before = server.stored()

    code, dry_report = report_of(give, file, "--dry-run")

    assert server.stored() == before
    assert (code, dry_report["dry_run"], dry_report["imported"], dry_report["imported_nano_usd"]) == (
        1,
        True,
        3,
        "7251200000",
    )
    _, report = report_of(give, file)
    assert {**report, "dry_run": True} == dry_report
    assert report_of(give, file, "--dry-run")[1]["already_imported"] == 3


def test_a_dry_run_over_a_file_that_does_not_exist_makes_none(give: Give, file: Path, tmp_path: Path) -> None:
    result = give("import", str(file), "--dry-run", "--database", str(tmp_path / "new.db"))

    assert (result.exit_code, result.stdout) == (0, "would import 4 users with $7.2512 to project project\n")
    assert not (tmp_path / "new.db").exists()


def test_a_file_is_imported_into_without_a_server(give: Give, file: Path, tmp_path: Path) -> None:
    database = tmp_path / "new.db"

    result = give("import", str(file), "--database", f"sqlite:///{database}")

    assert result.exit_code == 0
    with BudgetManager(PROJECT, database=database) as manager:
        assert manager.user_dict == SOME


def test_a_file_and_the_server_on_it_are_the_same_place(
    server: RunningServer, give: Give, done: Done, file: Path
) -> None:
    done("import", str(file), "--database", str(server.database))

    assert records_of(server) == SOME
    assert report_of(give, file)[1]["already_imported"] == 4


def test_a_user_that_others_have_made_is_left_as_it_is(server: RunningServer, give: Give, file: Path) -> None:
    server.create("alice", pb.Limit(amount=3))
    server.charge(2)

    result = give("import", str(file))

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "left 'alice': exists already: left as it is",
        "imported 3 users with $7.25 to project project",
        "1 user left as they are",
    ]
    assert records_of(server)["alice"]["total_budget"] == 3e-9
    assert server.spent() == 2


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"total_budget": 11}, id="the budget"),
        pytest.param({"current_cost": 0.0013}, id="what was spent"),
        pytest.param({"current_cost": 0.5, "model_cost": {"another": 0.5}}, id="the models"),
        pytest.param({"last_updated_at": 1764100001.5}, id="the window"),
    ],
)
def test_a_user_that_was_imported_with_other_figures_is_never_charged_again(
    server: RunningServer, give: Give, done: Done, file: Path, change: dict[str, Any]
) -> None:
    done("import", str(file))
    before = server.stored()
    file.write_bytes(saved({**SOME, "alice": {**SOME["alice"], **change}}))

    dry_report = report_of(give, file, "--dry-run")[1]
    code, report = report_of(give, file)

    assert (code, report["already_imported"]) == (1, 3)
    assert report["left"] == dry_report["left"]
    assert [(each["user"], each["reason"]) for each in report["left"]] == [("alice", "OTHER_FIGURES")]
    assert server.stored() == before


@pytest.mark.parametrize("again", ["deleted", "deleted and created again", "replaced"])
def test_a_user_that_was_deleted_or_replaced_since_is_left(
    server: RunningServer, give: Give, done: Done, file: Path, again: str
) -> None:
    done("import", str(file))
    if again == "replaced":
        done("create", "alice", "--replace")
    else:
        server.stub.DeleteBudget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice"))
    if again == "deleted and created again":
        server.create("alice")
    before = server.stored()

    report = report_of(give, file)[1]

    assert [each["user"] for each in report["left"]] == ["alice"]
    assert server.stored() == before


def test_an_import_that_was_cut_short_is_completed_and_keeps_what_was_spent_since(
    server: RunningServer, give: Give, file: Path
) -> None:
    record = read_content(saved(SOME)).records[0]
    server.stub.CreateBudget(create_request(PROJECT, record))
    server.charge(7)

    dry_report = report_of(give, file, "--dry-run")[1]
    report = report_of(give, file)[1]

    assert (dry_report["imported"], report["imported"]) == (4, 4)
    assert server.spent() == 1_200_007
    assert report_of(give, file)[1]["already_imported"] == 4


def test_projects_have_nothing_in_common(server: RunningServer, done: Done, file: Path) -> None:
    done("import", str(file), "--project", "one")
    done("import", str(file), "--project", "other")

    assert records_of(server, "one") == records_of(server, "other") == SOME


def test_a_cost_above_what_one_charge_may_be_is_several(server: RunningServer, done: Done, file: Path) -> None:
    file.write_bytes(saved({"whale": {"total_budget": 1e9, "current_cost": 2_500_000.25}}))

    for _ in range(2):
        done("import", str(file))

    assert server.spent("whale") == 2_500_000_250_000_000


def test_users_beyond_one_batch_of_charges_are_all_charged(server: RunningServer, done: Done, file: Path) -> None:
    costs = {f"model {number}": 0.001 for number in range(30)}
    users: Users = {
        f"user {number}": {"total_budget": 1, "current_cost": 0.03, "model_cost": costs} for number in range(100)
    }
    file.write_bytes(saved(users))

    assert done("import", str(file)) == "imported 100 users with $3.00 to project project\n"

    assert {record["current_cost"] for record in records_of(server).values()} == {0.03}


def test_what_is_refused_and_lost_is_reported_and_the_rest_is_imported(
    server: RunningServer, give: Give, file: Path
) -> None:
    content = saved({"bad": {"total_budget": -1}, "odd": {"total_budget": 1, "x": 2}, **SOME})
    file.write_bytes(content[:-20])

    result = give("import", str(file))

    assert (result.exit_code, result.stderr) == (1, "")
    *lines, damaged, imported, refused = result.stdout.splitlines()
    assert lines == [
        "note: 'odd' 'x' is no part of a record, and is left out",
        "refused 'bad': total_budget must be a number of dollars from 0 to 1,000,000,000, got -1",
    ]
    assert damaged.startswith(f"damaged: the file ends at byte {len(content) - 20:,} in the middle of the record")
    assert damaged.endswith("(still legible: total_budget 0.1, current_cost 7.25)")
    assert (imported, refused) == ("imported 4 users with $0.0012 to project project", "1 user refused")
    assert records_of(server).keys() == {"odd", *SOME} - {"dave"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_a_bar_is_shown_on_a_terminal_and_nowhere_else(give: Give, file: Path, tmp_path: Path) -> None:
    terminal, end = os.openpty()
    command = [sys.executable, "-m", "budgetd_server", "import", file.name, "--database", "budgetd.db"]
    environment = {**os.environ, "TERM": "xterm"}

    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=end, check=True)
    os.close(end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)

    assert "users" in shown
    assert "100%" in shown
    assert done.stdout.decode() == "imported 4 users with $7.2512 to project project\n"
    assert give("import", str(file), "--database", str(tmp_path / "other.db")).stderr == ""


def test_people_are_shown_some_of_many_and_programs_all(give: Give, file: Path) -> None:
    file.write_bytes(saved({f"user {number}": {"total_budget": -1} for number in range(25)}))

    lines = give("import", str(file)).stdout.splitlines()

    assert lines[20] == "… and 5 more of these: --json lists all"
    assert len(report_of(give, file)[1]["refused"]) == 25


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(("none.json",), "none.json does not exist", id="no file"),
        pytest.param((".",), "is not a file", id="a folder"),
        pytest.param(("{file}", "--database", "postgres://x"), "--database", id="a ledger of another kind"),
        pytest.param(("{file}", "--database", "{file}"), "user_cost.json", id="a ledger that is none"),
        pytest.param(("{file}", "--database", "x.db", "--address", "localhost:1"), "either", id="two places"),
        pytest.param(("{file}", "--project", ""), "project_name", id="no project"),
        pytest.param(("{file}", "--address", "http://localhost:1"), "gRPC", id="an address of HTTP"),
    ],
)
def test_what_cannot_be_done_as_given_is_exit_code_2(
    server: RunningServer, give: Give, file: Path, words: tuple[str, ...], sentence: str
) -> None:
    before, content = server.stored(), file.read_bytes()

    result = give("import", *(word.format(file=file) for word in words))

    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert (server.stored(), file.read_bytes()) == (before, content)


@pytest.mark.usefixtures("brief_search")
def test_a_server_that_does_not_answer_is_reported_with_what_was_not_reached(give: Give, file: Path) -> None:
    result = give("import", str(file), "--address", "127.0.0.1:1")

    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "4 users not reached"
    assert "give the same command again" in result.stderr
