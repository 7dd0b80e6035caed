"""Records that are refused: each with a sentence, without a trace, and without harm to the others of its save."""

import json
from typing import Any

import pytest

from tests.litellm.hosted.conftest import Hosted, charge
from tests.rpc.running_server import PROJECT

BOB = {"total_budget": 5, "current_cost": 0.25, "model_cost": {"gpt-4o": 0.25}}
VIEW = "0123456789abcdef.1.1"
MODEL = "model of model_cost:"
USD = "must be a number of dollars from 0 to 1,000,000,000"
TIME = "must be a time of the years 1970 to 9999, in seconds since 1970"
DAYS = "must be a number of days, from one second to 3,653 days"


def having(**parts: Any) -> dict[str, Any]:
    """A record with something else in it."""
    return {"total_budget": 10, "current_cost": 1, "model_cost": {"gpt-4o": 1}, **parts}


NAN, INFINITY = float("nan"), float("inf")
RECORDS = [
    pytest.param(None, "record: must be an object, got None", id="null"),
    pytest.param([], "record: must be an object, got []", id="a list"),
    pytest.param("10", "record: must be an object, got '10'", id="a text"),
    pytest.param({}, f"total_budget: {USD}, got nothing", id="nothing in it"),
    pytest.param(having(total_budget=None), f"total_budget: {USD}, got None", id="a budget of null"),
    pytest.param(having(total_budget="10"), f"total_budget: {USD}, got '10'", id="a budget in quotes"),
    pytest.param(having(total_budget=True), f"total_budget: {USD}, got True", id="a budget of true"),
    pytest.param(having(total_budget=NAN), f"total_budget: {USD}, got nan", id="a budget of NaN"),
    pytest.param(having(total_budget=INFINITY), f"total_budget: {USD}, got inf", id="infinite"),
    pytest.param(having(total_budget=-1), f"total_budget: {USD}, got -1", id="a budget below zero"),
    pytest.param(having(total_budget=1e10), f"total_budget: {USD}, got 1", id="a budget too large"),
    pytest.param(
        having(total_budget=9e-10), "total_budget: must be 0, or at least a nano-dollar", id="too small a one"
    ),
    pytest.param(having(current_cost=-1e-9), f"current_cost: {USD}, got -1e-09", id="a cost below 0"),
    pytest.param(having(current_cost=NAN), f"current_cost: {USD}, got nan", id="a cost of NaN"),
    pytest.param(having(current_cost=None), f"current_cost: {USD}, got None", id="a cost of null"),
    pytest.param(having(current_cost=1e300), f"current_cost: {USD}, got 1e+300", id="a cost too large"),
    pytest.param(having(current_cost=2**64 - 1), f"current_cost: {USD}, got 184", id="64 bits"),
    pytest.param(having(model_cost=[1]), "model_cost: must be an object of dollars by model", id="a list of models"),
    pytest.param(having(model_cost={"m": "1"}), f"model_cost['m']: {USD}, got '1'", id="cost in quotes"),
    pytest.param(having(model_cost={"m": False}), f"model_cost['m']: {USD}", id="a cost of false"),
    pytest.param(having(model_cost={"m": -INFINITY}), f"model_cost['m']: {USD}", id="less than any"),
    pytest.param(having(model_cost={"m": -1}), f"model_cost['m']: {USD}", id="a model below zero"),
    pytest.param(
        having(model_cost={"a\nb": 1}),
        f"{MODEL} must not contain control characters, got 'a\\nb'",
        id="a model's break",
    ),
    pytest.param(
        having(model_cost={"\udfff": 1}),
        f"{MODEL} must not have half a surrogate pair",
        id="half a model",
    ),
    pytest.param(
        having(model_cost={"x" * 300: 1}),
        f"{MODEL} must be at most 256 bytes of UTF-8, got 'xxxxxxxxxxxxxxxxxx",
        id="a model's long name",
    ),
    pytest.param(
        having(model_cost={f"m{number}": 0 for number in range(1_001)}),
        "model_cost: must have at most 1000 models, got 1001",
        id="too many models",
    ),
    pytest.param(having(duration=0), f"duration: {DAYS}, got 0", id="no duration"),
    pytest.param(having(duration=-28), f"duration: {DAYS}, got -28", id="a negative one"),
    pytest.param(having(duration=4_000), f"duration: {DAYS}, got 4000", id="a long one"),
    pytest.param(having(duration="monthly"), f"duration: {DAYS}, got 'monthly'", id="one in words"),
    pytest.param(having(duration=INFINITY), f"duration: {DAYS}, got inf", id="an endless one"),
    pytest.param(having(duration=1e300), f"duration: {DAYS}, got", id="longer than numbers go"),
    pytest.param(having(created_at="now"), f"created_at: {TIME}, got 'now'", id="made when?"),
    pytest.param(having(created_at=-1), f"created_at: {TIME}, got", id="made before 1970"),
    pytest.param(having(last_updated_at=1e12), f"last_updated_at: {TIME}, got", id="milliseconds"),
    pytest.param(having(budgetd=5), "budgetd: must be as it was given, got 5", id="a marker of another kind"),
    pytest.param(having(budgetd={}), "budgetd: must be as it was given, got {}", id="an empty marker"),
    pytest.param(having(budgetd={"view": 7}), "budgetd: must be as it was given", id="a view of another kind"),
    pytest.param(having(budgetd={"view": VIEW.upper()}), "budgetd: must be as it was given", id="a view in capitals"),
    pytest.param(having(budgetd={"view": f"{VIEW}\n"}), "budgetd: must be as it was given", id="a view and a break"),
    pytest.param(having(budgetd={"view": VIEW}), "budgetd.given: must be an object, got None", id="nothing given"),
    pytest.param(
        having(budgetd={"view": VIEW, "given": {"total_budget": -1}}),
        f"budgetd.given.total_budget: {USD}",
        id="given less than nothing",
    ),
]


