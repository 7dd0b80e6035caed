"""`budgetd charge` against a real server."""

import json
from collections.abc import Callable

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.cli.wording import USAGE_COUNTS
from tests.cli.conftest import Give
from tests.rpc.running_server import PROJECT, RunningServer

Done = Callable[..., str]


@pytest.fixture(autouse=True)
def alice(server: RunningServer) -> None:
    """The budget that is charged."""
    server.create("alice")


def test_dollars_are_charged_to_the_nano_dollar(server: RunningServer, done: Done) -> None:
    done("charge", "alice", "--usd", "0.000000001")
    done("charge", "alice", "--usd", "0.0123")

    assert server.spent() == 12_300_001


def test_tokens_are_priced_by_the_server(server: RunningServer, done: Done) -> None:
    done("charge", "alice", "--model", "gpt-4o", "--input-tokens", "1000", "--output-tokens", "100")

    assert server.spent() == 1000 * 2_500 + 100 * 10_000


def test_tokens_of_every_kind_reach_the_ledger(server: RunningServer, done: Done) -> None:
    done(
        *("charge", "alice", "--model", "gpt-4o", "--input-tokens", "100", "--output-tokens", "50"),
        *("--cached-input-tokens", "40", "--cache-write-tokens", "30", "--reasoning-tokens", "20", "--label", "a=b"),
    )

    entry = server.entries()[0]
    usage = entry.usage
    assert (usage.input_tokens, usage.output_tokens) == (100, 50)
    assert (usage.cached_input_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (40, 30, 20)
    assert dict(entry.labels) == {"a": "b"}


@pytest.mark.parametrize(
    ("options", "stdin"),
    [
        pytest.param(("--input-text", "hello world", "--output-text", "hi there you"), None, id="as arguments"),
        pytest.param(("--input-text", "-", "--output-text", "hi there you"), "hello world", id="input on stdin"),
        pytest.param(("--input-text", "hello world", "--output-text", "-"), "hi there you", id="output on stdin"),
    ],
)
def test_texts_are_counted_and_priced_by_the_server(
    server: RunningServer, done: Done, options: tuple[str, ...], stdin: str | None
) -> None:
    done("charge", "alice", "--model", "gpt-4o", *options, stdin=stdin)

    assert server.spent() == 122_500


def test_the_same_request_id_charges_once(server: RunningServer, done: Done) -> None:
    words = ("charge", "alice", "--usd", "1", "--request-id", "call-1")

    first, second = done(*words), done(*words)

    assert first == "charged $1.00 to alice by request call-1; it has no limit\n"
    assert second == "had charged $1.00 to alice by request call-1; it has no limit, or was deleted\n"
    assert server.spent() == 1_000_000_000


def test_a_limit_that_is_passed_is_said_and_the_charge_is_recorded(server: RunningServer, done: Done) -> None:
    done("create", "bob", "--usd", "0.05")

    said = done("charge", "bob", "--usd", "0.06")

    assert "$0.06 of $0.05 spent, EXCEEDED" in said
    assert server.spent("bob") == 60_000_000


def test_the_answer_is_json_for_programs(done: Done) -> None:
    answer = json.loads(done("charge", "alice", "--usd", "0.5", "--json"))

    assert answer["cost_nano_usd"] == "500000000"
    assert answer["replayed"] is False


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(("--model", "gpt-9000", "--input-tokens", "1"), "UNKNOWN_MODEL", id="no price"),
        pytest.param(("--usd", "2000000"), "INVALID_FIELD", id="more than a charge may be"),
    ],
)
def test_a_refused_charge_is_one_line_with_the_reason_and_exit_code_1(
    server: RunningServer, give: Give, options: tuple[str, ...], reason: str
) -> None:
    result = give("charge", "alice", *options)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("budgetd: ")
    assert result.stderr.endswith(f" ({reason})\n")
    assert result.stderr.count("\n") == 1
    assert server.spent() == 0


