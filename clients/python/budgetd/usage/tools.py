"""Finds calls of tools that are billed separately and that the usage of an answer does not count."""

from collections import Counter
from collections.abc import Mapping

from budgetd.usage.dialect import Look
from budgetd.usage.fields import Fields, fields_of, get

#: Calls of these models search the web, but their usage does not count the searches.
SEARCH_MODELS = ("search-preview", "search-api")
#: Calls of tools that cost only their tokens, or that the caller executes.
_FREE_CALLS = {
    "apply_patch_call",
    "code_execution_call",
    "computer_call",
    "custom_tool_call",
    "function_call",
    "local_shell_call",
    "mcp_call",
    "mcp_server_tool_call",
    "tool_search_call",
    "url_context_call",
}


def tool_calls(items: object, holder: str) -> dict[str, object]:
    """Count the calls of each tool that is not free in a list of a model's output items, by path below the holder."""
    if not isinstance(items, list | tuple):
        return {}
    kinds = (get(item, "type") for item in items)
    calls = Counter(kind for kind in kinds if isinstance(kind, str) and kind.endswith("_call"))
    return {f"{holder}.{kind}": count for kind, count in calls.items() if kind not in _FREE_CALLS}


def models_of_agent(look: Look) -> Fields:
    """Return the usage of each model in a result of Claude's agents."""
    return fields_of(_either(look.answer, "modelUsage", "model_usage"), "modelUsage") or {}


def cites_pages(choices: object) -> bool:
    """Return True if a message of a chat completion cites a web page."""
    if not isinstance(choices, list | tuple):
        return False
    for choice in choices:
        notes = get(get(choice, "message"), "annotations")
        if isinstance(notes, list | tuple) and any(get(note, "type") == "url_citation" for note in notes):
            return True
    return False


def grounding(candidates: object) -> Mapping[str, object]:
    """Count the grounding queries of a Gemini answer's candidates, by path.

    Repeated queries count once. If a candidate is grounded on maps and on no page, its queries are maps queries.
    """
    found: dict[str, set[str]] = {}
    for candidate in candidates if isinstance(candidates, list | tuple) else ():
        ground = _either(candidate, "grounding_metadata", "groundingMetadata")
        chunks = _either(ground, "grounding_chunks", "groundingChunks")
        chunks = chunks if isinstance(chunks, list | tuple) else ()
        is_of_maps = bool(_either(ground, "google_maps_widget_context_token", "googleMapsWidgetContextToken"))
        is_of_maps = is_of_maps or any(get(chunk, "maps") is not None for chunk in chunks)
        if is_of_maps:
            found.setdefault("google_maps", set()).add("")
        is_of_web = not is_of_maps or any(get(chunk, "web") is not None for chunk in chunks)
        queries = {
            "web_search_queries" if is_of_web else "google_maps": ("web_search_queries", "webSearchQueries"),
            "image_search_queries": ("image_search_queries", "imageSearchQueries"),
            "retrieval_queries": ("retrieval_queries", "retrievalQueries"),
        }
        for name, spellings in queries.items():
            texts = _either(ground, *spellings)
            if isinstance(texts, list | tuple) and texts:
                found.setdefault(name, set()).update(str(text) for text in texts if text)
    return {f"grounding_metadata.{name}": len(queries) for name, queries in found.items() if queries}


def _either(holder: object, name: str, other: str) -> object:
    return get(holder, name) or get(holder, other)
