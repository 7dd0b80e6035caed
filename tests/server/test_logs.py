"""Logs: one event a line, whatever is in it, and nothing that must not be there."""

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from tests.rpc.running_server import PATIENCE_SECONDS
from tests.rpc.valid_requests import VALID

PROGRAM = Path(__file__).parent / "logging_program.py"
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[")
TOKEN, PROMPT, ODD_ID = "bgt_SECRET-TOKEN", "PROMPT-TEXT of a user", "odd\nFORGED line\x1b[31m"


def logged(form: str) -> str:
    """What the program logs, in text or JSON."""
    ran = subprocess.run(
        [sys.executable, PROGRAM, form], capture_output=True, text=True, encoding="utf-8", timeout=150, check=True
    )
    assert ran.stdout == ""
    return ran.stderr


def test_text_has_one_line_an_event_and_a_stack_is_indented_below_it() -> None:
    lines = logged("text").split("\n")

    events = [line for line in lines if LINE.match(line)]
    assert [line.split("] ")[1].split("  ")[0].split("=")[0][:14] for line in events] == [
        "an id",
        r"event a\nforge",
        "a library says",
        "unexpected err",
    ]
    assert all(line.startswith("    ") for line in lines if line and not LINE.match(line))
    assert any("ValueError" in line for line in lines)


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_control_character_of_a_value_reaches_the_log(form: str) -> None:
    text = logged(form)

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", text)
    assert not re.search(r"^forged", text, re.MULTILINE)
    assert r"a\nforged level=error" in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_stack_shows_no_local_variables(form: str) -> None:
    assert "PROMPT-TEXT" not in logged(form)


def test_json_has_one_object_a_line() -> None:
    events = [json.loads(line) for line in logged("json").splitlines()]

    assert [event["level"] for event in events] == ["info", "info", "warning", "error"]
    assert events[0]["budget_id"].startswith("a\nforged")
    assert events[2]["kind"].startswith("a\nforged")
    assert events[3]["incident_id"] == "1"
    assert "ValueError" in events[3]["exception"]


def test_neither_tokens_nor_texts_nor_raw_ids_are_in_the_log_of_a_server(tmp_path: Path) -> None:
    """A real one, in a process of its own, at its most talkative; ids are odd, and one price file is faulty."""
    command = [sys.executable, "-m", "budgetd_server", "serve", "--listen", "127.0.0.1:0", "--http-listen", ""]
    command += ["--log-level", "debug", "--database", str(tmp_path / "ledger.db")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=tmp_path) as program:
        assert program.stderr is not None
        log: list[str] = []
        for line in program.stderr:
            log.append(line)
            if "listen=" in line:
                break
        address = re.search(r"listen=(\S+)", log[-1])
        assert address is not None, log
        _talk(address[1])
        program.terminate()
        log += program.stderr.readlines()
    text = "".join(log)

    assert program.returncode == 0
    assert "stopped" in text
    for secret in (TOKEN, PROMPT, "FORGED", "\x1b"):
        assert secret not in text
    assert all(LINE.match(line) for line in log)


def _talk(address: str) -> None:
    """Make every call with a token, odd ids and texts."""
    headers = (("authorization", f"Bearer {TOKEN}"),)
    with grpc.insecure_channel(address) as channel:

        def call(rpc: str, body: bytes) -> None:
            made: Any = channel.unary_unary(f"/budgetd.v1.BudgetService/{rpc}")
            with contextlib.suppress(grpc.RpcError):
                made(body, metadata=headers, timeout=PATIENCE_SECONDS)

        charge = cost_pb.UpdateCostRequest(project_id="project", budget_id="alice", model="gpt-4o")
        charge.text.CopyFrom(pb.Text(input=PROMPT, output=PROMPT))
        for rpc in VALID:
            if rpc != "DeleteBudget":
                call(rpc, VALID[rpc].SerializeToString())
            call(rpc, b"\xff")
        for request_id in ("", "r1", ODD_ID):
            charge.request_id = request_id
            call("UpdateCost", charge.SerializeToString())
        charge.budget_id = ODD_ID
        call("UpdateCost", charge.SerializeToString())
        chat = pb.Messages(messages=[pb.ChatMessage(role=ODD_ID, content=PROMPT)])
        ask = cost_pb.ProjectCostRequest(project_id="project", budget_id="alice", model=ODD_ID, messages=chat)
        call("ProjectCost", ask.SerializeToString())
