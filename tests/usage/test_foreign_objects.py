"""Whatever kind of object a library keeps its counts in, they are found."""

import collections
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import pytest

from budgetd.usage import read_answer
from budgetd.v1.budget_pb2 import Usage


@dataclass
class AsDataclass:
    """Fields of the object."""

    prompt_tokens: int = 100
    completion_tokens: int = 50


@dataclass(slots=True)
class WithSlots:
    """Fields without a dictionary."""

    prompt_tokens: int = 100
    completion_tokens: int = 50


class AsConstants:
    """Fields of the class."""

    prompt_tokens = 100
    completion_tokens = 50


class AsProperties:
    """Computed fields and a method."""

    @property
    def prompt_tokens(self) -> int:
        return 100

    @property
    def completion_tokens(self) -> int:
        return 50

    def total(self) -> int:
        return 150


class AsTuple(NamedTuple):
    """Fields with names and places."""

    prompt_tokens: int = 100
    completion_tokens: int = 50


class OnDemand:
    """Finds its fields when they are asked for."""

    def __getattr__(self, name: str) -> int:
        counts = {"prompt_tokens": 100, "completion_tokens": 50}
        if name not in counts:
            raise AttributeError(name)
        return counts[name]


class Modality(str, Enum):  # noqa: UP042 - Libraries for older Pythons have it so.
    """As Google's library names them."""

    AUDIO = "AUDIO"


@pytest.mark.parametrize(
    "usage",
    [
        AsDataclass(),
        WithSlots(),
        AsConstants(),
        AsProperties(),
        AsTuple(),
        OnDemand(),
        MappingProxyType({"prompt_tokens": 100, "completion_tokens": 50}),
        collections.OrderedDict(prompt_tokens=100, completion_tokens=50),
        MagicMock(prompt_tokens=100, completion_tokens=50),
    ],
    ids=lambda usage: type(usage).__name__,
)
def test_the_counts_of_any_object_are_found(usage: object) -> None:
    answer = read_answer({"model": "gpt-4o", "usage": usage})

    assert answer.usage == Usage(input_tokens=100, output_tokens=50)
    assert not answer.unread_fields


def test_a_modality_may_be_an_enumeration() -> None:
    details = [{"modality": Modality.AUDIO, "token_count": 6}]
    usage = {"prompt_token_count": 10, "candidates_token_count": 5, "prompt_tokens_details": details}

    answer = read_answer({"model": "gemini-2.5-flash", "usage_metadata": usage})

    assert answer.usage == Usage(input_tokens=10, output_tokens=5, audio_input_tokens=6)


def test_what_is_no_number_is_no_unread_field() -> None:
    counts = {"prompt_tokens": 5, "completion_tokens": 1}
    usage: dict[str, Any] = {**counts, "at": datetime.now(UTC), "is_final": True, "id": "u1", "kind": object}

    assert read_answer({"model": "gpt-4o", "usage": usage}).unread_fields == ()


def test_foreign_answers_are_not_searched_for_properties() -> None:
    class Answer:
        model = "gpt-4o"
        usage = AsDataclass()

        @property
        def content(self) -> bytes:
            raise AssertionError("reads the whole body")

    assert read_answer(Answer()).usage == Usage(input_tokens=100, output_tokens=50)


def test_the_search_of_a_content_that_contains_itself_ends() -> None:
    content: list[Any] = []
    content.append(content)
    choices = [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]
    answer = {"model": "gpt-4o", "choices": choices, "usage": {"prompt_tokens": 100, "completion_tokens": 50}}

    assert read_answer(answer).usage == Usage(input_tokens=100, output_tokens=50)
