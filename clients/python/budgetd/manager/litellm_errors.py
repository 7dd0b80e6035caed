"""Errors that `except` clauses written for LiteLLM also catch. LiteLLM is not imported here."""

import sys
from functools import lru_cache
from typing import Any

from budgetd.errors import BudgetdError, BudgetExceededError, UnknownModel, bare

#: For each of our classes, the name of its counterpart in `litellm.exceptions`.
_COUNTERPARTS: dict[type[BudgetdError], str] = {
    UnknownModel: "BadRequestError",
    BudgetExceededError: "BudgetExceededError",
}


def as_litellm(error: BudgetdError, **attributes: object) -> BudgetdError:
    """Return the error; if the program has imported litellm, of a class that is also LiteLLM's counterpart.

    Args:
        error: The error to raise.
        attributes: Attributes of LiteLLM's class, such as `model`.
    """
    exceptions = getattr(sys.modules.get("litellm"), "exceptions", None)
    counterpart = getattr(exceptions, _COUNTERPARTS.get(type(error), ""), None)
    if not isinstance(counterpart, type):
        return error
    both: type[BudgetdError] = _both(type(error), counterpart)  # type: ignore[arg-type] # mypy does not see that classes are hashable.
    twin: BudgetdError = both.__new__(both, error.message)
    twin.__dict__.update(error.__dict__, status_code=400, llm_provider="", response=None, **attributes)
    return twin


@lru_cache(maxsize=8)
def _both(ours: type[BudgetdError], theirs: type[Any]) -> type[BudgetdError]:
    """Make a subclass of both classes that is shown and pickled as ours."""

    def reduce(error: BudgetdError) -> tuple[object, ...]:
        return bare, (ours, error.message), error.__dict__

    body = {
        "__doc__": ours.__doc__,
        "__module__": ours.__module__,
        "__str__": Exception.__str__,
        "__repr__": Exception.__repr__,
        "__reduce__": reduce,
    }
    return type(ours.__name__, (ours, theirs), body)
