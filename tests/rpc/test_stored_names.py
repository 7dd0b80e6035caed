"""Names that limits match by are stored with each entry: another resolver or catalogue changes no count.

The released ledger is one of version 2, whose resolver knew other names: `sonar-pro` was `perplexity/sonar-pro`, and
neither a region nor a date was left out of a name. Costs are powers of two, so that a sum shows its entries.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.domain.pricing import Prices
from budgetd_server.ledger.sqlite.file import open_file
from budgetd_server.ledger.sqlite.verify import verify_file
from budgetd_server.prices import load_prices
from tests.ledger.older_files import NAMES_OF_VERSION_2, make_older
from tests.rpc.running_server import PROJECT, LoopThread, RunningServer, Setup, shipped_prices

OPUS_ON_BEDROCK = "us.anthropic.claude-opus-4-5-20251101-v1:0"
OPUS_ON_VERTEX = "vertex_ai/claude-opus-4-5@20251101"
#: What limits of the released ledger count and hold, by its own resolver.
RELEASED = {
    ("alice", ""): (43_689, 60_000),
    ("alice", "4o"): (1 + 8, 10_000),
    ("alice", "opus"): (2_048, 0),
    ("alice", "perplexity"): (8_192, 30_000),
    ("team", ""): (43_689, 60_000),
    ("team", "gpt"): (1 + 8, 10_000),
}
#: A catalogue in which every name of the ledger is something else.
OTHER_PRICES = """
version = 1
[models."acme/one"]
free = true
[aliases]
"gpt-4o" = "acme/one"
"openai/gpt-4o" = "acme/one"
"azure/gpt-4o" = "acme/one"
"sonar-pro" = "acme/one"
"claude-opus-4-5" = "acme/one"
"us.anthropic.claude-opus-4-5-20251101-v1:0" = "acme/one"
"vertex_ai/claude-opus-4-5@20251101" = "acme/one"
"bedrock/us.anthropic.claude-opus-4-5-20251101-v1:0" = "acme/one"
"""

Serve = Callable[[Path, Prices], RunningServer]


@pytest.fixture
def other_prices(tmp_path: Path) -> Prices:
    """Prices of which the shipped ones know nothing, and that know nothing of those."""
    catalogue, own = tmp_path / "other.json", tmp_path / "own.toml"
    catalogue.write_text('{"source": "other", "models": {}, "known_keys": []}', encoding="utf-8")
    own.write_text(OTHER_PRICES, encoding="utf-8")
    return load_prices([own], catalogue_path=catalogue)


@pytest.fixture
def serve(loop_thread: LoopThread) -> Iterator[Serve]:
    """Starts servers on a folder, which may hold a database."""
    servers: list[RunningServer] = []

    def started(folder: Path, prices: Prices) -> RunningServer:
        servers.append(RunningServer(loop_thread, folder, Setup(prices=prices)))
        return servers[-1]

    yield started
    for server in servers:
        server.stop()


@pytest.fixture(params=["the shipped catalogue", "another catalogue"])
def released(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path, other_prices: Prices) -> RunningServer:
    """A server of today on the migrated ledger."""
    path = tmp_path / "budgetd.db"
    make_older(path, 2, rows=NAMES_OF_VERSION_2)
    assert open_file(path, migrates=True) is not None
    return serve(tmp_path, shipped_prices() if request.param == "the shipped catalogue" else other_prices)


def counts(server: RunningServer, *budget_ids: str) -> dict[tuple[str, str], tuple[int, int]]:
    """What each limit counts and holds."""
    found = {}
    for budget_id in budget_ids:
        request = service.GetBudgetRequest(project_id=PROJECT, budget_id=budget_id, view=pb.BUDGET_VIEW_STATUS)
        for limit in server.stub.GetBudget(request).budget.limit_statuses:
            found[budget_id, limit.limit_id] = (limit.spent, limit.held)
    return found


def recounted(server: RunningServer, budget_id: str, **patterns: str) -> dict[str, tuple[int, int]]:
    """What limits on patterns count that are added now, which counts them from the entries and open holds."""
    request = service.GetBudgetRequest(project_id=PROJECT, budget_id=budget_id)
    kept = server.stub.GetBudget(request).budget.limits
    added = [pb.Limit(limit_id=name, amount=10**12, models=[pattern]) for name, pattern in patterns.items()]
    budget = pb.Budget(project_id=PROJECT, budget_id=budget_id, limits=[*kept, *added])
    answer = server.stub.UpdateBudget(
        service.UpdateBudgetRequest(budget=budget, update_mask=FieldMask(paths=["limits"]))
    )
    found = {limit.limit_id: (limit.spent, limit.held) for limit in answer.budget.limit_statuses}
    return {name: found[name] for name in patterns}


def refund(server: RunningServer, entry_id: str) -> None:
    """Give back one nano-USD of an entry of alice's."""
    server.stub.AdjustCost(
        cost_pb.AdjustCostRequest(
            project_id=PROJECT, budget_id="alice", amount_nano_usd=-1, reason="a refund", entry_id=entry_id
        )
    )


def settle(server: RunningServer, reservation_id: str, cost_nano_usd: int, model: str = "") -> None:
    server.stub.CommitReservation(
        reservation_pb.CommitReservationRequest(
            project_id=PROJECT, reservation_id=reservation_id, cost_nano_usd=cost_nano_usd, model=model
        )
    )


def deviations(server: RunningServer) -> list[object]:
    return list(verify_file(server.database).deviations)


# --- A released ledger.