@pytest.mark.parametrize(("record", "sentence"), RECORDS)
def test_a_refused_record_leaves_no_trace(shared: Hosted, record: object, sentence: str) -> None:
    before = shared.server.stored()

    refused_records = shared.refused({"alice": record})

    assert list(refused_records) == ["alice"]
    assert refused_records["alice"].startswith(sentence)
    assert shared.server.stored() == before


@pytest.mark.parametrize(("record", "sentence"), RECORDS)
def test_the_other_users_of_a_save_with_a_refused_record_keep_their_costs(
    hosted: Hosted, record: object, sentence: str
) -> None:
    refused_records = hosted.refused({"first": BOB, "alice": record, "last": BOB})

    assert list(refused_records) == ["alice"]
    assert list(hosted.load()) == ["first", "last"]
    assert (hosted.server.spent("first"), hosted.server.spent("last")) == (250_000_000, 250_000_000)


@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        pytest.param("", "user: must not be empty, got ''", id="empty"),
        pytest.param("a\x00b", "user: must not contain control characters, got 'a\\x00b'", id="zero byte"),
        pytest.param("a\ud800", "user: must not have half a surrogate pair, got 'a\\ud800'", id="half a character"),
        pytest.param("é" * 129, "user: must be at most 256 bytes of UTF-8, got 'ééé", id="too long"),
    ],
)
def test_a_user_with_a_bad_name_is_refused(shared: Hosted, user: str, sentence: str) -> None:
    before = shared.server.stored()

    refused_records = shared.refused({user: having()})

    assert list(refused_records) == [user.replace("\ud800", "\\ud800")], "answers are Unicode"
    assert next(iter(refused_records.values())).startswith(sentence)
    assert shared.server.stored() == before


@pytest.mark.parametrize(
    "number",
    [pytest.param("1e400", id="beyond what floats hold"), pytest.param("9" * 400, id="four hundred digits")],
)
def test_a_number_that_no_float_holds_is_the_fault_of_one_record_and_not_of_all(hosted: Hosted, number: str) -> None:
    """Python writes such an integer, as it writes NaN."""
    users = f'{{"alice": {{"total_budget": {number}}}, "bob": {json.dumps(BOB)}}}'

    answer = hosted.post("/set_budget", f'{{"project_name": "{PROJECT}", "user_dict": {users}}}'.encode())

    assert answer.status_code == 200, answer.text
    assert list(answer.json()["refused"]) == ["alice"]
    assert hosted.server.spent("bob") == 250_000_000


def test_all_that_is_wrong_with_a_record_is_reported_at_once(shared: Hosted) -> None:
    refused_records = shared.refused({"alice": {"duration": 0, "current_cost": -1}})

    fields = {each.partition(":")[0] for each in refused_records["alice"].split("; ")}
    assert fields == {"total_budget", "current_cost", "duration"}


