"""The two clocks of the coordinator, read in one place."""

import time
from typing import Final

from ffmesh_coordinator.core.moment import Now

# Where there is no such clock (macOS), the monotonic one is the one that counts sleep.
_ELAPSED: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> Now:
    return Now(elapsed=elapsed(), utc=time.time())


def elapsed() -> float:
    return time.clock_gettime(_ELAPSED)
