"""The whole agent against a real broker; a little of a coordinator speaks to it."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
import tomli_w

from agent.shell.stage import fresh_id, granted, until
from ffmesh_protocol import codec
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.keys import Label, broker_password, derived
from ffmesh_protocol.messages.capability import Advert
from ffmesh_protocol.messages.orders import Grant, Grants, Settled, TailWanted, Welcome
from ffmesh_protocol.messages.presence import AgentState, AgentStatus, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import Hello, Results, Tail
from ffmesh_protocol.names import COORDINATOR, Principal, agent
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Numbers, Stamp, signed, stamp_of
from ffmesh_protocol.topics import Topics, Verb
from ffmesh_protocol.wire import Directed
from support.broker import PrivateBroker, private_broker

T = TypeVar("T")

CLUSTER = "home"
NAME = "pi-1"
SECRET = bytes(range(32))
ME: Principal = agent(NAME)
TOPICS = Topics(CLUSTER)
LOGINS = {ME.login: broker_password(SECRET, CLUSTER, ME), COORDINATOR.login: "secret of the coordinator"}


def _home(folder: Path, port: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = {
        "cluster": CLUSTER,
        "name": NAME,
        "secret": base64.b64encode(SECRET).decode(),
        "kid": 1,
        "broker": {"host": "127.0.0.1", "port": port},
        "roots": {"R": str(folder)},
        "programs": {"sh": "", "true": ""},
        "slots": {"cpu": 2},
    }
    (folder / "agent.toml").write_text(tomli_w.dumps(table))
    return folder


@contextmanager
def _agent(home: Path) -> Generator[subprocess.Popen[bytes], None, None]:
    with subprocess.Popen(
        [sys.executable, "-m", "ffmesh_agent", "--config", home / "agent.toml"], stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def _exit_code(process: subprocess.Popen[bytes]) -> int:
    return await asyncio.to_thread(process.wait, 20)


class Coordinator:
    """Enough of one to greet an agent and to grant it something."""

    def __init__(self, bus: Bus) -> None:
        self.life = fresh_id()
        self.agent_life = ""
        self._bus = bus
        self._numbers = Numbers()
        self._packets: list[Packet] = []

    async def heard(self, topic: str, kind: type[T]) -> T:
        """The next message to this topic; what comes before it is passed over."""
        while True:
            while self._packets:
                packet = self._packets.pop(0)
                if packet.topic == topic and packet.payload:
                    if packet.topic.startswith(TOPICS.directed(ME, COORDINATOR, self.life, "")):
                        self.agent_life = stamp_of(packet).sender_life
                    return codec.decode(kind, packet.payload)
            self._packets = await self._bus.received()

    async def told(self, verb: Verb, kind: type[T]) -> T:
        return await self.heard(TOPICS.directed(ME, COORDINATOR, self.life, verb), kind)

    async def status(self, state: AgentState) -> AgentStatus:
        while (status := await self.heard(TOPICS.agent_status(NAME), AgentStatus)).state is not state:
            pass
        return status

    async def greet(self) -> Hello:
        status = CoordinatorStatus(state=CoordinatorState.ONLINE, life=self.life, connection=1, version="test")
        await self._bus.publish(Packet(topic=TOPICS.coordinator_status(), payload=codec.encode(status), retain=True))
        hello = await self.told(Verb.HELLO, Hello)
        await self.say(Verb.WELCOME, Welcome(draining=False))
        return hello

    async def say(self, verb: Verb, message: Directed) -> None:
        packet = Packet(topic=TOPICS.directed(COORDINATOR, ME, self.agent_life, verb), payload=codec.encode(message))
        number = self._numbers.next(self.agent_life)
        stamp = Stamp(kid=1, sender_life=self.life, receiver_life=self.agent_life, number=number)
        key = derived(SECRET, CLUSTER, ME, Label.FROM_COORDINATOR)
        await self._bus.publish(signed(packet, key, stamp))

    async def grant(self, grant: Grant) -> None:
        await self.say(Verb.GRANT, Grants(grants=(grant,)))


@asynccontextmanager
async def _coordinator(broker: PrivateBroker) -> AsyncGenerator[Coordinator, None]:
    address = BrokerAddress(
        host=broker.host, port=broker.port, username=COORDINATOR.login, password=LOGINS[COORDINATOR.login]
    )
    everything = [Subscription(topic=TOPICS.everything())]
    async with asyncio.timeout(60), connected(address, client_id=fresh_id(), subscriptions=everything) as bus:
        yield Coordinator(bus)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[PrivateBroker, None]:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker:
        yield broker


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except FileNotFoundError:
        return False


async def test_an_agent_comes_says_what_it_can_do_and_goes(broker: PrivateBroker, tmp_path: Path) -> None:
    home = _home(tmp_path / "a ü", broker.port)
    async with _coordinator(broker) as coordinator:
        with _agent(home) as process:
            online = await coordinator.status(AgentState.ONLINE)
            advert = await coordinator.heard(TOPICS.advert(NAME), Advert)
            assert (advert.life, advert.programs) == (online.life, {"sh": "", "true": ""})
            assert advert.roots["R"].mounted
            (warden,) = _children(process.pid)
            process.send_signal(signal.SIGTERM)
            assert await coordinator.status(AgentState.OFFLINE) == AgentStatus(
                state=AgentState.OFFLINE, life=online.life, connection=1
            )
            assert await _exit_code(process) == 0
            assert not _lives(warden)


async def test_a_grant_becomes_a_result_that_is_on_disk_until_it_is_settled(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    home = _home(tmp_path / "home", broker.port)
    spool = home / "spool"
    async with _coordinator(broker) as coordinator:
        with _agent(home) as process:
            await coordinator.heard(TOPICS.advert(NAME), Advert)
            hello = await coordinator.greet()
            assert (hello.held, len(hello.spool), hello.features) == ((), 32, ("direct", "interactive"))
            grant = granted("sh", "-c", "echo said >&2; exit 5")
            await coordinator.grant(grant)
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert (result.attempt, result.exit_code, result.started) == (grant.attempt, 5, True)
            assert (spool / f"{grant.attempt}.json").exists()
            process.kill()
            await _exit_code(process)
        with _agent(home):
            hello = await coordinator.told(Verb.HELLO, Hello)
            assert [held.attempt for held in hello.held] == [grant.attempt]
            await coordinator.say(Verb.WELCOME, Welcome(draining=False))
            assert (await coordinator.told(Verb.RESULT, Results)).results == (result,)
            await coordinator.say(Verb.TAIL, TailWanted(attempt=grant.attempt, request=fresh_id()))
            tail = await coordinator.told(Verb.TAIL, Tail)
            assert tail.lines is not None
            assert [line.text for line in tail.lines] == ["said"]
            await coordinator.say(Verb.SETTLED, Settled(attempts=(grant.attempt,)))
            await until(lambda: not (spool / f"{grant.attempt}.json").exists())


async def test_sigterm_ends_what_runs_and_says_so_before_it_leaves(broker: PrivateBroker, tmp_path: Path) -> None:
    async with _coordinator(broker) as coordinator:
        with _agent(_home(tmp_path / "home", broker.port)) as process:
            await coordinator.heard(TOPICS.advert(NAME), Advert)
            await coordinator.greet()
            await coordinator.grant(granted("sh", "-c", "sleep 1000"))
            await coordinator.told(Verb.STARTED, msgspec.Raw)
            process.send_signal(signal.SIGTERM)
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert (result.stopped, result.signal) == ("shutdown", signal.SIGTERM)
            await coordinator.status(AgentState.OFFLINE)
            assert await _exit_code(process) == 0


async def test_the_second_signal_leaves_at_once_and_nothing_is_left_running(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    async with _coordinator(broker) as coordinator:
        with _agent(home := _home(tmp_path / "home", broker.port)) as process:
            await coordinator.heard(TOPICS.advert(NAME), Advert)
            await coordinator.greet()
            grant = granted("sh", "-c", "trap '' TERM; echo $$ >../../pid; while :; do sleep 1; done")
            await coordinator.grant(grant)
            await until(lambda: (home / "pid").exists() and (home / "pid").read_text().endswith("\n"))
            program = int((home / "pid").read_text())
            process.send_signal(signal.SIGTERM)
            await coordinator.status(AgentState.DRAINING)
            process.send_signal(signal.SIGINT)
            assert await _exit_code(process) == 128 + signal.SIGINT
            assert not _lives(program)


async def test_an_agent_whose_warden_died_ends_to_be_started_again(broker: PrivateBroker, tmp_path: Path) -> None:
    async with _coordinator(broker) as coordinator:
        with _agent(_home(tmp_path / "home", broker.port)) as process:
            await coordinator.status(AgentState.ONLINE)
            (warden,) = _children(process.pid)
            os.kill(warden, signal.SIGKILL)
            assert await _exit_code(process) == 1
            await coordinator.status(AgentState.OFFLINE)  # its will


async def test_an_agent_waits_for_a_broker_and_comes_back_to_it(tmp_path: Path) -> None:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker:
        home = _home(tmp_path / "home", broker.port)
        async with _coordinator(broker) as coordinator:
            with _agent(home) as process:
                first = await coordinator.status(AgentState.ONLINE)
                await broker.restart()
                async with _coordinator(broker) as again:
                    second = await again.status(AgentState.ONLINE)
                    assert (second.life, second.connection > 1) == (first.life, True)
                    await again.heard(TOPICS.advert(NAME), Advert)
                process.send_signal(signal.SIGINT)
                assert await _exit_code(process) == 0


async def test_without_a_broker_an_agent_can_be_stopped_too(tmp_path: Path) -> None:
    with _agent(_home(tmp_path, 1)) as process:
        assert process.stderr is not None
        assert b"trying again" in await asyncio.to_thread(process.stderr.readline)
        process.send_signal(signal.SIGTERM)
        assert await _exit_code(process) == 0


async def test_a_second_agent_in_one_home_and_a_bad_file_end_with_2_and_one_line(tmp_path: Path) -> None:
    home = _home(tmp_path, 1)
    with _agent(home) as first:
        assert first.stderr is not None
        await asyncio.to_thread(first.stderr.readline)
        with _agent(home) as second:
            assert await _exit_code(second) == 2
            assert second.stderr is not None
            (line,) = second.stderr.read().decode().splitlines()
            assert f"pid {first.pid}" in line
    (home / "agent.toml").write_text("name = 1")
    with _agent(home) as bad:
        assert await _exit_code(bad) == 2
        assert bad.stderr is not None
        (line,) = bad.stderr.read().decode().splitlines()
        assert line.startswith(f"ffmesh-agent: {home / 'agent.toml'}: ")


def test_nothing_that_an_idle_agent_does_not_need_is_imported() -> None:
    script = "import sys, ffmesh_agent.__main__; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    modules = set(run.stdout.split())
    assert not modules & {"rich", "textual", "aiosqlite", "sqlite3", "ffmesh_client", "ffmesh_coordinator"}
