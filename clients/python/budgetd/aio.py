"""AsyncBudgetManager: BudgetManager, awaited."""

from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self

from budgetd._manager_plans import ManagerPlans
from budgetd._opening import Database, hosted, reset_mode_of
from budgetd._steps import Awaiting
from budgetd._values import project_id
from budgetd.client import AsyncBudgetClient
from budgetd.manager import ResetMode


class AsyncBudgetManager(ManagerPlans, Awaiting):
    """The methods of BudgetManager, awaited. It belongs to the event loop that uses it.

    ```python
    async with AsyncBudgetManager(project_name="chat") as manager:
        await manager.create_budget(total_budget=10, user="alice", duration="monthly")
        await manager.update_cost(user="alice", completion_obj=completion)
    ```

    Arguments and errors are those of BudgetManager, but nothing is called before `async with`, or the first method.
    `await manager.get_records()` is what `user_dict` is there; edit_record, edit_model_cost, put_record and
    delete_user are its edits.
    """

    def __init__(
        self,
        project_name: str,
        client_type: Literal["local", "hosted"] = "local",
        api_base: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        database: Database = None,
        reset_mode: ResetMode | None = None,
        dedupe_completions: bool = False,
    ) -> None:
        self.project_name = project_name
        self.client_type = client_type
        self._project_id = project_id(project_name)
        self._reset_mode = reset_mode_of(client_type, reset_mode)
        self._dedupes_completions = dedupe_completions
        if client_type == "hosted":
            address, token, metadata = hosted(api_base, headers)
            self._caller: AsyncBudgetClient = AsyncBudgetClient(address, token=token, metadata=metadata)
        else:
            from budgetd.local import AsyncLocalTransport  # noqa: PLC0415 - the server is loaded only by who wants it.

            self._caller = AsyncBudgetClient.over(AsyncLocalTransport(database))

    async def close(self) -> None:
        """Let go of the connection or the file; calls then raise RuntimeError. Closing twice is fine."""
        await self._caller.close()

    async def __aenter__(self) -> Self:
        await self.load_data()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self.close()
