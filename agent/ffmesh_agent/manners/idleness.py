"""When somebody last touched this machine, from what several witnesses say of it. The least idle of them counts.

Some know to the second: terminals, and a display that was asked. A session says that it is idle when its desktop finds
so, minutes after the last input; until then it is taken for used now. Some desktops never say anything: then nobody
knows, unless a display does.
"""

from collections.abc import Iterable
from typing import Final

from ffmesh_agent.manners.readings import Reading, Seen, Unseen
from ffmesh_protocol.wire import Told

_DISPLAYS: Final = frozenset({"x11", "wayland", "mir"})

MUTE: Final = "a graphical session does not say when it was used last"
NOBODY: Final = "neither a terminal, a display nor logind can be asked"


class Session(Told, frozen=True):
    """As logind describes it. `since`: when `is_idle` became what it is, in seconds of the monotonic clock; 0: it was
    never said."""

    kind: str
    owner: str
    is_idle: bool
    since: float


class Witnesses(Told, frozen=True):
    """Seconds since the last input, of terminals and of a display. `sessions` null: there is no logind.
    `has_display`: one runs here, whoever may be asked about it."""

    terminals: tuple[float, ...] = ()
    display: float | None = None
    sessions: tuple[Session, ...] | None = None
    has_display: bool = False


def last_input(witnesses: Witnesses, now: float) -> Reading:
    """`now`, of the same clock."""
    seconds = [*witnesses.terminals, *([witnesses.display] if witnesses.display is not None else [])]
    for session in _graphical(witnesses.sessions or ()):
        if session.is_idle and session.since > 0:
            seconds.append(now - session.since)
        elif witnesses.display is None and session.since > 0:
            seconds.append(0.0)
        elif witnesses.display is None:
            return Unseen(why=MUTE)
    if witnesses.sessions is None and witnesses.has_display and witnesses.display is None:
        return Unseen(why=MUTE)
    return Seen(value=max(0.0, min(seconds))) if seconds else Unseen(why=NOBODY)


def _graphical(sessions: Iterable[Session]) -> list[Session]:
    """Of people: not the screen at which they log in. Those on terminals are known by these."""
    return [each for each in sessions if each.kind in _DISPLAYS and each.owner == "user"]
