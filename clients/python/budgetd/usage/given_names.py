"""What the caller's `model=` adds to the name in an answer, by the table of docs/prices.md.

A client has no prices. It compares names as texts; the server finds the row of what is sent, or refuses it.
"""

import re

_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
#: What a provider's or a cloud's name of a model may have after it: a date or Vertex AI's usual version, and a version
#: of Amazon Bedrock, which has no "v" behind a size.
_VERSION = re.compile(
    r"(?:[@-](\d{4}-\d{2}-\d{2}|\d{8}|\d{4})|@default|@latest)?(?:-v\d+|(?<=\db)-\d+(?=:))?(?::\d+)?$"
)
#: Amazon Bedrock's own names: an ARN with its region, or an id, which may begin with a geography.
_ARN = re.compile(rf"arn:aws[a-z-]*:bedrock:({_REGION}):.*")
_BEDROCK_ID = re.compile(
    r"((?:us-gov|us|eu|apac|jp|au|ca|in|sa|global)\.)?(?:ai21|amazon|anthropic|cohere|deepseek|google|luma|meta"
    r"|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen|stability|twelvelabs|writer|xai|zai)\.[a-z].*"
)
#: Vertex AI's: a resource, which may have a location, or a partner's model with its version.
_RESOURCE = re.compile(r"(projects/[^/]+/locations/[^/]+/)?(?:projects|publishers|endpoints)/.*")
_AT_VERSION = re.compile(r"[^/@]+@(?:\d+|default|latest)")
#: Places that may precede a model and change its price.
_PLACES = {
    "azure": re.compile(r"(?:us|eu|us-gov|apac|global|global-standard)/"),
    "bedrock": re.compile(rf"{_REGION}/"),
    "bedrock_mantle": re.compile(rf"{_REGION}/"),
}
_BEDROCK_ROUTE = re.compile(r"(?:converse|converse_like|invoke|async_invoke)/")
_GATEWAY = "litellm_proxy"
#: What is a provider in front of a name, as LiteLLM calls it. Anything else is the caller's own, such as a team.
PROVIDERS = frozenset(
    """
    abliteration agentcore ai21 aiand aihubmix aiml amazon_nova anthropic anyscale apiserpent assemblyai aws_polly
    azure azure_ai azure_text baseten bedrock bedrock_converse bedrock_mantle bigmodel bing_grounding
    black_forest_labs bytez cerebras chatgpt chutes clarifai clf_ai_gateway cloudflare codestral cognition cohere
    cohere_chat cometapi coralbricks crusoe custom_openai darkbloom dashscope databricks dataforseo datarobot
    deepgram deepinfra deepseek docker_model_runner elevenlabs empiriolabs empower eu_jev fal_ai featherless_ai
    fireworks_ai friendliai galadriel gemini gigachat github github_copilot gmi google_pse gradient_ai groq helicone
    heroku hosted_vllm hostinger_router huggingface hyperbolic inception inferenceapis infinity jina_ai kyma
    lambda_ai lemonade libertai linkup llamafile llamagate lm_studio maritalk meta meta_llama microsoft_365_copilot
    minimax mistral modelscope moonshot morph nace nano-gpt nebius nimble nlp_cloud novita nscale nvidia_nim oci
    ollama ollama_chat oobabooga openai openai_like opencode_go openinfer openrouter ovhcloud parallel_ai parasail
    perplexity petals pinstripes poe predibase prism publicai qwen_ai_platform qwencloud recraft refuseless reka
    replicate runwayml sagemaker sagemaker_chat sail sambanova sap sarvam scaledown scaleway scx-ai serper snowflake
    soniox stability streamlake synthetic tavily tencent tensormesh text-completion-codestral
    text-completion-inception text-completion-openai together_ai topaz transcribe triton typesafe v0
    vercel_ai_gateway vertex_ai vertex_ai_beta vllm volcengine voyage wally wandb watsonx watsonx_text xai
    xiaomi_mimo xinference zai zerogpu
    """.split()  # noqa: SIM905 - as a list it takes a line for each.
)


def combine_names(model: str, given: str | None, provider: str = "") -> str:
    """Return the name that is charged for.

    Args:
        model: The answer's own name of its model.
        given: The caller's `model=`. None: there is none.
        provider: Who serves the model, by the answer itself. Empty: it does not say.
    """
    if not given or given == model:
        return model
    served_by, place = _parse_given(given.removeprefix(f"{_GATEWAY}/"), model)
    if (served_by or "/" in given) and (given.endswith(f"/{model}") or _is_same(given, model)):
        return given
    is_open = provider in ("", _GATEWAY) or provider.startswith(served_by) or served_by.startswith(provider)
    if not served_by or not is_open or model.startswith(f"{served_by}/"):
        return model
    return f"{served_by}/{place}{model}"


def _parse_given(given: str, model: str) -> tuple[str, str]:
    """Return the provider that a name gives, and the place or route of it to put in front of the answer's model."""
    provider, _, rest = given.partition("/")
    if provider not in PROVIDERS or not rest:
        provider, rest = _by_form(given), given
    if provider.startswith("bedrock"):
        return provider, _on_bedrock(provider, _BEDROCK_ROUTE.sub("", rest, count=1), model)
    if provider == "vertex_ai":
        located = _RESOURCE.match(rest)
        return provider, f"{located[1]}publishers/google/models/" if located and located[1] else ""
    place = _PLACES[provider].match(rest) if provider in _PLACES else None
    return provider, place[0] if place else ""


def _by_form(given: str) -> str:
    """Return the provider of a name that has none in front, if only one has names of that form. Empty otherwise."""
    if _ARN.fullmatch(given) or _BEDROCK_ID.fullmatch(given):
        return "bedrock"
    if _RESOURCE.fullmatch(given) or _AT_VERSION.fullmatch(given):
        return "vertex_ai"
    return "gemini" if given.startswith("models/") else ""


def _on_bedrock(provider: str, rest: str, model: str) -> str:
    """Return the region of a name, or its geography, which only ids of Bedrock have in front of them."""
    if arn := _ARN.fullmatch(rest):
        return f"{arn[1]}/"
    place = _PLACES[provider].match(rest) if provider in _PLACES else None
    region = place[0] if place else ""
    given_id, answer_id = _BEDROCK_ID.fullmatch(rest[len(region) :]), _BEDROCK_ID.fullmatch(model)
    return region + (given_id[1] or "" if given_id and answer_id and not answer_id[1] else "")


def _is_same(given: str, model: str) -> bool:
    """Return True if both are one model, with the same date where both have one."""
    (route, given_date), (name, date) = _undated(given), _undated(model)
    is_same = route.rpartition("/")[2] == name or route.endswith(f".{name}")
    return is_same and (not given_date or not date or given_date == date)


def _undated(model: str) -> tuple[str, str]:
    """Return a model's name without date and version, and the digits of the date. Empty if it has no date."""
    name, date = _VERSION.sub("", model.lower()), _VERSION.search(model)
    return name, re.sub(r"\D", "", date.group(1) or "") if date else ""
