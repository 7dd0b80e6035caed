"""What costs something that no price covers is priced as far as it can be, and the rest is reported, never dropped."""

from typing import Any

import pytest

from budgetd.usage import UsageError, UsageTypeError, UsageValueError, read_answer
from budgetd.v1.budget_pb2 import COST_SOURCE_GATEWAY, COST_SOURCE_PROVIDER
from tests.usage.cases import U, as_object, message, of
from tests.usage.media_cases import PICTURE, SOUND, blob, drawn, said

RESEARCH = {
    "prompt_tokens": 33,
    "completion_tokens": 7_163,
    "total_tokens": 7_196,
    "citation_tokens": 20_016,
    "num_search_queries": 18,
    "reasoning_tokens": 73_997,
}
RESPONSES = {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150}


def response(*items: str, **more: Any) -> dict[str, Any]:
    """One of OpenAI's responses, in which the model made calls."""
    output = [{"type": item, "action": {"type": "search"}} for item in items]
    return of("gpt-5", RESPONSES, object="response", status="completed", output=output, **more)


def grounded(model: str = "gemini-2.5-flash", **ground: Any) -> dict[str, Any]:
    """An answer of Gemini that rests on something."""
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 20, "totalTokenCount": 30}
    return {
        "modelVersion": model,
        "candidates": [{"finishReason": "STOP", "groundingMetadata": ground}],
        "usageMetadata": usage,
    }


def cited(model: str, kind: str = "url_citation") -> dict[str, Any]:
    """A chat completion that cites something."""
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "annotations": [{"type": kind}]}}
    return of(model, U, choices=[choice])