def test_a_released_ledger_counts_as_before(released: RunningServer) -> None:
    assert counts(released, "alice", "team") == RELEASED
    assert deviations(released) == []
    assert {entry.model: list(entry.other_model_names) for entry in released.entries() if entry.model} == {
        "gpt-4o": [],
        "openai/gpt-4o": ["gpt-4o"],
        "azure/gpt-4o": [],
        OPUS_ON_BEDROCK: [],
        OPUS_ON_VERTEX: [],
        "claude-opus-4-5": [],
        "sonar-pro": ["perplexity/sonar-pro"],
        f"bedrock/{OPUS_ON_BEDROCK}": [OPUS_ON_BEDROCK],
    }


def test_a_recount_of_a_released_ledger_goes_by_the_stored_names(released: RunningServer) -> None:
    patterns = {"a": "claude-opus*", "b": "gpt-4o", "c": "perplexity/*", "d": "us.anthropic.*", "e": "acme/*"}

    assert recounted(released, "alice", **patterns) == {
        "a": (2_048, 0),
        "b": (1 + 8, 10_000),
        "c": (8_192, 30_000),
        "d": (128 + 32_768, 20_000),
        "e": (0, 0),
    }
    assert recounted(released, "bob", **patterns) == {
        "a": (4_096, 0),
        "b": (4 + 16, 0),
        "c": (16_384, 0),
        "d": (256 + 65_536, 0),
        "e": (0, 0),
    }
    assert counts(released, "alice", "team").items() >= RELEASED.items()
    assert deviations(released) == []


def test_a_refund_of_a_released_entry_counts_where_that_entry_does(released: RunningServer) -> None:
    for entry_id in ("e6", "e8", "e10", "e16"):  # openai/gpt-4o, azure/gpt-4o, on Bedrock, sonar-pro.
        refund(released, entry_id)

    assert counts(released, "alice", "team") == {
        ("alice", ""): (43_685, 60_000),
        ("alice", "4o"): (8, 10_000),
        ("alice", "opus"): (2_048, 0),
        ("alice", "perplexity"): (8_191, 30_000),
        ("team", ""): (43_685, 60_000),
        ("team", "gpt"): (8, 10_000),
    }
    assert deviations(released) == []


def test_a_released_hold_is_settled_where_it_is_held(released: RunningServer) -> None:
    settle(released, "r20", 100)  # openai/gpt-4o
    settle(released, "r21", 100)  # on Bedrock
    settle(released, "r22", 100)  # sonar-pro

    assert counts(released, "alice", "team") == {
        ("alice", ""): (43_989, 0),
        ("alice", "4o"): (109, 0),
        ("alice", "opus"): (2_048, 0),
        ("alice", "perplexity"): (8_292, 0),
        ("team", ""): (43_989, 0),
        ("team", "gpt"): (109, 0),
    }
    assert deviations(released) == []


def test_a_released_hold_that_is_settled_on_another_model_counts_by_the_names_of_today(
    released: RunningServer,
) -> None:
    settle(released, "r22", 100, model="claude-opus-4-5")

    found = counts(released, "alice")
    assert (found["alice", "opus"], found["alice", "perplexity"]) == ((2_148, 0), (8_192, 0))
    assert deviations(released) == []


def test_a_limit_on_a_provider_counts_released_entries_by_stored_names_and_new_ones_by_those_of_today(
    released: RunningServer,
) -> None:
    # Entries of "gpt-4o" were stored without "openai/gpt-4o", which charges of today are matched by, too.
    assert recounted(released, "alice", openai="openai/*", bedrock="bedrock/*") == {
        "openai": (8, 10_000),
        "bedrock": (32_768, 0),
    }

    released.charge(1 << 20, model="gpt-4o", provider="openai")

    assert counts(released, "alice")["alice", "openai"] == ((1 << 20) + 8, 10_000)
    assert deviations(released) == []


# --- A ledger of today.


def test_a_limit_on_a_bare_name_counts_and_holds_the_model_wherever_it_is_served(
    server: RunningServer,
) -> None:
    server.create("alice", pb.Limit(limit_id="opus", amount=10**12, models=["claude-opus*"]))

    server.charge(1, model=OPUS_ON_BEDROCK)
    server.charge(2, model=OPUS_ON_VERTEX)
    server.charge(4, model="claude-opus-4-5-20251101", provider="azure_ai")
    server.charge(8, model="claude-sonnet-4-5")
    server.reserve(16, model=OPUS_ON_BEDROCK)
    server.reserve(32, model="claude-opus-9", provider="somebody")
    server.reserve(64, model="vertex_ai/claude-sonnet-4-5@20250929")

    assert counts(server, "alice") == {("alice", "opus"): (1 + 2 + 4, 16 + 32)}


def test_another_catalogue_changes_no_count_of_entries_and_holds(
    serve: Serve, tmp_path: Path, other_prices: Prices
) -> None:
    before = serve(tmp_path, shipped_prices())
    before.create("alice", pb.Limit(limit_id="opus", amount=10**12, models=["claude-opus*"]))
    before.charge(1, model=OPUS_ON_BEDROCK)
    before.charge(2, model=OPUS_ON_VERTEX)
    first = before.reserve(16, model=OPUS_ON_BEDROCK).reservation_id
    before.reserve(32, model=OPUS_ON_VERTEX)

    server = serve(tmp_path, other_prices)

    assert counts(server, "alice") == {("alice", "opus"): (3, 48)}
    assert recounted(server, "alice", again="claude-opus*", acme="acme/*") == {"again": (3, 48), "acme": (0, 0)}
    settle(server, first, 4)
    server.charge(8, model=OPUS_ON_VERTEX)
    assert counts(server, "alice") == {
        ("alice", "opus"): (15, 32),
        ("alice", "again"): (15, 32),
        ("alice", "acme"): (8, 0),
    }
    assert deviations(server) == []
