"""Which fence stands around programs here: asked of this machine once, at the start."""

from dataclasses import dataclass
from typing import Final

from ffmesh_agent.config import AgentConfig
from ffmesh_warden import fences
from ffmesh_warden.fence import Kind

NONE: Final = "none"
WANTED_OFF: Final = 'it is switched off in agent.toml (fence = "off")'


@dataclass(frozen=True, slots=True)
class InForce:
    kind: Kind | None
    why_none: str | None = None
    takes_work: bool = True
    """False: the configuration demands a fence that this machine does not have."""

    @property
    def called(self) -> str:
        """As others are told."""
        return self.kind or NONE

    @property
    def refusal(self) -> str | None:
        """What is said to whoever offers work. Names no place of the machine."""
        if self.takes_work:
            return None
        return f"it takes no work without a fence around programs, and has none: {self.why_none}"


UNFENCED: Final = InForce(None, WANTED_OFF)


def in_force(config: AgentConfig) -> InForce:
    if config.fence == "off":
        return UNFENCED
    here = fences.found()
    wanted: list[Kind] = [kind for kind in here.kinds if config.fence in ("on", "required", kind)]
    if wanted:
        return InForce(wanted[0])
    whys = [why for kind, why in here.missing.items() if config.fence in ("on", "required", kind)]
    return InForce(None, "; ".join(whys), takes_work=config.fence == "on")
