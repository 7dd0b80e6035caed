"""BudgetManager: a drop-in replacement for `litellm.BudgetManager`, over budgetd."""

import logging
from collections.abc import Mapping
from typing import Any

from budgetd.client import BudgetClient
from budgetd.local import LocalTransport
from budgetd.manager.methods import ManagerMethods
from budgetd.manager.opening import Opening
from budgetd.manager.record_methods import RecordMethods
from budgetd.manager.steps import Waiting
from budgetd.manager.user_dict import RecordView, UserDict
from budgetd.user_cost import Record

log = logging.getLogger("budgetd")


class BudgetManager(Opening, ManagerMethods, Waiting):
    """Budgets for the users of a program that calls paid APIs, as LiteLLM's class of that name has them.

    ```python
    from budgetd import BudgetManager

    manager = BudgetManager(project_name="chat")
    if not manager.is_valid_user("alice"):
        manager.create_budget(total_budget=10, user="alice", duration="monthly")
    if manager.get_current_cost("alice") <= manager.get_total_budget("alice"):
        manager.update_cost(user="alice", completion_obj=completion)
    ```

    Any number of threads, and children of `fork`, may share one manager. It need not be closed; in a `with` block it is
    closed at the end.

    Args:
        project_name: A namespace for users. Projects in one file, or on one server, are independent of each other.
        client_type: "local": the server's own engine in this process, over one SQLite file, which any number of
            processes may share; needs `pip install "budgetd[local]"`. "hosted": a budgetd server, over gRPC.
        api_base: Hosted only: `host:port`, `grpc://host:port`, `grpcs://host:port` for TLS, or `unix:PATH`. None:
            BUDGETD_ADDRESS, and without that 127.0.0.1:50051.
        headers: Hosted only: sent with every call. `{"Authorization": "Bearer ..."}` is the token; without it,
            the token is BUDGETD_TOKEN, if set.
        database: Local only: a path, or `sqlite:///path`. None: BUDGETD_DATABASE, and without that `budgetd.db` in the
            current folder.
        reset_mode: What ends the windows of budgets that this manager makes. "on_request": only reset_on_duration and
            update_budget_all_users, as in LiteLLM; the default of "local". "automatic": the clock; the default of
            "hosted".
        dedupe_completions: True: a completion that is charged twice to the same user, by its id, counts once.
        timeout_seconds: How long each call to the server may take before a method raises Unavailable or
            DeadlineExceeded, its retries included. Most methods make one call; those that read all users make one for
            each thousand. None: with a server 5 seconds for reads and 10 for changes, "local" 10 seconds for both.
        prices: Local only: your price file, TOML or LiteLLM's JSON, or several, of which later ones win. None:
            BUDGETD_PRICES. Each is read once per process and not reloaded. A server has price files of its own.

    Raises:
        ValueError, TypeError: An argument breaks a rule.
        ImportError: "local" without its extra; the message is the command to type.
        ServerUnreachable: No server answers within one second (BUDGETD_CONNECT_TIMEOUT_SECONDS).

    Warns:
        UserCostFileFound: A new database is made in a folder that has LiteLLM's `user_cost.json`. Nothing is imported;
            the text has the command that does it.
    """

    _caller: BudgetClient
    _client_class = BudgetClient
    _transport_class = LocalTransport

    def _begin(self) -> None:
        self.load_data()

    @property
    def user_dict(self) -> dict[str, Any]:
        """All users' records. Edits go to the service (see `UserDict`)."""
        return UserDict(self)

    @user_dict.setter
    def user_dict(self, records: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace all records. Users that are not in the new ones are deleted."""
        view = UserDict(self)
        for user in self.get_users():
            if user not in records:
                del view[user]
        view.update(records)

    def _handed_out(self, user: str, record: Record) -> Record:
        return RecordView(self, user, record)

    def print_verbose(self, print_statement: object) -> None:
        """Log a line at level DEBUG."""
        log.debug("%s", print_statement)


def read_records(client: BudgetClient, project_id: str) -> dict[str, Record]:
    """Read every user's record of a project, as `BudgetManager.user_dict` has them.

    Each record is whole; those of different users may be of different moments.

    Raises:
        BudgetdError: A call failed.
    """
    return _RecordReader(client, project_id).get_records()


class _RecordReader(RecordMethods, Waiting):
    def __init__(self, client: BudgetClient, project_id: str) -> None:
        self._caller, self._project_id = client, project_id
