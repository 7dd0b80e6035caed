"""The page about metrics documents exactly the metrics that a server shows."""

import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.errors import StoreUnavailable
from tests.engine.watched_ledger import WatchedLedger
from tests.rpc.failures import failure
from tests.rpc.running_server import LoopThread, RunningServer, Setup
from tests.server.documented import names, rows

Shown = dict[str, tuple[str, frozenset[str]]]

#: What prometheus_client shows by itself; that of the process on Linux only.
OF_THE_PROCESS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
}
OF_PYTHON = {
    "python_gc_collections_total",
    "python_gc_objects_collected_total",
    "python_gc_objects_uncollectable_total",
    "python_info",
}


@pytest.fixture
def shown(loop_thread: LoopThread, tmp_path: Path) -> Shown:
    """Type and labels of each metric of a server that has counted something of every kind."""
    ledgers: list[WatchedLedger] = []

    def wrap(ledger: object) -> WatchedLedger:
        ledgers.append(WatchedLedger(ledger))  # type: ignore[arg-type]
        return ledgers[0]

    server = RunningServer(loop_thread, tmp_path, Setup(has_http=True, wrap=wrap))
    server.create("alice", pb.Limit(amount=1))
    server.charge(1, unread_fields=["usage.new"], usage_dialect="openai_chat")
    failure(lambda: server.stub.GetBudget(service.GetBudgetRequest()))
    ledgers[0].failures.append(StoreUnavailable("away", metadata={"kind": "full"}))
    failure(lambda: server.charge(1))
    http = f"http://127.0.0.1:{server.server.http_port}"
    httpx.post(f"{http}/get_budget", json={"project_name": "chat"}, trust_env=False)
    text = httpx.get(f"{http}/metrics", trust_env=False).text
    server.stop()
    metrics: Shown = {}
    for family in text_string_to_metric_families(text):
        labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
        # Each counter has a second series with its start, for OpenMetrics, which is not checked.
        if not family.name.endswith("_created"):
            metrics[family.name + "_total" * (family.type == "counter")] = (family.type, labels)
    return metrics


def test_every_metric_is_documented_with_its_type_and_labels(shown: Shown) -> None:
    documented = {
        names(metric)[0]: (kind, frozenset(names(labels)))
        for metric, kind, labels, meaning in rows("metrics.md")
        if meaning and (sys.platform == "linux" or names(metric)[0] not in OF_THE_PROCESS)
    }

    assert documented == shown


def test_every_other_metric_is_our_own_or_has_a_name_of_grpc(shown: Shown) -> None:
    theirs = OF_PYTHON | (OF_THE_PROCESS if sys.platform == "linux" else set())

    assert {name for name in shown if not name.startswith(("budgetd_", "grpc_server_"))} == theirs
