"""AsyncBudgetManager: BudgetManager, awaited."""

from types import TracebackType
from typing import Self

from budgetd._manager_plans import ManagerPlans
from budgetd._opening import Database, Hosted, Opening, PriceFiles, embedded_policy
from budgetd._steps import Awaiting
from budgetd._user_cost_file import offer_import
from budgetd.client import AsyncBudgetClient


class AsyncBudgetManager(Opening, ManagerPlans, Awaiting):
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

    _caller: AsyncBudgetClient

    def _connect(self, server: Hosted, timeout_seconds: float | None) -> None:
        self._caller = AsyncBudgetClient(
            server.address, token=server.token, metadata=server.metadata, timeout_seconds=timeout_seconds
        )

    def _embed(self, database: Database, timeout_seconds: float | None, prices: PriceFiles) -> None:
        from budgetd.local import AsyncLocalTransport  # noqa: PLC0415 - the server is loaded only by who wants it.

        transport = AsyncLocalTransport(database, prices=prices)
        offer_import(transport.path, self._project_id)
        self._caller = AsyncBudgetClient.over(transport, embedded_policy(timeout_seconds))

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
