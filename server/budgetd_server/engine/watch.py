"""The watch: lets an idle server notice that its store must not be used any more, for example a deleted file."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.ledger.base import LOGGED_KINDS, Ledger

#: An idle server has to notice within a second.
WATCH_SECONDS = 0.25

log = logging.getLogger(__name__)


class Watch:
    """Checks a store periodically.

    Args:
        ledger: The store to check.
        report: Called with the error, at every check that fails.
        watch_seconds: How long to wait between two checks.
    """

    def __init__(
        self, ledger: Ledger, report: Callable[[StoreUnavailable], None], *, watch_seconds: float = WATCH_SECONDS
    ) -> None:
        self._ledger = ledger
        self._report = report
        self._watch_seconds = watch_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start watching."""
        self._task = asyncio.create_task(self._run(), name="budgetd-watch")

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Check once. Reports only that the store must not be used; other failures show in reads and commits."""
        try:
            await self._ledger.check()
        except StoreUnavailable as error:
            if error.metadata.get("kind") in LOGGED_KINDS:
                self._report(error)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._watch_seconds)
            try:
                await self.look()
            except Exception:  # The watch must not end, or it would never report a lost file.
                log.exception("checking the store failed with an internal error")
