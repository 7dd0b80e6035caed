"""Reads what a call used from the answer of any provider.

`read_answer` is the entry point. The form of an answer is recognised (`recogniser.ORDER`), read by the dialect for that
form (one module each), and converted to the contract's `Usage` (`dialect.py`, `totals.py`). Each of its counts is
priced, refused, known to be free, or reported as unread; nothing is dropped silently.
"""

from budgetd.usage.answers import Answer, read_answer
from budgetd.usage.errors import UnreadUsageWarning, UsageError, UsageTypeError, UsageValueError

__all__ = ["Answer", "UnreadUsageWarning", "UsageError", "UsageTypeError", "UsageValueError", "read_answer"]
