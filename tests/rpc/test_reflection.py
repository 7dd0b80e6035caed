"""The reflection service: a client without our code can find, describe and make every call."""

import json
import subprocess
import sys
from pathlib import Path

from budgetd.v1 import cost_pb2 as cost_pb
from tests.rpc.running_server import RunningServer

CLIENT = Path(__file__).parent / "reflecting_client.py"


def test_a_client_without_our_code_lists_describes_and_charges(server: RunningServer, tmp_path: Path) -> None:
    server.create()

    ran = subprocess.run(
        [sys.executable, CLIENT, server.address], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=True
    )

    report = json.loads(ran.stdout)
    assert report["services"] == [
        "budgetd.v1.BudgetService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    ]
    assert report["fields"] == [field.name for field in cost_pb.UpdateCostRequest.DESCRIPTOR.fields]
    assert report["answer"]["cost_nano_usd"] == str(1_000 * 2_500)
    assert report["ours"] == []
    assert server.spent() == 1_000 * 2_500
