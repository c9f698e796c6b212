"""Where packets become events and effects become packets: grammar, signatures, numbers. It only knows its own life.

Nothing that arrives here and is refused changes anything but the counts.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from ffmesh_coordinator.core.effects import Effect, Publish, Reply, Tell
from ffmesh_coordinator.core.events import (
    AdvertSeen,
    AgentSpoke,
    AgentStatusSeen,
    AgentWord,
    Asker,
    ClientSpoke,
    ClientStatusSeen,
    ClientWord,
    Event,
    HeartbeatSeen,
    OwnAgentSeen,
    OwnJobSeen,
    OwnStatusSeen,
    ProgramsSeen,
    ProgressSeen,
    RetiredSpoke,
)
from ffmesh_coordinator.core.keyring import Keyring
from ffmesh_protocol import codec
from ffmesh_protocol.errors import MalformedMessage, NotGenuine, Oversized, RefusalCode, RetiredLife
from ffmesh_protocol.limits import MESSAGE_BYTES
from ffmesh_protocol.messages.answers import Assigned, Attended, Ended, Refusal, Retired
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Heartbeat
from ffmesh_protocol.messages.jobs import Progress, RefusedCounts
from ffmesh_protocol.messages.orders import (
    Cancels,
    Commit,
    Drain,
    Grants,
    Leased,
    Offers,
    Resend,
    Settled,
    Superseded,
    TailWanted,
    Welcome,
    Withdrawn,
)
from ffmesh_protocol.messages.presence import AgentStatus, ClientStatus, CoordinatorStatus
from ffmesh_protocol.messages.reports import Claim, Decline, Hello, Holding, MayCommit, Results, Started, Tail
from ffmesh_protocol.messages.requests import (
    Attending,
    Bye,
    Cancel,
    DrainAgent,
    ListAgents,
    ListJobs,
    Logs,
    Retry,
    ShowAgent,
    ShowJobs,
    Submit,
)
from ffmesh_protocol.names import COORDINATOR, Principal, Role
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.sending import Addressed, halves, joined, published
from ffmesh_protocol.signing import Lives, Numbers, Stamp, checked_mac, signed, stamp_of
from ffmesh_protocol.topics import EXPIRY_OF_VERB, Family, Place, Topics, Verb, parse
from ffmesh_protocol.wire import Directed, Told

M = TypeVar("M")

CORRELATION_BYTES: Final = 64

AGENT_VERBS: Final[dict[str, type[AgentWord]]] = {
    Verb.HELLO: Hello,
    Verb.HOLDING: Holding,
    Verb.CLAIM: Claim,
    Verb.DECLINE: Decline,
    Verb.STARTED: Started,
    Verb.MAY_COMMIT: MayCommit,
    Verb.RESULT: Results,
    Verb.TAIL: Tail,
    Verb.BYE: Bye,
}
CLIENT_VERBS: Final[dict[str, type[ClientWord]]] = {
    Verb.SUBMIT: Submit,
    Verb.ATTENDING: Attending,
    Verb.CANCEL: Cancel,
    Verb.RETRY: Retry,
    Verb.AGENTS: ListAgents,
    Verb.AGENT: ShowAgent,
    Verb.DRAIN: DrainAgent,
    Verb.LOGS: Logs,
    Verb.BYE: Bye,
}
READING_VERBS: Final[dict[str, type[ListJobs | ShowJobs]]] = {Verb.JOBS: ListJobs, Verb.JOB: ShowJobs}
ALL_VERBS: Final = frozenset({*AGENT_VERBS, *CLIENT_VERBS, *READING_VERBS})
"""A known one from somebody whose role may not say it is not allowed; any other is malformed."""

SPOKEN: Final[dict[type[Directed], Verb]] = {
    Welcome: Verb.WELCOME,
    Offers: Verb.OFFER,
    Grants: Verb.GRANT,
    Withdrawn: Verb.WITHDRAWN,
    Leased: Verb.LEASED,
    Commit: Verb.COMMIT,
    Cancels: Verb.CANCEL,
    Settled: Verb.SETTLED,
    Resend: Verb.RESEND,
    Drain: Verb.DRAIN,
    TailWanted: Verb.TAIL,
    Assigned: Verb.ASSIGNED,
    Attended: Verb.ATTENDED,
    Ended: Verb.ENDED,
    Superseded: Verb.SUPERSEDED,
    Retired: Verb.RETIRED,
}


class Asked(Told, frozen=True):
    """A request that the disk answers, not the core."""

    asker: Asker
    request: ListJobs | ShowJobs


class Letter(Told, frozen=True):
    """A signed message on its way, and the number that it was given."""

    packet: Packet
    message: Directed
    number: int


class Post:
    def __init__(self, cluster: str, life: str, keyring: Keyring) -> None:
        self.topics = Topics(cluster)
        self._cluster = cluster
        self._keyring = keyring
        self._life = life
        self._lives = Lives(life)
        self._numbers = Numbers()
        self._refused = dict.fromkeys(RefusedCounts.__struct_fields__, 0)

    @property
    def refused(self) -> RefusedCounts:
        return RefusedCounts(**self._refused)

    def retire(self, principal: Principal, life: str) -> None:
        """That principal's life: lives are public, and nobody ends another's by speaking of it."""
        self._lives.retire(life, principal.login)
        if principal.role is not Role.AGENTS:  # an agent's will be told so if it speaks again, by a number that is new
            self._numbers.forget(_pair(principal, life))

    def subscriptions(self) -> list[tuple[str, int]]:
        """Directed messages with QoS 1; what many publish with QoS 0, which the broker does not cap."""
        topics, anyone = self.topics, "+"
        return [
            (topics.to_me(COORDINATOR, self._life)[0], 1),
            (topics.coordinator_status(), 1),
            (topics.job(anyone), 0),
            (topics.agent(anyone), 0),
            (topics.agent_status(anyone), 0),
            (topics.advert(anyone), 0),
            (topics.programs(anyone), 0),
            (topics.heartbeat(anyone), 0),
            (topics.progress_of_anyone(anyone), 0),
            (topics.client_statuses(), 0),
        ]

    def opened(self, packet: Packet) -> Event | Asked | None:
        """What the packet says, or None: it says nothing to us, or must not be acted on."""
        place = parse(packet.topic)
        if place is None or place.cluster != self._cluster:
            self._count("malformed")
            return None
        try:
            if place.family is Family.DIRECTED:
                return self._directed(packet, place)
            return _public(packet, place)
        except Oversized:
            self._count("oversized")
        except MalformedMessage:
            self._count("malformed")
        except RetiredLife:
            self._count(RetiredLife.counted)
            return RetiredSpoke(principal=place.sender, life=stamp_of(packet).sender_life)
        except NotGenuine as refused:
            self._count(refused.counted)
        return None

    def letters(self, effects: Iterable[Effect]) -> list[Letter | Packet]:
        """The messages among the effects of one batch, in order; what is for one life joined."""
        ready: list[Letter | Packet] = []
        for each in joined(_outgoing(effects)):
            match each:
                case Packet():
                    ready.append(each)
                case Addressed(receiver=receiver, life=life, message=message):
                    ready.extend(self._told(receiver, life, message))
                case Reply(asker=asker, answer=answer):
                    ready.extend(self._replied(asker, answer))
        return ready

    def _count(self, why: str) -> None:
        self._refused[why] += 1

    def _directed(self, packet: Packet, place: Place) -> Event | Asked | None:
        if place.receiver != COORDINATOR:
            return None
        if packet.retain:
            self._count("not_allowed")
            return None
        if len(packet.payload) > MESSAGE_BYTES:
            raise Oversized(f"{len(packet.payload)} bytes")
        stamp = stamp_of(packet)
        checked_mac(packet, stamp, self._keyring.verifying(place.sender, stamp.kid))
        self._lives.admit(stamp)
        return self._word(packet, place, stamp)

    def _word(self, packet: Packet, place: Place, stamp: Stamp) -> Event | Asked | None:
        verb, sender, life = place.verb or "", place.sender, stamp.sender_life
        if sender.role is Role.AGENTS and verb in AGENT_VERBS:
            return AgentSpoke(agent=sender.name, life=life, word=codec.decode(AGENT_VERBS[verb], packet.payload))
        if sender.role is not Role.CLIENTS or (verb not in CLIENT_VERBS and verb not in READING_VERBS):
            self._count("not_allowed" if verb in ALL_VERBS else "malformed")
            return None
        asker = self._asker(packet, sender, life)
        if verb in READING_VERBS:
            request = codec.decode(READING_VERBS[verb], packet.payload)
            return Asked(asker=asker, request=request) if asker is not None else None
        word = codec.decode(CLIENT_VERBS[verb], packet.payload)
        return ClientSpoke(client=sender.name, life=life, word=word, asker=asker)

    def _asker(self, packet: Packet, sender: Principal, life: str) -> Asker | None:
        """Where the answer may go: beneath the asker's own place and life, nowhere else."""
        if packet.response_topic is None or packet.correlation is None:
            return None
        if packet.response_topic != self.topics.directed(COORDINATOR, sender, life, Verb.ANSWER):
            raise MalformedMessage("the response topic does not lie beneath the asker's own place")
        if not 0 < len(packet.correlation) <= CORRELATION_BYTES:
            raise MalformedMessage(f"correlation data has 1 to {CORRELATION_BYTES} bytes")
        return Asker(principal=sender, life=life, topic=packet.response_topic, correlation=packet.correlation)

    def _told(self, receiver: Principal, life: str, message: Directed) -> list[Letter]:
        if not self._keyring.knows(receiver):
            return []
        try:
            payload = codec.encode(message)
        except Oversized:
            return [letter for half in halves(message) for letter in self._told(receiver, life, half)]
        verb = SPOKEN[type(message)]
        topic = self.topics.directed(COORDINATOR, receiver, life, verb)
        bare = Packet(topic=topic, payload=payload, expiry_seconds=EXPIRY_OF_VERB.get(verb))
        return [self._signed(bare, receiver, life, message)]

    def _replied(self, asker: Asker, answer: Directed) -> list[Letter]:
        if not self._keyring.knows(asker.principal):
            return []
        try:
            payload = codec.encode(answer)
        except Oversized:
            sentence = "the answer is too large for one message; ask for less at a time"
            payload = codec.encode(Refusal(code=RefusalCode.TOO_LARGE, sentence=sentence))
        bare = Packet(topic=asker.topic, payload=payload, correlation=asker.correlation)
        return [self._signed(bare, asker.principal, asker.life, answer)]

    def _signed(self, bare: Packet, receiver: Principal, life: str, message: Directed) -> Letter:
        stamp = Stamp(
            kid=self._keyring.kid(receiver),
            sender_life=self._life,
            receiver_life=life,
            number=self._numbers.next(_pair(receiver, life)),
        )
        packet = signed(bare, self._keyring.signing(receiver), stamp)
        return Letter(packet=packet, message=message, number=stamp.number)