REPORTED = [
    pytest.param(response("file_search_call"), ("output.file_search_call",), id="a search of files"),
    pytest.param(response("code_interpreter_call"), ("output.code_interpreter_call",), id="a container"),
    pytest.param(response("image_generation_call"), ("output.image_generation_call",), id="an image"),
    pytest.param(response("x_search_call"), ("output.x_search_call",), id="a tool that came later"),
    pytest.param(
        response(tool_usage={"image_gen": {"input_tokens": 9, "output_tokens": 4_000}}),
        ("tool_usage.image_gen.input_tokens", "tool_usage.image_gen.output_tokens"),
        id="what tools used",
    ),
    pytest.param(
        of("sonar", {**U, "search_context_size": "high"}), ("search_context_size",), id="Perplexity's fee for a request"
    ),
    pytest.param(of("sonar", {**U, "num_search_queries": 3}), ("num_search_queries",), id="searches of Perplexity"),
    pytest.param(
        of("sonar", {**U, "num_search_queries": 3, "prompt_tokens_details": {"web_search_requests": 1}}),
        ("num_search_queries",),
        id="more searches of Perplexity than are charged",
    ),
    pytest.param(of("m", {**U, "search_queries": 3}), ("search_queries",), id="searches of another"),
    pytest.param(
        of("perplexity/sonar-pro", dict(U)), ("search_context_size",), id="Perplexity's fee without what it depends on"
    ),
    pytest.param(
        of("sonar-deep-research", {**U, "prompt_tokens_details": {"cached_tokens": 5}}),
        ("num_search_queries",),
        id="deep research without its searches",
    ),
    pytest.param(
        of("perplexity/sonar-deep-research", RESEARCH),
        ("num_search_queries", "completion_tokens"),
        id="deep research, whose completion LiteLLM does not charge",
    ),
    pytest.param(
        of("perplexity/sonar-deep-research", {**RESEARCH, "reasoning_tokens": 7_000}),
        ("num_search_queries", "completion_tokens"),
        id="deep research that writes more than it reasons",
    ),
    pytest.param(
        drawn("gemini-2.5-flash-image", {"text": "Here it is"}, blob()),
        ("candidates.content.parts.inlineData",),
        id="an image next to text",
    ),
    pytest.param(
        said("gemini-2.5-flash-image", {"content": "", "images": [PICTURE]}, text_tokens=1_000),
        ("choices.message.images",),
        id="an image of which all tokens are counted as text",
    ),
    pytest.param(
        said("gpt-audio", {"content": "Good morning.", "audio": SOUND}),
        ("choices.message.audio",),
        id="audio next to text",
    ),
    pytest.param(
        said("gpt-audio", {"audio": SOUND, "tool_calls": [{"id": "1"}]}),
        ("choices.message.audio",),
        id="audio next to a call of a tool",
    ),
    pytest.param(
        said("any", {"images": [PICTURE], "audio": SOUND}),
        ("choices.message.images", "choices.message.audio"),
        id="an image and audio",
    ),
    pytest.param(
        drawn("gemini-omni", blob("video/mp4")), ("candidates.content.parts.inlineData",), id="video that was made"
    ),
    pytest.param(of("grok-4", {**U, "num_sources_used": 3}), ("num_sources_used",), id="sources of xAI"),
    pytest.param(
        of("grok-4", {**U, "server_side_tool_usage_details": {"x_search_calls": 2}}),
        ("server_side_tool_usage_details.x_search_calls",),
        id="other tools of xAI",
    ),
    pytest.param(
        grounded(groundingChunks=[{"maps": {"title": "a"}}]), ("grounding_metadata.google_maps",), id="Google Maps"
    ),
    pytest.param(
        grounded(googleMapsWidgetContextToken="t"), ("grounding_metadata.google_maps",), id="a widget of Google Maps"
    ),
    pytest.param(
        grounded(imageSearchQueries=["a"], retrievalQueries=["b"]),
        ("grounding_metadata.image_search_queries", "grounding_metadata.retrieval_queries"),
        id="other grounding of Google's",
    ),
    pytest.param(
        of(
            "gemini-2.5-flash",
            {"total_input_tokens": 10, "total_output_tokens": 20, "total_tokens": 30},
            outputs=[{"type": "google_search_call"}, {"type": "function_call"}],
        ),
        ("outputs.google_search_call",),
        id="a tool of an interaction",
    ),
    pytest.param(
        of("gemini/gemini-2.5-flash", {**U, "prompt_tokens_details": {"google_maps_grounding_requests": 1}}),
        ("prompt_tokens_details.google_maps_grounding_requests",),
        id="Google Maps by LiteLLM",
    ),
    pytest.param(
        of("openai/gpt-4o", {**U, "cost_details": {"upstream_inference_cost": 0.5}}),
        ("cost_details.upstream_inference_cost",),
        id="parts of a cost without the cost",
    ),
    pytest.param(
        of("claude", {**RESPONSES, "market_cost": 0.5}), ("market_cost",), id="a cost at list prices without the cost"
    ),
    pytest.param(
        of("gemini-embedding-2", {**U, "prompt_tokens_details": {"video_tokens": 900}}),
        ("prompt_tokens_details.video_tokens",),
        id="video of a model that has a price for it",
    ),
]


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(("answer", "paths"), REPORTED)
def test_what_has_no_price_is_reported(answer: dict[str, Any], paths: tuple[str, ...], shape: Any) -> None:
    assert read_answer(shape(answer)).unread_fields == paths


