"""Traces are read whole or not at all, and the drawn one has the shape of the real one."""

import statistics
from collections import Counter
from pathlib import Path

import pytest

from examples.llm_trace import (
    DRAWN_CALLS,
    MODELS,
    USERS,
    LlmCall,
    TraceRefused,
    drawn_trace,
    model_of,
    read_trace,
    user_of,
)


def test_a_trace_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("GeneratedTokens,TIMESTAMP,ContextTokens\n44,2023-11-16 18:15:46.6805900,374\n109,,396\n", "utf-8")

    assert read_trace(file) == [LlmCall(374, 44), LlmCall(396, 109)]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"", "lacks the column ContextTokens, GeneratedTokens", id="empty"),
        pytest.param(b"ContextTokens\n1\n", "lacks the column GeneratedTokens", id="a column is missing"),
        pytest.param(b"ContextTokens,GeneratedTokens\n", "holds no calls", id="a head alone"),
        pytest.param(b"ContextTokens,GeneratedTokens\n1,2\n3,x\n", r"line 3: GeneratedTokens .* 'x'", id="a word"),
        pytest.param(b"ContextTokens,GeneratedTokens\n1,-2\n", r"line 2: GeneratedTokens .* '-2'", id="negative"),
        pytest.param(b"ContextTokens,GeneratedTokens\n1\n", r"line 2: GeneratedTokens .* ''", id="a short row"),
        pytest.param(b"ContextTokens,GeneratedTokens\n\xff,1\n", "cannot be read", id="no text"),
    ],
)
def test_a_file_that_is_no_trace_is_refused_with_the_place(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_bytes(content)

    with pytest.raises(TraceRefused, match=sentence):
        read_trace(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceRefused, match="cannot be read"):
        read_trace(tmp_path / "none.csv")


def test_the_drawn_trace_is_the_same_each_time() -> None:
    assert drawn_trace() == drawn_trace()


def test_the_drawn_trace_has_the_shape_of_the_real_one() -> None:
    calls = drawn_trace()

    inputs, outputs = zip(*calls, strict=True)
    assert len(calls) == DRAWN_CALLS == 19_366
    assert (min(inputs) >= 2, max(inputs) <= 14_050, min(outputs) >= 7, max(outputs) <= 1_000) == (True,) * 4
    assert statistics.mean(inputs) == pytest.approx(1_155, rel=0.1)
    assert statistics.mean(outputs) == pytest.approx(211, rel=0.1)


def test_rows_take_turns_through_all_users_and_each_user_through_all_models() -> None:
    rows = range(USERS * len(MODELS))

    assert Counter(map(user_of, rows)) == dict.fromkeys(map(user_of, range(USERS)), len(MODELS))
    assert len({(user_of(row), model_of(row)) for row in rows}) == len(rows)
