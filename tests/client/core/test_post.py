"""What a client takes and what it drops."""

import msgspec
import pytest

from client.core.attached_world import JOB
from ffmesh_client.core.events import (
    Answered,
    ChunkCame,
    CoordinatorSeen,
    CoordinatorSpoke,
    CreditCame,
    JobSeen,
    ProgressSeen,
)
from ffmesh_client.core.post import Identity, Post
from ffmesh_protocol import codec, keys
from ffmesh_protocol.keys import Label
from ffmesh_protocol.limits import MESSAGE_BYTES
from ffmesh_protocol.messages.answers import AgentList, Assignment, Attended, Retired
from ffmesh_protocol.messages.jobs import Progress
from ffmesh_protocol.messages.presence import ClientState, ClientStatus, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.requests import Attending, CallerSignal, CallerSignals, ListAgents, StreamCredit
from ffmesh_protocol.names import COORDINATOR, agent, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Numbers, Stamp, checked_mac, signed, stamp_of
from ffmesh_protocol.streams import Chunk, packed
from ffmesh_protocol.topics import Topics, Verb, parse

SECRET, KID, CLUSTER = bytes(range(32)), 3, "home"
ME = client("laptop")
LIFE = "01J00000000000000000000C0C"
OTHER_LIFE = "01J00000000000000000000C1C"
COORDINATOR_LIFE = "01J00000000000000000000D0D"
NEXT_COORDINATOR_LIFE = "01J00000000000000000000D1D"
AGENT_LIFE = "01J00000000000000000000E0E"
ASSIGNMENT = Assignment(attempt="01J00000000000000000000A0A", agent="pi-1", life=AGENT_LIFE)
TOPICS = Topics(CLUSTER)
IDENTITY = Identity(cluster=CLUSTER, name=ME.name, secret=SECRET, kid=KID)
TO_COORDINATOR = keys.derived(SECRET, CLUSTER, ME, Label.TO_COORDINATOR)
FROM_COORDINATOR = keys.derived(SECRET, CLUSTER, ME, Label.FROM_COORDINATOR)
STREAM_KEYS = keys.stream_keys(SECRET, CLUSTER, JOB, ASSIGNMENT.attempt)


def status(life: str, state: CoordinatorState = CoordinatorState.ONLINE) -> Packet:
    told = CoordinatorStatus(state=state, life=life, connection=1, version="0")
    return Packet(topic=TOPICS.coordinator_status(), payload=codec.encode(told), retain=True)


@pytest.fixture
def post() -> Post:
    post = Post(IDENTITY, LIFE)
    post.opened(status(COORDINATOR_LIFE))
    return post


class Coordinator:
    """Signs as the coordinator does."""

    def __init__(self, life: str = COORDINATOR_LIFE) -> None:
        self.life = life
        self.numbers = Numbers()

    def says(
        self,
        verb: Verb,
        payload: bytes,
        *,
        to: str = LIFE,
        key: bytes = FROM_COORDINATOR,
        kid: int = KID,
        correlation: bytes | None = None,
        retain: bool = False,
    ) -> Packet:
        bare = Packet(
            topic=TOPICS.directed(COORDINATOR, ME, to, verb), payload=payload, correlation=correlation, retain=retain
        )
        stamp = Stamp(kid=kid, sender_life=self.life, receiver_life=to, number=self.numbers.next(to))
        return signed(bare, key, stamp)


def attended() -> bytes:
    return codec.encode(Attended(jobs=()))


def chunk(content: bytes = b"abc", *, attempt: str = ASSIGNMENT.attempt) -> bytes:
    return packed(Chunk(attempt=attempt, offset=0, content=content))


def of_agent(
    payload: bytes,
    *,
    name: str = "pi-1",
    life: str = AGENT_LIFE,
    key: bytes = STREAM_KEYS.to_client,
    number: int = 1,
    verb: Verb = Verb.STDOUT,
) -> Packet:
    bare = Packet(topic=TOPICS.directed(agent(name), ME, LIFE, verb), payload=payload)
    return signed(bare, key, Stamp(kid=KID, sender_life=life, receiver_life=LIFE, number=number))


