"""Whether this agent takes new work, and what becomes of what it has: by the word of a person."""

from typing import Final

from ffmesh_agent.core.desk import Desk
from ffmesh_protocol.messages.manners import Manner

SAID_OF: Final = {
    Manner.DRAIN: "is draining",
    Manner.PAUSE: "is paused",
    Manner.STOP: "is stopped",
}


def why_unwilling(desk: Desk) -> str | None:
    """Why it takes nothing new; null: it does."""
    if desk.told is not None:
        return f"it {SAID_OF[desk.told]}"
    return "it is being shut down" if desk.leaving else None


def why_all_stand_still(desk: Desk) -> str | None:
    """All that nobody waits for; null: they need not."""
    return "somebody has paused its agent" if desk.told is Manner.PAUSE else None


def why_all_end(desk: Desk) -> str | None:
    """All that runs here, to be handed back; null: it may go on."""
    return f"somebody has stopped agent {desk.name}" if desk.told is Manner.STOP else None
