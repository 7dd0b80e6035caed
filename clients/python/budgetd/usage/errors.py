"""What is raised, or warned of, when an answer's usage cannot be read as it is."""

from budgetd.values import short_repr


class UsageError(Exception):
    """A completion that is not charged, because something in it contradicts a rule. Nothing was recorded.

    Each is also a ValueError or a TypeError.

    Args:
        field: Where it is in the completion, such as "usage.prompt_tokens"; empty: the whole.
        rule: What it must be: the rest of a sentence that begins with the field.
        value: What was found there.
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
    """A value is of a type that is no count or amount."""


class UnreadUsageWarning(UserWarning):
    """An answer has something that this version of budgetd neither prices nor knows to be free.

    Nothing was added to the charge for it. Warned once in a process for each field of each form of answer.
    """
