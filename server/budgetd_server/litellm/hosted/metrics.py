"""The metrics of the self-hosted protocol."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from budgetd_server.metrics import CALL_SECONDS


class HostedMetrics:
    """The metrics of the protocol, in the server's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "budgetd_hosted_calls_total",
            "Calls of LiteLLM's self-hosted protocol that were answered, by call and HTTP status.",
            ["call", "code"],
            registry=registry,
        )
        self.seconds = Histogram(
            "budgetd_hosted_seconds",
            "Seconds from the arrival of a call of LiteLLM's self-hosted protocol to its answer.",
            ["call"],
            buckets=CALL_SECONDS,
            registry=registry,
        )
        self.records = Counter(
            "budgetd_hosted_records_total",
            "Records in saves of LiteLLM's self-hosted protocol: changed, late, refused, or deleted users.",
            ["result"],
            registry=registry,
        )
        for result in ("changed", "late", "refused", "deleted"):
            self.records.labels(result)
