"""The methods behind `user_dict`: they read records, and convert each kind of edit to calls."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.calls.rpc import ResponseT, UnaryRpc
from budgetd.calls.service import BudgetServiceRpcs as Rpcs
from budgetd.errors import BelowZero, EtagMismatch, NotFound, UnknownModel
from budgetd.manager.litellm_errors import as_litellm
from budgetd.manager.steps import Plan, Steps, ask
from budgetd.request_ids import RequestT
from budgetd.user_cost import (
    CREATED_AT_LABEL,
    Record,
    check_key,
    check_keys,
    limit_of,
    main_limit,
    model_costs,
    needs_history,
    parse_costs,
    parse_window,
    record_of,
)
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2
from budgetd.values import parse_dollars, parse_timestamp, parse_user_id

_PAGE_SIZE = 1_000
_EDIT_TRIES_MAX = 10
_EDIT_REASON = "edit of user_dict"
#: After an entry of these kinds a record has costs, even if they are zero. After only CREATE it has none.
_BEGINNINGS = (
    pb.ENTRY_KIND_CHARGE,
    pb.ENTRY_KIND_ADJUST,
    pb.ENTRY_KIND_RESET,
    pb.ENTRY_KIND_CREATE,
)


class RecordMethods:
    """Reads and edits records. Amounts are dollars, times seconds since 1970."""

    _project_id: str
    _reset_mode: pb.ResetMode.ValueType

    @Steps
    def get_record(self, user: str) -> Plan[Record]:
        """Return the user's record, as `user_dict[user]` does. Raises KeyError for an unknown user."""
        return (yield from self._record(user))

    @Steps
    def get_records(self) -> Plan[dict[str, Record]]:
        """Return every user's record: a copy of `user_dict`."""
        records: dict[str, Record] = {}
        for budget in (yield from self._budgets(pb.BUDGET_VIEW_FULL)):
            records[budget.budget_id] = record_of(budget, was_counted=(yield from self._was_counted(budget)))
        return records

    @Steps
    def edit_record(self, user: str, key: str, value: Any) -> Plan[Record]:
        """Carry out `user_dict[user][key] = value`, and return the new record.

        Raises:
            KeyError: There is no such user.
            ValueError, TypeError: The value breaks a rule, or the edit cannot be expressed; nothing was changed.
        """
        check_key(key)
        if key == "current_cost":
            yield from self._set_current_cost(user, parse_dollars(value, key))
        elif key == "model_cost":
            yield from self._set_model_costs(user, value)
        else:
            yield from self._configure(user, key, value)
        return (yield from self._record(user))

    @Steps
    def edit_model_cost(self, user: str, model: str, value: float) -> Plan[Record]:
        """Carry out `user_dict[user]["model_cost"][model] = value`. The current cost changes by the same amount."""
        budget = yield from self._budget(user, pb.BUDGET_VIEW_FULL)
        target = parse_dollars(value, f"model_cost[{model!r}]")
        yield from self._adjust(user, target - _spent_on(budget, model), model)
        return (yield from self._record(user))

    @Steps
    def put_record(self, user: str, record: Mapping[str, Any]) -> Plan[Record]:
        """Carry out `user_dict[user] = record`: replace the budget and charge it with the costs, as history."""
        check_keys(record)
        costs = parse_costs(record)
        name = parse_user_id(user)
        yield from self._create(name, record)
        if costs:
            items = [
                cost_pb2.UpdateCostRequest(budget_id=name, model=model, cost_nano_usd=cost, is_history=True)
                for model, cost in costs
            ]
            request = cost_pb2.BatchUpdateCostRequest(project_id=self._project_id, requests=items)
            yield from ask(Rpcs.batch_update_cost, request)
        return (yield from self._record(user))

    @Steps
    def delete_user(self, user: str) -> Plan[None]:
        """Carry out `del user_dict[user]`. Raises KeyError for an unknown user."""
        request = service.DeleteBudgetRequest(project_id=self._project_id, budget_id=parse_user_id(user))
        yield from of_user(user, Rpcs.delete_budget, request)

    def _create(self, user: str, record: Mapping[str, Any]) -> Plan[pb.Budget]:
        created_at = record.get("created_at")
        window = parse_window(record.get("duration"), record.get("last_updated_at", created_at))
        limit = limit_of(parse_dollars(record["total_budget"], "total_budget", is_limit=True), window, self._reset_mode)
        budget = pb.Budget(project_id=self._project_id, budget_id=user, limits=[limit])
        if window is not None and created_at is not None:
            parse_timestamp(created_at, "created_at")
            budget.labels[CREATED_AT_LABEL] = repr(float(created_at))
        request = service.CreateBudgetRequest(budget=budget, replace_existing=True)
        return (yield from ask(Rpcs.create_budget, request)).budget

    def _configure(self, user: str, key: str, value: Any) -> Plan[None]:
        """Read, edit and write the configuration; repeat if it was changed by others in between."""
        for _ in range(_EDIT_TRIES_MAX):
            budget = yield from self._budget(user, pb.BUDGET_VIEW_FULL)
            edited = pb.Budget(project_id=self._project_id, budget_id=budget.budget_id, etag=budget.etag)
            edited.limits.extend(budget.limits)
            edited.labels.update(budget.labels)
            self._edit(edited, key, value)
            mask = FieldMask(paths=["limits", "labels"])
            try:
                yield from of_user(
                    user, Rpcs.update_budget, service.UpdateBudgetRequest(budget=edited, update_mask=mask)
                )
            except EtagMismatch:
                continue
            return
        raise ValueError(
            f"the budget of {user!r} was changed by others during each of {_EDIT_TRIES_MAX} attempts; try again"
        )

    def _edit(self, budget: pb.Budget, key: str, value: Any) -> None:
        """Set one key of a record in a configuration."""
        limit = main_limit(budget)
        if limit is None:
            limit = budget.limits.add(amount=0)
        if key == "total_budget":
            limit.amount = parse_dollars(value, key, is_limit=True)
            return
        if key == "duration":
            old, new = limit.window.fixed.anchor_time if limit.window.HasField("fixed") else None, parse_window(value)
            if new is not None and old is not None:
                new.fixed.anchor_time.CopyFrom(old)
            limit.CopyFrom(limit_of(limit.amount, new, self._reset_mode))
            return
        if not limit.window.HasField("fixed"):
            raise ValueError(f"{key} needs a budget with a duration")
        if key == "last_updated_at":
            limit.window.fixed.anchor_time.CopyFrom(parse_timestamp(value, key))
        else:
            parse_timestamp(value, key)
            budget.labels[CREATED_AT_LABEL] = repr(float(value))

    def _set_current_cost(self, user: str, target: int) -> Plan[None]:
        budget = yield from self._budget(user, pb.BUDGET_VIEW_FULL)
        if target == 0:
            yield from of_user(
                user,
                Rpcs.reset_cost,
                service.ResetCostRequest(project_id=self._project_id, budget_id=budget.budget_id),
            )
            return
        yield from self._adjust(user, target - budget.current_cost_nano_usd, "")

    def _set_model_costs(self, user: str, costs: object) -> Plan[None]:
        if not isinstance(costs, Mapping):
            raise TypeError(f"model_cost must be a dict of dollars by model, got {costs!r}")
        targets = {str(model): parse_dollars(cost, f"model_cost[{model!r}]") for model, cost in costs.items()}
        budget = yield from self._budget(user, pb.BUDGET_VIEW_FULL)
        for model in [*targets, *(name for name in model_costs(budget) if name not in targets)]:
            yield from self._adjust(user, targets.get(model, 0) - _spent_on(budget, model), model)

    def _adjust(self, user: str, amount: int, model: str) -> Plan[None]:
        if not amount:
            return
        request = cost_pb2.AdjustCostRequest(
            project_id=self._project_id,
            budget_id=parse_user_id(user),
            amount_nano_usd=amount,
            model=model,
            reason=_EDIT_REASON,
        )
        try:
            yield from of_user(user, Rpcs.adjust_cost, request)
        except BelowZero as error:
            raise ValueError(
                "current_cost must be at least the sum of model_cost: lower an entry of model_cost, or call reset_cost"
            ) from error

    def _handed_out(self, user: str, record: Record) -> Record:  # noqa: ARG002 - BudgetManager uses it.
        """Return the record in the form that methods return."""
        return record

    def _is_known(self, user: object) -> Plan[bool]:
        hash(user)
        try:
            yield from self._budget(user, pb.BUDGET_VIEW_BASIC)
        except (KeyError, TypeError, ValueError):
            return False  # A value that breaks the rules of ids is not the id of a user.
        return True

    def _record(self, user: str) -> Plan[Record]:
        budget = yield from self._budget(user, pb.BUDGET_VIEW_FULL)
        return record_of(budget, was_counted=(yield from self._was_counted(budget)))

    def _budget(self, user: object, view: pb.BudgetView.ValueType) -> Plan[pb.Budget]:
        request = service.GetBudgetRequest(project_id=self._project_id, budget_id=parse_user_id(user), view=view)
        return (yield from of_user(user, Rpcs.get_budget, request)).budget

    def _budgets(self, view: pb.BudgetView.ValueType) -> Plan[list[pb.Budget]]:
        budgets: list[pb.Budget] = []
        request = service.ListBudgetsRequest(project_id=self._project_id, page_size=_PAGE_SIZE, view=view)
        while True:
            page = yield from ask(Rpcs.list_budgets, request)
            budgets.extend(page.budgets)
            if not page.next_page_token:
                return budgets
            request.page_token = page.next_page_token

    def _was_counted(self, budget: pb.Budget) -> Plan[bool]:
        """Return True if anything was counted or reset since the budget was made; else a record has no costs."""
        if not needs_history(budget):
            return True
        request = service.ListEntriesRequest(
            project_id=self._project_id, budget_id=budget.budget_id, kinds=_BEGINNINGS, page_size=1
        )
        while True:
            page = yield from ask(Rpcs.list_entries, request)
            if page.entries:
                return page.entries[0].kind != pb.ENTRY_KIND_CREATE
            if not page.next_page_token:
                return False
            request.page_token = page.next_page_token


def of_user(user: object, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT) -> Plan[ResponseT]:
    """Make a call about one user, with the exceptions that LiteLLM's class raises."""
    try:
        return (yield from ask(rpc, request))
    except NotFound:
        raise KeyError(user) from None
    except UnknownModel as error:
        raise as_litellm(error, model=getattr(request, "model", "")) from None


def _spent_on(budget: pb.Budget, model: str) -> int:
    return sum(each.cost_nano_usd for each in budget.model_costs if each.model == model)
