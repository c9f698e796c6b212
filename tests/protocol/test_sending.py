"""What is ready together shares a message."""

from ffmesh_protocol.messages.orders import Cancels, Settled, Stop
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.names import agent
from ffmesh_protocol.packet import EMPTY
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.sending import JOINED_ITEMS, LISTS, Addressed, halves, joined, published
from ffmesh_protocol.topics import Family

PI, NAS = agent("pi"), agent("nas")
LIFE, OTHER_LIFE = "0" * 26, "0" * 25 + "1"
STATUS = AgentStatus(state=AgentState.ONLINE, life=LIFE, connection=1)


def settled(*attempts: int) -> Settled:
    return Settled(attempts=tuple(f"{attempt:026d}" for attempt in attempts))


def to(message: Settled | Cancels, life: str = LIFE) -> Addressed:
    return Addressed(receiver=PI, life=life, message=message)


def test_lists_of_one_verb_to_one_life_are_joined_where_the_first_of_them_stood() -> None:
    stop = Cancels(stops=(Stop(attempt=LIFE, job=LIFE, why=Stopped.CANCEL),))
    assert joined([to(settled(1)), to(stop), to(settled(2, 3))]) == [to(settled(1, 2, 3)), to(stop)]


def test_what_is_for_another_life_or_somebody_else_is_not_joined() -> None:
    other = Addressed(receiver=NAS, life=LIFE, message=settled(3))
    apart = [to(settled(1)), to(settled(2), OTHER_LIFE), other]
    assert joined(apart) == apart


def test_a_joined_list_does_not_grow_without_end() -> None:
    sizes = [len(_attempts(each)) for each in joined([to(settled(n)) for n in range(450)])]
    assert sizes == [JOINED_ITEMS, JOINED_ITEMS, 450 - 2 * JOINED_ITEMS]


def _attempts(addressed: Addressed) -> tuple[str, ...]:
    assert isinstance(addressed.message, Settled)
    return addressed.message.attempts


def test_a_list_that_became_too_large_is_sent_in_two() -> None:
    assert halves(settled(1, 2, 3)) == [settled(1), settled(2, 3)]


def test_every_field_that_is_joined_is_there() -> None:
    assert all(field in kind.__struct_fields__ for kind, field in LISTS.items())


def test_a_public_message_is_published_as_its_family_is_and_nothing_clears_it() -> None:
    said = published(Family.AGENT_STATUS, "topic", STATUS)
    assert (said.qos, said.retain, said.expiry_seconds) == (1, True, None)
    assert published(Family.AGENT_STATUS, "topic", None).payload == EMPTY
    assert not published(Family.JOB, "topic", STATUS, retain=False).retain
    assert published(Family.PROGRESS, "topic", STATUS).expiry_seconds