# --- what is said


def test_a_request_is_signed_for_the_life_that_was_seen_and_wants_its_answer_in_our_own_place(post: Post) -> None:
    packet = post.to_coordinator(ListAgents(), b"17")
    assert packet is not None
    place = parse(packet.topic)
    assert place is not None
    assert (place.sender, place.receiver, place.life, place.verb) == (ME, COORDINATOR, COORDINATOR_LIFE, Verb.AGENTS)
    assert packet.response_topic == TOPICS.directed(COORDINATOR, ME, LIFE, Verb.ANSWER)
    assert packet.correlation == b"17"
    stamp = stamp_of(packet)
    checked_mac(packet, stamp, TO_COORDINATOR)
    assert (stamp.kid, stamp.sender_life, stamp.receiver_life, stamp.number) == (KID, LIFE, COORDINATOR_LIFE, 1)


def test_each_sending_has_a_number_of_its_own(post: Post) -> None:
    packets = [post.to_coordinator(Attending(jobs=(JOB,))) for _ in range(3)]
    assert [stamp_of(packet).number for packet in packets if packet is not None] == [1, 2, 3]


def test_nothing_is_said_to_a_coordinator_that_was_never_seen() -> None:
    assert Post(IDENTITY, LIFE).to_coordinator(ListAgents()) is None


def test_credit_is_signed_with_the_stream_key_for_the_agents_life(post: Post) -> None:
    post.open_streams(JOB, ASSIGNMENT)
    packet = post.to_agent(StreamCredit(attempt=ASSIGNMENT.attempt, received={}, allowed={}))
    assert packet is not None
    assert packet.topic == TOPICS.directed(ME, agent("pi-1"), AGENT_LIFE, Verb.CREDIT)
    checked_mac(packet, stamp_of(packet), STREAM_KEYS.to_agent)


@pytest.mark.parametrize(
    ("said", "verb"),
    [
        (CallerSignals(attempt=ASSIGNMENT.attempt, first=1, signals=(CallerSignal.INT,)), Verb.SIGNAL),
        (Chunk(attempt=ASSIGNMENT.attempt, offset=7, content=b"typed"), Verb.STDIN),
    ],
)
def test_signals_and_standard_input_go_to_the_agent_as_credit_does(
    post: Post, said: CallerSignals | Chunk, verb: Verb
) -> None:
    post.open_streams(JOB, ASSIGNMENT)
    packet = post.to_agent(said)
    assert packet is not None
    assert packet.topic == TOPICS.directed(ME, agent("pi-1"), AGENT_LIFE, verb)
    assert packet.payload == (packed(said) if isinstance(said, Chunk) else codec.encode(said))
    checked_mac(packet, stamp_of(packet), STREAM_KEYS.to_agent)


def test_credit_of_the_agent_is_taken_and_of_nobody_else(post: Post) -> None:
    post.open_streams(JOB, ASSIGNMENT)
    credit = StreamCredit(attempt=ASSIGNMENT.attempt, received={"stdin": 0}, allowed={"stdin": 9}, signals=1)
    payload = codec.encode(credit)
    assert post.opened(of_agent(payload, verb=Verb.CREDIT)) == CreditCame(credit=credit)
    assert post.opened(of_agent(payload, verb=Verb.CREDIT)) is None  # repeated
    assert post.opened(of_agent(payload, verb=Verb.CREDIT, number=2, key=STREAM_KEYS.to_agent)) is None  # reflected
    assert post.opened(of_agent(payload, verb=Verb.CREDIT, number=3, name="pi-2")) is None
    assert refusals(post) == {"repeated": 1, "forged": 1, "other_life": 1}


def test_no_credit_is_given_to_an_attempt_that_was_not_opened(post: Post) -> None:
    assert post.to_agent(StreamCredit(attempt=ASSIGNMENT.attempt, received={}, allowed={})) is None


