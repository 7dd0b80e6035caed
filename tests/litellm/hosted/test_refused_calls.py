"""Calls that are refused as a whole: each with its status and a sentence, and without a trace in the ledger."""

import json
from typing import Any

import pytest

from budgetd.v1.cost_pb2 import UpdateCostRequest
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.http import bodies
from budgetd_server.litellm.hosted import protocol
from tests.litellm.hosted.conftest import Hosted, answer_on
from tests.rpc.running_server import PATIENCE_SECONDS, PROJECT

HALF = "project_name must not have half a surrogate pair, got '\\ud800'"
ALICE = {"total_budget": 10, "current_cost": 1, "model_cost": {"gpt-4o": 1}}


def named(project_name: object) -> dict[str, Any]:
    """A save under a name."""
    return {"project_name": project_name, "user_dict": {"alice": ALICE}}


def holding(user_dict: object) -> dict[str, Any]:
    """A save of users."""
    return {"project_name": PROJECT, "user_dict": user_dict}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param(b"", "the body is not JSON: ", id="nothing"),
        pytest.param(b"{", "the body is not JSON: ", id="half an object"),
        pytest.param(b'{"project_name": NaN, "user_dict"', "the body is not JSON: ", id="half an object with NaN"),
        pytest.param(b'{"project_name": "\xff"}', "the body is not JSON: ", id="bytes that are no UTF-8"),
        pytest.param(b'{"project_name": "\\ud800"}', HALF, id="half a surrogate pair"),
        pytest.param(b'{"project_name": "\\ud800", "x": NaN}', HALF, id="half a surrogate pair and NaN"),
        pytest.param(b"[" * 100_000, "the body is not JSON: ", id="a tower of brackets"),
        pytest.param(b"[NaN" + b"[" * 100_000, "the body is not JSON: ", id="the same, and NaN"),
        pytest.param([named(PROJECT)], "the body must be an object, got [{", id="a list"),
        pytest.param(None, "the body must be an object, got None", id="null"),
        pytest.param("text", "the body must be an object, got 'text'", id="a text"),
        pytest.param({"user_dict": {}}, "project_name must be a text, got None", id="no project"),
        pytest.param(named(None), "project_name must be a text, got None", id="a project of null"),
        pytest.param(named(5), "project_name must be a text, got 5", id="a number for a project"),
        pytest.param(named([PROJECT]), "project_name must be a text, got ['project']", id="a list for a project"),
        pytest.param(named(""), "project_name must not be empty, got ''", id="an empty project"),
        pytest.param(
            named("x" * 257), "project_name must be at most 256 bytes of UTF-8, got 'xxx", id="a long project"
        ),
        pytest.param(named("a\nb"), "project_name must not contain control characters, got 'a\\nb'", id="a line break"),
    ],
)
@pytest.mark.parametrize("path", ["/get_budget", "/set_budget"])
def test_a_body_without_a_project_is_refused_with_a_sentence_and_stores_nothing(
    shared: Hosted, path: str, body: object, sentence: str
) -> None:
    before = shared.server.stored()

    answer = shared.post(path, body)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["status"] == "error"
    assert answer.json()["message"].startswith(sentence)
    assert shared.server.stored() == before


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        pytest.param({"project_name": PROJECT}, "got None", id="none"),
        pytest.param(holding(None), "got None", id="null"),
        pytest.param(holding([ALICE]), "got [{", id="a list"),
        pytest.param(holding("x"), "got 'x'", id="a text"),
    ],
)
def test_a_save_without_a_dictionary_is_refused_and_deletes_no_user(
    hosted: Hosted, body: object, sentence: str
) -> None:
    hosted.save_whole({"alice": ALICE})
    before = hosted.server.stored()

    answer = hosted.post("/set_budget", body)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"user_dict must be an object of records by user, {sentence}")
    assert hosted.server.stored() == before


@pytest.mark.parametrize("depth", [200, 300, 900, 1_000, 1_015])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("{deep}", id="all of it"),
        pytest.param('{{"project_name": {deep}}}', id="the project"),
        pytest.param('{{"project_name": "project", "user_dict": {deep}}}', id="the dictionary"),
    ],
)
def test_a_body_that_is_nested_deeply_is_refused_at_any_depth(shared: Hosted, body: str, depth: int) -> None:
    answer = shared.post("/set_budget", body.format(deep="[" * depth + "]" * depth).encode())

    assert answer.status_code == 400


@pytest.mark.parametrize("depth", [200, 300, 900, 1_000, 1_015])
@pytest.mark.parametrize(
    "record",
    [
        pytest.param("{deep}", id="a record"),
        pytest.param('{{"total_budget": {deep}}}', id="an amount"),
        pytest.param('{{"total_budget": 1, "budgetd": {deep}}}', id="a marker"),
        pytest.param(
            '{{"total_budget": 1, "budgetd": {{"view": "0123456789abcdef.1.1", "given": {deep}}}}}',
            id="a record as it was given",
        ),
        pytest.param('{{"total_budget": 1, "created_at": {deep}}}', id="the time at which it was made"),
        pytest.param('{{"total_budget": 1, "more": {deep}, "duration": {deep}}}', id="an unknown key"),
    ],
)
def test_a_record_that_is_nested_deeply_is_refused_at_any_depth(shared: Hosted, record: str, depth: int) -> None:
    before = shared.server.stored()
    users = '{"alice": ' + record.format(deep="[" * depth + "]" * depth) + "}"

    answer = shared.post("/set_budget", f'{{"project_name": "project", "user_dict": {users}}}'.encode())

    assert answer.status_code in (200, 400)
    assert answer.json()["status"] == "error"
    assert shared.server.stored() == before


