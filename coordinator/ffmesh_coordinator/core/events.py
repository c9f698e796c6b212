"""What the coordinator's core is told: facts, in the past tense, that the shell reads off network, clock and disk."""

from typing import TypeAlias

from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Heartbeat
from ffmesh_protocol.messages.jobs import Progress
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.messages.presence import AgentStatus, ClientStatus, CoordinatorStatus
from ffmesh_protocol.messages.reports import Claim, Decline, Hello, Holding, MayCommit, Results, Started, Tail
from ffmesh_protocol.messages.requests import (
    Attending,
    Bye,
    Cancel,
    DrainAgent,
    ListAgents,
    Logs,
    Retry,
    ShowAgent,
    Submit,
)
from ffmesh_protocol.names import Principal
from ffmesh_protocol.wire import Told


class Asker(Told, frozen=True):
    """Where an answer goes. The topic lies beneath the asker's own place; the post has seen to it."""

    principal: Principal
    life: str
    topic: str
    correlation: bytes


class KnownAgent(Told, frozen=True):
    """What is remembered of an agent over a restart."""

    name: str
    draining: bool
    manner: Manner | None = None
    advert: Advert | None = None
    programs: AdvertPrograms | None = None
    last_seen_utc: float | None = None


class Restored(Told, frozen=True):
    """The first event: what the disk holds. `ended` are the jobs that have ended and are still known, and how."""

    jobs: tuple[Job, ...]
    ended: dict[str, Phase]
    agents: tuple[KnownAgent, ...]
    sequence: int


class Connected(Told, frozen=True):
    """To the broker, which may have lost everything that it retained."""

    connection: int


class Disconnected(Told, frozen=True):
    """From the broker. Until it is back, nobody's silence counts."""


class Thawed(Told, frozen=True):
    """We did nothing for a while: frozen, or asleep with the machine. Silence then counts for nothing."""


class Woken(Told, frozen=True):
    """The moment has come that a `WakeAt` asked for, or a little later."""


class DiskFilled(Told, frozen=True):
    """The disk takes nothing at present: what is decided from now on is not kept, nor said, before it does again."""


class DiskCleared(Told, frozen=True):
    """It does again, and has all that was decided meanwhile."""


class Pruned(Told, frozen=True):
    """These ended jobs are no longer kept. None of them is one that an open job comes after."""

    jobs: tuple[str, ...]


class OwnStatusSeen(Told, frozen=True):
    """What the broker retains as the coordinator's status; null: nothing."""

    status: CoordinatorStatus | None


class AgentStatusSeen(Told, frozen=True):
    agent: str
    status: AgentStatus


class AdvertSeen(Told, frozen=True):
    agent: str
    advert: Advert


class ProgramsSeen(Told, frozen=True):
    agent: str
    programs: AdvertPrograms


class HeartbeatSeen(Told, frozen=True):
    agent: str
    heartbeat: Heartbeat


class ProgressSeen(Told, frozen=True):
    agent: str
    job: str
    progress: Progress


class ClientStatusSeen(Told, frozen=True):
    client: str
    status: ClientStatus


AgentWord: TypeAlias = Hello | Holding | Claim | Decline | Started | MayCommit | Results | Tail | Bye
ClientWord: TypeAlias = Submit | Attending | Cancel | Retry | ListAgents | ShowAgent | DrainAgent | Logs | Bye
"""`jobs` and `job` are not here: lists are read from the disk by the shell, not decided by the core."""


class AgentSpoke(Told, frozen=True):
    """A genuine message of an agent's life."""

    agent: str
    life: str
    word: AgentWord


class ClientSpoke(Told, frozen=True):
    """A genuine message of a client's life. `asker` is null where no answer is awaited."""

    client: str
    life: str
    word: ClientWord
    asker: Asker | None


class RetiredSpoke(Told, frozen=True):
    """A genuine message of a life that has ended for us."""

    principal: Principal
    life: str


class PrincipalRemoved(Told, frozen=True):
    principal: Principal


class PrincipalRotated(Told, frozen=True):
    """It has another secret; what has the one before cannot speak any more, nor hear us."""

    principal: Principal


class OwnJobSeen(Told, frozen=True):
    """The broker retains a public state of this job, perhaps of an earlier life of ours."""

    job: str


class OwnAgentSeen(Told, frozen=True):
    """The broker retains our public state of this agent."""

    agent: str


class Recalled(Told, frozen=True):
    """The answer to `Recall`, with what it was asked for: the ended job as the disk holds it, or null.

    `followers` are the jobs that ended because this one had not succeeded, and those that ended because of them, in the
    order of their acceptance.
    """

    job: str
    found: Job | None
    spoken: ClientSpoke
    followers: tuple[Job, ...] = ()


Event: TypeAlias = (
    Restored
    | Connected
    | Disconnected
    | Thawed
    | Woken
    | DiskFilled
    | DiskCleared
    | Pruned
    | OwnStatusSeen
    | AgentStatusSeen
    | AdvertSeen
    | ProgramsSeen
    | HeartbeatSeen
    | ProgressSeen
    | ClientStatusSeen
    | AgentSpoke
    | ClientSpoke
    | RetiredSpoke
    | PrincipalRemoved
    | PrincipalRotated
    | OwnJobSeen
    | OwnAgentSeen
    | Recalled
)
