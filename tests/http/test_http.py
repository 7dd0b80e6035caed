"""The HTTP port: probes that are correct, and metrics that count every call without naming a caller."""

from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.parser import text_string_to_metric_families

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.rpc.adapter import go_code
from budgetd_server.rpc.handlers import SERVICE
from tests.http.conftest import Observed
from tests.rpc.failures import failure
from tests.rpc.running_server import PATIENCE_SECONDS, PROJECT

#: As gRPC for Go writes its codes, which dashboards match on.
GO_CODES = {
    "OK": "OK",
    "CANCELLED": "Canceled",
    "UNKNOWN": "Unknown",
    "INVALID_ARGUMENT": "InvalidArgument",
    "DEADLINE_EXCEEDED": "DeadlineExceeded",
    "NOT_FOUND": "NotFound",
    "ALREADY_EXISTS": "AlreadyExists",
    "PERMISSION_DENIED": "PermissionDenied",
    "RESOURCE_EXHAUSTED": "ResourceExhausted",
    "FAILED_PRECONDITION": "FailedPrecondition",
    "ABORTED": "Aborted",
    "OUT_OF_RANGE": "OutOfRange",
    "UNIMPLEMENTED": "Unimplemented",
    "INTERNAL": "Internal",
    "UNAVAILABLE": "Unavailable",
    "DATA_LOSS": "DataLoss",
    "UNAUTHENTICATED": "Unauthenticated",
}


def handled(rpc: str, code: str) -> str:
    """The sample that counts an RPC's ends by code."""
    return (
        f'grpc_server_handled_total{{grpc_code="{code}",grpc_method="{rpc}",'
        f'grpc_service="{SERVICE.full_name}",grpc_type="unary"}}'
    )


def charge_later(observed: Observed, **options: Any) -> Any:
    """Begin a charge; its result is awaited elsewhere."""
    update: Any = observed.server.stub.UpdateCost
    request = cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", cost_nano_usd=1)
    return update.future(request, **options)


# --- Probes.


def test_a_server_that_works_is_live_and_ready(observed: Observed) -> None:
    for path in ("/livez", "/readyz"):
        answer = observed.http.get(path)

        assert (answer.status_code, answer.text) == (200, "ok\n")


def test_a_server_whose_store_takes_no_writes_is_live_and_not_ready(observed: Observed) -> None:
    observed.server.create()
    observed.ledger.failures.append(StoreUnavailable("the store could not write (full)", metadata={"kind": "full"}))

    failure(lambda: observed.server.charge(1))

    assert observed.http.get("/readyz").status_code == 503
    assert observed.http.get("/livez").status_code == 200
    assert observed.value("budgetd_store_healthy") == 0
    assert observed.value('budgetd_store_errors_total{kind="full"}') == 1
    observed.server.charge(1)
    assert observed.http.get("/readyz").status_code == 200


def test_a_server_that_drains_is_live_and_not_ready(observed: Observed) -> None:
    observed.server.create()
    observed.server.loop.call(observed.ledger.before_commit.close)
    call = charge_later(observed)
    observed.server.loop.run(observed.ledger.before_commit.arrival())

    stopping = observed.server.loop.begin(observed.server.server.stop())
    observed.server.loop.call(lambda: None)  # By now it has begun.

    assert observed.http.get("/readyz").status_code == 503
    assert observed.http.get("/livez").status_code == 200
    observed.server.loop.call(observed.ledger.before_commit.open)
    call.result(PATIENCE_SECONDS)
    stopping.result(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/", 404), ("GET", "/metrics/x", 404), ("POST", "/metrics", 405), ("DELETE", "/livez", 405)],
)
def test_anything_else_is_refused(observed: Observed, method: str, path: str, code: int) -> None:
    assert observed.http.request(method, path, content=b"x" * 10_000).status_code == code


