"""The demo on a small trace and a real server: it passes when all is well, and notices planted faults."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from budgetd import BudgetClient
from budgetd.v1 import budget_service_pb2 as service
from examples import demo
from examples.independent_sum import differences, independent_totals, wrong_admissions
from examples.llm_trace import MODELS, USERS, LlmCall, drawn_trace, model_of, user_of
from examples.own_server import ServerFailed, own_server
from examples.replay import create_users, prices_of, replay, server_budgets, server_totals

#: More than one batch, and more than one turn of all users.
CALLS = drawn_trace(1_203)
#: A limit that many users of those calls would pass.
LOW_NANO_USD = 10_000_000


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A file of those calls."""
    file = tmp_path / "trace.csv"
    rows = "".join(f"{call.input_tokens},{call.output_tokens}\n" for call in CALLS)
    file.write_text(f"ContextTokens,GeneratedTokens\n{rows}", "utf-8")
    return file


def test_a_server_s_totals_equal_the_independent_sum(
    address: str, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = demo.main(["--trace", str(trace), "--address", address])

    printed = capsys.readouterr().out
    assert code == 0
    assert "check passed: 200 users, 6 models" in printed
    assert "calls per second" in printed


def test_it_can_be_run_against_one_server_again_and_again(address: str, trace: Path) -> None:
    codes = [demo.main(["--trace", str(trace), "--address", address]) for _ in range(2)]

    assert codes == [0, 0]


def test_a_call_sent_twice_is_counted_once(client: BudgetClient) -> None:
    create_users(client, "twice", limit_nano_usd=10**12)
    refused = [replay(client, "twice", CALLS, on_progress=lambda _: None) for _ in range(2)]

    found = server_totals(server_budgets(client, "twice"))

    prices = {model: answer.price for model, answer in prices_of(client, MODELS).items()}
    assert refused == [frozenset()] * 2
    assert differences(expected=independent_totals(CALLS, prices), found=found) == []


def test_progress_reaches_the_number_of_calls(client: BudgetClient) -> None:
    create_users(client, "progress", limit_nano_usd=1)
    steps: list[int] = []

    replay(client, "progress", CALLS, on_progress=steps.append)

    assert sum(steps) == len(CALLS)


def test_calls_that_would_pass_a_limit_are_refused_and_what_they_saved_is_reported(
    address: str, trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "LIMIT_NANO_USD", LOW_NANO_USD)

    code = demo.main(["--trace", str(trace), "--address", address])

    printed = capsys.readouterr().out
    assert code == 0
    assert "(0 of 200 users are over their limit)" in printed
    match = re.search(r"([\d,]+) calls of (\d+) users were refused .*: \$([\d.]+) was not spent", printed)
    assert match is not None
    assert min(int(match[1].replace(",", "")), int(match[2]), float(match[3])) > 0


def test_the_drawn_trace_as_it_is_has_calls_to_be_refused(client: BudgetClient) -> None:
    prices = {model: answer.price for model, answer in prices_of(client, MODELS).items()}

    spent = independent_totals(drawn_trace(), prices).cost_nano_usd_by_user

    assert sum(cost > demo.LIMIT_NANO_USD for cost in spent.values()) > 10


def without_a_row(
    client: BudgetClient, project_id: str, calls: Sequence[LlmCall], **rest: Callable[[int], None]
) -> frozenset[int]:
    """Planted: the last call is never sent."""
    return replay(client, project_id, calls[:-1], **rest)


def with_a_token_more(
    client: BudgetClient, project_id: str, calls: Sequence[LlmCall], **rest: Callable[[int], None]
) -> frozenset[int]:
    """Planted: one call has one output token too many."""
    first = calls[0]._replace(output_tokens=calls[0].output_tokens + 1)
    return replay(client, project_id, [first, *calls[1:]], **rest)


@pytest.mark.parametrize("low", [False, True], ids=["no refusals", "refusals"])
@pytest.mark.parametrize("is_refused", [True, False], ids=["refused for nothing", "admitted over the limit"])
def test_a_wrong_admission_is_noticed(client: BudgetClient, *, is_refused: bool, low: bool) -> None:
    prices = {model: answer.price for model, answer in prices_of(client, MODELS).items()}
    spent = independent_totals(CALLS, prices).cost_nano_usd_by_user
    user, most = max(spent.items(), key=lambda item: item[1])
    # Without refusals the limit is exactly what the dearest user spends; a nano-dollar less, and the last has to go.
    limit = most
    refused = frozenset[int]()
    if low:
        limit = most - 1
        refused = frozenset([max(row for row in range(len(CALLS)) if user_of(row) == user)])
    assert wrong_admissions(CALLS, prices, refused, limit_nano_usd=limit) == []

    if is_refused:
        wrong = wrong_admissions(CALLS, prices, refused | {0}, limit_nano_usd=10**12)
    else:
        wrong = wrong_admissions(CALLS, prices, (), limit_nano_usd=most - 1)

    assert any(("row 0 was refused" if is_refused else f"user {user} has spent") in sentence for sentence in wrong)


@pytest.mark.parametrize(("planted", "row"), [(without_a_row, len(CALLS) - 1), (with_a_token_more, 0)])
def test_a_lost_or_changed_row_fails_the_check_and_names_its_user_and_model(
    address: str,
    trace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    planted: Callable[..., None],
    row: int,
) -> None:
    monkeypatch.setattr(demo, "replay", planted)

    code = demo.main(["--trace", str(trace), "--address", address])

    printed = capsys.readouterr().out
    assert code == 1
    assert "check FAILED" in printed
    assert f"user {user_of(row)}:" in printed
    assert f"model {model_of(row)}:" in printed


def test_a_price_that_is_a_thousandth_of_a_cent_per_million_tokens_off_fails_the_check(
    address: str, trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong_prices(client: BudgetClient, models: Sequence[str]) -> dict[str, service.GetModelPriceResponse]:
        """Planted: one model's input costs 10,000 nano-USD per million tokens more."""
        answers = dict(prices_of(client, models))
        answers["gpt-4o"].price.rates.input_nano_usd_per_mtok += 10_000
        return answers

    monkeypatch.setattr(demo, "prices_of", wrong_prices)

    code = demo.main(["--trace", str(trace), "--address", address])

    printed = capsys.readouterr().out
    assert code == 1
    assert "model gpt-4o:" in printed
    assert "model gpt-4o-mini:" not in printed


def test_a_refused_call_ends_the_demo_with_the_reason(
    address: str, trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("examples.replay.model_of", lambda row: "gpt-9000" if row == USERS else model_of(row))

    code = demo.main(["--trace", str(trace), "--address", address])

    assert code == 1
    assert "demo: model 'gpt-9000' has no price" in capsys.readouterr().err


def test_a_trace_that_cannot_be_used_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = demo.main(["--trace", str(tmp_path / "none.csv"), "--address", "127.0.0.1:1"])

    assert code == 2
    assert "none.csv cannot be read" in capsys.readouterr().err


def test_an_address_without_a_server_is_exit_code_1(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = demo.main(["--trace", str(trace), "--address", "127.0.0.1:1"])

    assert code == 1
    assert capsys.readouterr().err.startswith("demo: ")


def test_an_invalid_address_is_exit_code_2(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = demo.main(["--trace", str(trace), "--address", "nowhere"])

    assert code == 2
    assert "demo: address must be host:port" in capsys.readouterr().err


def test_it_starts_and_stops_a_server_of_its_own(trace: Path) -> None:
    environment = {**os.environ, "TRACE": str(trace), "ADDRESS": ""}

    done = subprocess.run(
        [sys.executable, "-m", "examples.demo"], env=environment, check=False, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "check passed" in done.stdout


def test_a_server_that_does_not_start_is_reported_with_its_output() -> None:
    with pytest.raises(ServerFailed, match="queue-max must be at least 1"), own_server("--queue-max", "0"):
        pass
