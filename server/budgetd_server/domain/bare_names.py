"""Strip a model's name of provider, region and version, so that the patterns of limits match all of its variants.

Only the text of the name is used, so a model that is in no price file is matched like any other.
"""

import re

#: Regular expressions of the geographies that Amazon's inference profiles begin with, and of its regions.
GEOGRAPHY = "us-gov|us|eu|apac|jp|au|ca|in|sa|global"
REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"

_PROFILE = re.compile(r"arn:aws[a-z-]*:bedrock:[^:/]*:\d*:(?:inference-profile|foundation-model)/([^/]+)")
_VENDORS = (
    "ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen"
    "|stability|twelvelabs|writer|xai|zai"
)
_BEDROCK_ID = re.compile(rf"(?:(?:{GEOGRAPHY})\.)?(?:{_VENDORS})\.(.+)")
#: In "claude-v2:1" the "v2" belongs to the name. "-v1" is always a version, and so is any "-v…" after a date. After a
#: size, as in "gpt-oss-120b-1:0", the version has no "v".
_BEDROCK_VERSION = re.compile(r"(?:-v1|(?<=-\d{8})-v\d+|(?<=\db)-\d+(?=:))?(?::\d+(?::\w+)?)?$")
_AT_VERSION = re.compile(r"@[\w-]+$")
#: Fine-tuned models: OpenAI and Mistral put text before and after the name of the base model, Azure only after it.
_FINE_TUNED = re.compile(r"(?P<tuned>ft:(?P<base>[^:]+))(?::.+)?|(?P<on_azure>.+)\.ft-[\w-]+")
#: What gateways append to a name, such as ":free".
_VARIANT = re.compile(r"(?<=[^:]):[a-z]+$")
#: 2025-11-20, 20251120, 251120 and, as MMDD or YYMM, 1120 and 2511; also 09-2025, as in "preview-09-2025".
_DATE = re.compile(
    r"-(?:20\d\d-[01]\d-[0-3]\d|20\d\d[01]\d[0-3]\d|2\d[01]\d[0-3]\d|(?:0[1-9]|1[0-2])-20\d\d"
    r"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|2[3-9](?:0[1-9]|1[0-2])|latest|0\d\d)$"
)


def bare_names(name: str) -> tuple[str, ...]:
    """Return a name without provider, region and version, and also without its date. Empty if it has none of these.

    "us.anthropic.claude-opus-4-5-20251101-v1:0" gives "claude-opus-4-5-20251101" and "claude-opus-4-5". A
    fine-tuned model also has the names of its base model.
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
    """Return a name without its suffixes except the date, and also without the date."""
    dated = _AT_VERSION.sub(lambda at: f"-{at[0][1:]}" if at[0][1:].isdigit() else "", _VARIANT.sub("", model))
    return dated, _DATE.sub("", dated)


def is_bedrock_id(name: str) -> bool:
    """Return True for a name whose form shows that Bedrock serves it, such as "us.anthropic.claude-opus-4-5"."""
    return _BEDROCK_ID.fullmatch(name) is not None
