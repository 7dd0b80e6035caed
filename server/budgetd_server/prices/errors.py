"""What is wrong with a price file."""

from collections.abc import Sequence

_SHOWN_MAX = 20


class PriceFileError(ValueError):
    """One or more price files cannot be used; nothing of any of them is.

    `problems` has a sentence for each fault: file, model, key, rule and value.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - _SHOWN_MAX
        lines = [*problems[:_SHOWN_MAX], *([f"and {more} more"] if more > 0 else [])]
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)
