"""OpenAI's responses: input and output with details. Images, transcriptions and realtime calls have the same fields.

DashScope's own form has these fields, too, but names the details as a chat completion does.
"""

from collections.abc import Mapping

from budgetd.usage.dialect import Dialect, Look, Reading, is_number
from budgetd.usage.fields import fields_of, get, leaves_of
from budgetd.usage.openai_chat import (
    HARMLESS,
    INPUT_DETAILS,
    INPUT_HOLDERS,
    OUTPUT_DETAILS,
    OUTPUT_HOLDERS,
    SHARED_COUNTS,
    UNPRICED,
    below,
)
from budgetd.usage.tools import tool_calls
from budgetd.usage.totals import (
    add_reasoning_outside,
    check_total,
    refuse_excess,
    settle_other_names,
    settle_reads_and_writes,
    settle_writes,
)

PARTS: dict[str, str] = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "total_tokens": "_total",
    "prompt_tokens": "_other_input",
    "completion_tokens": "_other_output",
    **SHARED_COUNTS,
    **below(INPUT_HOLDERS, INPUT_DETAILS),
    **below(OUTPUT_HOLDERS, OUTPUT_DETAILS),
    "tool_calls_details.web_search.invocation": "web_searches",
    "tool_calls_details.search_web.invocation": "web_searches",
    "output.web_search_call": "web_searches",
    "tool_usage.web_search.num_requests": "web_searches",
}
_TOOLS = {
    "output.file_search_call": "a search of files",
    "output.code_interpreter_call": "a container, by the session",
    "output.image_generation_call": "tokens of another model, which makes the images",
    "output.*": "a call of any other tool that is not known to be free",
    "tool_usage.*": "what tools used, but web searches",
}


def is_counted_so(look: Look) -> bool:
    """Return True for a usage that counts input and output."""
    return "input_tokens" in look.usage or "output_tokens" in look.usage


def _tools(look: Look) -> Mapping[str, object]:
    """Return the tool calls of the answer, which the usage does not count. Opening a found page is not a search."""
    output = look.get("output")
    calls = tool_calls(output, "output")
    used = fields_of(look.get("tool_usage"), "tool_usage")
    counted = leaves_of(used, "tool_usage") if used else {}
    # Keep any value in the place of a count, so that a text there is refused.
    paths = ((f"tool_usage.{path}", count) for path, count in counted.items())
    calls |= {path: count for path, count in paths if is_number(count) or path in PARTS}
    searches = "output.web_search_call"
    if get(get(used, "web_search"), "num_requests") is not None:
        calls.pop(searches, None)  # The provider counts the billed searches.
    elif searches in calls and isinstance(output, list | tuple):
        actions = (get(get(item, "action"), "type") for item in output if get(item, "type") == "web_search_call")
        calls[searches] = sum(action in (None, "search") for action in actions)
    return {path: count for path, count in calls.items() if count}


def settle(reading: Reading) -> None:
    """Check the total, which may include reasoning that xAI's output excludes.

    Raises:
        UsageValueError: The counts do not explain the total.
    """
    settle_reads_and_writes(reading)
    settle_other_names(reading)
    settle_writes(reading)
    refuse_excess(reading, add_reasoning_outside(reading, check_total(reading)))


def settle_output_of(part: str, reading: Reading) -> None:
    """Check the total, and count all output as one kind unless the details say otherwise.

    Args:
        part: The count of that kind, such as "image_output_tokens".
        reading: The counts as the answer has them.

    Raises:
        UsageValueError: The counts do not explain the total.
    """
    settle_other_names(reading)
    if not reading.of("_text_output") and not reading.of(part):
        reading.counts[part] = reading.of("output_tokens")
    settle(reading)


DIALECT = Dialect(
    name="openai_responses",
    is_it=is_counted_so,
    parts=PARTS,
    harmless=HARMLESS,
    unpriced={**UNPRICED, **_TOOLS},
    settle=settle,
    outside=_tools,
)
