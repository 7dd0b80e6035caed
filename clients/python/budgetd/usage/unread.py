"""Warns of counts that are neither priced nor known to be free, once per process for each form of answer and count."""

import warnings
from collections.abc import Iterable

from budgetd.usage.errors import UnreadUsageWarning

#: The most pairs of form and count that are remembered. There is no warning for later pairs.
REMEMBERED_MAX = 1_000
#: The frames from `warnings.warn` to the line that called `update_cost`: its plan, `_run` and the method.
_STACK_LEVEL = 5
#: How the usage was charged, for fields that describe a usage and are not counts.
_PRICED_AS = {
    "requests": "the number of requests whose sum the usage is: their sum was charged as one request, at the price for "
    "long input if the sum is long. To price each request by its own length, charge the usage of each request",
    "iterations": "runs that cannot be sent as separate requests: their sum was charged as one request, at the price "
    "for long input if the sum is long",
    "modelUsage": "the usage of several models: all of it was charged at the price of one model",
}
_warned: set[tuple[str, str]] = set()


def warn_of_unread(dialect: str, paths: Iterable[str]) -> None:
    """Warn of the paths for which there was no warning before."""
    new = [path for path in paths if (dialect, path) not in _warned]
    if not new or len(_warned) >= REMEMBERED_MAX:
        return
    _warned.update((dialect, path) for path in new)
    said = [f"{path}, {_PRICED_AS[path]}" for path in new if path in _PRICED_AS]
    others = [path for path in new if path not in _PRICED_AS]
    if others:
        said.append(f"{', '.join(others)}, which budgetd cannot price: nothing was charged for it")
    text = (
        f"an answer of the form {dialect} has {'; and '.join(said)}. If the cost is different, pass cost_usd= "
        "instead. See 'Read what was unread' in docs/client.md of budgetd's repository"
    )
    warnings.warn(text, UnreadUsageWarning, stacklevel=_STACK_LEVEL)
