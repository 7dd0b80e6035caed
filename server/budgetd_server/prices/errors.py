"""Errors of price files."""

from collections.abc import Sequence

_SHOWN_MAX = 20


class PriceFileError(ValueError):
    """One or more price files are invalid; then none of them is used.

    `problems` has a sentence for each fault: file, model, key, rule and value.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - _SHOWN_MAX
        lines = [*problems[:_SHOWN_MAX], *([f"and {more} more"] if more > 0 else [])]
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)