def _outgoing(effects: Iterable[Effect]) -> Iterator[Packet | Addressed | Reply]:
    for effect in effects:
        match effect:
            case Publish(family=family, topic=topic, message=public, retain=retain):
                yield published(family, topic, public, retain=retain)
            case Tell(receiver=receiver, life=life, message=message):
                yield Addressed(receiver=receiver, life=life, message=message)
            case Reply():
                yield effect
            case _:
                pass


def _public(packet: Packet, place: Place) -> Event | None:
    """What anyone can say beneath their own name: good for presence and display, never for what must be signed."""
    name, payload = place.sender.name, packet.payload
    if place.family is Family.COORDINATOR_STATUS:
        return OwnStatusSeen(status=codec.decode(CoordinatorStatus, payload) if payload else None)
    if not payload:
        return None
    match place.family:
        case Family.AGENT_STATUS:
            return AgentStatusSeen(agent=name, status=codec.decode(AgentStatus, payload))
        case Family.ADVERT:
            return AdvertSeen(agent=name, advert=codec.decode(Advert, payload))
        case Family.PROGRAMS:
            return ProgramsSeen(agent=name, programs=codec.decode(AdvertPrograms, payload))
        case Family.HEARTBEAT:
            return HeartbeatSeen(agent=name, heartbeat=codec.decode(Heartbeat, payload))
        case Family.PROGRESS:
            return ProgressSeen(agent=name, job=place.detail or "", progress=codec.decode(Progress, payload))
        case Family.CLIENT_STATUS:
            status = codec.decode(ClientStatus, payload)
            if status.life != place.detail:
                raise MalformedMessage("a client's status names another life than its topic")
            return ClientStatusSeen(client=name, status=status)
        case Family.JOB:
            return OwnJobSeen(job=place.detail or "") if packet.retain else None
        case Family.AGENT:
            return OwnAgentSeen(agent=place.detail or "") if packet.retain else None
        case _:
            return None


def _pair(principal: Principal, life: str) -> str:
    """Whose life: another principal may put the same letters beside its own messages."""
    return f"{principal.login}/{life}"
