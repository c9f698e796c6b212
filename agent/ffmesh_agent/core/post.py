"""Where packets become events and effects become packets: grammar, signatures, numbers, on the agent's side.

Of the coordinator only the life that we greeted is heard; an earlier one is retired by greeting the next.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from ffmesh_agent.core.audiences import Audiences, Reader
from ffmesh_agent.core.effects import Effect, Publish, Tell
from ffmesh_agent.core.events import (
    ClientStatusSeen,
    CoordinatorSeen,
    CoordinatorSpoke,
    CoordinatorWord,
    CreditCame,
    Event,
    HeartbeatReturned,
    InputCame,
    OwnAdvertSeen,
    OwnStatusSeen,
    SignalsCame,
)
from ffmesh_protocol import codec, keys
from ffmesh_protocol.errors import Forged, MalformedMessage, NotGenuine, OtherLife, Oversized
from ffmesh_protocol.keys import Label, SealedFor, StreamKeys
from ffmesh_protocol.limits import MESSAGE_BYTES
from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Heartbeat
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
from ffmesh_protocol.messages.requests import Bye, CallerSignals, StreamCredit
from ffmesh_protocol.names import COORDINATOR, Principal, Role
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.sending import Addressed, halves, joined, published
from ffmesh_protocol.signing import Lives, Numbers, Stamp, checked_mac, signed, stamp_of
from ffmesh_protocol.streams import Chunk, packed, unpacked
from ffmesh_protocol.topics import Family, Place, Topics, Verb, parse
from ffmesh_protocol.wire import Directed

ORDERS: Final[dict[str, type[CoordinatorWord]]] = {
    Verb.WELCOME: Welcome,
    Verb.OFFER: Offers,
    Verb.GRANT: Grants,
    Verb.WITHDRAWN: Withdrawn,
    Verb.LEASED: Leased,
    Verb.CANCEL: Cancels,
    Verb.COMMIT: Commit,
    Verb.SETTLED: Settled,
    Verb.RESEND: Resend,
    Verb.DRAIN: Drain,
    Verb.TAIL: TailWanted,
    Verb.SUPERSEDED: Superseded,
    Verb.RETIRED: Retired,
}

SPOKEN: Final[dict[type[Directed], Verb]] = {
    Hello: Verb.HELLO,
    Holding: Verb.HOLDING,
    Claim: Verb.CLAIM,
    Decline: Verb.DECLINE,
    Started: Verb.STARTED,
    MayCommit: Verb.MAY_COMMIT,
    Results: Verb.RESULT,
    Tail: Verb.TAIL,
    Bye: Verb.BYE,
}


OF_CLIENTS: Final = frozenset({Verb.CREDIT, Verb.SIGNAL, Verb.STDIN})
"""What the reader of an attempt's streams says."""


