"""Which fence an agent's programs have on this machine, tried here and now, and what to do where there is none."""

import sys
from dataclasses import dataclass
from typing import Final

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
