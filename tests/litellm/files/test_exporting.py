"""`budgetd export`: what our manager shows, as LiteLLM's class would have saved it, whole or not at all."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from budgetd import BudgetClient, BudgetManager, LocalTransport
from budgetd.v1 import budget_pb2 as pb
from budgetd_server.litellm.files.exporting import exported, write
from tests.cli.conftest import Give
from tests.litellm.files.files import SOME, Users, any_users, saved
from tests.rpc.running_server import PROJECT, RunningServer

Done = Callable[..., str]
EXPORT = ("export", "--user-cost-json")


def test_the_records_are_those_of_the_manager(server: RunningServer, done: Done) -> None:
    with BudgetManager(PROJECT, client_type="hosted", api_base=server.address) as manager:
        manager.create_budget(10, "alice", "monthly")
        manager.create_budget(5, "bob")
        manager.update_cost("alice", {"model": "gpt-4o", "usage": {"prompt_tokens": 10, "completion_tokens": 1}})
        manager.reset_cost("bob")
        expected = json.dumps(manager.user_dict, indent=4)

    assert done(*EXPORT) == expected + "\n"


def test_import_and_export_give_the_file_again(done: Done, file: Path, tmp_path: Path) -> None:
    done("import", str(file))

    report = done(*EXPORT, "--output", str(tmp_path / "copy.json"))

    assert report == f"wrote 4 users to {tmp_path / 'copy.json'}\n"
    assert json.loads((tmp_path / "copy.json").read_bytes()) == SOME


def test_export_and_import_into_an_empty_project_give_the_same_records(done: Done, file: Path, tmp_path: Path) -> None:
    done("import", str(file))
    done("create", "hourly", "--usd", "3", "--per", "1h", "--on-request")
    done("charge", "hourly", "--usd", "0.000000001")
    done(*EXPORT, "--output", str(tmp_path / "copy.json"))

    done("import", str(tmp_path / "copy.json"), "--project", "copy")

    copy, original = (json.loads(done(*EXPORT, "--project", project)) for project in ("copy", PROJECT))
    assert copy == original


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(users=any_users)
def test_figures_go_in_and_out_to_the_nano_dollar(give: Give, tmp_path: Path, users: Users) -> None:
    file, database = tmp_path / "any.json", tmp_path / "any.db"
    for path in tmp_path.glob("any.db*"):
        path.unlink()
    file.write_bytes(saved(users))
    assert give("import", str(file), "--database", str(database)).exit_code == 0

    result = give(*EXPORT, "--database", str(database))

    records = json.loads(result.stdout)
    assert records.keys() == users.keys()
    for user, record in users.items():
        assert records[user].keys() == record.keys()
        assert records[user].get("model_cost") == pytest.approx(record.get("model_cost"), abs=1e-9)
        for key in record.keys() - {"model_cost"}:
            # A time is kept to the microsecond, an amount to the nano-dollar; sums of floats are off by as many.
            error = 1e-6 if key.endswith("_at") else 4e-9
            assert records[user][key] == pytest.approx(record[key], abs=error)


def test_a_budget_without_a_limit_has_the_largest_and_that_is_said(server: RunningServer, give: Give) -> None:
    server.create("alice")
    server.create("calls", pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=50))

    result = give(*EXPORT)

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"alice": {"total_budget": 1e9}, "calls": {"total_budget": 1e9}}
    assert result.stderr.splitlines() == [
        f"budgetd: {user!r} has no limit, so total_budget is the largest amount, 1e9" for user in ("alice", "calls")
    ]


def test_an_empty_project_is_an_empty_object(done: Done) -> None:
    assert done(*EXPORT) == "{}\n"


def test_a_file_that_is_there_is_replaced_only_by_force(server: RunningServer, give: Give, file: Path) -> None:
    before = file.read_bytes()

    result = give(*EXPORT, "--output", str(file))

    assert (result.exit_code, file.read_bytes()) == (2, before)
    assert "--force" in result.stderr
    assert give(*EXPORT, "--output", str(file), "--force").exit_code == 0
    assert file.read_text() == "{}"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with names")
def test_what_is_no_file_is_not_replaced_by_force_either(give: Give, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for place in (tmp_path, tmp_path / "pipe"):
        result = give(*EXPORT, "--output", str(place), "--force")

        assert (result.exit_code, result.stderr) == (2, f"budgetd: {place} is not a file\n")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param((), "--user-cost-json", id="no form"),
        pytest.param(("--user-cost-json", "--output", "none/x.json"), "cannot be written", id="no folder"),
        pytest.param(("--user-cost-json", "--database", "none.db"), "none.db does not exist", id="no ledger"),
    ],
)
def test_what_cannot_be_exported_as_asked_is_exit_code_2(
    give: Give, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)

    result = give("export", *words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert not (tmp_path / "none.db").exists()


@pytest.mark.usefixtures("brief_search")
def test_a_server_that_does_not_answer_is_one_line_and_exit_code_1(give: Give, tmp_path: Path) -> None:
    result = give(*EXPORT, "--address", "127.0.0.1:1", "--output", str(tmp_path / "x.json"))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize("replaces", [True, False])
def test_a_file_that_could_not_be_written_whole_is_not_there(tmp_path: Path, replaces: bool) -> None:
    (tmp_path / "old.json").write_text("old")
    name = "old.json" if replaces else "new.json"

    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / name, "begun \ud800", replaces=replaces)

    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "old"


def test_a_file_that_others_make_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("theirs")

    with pytest.raises(FileExistsError):
        write(tmp_path / "old.json", "ours", replaces=False)

    assert (tmp_path / "old.json").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_deleted_user_is_not_exported(tmp_path: Path) -> None:
    with BudgetManager("p", database=tmp_path / "b.db") as manager:
        manager.create_budget(1, "alice")
        manager.create_budget(1, "bob")
        del manager.user_dict["alice"]
    with BudgetClient.over(LocalTransport(tmp_path / "b.db")) as client:
        assert list(exported(client, "p").records) == ["bob"]
