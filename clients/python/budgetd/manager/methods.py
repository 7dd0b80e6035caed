"""The methods of BudgetManager as plans of calls, written once for the synchronous and the asynchronous manager.

Names, arguments, returns and exceptions are those of `litellm.BudgetManager`; docs/litellm-compatibility.md has every
deliberate difference.
"""

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from budgetd.calls.service import BudgetServiceRpcs as Rpcs
from budgetd.errors import NoWindow
from budgetd.manager.messages import text_of
from budgetd.manager.record_methods import RecordMethods, of_user
from budgetd.manager.steps import Plan, Steps, ask
from budgetd.usage import Answer, read_answer
from budgetd.usage.unread import warn_of_unread
from budgetd.user_cost import DAYS, Record, main_limit, record_of
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2
from budgetd.values import parse_dollars, parse_user_id, usd

Duration = Literal["daily", "weekly", "monthly", "yearly"]
_NO_FORM = (
    "Either a chat completion object or the text response needs to be passed in. "
    "Learn more - https://docs.litellm.ai/docs/budget_manager"
)
_NO_DURATION = 'duration needs to be one of ["daily", "weekly", "monthly", "yearly"]'


class ManagerMethods(RecordMethods):
    """LiteLLM's methods. Amounts are dollars, times seconds since 1970."""

    _dedupes_completions: bool

    @Steps
    def create_budget(
        self, total_budget: float, user: str, duration: Duration | None = None, created_at: float | None = None
    ) -> Plan[Record]:
        """Create a user's budget, or replace an existing one and reset the user's costs to zero.

        Args:
            total_budget: Dollars, from 0 to a billion.
            user: Who spends.
            duration: The window over which the budget counts: 1, 7, 28 or 365 days. None: it never ends.
            created_at: When the first window begins, in seconds since 1970; None: now.

        Returns:
            The new record.

        Raises:
            ValueError, TypeError: An argument breaks a rule; nothing was changed.
        """
        if duration is not None and duration not in DAYS:
            raise ValueError(_NO_DURATION)
        days = None if duration is None else DAYS[duration]
        record: Record = {"total_budget": total_budget, "duration": days}
        if created_at is not None:
            record["created_at"] = created_at
        budget = yield from self._create(parse_user_id(user), record)
        return self._handed_out(budget.budget_id, record_of(budget, was_counted=False))

    @Steps
    def projected_cost(self, model: str, messages: Sequence[Mapping[str, Any]], user: str) -> Plan[float]:
        """Return the user's current cost plus the cost of a prompt, in dollars, without the tokens of the answer.

        Args:
            model: The model.
            messages: Each with its "content": a text, or a list of parts that are texts.
            user: Who would spend.

        Raises:
            KeyError: There is no such user, or a message has no content.
            TypeError: The content of a message is neither a text nor a list of parts.
            ValueError: A part of a content is not a text, such as an image, whose cost cannot be projected from text.
            UnknownModel: The server has no price for the model; LiteLLM's BadRequestError, too, if it is imported.
        """
        text = text_of(messages)
        if not text:
            return usd((yield from self._budget(user, pb.BUDGET_VIEW_STATUS)).current_cost_nano_usd)
        request = cost_pb2.ProjectCostRequest(
            project_id=self._project_id,
            budget_id=parse_user_id(user),
            model=model,
            messages=pb.Messages(messages=[pb.ChatMessage(role="user", content=text)]),
        )
        return usd((yield from of_user(user, Rpcs.project_cost, request)).projected_cost_nano_usd)

    @Steps
    def get_total_budget(self, user: str) -> Plan[float]:
        """Return what the user may spend, in dollars. Raises KeyError for an unknown user."""
        budget = yield from self._budget(user, pb.BUDGET_VIEW_BASIC)
        return float(record_of(_without_window(budget), was_counted=False)["total_budget"])

    @Steps
    def update_cost(
        self,
        user: str,
        completion_obj: object = None,
        model: str | None = None,
        input_text: str | None = None,
        output_text: str | None = None,
        *,
        cost_usd: float | Decimal | None = None,
        request_id: str | None = None,
    ) -> Plan[dict[str, Record]]:
        """Charge a user for a call that has been made. Returns once that is durable.

        Args:
            user: Who spends.
            completion_obj: The provider's answer: LiteLLM's or a provider's object, or a dictionary made of one. The
                cost that LiteLLM or else the provider reports is charged; without one, the server prices the usage.
            model: With both texts: the model for which the server counts tokens; the object is then ignored. With an
                object: its model, if the object does not name one; its provider and region count in any case.
            input_text: The text that was sent.
            output_text: The text that was returned.
            cost_usd: What the call cost, in dollars. It replaces every other price; with it nothing else is needed.
            request_id: Under the same id a charge counts once, however often it is sent. None: a new id for this call
                and its retries.

        Returns:
            `{"user": record}`.

        Raises:
            KeyError: There is no such user.
            ValueError, TypeError: Neither an object nor a model with both texts was given, or one breaks a rule; for
                a count of the object, a `budgetd.usage.UsageError` that names it. Nothing was recorded.
            UnknownModel: The server has no price for the model; LiteLLM's BadRequestError, too, if it is imported.

        Warns:
            UnreadUsageWarning: The object has a count that is not priced; once for each such count.
        """
        given = None if cost_usd is None else parse_dollars(cost_usd, "cost_usd")
        answer: Answer | None = None
        request = cost_pb2.UpdateCostRequest(
            project_id=self._project_id, request_id=request_id or "", view=pb.BUDGET_VIEW_FULL
        )
        if model and input_text and output_text:
            request.model = model
            request.text.CopyFrom(pb.Text(input=input_text, output=output_text))
        elif completion_obj:
            answer = read_answer(completion_obj, model=model, cost_nano_usd=given)
            _fill(request, answer)
            if self._dedupes_completions and not request_id and answer.completion_id:
                request.request_id = _id_of_completion(user, answer.completion_id)
        elif given is not None:
            request.model = model or ""
        else:
            raise ValueError(_NO_FORM)
        if given is not None:
            request.cost_nano_usd, request.cost_source = given, pb.COST_SOURCE_CALLER
        request.budget_id = parse_user_id(user)
        response = yield from of_user(user, Rpcs.update_cost, request)
        if answer is not None and answer.unread_fields:
            warn_of_unread(answer.dialect, answer.unread_fields)
        return {"user": self._handed_out(request.budget_id, record_of(response.budget, was_counted=True))}

    @Steps
    def get_current_cost(self, user: str) -> Plan[float]:
        """Return what the user has spent in the current window, in dollars. Raises KeyError for an unknown user."""
        request = cost_pb2.GetCurrentCostRequest(project_id=self._project_id, budget_id=parse_user_id(user))
        return usd((yield from of_user(user, Rpcs.get_current_cost, request)).current_cost_nano_usd) or 0

    @Steps
    def get_model_cost(self, user: str) -> Plan[dict[str, float] | int]:
        """Return what the user has spent in the current window by model, in dollars.

        Returns:
            A dictionary, or, as in LiteLLM, the number 0 if nothing was ever charged.

        Raises:
            KeyError: There is no such user.
        """
        record = self._handed_out(parse_user_id(user), (yield from self._record(user)))
        return record.get("model_cost", 0)  # type: ignore[no-any-return]

    @Steps
    def is_valid_user(self, user: object) -> Plan[bool]:
        """Return True if the user has a budget. Raises TypeError for a value that is not hashable."""
        return (yield from self._is_known(user))

    @Steps
    def get_users(self) -> Plan[list[str]]:
        """Return all users, in the order in which they were created."""
        return [budget.budget_id for budget in (yield from self._budgets(pb.BUDGET_VIEW_BASIC))]

    @Steps
    def reset_cost(self, user: str) -> Plan[dict[str, Record]]:
        """Begin the user's costs again at zero, in the same window. Returns `{"user": record}`; raises KeyError."""
        request = service.ResetCostRequest(
            project_id=self._project_id, budget_id=parse_user_id(user), view=pb.BUDGET_VIEW_FULL
        )
        response = yield from of_user(user, Rpcs.reset_cost, request)
        return {"user": self._handed_out(request.budget_id, record_of(response.budget, was_counted=True))}

    @Steps
    def reset_on_duration(self, user: str) -> Plan[None]:
        """Begin the user's costs again at zero if the window is over, by the server's clock.

        Raises:
            KeyError: There is no such user, or it has no duration.
        """
        request = service.ResetOnDurationRequest(project_id=self._project_id, budget_id=parse_user_id(user))
        try:
            yield from of_user(user, Rpcs.reset_on_duration, request)
        except NoWindow:
            raise KeyError("last_updated_at") from None

    @Steps
    def update_budget_all_users(self) -> Plan[None]:
        """Begin the costs again at zero of every user whose window is over, by the server's clock."""
        yield from ask(Rpcs.reset_all_on_duration, service.ResetAllOnDurationRequest(project_id=self._project_id))

    @Steps
    def load_data(self) -> Plan[None]:
        """Check that the budgets can be read. Nothing is loaded: every method reads the newest state."""
        yield from ask(Rpcs.list_budgets, service.ListBudgetsRequest(project_id=self._project_id, page_size=1))

    @Steps
    def save_data(self) -> Plan[dict[str, str]]:
        """Do nothing: every change is durable when its method returns. Returns the same as LiteLLM."""
        yield from ()
        return {"status": "success"}


def _fill(request: cost_pb2.UpdateCostRequest, answer: Answer) -> None:
    request.model = answer.model
    if answer.cost_nano_usd is not None:
        request.cost_nano_usd, request.cost_source = answer.cost_nano_usd, answer.cost_source
    if answer.usage is not None:
        request.usage.CopyFrom(answer.usage)
    request.provider, request.service_tier = answer.provider, answer.service_tier
    request.is_batch, request.inference_geo = answer.is_batch, answer.inference_geo
    request.usage_dialect = answer.dialect
    request.unread_fields.extend(answer.unread_fields)


def _id_of_completion(user: object, completion_id: str) -> str:
    """Return a request id that depends only on the user and the completion."""
    digest = hashlib.sha256(repr((parse_user_id(user), completion_id)).encode()).hexdigest()
    return f"completion-{digest[:48]}"


def _without_window(budget: pb.Budget) -> pb.Budget:
    """Return a budget with the amount only: the view BASIC has no window."""
    limit = main_limit(budget)
    return pb.Budget(limits=[] if limit is None else [pb.Limit(amount=limit.amount)])
