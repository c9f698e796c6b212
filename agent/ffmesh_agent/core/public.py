"""What this agent says of itself to everybody: presence, capability, load, progress; and what it can do, for itself."""

from ffmesh_agent.core.desk import Desk
from ffmesh_agent.core.willing import manner, why_unwilling
from ffmesh_protocol import times
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Count, Heartbeat, Load, SlotUse
from ffmesh_protocol.messages.jobs import Progress
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.messages.reports import DeclineCode
from ffmesh_protocol.topics import Family


class Public:
    def __init__(self, desk: Desk, unfit: str | None = None) -> None:
        """`unfit`: why this machine takes no work at all, as long as it lives."""
        self._desk = desk
        self._unfit = unfit
        self._advert: Advert | None = None
        self._programs: AdvertPrograms | None = None
        self._progress_at: dict[str, float] = {}
        self._said_at = float("-inf")

    # --- presence -----------------------------------------------------------------------------------------------------

    def status(self, *, online: bool = True, connection: int | None = None) -> AgentStatus:
        desk = self._desk
        number = desk.connection if connection is None else connection
        if not online:
            return AgentStatus(state=AgentState.OFFLINE, life=desk.life, connection=number)
        state = AgentState.ONLINE if why_unwilling(desk) is None else AgentState.DRAINING
        return AgentStatus(state=state, life=desk.life, connection=number, manner=manner(desk))

    def say_status(self, *, online: bool = True) -> None:
        desk = self._desk
        self._said_at = desk.now
        desk.publish(Family.AGENT_STATUS, desk.topics.agent_status(desk.name), self.status(online=online))

    def may_correct_at(self) -> float:
        """When to say it again, after somebody else did under our name. Two that correct each other must not do so as
        fast as the network carries it."""
        return max(self._desk.now, self._said_at + times.STATUS_AT_MOST)

    def say_everything(self) -> None:
        """After a connection: the broker may have lost it all."""
        self.say_status()
        self._say_advert()
        self._say_programs()

    # --- capability ---------------------------------------------------------------------------------------------------

    def learned(self, advert: Advert, programs: AdvertPrograms | None) -> None:
        if advert != self._advert:
            self._advert = advert
            self._say_advert()
        if programs is not None and programs != self._programs:
            self._programs = programs
            self._say_programs()

    def _say_advert(self) -> None:
        if self._advert is not None:
            self._desk.publish(Family.ADVERT, self._desk.topics.advert(self._desk.name), self._advert)

    def _say_programs(self) -> None:
        if self._programs is not None:
            self._desk.publish(Family.PROGRAMS, self._desk.topics.programs(self._desk.name), self._programs)

    def slots(self, kind: str) -> int:
        advert = self._advert
        return advert.slots[kind].total if advert is not None and kind in advert.slots else 0

    def cannot(self, needs: Needs) -> tuple[DeclineCode, str] | None:
        """Why this machine cannot take a job with these needs, full or not."""
        advert = self._advert
        if self._unfit is not None:
            return DeclineCode.CANNOT, self._unfit
        if advert is None:
            return DeclineCode.CANNOT, "it does not know yet what it can do"
        if needs.program not in advert.programs:
            return DeclineCode.NOT_LISTED, f"{needs.program} is not on its list of programs"
        for root in needs.roots:
            if root not in advert.roots:
                return DeclineCode.ROOT_MISSING, f"it has no root {root}"
            state = advert.roots[root]
            if not state.mounted:
                return DeclineCode.ROOT_MISSING, f"root {root} is not mounted" + (f": {state.why}" if state.why else "")
        if needs.on is not None and needs.on != self._desk.name:
            return DeclineCode.CANNOT, f"the job asks for agent {needs.on}"
        return None

    # --- load and progress --------------------------------------------------------------------------------------------

    def beat(self, beat: int, load: Load, used: dict[str, Count], running: tuple[str, ...]) -> None:
        desk = self._desk
        totals = {kind: self.slots(kind) for kind in used}
        slots = {kind: SlotUse(total=total, used=min(used[kind], total)) for kind, total in totals.items()}
        heartbeat = Heartbeat(
            life=desk.life, beat=beat, load=load, slots=slots, running=running, conditions=desk.conditions
        )
        desk.publish(Family.HEARTBEAT, desk.topics.heartbeat(desk.name), heartbeat)

    def slot_kinds(self) -> tuple[str, ...]:
        return tuple(sorted(self._advert.slots)) if self._advert is not None else ()

    def progressed(self, job: str, progress: Progress) -> None:
        """At most once a second a job."""
        desk = self._desk
        if desk.now - self._progress_at.get(job, float("-inf")) >= times.PROGRESS:
            self._progress_at[job] = desk.now
            desk.publish(Family.PROGRESS, desk.topics.progress(desk.name, job), progress)

    def progress_over(self, job: str) -> None:
        if self._progress_at.pop(job, None) is not None:
            self._desk.publish(Family.PROGRESS, self._desk.topics.progress(self._desk.name, job), None)
