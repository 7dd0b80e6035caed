"""The constructor: what it understands, what it refuses, and by which words."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from budgetd import AsyncBudgetManager, BudgetManager, ServerUnreachable, UnknownModel
from budgetd.manager.opening import parse_headers
from tests.client.no_spans import NO_SPANS
from tests.manager.conftest import an_unused_address

COMPLETION = {"id": "c1", "model": "gpt-4o-mini", "usage": {"prompt_tokens": 1_000, "completion_tokens": 500}}
COST = 0.00045


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ({"project_name": None}, TypeError, "project_name"),
        ({"project_name": ""}, ValueError, "project_name"),
        ({"client_type": "remote"}, ValueError, "client_type must be 'local' or 'hosted'"),
        ({"reset_mode": "never"}, ValueError, "reset_mode"),
        ({"client_type": "hosted", "api_base": "https://api.litellm.ai"}, ValueError, "grpcs://api.litellm.ai:50051"),
        ({"client_type": "hosted", "api_base": "localhost"}, ValueError, "host:port"),
        ({"databse": "b.db"}, TypeError, r"^{}\.__init__\(\) .*'databse'; did you mean 'database'\?$"),
        ({"reset_moed": "automatic"}, TypeError, r"^{}\.__init__\(\) .*did you mean 'reset_mode'\?$"),
        ({"wonder": 1}, TypeError, r"^{}\.__init__\(\) got an unexpected keyword argument 'wonder'$"),
    ],
)
@pytest.mark.parametrize("manager_class", [BudgetManager, AsyncBudgetManager])
def test_a_bad_argument_is_refused_by_name(
    manager_class: Any, arguments: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named.replace("{}", manager_class.__name__)):
        manager_class(**{"project_name": "p", **arguments})


@pytest.mark.parametrize("manager_class", [BudgetManager, AsyncBudgetManager])
def test_a_manager_without_a_project_is_refused_by_the_name_of_its_class(manager_class: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{manager_class.__name__}\.__init__\(\) missing .* 'project_name'$"):
        manager_class()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda manager: manager.update_cost(usr="a"), r"update_cost\(\) .*'usr'; did you mean 'user'\?$"),
        (lambda manager: manager.get_current_cost(), r"get_current_cost\(\) missing .* 'user'$"),
    ],
)
def test_arguments_of_a_method_are_refused_by_its_own_name(manager: BudgetManager, call: Any, said: str) -> None:
    with pytest.raises(TypeError, match=rf"^BudgetManager\.{said}"):
        call(manager)


@pytest.mark.parametrize("manager_class", [BudgetManager, AsyncBudgetManager])
@pytest.mark.parametrize("client_type", ["local", "hosted"])
@pytest.mark.parametrize(("seconds", "error", "rule"), NO_SPANS)
def test_a_timeout_that_is_no_time_is_refused_before_a_file_is_made_or_a_server_is_called(
    manager_class: Any,
    client_type: str,
    seconds: Any,
    error: type[Exception],
    rule: str,
    tmp_path: Path,
) -> None:
    database = {"database": tmp_path / "b.db"} if client_type == "local" else {}

    with pytest.raises(error, match=rf"^timeout_seconds must be {rule}, got {re.escape(repr(seconds)[:50])}"):
        manager_class("p", client_type, timeout_seconds=seconds, **database)

    assert not list(tmp_path.iterdir())


def test_no_server_is_reported_within_a_second_or_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BUDGETD_CONNECT_TIMEOUT_SECONDS")
    began = time.monotonic()

    with pytest.raises(ServerUnreachable, match="budgetd serve"):
        BudgetManager("p", client_type="hosted", api_base=an_unused_address())

    # Well before the 10 s of a whole call are over, also on a busy machine.
    assert time.monotonic() - began < 8


def test_headers_are_metadata_and_bearer_is_the_token() -> None:
    opened = parse_headers(
        "localhost:1", {"Content-Type": "application/json", "X-Team": "a", "Authorization": "Bearer t"}
    )

    assert opened == ("localhost:1", "t", {"x-team": "a"})


def test_other_kinds_of_authorization_are_sent_as_they_are() -> None:
    assert parse_headers("localhost:1", {"Authorization": "Basic t"}) == (
        "localhost:1",
        "",
        {"authorization": "Basic t"},
    )


def test_windows_of_a_hosted_manager_end_by_the_clock(address: str) -> None:
    with BudgetManager("automatic", client_type="hosted", api_base=address) as manager:
        manager.create_budget(10, "alice", "daily", created_at=time.time() - 3 * 86_400 - 5)
        manager.update_cost("alice", COMPLETION)

        assert manager.user_dict["alice"]["last_updated_at"] == pytest.approx(time.time() - 5, abs=60)


def test_completions_that_are_deduplicated_count_once_for_each_user(address: str) -> None:
    with BudgetManager("dedupe", client_type="hosted", api_base=address, dedupe_completions=True) as manager:
        for user in ("alice", "bob"):
            manager.create_budget(10, user)
            for _ in range(3):
                manager.update_cost(user, COMPLETION)
        manager.update_cost("bob", {**COMPLETION, "id": "c2"})

        assert manager.get_current_cost("alice") == COST
        assert manager.get_current_cost("bob") == 2 * COST


def test_threads_share_a_manager(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    gate = threading.Barrier(8)

    def charge(_: int) -> None:
        gate.wait()
        for _ in range(25):
            manager.update_cost("alice", COMPLETION)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(charge, range(8)))

    assert manager.get_current_cost("alice") == pytest.approx(200 * COST, abs=1e-12)


def test_an_unknown_model_is_litellms_error_too_if_it_is_imported(
    manager: BudgetManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BadRequestError(Exception):
        def __init__(self, message: str, model: str, llm_provider: str) -> None:
            raise AssertionError("it is never made by its own constructor")

    litellm = ModuleType("litellm")
    litellm.exceptions = ModuleType("litellm.exceptions")  # type: ignore[attr-defined]
    litellm.exceptions.BadRequestError = BadRequestError
    monkeypatch.setitem(__import__("sys").modules, "litellm", litellm)
    manager.create_budget(10, "alice")

    with pytest.raises(BadRequestError, match="nobody-knows") as raised:
        manager.update_cost("alice", {**COMPLETION, "model": "nobody-knows"})

    assert isinstance(raised.value, UnknownModel)
    assert raised.value.reason == "UNKNOWN_MODEL"
    assert raised.value.model == "nobody-knows"  # type: ignore[attr-defined]


@pytest.mark.parametrize("client_type", ["hosted", "local"])
async def test_the_awaited_manager_does_the_same(address: str, tmp_path: Path, client_type: Any) -> None:
    place: dict[str, Any] = {"api_base": address} if client_type == "hosted" else {"database": tmp_path / "b.db"}
    async with AsyncBudgetManager("awaited", client_type, **place) as manager:
        await manager.create_budget(10, "alice", "daily")
        answer = await manager.update_cost("alice", COMPLETION)
        await manager.edit_record("alice", "total_budget", 5)

        assert answer["user"]["current_cost"] == COST
        assert (await manager.get_records())["alice"]["total_budget"] == 5
        assert await manager.get_users() == ["alice"]
        with pytest.raises(KeyError):
            await manager.get_current_cost("nobody")


def test_both_managers_have_the_same_methods() -> None:
    names = [name for name in dir(BudgetManager) if not name.startswith("_")]

    assert set(names) - set(dir(AsyncBudgetManager)) == {"user_dict", "print_verbose"}


def test_what_was_done_is_there_for_the_next_manager(tmp_path: Path) -> None:
    with BudgetManager("p", database=tmp_path / "b.db") as manager:
        manager.create_budget(10, "alice")
        manager.update_cost("alice", COMPLETION)
        manager.create_budget(10, "bob")
        manager.update_cost("bob", COMPLETION)
        manager.reset_cost("bob")

    with BudgetManager("p", database=f"sqlite:///{tmp_path / 'b.db'}") as manager:
        assert manager.get_current_cost("alice") == COST
        assert manager.user_dict["bob"] == {"total_budget": 10, "current_cost": 0, "model_cost": {}}


def test_projects_in_one_file_have_nothing_in_common(tmp_path: Path) -> None:
    with (
        BudgetManager("p", database=tmp_path / "b.db") as one,
        BudgetManager("q", database=tmp_path / "b.db") as other,
    ):
        one.create_budget(10, "alice")

        assert other.user_dict == {}
