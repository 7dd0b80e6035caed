"""Warns of counts that are neither priced nor known to be free: once in a process for each form of answer and count."""

import warnings
from collections.abc import Iterable

from budgetd.usage.errors import UnreadUsageWarning

#: So many pairs of form and count are remembered; of later ones nothing is said.
REMEMBERED_MAX = 1_000
#: From `warnings.warn` here to the line that called `update_cost`: by way of its plan, `_run` and the method.
_STACK_LEVEL = 5
_warned: set[tuple[str, str]] = set()


def warn_of_unread(dialect: str, paths: Iterable[str]) -> None:
    """Warn of those that were not warned of before."""
    new = [path for path in paths if (dialect, path) not in _warned]
    if not new or len(_warned) >= REMEMBERED_MAX:
        return
    _warned.update((dialect, path) for path in new)
    text = (
        f"an answer of the form {dialect} has {', '.join(new)}, for which budgetd has no price: nothing was added to "
        "the charge for it. If this costs something, pass cost_usd= instead. See 'Read what was unread' in "
        "docs/client.md of budgetd's repository"
    )
    warnings.warn(text, UnreadUsageWarning, stacklevel=_STACK_LEVEL)