def test_a_budget_that_does_not_exist_is_named(give: Give) -> None:
    result = give("charge", "nobody", "--usd", "1")

    assert result.exit_code == 1
    assert result.stderr == "budgetd: project 'project' has no budget 'nobody' (BUDGET_NOT_FOUND)\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param((), "say what it cost", id="nothing"),
        pytest.param(("--model", "gpt-4o"), "needs a usage or a cost", id="a model alone"),
        pytest.param(("--input-tokens", "1"), "--model", id="tokens of no model"),
        pytest.param(("--model", "m", "--input-tokens", "-5"), "'--input-tokens': must", id="negative tokens"),
        pytest.param(("--model", "m", "--input-tokens", "-5"), "got '-5'", id="the value of negative tokens"),
        pytest.param(("--model", "m", "--input-tokens", "few"), "got 'few'", id="tokens in words"),
        pytest.param(("--usd", "1", "--timeout", "soon"), "got 'soon'", id="a time in words"),
        pytest.param(("--model", "m", "--input-text", "a"), "go together", id="one text"),
        pytest.param(("--model", "m", "--input-text", "-", "--output-text", "-"), "only one", id="stdin twice"),
        pytest.param(
            ("--model", "m", "--input-text", "a", "--output-text", "b", "--input-tokens", "1"),
            "either tokens or texts",
            id="tokens and texts",
        ),
        pytest.param(("--usd", "0.0000000001"), "at most 9 decimals", id="finer than a nano-dollar"),
        pytest.param(("--usd", "-1"), "must not be negative", id="negative dollars"),
    ],
)
def test_wrong_usage_is_explained_and_charges_nothing(
    server: RunningServer, give: Give, options: tuple[str, ...], sentence: str
) -> None:
    result = give("charge", "alice", *options)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert server.spent() == 0


def test_a_text_that_is_no_utf8_is_refused(give: Give) -> None:
    result = give("charge", "alice", "--model", "gpt-4o", "--input-text", "-", "--output-text", "b", stdin=b"\xff")

    assert result.exit_code == 2
    assert "not UTF-8" in result.stderr


def test_a_charge_returns_the_limits_of_all_budgets_that_it_counts_on(server: RunningServer, done: Done) -> None:
    server.create("team", pb.Limit(amount=10**9))
    server.create("bob", pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=2), parent_budget_id="team")

    printed = done("charge", "bob", "--usd", "0.25")

    assert "calls of bob: 1 call of 2 calls spent, team: $0.25 of $1.00 spent" in printed


# --- How the call was served, and what else it used.


def test_how_the_call_was_served_reaches_the_ledger_and_the_price(server: RunningServer, done: Done) -> None:
    tokens = ("--input-tokens", "1000", "--output-tokens", "1000")
    done("charge", "alice", "--model", "us/gpt-4o-2024-08-06", "--provider", "azure", *tokens)
    done("charge", "alice", "--model", "gpt-5", "--service-tier", "flex", *tokens)
    done("charge", "alice", "--model", "claude-sonnet-4-5", "--batch", *tokens)
    done("charge", "alice", "--model", "claude-opus-4-6", "--region", "us", *tokens)

    entries = server.entries()[:4]
    assert [(each.provider, each.service_tier, each.is_batch, each.inference_geo) for each in reversed(entries)] == [
        ("azure", "", False, ""),
        ("", "flex", False, ""),
        ("", "", True, ""),
        ("", "", False, "us"),
    ]
    assert [each.cost_nano_usd for each in reversed(entries)] == [13_750_000, 5_625_000, 9_000_000, 33_000_000]


def test_every_count_of_a_usage_is_a_part(server: RunningServer, done: Done) -> None:
    counts = {name: number + 1 for number, name in enumerate(USAGE_COUNTS)}
    counts |= {"input_tokens": 1_000, "output_tokens": 1_000, "cache_write_tokens": 100, "cached_input_tokens": 100}
    counts |= {"audio_input_tokens": 100, "image_input_tokens": 100}

    done("charge", "alice", "--usd", "1", *(f"--part={name.replace('_', '-')}={n}" for name, n in counts.items()))

    usage = server.entries()[0].usage
    assert {field.name: count for field, count in usage.ListFields()} == counts