def test_more_users_than_fit_are_refused_in_a_save(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "USERS_MAX", 2)
    before = hosted.server.stored()

    answer = hosted.post("/set_budget", holding(dict.fromkeys("abc", ALICE)))

    assert answer.status_code == 413
    assert answer.json()["message"] == "user_dict must have at most 2 users, got 3: use gRPC"
    assert hosted.server.stored() == before
    hosted.save_whole(dict.fromkeys("ab", ALICE))


def test_more_users_than_fit_are_refused_in_a_load(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    hosted.server.create_many("abc")
    monkeypatch.setattr(protocol, "USERS_MAX", 2)

    answer = hosted.post("/get_budget", {"project_name": PROJECT})

    assert answer.status_code == 413
    assert answer.json()["message"].startswith("a project of more than 2 budgets is too large for this protocol")


def test_a_large_body_is_refused_before_it_comes(shared: Hosted) -> None:
    size = bodies.BODY_BYTES_MAX + 1
    with shared.connect() as caller:
        caller.sendall(f"POST /set_budget HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())

        status, answer_body = answer_on(caller)

    assert status == 413
    assert answer_body["message"] == f"the body must be at most {bodies.BODY_BYTES_MAX} bytes, got {size}"


@pytest.mark.parametrize("length", ["1e3", "-1", "+5", "0x10", "9" * 25])
def test_a_length_that_is_no_number_is_refused(shared: Hosted, length: str) -> None:
    with shared.connect() as caller:
        caller.sendall(f"POST /set_budget HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())

        answer = caller.recv(4_096)

    assert answer.split()[1] in (b"400", b"411", b"413")


def test_a_body_of_unknown_length_is_refused(shared: Hosted) -> None:
    answer = shared.observed.http.post("/set_budget", content=iter([json.dumps(holding({})).encode()]))

    assert answer.status_code == 411
    assert answer.json()["message"] == "content-length must be the size of the body"


@pytest.mark.parametrize("encoding", ["gzip", "br", "x" * 1_000, "identity, gzip"])
def test_a_compressed_body_is_refused(shared: Hosted, encoding: str) -> None:
    answer = shared.post("/set_budget", b"\x1f\x8b" + bytes(100), {"content-encoding": encoding})

    assert answer.status_code == 415
    assert answer.json()["message"] == f"content-encoding must be identity, got {encoding[:40]!r}"


def test_a_body_that_says_it_is_not_compressed_is_taken(hosted: Hosted) -> None:
    answer = hosted.post("/set_budget", holding({"alice": ALICE}), {"content-encoding": "Identity"})

    assert answer.json() == {"status": "success"}


@pytest.mark.parametrize("path", ["/get_budget", "/set_budget"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_than_post_are_refused(shared: Hosted, path: str, method: str) -> None:
    answer = shared.observed.http.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


# --- A server that cannot.


def test_a_store_that_is_away_is_reported_and_the_same_save_again_completes_it(hosted: Hosted) -> None:
    away = StoreUnavailable("the store could not write (full)", metadata={"kind": "full"})
    hosted.ledger.failures.append(away)

    answer = hosted.post("/set_budget", holding({"alice": ALICE}))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == {"status": "error", "message": "the store could not write (full)"}
    hosted.save_whole({"alice": ALICE})
    assert hosted.server.spent() == 10**9


def test_a_save_whose_commit_was_not_acknowledged_counts_once_when_it_is_sent_again(hosted: Hosted) -> None:
    hosted.ledger.failures_after_commit.append(StoreUnavailable("the outcome is not known", metadata={"kind": "io"}))

    assert hosted.post("/set_budget", holding({"alice": ALICE})).status_code == 503
    hosted.save_whole({"alice": ALICE})

    assert hosted.server.spent() == 10**9


@pytest.mark.parametrize("path", ["/get_budget", "/set_budget"])
def test_a_server_that_drains_answers_that_it_does(hosted: Hosted, path: str) -> None:
    server, ledger = hosted.server, hosted.ledger
    server.create()
    server.loop.call(ledger.before_commit.close)
    held = server.loop.begin(ledger.before_commit.arrival())
    update: Any = server.stub.UpdateCost
    call = update.future(UpdateCostRequest(project_id=PROJECT, budget_id="alice", cost_nano_usd=1))
    held.result(PATIENCE_SECONDS)
    stopping = server.loop.begin(server.server.stop())
    server.loop.call(lambda: None)  # By now it has begun.

    answer = hosted.post(path, holding({}))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["status"] == "error"
    server.loop.call(ledger.before_commit.open)
    call.result(PATIENCE_SECONDS)
    stopping.result(PATIENCE_SECONDS)


def test_an_internal_error_is_answered_with_an_incident_that_is_in_the_log_and_nothing_else(hosted: Hosted) -> None:
    hosted.ledger.failures.append(RuntimeError("the inner works"))

    answer = hosted.post("/set_budget", holding({"alice": ALICE}))

    (logged,) = [each for each in hosted.logs if each["event"] == "internal error"]
    assert answer.status_code == 500
    incident = f"internal error; the server's log has the details under {logged['incident_id']}"
    assert answer.json() == {"status": "error", "message": incident}
    assert logged["call"] == "set_budget"
    assert logged["exc_info"]
