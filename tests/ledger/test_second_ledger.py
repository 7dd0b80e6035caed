"""What a second ledger has to write: as much as the toy does, which passes every test of the contract."""

import asyncio
import inspect
from pathlib import Path

from budgetd_server.ledger.steps import Row, Steps
from tests.domain.desk import charge, create
from tests.ledger import awaiting, toy_ledger, toy_rows
from tests.ledger.awaiting import carried_out_awaiting
from tests.ledger.stores import ToyStore, carry_out
from tests.ledger.test_sqlite_queries import FOLDER, QUERIES, words
from tests.ledger.toy_rows import REMOVALS, WRITES, ToyRows

LINES_MAX = 400


def test_a_second_ledger_has_all_statements_that_the_shared_code_names_and_no_others() -> None:
    methods = {name for name in vars(ToyRows) if not name.startswith("_")} - {"write"}
    shared = QUERIES.keys() & words(FOLDER.glob("*.py"))

    assert methods | WRITES.keys() | REMOVALS.keys() == shared


def test_a_second_ledger_and_its_driver_are_small() -> None:
    sources = [inspect.getsource(module) for module in (toy_rows, toy_ledger, awaiting)]

    assert sum(len(source.splitlines()) for source in sources) < LINES_MAX


async def test_a_count_that_is_wrong_in_the_tables_of_the_toy_is_found(tmp_path: Path) -> None:
    store = ToyStore(tmp_path)
    await carry_out(await store.open(), create(), charge(5))
    sound = list(store.deviations())

    (key,) = store.tables["counters"]
    store.tables["counters"][key] = {**store.tables["counters"][key], "cost_nano_usd": 6}

    assert sound == []
    assert len(store.deviations()) == 1


async def test_others_go_on_while_steps_wait_for_their_rows() -> None:
    asked: list[str] = []

    def rows(statement: str, _: object) -> list[Row]:
        asked.append(statement)
        return [(statement,)]

    def steps(name: str) -> Steps[str]:
        ((first,),) = yield f"{name} 1", {}
        ((second,),) = yield f"{name} 2", {}
        return f"{first}, {second}"

    results = await asyncio.gather(*(carried_out_awaiting(rows, steps(name)) for name in ("one", "other")))

    assert results == ["one 1, one 2", "other 1, other 2"]
    assert asked == ["one 1", "other 1", "one 2", "other 2"]
