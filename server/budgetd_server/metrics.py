"""The Prometheus metrics of a server. Callers choose no label value except the first few dialects."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_RPC_LABELS = ["grpc_type", "grpc_service", "grpc_method"]
#: Bucket bounds for the seconds of a call.
CALL_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COMMIT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
#: How many dialects have a series of their own. Callers choose their names, so this bounds the cardinality.
DIALECTS_MAX = 32
_BATCH_COMMANDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one server, in its own registry."""

    def __init__(self) -> None:
        self.registry = registry = _registry_of_the_process()
        # The metric names of go-grpc-prometheus, so that public dashboards and alert rules work.
        self.rpcs_started = Counter("grpc_server_started_total", "RPCs begun.", _RPC_LABELS, registry=registry)
        self.rpcs_handled = Counter(
            "grpc_server_handled_total",
            "RPCs finished, by status code in the form of gRPC for Go, such as OK or NotFound.",
            [*_RPC_LABELS, "grpc_code"],
            registry=registry,
        )
        self.rpc_seconds = Histogram(
            "grpc_server_handling_seconds",
            "Seconds from the arrival of a unary RPC to its answer.",
            _RPC_LABELS,
            buckets=CALL_SECONDS,
            registry=registry,
        )

        self._add_money(registry)
        self.refusals = Counter(
            "budgetd_refusals_total",
            "Requests and items of batches that were refused or failed, by reason.",
            ["reason"],
            registry=registry,
        )
        self.slow_readers = Counter(
            "budgetd_slow_readers_total",
            "Connections that were ended because an answer was left unread for too long.",
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "budgetd_commit_seconds",
            "Seconds from having the store's write lock to the end of COMMIT, for one batch.",
            buckets=_COMMIT_SECONDS,
            registry=registry,
        )
        self.lock_wait_seconds = Histogram(
            "budgetd_lock_wait_seconds",
            "Seconds that a batch waited for the store's write lock, which other processes may hold.",
            buckets=_COMMIT_SECONDS,
            registry=registry,
        )
        self.commit_commands = Histogram(
            "budgetd_commit_commands", "Commands in one batch.", buckets=_BATCH_COMMANDS, registry=registry
        )
        self.queue_depth = Gauge("budgetd_queue_depth", "Commands that wait for their commit.", registry=registry)
        self.queue_capacity = Gauge("budgetd_queue_capacity", "How many commands may wait.", registry=registry)
        self.store_errors = Counter(
            "budgetd_store_errors_total",
            "Batches that the store failed to commit, by kind.",
            ["kind"],
            registry=registry,
        )
        self.store_healthy = Gauge(
            "budgetd_store_healthy", "1 while the store takes writes, else 0.", registry=registry
        )
        self.build_info = Gauge(
            "budgetd_build_info",
            "Always 1; the labels give the version and the store.",
            ["version", "store"],
            registry=registry,
        )

    def _add_money(self, registry: CollectorRegistry) -> None:
        """Register the metrics of charges, holds and limits."""
        self.charges = Counter(
            "budgetd_charges_total",
            "Charges by what became of them: recorded, replayed (a known request id), refused or unavailable.",
            ["result"],
            registry=registry,
        )
        self.charged_nano_usd = Counter(
            "budgetd_charged_nano_usd_total",
            "Nano-USD recorded by charges and settled holds, without imported history.",
            registry=registry,
        )
        self.holds = Counter(
            "budgetd_holds_total",
            "Holds by what became of them: made, committed, released, expired, or estimated (expired and booked).",
            ["result"],
            registry=registry,
        )
        self.alerts = Counter(
            "budgetd_alerts_total",
            "Times that a limit reached one of its alert ratios, once a window, by unit and ratio in percent.",
            ["unit", "percent"],
            registry=registry,
        )
        self._unread = Counter(
            "budgetd_unread_usage_total",
            "Charges and settlements whose caller could not read every field of the provider's answer, by its form.",
            ["dialect"],
            registry=registry,
        )
        self._dialects: set[str] = set()
        # Created at zero, so that a rate includes the first of each.
        self._charges = {each: self.charges.labels(each) for each in ("recorded", "replayed", "refused", "unavailable")}

        for each in ("made", "committed", "released", "expired", "estimated"):
            self.holds.labels(each)

    def count_charges(self, **counts: int) -> None:
        """Count charges by their result."""
        for result, count in counts.items():
            if count:
                self._charges[result].inc(count)

    def count_unread(self, dialect: str, count: int) -> None:
        """Count charges and settlements with unread fields by dialect; empty if the caller named none."""
        if dialect and dialect not in self._dialects and len(self._dialects) < DIALECTS_MAX:
            self._dialects.add(dialect)
        label = dialect if dialect in self._dialects else "other" if dialect else "unknown"
        self._unread.labels(label).inc(count)


def _registry_of_the_process() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
