"""AsyncBudgetManager: BudgetManager, awaited."""

from typing import Self

from budgetd.client import AsyncBudgetClient
from budgetd.local import AsyncLocalTransport
from budgetd.manager.methods import ManagerMethods
from budgetd.manager.opening import Opening
from budgetd.manager.steps import Awaiting


class AsyncBudgetManager(Opening, ManagerMethods, Awaiting):
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
    _client_class = AsyncBudgetClient
    _transport_class = AsyncLocalTransport

    async def __aenter__(self) -> Self:
        await self.load_data()
        return self
