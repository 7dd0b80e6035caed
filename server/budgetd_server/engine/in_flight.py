"""The calls that are being served, whoever made them, so that a server can end when there are none."""

import asyncio

from budgetd_server.domain.errors import ShuttingDown


class InFlight:
    """How many calls are being served, and the moment when none is."""

    def __init__(self) -> None:
        self.count = 0
        self._arrived = 0
        self._is_closed = False
        self._idle = asyncio.Event()

    def began(self) -> None:
        """One more."""
        self.count += 1
        self._arrived += 1

    def close(self) -> None:
        """From now on, refuse new calls."""
        self._is_closed = True

    def admit(self) -> None:
        """Let a call in; raises ShuttingDown once closed."""
        if self._is_closed:
            raise ShuttingDown

    def ended(self) -> None:
        """One less."""
        self.count -= 1
        if not self.count:
            self._idle.set()

    async def none(self) -> None:
        """Return when no call is being served."""
        while self.count:
            self._idle.clear()
            await self._idle.wait()

    async def quiet(self, seconds: float) -> None:
        """Return when no call has come for so long, and none is being served."""
        arrived = -1
        while arrived != self._arrived:
            await self.none()
            arrived = self._arrived
            await asyncio.sleep(seconds)
