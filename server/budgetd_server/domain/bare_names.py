"""A model's name without what says where and in which version it is served: what patterns of limits mean.

Text alone is looked at, so a model that no price file knows is matched like any other.
"""

import re

#: Geographies that Amazon's inference profiles begin with, and its regions; both as parts of a pattern.
GEOGRAPHY = "us-gov|us|eu|apac|jp|au|ca|in|sa|global"
REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"

_PROFILE = re.compile(r"arn:aws[a-z-]*:bedrock:[^:/]*:\d*:(?:inference-profile|foundation-model)/([^/]+)")
_VENDORS = (
    "ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen"
    "|stability|twelvelabs|writer|zai"
)
_BEDROCK_ID = re.compile(rf"(?:(?:{GEOGRAPHY})\.)?(?:{_VENDORS})\.(.+)")
#: Of "claude-v2:1" the "v2" is the model's own name; behind a date, any is a version, and so is the first. Behind a
#: size, as in "gpt-oss-120b-1:0", it has no "v".
_BEDROCK_VERSION = re.compile(r"(?:-v1|(?<=-\d{8})-v\d+|(?<=\db)-\d+(?=:))?(?::\d+(?::\w+)?)?$")
_AT_VERSION = re.compile(r"@[\w-]+$")
#: Of models that are tuned from another one: what OpenAI and Mistral put before and behind its name, and Azure behind.
_FINE_TUNED = re.compile(r"(?P<tuned>ft:(?P<base>[^:]+))(?::.+)?|(?P<on_azure>.+)\.ft-[\w-]+")
#: What gateways put behind a name, such as ":free".
_VARIANT = re.compile(r"(?<=[^:]):[a-z]+$")
#: 2025-11-20, 20251120, 251120 and, as MMDD or YYMM, 1120 and 2511; also 09-2025, as in "preview-09-2025".
_DATE = re.compile(
    r"-(?:20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|2\d[01]\d[0-3]\d|(?:0[1-9]|1[0-2])-20\d\d"
    r"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|2[3-9](?:0[1-9]|1[0-2])|latest|0\d\d)$"
)


def bare_names(name: str) -> tuple[str, ...]:
    """A name without provider, region and version, and that without its date; empty: it has none of them.

    "us.anthropic.claude-opus-4-5-20251101-v1:0" gives "claude-opus-4-5-20251101" and "claude-opus-4-5". A model that is
    tuned from another one has the names of that, too.
    """
    profile = _PROFILE.search(name)
    model = profile[1] if profile else name.rpartition("/")[2]
    models = [model]
    if tuned := _FINE_TUNED.fullmatch(model):
        models = [tuned["tuned"] or model, tuned["base"] or tuned["on_azure"]]
    elif on_bedrock := _BEDROCK_ID.fullmatch(model):
        models = [_BEDROCK_VERSION.sub("", on_bedrock[1])]
    found = [bare for each in models for bare in _without_date(each)]
    return tuple(each for each in dict.fromkeys(found) if each and each != name)


def _without_date(model: str) -> tuple[str, str]:
    """A name without what stands behind it but its date, and that without its date."""
    dated = _AT_VERSION.sub(lambda at: f"-{at[0][1:]}" if at[0][1:].isdigit() else "", _VARIANT.sub("", model))
    return dated, _DATE.sub("", dated)


def is_bedrock_id(name: str) -> bool:
    """True for a name such as "us.anthropic.claude-opus-4-5", which tells by its form that Amazon Bedrock serves it."""
    return _BEDROCK_ID.fullmatch(name) is not None
