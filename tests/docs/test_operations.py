"""The alerts of the operator's page ask for metrics that a server has."""

import re

from budgetd_server.metrics import Metrics
from tests.docs.pages import page

ALERTS = [cells[1] for cells in page("docs/operations.md").table_rows("What to alert on")]
FOREIGN = {"up"}


def test_every_metric_in_an_alert_exists() -> None:
    metrics = Metrics()
    known = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    known |= {name for family in metrics.registry.collect() for name in (family.name, f"{family.name}_total")}
    known |= {f"{family.name}_bucket" for family in metrics.registry.collect() if family.type == "histogram"}
    asked = {name for alert in ALERTS for name in re.findall(r"\b(?:budgetd|grpc)_\w+\b", _without_labels(alert))}

    assert asked
    assert asked - known - FOREIGN == set()


def test_most_alerts_are_expressions() -> None:
    expressions = [alert for alert in ALERTS if alert.startswith("`")]

    assert len(expressions) >= 8


def _without_labels(expression: str) -> str:
    return re.sub(r"\{[^}]*\}", "", expression)
