"""Count in the metrics what a transaction has done in addition to its answers."""

from budgetd_server.domain.state import Tally
from budgetd_server.metrics import Metrics

#: Callers choose alert ratios; all others share one label, to bound cardinality.
_PERCENTS = (50, 75, 80, 90, 95, 100)


def count_tally(metrics: Metrics, tally: Tally) -> None:
    """Count holds made and ended, alerts, charges with unread fields, and charges that were steps."""
    for what, count in tally.holds.items():
        metrics.holds.labels(what).inc(count)
    for unit, ratio in tally.alerts:
        metrics.alerts.labels(unit.name.lower(), _label(ratio)).inc()
    for dialect, count in tally.unread.items():
        metrics.count_unread(dialect, count)
    metrics.count_charges(recorded=tally.charges)
    metrics.charged_nano_usd.inc(tally.charged_nano_usd)


def _label(ratio: float) -> str:
    percent = round(ratio * 100)
    return str(percent) if percent in _PERCENTS and percent == ratio * 100 else "other"
