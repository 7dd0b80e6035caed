"""Errors speak of what their reader can write: options of the command line, arguments of the manager."""

import inspect
import re
from collections.abc import Callable

import grpc
import pytest

from budgetd import BudgetManager, UnknownModel
from budgetd.errors import BudgetdError
from budgetd.transport.status import error_of_status
from budgetd.wording import MANAGER, REWORDED, Words, reword
from budgetd_server.cli.wording import COMMAND_LINE
from budgetd_server.domain import errors as domain
from budgetd_server.rpc.errors import STATUS, status_of
from tests.cli.test_program import ASKING, options_of

#: An error for each reason of the server whose sentence may name a field; others have only ids and numbers.
SAMPLES: dict[str, domain.BudgetError] = {
    "UNKNOWN_MODEL": domain.UnknownModel("gpt-4x", near=("gpt-4", "gpt-5")),
    "UNPRICED_USAGE": domain.UnpricedUsage("gpt-4o", "reasoning_tokens"),
    "INVALID_FIELD": domain.InvalidField(
        [
            domain.FieldViolation("cost_nano_usd", "must be less, got 5"),
            domain.FieldViolation("budget.limits[0].window.fixed.length", "must be more, got 0"),
            domain.FieldViolation("request_id", "must be short, got 'x'"),
        ]
    ),
    "REQUEST_ID_REUSED": domain.RequestIdReused("r1"),
    "HAS_CHILDREN": domain.HasChildren("team", 3),
    "HAS_OPEN_RESERVATIONS": domain.HasOpenReservations("alice", 2),
}
#: What only callers of the contract can write.
CONTRACT = re.compile(r"\b(cost_nano_usd|budget_id|project_id|the price file|send|force|budget\.\w+|limits\[)")
SAID = {
    "UNKNOWN_MODEL": {
        "command line": "model 'gpt-4x' has no price; near names: gpt-4, gpt-5; give its provider (provider/model, or "
        "--provider), give --usd, as in --usd 0.05, or add the model to a price file of the server, "
        "`budgetd serve --prices FILE`",
        "manager": "model 'gpt-4x' has no price; near names: gpt-4, gpt-5; pass model= with its provider, "
        "provider/model, pass cost_usd=, or add the model to a price file: prices= or BUDGETD_PRICES of an embedded "
        "manager, `budgetd serve --prices` of a server",
    },
    "UNPRICED_USAGE": {
        "command line": "model 'gpt-4o' has no price for --reasoning-tokens; give --usd, as in --usd 0.05, or add the "
        "price to a price file of the server, `budgetd serve --prices FILE`",
        "manager": "model 'gpt-4o' has no price for reasoning_tokens; pass cost_usd=, or add the price to a price "
        "file: prices= or BUDGETD_PRICES of an embedded manager, `budgetd serve --prices` of a server",
    },
    "INVALID_FIELD": {
        "command line": "--usd: must be less, got 5; --per: must be more, got 0; --request-id: must be short, got 'x'",
        "manager": "cost_usd: must be less, got 5; duration: must be more, got 0; request_id: must be short, got 'x'",
    },
    "REQUEST_ID_REUSED": {
        "command line": "--request-id 'r1' was already used for a request with other content",
        "manager": "request_id 'r1' was already used for a request with other content",
    },
    "HAS_CHILDREN": {
        "command line": "'team' has 3 budgets below it: delete or move those first",
        "manager": "'team' has 3 budgets below it: delete or move those first",
    },
    "HAS_OPEN_RESERVATIONS": {
        "command line": "2 open holds count on 'alice': settle or release them first",
        "manager": "2 open holds count on 'alice': settle or release them first",
    },
}
EDGES = {"command line": COMMAND_LINE, "manager": MANAGER}


def arrived(error: domain.BudgetError) -> BudgetdError:
    """The error as a client raises it."""
    received = error_of_status(status_of(error))
    assert received is not None
    return received


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("reason", SAMPLES)
def test_a_reason_that_names_a_field_is_said_in_the_words_of_the_edge(reason: str, edge: str) -> None:
    error = arrived(SAMPLES[reason])

    assert reword(error, EDGES[edge]) is error

    assert str(error) == error.message == SAID[reason][edge]
    assert error.reason == reason
    assert CONTRACT.search(str(error)) is None


def test_every_reason_whose_sentence_names_a_field_has_a_row() -> None:
    """The sentence is the code that makes it: the class of each reason, as it stands in the file."""
    naming = {error.reason for error in STATUS if CONTRACT.search(_sentences(error))}

    assert naming | {"INVALID_FIELD", "REQUEST_ID_REUSED"} == set(REWORDED) == set(SAMPLES)


def _sentences(error: type[domain.BudgetError]) -> str:
    source = inspect.getsource(error).rpartition('"""')[2].partition("metadata=")[0]
    return re.sub(r"{[^}]*}", "", " ".join(re.findall(r'"([^"]*)"', source)))


