"""The grammar of topics, and how each family of them is published. No other module puts a slash into a topic.

You publish only beneath your own name: `<P>/<role>/<name>/…`, with `<P>` = `ffmesh/<cluster>`. The coordinator has no
name.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Final

from ffmesh_protocol.names import COORDINATOR, Principal, Role, is_name, is_ulid
from ffmesh_protocol.times import OFFER, PROGRESS_EXPIRY
from ffmesh_protocol.wire import Told

PREFIX: Final = "ffmesh"


class Verb(StrEnum):
    """The last level of a directed topic. A verb comes with the work that first sends it; see RESERVED_VERBS."""

    # coordinator → agent
    WELCOME = "welcome"
    OFFER = "offer"
    GRANT = "grant"
    WITHDRAWN = "withdrawn"
    CANCEL = "cancel"  # also client → coordinator
    SETTLED = "settled"
    RESEND = "resend"
    DRAIN = "drain"  # also client → coordinator
    TAIL = "tail"  # and agent → coordinator
    LEASED = "leased"
    COMMIT = "commit"
    SUPERSEDED = "superseded"
    # agent → coordinator
    HELLO = "hello"
    HOLDING = "holding"
    CLAIM = "claim"
    DECLINE = "decline"
    STARTED = "started"
    RESULT = "result"
    MAY_COMMIT = "may-commit"
    # client → coordinator
    SUBMIT = "submit"
    ATTENDING = "attending"
    JOBS = "jobs"
    JOB = "job"
    AGENTS = "agents"
    AGENT = "agent"
    LOGS = "logs"
    RETRY = "retry"
    # coordinator → client
    ANSWER = "answer"
    ASSIGNED = "assigned"
    ATTENDED = "attended"
    ENDED = "ended"
    # between agent and client
    STDIN = "stdin"
    STDOUT = "stdout"
    STDERR = "stderr"
    CREDIT = "credit"
    SIGNAL = "signal"
    # anyone → anyone
    BYE = "bye"
    RETIRED = "retired"


RESERVED_VERBS: Final = frozenset(
    {
        "accepted",
        "heard",
        "rotate",
        "unsupported",
        "pause",
        "resume",
    }
)
"""Names that later work will give a struct. Until then they are unknown verbs: counted and dropped."""

STREAM_VERBS: Final = frozenset({Verb.STDIN, Verb.STDOUT, Verb.STDERR})
"""Their payload is a chunk of bytes, not JSON."""


class Family(StrEnum):
    """A kind of topic; each has one way of being published."""

    COORDINATOR_STATUS = "coordinator status"
    SUMMARY = "summary"
    JOB = "job"
    AGENT = "agent"
    EVENTS = "events"
    CONTROL = "control"
    AGENT_STATUS = "agent status"
    ADVERT = "advert"
    PROGRAMS = "programs"
    HEARTBEAT = "heartbeat"
    PROGRESS = "progress"
    CLIENT_STATUS = "client status"
    SET = "set"
    DIRECTED = "directed"


class Delivery(Told, frozen=True):
    """How a family is published. Readers of many subscribe with QoS 0: the broker caps what it queues of QoS 1."""

    qos: int
    retain: bool
    expiry_seconds: int | None = None


DELIVERY: Final[dict[Family, Delivery]] = {
    Family.COORDINATOR_STATUS: Delivery(qos=1, retain=True),
    Family.SUMMARY: Delivery(qos=1, retain=True),
    Family.JOB: Delivery(qos=1, retain=True),
    Family.AGENT: Delivery(qos=1, retain=True),
    Family.EVENTS: Delivery(qos=1, retain=False),
    Family.CONTROL: Delivery(qos=1, retain=True),
    Family.AGENT_STATUS: Delivery(qos=1, retain=True),
    Family.ADVERT: Delivery(qos=1, retain=True),
    Family.PROGRAMS: Delivery(qos=1, retain=True),
    Family.HEARTBEAT: Delivery(qos=1, retain=False),
    Family.PROGRESS: Delivery(qos=1, retain=True, expiry_seconds=PROGRESS_EXPIRY),
    Family.CLIENT_STATUS: Delivery(qos=1, retain=False),
    Family.SET: Delivery(qos=1, retain=False),
    Family.DIRECTED: Delivery(qos=1, retain=False),
}

EXPIRY_OF_VERB: Final[dict[Verb, int]] = {Verb.OFFER: int(OFFER)}
"""Spares the network only: the sender's own timer decides (one with expiry 1 s reached a stopped agent after 4 s)."""


class Place(Told, frozen=True):
    """A topic, understood. `detail` is what its family has besides: a job's id, a client's life, a controller's path.

    `verb` may be one that nobody knows yet: those are counted and dropped.
    """

    cluster: str
    family: Family
    sender: Principal
    detail: str | None = None
    receiver: Principal | None = None
    life: str | None = None
    verb: str | None = None


