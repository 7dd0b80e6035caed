"""The watch: lets an idle server notice that its store must not be used any more, such as a file that was deleted."""

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
    """Looks at a store from time to time.

    Args:
        ledger: What is looked at.
        report: Called with what is wrong, at every look, for as long as it is.
        watch_seconds: How long it rests between two looks.
    """

    def __init__(
        self, ledger: Ledger, report: Callable[[StoreUnavailable], None], *, watch_seconds: float = WATCH_SECONDS
    ) -> None:
        self._ledger = ledger
        self._report = report
        self._watch_seconds = watch_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._run(), name="budgetd-watch")

    async def stop(self) -> None:
        """Cease to watch."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Look once. A read that fails for another reason is its caller's; whether writing works, commits tell."""
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
            except Exception:  # Whatever it is: a watch that has ended would never report a lost file.
                log.exception("looking at the store failed by an internal error")