def test_presence_carries_life_and_connection_and_is_not_retained(post: Post) -> None:
    packet = post.status(ClientState.OFFLINE, 7)
    assert packet.topic == TOPICS.client_status("laptop", LIFE)
    assert not packet.retain
    expected = ClientStatus(state=ClientState.OFFLINE, life=LIFE, connection=7)
    assert codec.decode(ClientStatus, packet.payload) == expected


def test_only_our_own_life_is_listened_to(post: Post) -> None:
    assert all(LIFE in topic or topic == TOPICS.coordinator_status() for topic in post.subscriptions()), (
        post.subscriptions()
    )


def test_the_jobs_that_are_followed_are_listened_to(post: Post) -> None:
    topics = post.subscriptions([JOB])
    assert TOPICS.job(JOB) in topics
    assert TOPICS.progress_of_anyone(JOB) in topics


# --- what is taken


def test_a_genuine_word_is_taken_with_its_number(post: Post) -> None:
    heard = post.opened(Coordinator().says(Verb.ATTENDED, attended()))
    assert heard == CoordinatorSpoke(life=COORDINATOR_LIFE, number=1, word=Attended(jobs=()))


def test_an_answer_is_taken_with_its_correlation_data(post: Post) -> None:
    answer = AgentList(agents=())
    heard = post.opened(Coordinator().says(Verb.ANSWER, codec.encode(answer), correlation=b"17"))
    assert heard == Answered(correlation=b"17", answer=answer)


def test_a_retired_life_is_told_so(post: Post) -> None:
    heard = post.opened(Coordinator().says(Verb.RETIRED, codec.encode(Retired())))
    assert heard == CoordinatorSpoke(life=COORDINATOR_LIFE, number=1, word=Retired())


def test_chunks_of_the_open_attempt_are_taken(post: Post) -> None:
    post.open_streams(JOB, ASSIGNMENT)
    heard = post.opened(of_agent(chunk()))
    assert heard == ChunkCame(stream="stdout", chunk=Chunk(attempt=ASSIGNMENT.attempt, offset=0, content=b"abc"))


def test_progress_is_taken_from_anyone_who_may_publish_it(post: Post) -> None:
    told = Progress(percent=42.0)
    heard = post.opened(Packet(topic=TOPICS.progress("pi-1", JOB), payload=codec.encode(told)))
    assert heard == ProgressSeen(agent="pi-1", job=JOB, progress=told)


def test_a_job_that_is_cleared_is_seen_without_a_view(post: Post) -> None:
    assert post.opened(Packet(topic=TOPICS.job(JOB), payload=b"", retain=True)) == JobSeen(job=JOB, view=None)


# --- what is dropped


def refusals(post: Post) -> dict[str, int]:
    return dict(post.refused)


def test_a_repeated_word_is_dropped(post: Post) -> None:
    packet = Coordinator().says(Verb.ATTENDED, attended())
    post.opened(packet)
    assert post.opened(packet) is None
    assert refusals(post) == {"repeated": 1}


def test_a_word_for_another_life_of_ours_is_dropped(post: Post) -> None:
    assert post.opened(Coordinator().says(Verb.ATTENDED, attended(), to=OTHER_LIFE)) is None
    assert refusals(post) == {"other_life": 1}


def test_a_word_with_a_wrong_key_is_dropped(post: Post) -> None:
    assert post.opened(Coordinator().says(Verb.ATTENDED, attended(), key=TO_COORDINATOR)) is None
    assert refusals(post) == {"forged": 1}


def test_a_word_signed_with_another_generation_of_the_secret_is_dropped(post: Post) -> None:
    assert post.opened(Coordinator().says(Verb.ATTENDED, attended(), kid=KID + 1)) is None
    assert refusals(post) == {"forged": 1}


def test_a_changed_payload_is_dropped(post: Post) -> None:
    packet = Coordinator().says(Verb.ATTENDED, attended())
    assert post.opened(msgspec.structs.replace(packet, payload=attended() + b" ")) is None
    assert refusals(post) == {"forged": 1}


