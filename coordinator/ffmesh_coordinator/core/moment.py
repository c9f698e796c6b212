"""What time it is, as the core is told."""

from ffmesh_protocol.wire import Told


class Now(Told, frozen=True):
    """`elapsed` never jumps and counts sleep (CLOCK_BOOTTIME); `utc` is shown to people and decides nothing."""

    elapsed: float
    utc: float