@pytest.mark.parametrize(("answer", "paths"), REPORTED)
def test_a_cost_that_is_given_includes_what_has_no_price(answer: dict[str, Any], paths: tuple[str, ...]) -> None:
    read = read_answer(answer, cost_nano_usd=5)

    assert paths
    assert read.unread_fields == ()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(response("function_call", "mcp_call", "computer_call"), id="tools that cost only their tokens"),
        pytest.param(
            of("sonar", {**U, "num_search_queries": 3, "prompt_tokens_details": {"web_search_requests": 3}}),
            id="searches that are charged, counted twice",
        ),
        pytest.param(
            message("claude", {"input_tokens": 9, "output_tokens": 9, "iterations": []}), id="a list of no runs"
        ),
        pytest.param(
            of(
                "sambanova/Meta-Llama-3.3-70B-Instruct",
                {
                    "acceptance_rate": 5,
                    "completion_tokens": 53,
                    "completion_tokens_after_first_per_sec": 343.8,
                    "completion_tokens_after_first_per_sec_first_ten": 439.1,
                    "completion_tokens_per_sec": 162.9,
                    "end_time": 1731527851.07,
                    "is_last_response": True,
                    "prompt_tokens": 213,
                    "start_time": 1731527850.71,
                    "stop_reason": "stop",
                    "time_to_first_token": 0.2,
                    "total_latency": 0.33,
                    "total_tokens": 266,
                    "total_tokens_per_sec": 817.3,
                },
            ),
            id="times and speeds of SambaNova",
        ),
        pytest.param(of("vercel_ai_gateway/perplexity/sonar", dict(U)), id="Perplexity's model at another provider"),
        pytest.param(of("perplexity/sonar-small-chat", dict(U)), id="Perplexity's model that does not search"),
        pytest.param(said("gpt-4o", {"content": "data: none", "images": [], "audio": None}), id="a chat of text alone"),
        pytest.param(drawn("gemini-2.5-flash", {"text": "Hello"}, blob("text/csv")), id="a file of text"),
        pytest.param(
            message("claude", RESPONSES)
            | {"content": [{"type": "tool_result", "content": [PICTURE]}, {"type": "text", "text": "Hello"}]},
            id="an image that a tool has made",
        ),
        pytest.param(
            of(
                "sonar",
                {**U, "search_context_size": "low", "prompt_tokens_details": {"web_search_requests": 1}},
            ),
            id="a search that is charged the fee of a small context",
        ),
        pytest.param(of("gpt-4o", {**U, "prompt_tokens_details": {"video_tokens": 900}}), id="video in a chat"),
        pytest.param(cited("gpt-4o-search-preview", "file_citation"), id="a citation that is no page"),
        pytest.param(
            {
                "modelVersion": "gemini-2.5-pro",
                "usageMetadata": {
                    "promptTokenCount": 300,
                    "candidatesTokenCount": 20,
                    "promptTokensDetails": [
                        {"modality": "TEXT", "tokenCount": 10},
                        {"modality": "VIDEO", "tokenCount": 290},
                    ],
                    "candidatesTokensDetails": [{"modality": "VIDEO", "tokenCount": 20}],
                },
            },
            id="video of Gemini",
        ),
    ],
)
def test_what_costs_nothing_of_its_own_is_not_reported(answer: dict[str, Any]) -> None:
    read = read_answer(answer)

    assert read.unread_fields == ()
    assert read.usage is not None
    assert read.usage.output_tokens > 0


def test_video_must_fit_into_the_input() -> None:
    with pytest.raises(UsageValueError, match="video_tokens"):
        read_answer(of("gpt-4o", {**U, "prompt_tokens_details": {"text_tokens": 200, "video_tokens": 900}}))


@pytest.mark.parametrize(
    ("answer", "searches"),
    [
        pytest.param(cited("gpt-4o-search-preview"), 1, id="a search model that cites a page"),
        pytest.param(cited("gpt-5-search-api-2025-10-14"), 1, id="a newer one"),
        pytest.param(cited("gpt-4o-search-preview", "other"), 0, id="one that cites none"),
        pytest.param(cited("gpt-4o"), 0, id="a model that does not search"),
        pytest.param(response("web_search_call", "web_search_call"), 2, id="searches among the items"),
        pytest.param(
            response("web_search_call", "web_search_call", tool_usage={"web_search": {"num_requests": 1}}),
            1,
            id="searches that the provider counts",
        ),
        pytest.param(
            response("web_search_call", tool_usage={"web_search": {"num_requests": 0}}), 0, id="none of them billed"
        ),
        pytest.param(
            of(
                "grok-4",
                {**RESPONSES, "server_side_tool_usage_details": {"web_search_calls": 1}},
                output=[{"type": "web_search_call"}] * 3,
            ),
            1,
            id="searches that the usage counts",
        ),
        pytest.param(grounded(webSearchQueries=["a", "b", "a", ""]), 2, id="Google's, each query once"),
        pytest.param(
            grounded(webSearchQueries=["a"], groundingChunks=[{"maps": {}}, {"web": {}}]), 1, id="with maps and pages"
        ),
        pytest.param(grounded(webSearchQueries=["a"], groundingChunks=[{"maps": {}}]), 0, id="of maps alone"),
    ],
)
def test_searches_outside_of_the_usage_are_counted(answer: dict[str, Any], searches: int) -> None:
    usage = read_answer(answer).usage

    assert usage is not None
    assert usage.web_searches == searches


