"""The async API on a real broker, with a coordinator and an agent that are played."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from client.core.attached_world import submit, succeeded
from client.test_render import AGENT, FAILED, RUNNING
from ffmesh_client.config import BrokerPlace, ClientConfig
from ffmesh_client.core.effects import Finish
from ffmesh_client.core.events import ProgressSeen
from ffmesh_client.mesh import Mesh
from ffmesh_protocol import codec, keys
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.errors import LoginRefused, RefusalCode, Refused
from ffmesh_protocol.keys import Label
from ffmesh_protocol.messages.answers import Accepted, AgentList, Assigned, Assignment, Ended, JobList, Refusal, Retired
from ffmesh_protocol.messages.jobs import Progress
from ffmesh_protocol.messages.presence import ClientState, ClientStatus, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.requests import ListJobs, StreamCredit
from ffmesh_protocol.names import COORDINATOR, agent, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Numbers, Stamp, checked_mac, signed, stamp_of
from ffmesh_protocol.streams import Chunk, packed
from ffmesh_protocol.topics import Family, Place, Topics, Verb, parse
from ffmesh_protocol.wire import Directed
from support.broker import PrivateBroker, private_broker

SECRET, CLUSTER = bytes(range(32)), "home"
ME = client("laptop")
TOPICS = Topics(CLUSTER)
PASSWORD = keys.broker_password(SECRET, CLUSTER, ME)
LOGINS = {ME.login: PASSWORD, "coordinator": "secret", "agents/pi-1": "secret"}
LIFE = "01J00000000000000000000D0D"
ASSIGNMENT = Assignment(attempt="01J00000000000000000000A0A", agent="pi-1", life="01J00000000000000000000E0E")
TO_COORDINATOR = keys.derived(SECRET, CLUSTER, ME, Label.TO_COORDINATOR)
FROM_COORDINATOR = keys.derived(SECRET, CLUSTER, ME, Label.FROM_COORDINATOR)


def config(broker: PrivateBroker, *, secret: bytes = SECRET) -> ClientConfig:
    return ClientConfig(
        name=ME.name, secret=secret, cluster=CLUSTER, broker=BrokerPlace(host=broker.host, port=broker.port)
    )


class Played:
    """Coordinator and agent in one: `hears` says what is answered to each word of a client."""

    def __init__(self, coordinator: Bus, agent_bus: Bus) -> None:
        self.coordinator = coordinator
        self.agent = agent_bus
        self.numbers = Numbers()
        self.verbs: list[str] = []
        self.lives: list[str] = []
        self.statuses: list[ClientStatus] = []
        self.credits: list[StreamCredit] = []
        self.changed = asyncio.Event()
        self.hears: Callable[[Packet, Place], Directed | None] = lambda packet, place: None

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    def online(self) -> None:
        status = CoordinatorStatus(state=CoordinatorState.ONLINE, life=LIFE, connection=1, version="0")
        self.coordinator.post(
            Packet(topic=TOPICS.coordinator_status(), payload=codec.encode(status), qos=1, retain=True)
        )

    async def listen(self) -> None:
        while True:
            for packet in await self.coordinator.received():
                place = parse(packet.topic)
                assert place is not None
                if place.family is Family.CLIENT_STATUS:
                    self.statuses.append(codec.decode(ClientStatus, packet.payload))
                    self.changed.set()
                elif place.family is Family.DIRECTED and place.receiver == COORDINATOR:
                    self._word(packet, place)

    async def listen_as_agent(self) -> None:
        while True:
            for packet in await self.agent.received():
                key = keys.stream_keys(SECRET, CLUSTER, submit().job, ASSIGNMENT.attempt).to_agent
                checked_mac(packet, stamp_of(packet), key)
                self.credits.append(codec.decode(StreamCredit, packet.payload))
                self.changed.set()

    def _word(self, packet: Packet, place: Place) -> None:
        stamp = stamp_of(packet)
        checked_mac(packet, stamp, TO_COORDINATOR)
        self.verbs.append(place.verb or "")
        self.lives.append(stamp.sender_life)
        self.changed.set()
        answer = self.hears(packet, place)
        if answer is not None and packet.response_topic is not None:
            self.say(stamp.sender_life, answer, topic=packet.response_topic, correlation=packet.correlation)

    def tell(self, life: str, verb: Verb, message: Directed) -> None:
        self.say(life, message, topic=TOPICS.directed(COORDINATOR, ME, life, verb))

    def say(self, life: str, message: Directed, *, topic: str, correlation: bytes | None = None) -> None:
        bare = Packet(topic=topic, payload=codec.encode(message), correlation=correlation)
        stamp = Stamp(kid=1, sender_life=LIFE, receiver_life=life, number=self.numbers.next(life))
        self.coordinator.post(signed(bare, FROM_COORDINATOR, stamp))

    def chunk(self, job: str, life: str, verb: Verb, offset: int, content: bytes) -> None:
        key = keys.stream_keys(SECRET, CLUSTER, job, ASSIGNMENT.attempt).to_client
        payload = packed(Chunk(attempt=ASSIGNMENT.attempt, offset=offset, content=content))
        bare = Packet(topic=TOPICS.directed(agent("pi-1"), ME, life, verb), payload=payload)
        number = self.numbers.next(f"agent→{life}")
        stamp = Stamp(kid=1, sender_life=ASSIGNMENT.life, receiver_life=life, number=number)
        self.agent.post(signed(bare, key, stamp))

    def public(self, topic: str, value: Any, *, by_agent: bool = False) -> None:
        (self.agent if by_agent else self.coordinator).post(Packet(topic=topic, payload=codec.encode(value)))


@asynccontextmanager
async def played(broker: PrivateBroker) -> AsyncGenerator[Played, None]:
    def address(login: str) -> BrokerAddress:
        return BrokerAddress(host=broker.host, port=broker.port, username=login, password="secret")

    everything = [Subscription(topic=TOPICS.everything())]
    to_agent = [Subscription(topic=topic) for topic in TOPICS.to_me(agent("pi-1"), ASSIGNMENT.life)]
    async with (
        connected(address("coordinator"), client_id="coordinator/1", subscriptions=everything) as coordinator,
        connected(address("agents/pi-1"), client_id="agents/pi-1/1", subscriptions=to_agent) as agent_bus,
        asyncio.TaskGroup() as tasks,
    ):
        mesh = Played(coordinator, agent_bus)
        mesh.online()
        listening = [
            tasks.create_task(mesh.listen(), name="coordinator"),
            tasks.create_task(mesh.listen_as_agent(), name="agent"),
        ]
        yield mesh
        for task in listening:
            task.cancel()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[PrivateBroker, None]:
    async with private_broker(tmp_path, logins=LOGINS) as broker:
        yield broker


async def test_a_request_is_answered_and_a_farewell_is_said(broker: PrivateBroker) -> None:
    async with played(broker) as other:
        other.hears = lambda packet, place: AgentList(agents=(AGENT,)) if place.verb == Verb.AGENTS else None
        async with Mesh.connected(config(broker)) as mesh:
            assert await mesh.agents() == (AGENT,)
        await other.until(lambda: len(other.statuses) == 2 and "bye" in other.verbs)
        assert other.verbs == ["agents", "bye"]
        assert [status.state for status in other.statuses] == [ClientState.ONLINE, ClientState.OFFLINE]
        assert {status.connection for status in other.statuses} == {1}


async def test_a_refusal_carries_the_coordinators_sentence(broker: PrivateBroker) -> None:
    async with played(broker) as other:
        other.hears = lambda packet, place: Refusal(code=RefusalCode.TOO_LATE, sentence="it is over")
        with pytest.raises(Refused, match="it is over") as caught:
            async with Mesh.connected(config(broker)) as mesh:
                await mesh.cancel(RUNNING.id)
        assert caught.value.code is RefusalCode.TOO_LATE


async def test_a_login_that_is_refused_ends_the_wait_at_once(broker: PrivateBroker) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(LoginRefused, match="ffmesh join TOKEN"):
            async with Mesh.connected(config(broker, secret=bytes(32))) as mesh:
                await mesh.agents()


async def test_a_request_outlives_a_broker_that_is_killed(broker: PrivateBroker) -> None:
    async with Mesh.connected(config(broker)) as mesh, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(mesh.agents(), name="asking")
        await broker.restart()
        async with played(broker) as other:
            other.hears = lambda packet, place: AgentList(agents=())
            async with asyncio.timeout(10):
                assert await asking == ()


async def test_pages_are_asked_for_until_there_are_enough(broker: PrivateBroker) -> None:
    pages = {None: JobList(jobs=(RUNNING,), cursor="7"), "7": JobList(jobs=(FAILED,), cursor=None)}

    async with played(broker) as other:
        other.hears = lambda packet, place: (
            pages[codec.decode(ListJobs, packet.payload).cursor] if place.verb == Verb.JOBS else None
        )
        async with Mesh.connected(config(broker)) as mesh:
            assert await mesh.jobs() == JobList(jobs=(RUNNING, FAILED), cursor=None)
            assert await mesh.jobs(limit=1) == JobList(jobs=(RUNNING,), cursor="7")


async def test_a_retired_life_is_left_for_a_new_one_and_the_question_is_asked_again(broker: PrivateBroker) -> None:
    async with played(broker) as other:

        def hears(packet: Packet, place: Place) -> Directed | None:
            life = stamp_of(packet).sender_life
            if life == other.lives[0]:
                other.tell(life, Verb.RETIRED, Retired())
                return None
            return AgentList(agents=())

        other.hears = hears
        async with Mesh.connected(config(broker)) as mesh, asyncio.timeout(5):
            assert await mesh.agents() == ()
        assert len(set(other.lives)) == 2


async def test_a_program_runs_attached_and_its_bytes_arrive(broker: PrivateBroker, tmp_path: Path) -> None:
    job = submit()

    async with played(broker) as other:

        def hears(packet: Packet, place: Place) -> Directed | None:
            life = stamp_of(packet).sender_life
            if place.verb != Verb.SUBMIT:
                return None
            other.tell(life, Verb.ASSIGNED, Assigned(job=job.job, assignment=ASSIGNMENT))
            return Accepted(job=job.job)

        other.hears = hears
        with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
            async with Mesh.connected(config(broker)) as mesh, asyncio.TaskGroup() as tasks:
                running = tasks.create_task(mesh.run(job, {"stdout": out.fileno(), "stderr": err.fileno()}), name="run")
                await other.until(lambda: bool(other.credits))
                life = other.lives[0]
                other.chunk(job.job, life, Verb.STDOUT, 0, b"abc")
                other.chunk(job.job, life, Verb.STDERR, 0, b"\xff!")
                other.tell(life, Verb.ENDED, Ended(job=job.job, end=succeeded(stdout=3, stderr=2)))
                async with asyncio.timeout(5):
                    assert await running == Finish(exit_code=0)
            await other.until(lambda: len(other.credits) > 1)
        assert (other.credits[0].received, other.credits[-1].received) == (
            {"stdout": 0, "stderr": 0},
            {"stdout": 3, "stderr": 2},
        )
        assert ((tmp_path / "out").read_bytes(), (tmp_path / "err").read_bytes()) == (b"abc", b"\xff!")


async def test_who_follows_a_job_hears_its_progress_and_its_end(broker: PrivateBroker) -> None:
    state = [RUNNING]
    told = Progress(percent=50.0)
    async with played(broker) as other:
        other.hears = lambda packet, place: JobList(jobs=(state[0],), cursor=None) if place.verb == Verb.JOB else None
        async with Mesh.connected(config(broker), follow=[RUNNING.id]) as mesh, asyncio.timeout(10):
            changes = mesh.follow([RUNNING.id])
            assert await anext(changes) == RUNNING
            other.public(TOPICS.progress("pi-1", RUNNING.id), told, by_agent=True)
            assert await anext(changes) == ProgressSeen(agent="pi-1", job=RUNNING.id, progress=told)
            ended = msgspec.structs.replace(FAILED, id=RUNNING.id)
            state[0] = ended
            assert [change async for change in changes] == [ended]


async def test_a_job_that_is_forgotten_while_somebody_follows_it_is_not_followed_for_ever(
    broker: PrivateBroker,
) -> None:
    pages = [JobList(jobs=(RUNNING,), cursor=None), JobList(jobs=(), cursor=None, unknown=(RUNNING.id,))]
    async with played(broker) as other:
        other.hears = lambda packet, place: pages.pop(0) if place.verb == Verb.JOB else None
        async with Mesh.connected(config(broker), follow=[RUNNING.id]) as mesh, asyncio.timeout(10):
            changes = mesh.follow([RUNNING.id])
            assert await anext(changes) == RUNNING
            other.coordinator.post(Packet(topic=TOPICS.job(RUNNING.id), payload=b"", retain=True))
            assert [change async for change in changes] == []
