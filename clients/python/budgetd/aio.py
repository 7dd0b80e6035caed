"""AsyncBudgetManager: BudgetManager with coroutine methods."""

from typing import Self

from budgetd.client import AsyncBudgetClient
from budgetd.local import AsyncLocalTransport
from budgetd.manager.methods import ManagerMethods
from budgetd.manager.opening import Opening
from budgetd.manager.steps import Awaiting


class AsyncBudgetManager(Opening, ManagerMethods, Awaiting):
    """BudgetManager with coroutine methods. It belongs to the event loop that uses it.

    ```python
    async with AsyncBudgetManager(project_name="chat") as manager:
        await manager.create_budget(total_budget=10, user="alice", duration="monthly")
        await manager.update_cost(user="alice", completion_obj=completion)
    ```

    Arguments and errors are those of BudgetManager, but the server is first called by `async with`, or by the first
    method. `await manager.get_records()` replaces `user_dict`; edit_record, edit_model_cost, put_record and delete_user
    replace its edits.
    """

    _caller: AsyncBudgetClient
    _client_class = AsyncBudgetClient
    _transport_class = AsyncLocalTransport

    async def __aenter__(self) -> Self:
        await self.load_data()
        return self
