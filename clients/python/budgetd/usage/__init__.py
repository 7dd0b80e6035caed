"""What a call used, read from the answer of any provider.

`read_answer` is all that others need. An answer is recognised by its form (`recogniser.ORDER`), read by that form's
dialect (a module each), and brought to the contract's `Usage` (`dialect.py`, `totals.py`). Whatever it counts is
priced, refused, known to be free, or reported as unread; nothing is dropped silently.
"""

from budgetd.usage.answers import Answer, read_answer
from budgetd.usage.errors import UnreadUsageWarning, UsageError, UsageTypeError, UsageValueError

__all__ = ["Answer", "UnreadUsageWarning", "UsageError", "UsageTypeError", "UsageValueError", "read_answer"]
