"""When a part that ended is started again, and when not. A value: it knows no clock, it is told."""

from typing import Final

from ffmesh_protocol.wire import Told

PAUSES: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, … start in a row. The broker must be back within a second of its first death."""

LIVED: Final = 10.0
"""Who ran for so long before it ended has not failed to start: the row begins anew."""

TRIES: Final = 5
"""So many failures of one part before the mesh was ever ready, and `up` gives up."""

WRONG_USAGE: Final = 2
REFUSED: Final = 77
"""`EX_NOPERM`: the broker refuses its login. It took a while to be sure of that, so to have lived says nothing."""

NOT_AGAIN: Final = 78
"""`EX_CONFIG` of sysexits.h: a part that ends so says that to start it again would change nothing."""


class Row(Told, frozen=True):
    """The failures of one part since it last ran for a while."""

    failures: int = 0

    def after(self, lived: float, exit_code: int | None = None) -> "Row":
        return Row(failures=1 if lived >= LIVED and exit_code != REFUSED else self.failures + 1)

    @property
    def pause(self) -> float:
        """Seconds until it is started again."""
        return PAUSES[min(max(self.failures - 1, 0), len(PAUSES) - 1)]


def is_hopeless(row: Row, exit_code: int | None) -> bool:
    """Whether a mesh that was never ready is better off with its end: the part cannot be started here."""
    return exit_code in (WRONG_USAGE, NOT_AGAIN) or row.failures >= TRIES
