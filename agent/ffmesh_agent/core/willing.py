"""Whether this agent takes new work, and what becomes of what it has: by the word of a person, and by what it minds of
its machine. The strongest counts; each ends by itself."""

from typing import Final

from ffmesh_agent.core.desk import Desk
from ffmesh_protocol.messages.manners import Condition, Manner

BY_STRENGTH: Final = (Manner.STOP, Manner.PAUSE, Manner.DRAIN)
"""Of those that take no new work."""

SAID_OF: Final = {
    Manner.DRAIN: "is draining",
    Manner.PAUSE: "is paused",
    Manner.STOP: "is stopped",
}


REASON_CHARS: Final = 400
"""Of a condition, in a sentence that says what follows from it."""


def manner(desk: Desk) -> Manner | None:
    """How it takes no new work; null: it does."""
    wanted = {desk.told, *(each.manner for each in desk.conditions if each.in_force)}
    if desk.ending or desk.leaving:
        wanted.add(Manner.DRAIN)
    return next((each for each in BY_STRENGTH if each in wanted), None)


def why_unwilling(desk: Desk) -> str | None:
    """Why it takes nothing new; null: it does."""
    if desk.told is not None:
        return f"it {SAID_OF[desk.told]}"
    return why_by_itself(desk)


def why_by_itself(desk: Desk) -> str | None:
    """Why it takes nothing new, though nobody has told it so."""
    if desk.ending or desk.leaving:
        return "it is being shut down"
    reasons = [reason for each in BY_STRENGTH if (reason := _minded(desk, each)) is not None]
    return reasons[0] if reasons else None


def why_all_stand_still(desk: Desk) -> str | None:
    """All that nobody waits for; null: they need not. Who is to leave when all is done lets it go on."""
    if desk.ending:
        return None
    if desk.told is Manner.PAUSE:
        return "somebody has paused its agent"
    return _minded(desk, Manner.PAUSE)


def why_all_end(desk: Desk) -> str | None:
    """All that runs here, to be handed back; null: it may go on."""
    if desk.told is Manner.STOP:
        return f"somebody has stopped agent {desk.name}"
    minded = _minded(desk, Manner.STOP)
    return f"agent {desk.name} handed it back: {minded}" if minded is not None else None


def _minded(desk: Desk, manner: Manner) -> str | None:
    """What it minds now, of what it does this about."""
    return next((_said(each) for each in desk.conditions if each.in_force and each.manner is manner), None)


def _said(condition: Condition) -> str:
    reason = condition.reason[:REASON_CHARS]
    return f"its temperature is {reason}" if condition.name == "temperature" else f"{reason} ({condition.name})"
