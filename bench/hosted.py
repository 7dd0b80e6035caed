"""Scenarios of LiteLLM's self-hosted protocol: a dictionary of many users, of which a few have changed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter

from bench.hosted_client import HostedClient, saving
from bench.processes import ServerProcess, budgetd, plain_hosted
from bench.rows import Contestants, Row, Scenario
from bench.stage import GROUPS, Stage, unary

USERS = 10_000
CHANGED = (0, 1, 10, 100, 1_000, 10_000)
#: The number of changed users in the saves that run while others charge.
CHANGED_MEANWHILE = 100
CALLS = 4_096
_SAVE, _LOAD, _PEAK, _P99 = "save_ms", "load_ms", "peak_mib", "p99_us"


def saves(stage: Stage) -> Scenario:
    """Measure the time of a save and of a load."""
    rows = [
        Row(
            what=f"a save of {USERS:,} users, {_changed(count)}",
            here=(_changed(count), _SAVE),
            reference=("plain", _SAVE),
            reference_what="a server that writes the dictionary to a file",
            unit="ms",
            more_is_better=False,
        )
        for count in CHANGED
    ]
    worn = Row(
        what="the same, all of them changed since the load, 1 since the last save",
        here=("worn", _SAVE),
        reference=("plain", _SAVE),
        reference_what="a server that writes the dictionary to a file",
        unit="ms",
        more_is_better=False,
    )
    alone = Row(
        what=f"a save of {USERS:,} users, {_changed(1)}",
        here=(_changed(1), _SAVE),
        reference=("json.loads", _SAVE),
        reference_what="json.loads of its body alone",
        unit="ms",
        more_is_better=False,
    )
    load = Row(
        what=f"a load of {USERS:,} users",
        here=(_changed(0), _LOAD),
        reference=("plain", _LOAD),
        reference_what="a server that reads the dictionary from a file",
        unit="ms",
        more_is_better=False,
    )
    return Scenario("hosted-saves", lambda: _saves(stage), (*rows, worn, alone, load))


def memory(stage: Stage) -> Scenario:
    """Measure by how much a new server's memory grows during one load and one save."""
    rows = tuple(
        Row(
            what=f"memory for a load and a save of {USERS:,} users, {_changed(count)}",
            here=(_changed(count), _PEAK),
            reference=("plain", _PEAK),
            reference_what="a server that writes the dictionary to a file",
            unit="MiB",
            more_is_better=False,
        )
        for count in (0, USERS)
    )
    return Scenario("hosted-memory", lambda: _memory(stage), rows, warms_up=False)


def during_saves(stage: Stage) -> Scenario:
    """Measure charges over gRPC while a process with LiteLLM's class saves repeatedly."""
    row = Row(
        what=f"p99 of UpdateCost during saves of {USERS:,} users, {_changed(CHANGED_MEANWHILE)} each",
        here=("during saves", _P99),
        reference=("alone", _P99),
        reference_what="the same without saves",
        unit="µs",
        more_is_better=False,
    )
    return Scenario("hosted-fair", lambda: _during_saves(stage), (row,))


@contextmanager
def _saves(stage: Stage) -> Iterator[Contestants]:
    users = stage.sized(USERS)
    with ExitStack() as stack:
        server = stack.enter_context(budgetd(stage.ledgers.with_budgets(users)))
        plain = stack.enter_context(plain_hosted(stage.folder / "plain-saves"))
        ours, theirs = HostedClient(server.http_port), HostedClient(plain.http_port)
        ours.load()
        ours.save(ours.charge(users))
        ours.load()
        worn = HostedClient(server.http_port)
        worn.load()
        worn.save(worn.charge(users))
        # The same bytes, with markers, which a server that only stores them returns.
        theirs.users = ours.users
        theirs.save(theirs.charge(0))

        def save(client: HostedClient, count: int) -> Callable[[], dict[str, float]]:
            def measure() -> dict[str, float]:
                seconds = client.save(client.charge(count))
                return {_SAVE: seconds * 1e3, _LOAD: client.load() * 1e3}

            return measure

        def loads() -> dict[str, float]:
            body = ours.charge(0)
            began = perf_counter()
            json.loads(body)
            return {_SAVE: (perf_counter() - began) * 1e3}

        yield {
            **{_changed(count): save(ours, stage.sized(count, least=min(1, count))) for count in CHANGED},
            "worn": lambda: {_SAVE: worn.save(worn.charge(1)) * 1e3},
            "plain": save(theirs, 1),
            "json.loads": loads,
        }


@contextmanager
def _memory(stage: Stage) -> Iterator[Contestants]:
    users = stage.sized(USERS)
    ledger = stage.ledgers.with_budgets(users)
    with budgetd(ledger) as server:
        client = HostedClient(server.http_port)
        client.load()
        client.save(client.charge(users))
        client.load()
        given = client.users
    plain_folder = stage.folder / "plain-memory"
    with plain_hosted(plain_folder) as server:
        client = HostedClient(server.http_port)
        client.users = given
        client.save(client.charge(0))

    def ours(count: int) -> Callable[[], dict[str, float]]:
        def measure() -> dict[str, float]:
            with budgetd(ledger) as server:
                return {_PEAK: server.peak_growth_mib(lambda: _load_and_save(server, count))}

        return measure

    def theirs() -> dict[str, float]:
        with plain_hosted(plain_folder) as server:
            return {_PEAK: server.peak_growth_mib(lambda: _load_and_save(server, users))}

    yield {**{_changed(count): ours(stage.sized(count, least=min(1, count))) for count in (0, USERS)}, "plain": theirs}


@contextmanager
def _during_saves(stage: Stage) -> Iterator[Contestants]:
    calls = stage.sized(CALLS, least=GROUPS * 4)
    with budgetd(stage.ledgers.with_budgets(stage.sized(USERS, least=GROUPS))) as server:
        alone = unary(server, stage.charges(), calls=calls)

        def during() -> dict[str, float]:
            with saving(server.http_port, stage.sized(CHANGED_MEANWHILE)):
                return alone()

        yield {"during saves": during, "alone": alone}


def _load_and_save(server: ServerProcess, count: int) -> None:
    client = HostedClient(server.http_port)
    client.load()
    client.save(client.charge(count))


def _changed(count: int) -> str:
    return f"{count:,} changed"
