"""Google's own form, `usage_metadata`: prompt and candidates exclude thoughts and the tokens of tools.

Names are in snake case in Google's libraries, and in camel case in its HTTP interface.
"""

from collections.abc import Mapping

from budgetd.usage.dialect import COST_PARTS, Dialect, Look, Reading
from budgetd.usage.tools import grounding, tool_calls
from budgetd.usage.totals import add_cache_outside, check_total, refuse_excess


def camel(path: str) -> str:
    """Convert a path to camel case: "prompt_token_count" becomes "promptTokenCount"."""
    return ".".join(
        first + "".join(word.capitalize() for word in words)
        for first, *words in (name.split("_") for name in path.split("."))
    )


def in_both_cases(parts: dict[str, str]) -> dict[str, str]:
    """Return the parts under their names in snake case and in camel case."""
    return parts | {camel(path): part for path, part in parts.items()}


def _by_modality(holders: tuple[str, ...], **parts: str) -> dict[str, str]:
    return {
        f"{holder}.{kind}.{count}": part
        for holder in holders
        for kind, part in parts.items()
        for count in ("token_count", "tokens")
    }


#: Details of the input: of answers, embeddings and interactions.
_INPUT = ("prompt_tokens_details", "prompt_token_details", "input_tokens_by_modality")
_PARTS = in_both_cases(
    {
        "prompt_token_count": "input_tokens",
        "total_input_tokens": "input_tokens",
        "candidates_token_count": "output_tokens",
        "response_token_count": "output_tokens",
        "total_output_tokens": "output_tokens",
        "thoughts_token_count": "reasoning_tokens",
        "total_thought_tokens": "reasoning_tokens",
        "total_reasoning_tokens": "reasoning_tokens",
        "tool_use_prompt_token_count": "_tool_use",
        "total_tool_use_tokens": "_tool_use",
        "cached_content_token_count": "cached_input_tokens",
        "total_cached_tokens": "cached_input_tokens",
        "total_token_count": "_total",
        "total_tokens": "_total",
        "billable_character_count": "characters",
        "grounding_metadata.web_search_queries": "web_searches",
        "grounding_tool_count.google_search.count": "web_searches",
        **_by_modality(
            _INPUT,
            text="_text_input",
            audio="audio_input_tokens",
            image="image_input_tokens",
            video="_video_input",
        ),
        **_by_modality(
            ("cache_tokens_details", "cached_tokens_by_modality"),
            audio="cached_audio_input_tokens",
            image="cached_image_input_tokens",
        ),
        **_by_modality(
            ("tool_use_prompt_tokens_details", "tool_use_tokens_by_modality"),
            text="_tool_text",
            audio="_tool_audio",
            image="_tool_image",
            video="_tool_video",
        ),
        **_by_modality(
            ("candidates_tokens_details", "response_tokens_details", "output_tokens_by_modality"),
            text="_text_output",
            audio="audio_output_tokens",
            image="image_output_tokens",
            video="_video_output",
        ),
    }
)
_AS_TEXT = "is priced as text"
_HARMLESS = in_both_cases(
    {
        **_by_modality(_INPUT, document=_AS_TEXT),
        **_by_modality(("tool_use_prompt_tokens_details", "tool_use_tokens_by_modality"), document=_AS_TEXT),
        **_by_modality(
            ("candidates_tokens_details", "response_tokens_details", "output_tokens_by_modality"), document=_AS_TEXT
        ),
        **_by_modality(
            ("cache_tokens_details", "cached_tokens_by_modality"),
            **dict.fromkeys(("text", "video", "document"), "is priced as cached text"),
        ),
    }
)


def _is_it(look: Look) -> bool:
    keys = {"prompt_token_count", "promptTokenCount", "total_token_count", "totalTokenCount", "total_input_tokens"}
    return not keys.isdisjoint(look.usage)


def _provider(look: Look) -> str:
    """Return which of Google's interfaces answered. Empty if the answer does not show it.

    Google's library documents `create_time` and `traffic_type` for Vertex AI only. An answer with an id and neither of
    them is taken as the Gemini API's; this assumes that Vertex AI gives the time with every id.
    """
    if any(look.get(name) for name in ("create_time", "createTime")) or _has(look, "traffic_type", "trafficType"):
        return "vertex_ai"
    names = ("model_status", "modelStatus", *(() if look.is_batch else ("response_id", "responseId")))
    is_of_api = any(look.get(name) for name in names) or _has(look, "service_tier", "serviceTier")
    return "gemini" if is_of_api else ""