class Topics:
    """Builds the topics of one cluster."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self._prefix = f"{PREFIX}/{cluster}"

    def everything(self) -> str:
        """What the coordinator subscribes to."""
        return f"{self._prefix}/#"

    def coordinator_status(self) -> str:
        return f"{self._prefix}/coordinator/status"

    def summary(self) -> str:
        return f"{self._prefix}/coordinator/summary"

    def events(self) -> str:
        return f"{self._prefix}/coordinator/events"

    def job(self, job: str) -> str:
        return f"{self._prefix}/coordinator/jobs/{job}"

    def agent(self, name: str) -> str:
        return f"{self._prefix}/coordinator/agents/{name}"

    def control(self, path: str) -> str:
        return f"{self._prefix}/coordinator/control/{path}"

    def setting(self, controller: str, path: str) -> str:
        return f"{self._prefix}/controllers/{controller}/set/{path}"

    def watched(self) -> tuple[str, ...]:
        """What a dashboard subscribes to: all that is public and small."""
        of_coordinator = ("status", "summary", "events", "jobs/+", "agents/+")
        of_agents = ("heartbeat", "progress/+")
        return (
            *(f"{self._prefix}/coordinator/{rest}" for rest in of_coordinator),
            *(f"{self._prefix}/agents/+/{rest}" for rest in of_agents),
        )

    def agent_status(self, name: str) -> str:
        return f"{self._prefix}/agents/{name}/status"

    def advert(self, name: str) -> str:
        return f"{self._prefix}/agents/{name}/advert"

    def programs(self, name: str) -> str:
        return f"{self._prefix}/agents/{name}/advert/programs"

    def heartbeat(self, name: str) -> str:
        return f"{self._prefix}/agents/{name}/heartbeat"

    def progress(self, name: str, job: str) -> str:
        return f"{self._prefix}/agents/{name}/progress/{job}"

    def progress_of_anyone(self, job: str) -> str:
        """To subscribe to the progress of a job, whichever agent has it."""
        return f"{self._prefix}/agents/+/progress/{job}"

    def client_status(self, name: str, life: str) -> str:
        return f"{self._prefix}/clients/{name}/status/{life}"

    def client_statuses(self) -> str:
        """What an agent watches: the deaths of clients."""
        return f"{self._prefix}/clients/+/status/+"

    def directed(self, sender: Principal, receiver: Principal, life: str, verb: str) -> str:
        return f"{self._prefix}/{sender.login}/to/{receiver.login}/{life}/{verb}"

    def to_me(self, me: Principal, life: str) -> tuple[str, str]:
        """What a principal subscribes to for its own life: from principals with a name, and from the coordinator."""
        return f"{self._prefix}/+/+/to/{me.login}/{life}/+", f"{self._prefix}/coordinator/to/{me.login}/{life}/+"

    def canary(self) -> str:
        """A topic that no access list of ours allows to anyone. `doctor` demands to be refused here."""
        return f"{self._prefix}/forbidden/canary"


@lru_cache(maxsize=1024)
def parse(topic: str) -> Place | None:
    """The topic, understood, or None: it is no topic of ours. Most messages come to one that was heard before."""
    match topic.split("/"):
        case [prefix, cluster, "coordinator", *rest] if prefix == PREFIX:
            return _of_coordinator(cluster, rest) if is_name(cluster) else None
        case [prefix, cluster, role, name, *rest] if prefix == PREFIX:
            if not is_name(cluster) or not is_name(name):
                return None
            if role == Role.AGENTS:
                return _of_agent(cluster, Principal(role=Role.AGENTS, name=name), rest)
            if role == Role.CLIENTS:
                return _of_client(cluster, Principal(role=Role.CLIENTS, name=name), rest)
            if role == Role.CONTROLLERS and rest[:1] == ["set"] and len(rest) > 1:
                sender = Principal(role=Role.CONTROLLERS, name=name)
                return Place(cluster=cluster, family=Family.SET, sender=sender, detail="/".join(rest[1:]))
            return None
        case _:
            return None


def _of_coordinator(cluster: str, rest: list[str]) -> Place | None:
    match rest:
        case ["status"]:
            family, detail = Family.COORDINATOR_STATUS, None
        case ["summary"]:
            family, detail = Family.SUMMARY, None
        case ["events"]:
            family, detail = Family.EVENTS, None
        case ["jobs", job] if is_ulid(job):
            family, detail = Family.JOB, job
        case ["agents", name] if is_name(name):
            family, detail = Family.AGENT, name
        case ["control", *path] if path:
            family, detail = Family.CONTROL, "/".join(path)
        case ["to", *address]:
            return _directed(cluster, COORDINATOR, address)
        case _:
            return None
    return Place(cluster=cluster, family=family, sender=COORDINATOR, detail=detail)


def _of_agent(cluster: str, sender: Principal, rest: list[str]) -> Place | None:
    detail = None
    match rest:
        case ["status"]:
            family = Family.AGENT_STATUS
        case ["advert"]:
            family = Family.ADVERT
        case ["advert", "programs"]:
            family = Family.PROGRAMS
        case ["heartbeat"]:
            family = Family.HEARTBEAT
        case ["progress", job] if is_ulid(job):
            family, detail = Family.PROGRESS, job
        case ["to", *address]:
            return _directed(cluster, sender, address)
        case _:
            return None
    return Place(cluster=cluster, family=family, sender=sender, detail=detail)


def _of_client(cluster: str, sender: Principal, rest: list[str]) -> Place | None:
    match rest:
        case ["status", life] if is_ulid(life):
            return Place(cluster=cluster, family=Family.CLIENT_STATUS, sender=sender, detail=life)
        case ["to", *address]:
            return _directed(cluster, sender, address)
        case _:
            return None


def _directed(cluster: str, sender: Principal, address: list[str]) -> Place | None:
    match address:
        case ["coordinator", life, verb]:
            receiver = COORDINATOR
        case [("agents" | "clients") as role, name, life, verb] if is_name(name):
            receiver = Principal(role=Role(role), name=name)
        case _:
            return None
    if not is_ulid(life) or not verb:
        return None
    return Place(cluster=cluster, family=Family.DIRECTED, sender=sender, receiver=receiver, life=life, verb=verb)
