"""How long to wait before the next attempt to connect. A value: it knows no clock and no dice, both are told."""

from ffmesh_protocol.times import RECONNECT_EARLY, RECONNECT_EARLY_FOR, RECONNECT_LATE
from ffmesh_protocol.wire import Told


class Backoff(Told, frozen=True):
    """A row of failures: after the first the next attempt is at once, after later ones there are pauses that grow.

        backoff = Backoff()
        while True:
            try:
                async with connected(…) as bus: …
            except BrokerUnreachable:
                backoff = backoff.failed(at=now, lasted=how_long_it_was_connected)
                await asyncio.sleep(backoff.pause(random()))

    Only a connection that lasted ends the row. Two processes with one client id throw each other off for ever; if every
    connection did, they would do it a thousand times a second.
    """

    failures: int = 0
    began: float = 0.0
    latest: float = 0.0

    def failed(self, *, at: float, lasted: float = 0.0) -> "Backoff":
        """After a failure at this time; `lasted` is how long there was a connection before it, in seconds."""
        if self.failures == 0 or lasted >= RECONNECT_LATE:
            return Backoff(failures=1, began=at, latest=at)
        return Backoff(failures=self.failures + 1, began=self.began, latest=at)

    def pause(self, dice: float) -> float:
        """Seconds until the next attempt; `dice` is a fresh random number from 0 up to 1."""
        if self.failures <= 1:
            return 0.0
        shortest, longest = RECONNECT_EARLY
        if self.latest - self.began < RECONNECT_EARLY_FOR:
            # Bounded before the power: a row of failures may be days long.
            longest = min(longest, shortest * 2 ** min(self.failures - 1, 8))
        else:
            shortest, longest = longest, RECONNECT_LATE
        return shortest + dice * (longest - shortest)
