"""LiteLLM's class as it was installed, in a process whose dictionary a server keeps."""

import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.parity.comparing import plain
from tests.parity.theirs import litellm

PROJECT = "project"
#: The key that budgetd adds to each record, for the class to bring back.
MARKER = "budgetd"

# The newest LiteLLM builds some of its classes of answers with the first completion, with warnings about TypedDicts.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    litellm.completion(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], mock_response="Hello")


def opener(api_base: str) -> Callable[..., Any]:
    """Makes managers as LiteLLM's page does for those who host a server themselves."""
    return partial(litellm.BudgetManager, client_type="hosted", api_base=api_base)


def wait_for_saves() -> int:
    """Wait for the threads on which the class saves; how many there were."""
    saving = [each for each in threading.enumerate() if each.name.endswith("(save_data)")]
    for thread in saving:
        thread.join()
    return len(saving)


def without_marker(value: Any) -> Any:
    """A copy without what budgetd has added."""
    value = plain(value)
    if isinstance(value, dict):
        return {key: without_marker(each) for key, each in value.items() if key != MARKER}
    if isinstance(value, list):
        return [without_marker(each) for each in value]
    return value