@pytest.mark.parametrize(
    ("error", "command_line", "manager"),
    [
        pytest.param(
            domain.UnknownModel("gpt-4o", provider="groq"),
            "model 'gpt-4o' of provider 'groq' has no price; give another name, give --usd",
            "model 'gpt-4o' of provider 'groq' has no price; give another name, pass cost_usd=",
            id="provider",
        ),
        pytest.param(
            domain.UnpricedUsage("gpt-4o", "service_tier", value="turbo"),
            "model 'gpt-4o' has no price for --service-tier 'turbo';",
            "model 'gpt-4o' has no price for service_tier 'turbo';",
            id="tier",
        ),
        pytest.param(
            domain.UnpricedUsage("gpt-4o", "inference_geo", value="mars"),
            "model 'gpt-4o' has no price for --region 'mars';",
            "model 'gpt-4o' has no price for inference_geo 'mars';",
            id="place",
        ),
        pytest.param(
            domain.UnpricedUsage("veo", "video_milliseconds", varies=True),
            "model 'veo' has no price for --part video-milliseconds: larger sizes cost more, and a usage has no size;",
            "model 'veo' has no price for video_milliseconds: larger sizes cost more, and a usage has no size;",
            id="size",
        ),
        pytest.param(
            domain.HasChildren("team", 1),
            "'team' has 1 budget below it: delete or move that one first",
            "'team' has 1 budget below it: delete or move that one first",
            id="one child",
        ),
        pytest.param(
            domain.HasOpenReservations("alice", 1),
            "1 open hold counts on 'alice': settle or release it first",
            "1 open hold counts on 'alice': settle or release it first",
            id="one hold",
        ),
    ],
)
def test_the_value_that_is_the_reason_is_named(error: domain.BudgetError, command_line: str, manager: str) -> None:
    assert reword(arrived(error), COMMAND_LINE).message.startswith(command_line)
    assert reword(arrived(error), MANAGER).message.startswith(manager)


def test_violations_have_the_names_of_the_edge_too() -> None:
    error = reword(arrived(SAMPLES["INVALID_FIELD"]), COMMAND_LINE)

    assert [field for field, _ in error.field_violations] == ["--usd", "--per", "--request-id"]


def test_of_very_many_bad_fields_the_number_is_reported() -> None:
    many = domain.InvalidField([domain.FieldViolation(f"labels['{n}']", "must be short") for n in range(30)])

    error = reword(arrived(many), COMMAND_LINE)

    assert str(error).startswith("30 bad fields: --label: must be short")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: arrived(domain.BudgetNotFound("p", "b")), id="a reason without a row"),
        pytest.param(
            lambda: UnknownModel("its sentence", code=grpc.StatusCode.UNKNOWN, reason="UNKNOWN_MODEL"), id="no metadata"
        ),
        pytest.param(
            lambda: UnknownModel("its sentence", code=grpc.StatusCode.UNKNOWN, reason="NEW"), id="an unknown reason"
        ),
    ],
)
def test_what_cannot_be_said_better_stays_as_the_server_says_it(make: Callable[[], BudgetdError]) -> None:
    error = make()
    before = str(error)

    assert str(reword(error, MANAGER)) == before


@pytest.mark.parametrize(
    ("rule", "command_line", "manager"),
    [
        pytest.param(
            "cached_input_tokens 5 and cache_write_tokens 7 together must not exceed input_tokens 3, "
            "which includes them",
            "--cached-input-tokens 5 and --cache-write-tokens 7 together must not exceed --input-tokens 3, "
            "which includes them",
            "cached input tokens 5 and cache write tokens 7 together must not exceed input tokens 3, "
            "which includes them",
            id="counts",
        ),
        pytest.param(
            "must be from -1500000000 to 9000000000000000 nano-USD, got 9000000000000001",
            "must be from -$1.5 to $9,000,000, got $9,000,000.000000001",
            "must be from -$1.5 to $9,000,000, got $9,000,000.000000001",
            id="money",
        ),
        pytest.param(
            "must cost at most 1000000000 nano-USD, got 2000000000",
            "must cost at most $1, got $2",
            "must cost at most $1, got $2",
            id="a price",
        ),
        pytest.param(
            "one of cost_nano_usd, usage and text must be set, got 'cost_nano_usd 5 nano-USD'",
            "one of --usd, usage and text must be set, got 'cost_nano_usd 5 nano-USD'",
            "one of cost_usd, usage and text must be set, got 'cost_nano_usd 5 nano-USD'",
            id="a value that looks like the contract's words",
        ),
        pytest.param(
            "must be from 0 to 10^12, got 2000000000000",
            "must be from 0 to 10^12, got 2000000000000",
            "must be from 0 to 10^12, got 2000000000000",
            id="a count",
        ),
    ],
)
def test_a_rule_names_fields_and_money_in_the_words_of_the_edge(rule: str, command_line: str, manager: str) -> None:
    violations = [domain.FieldViolation("usage", rule)]

    said = {edge: reword(arrived(domain.InvalidField(violations)), words) for edge, words in EDGES.items()}

    assert [rule for _, rule in said["command line"].field_violations] == [command_line]
    assert str(said["manager"]) == f"completion_obj: {manager}"


def test_every_option_in_the_table_exists() -> None:
    options = {option for name in ASKING for option in options_of(name)}
    reported = [name.split(" ") for name in COMMAND_LINE.fields.values() if name.startswith("--")]

    assert {option for option, *_ in reported} <= options
    assert {option for option, *value in reported if value} == {"--part"}, "no other option has a value"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("labels['a']", "--label"),
        ("budget.limits[0].window.calendar.time_zone", "--time-zone"),
        ("budget.limits[0].window.calendar.unit", "--per"),
        ("budget.limits[1].amount", "budget.limits[1].amount"),
        ("labelsx", "labelsx"),
        ("", ""),
    ],
)
def test_a_path_is_named_by_the_nearest_that_holds_it(path: str, name: str) -> None:
    words: Words = COMMAND_LINE

    assert words.name_of(path) == name


def test_the_manager_raises_in_its_own_words(tmp_path: object) -> None:
    with BudgetManager("chat", database=f"{tmp_path}/budgetd.db") as manager:
        manager.create_budget(10, "alice")

        with pytest.raises(UnknownModel, match="pass cost_usd=, or add the model to a price file: prices="):
            manager.update_cost("alice", {"model": "gpt-4x", "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
