"""The agents: what is known of each, who is there, and how full they are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ffmesh_coordinator.core.events import KnownAgent
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Load, SlotUse
from ffmesh_protocol.messages.manners import PAUSE, Condition, Manner
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.messages.reports import Held, HeldPhase

TAKES_SLOT = frozenset({HeldPhase.RESERVED, HeldPhase.GRANTED, HeldPhase.RUNNING})

UNKNOWN_LOAD = Load(cpu_percent=None, memory_percent=None, temperature_c=None)


@dataclass
class Agent:
    """One agent. Owned by the roster's coordinator; `life` is the life whose hello was taken last."""

    name: str
    life: str | None = None
    status: AgentStatus | None = None
    advert: Advert | None = None
    programs: AdvertPrograms | None = None
    load: Load = UNKNOWN_LOAD
    told: Manner | None = None
    """What a person has it do; null: to take work."""
    unwilling: str | None = None
    """Why it takes no work by itself, as it says."""
    conditions: tuple[Condition, ...] = ()
    """What it minds of its machine, as it said last."""
    boot: str = ""
    spool: str = ""
    silent: bool = True
    gone: bool = True
    resting: str | None = None
    """Why it is offered nothing for a while."""
    failures: int = 0
    """In a row, that lay with it."""
    rests: int = 0
    """In a row, with nothing done well between them."""
    heard_at: float = 0.0
    seen_utc: float | None = None
    held: dict[str, Held] = field(default_factory=dict[str, Held])
    booked: dict[str, str] = field(default_factory=dict[str, str])
    """Attempts that we have offered or granted it, and of which kind their slots are."""
    attended: set[str] = field(default_factory=set[str])
    """Those of them that a client waits for: they never stand still."""

    @property
    def online(self) -> bool:
        """It greeted us, its broker connection stands, and it is heard."""
        return self.life is not None and not self.gone and not self.silent

    @property
    def state(self) -> AgentState:
        if not self.online:
            return AgentState.OFFLINE
        return AgentState.ONLINE if self.takes_work else AgentState.DRAINING

    @property
    def takes_work(self) -> bool:
        return self.told is None and self.unwilling is None

    @property
    def current_advert(self) -> Advert | None:
        """What this life says that it can do; what an earlier one said does not count."""
        return self.advert if self.advert is not None and self.advert.life == self.life else None

    def lists(self, program: str) -> bool:
        """By what it said last, online or not; also what is on its list and cannot be run at the moment."""
        if self.advert is not None and program in self.advert.programs:
            return True
        return self.programs is not None and f"program/{program}" in self.programs.unavailable

    def total(self, slot: str) -> int:
        advert = self.advert
        return advert.slots[slot].total if advert is not None and slot in advert.slots else 0

    def used(self, slot: str) -> int:
        """Attempts that take a slot: those we count on, and those it says it holds, known to us or not."""
        said = sum(
            1
            for held in self.held.values()
            if held.slot == slot and held.phase in TAKES_SLOT and held.attempt not in self.booked
        )
        return said + sum(1 for kind in self.booked.values() if kind == slot)

    def free(self, slot: str) -> int:
        return self.total(slot) - self.used(slot)

    def has_room(self, slot: str, *, attended: bool) -> bool:
        """For what a client waits for, also where something else can stand still meanwhile."""
        if self.free(slot) > 0:
            return True
        if not attended or not self.can_pause:
            return False
        yielding = sum(1 for attempt, kind in self.booked.items() if kind == slot and attempt not in self.attended)
        return self.used(slot) - yielding < self.total(slot)

    @property
    def can_pause(self) -> bool:
        advert = self.current_advert
        return advert is not None and PAUSE in advert.features

    def slots(self) -> dict[str, SlotUse]:
        advert = self.advert
        if advert is None:
            return {}
        return {
            kind: SlotUse(total=count.total, used=min(self.used(kind), count.total))
            for kind, count in advert.slots.items()
        }

    def remembered(self) -> KnownAgent:
        return KnownAgent(
            name=self.name,
            draining=self.told is not None,
            manner=self.told,
            advert=self.advert,
            programs=self.programs,
            last_seen_utc=self.seen_utc,
        )


class Roster:
    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}
        self._lists: dict[str, str] = {}
        """Of programs: an agent whose list had it when somebody asked last. It is looked at first."""
        self.looked_at = 0

    def __iter__(self) -> Iterator[Agent]:
        return iter(sorted(self._agents.values(), key=lambda agent: agent.name))

    def unordered(self) -> Iterable[Agent]:
        return self._agents.values()

    def any_online(self) -> bool:
        return any(agent.online for agent in self._agents.values())

    def __contains__(self, name: str) -> bool:
        return name in self._agents

    def get(self, name: str) -> Agent | None:
        return self._agents.get(name)

    def met(self, name: str) -> Agent:
        """The agent of that name, which may be new to us."""
        agent = self._agents.get(name)
        if agent is None:
            agent = self._agents[name] = Agent(name)
        return agent

    def remove(self, name: str) -> None:
        self._agents.pop(name, None)

    def lists_program(self, program: str) -> bool | None:
        """Whether some agent's list has it; None: nobody's list is known yet."""
        last = self._agents.get(self._lists.get(program, ""))
        self.looked_at += 1
        if last is not None and last.lists(program):
            return True
        self.looked_at += len(self._agents)
        lister = next((name for name, agent in self._agents.items() if agent.lists(program)), None)
        if lister is not None:
            self._lists[program] = lister
            return True
        self._lists.pop(program, None)
        return False if any(agent.advert is not None for agent in self._agents.values()) else None