@pytest.mark.parametrize("path", ["//get_budget", "/get_budget/", "///get_budget//"])
def test_repeated_slashes_and_one_at_the_end_lead_to_the_same_call(observed: Observed, path: str) -> None:
    """A base of LiteLLM's class that ends in a slash makes the first; a redirect would cost the body."""
    observed.server.create()
    port = observed.server.server.http_port

    answer = httpx.post(f"http://127.0.0.1:{port}{path}", json={"project_name": "project"}, trust_env=False)

    assert answer.status_code == 200
    assert list(answer.json()["data"]) == ["alice"]


def test_a_path_is_not_joined_over_its_slashes(observed: Observed) -> None:
    assert observed.http.post("/get/_budget", json={}).status_code == 404


# --- Metrics.


def test_metrics_come_in_the_form_that_prometheus_reads(observed: Observed) -> None:
    answer = observed.http.get("/metrics")

    assert answer.headers["content-type"] == CONTENT_TYPE_LATEST
    assert {"budgetd_charges", "grpc_server_handled"} <= {
        family.name for family in text_string_to_metric_families(answer.text)
    }


def test_charges_are_counted_by_what_became_of_them_and_their_money_summed(observed: Observed) -> None:
    server = observed.server
    server.create()
    server.charge(7, request_id="r1")
    server.charge(7, request_id="r1")
    failure(lambda: server.charge(1, "nobody"))
    items = [cost_pb.UpdateCostRequest(budget_id=name, cost_nano_usd=2) for name in ("alice", "nobody", "alice")]
    server.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items))
    observed.ledger.failures.append(StoreUnavailable("away", metadata={"kind": "busy"}))
    failure(lambda: server.charge(1))

    counts = {
        result: observed.value(f'budgetd_charges_total{{result="{result}"}}')
        for result in ("recorded", "replayed", "refused", "unavailable")
    }

    assert counts == {"recorded": 3, "replayed": 1, "refused": 2, "unavailable": 1}
    assert observed.value("budgetd_charged_nano_usd_total") == 7 + 2 + 2


def test_history_is_no_spending_of_now_alone_or_in_a_batch_with_other_charges(observed: Observed) -> None:
    server = observed.server
    server.create()
    server.charge(100, is_history=True)
    items = [
        cost_pb.UpdateCostRequest(budget_id="alice", cost_nano_usd=cost, is_history=is_history)
        for cost, is_history in ((1, False), (1_000, True), (10, False))
    ]
    server.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items))

    assert server.spent() == 1_111
    assert observed.value("budgetd_charged_nano_usd_total") == 11
    assert observed.value('budgetd_charges_total{result="recorded"}') == 4


def test_refusals_are_counted_by_reason_those_of_items_too(observed: Observed) -> None:
    server = observed.server
    failure(lambda: server.charge(-1))
    items = [
        cost_pb.UpdateCostRequest(budget_id="nobody", cost_nano_usd=1),
        cost_pb.UpdateCostRequest(budget_id="nobody", cost_nano_usd=-1),
        cost_pb.UpdateCostRequest(budget_id="nobody", model="no such model", usage=pb.Usage(input_tokens=1)),
    ]
    server.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items))
    observed.ledger.failures.extend([RuntimeError("an internal error")] * 2)
    failure(lambda: server.charge(1))

    counts = {
        reason: observed.value(f'budgetd_refusals_total{{reason="{reason}"}}')
        for reason in ("INVALID_FIELD", "BUDGET_NOT_FOUND", "UNKNOWN_MODEL", "INTERNAL")
    }

    assert counts == {"INVALID_FIELD": 2, "BUDGET_NOT_FOUND": 1, "UNKNOWN_MODEL": 1, "INTERNAL": 1}


