"""Agents as they are watched: what the coordinator says of each, and the load that it tells itself at each beat."""

from collections import deque

from ffmesh_client.tui.model.history import BEATS
from ffmesh_client.tui.model.runs import RunLine
from ffmesh_protocol.messages.capability import Heartbeat, Host, Load, PublicAgent, RootState, SlotUse
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.wire import Told


class AgentLine(Told, frozen=True):
    """An agent as a row shows it. `cpu`: percents, the oldest first."""

    name: str
    state: AgentState
    slots: tuple[tuple[str, SlotUse], ...]
    load: Load
    cpu: tuple[float, ...]
    roots: tuple[tuple[str, RootState], ...]
    trouble: str | None
    """Why it takes no work, or not all of it."""
    last_seen_at: str | None
    host: Host | None
    gpus: tuple[str, ...]
    runs: tuple[RunLine, ...]

    @property
    def is_online(self) -> bool:
        return self.state is not AgentState.OFFLINE


class AgentBook:
    """What is known of one agent. Either half may come first, and be all that ever comes."""

    def __init__(self) -> None:
        self.told: PublicAgent | None = None
        self.heard_at = 0.0
        self._beat: Heartbeat | None = None
        self._cpu: deque[float] = deque(maxlen=BEATS)
        self._line: AgentLine | None = None
        """As it was last made; None: something has changed since."""

    def tell(self, told: PublicAgent) -> None:
        if self.told is not None and self.told.life != told.life:
            self._beat = None
            self._cpu.clear()
        self.told, self._line = told, None

    def beat(self, beat: Heartbeat) -> None:
        """One that came late says nothing new."""
        last = self._beat
        if last is not None and last.life == beat.life and last.beat >= beat.beat:
            return
        self._beat, self._line = beat, None
        if beat.load.cpu_percent is not None:
            self._cpu.append(beat.load.cpu_percent)

    def line(self, runs: tuple[RunLine, ...]) -> AgentLine | None:
        """None: only the agent has spoken, and the coordinator, who knows who takes part, has not."""
        told = self.told
        if told is None:
            return None
        if self._line is None or self._line.runs != runs:
            self._line = self._made(told, runs)
        return self._line

    def _made(self, told: PublicAgent, runs: tuple[RunLine, ...]) -> AgentLine:
        is_here = told.state is not AgentState.OFFLINE
        beat = self._beat if is_here and self._beat is not None and self._beat.life == told.life else None
        load = beat.load if beat is not None else told.load
        return AgentLine(
            name=told.name,
            state=told.state,
            slots=tuple(sorted((beat.slots if beat is not None else told.slots).items())),
            load=load if is_here else Load(cpu_percent=None, memory_percent=None, temperature_c=None),
            cpu=tuple(self._cpu) if is_here else (),
            roots=tuple(sorted(told.roots.items())),
            trouble=_trouble(told),
            last_seen_at=told.last_seen_at,
            host=told.host,
            gpus=told.gpus,
            runs=runs,
        )


def _trouble(told: PublicAgent) -> str | None:
    match told.state:
        case AgentState.OFFLINE:
            return "offline"
        case AgentState.DRAINING:
            return "draining: finishes what it has, takes no more"
        case AgentState.ONLINE:
            pass
    if not any(use.total for use in told.slots.values()):
        return "has no slots"
    if not told.programs:
        return "lists no program"
    for name, root in sorted(told.roots.items()):
        if not root.mounted:
            return f"root {name} is not mounted" + (f": {root.why}" if root.why else "")
    for name, root in sorted(told.roots.items()):
        if root.writable is False or root.why is not None:
            return f"root {name} takes nothing new: {root.why or 'it cannot be written'}"
    return None
