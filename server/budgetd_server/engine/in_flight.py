"""Count the calls that are being served, on any edge, so that a server can stop when there are none."""

import asyncio

from budgetd_server.domain.errors import ShuttingDown


class InFlight:
    """The number of calls that are being served, and events for when there are none."""

    def __init__(self) -> None:
        self.count = 0
        self._arrived = 0
        self._is_closed = False
        self._idle = asyncio.Event()

    def began(self) -> None:
        """Count the begin of a call."""
        self.count += 1
        self._arrived += 1

    def close(self) -> None:
        """Refuse new calls from now on."""
        self._is_closed = True

    def admit(self) -> None:
        """Admit a call. Raises ShuttingDown once closed."""
        if self._is_closed:
            raise ShuttingDown

    def ended(self) -> None:
        """Count the end of a call."""
        self.count -= 1
        if not self.count:
            self._idle.set()

    async def none(self) -> None:
        """Return when no call is being served."""
        while self.count:
            self._idle.clear()
            await self._idle.wait()

    async def quiet(self, seconds: float) -> None:
        """Return when no call has arrived for this many seconds and none is being served."""
        arrived = -1
        while arrived != self._arrived:
            await self.none()
            arrived = self._arrived
            await asyncio.sleep(seconds)
