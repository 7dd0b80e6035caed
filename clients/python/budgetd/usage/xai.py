"""xAI's chat completions: the completion excludes reasoning, and a cost is in ten-billionths of a dollar.

xAI's own library has the same counts, with other names for the parts of the prompt.
"""

from dataclasses import replace

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Look, Reading

#: The names of xAI's library for the parts of the prompt; the prompt includes them all.
_OF_LIBRARY = {
    "prompt_text_tokens": "_text_input",
    "cached_prompt_text_tokens": "cached_input_tokens",
    "prompt_image_tokens": "image_input_tokens",
}


def _is_it(look: Look) -> bool:
    keys = {"cost_in_usd_ticks", *_OF_LIBRARY}
    return openai_chat.is_chat(look) and (look.is_of("xai", "grok") or not keys.isdisjoint(look.usage))


def _settle(reading: Reading) -> None:
    if not reading.of("_total"):
        # Without a total it is unknown whether a gateway has added the reasoning already; xAI itself never does.
        reading.add("output_tokens", reading.of("reasoning_tokens"))
    openai_chat.settle(reading)


DIALECT = replace(
    openai_chat.DIALECT,
    name="xai",
    is_it=_is_it,
    parts={**openai_chat.PARTS, **_OF_LIBRARY},
    unpriced={**openai_chat.UNPRICED, "server_side_tools_used.*": "calls of xAI's tools"},
    settle=_settle,
)
