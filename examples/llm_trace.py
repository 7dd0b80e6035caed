"""A trace of LLM calls, read from a CSV file or drawn at random with the same shape, and the user of each call.

The real trace is `AzureLLMInferenceTrace_conv.csv` of the repository Azure/AzurePublicDataset (CC-BY 4.0): 19,366 calls
of a chat service in one hour, with their input and output tokens. It names neither users nor models, so a rule assigns
one of each to each call by the number of its row.
"""

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

USERS = 200
#: Well-known models of five providers. The last one's input costs 37.5 nano-dollars per token, so every odd count is a
#: tie that must be rounded correctly.
MODELS = (
    "gpt-4o",
    "gpt-4o-mini",
    "claude-sonnet-4-5",
    "gemini/gemini-2.5-flash",
    "mistral/mistral-small-latest",
    "command-r7b-12-2024",
)

INPUT_COLUMN, OUTPUT_COLUMN = "ContextTokens", "GeneratedTokens"

DRAWN_CALLS = 19_366
DRAWN_SEED = 20_231_116


class LlmCall(NamedTuple):
    """The tokens of one call."""

    input_tokens: int
    output_tokens: int


class TraceRefused(ValueError):
    """The file cannot be used. The text says where and why."""


def user_of(row: int) -> str:
    """Return the user of a row, counted from 0: rows go through all users in turn."""
    return f"user-{row % USERS:03d}"


def model_of(row: int) -> str:
    """Return the model of a row: neighbours use different ones, and each user goes through all models in turn."""
    return MODELS[(row % USERS + row // USERS) % len(MODELS)]


def read_trace(path: Path) -> Sequence[LlmCall]:
    """Read the calls of a CSV file with the columns ContextTokens and GeneratedTokens. Other columns are ignored.

    Raises:
        TraceRefused: The file does not exist, or has other content.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = {INPUT_COLUMN, OUTPUT_COLUMN} - set(rows.fieldnames or ())
            if missing:
                raise TraceRefused(f"{path} lacks the column {', '.join(sorted(missing))}")
            calls = [_call(path, rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError) as error:
        raise TraceRefused(f"{path} cannot be read: {error}") from error
    if not calls:
        raise TraceRefused(f"{path} holds no calls")
    return calls


def _call(path: Path, line: int, row: dict[str, str | None]) -> LlmCall:
    counts = []
    for column in (INPUT_COLUMN, OUTPUT_COLUMN):
        text = row[column] or ""
        if not (text.isascii() and text.isdecimal()):
            raise TraceRefused(f"{path}, line {line}: {column} must be a whole number, got {text!r}")
        counts.append(int(text))
    return LlmCall(*counts)


def drawn_trace(calls: int = DRAWN_CALLS, *, seed: int = DRAWN_SEED) -> Sequence[LlmCall]:
    """Draw calls with a distribution of tokens near that of the real trace. The result is always the same.

    The real input has a median of 1,020 and a mean of 1,155 tokens, from 2 to 14,050; the output 129 and 211, from 7 to
    1,000. Log-normal distributions with the same mean and deviation of the logarithm, cut at the same bounds, are near.
    """
    rng = random.Random(seed)
    return [
        LlmCall(
            _within(rng.lognormvariate(6.63, 0.985), least=2, most=14_050),
            _within(rng.lognormvariate(5.02, 0.859), least=7, most=1_000),
        )
        for _ in range(calls)
    ]


def _within(value: float, *, least: int, most: int) -> int:
    return min(max(round(value), least), most)
