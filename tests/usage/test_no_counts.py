"""Values that stand where a count belongs and are none."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from budgetd.usage import UsageTypeError, UsageValueError, read_answer

NO_COUNTS = [object(), MagicMock(), len, lambda: 1, {1_000}, {}, [], iter(()), [1_000], (1_000,), {"count": 1_000}]


@pytest.mark.parametrize("value", NO_COUNTS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    ("usage", "named"),
    [
        ({"prompt_tokens": ..., "completion_tokens": 1}, "usage.prompt_tokens"),
        ({"prompt_tokens": 1, "completion_tokens": ...}, "usage.completion_tokens"),
        (
            {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": ...}},
            "usage.prompt_tokens_details.cached_tokens",
        ),
        ({"input_tokens": 9, "output_tokens": 1, "cache_creation_input_tokens": ...}, "cache_creation_input_tokens"),
    ],
)
@pytest.mark.parametrize("shape", [dict, lambda usage: SimpleNamespace(**usage)], ids=["dictionary", "object"])
def test_what_is_no_number_is_refused_where_a_count_belongs(
    value: Any, usage: dict[str, Any], named: str, shape: Any
) -> None:
    def put(holder: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value if part is ... else put(part) if isinstance(part, dict) else part
            for name, part in holder.items()
        }

    with pytest.raises(UsageTypeError, match=named):
        read_answer({"model": "m", "usage": shape(put(usage))})


@pytest.mark.parametrize("details", [None, {}, [], SimpleNamespace(), {"cached_tokens": None}])
def test_empty_details_are_no_counts(details: Any) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": details}

    assert (
        read_answer({"model": "m", "usage": usage}).usage
        == read_answer({"model": "m", "usage": {**usage, "prompt_tokens_details": None}}).usage
    )


class _Undecided:
    """Neither true nor false, as an array of several numbers."""

    __slots__ = ()

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


def test_what_is_neither_true_nor_false_is_refused_by_its_name() -> None:
    usage = {"prompt_tokens": _Undecided(), "completion_tokens": 1}

    with pytest.raises(UsageValueError, match=r"usage\.prompt_tokens"):
        read_answer({"model": "m", "usage": usage})


class _NotGiven:
    """As OpenAI's and Mistral's libraries have it."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


def test_what_a_library_has_for_a_field_that_was_not_given_is_no_count() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 1,
        "prompt_tokens_details": _NotGiven(),
        "total_tokens": _NotGiven(),
    }

    read = read_answer({"model": "m", "usage": usage}).usage

    assert read is not None
    assert (read.input_tokens, read.output_tokens) == (9, 1)
