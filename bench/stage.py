"""What scenarios share: a folder, ledgers to copy, and the scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.ledgers import Ledgers, charges_in
from bench.load import Load, LoadFailed, send_unary
from bench.messages import charge, write_frames
from bench.processes import ServerProcess
from budgetd_server.rpc.handlers import SERVICE

CALLERS = 64
#: h2load repeats one message, so the callers are divided among this many processes, each with its own budget.
GROUPS = 16


@dataclass(frozen=True, slots=True)
class Stage:
    """Where and at what scale to measure."""

    folder: Path
    #: 1.0: as published. Less to try the bench itself.
    scale: float
    ledgers: Ledgers = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ledgers", Ledgers(self.folder))

    def sized(self, count: int, *, least: int = 1) -> int:
        """Return a count at the stage's scale."""
        return max(least, int(count * self.scale))

    def charges(self) -> Sequence[Path]:
        """Write a file with a charge for each group of callers."""
        return [write_frames(self.folder / f"charge-{group}.frames", [charge(group)]) for group in range(GROUPS)]

    def empty(self) -> Sequence[Path]:
        """Write as many files with an empty message."""
        return [write_frames(self.folder / f"empty-{group}.frames", [b""]) for group in range(GROUPS)]


def method(name: str) -> str:
    """Return the path of an RPC."""
    return f"/{SERVICE.full_name}/{name}"


def unary(
    server: ServerProcess, frames: Sequence[Path], *, calls: int, callers: int = CALLERS, rpc: str = "UpdateCost"
) -> Callable[[], dict[str, float]]:
    """Return a contestant that sends unary calls."""

    def measure() -> dict[str, float]:
        cpu = server.cpu_seconds
        load = send_unary(server.address, method(rpc), frames, callers=callers, calls=calls)
        return {**figures(load), "cpu_us": (server.cpu_seconds - cpu) / len(load.calls) * 1e6}

    return measure


class Acknowledged:
    """Counts the charges that a server has acknowledged, and compares the number with the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = charges_in(path)
        self._count = 0

    def __call__(self, measure: Callable[[], dict[str, float]]) -> Callable[[], dict[str, float]]:
        """Return the contestant with its charges counted."""

        def counted() -> dict[str, float]:
            measured = measure()
            self._count += int(measured["charges"])
            return measured

        return counted

    def check(self) -> None:
        """Check that the file has exactly the charges that were acknowledged.

        Raises:
            LoadFailed: It has not: charges were refused, lost or counted twice.
        """
        recorded = charges_in(self._path) - self._before
        if recorded != self._count:
            raise LoadFailed(f"{self._count} charges were acknowledged and {recorded} are in the ledger")


def figures(load: Load) -> dict[str, float]:
    """Return the figures of a load."""
    return {
        "charges": len(load.calls),
        "per_second": load.per_second,
        "p50_us": load.quantile_us(0.5),
        "p99_us": load.quantile_us(0.99),
    }