def test_our_own_request_cannot_be_reflected(post: Post) -> None:
    packet = post.to_coordinator(ListAgents())
    assert packet is not None
    topic = TOPICS.directed(COORDINATOR, ME, LIFE, Verb.ATTENDED)
    assert post.opened(msgspec.structs.replace(packet, topic=topic)) is None


def test_a_directed_message_that_is_retained_is_dropped(post: Post) -> None:
    assert post.opened(Coordinator().says(Verb.ATTENDED, attended(), retain=True)) is None
    assert refusals(post) == {"not_allowed": 1}


def test_a_malformed_word_is_dropped_though_it_is_signed(post: Post) -> None:
    assert post.opened(Coordinator().says(Verb.ATTENDED, b'{"jobs":7}')) is None
    assert refusals(post) == {"malformed": 1}


def test_an_unknown_verb_is_dropped(post: Post) -> None:
    assert post.opened(Coordinator().says(Verb.GRANT, b"{}")) is None
    assert refusals(post) == {"malformed": 1}


def test_an_oversized_chunk_is_dropped(post: Post) -> None:
    post.open_streams(JOB, ASSIGNMENT)
    assert post.opened(of_agent(chunk(bytes(MESSAGE_BYTES)))) is None
    assert refusals(post) == {"oversized": 1}


def test_a_word_of_a_life_of_the_coordinator_that_was_not_seen_is_dropped(post: Post) -> None:
    assert post.opened(Coordinator(NEXT_COORDINATOR_LIFE).says(Verb.ATTENDED, attended())) is None
    assert refusals(post) == {"other_life": 1}


def test_an_older_life_of_the_coordinator_is_retired_when_a_newer_one_is_seen(post: Post) -> None:
    older = Coordinator()
    post.opened(status(NEXT_COORDINATOR_LIFE))
    assert post.opened(older.says(Verb.ATTENDED, attended())) is None
    assert post.opened(status(COORDINATOR_LIFE)) is None
    assert post.coordinator_life == NEXT_COORDINATOR_LIFE
    assert post.opened(Coordinator(NEXT_COORDINATOR_LIFE).says(Verb.ATTENDED, attended())) is not None


def test_an_offline_status_of_another_life_changes_nothing(post: Post) -> None:
    assert post.opened(status(NEXT_COORDINATOR_LIFE, CoordinatorState.OFFLINE)) is None
    assert post.coordinator_life == COORDINATOR_LIFE


def test_an_offline_status_of_the_known_life_is_seen_and_the_life_is_kept(post: Post) -> None:
    assert isinstance(post.opened(status(COORDINATOR_LIFE, CoordinatorState.OFFLINE)), CoordinatorSeen)
    assert post.coordinator_life == COORDINATOR_LIFE


@pytest.mark.parametrize(
    "packet",
    [
        of_agent(chunk(attempt="01J00000000000000000000A1A")),
        of_agent(chunk(), name="pi-2"),
        of_agent(chunk(), life=OTHER_LIFE),
        of_agent(chunk(), key=STREAM_KEYS.to_agent),
        of_agent(b"short"),
    ],
    ids=["another attempt", "another agent", "another life", "another key", "no chunk"],
)
def test_chunks_of_anything_but_the_open_attempt_are_dropped(post: Post, packet: Packet) -> None:
    post.open_streams(JOB, ASSIGNMENT)
    assert post.opened(packet) is None
    assert sum(post.refused.values()) == 1


def test_a_newly_opened_attempt_closes_the_one_before(post: Post) -> None:
    post.open_streams(JOB, ASSIGNMENT)
    post.open_streams(JOB, Assignment(attempt="01J00000000000000000000A1A", agent="pi-1", life=AGENT_LIFE))
    assert post.opened(of_agent(chunk())) is None


def test_what_is_no_topic_of_ours_is_dropped(post: Post) -> None:
    assert post.opened(Packet(topic="ffmesh/elsewhere/coordinator/status", payload=b"")) is None
    assert post.opened(Packet(topic="something/else", payload=b"")) is None
