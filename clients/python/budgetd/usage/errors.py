"""Errors and warnings for answers whose usage cannot be read."""

from budgetd.values import short_repr


class UsageError(Exception):
    """A completion breaks a rule, so nothing was charged or recorded.

    Each error is also a ValueError or a TypeError.

    Args:
        field: The path in the completion, such as "usage.prompt_tokens". Empty: the whole completion.
        rule: What the field must be: the rest of a sentence that begins with the field.
        value: The value that was found.
    """

    def __init__(self, field: str, rule: str, value: object) -> None:
        place = f"{field} of completion_obj" if field else "completion_obj"
        got = "a text" if not field and isinstance(value, str) else short_repr(value)
        super().__init__(f"{place} {rule}, got {got}")
        self.field = field
        self.rule = rule
        self.value = value

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.field, self.rule, self.value)


class UsageValueError(UsageError, ValueError):
    """A value breaks a rule, or contradicts another value."""


class UsageTypeError(UsageError, TypeError):
    """A value has a type that cannot be a count or an amount."""


class UnreadUsageWarning(UserWarning):
    """An answer has a field that this version of budgetd neither prices nor knows to be free.

    Nothing was added to the charge for it. The warning is given once per process for each field of each form of answer.
    """