def test_calls_are_counted_by_code(observed: Observed) -> None:
    server = observed.server
    server.create()
    server.charge(1)
    failure(lambda: server.charge(-1))
    failure(lambda: server.charge(1, "nobody"))
    failure(server.create)
    observed.ledger.failures.append(StoreUnavailable("away", metadata={"kind": "busy"}))
    failure(lambda: server.charge(1))
    server.charge(1)

    counts = {code: observed.value(handled("UpdateCost", code)) for code in GO_CODES.values()}

    assert {code: count for code, count in counts.items() if count} == {
        "OK": 2,
        "InvalidArgument": 1,
        "NotFound": 1,
        "Unavailable": 1,
    }
    assert observed.value(handled("CreateBudget", "AlreadyExists")) == 1
    labels = f'{{grpc_method="UpdateCost",grpc_service="{SERVICE.full_name}",grpc_type="unary"}}'
    assert observed.value(f"grpc_server_started_total{labels}") == 5
    assert observed.value(f"grpc_server_handling_seconds_count{labels}") == 5


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "past its deadline"])
def test_a_caller_that_cancels_is_counted_as_cancelled_and_its_charge_is_kept(
    observed: Observed, is_cancelled: bool
) -> None:
    server, ledger = observed.server, observed.ledger
    server.create()
    server.loop.call(ledger.before_commit.close)
    call = charge_later(observed, timeout=PATIENCE_SECONDS if is_cancelled else 0.2)
    server.loop.run(ledger.before_commit.arrival())

    if is_cancelled:
        call.cancel()
    else:
        assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    server.loop.run(server.server._in_flight.none())  # noqa: SLF001 - nothing else shows when.
    server.loop.call(ledger.before_commit.open)
    server.charge(1)

    assert observed.value(handled("UpdateCost", "Canceled")) == 1
    assert server.spent() == 2


def test_an_unknown_call_is_counted_under_no_name_of_its_own(observed: Observed) -> None:
    names = ["Nope", "UpdateCost2", "ü", "a" * 500, 'x"} 1\nevil_metric{a="b']
    for name in names:
        call: Any = observed.server.channel.unary_unary(f"/{SERVICE.full_name}/{name}".encode().decode("latin-1"))
        failed = failure(lambda call=call: call(b"", timeout=PATIENCE_SECONDS))  # type: ignore[misc]
        assert failed.code is grpc.StatusCode.UNIMPLEMENTED

    text = observed.scrape()

    assert observed.value(handled("unknown", "Unimplemented")) == len(names)
    assert not [name for name in names if name in text]
    assert "evil_metric" not in text


def test_calls_of_other_services_are_not_counted(observed: Observed) -> None:
    health_pb2_grpc.HealthStub(observed.server.channel).Check(health_pb2.HealthCheckRequest())
    call: Any = observed.server.channel.unary_unary("/someone.Else/Call")
    assert failure(lambda: call(b"", timeout=PATIENCE_SECONDS)).code is grpc.StatusCode.UNIMPLEMENTED

    assert observed.value(handled("unknown", "Unimplemented")) == 0


def test_no_label_holds_anything_that_a_caller_chose(observed: Observed) -> None:
    server = observed.server
    odd = "Zq7-odd-name"
    server.create(odd, labels={odd: odd}, project_id=odd)
    server.charge(1, odd, project_id=odd, model=odd, request_id=odd, labels={odd: odd})
    failure(lambda: server.charge(1, f"{odd}2", project_id=odd))
    failure(lambda: server.stub.GetModelPrice(service.GetModelPriceRequest(model=odd)))
    server.entries(odd, budget_id=odd)

    assert odd not in observed.scrape()


def test_every_call_has_its_samples_before_it_is_made(observed: Observed) -> None:
    """So that a rate sees the first of each."""
    text = observed.scrape()

    for method in SERVICE.methods:
        for code in ("OK", "InvalidArgument", "NotFound", "Unavailable", "Canceled", "Internal"):
            assert f"{handled(method.name, code)} 0.0" in text


def test_codes_are_written_as_grpc_for_go_writes_them() -> None:
    assert {code.name: go_code(code) for code in grpc.StatusCode} == GO_CODES


def test_the_queue_is_measured(observed: Observed) -> None:
    server, ledger = observed.server, observed.ledger
    server.create()
    server.loop.call(ledger.before_commit.close)
    call = charge_later(observed)
    server.loop.run(ledger.before_commit.arrival())

    assert observed.value("budgetd_queue_depth") == 1
    assert observed.value("budgetd_queue_capacity") == 100_000
    server.loop.call(ledger.before_commit.open)
    call.result(PATIENCE_SECONDS)
    assert observed.value("budgetd_queue_depth") == 0
