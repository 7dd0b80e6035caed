"""Fixtures of the fault drills, and the report of their measurements at the end of a run."""

from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

_FIGURE = "budgetd figure"
DRILL_SECONDS_MAX = 400


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the test's own ledger is, or will be."""
    return tmp_path / "ledger.db"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Reports a measured figure, which is never asserted, at the end of the run."""
    return lambda sentence: record_property(_FIGURE, sentence)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Drills take as long as the machine is slow; the limit is for those that hang."""
    for item in items:
        if item.get_closest_marker("drill"):
            item.add_marker(pytest.mark.timeout(DRILL_SECONDS_MAX))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Report the figures."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    figures = [
        (report.nodeid.rpartition("::")[2], sentence)
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, sentence in report.user_properties
        if name == _FIGURE
    ]
    if figures:
        terminalreporter.section("measured")
        for test, sentence in figures:
            terminalreporter.write_line(f"{test}: {sentence}")
