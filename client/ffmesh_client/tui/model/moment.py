"""What time it is, as the fold is told."""

from ffmesh_protocol.wire import Told


class Moment(Told, frozen=True):
    """`elapsed` never jumps, and decides; `utc`, in seconds of Unix, is shown to people and decides nothing."""

    elapsed: float
    utc: float