def test_a_known_user_whose_record_is_refused_stays_as_it_is_until_a_good_one_comes(hosted: Hosted) -> None:
    hosted.save_whole({"alice": having()})
    view = hosted.load()
    before = hosted.server.stored()
    charge(view["alice"], 0.5)
    view["alice"]["total_budget"] = NAN

    assert list(hosted.refused(view)) == ["alice"]

    assert hosted.server.stored() == before
    view["alice"]["total_budget"] = 10
    hosted.save_whole(view)
    assert hosted.server.spent() == 1_500_000_000


def test_of_many_refused_records_a_hundred_are_reported_and_three_logged(hosted: Hosted) -> None:
    answer = hosted.save({f"user{number}": {"total_budget": -1} for number in range(150)} | {"bob": BOB})

    (logged,) = [each for each in hosted.logs if each["event"] == "records were refused"]
    assert answer["message"] == "150 of 151 records were refused, the others are kept"
    assert len(answer["refused"]) == 100
    assert (logged["project"], logged["users"], logged["refused"], len(logged["why"])) == (PROJECT, 151, 150, 3)
    assert hosted.server.spent("bob") == 250_000_000


def test_keys_that_are_not_kept_are_reported_and_the_record_is_carried_out(hosted: Hosted) -> None:
    answer = hosted.save({"alice": having(team="blue", note="x"), "bob": BOB})

    assert answer == {"status": "success", "ignored": {"alice": ["note", "team"]}}
    assert hosted.server.spent() == 1_000_000_000
    assert set(hosted.load()["alice"]) == {"total_budget", "current_cost", "model_cost", "budgetd"}


def test_a_template_cannot_be_saved_to(hosted: Hosted) -> None:
    hosted.server.create("gold", is_template=True)
    before = hosted.server.stored()

    refused_records = hosted.refused({"gold": having()})

    assert "template" in refused_records["gold"]
    assert hosted.server.stored() == before


def test_costs_that_would_not_fit_into_the_count_are_refused_whole(hosted: Hosted) -> None:
    """A billion dollars fit nine times into the largest count."""
    full = having(current_cost=10**9, model_cost={"gpt-4o": 5 * 10**8, "o1": 5 * 10**8})
    for number in range(9):
        hosted.save_whole({"alice": {**full, "created_at": number + 1}})
    before = hosted.server.stored()

    refused_records = hosted.refused({"alice": {**full, "created_at": 100}})

    assert list(refused_records) == ["alice"]
    assert hosted.server.stored() == before


def test_keys_that_are_no_unicode_are_reported_escaped(hosted: Hosted) -> None:
    assert hosted.save({"alice": having(**{"\ud800": "\ud800"})})["ignored"] == {"alice": ["\\ud800"]}


def test_of_many_faults_of_one_record_a_few_are_reported_and_the_rest_counted(hosted: Hosted) -> None:
    refused_records = hosted.refused({"alice": having(model_cost={f"model {number}": -1 for number in range(1_000)})})

    assert refused_records["alice"].endswith("; and 992 more")
    assert len(refused_records["alice"]) < 1_000


def test_an_invalid_number_is_refused_after_the_same_record_without_it(hosted: Hosted) -> None:
    hosted.save_whole({"alice": {"total_budget": 1}})

    assert list(hosted.refused({"alice": {"total_budget": 1, "current_cost": NAN}})) == ["alice"]


# --- Logs.


def test_neither_the_header_of_a_caller_nor_what_its_records_say_comes_into_the_log(
    hosted: Hosted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = {"Authorization": "Bearer sk-secret-7261", "X-Api-Key": "sk-secret-7261", "Cookie": "sk-secret-7261"}
    save = {"project_name": PROJECT, "user_dict": {"alice": having(prompt="private-9183"), "bob": {}}}

    for path, body in (
        ("/get_budget", {"project_name": PROJECT}),
        ("/get_budget", {}),
        ("/set_budget", save),
        ("/set_budget", {**save, "user_dict": None}),
        ("/set_budget", b"private-9183"),
    ):
        hosted.post(path, body, secret)
    hosted.ledger.failures.append(RuntimeError("an internal error"))
    hosted.post("/set_budget", {"project_name": PROJECT, "user_dict": {"carol": BOB}}, secret)

    logged = repr(hosted.logs) + caplog.text
    assert "internal error" in logged
    assert "sk-secret" not in logged
    assert "private-9183" not in logged