def _has(look: Look, *names: str) -> bool:
    return any(look.usage.get(name) for name in names)


def _tools(look: Look) -> Mapping[str, object]:
    """Return the grounding and tool calls of the answer, which the usage does not count."""
    calls = tool_calls(look.get("outputs"), "outputs")
    if _has(look, "grounding_tool_count", "groundingToolCount"):
        calls.pop("outputs.google_search_call", None)  # The usage counts them.
    return {**grounding(look.get("candidates")), **calls}


def _settle(reading: Reading) -> None:
    excess = add_cache_outside(reading, check_total(reading), is_allowed=True)
    thoughts, tools = reading.of("reasoning_tokens"), reading.of("_tool_use")
    are_outside = True
    if not reading.of("_total") or excess == thoughts + tools:
        reading.add("output_tokens", thoughts)
    elif excess == tools:
        pass  # The candidates include the thoughts.
    elif not thoughts and excess > tools:
        # Only the total shows that there were thoughts.
        reading.add("reasoning_tokens", excess - tools)
        reading.add("output_tokens", excess - tools)
    elif excess in {0, thoughts}:
        are_outside = False
        reading.add("output_tokens", excess)
    else:
        are_outside = False
        refuse_excess(reading, excess)
    if thoughts > reading.of("output_tokens"):
        whole = reading.of("input_tokens") + reading.of("output_tokens") + thoughts
        reasoning = f"{reading.paths['reasoning_tokens']} {thoughts}"
        raise reading.refuse(
            "_total", f"must be {whole}, the sum of input, output and {reasoning}, which the output does not include"
        )
    if tools or any(reading.of(part) for part in _TOOLS):
        _settle_tools(reading, are_outside=are_outside)


#: Tokens of tool results by modality, and the part of the input that each belongs to.
_TOOLS = {
    "_tool_text": "_text_input",
    "_tool_audio": "audio_input_tokens",
    "_tool_image": "image_input_tokens",
    "_tool_video": "_video_input",
}


def _settle_tools(reading: Reading, *, are_outside: bool) -> None:
    """Count tool results as input, by modality, except those of Google's own search and maps.

    Google bills search and maps by the query, not by the tokens found.
    """
    tools = reading.of("_tool_use")
    if sum(reading.of(part) for part in _TOOLS) > tools:
        part = max(_TOOLS, key=reading.of)
        raise reading.refuse(part, f"must not exceed {reading.paths.get('_tool_use', 'the tokens of tools')} {tools}")
    if are_outside:
        if reading.of("web_searches") or _MAPS in grounding(reading.look.get("candidates")):
            return
        reading.add("input_tokens", tools)
    elif tools > reading.of("input_tokens"):
        raise reading.refuse("_tool_use", f"must not exceed the input, {reading.of('input_tokens')}")
    elif sum(reading.of(part) for part in (*_TOOLS, *_TOOLS.values())) > reading.of("input_tokens"):
        return  # The details of the input include them already.
    for part, whole in _TOOLS.items():
        if reading.of(part):
            reading.add(whole, reading.of(part))
            reading.paths.setdefault(whole, reading.paths[part])


_MAPS = "grounding_metadata.google_maps"


DIALECT = Dialect(
    name="gemini",
    is_it=_is_it,
    parts=_PARTS,
    harmless={**_HARMLESS, **COST_PARTS},
    unpriced=in_both_cases(
        {
            _MAPS: "grounding with Google Maps",
            "grounding_tool_count.google_maps.count": "grounding with Google Maps",
            "grounding_tool_count.retrieval.count": "grounding with own data",
            "grounding_metadata.image_search_queries": "searches of images",
            "grounding_metadata.retrieval_queries": "grounding with own data",
            "outputs.*": "a call of a tool that is not known to be free",
        }
    ),
    settle=_settle,
    # Google omits zeros, and a prompt is never empty.
    needs=lambda _: ("input_tokens",),
    provider=_provider,
    outside=_tools,
)
