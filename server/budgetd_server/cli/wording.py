"""Maps fields of the contract to options of the command line, for error messages."""

from budgetd import BudgetdError
from budgetd.v1 import budget_pb2 as pb
from budgetd.wording import Words, reword

#: Counts of a usage that have their own option.
_OWN = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
#: Every count of a usage by the contract's name.
USAGE_COUNTS = tuple(field.name for field in pb.Usage.DESCRIPTOR.fields if field.message_type is None)
_COUNTS = {name: f"{'--' if name in _OWN else '--part '}{name.replace('_', '-')}" for name in USAGE_COUNTS}

COMMAND_LINE = Words(
    cost_hint="give --usd, as in --usd 0.05",
    provider_hint="give its provider (provider/model, or --provider)",
    price_file="a price file of the server, `budgetd serve --prices FILE`",
    fields={
        "project_id": "--project",
        "budget.project_id": "--project",
        "budget_id": "ID",
        "budget.budget_id": "ID",
        "budget.limits[0].amount": "--usd",
        "budget.limits[0].window": "--per",
        "budget.limits[0].window.calendar.time_zone": "--time-zone",
        "budget.limits[0].models": "--models",
        "budget.limits[0].reset_mode": "--on-request",
        "budget.labels": "--label",
        "labels": "--label",
        "request_id": "--request-id",
        "model": "--model",
        "cost_nano_usd": "--usd",
        "usage": "the tokens",
        "text": "the texts",
        "text.input": "--input-text",
        "text.output": "--output-text",
        "id_prefix": "--prefix",
        "min_used_ratio": "--min-used",
        "provider": "--provider",
        "service_tier": "--service-tier",
        "is_batch": "--batch",
        "inference_geo": "--region",
        **{f"{prefix}{name}": option for name, option in _COUNTS.items() for prefix in ("", "usage.")},
    },
)


def reword_for_command_line(error: BudgetdError) -> None:
    """Reword an error in the terms of the command line."""
    reword(error, COMMAND_LINE)