class Post:
    def __init__(
        self, *, cluster: str, me: Principal, life: str, secret: bytes, kid: int, audiences: Audiences
    ) -> None:
        self.topics = Topics(cluster)
        self.refused: Counter[str] = Counter()
        self._cluster = cluster
        self._me = me
        self._life = life
        self._kid = kid
        self._audiences = audiences
        self._lives = Lives(life)
        self._numbers = Numbers()
        self._to_coordinator = keys.derived(secret, cluster, me, Label.TO_COORDINATOR)
        self._from_coordinator = keys.derived(secret, cluster, me, Label.FROM_COORDINATOR)
        self._seal = keys.derived(secret, cluster, me, Label.SEAL)
        self._greeted: str | None = None

    def greet(self, life: str) -> None:
        """From now on this life of the coordinator is heard, and no earlier one ever again."""
        if self._greeted is not None and self._greeted != life:
            self._lives.retire(self._greeted, COORDINATOR.login)
        self._greeted = life

    def has_ended(self, life: str) -> bool:
        """Whether this life of the coordinator was followed by another."""
        return self._lives.is_retired(life, COORDINATOR.login)

    def close(self, reader: Reader) -> None:
        """The reader's keys are gone; what is remembered of its life may go when no other attempt is read by it."""
        if not self._audiences.of(reader.client.name, reader.life):
            self._lives.forget(reader.life, reader.client.login)

    def unsealed(self, box: bytes, bound_to: SealedFor) -> StreamKeys:
        return keys.unsealed(box, self._seal, bound_to)

    def subscriptions(self) -> list[tuple[str, int]]:
        from_named, from_coordinator = self.topics.to_me(self._me, self._life)
        return [
            (from_named, 1),
            (from_coordinator, 1),
            (self.topics.coordinator_status(), 1),
            (self.topics.agent_status(self._me.name), 1),
            (self.topics.advert(self._me.name), 1),
            (self.topics.programs(self._me.name), 1),
            (self.topics.heartbeat(self._me.name), 1),
            (self.topics.client_statuses(), 1),
        ]

    def opened(self, packet: Packet) -> Event | None:
        """What the packet says, or None: it says nothing to us, or must not be acted on."""
        place = parse(packet.topic)
        if place is None or place.cluster != self._cluster:
            self.refused["malformed"] += 1
            return None
        try:
            if place.family is Family.DIRECTED:
                return self._directed(packet, place)
            return self._returned(packet) if place.family is Family.HEARTBEAT else _public(packet, place)
        except Oversized:
            self.refused["oversized"] += 1
        except MalformedMessage:
            self.refused["malformed"] += 1
        except NotGenuine as refused:
            self.refused[refused.counted] += 1
        return None

    def _returned(self, packet: Packet) -> Event | None:
        """Our own heartbeat; one of another life with our name says nothing about our connection."""
        heartbeat = codec.decode(Heartbeat, packet.payload)
        return HeartbeatReturned(beat=heartbeat.beat) if heartbeat.life == self._life else None

    def _directed(self, packet: Packet, place: Place) -> Event | None:
        if place.receiver != self._me:
            return None
        if packet.retain:
            self.refused["not_allowed"] += 1
            return None
        if len(packet.payload) > MESSAGE_BYTES:
            raise Oversized(f"{len(packet.payload)} bytes")
        if place.sender == COORDINATOR:
            return self._order(packet, place)
        if place.sender.role is Role.CLIENTS and place.verb in OF_CLIENTS:
            return self._of_client(packet, place)
        self.refused["not_allowed"] += 1
        return None

    def _order(self, packet: Packet, place: Place) -> Event | None:
        stamp = stamp_of(packet)
        self._checked_kid(stamp)
        checked_mac(packet, stamp, self._from_coordinator)
        if stamp.sender_life != self._greeted:
            raise OtherLife("it comes from a life of the coordinator that we have not greeted, or no longer")
        self._lives.admit(stamp)
        if place.verb not in ORDERS:
            raise MalformedMessage(f"unknown verb {place.verb}")
        word = codec.decode(ORDERS[place.verb], packet.payload)
        return CoordinatorSpoke(life=stamp.sender_life, number=stamp.number, word=word)

    def _checked_kid(self, stamp: Stamp) -> None:
        if stamp.kid != self._kid:
            raise Forged(f"a secret of generation {stamp.kid}; ours is {self._kid}")

    def _of_client(self, packet: Packet, place: Place) -> Event:
        """The attempt that it names says which key must have signed it."""
        stamp = stamp_of(packet)
        said: StreamCredit | CallerSignals | Chunk
        match place.verb:
            case Verb.STDIN:
                said = unpacked(packet.payload)
            case Verb.SIGNAL:
                said = codec.decode(CallerSignals, packet.payload)
            case _:
                said = codec.decode(StreamCredit, packet.payload)
        reader = self._audiences.get(said.attempt)
        if reader is None or reader.client != place.sender or reader.life != stamp.sender_life:
            raise Forged("it is not the reader of this attempt")
        checked_mac(packet, stamp, reader.keys.to_agent)
        self._lives.admit(stamp)
        match said:
            case Chunk():
                return InputCame(chunk=said)
            case CallerSignals():
                return SignalsCame(signals=said)
            case StreamCredit():
                return CreditCame(credit=said)

    def packets(self, effects: Iterable[Effect]) -> list[Packet]:
        """The messages among the effects of one batch, in order; what is for one life joined."""
        ready: list[Packet] = []
        for each in joined(_outgoing(effects)):
            if isinstance(each, Packet):
                ready.append(each)
            else:
                ready.extend(self._told(each.life, each.message))
        return ready

    def _told(self, life: str, message: Directed) -> list[Packet]:
        try:
            payload = codec.encode(message)
        except Oversized:
            return [packet for half in halves(message) for packet in self._told(life, half)]
        topic = self.topics.directed(self._me, COORDINATOR, life, SPOKEN[type(message)])
        bare = Packet(topic=topic, payload=payload)
        return [signed(bare, self._to_coordinator, self._stamp(self._kid, life, COORDINATOR))]

    def chunk(self, attempt: str, verb: Verb, offset: int, content: bytes) -> Packet | None:
        """One signed piece of a stream, for the attempt's reader; None when nobody reads it any more."""
        return self._to_client(attempt, verb, packed(Chunk(attempt=attempt, offset=offset, content=content)))

    def credit(self, credit: StreamCredit) -> Packet | None:
        """For what the reader sends; None when nobody is there any more."""
        return self._to_client(credit.attempt, Verb.CREDIT, codec.encode(credit))

    def _to_client(self, attempt: str, verb: Verb, payload: bytes) -> Packet | None:
        reader = self._audiences.get(attempt)
        if reader is None:
            return None
        topic = self.topics.directed(self._me, reader.client, reader.life, verb)
        bare = Packet(topic=topic, payload=payload)
        return signed(bare, reader.keys.to_client, self._stamp(reader.kid, reader.life, reader.client))

    def _stamp(self, kid: int, life: str, receiver: Principal) -> Stamp:
        number = self._numbers.next(f"{receiver.login}/{life}")
        return Stamp(kid=kid, sender_life=self._life, receiver_life=life, number=number)


def _outgoing(effects: Iterable[Effect]) -> Iterator[Packet | Addressed]:
    for effect in effects:
        match effect:
            case Publish(family=family, topic=topic, message=public):
                yield published(family, topic, public)
            case Tell(life=life, message=message):
                yield Addressed(receiver=COORDINATOR, life=life, message=message)
            case _:
                pass


def _public(packet: Packet, place: Place) -> Event | None:
    payload = packet.payload
    match place.family:
        case Family.AGENT_STATUS:
            return OwnStatusSeen(status=codec.decode(AgentStatus, payload) if payload else None)
        case Family.ADVERT if payload:
            return OwnAdvertSeen(life=codec.decode(Advert, payload).life)
        case Family.PROGRAMS if payload:
            return OwnAdvertSeen(life=codec.decode(AdvertPrograms, payload).life)
        case Family.COORDINATOR_STATUS if payload:
            return CoordinatorSeen(status=codec.decode(CoordinatorStatus, payload))
        case Family.CLIENT_STATUS if payload:
            status = codec.decode(ClientStatus, payload)
            if status.life != place.detail:
                raise MalformedMessage("a client's status names another life than its topic")
            return ClientStatusSeen(client=place.sender.name, status=status)
        case _:
            return None