def test_parts_are_priced_in_addition_to_tokens(server: RunningServer, done: Done) -> None:
    tokens = ("--input-tokens", "1000", "--output-tokens", "1000")

    done("charge", "alice", "--model", "claude-sonnet-4-5", *tokens, "--part", "web-searches=2")

    assert server.spent() == 38_000_000


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(
            ("--part", "web-search=2"), "'web-search' is not a count of a usage; known ones are web-searches", id="near"
        ),
        pytest.param(("--part", "web_searches=2"), "known ones are web-searches", id="with underscores"),
        pytest.param(("--part", "zzz=2"), "known ones are input-tokens, output-tokens, cached", id="near nothing"),
        pytest.param(("--part", "pages"), "pages must be 0 to 1000000000000, got ''", id="no count"),
        pytest.param(("--part", "pages=-1"), "got '-1'", id="negative"),
        pytest.param(("--part", "pages=1.5"), "got '1.5'", id="a fraction"),
        pytest.param(("--part", "pages=1000000000001"), "must be 0 to 1000000000000", id="too many"),
        pytest.param(("--part", "pages=1", "--part", "pages=1"), "pages is given twice", id="twice"),
        pytest.param(
            ("--part", "input-tokens=1", "--input-tokens", "1"), "input-tokens is given twice", id="both ways"
        ),
        pytest.param(("--part", "pages=1", "--input-text", "a", "--output-text", "b"), "either tokens", id="and texts"),
    ],
)
def test_parts_that_cannot_be_meant_are_wrong_usage(
    server: RunningServer, give: Give, options: tuple[str, ...], says: str
) -> None:
    result = give("charge", "alice", "--model", "gpt-4o", *options)

    assert result.exit_code == 2
    assert says in result.stderr
    assert server.spent() == 0


@pytest.mark.parametrize(
    ("options", "option"),
    [
        pytest.param(("--part", "pages=1"), "--part pages", id="a part"),
        pytest.param(("--service-tier", "flex"), "no price for --service-tier 'flex';", id="a tier"),
        pytest.param(("--region", "mars"), "no price for --region 'mars';", id="a place"),
        pytest.param(("--region", "MARS"), "no price for --region 'MARS';", id="a place as it was written"),
    ],
)
def test_what_has_no_price_is_refused_by_the_name_of_its_option(
    server: RunningServer, give: Give, options: tuple[str, ...], option: str
) -> None:
    result = give("charge", "alice", "--model", "gpt-4o-mini-2024-07-18", "--input-tokens", "1", *options)

    assert result.exit_code == 1
    assert option in result.stderr
    assert "UNPRICED_USAGE" in result.stderr
    assert server.spent() == 0


def test_a_provider_that_has_no_such_model_is_named(server: RunningServer, give: Give) -> None:
    result = give("charge", "alice", "--model", "gpt-4o", "--provider", "groq", "--input-tokens", "1")

    assert result.exit_code == 1
    assert result.stderr.startswith("budgetd: model 'gpt-4o' of provider 'groq' has no price")
    assert server.spent() == 0


def test_a_replay_on_a_deleted_budget_returns_no_limits(server: RunningServer, done: Done) -> None:
    again = ("charge", "alice", "--usd", "1", "--request-id", "call-1", "--json")
    first = json.loads(done(*again))
    server.stub.DeleteBudget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice"))

    second = json.loads(done(*again))

    assert first["limits"] == []
    assert second["replayed"] is True
    assert set(first) - set(second) == {"limits"}


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        pytest.param(
            ("--model", "gpt-4o", "--input-tokens", "3", "--cached-input-tokens", "5"),
            "--cached-input-tokens: must not exceed --input-tokens 3, which includes it, got 5",
            id="a count",
        ),
        pytest.param(
            ("--model", "gpt-4o", "--input-tokens", "3", "--cached-input-tokens", "2", "--cache-write-tokens", "2"),
            "--cached-input-tokens: --cached-input-tokens 2 and --cache-write-tokens 2 together must not exceed "
            "--input-tokens 3",
            id="counts",
        ),
        pytest.param(("--usd", "999999999"), "--usd: must be from $0 to $", id="money"),
    ],
)
def test_a_refusal_has_the_words_that_were_typed(give: Give, options: tuple[str, ...], printed: str) -> None:
    result = give("charge", "alice", *options)

    assert result.exit_code == 1
    assert printed in " ".join(result.stderr.split())
    assert "nano" not in result.stderr
    assert "_tokens" not in result.stderr