@pytest.mark.parametrize("count", ["2", -1, 1.5])
def test_a_bad_count_of_searches_is_refused_wherever_it_is(count: object) -> None:
    with pytest.raises(UsageError) as refused:
        read_answer(response("web_search_call", tool_usage={"web_search": {"num_requests": count}}))

    assert refused.value.field == "tool_usage.web_search.num_requests"


def test_a_part_of_a_cost_that_is_a_text_is_refused() -> None:
    with pytest.raises(UsageTypeError) as refused:
        read_answer(of("sonar", {**U, "cost": {"currency": "USD", "request_cost": "0.1"}}))

    assert refused.value.field == "usage.cost.request_cost"


def test_a_message_that_a_stream_has_just_begun_is_refused() -> None:
    begun = {**message("claude-sonnet-4-5", {"input_tokens": 25, "output_tokens": 1}), "stop_reason": None}

    for answer in (begun, as_object(begun)):
        with pytest.raises(UsageValueError, match="last piece of a stream") as refused:
            read_answer(answer)
        assert refused.value.field == "stop_reason"
    del begun["stop_reason"]
    assert read_answer(begun).dialect == "anthropic"


@pytest.mark.parametrize(("latency", "tier"), [("optimized", "optimized"), ("standard", ""), (None, "")])
def test_optimized_latency_of_bedrock_is_a_tier(latency: str | None, tier: str) -> None:
    answer = of("amazon.nova-pro-v1:0", {"inputTokens": 1, "outputTokens": 1}, performanceConfig={"latency": latency})

    assert read_answer(answer).service_tier == tier


@pytest.mark.parametrize(
    ("hit", "is_cached"),
    [(True, True), ("true", True), ("True", True), (False, False), ("false", False), ("False", False), (None, False)],
)
def test_a_cache_hit_may_be_a_text(hit: object, is_cached: bool) -> None:
    read = read_answer(of("gpt-4o", U, _hidden_params={"cache_hit": hit, "response_cost": 0.5}))

    assert (read.cost_nano_usd, read.cost_source) == (0 if is_cached else 500_000_000, COST_SOURCE_GATEWAY)
    assert (read.usage is None) is is_cached


@pytest.mark.parametrize("hit", ["", "perhaps", 1, 0, {}])
def test_a_cache_hit_that_is_neither_true_nor_false_is_refused(hit: object) -> None:
    with pytest.raises(UsageTypeError, match="must be true or false") as refused:
        read_answer(of("gpt-4o", U, _hidden_params={"cache_hit": hit}))

    assert refused.value.field == "_hidden_params.cache_hit"


@pytest.mark.parametrize(
    "cost",
    [
        pytest.param({"input_tokens_cost": 0.01, "request_cost": 0.005}, id="parts alone"),
        pytest.param({"total_cost": 0, "request_cost": 0.005}, id="a total of zero"),
        pytest.param({"total_cost": 0.004, "request_cost": 0.005}, id="a total below a part"),
        pytest.param({"usd": 0.02}, id="another name"),
        pytest.param({"details": {"request": 0.02}}, id="deeper"),
    ],
)
@pytest.mark.parametrize(
    "answer",
    [of("sonar", dict(U)), of("gpt-realtime", dict(RESPONSES)), of("jina-reranker", {"total_tokens": 9}, results=[])],
    ids=["a chat", "realtime", "a reranking"],
)
def test_a_cost_in_parts_without_their_total_is_refused(answer: dict[str, Any], cost: dict[str, Any]) -> None:
    answer = {**answer, "usage": {**answer["usage"], "cost": cost}}

    with pytest.raises(UsageError, match="pass cost_usd=") as refused:
        read_answer(answer)

    assert refused.value.field == "usage.cost.total_cost"
    assert read_answer(answer, cost_nano_usd=7).cost_nano_usd == 7


@pytest.mark.parametrize("model", ["sonar", "gpt-realtime", "rerank-2", "whisper-1", "gpt-4o-mini-tts"])
def test_a_total_cost_is_taken_in_every_form_of_openai(model: str) -> None:
    usage = {**RESPONSES, "cost": {"total_cost": 0.02, "request_cost": 0.005}}

    read = read_answer(of(model, usage))

    assert (read.cost_nano_usd, read.cost_source) == (20_000_000, COST_SOURCE_PROVIDER)
