"""Which fence an agent's programs have, and what to do where there is none: on this machine, tried here and now; on
others, as their agents say."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ffmesh_protocol.messages.capability import AgentView
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_warden import fences

OFF: Final = "off"
_AT_ITS_BEST: Final = frozenset({"on", "required"})

_HOW_TO_GET_ONE: Final = (
    "a kernel from 5.13 on has Landlock (see `cat /sys/kernel/security/lsm`; if it is not named there, add it to lsm= "
    "where the kernel is started); or install the package bubblewrap"
)

_HOW_TO_DO_WITHOUT: Final = f'{_HOW_TO_GET_ONE}; or say that you do without: fence = "off" in agent.toml'


@dataclass(frozen=True, slots=True)
class FenceSeen:
    ok: bool
    message: str
    mend: str | None = None


def fence_seen(wanted: str) -> FenceSeen:
    """`wanted`: the key `fence` of its agent.toml."""
    if wanted == OFF:
        return FenceSeen(ok=True, message="none stands around programs: it is switched off")
    here = fences.found()
    kinds = [kind for kind in here.kinds if wanted in (*_AT_ITS_BEST, kind)]
    if kinds:
        return FenceSeen(ok=True, message=f"{kinds[0]} stands around programs")
    why = "; ".join(f"{kind}: {why}" for kind, why in here.missing.items() if wanted in (*_AT_ITS_BEST, kind))
    if wanted == "on":
        message = f"none stands around programs, which can read and write all that this agent can ({why})"
        has_any = sys.platform == "linux"
        return FenceSeen(ok=not has_any, message=message, mend=_HOW_TO_DO_WITHOUT if has_any else None)
    return FenceSeen(ok=False, message=f"it takes no work without a fence, and has none ({why})", mend=_HOW_TO_GET_ONE)


_NONE: Final = "none"


def fences_told(agents: Sequence[AgentView]) -> FenceSeen:
    """Of all that are there, as far as they say."""
    told = [agent for agent in agents if agent.state is not AgentState.OFFLINE and agent.fence is not None]
    without = [agent for agent in told if agent.fence == _NONE]
    message = "; ".join(f"{agent.name}: {_told(agent)}" for agent in told) or "no agent says which it has"
    mend = f"on {without[0].name}: `ffmesh doctor` says how to get one" if without else None
    return FenceSeen(ok=True, message=message, mend=mend)


def _told(agent: AgentView) -> str:
    why = agent.unavailable.get("fence")
    return f"none, because {why}" if agent.fence == _NONE and why is not None else str(agent.fence)
