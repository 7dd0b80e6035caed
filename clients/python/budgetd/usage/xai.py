"""xAI's chat completions: the completion excludes reasoning, and a cost is in ten-billionths of a dollar."""

from dataclasses import replace

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Look, Reading


def _is_it(look: Look) -> bool:
    return openai_chat.is_chat(look) and (look.is_of("xai", "grok") or "cost_in_usd_ticks" in look.usage)


def _settle(reading: Reading) -> None:
    if not reading.of("_total"):
        # Without a total nothing shows whether somebody has added the reasoning already; xAI itself never does.
        reading.add("output_tokens", reading.of("reasoning_tokens"))
    openai_chat.settle(reading)


DIALECT = replace(openai_chat.DIALECT, name="xai", is_it=_is_it, settle=_settle)
