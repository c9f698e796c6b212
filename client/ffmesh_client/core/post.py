"""Where packets become events and words become packets: grammar, signatures, numbers. Pure; of one life of one client.

What is taken: words for our own life, of the coordinator's life that was last seen online, and of the attempt whose
streams were opened here. When a newer life of the coordinator is seen the older is retired. All else, and whatever is
forged, repeated, malformed or retained though it is directed, is counted and changes nothing.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from ffmesh_client.core.events import (
    Answered,
    ChunkCame,
    CoordinatorSeen,
    CoordinatorSpoke,
    CoordinatorWord,
    CreditCame,
    Heard,
    JobSeen,
    OwnStatusSeen,
    ProgressSeen,
)
from ffmesh_protocol import codec, keys
from ffmesh_protocol.errors import Forged, MalformedMessage, NotGenuine, OtherLife, Oversized
from ffmesh_protocol.keys import Label, StreamKeys
from ffmesh_protocol.messages.answers import Answer, Assigned, Assignment, Attended, Ended, Retired
from ffmesh_protocol.messages.jobs import Progress, PublicJob
from ffmesh_protocol.messages.presence import ClientState, ClientStatus, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.requests import (
    Attending,
    Bye,
    CallerSignals,
    Cancel,
    DrainAgent,
    ListAgents,
    ListJobs,
    Logs,
    Retry,
    ShowAgent,
    ShowJobs,
    StreamCredit,
    Submit,
)
from ffmesh_protocol.names import COORDINATOR, Principal, Role
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Lives, Numbers, Stamp, checked_mac, signed, stamp_of
from ffmesh_protocol.streams import Chunk, packed, unpacked
from ffmesh_protocol.topics import DELIVERY, Family, Place, Topics, Verb, parse
from ffmesh_protocol.wire import Directed, Told

SPOKEN: Final[dict[type[Directed], Verb]] = {
    Submit: Verb.SUBMIT,
    Attending: Verb.ATTENDING,
    Cancel: Verb.CANCEL,
    Retry: Verb.RETRY,
    ListJobs: Verb.JOBS,
    ShowJobs: Verb.JOB,
    ListAgents: Verb.AGENTS,
    ShowAgent: Verb.AGENT,
    DrainAgent: Verb.DRAIN,
    Logs: Verb.LOGS,
    Bye: Verb.BYE,
}
WORDS: Final[dict[str, type[CoordinatorWord]]] = {
    Verb.ATTENDED: Attended,
    Verb.ASSIGNED: Assigned,
    Verb.ENDED: Ended,
    Verb.RETIRED: Retired,
}
SPOKEN_TO_AGENT: Final[dict[type[Told], Verb]] = {
    StreamCredit: Verb.CREDIT,
    CallerSignals: Verb.SIGNAL,
    Chunk: Verb.STDIN,
}
STREAM_NAMES: Final[dict[str, str]] = {Verb.STDOUT: "stdout", Verb.STDERR: "stderr"}
OF_AGENTS: Final = frozenset({*STREAM_NAMES, Verb.CREDIT})


class Identity(Told, frozen=True):
    """Who speaks: a client of a cluster, with a secret of some generation."""

    cluster: str
    name: str
    secret: bytes
    kid: int

    @property
    def principal(self) -> Principal:
        return Principal(role=Role.CLIENTS, name=self.name)

    def __repr__(self) -> str:
        """Without the secret, which has no business in a log."""
        return f"Identity({self.cluster}, {self.principal.login})"


class OpenAttempt(Told, frozen=True):
    """The streams of one attempt: who sends them, and what signs them."""

    job: str
    assignment: Assignment
    keys: StreamKeys


class Post:
    def __init__(self, identity: Identity, life: str) -> None:
        self.life = life
        self.topics = Topics(identity.cluster)
        self.coordinator_life: str | None = None
        self.refused: Counter[str] = Counter()
        """What was dropped, by why. Nothing is done about it; it is there to be looked at."""
        self._identity = identity
        self._me = identity.principal
        self._to_coordinator = keys.derived(identity.secret, identity.cluster, self._me, Label.TO_COORDINATOR)
        self._from_coordinator = keys.derived(identity.secret, identity.cluster, self._me, Label.FROM_COORDINATOR)
        self._lives = Lives(life)
        self._numbers = Numbers()
        self._attempts: dict[str, OpenAttempt] = {}

    def subscriptions(self, followed: Iterable[str] = ()) -> tuple[str, ...]:
        """What this life listens to; `followed` are jobs whose public state and progress matter too."""
        topics = self.topics
        of_jobs = (topic for job in followed for topic in (topics.job(job), topics.progress_of_anyone(job)))
        own_status = topics.client_status(self._me.name, self.life)
        return (*topics.to_me(self._me, self.life), topics.coordinator_status(), own_status, *of_jobs)

    def status(self, state: ClientState, connection: int) -> Packet:
        """Our presence, or the will with the number of its own connection."""
        delivery = DELIVERY[Family.CLIENT_STATUS]
        return Packet(
            topic=self.topics.client_status(self._me.name, self.life),
            payload=codec.encode(ClientStatus(state=state, life=self.life, connection=connection)),
            qos=delivery.qos,
            retain=delivery.retain,
        )

    def to_coordinator(self, message: Directed, correlation: bytes | None = None) -> Packet | None:
        """The signed message, or None: no coordinator has been seen yet. With correlation data it wants an answer."""
        if self.coordinator_life is None:
            return None
        verb = SPOKEN[type(message)]
        answers = self.topics.directed(COORDINATOR, self._me, self.life, Verb.ANSWER)
        bare = Packet(
            topic=self.topics.directed(self._me, COORDINATOR, self.coordinator_life, verb),
            payload=codec.encode(message),
            response_topic=answers if correlation is not None else None,
            correlation=correlation,
        )
        return self._signed(bare, self._to_coordinator, self.coordinator_life)

    def open_streams(self, job: str, assignment: Assignment) -> None:
        """From now on chunks of this attempt are taken, and of no other of that job."""
        stream_keys = keys.stream_keys(self._identity.secret, self._identity.cluster, job, assignment.attempt)
        self.close_streams(job)
        self._attempts[assignment.attempt] = OpenAttempt(job=job, assignment=assignment, keys=stream_keys)

    def close_streams(self, job: str) -> None:
        """Nobody takes chunks of this job any more."""
        self._attempts = {attempt: opened for attempt, opened in self._attempts.items() if opened.job != job}

    def to_agent(self, said: StreamCredit | CallerSignals | Chunk) -> Packet | None:
        """Signed for the agent of that attempt, or None: its streams are not open. A chunk is of our standard input."""
        opened = self._attempts.get(said.attempt)
        if opened is None:
            return None
        life = opened.assignment.life
        verb = SPOKEN_TO_AGENT[type(said)]
        topic = self.topics.directed(self._me, agent_principal(opened.assignment.agent), life, verb)
        payload = packed(said) if isinstance(said, Chunk) else codec.encode(said)
        return self._signed(Packet(topic=topic, payload=payload), opened.keys.to_agent, life)

    def opened(self, packet: Packet) -> Heard | None:
        """What the packet says, or None: nothing to us, or nothing that may be acted on."""
        place = parse(packet.topic)
        if place is None or place.cluster != self._identity.cluster:
            self.refused["malformed"] += 1
            return None
        try:
            if place.family is Family.DIRECTED:
                return self._directed(packet, place)
            return self._public(packet, place)
        except Oversized:
            self.refused["oversized"] += 1
        except MalformedMessage:
            self.refused["malformed"] += 1
        except NotGenuine as refused:
            self.refused[refused.counted] += 1
        return None

    def _signed(self, bare: Packet, key: bytes, receiver_life: str) -> Packet:
        stamp = Stamp(
            kid=self._identity.kid,
            sender_life=self.life,
            receiver_life=receiver_life,
            number=self._numbers.next(receiver_life),
        )
        return signed(bare, key, stamp)

    def _public(self, packet: Packet, place: Place) -> Heard | None:
        payload = packet.payload
        match place.family:
            case Family.COORDINATOR_STATUS:
                return self._coordinator_seen(codec.decode(CoordinatorStatus, payload)) if payload else None
            case Family.CLIENT_STATUS:
                return OwnStatusSeen(status=codec.decode(ClientStatus, payload)) if payload else None
            case Family.JOB:
                view = codec.decode(PublicJob, payload) if payload else None
                return JobSeen(job=place.detail or "", view=view)
            case Family.PROGRESS:
                if not payload:
                    return None
                progress = codec.decode(Progress, payload)
                return ProgressSeen(agent=place.sender.name, job=place.detail or "", progress=progress)
            case _:
                return None

    def _coordinator_seen(self, status: CoordinatorStatus) -> CoordinatorSeen | None:
        login = COORDINATOR.login
        if self._lives.is_retired(status.life, login):
            return None
        if status.life != self.coordinator_life:
            if status.state is CoordinatorState.OFFLINE:
                return None
            if self.coordinator_life is not None:
                self._lives.retire(self.coordinator_life, login)
                self._numbers.forget(self.coordinator_life)
            self.coordinator_life = status.life
        return CoordinatorSeen(status=status)

    def _directed(self, packet: Packet, place: Place) -> Heard | None:
        if packet.retain or place.receiver != self._me:
            self.refused["not_allowed"] += 1
            return None
        stamp = stamp_of(packet)
        if stamp.kid != self._identity.kid:
            raise Forged(f"nothing of ours is signed with a secret of generation {stamp.kid}")
        if place.sender == COORDINATOR:
            return self._of_coordinator(packet, place, stamp)
        if place.sender.role is Role.AGENTS and place.verb in OF_AGENTS:
            return self._of_agent(packet, place, stamp)
        self.refused["malformed"] += 1
        return None

    def _of_coordinator(self, packet: Packet, place: Place, stamp: Stamp) -> Heard | None:
        checked_mac(packet, stamp, self._from_coordinator)
        if stamp.sender_life != self.coordinator_life:
            raise OtherLife(f"life {stamp.sender_life} of the coordinator is not the one that was seen last")
        self._lives.admit(stamp)
        if place.verb == Verb.ANSWER:
            if packet.correlation is None:
                raise MalformedMessage("an answer without correlation data")
            return Answered(correlation=packet.correlation, answer=_answer(packet.payload))
        word = WORDS.get(place.verb or "")
        if word is None:
            self.refused["malformed"] += 1
            return None
        told = codec.decode(word, packet.payload)
        return CoordinatorSpoke(life=stamp.sender_life, number=stamp.number, word=told)

    def _of_agent(self, packet: Packet, place: Place, stamp: Stamp) -> Heard:
        is_credit = place.verb == Verb.CREDIT
        said = codec.decode(StreamCredit, packet.payload) if is_credit else unpacked(packet.payload)
        opened = self._attempts.get(said.attempt)
        if opened is None:
            raise OtherLife(f"no streams of attempt {said.attempt} are open here")
        checked_mac(packet, stamp, opened.keys.to_client)
        if place.sender.name != opened.assignment.agent or stamp.sender_life != opened.assignment.life:
            raise OtherLife(f"attempt {said.attempt} was given to another life")
        self._lives.admit(stamp)
        if isinstance(said, Chunk):
            return ChunkCame(stream=STREAM_NAMES[place.verb or ""], chunk=said)
        return CreditCame(credit=said)


def _answer(payload: bytes) -> Answer:
    return codec.decode(Answer, payload)  # type: ignore[arg-type] # a union is no type to mypy, and one to msgspec
