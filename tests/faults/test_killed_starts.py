"""Servers that were killed at a statement of their first start or of a migration: the next one serves."""

from collections.abc import Callable
from pathlib import Path

import pytest

from budgetd_server.ledger.sqlite.verify import verify_file
from tests.faults.server_process import running
from tests.ledger.test_killed_openings import STARTS, killed


@pytest.mark.drill
@pytest.mark.parametrize("older", STARTS)
async def test_a_server_serves_whatever_its_killed_predecessor_left(
    tmp_path: Path, older: int | None, figure: Callable[[str], None]
) -> None:
    deaths = 0
    for path, _ in killed(tmp_path, older, "statements"):
        deaths += 1
        async with running(path, *([] if older is None else ["--migrate"])) as server:
            server.terminate()
            assert await server.ended() == 0
            assert not server.stray_lines()
        assert verify_file(path).deviations == []
    assert deaths > 15
    figure(f"{deaths} kills")
