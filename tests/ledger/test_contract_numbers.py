"""Entries by their numbers: those that the project has, whole, and no others."""

from budgetd_server.ledger.base import Ledger
from tests.domain.desk import PROJECT, charge, create, delete
from tests.ledger.stores import all_entries, carry_out


async def test_entries_are_found_by_their_numbers_also_those_of_deleted_budgets(ledger: Ledger) -> None:
    await carry_out(ledger, create(), charge(5, model="o3", labels={"a": "b"}), charge(6), delete())
    expected = {entry.seq: entry for _, entry in await all_entries(ledger)}

    found = await ledger.entries(PROJECT, [2, 4, 2, 99, 0])

    assert found == {seq: expected[seq] for seq in (2, 4)}


async def test_numbers_of_another_project_are_not_found(ledger: Ledger) -> None:
    await carry_out(ledger, create(), charge(5), create(project_id="other"))

    assert list(await ledger.entries("other", [1, 2])) == [1]
    assert await ledger.entries("nowhere", [1]) == {}
