"""The clock of all decisions and deadlines: it counts sleep, and nobody sets it."""

import time
from typing import Final

_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """Seconds since the machine started. On macOS, CLOCK_MONOTONIC is the one that counts sleep."""
    return time.clock_gettime(_CLOCK)
