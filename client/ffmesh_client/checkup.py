"""What `ffmesh doctor` looks at, one finding a check, in the order in which one rests on the other.

A check that rests on one that failed says so and is not made. Nothing is changed, and nobody who takes part is
disturbed: the login is tried with a life of its own.
"""

import asyncio
import stat
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ffmesh_client import config as client_config
from ffmesh_client.agent_checked import agent_checked
from ffmesh_client.agents_told import clock, told, versions
from ffmesh_client.broker_here import mosquitto_here
from ffmesh_client.errors import Unreachable
from ffmesh_client.fence_seen import fence_seen, fences_told
from ffmesh_client.ids import fresh_ulid
from ffmesh_client.mesh import Mesh
from ffmesh_client.patient import Patient, read
from ffmesh_client.places import ALWAYS, HOW_TO_INSTALL, IN_PATH, is_there
from ffmesh_client.roots_seen import as_the_agent_sees_them, as_this_machine_sees_them
from ffmesh_client.supervisor.absent import nonces_seen
from ffmesh_protocol import VERSION, codec, keys
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.errors import (
    BadConfig,
    BadName,
    BrokerError,
    FfmeshError,
    LoginRefused,
    MalformedMessage,
    PublishRefused,
)
from ffmesh_protocol.finding import Finding, fine, not_made, note, wrong
from ffmesh_protocol.messages.capability import AgentView, PublicAgent
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.messages.presence import AgentState, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.topics import Topics

PATIENCE: Final = 3.0
"""Seconds for each thing that somebody else has to answer. Who calls the doctor wants to know now."""

CONFIGURATION: Final = "configuration"
SAME_VERSION: Final = "make both the same version"
NOT_AUTHORIZED: Final = 135
ROOT: Final = 0
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


async def examined(file: Path) -> list[Finding]:
    """All findings about who takes part with this file."""
    try:
        patient = read(file)
    except (BadConfig, BadName) as error:
        return [wrong(CONFIGURATION, f"{error}", "mend the file, or write it anew with `ffmesh join TOKEN`")]
    who = f"{patient.principal.role.singular} {patient.principal.name}"
    of_broker, of_machine = await _of_broker(patient), await _of_machine(patient)
    # The agent itself is stricter with its file than was needed to look this far.
    first = [each for each in of_machine if each.check == CONFIGURATION] or [
        fine(CONFIGURATION, f"{file} makes this machine {who} in the mesh {patient.cluster}")
    ]
    return [*first, _permissions(file), *of_broker, *(each for each in of_machine if each.check != CONFIGURATION)]


def _permissions(file: Path) -> Finding:
    there = file.stat()
    if there.st_mode & OTHERS:
        return wrong(
            "permissions",
            f"others on this machine may read or change {file} (mode {stat.S_IMODE(there.st_mode):o}), and with it "
            "they are you",
            f"chmod 600 '{file}', and make a new token if others may have read it",
        )
    return fine("permissions", f"{file} is for its owner alone")


# Broker, login, keys, coordinator, agents


async def _of_broker(patient: Patient) -> list[Finding]:
    life, login = fresh_ulid(), patient.principal.login
    tag = keys.client_id_tag(patient.secret, patient.cluster, patient.principal, life)
    address = BrokerAddress(
        host=patient.host,
        port=patient.port,
        username=login,
        password=keys.broker_password(patient.secret, patient.cluster, patient.principal),
    )
    topics = Topics(patient.cluster)
    wanted = [Subscription(topic=topics.coordinator_status())]
    if patient.client is None:
        wanted.append(Subscription(topic=topics.agent(patient.principal.name)))
    answers = fine("broker", f"it answers at {address}")
    try:
        async with asyncio.timeout(PATIENCE) as limit:
            async with connected(address, client_id=f"{login}/{life}-{tag}", subscriptions=wanted) as bus:
                limit.reschedule(None)  # what follows has limits of its own
                return [answers, fine("login", f"the broker lets {login} in"), *await _inside(patient, bus)]
    except LoginRefused:
        return [answers, _no_login(patient), *not_made(_after_login(patient), "no login")]
    except TimeoutError:
        sentence = f"nobody answers at {address}"
    except BrokerError as error:
        sentence = f"{error}"
    mend = (
        f"start `ffmesh up` there, or correct [broker] in {patient.file}; between two machines look at the firewall, "
        "and at where it listens (--listen)"
    )
    return [wrong("broker", sentence, mend), *not_made(["login", *_after_login(patient)], "no broker")]


def _no_login(patient: Patient) -> Finding:
    name = patient.principal.name
    return wrong(
        "login",
        f"the broker does not let {patient.principal.login} in: it was removed, or this file is an old one",
        f"on the coordinator's machine: `ffmesh principal list`; if {name} is missing there, `ffmesh principal add "
        f"{name} --role {patient.principal.role.singular}`, then `ffmesh join` here with that token",
    )


async def _inside(patient: Patient, bus: Bus) -> list[Finding]:
    access = await _access(patient, bus)
    said = await _said(bus, 1 if patient.client is not None else 2)
    status = _status(said.get(Topics(patient.cluster).coordinator_status()))
    if isinstance(status, Finding):
        others = ["keys", "agents", "fences"] if patient.client is not None else ["agents"]
        return [access, status, *not_made(others, "no coordinator")]
    coordinator = fine("coordinator", f"it is {status.state.value}, version {status.version}")
    if patient.client is None:
        return [access, coordinator, *_as_agent(patient, status, said)]
    return [access, coordinator, *await _answers(patient.client, status)]


async def _said(bus: Bus, topics: int) -> dict[str, bytes]:
    """What is retained there, by topic: as soon as all has come, or what has come when nobody waits any longer."""
    said: dict[str, bytes] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            while len(said) < topics:
                said |= {packet.topic: packet.payload for packet in await bus.received()}
    except (BrokerError, TimeoutError):
        pass
    return said


async def _access(patient: Patient, bus: Bus) -> Finding:
    """A grant of a subscription proves nothing; only a refused message shows that the access list is in force."""
    mend = "make the broker use the acl.conf in its folder, written by ffmesh, and start it again"
    try:
        async with asyncio.timeout(PATIENCE):
            await bus.publish(Packet(topic=Topics(patient.cluster).canary(), payload=b"", qos=1))
    except PublishRefused as error:
        if error.reason_code == NOT_AUTHORIZED:
            return fine("access", "the broker refuses what nobody may say")
        return wrong("access", f"{error}, where 135 was due", mend)
    except (BrokerError, TimeoutError) as error:
        return wrong("access", f"the broker did not answer to what it has to refuse: {error or 'no answer'}", mend)
    return wrong("access", "the broker takes what nobody may say: its access list is not in force", mend)


def _status(payload: bytes | None) -> CoordinatorStatus | Finding:
    """What the coordinator says of itself; or what is wrong with that."""
    mend = "start it: `ffmesh up` or `ffmesh-coordinator` on its machine, or look at its log there"
    if payload is None:
        return wrong("coordinator", "no coordinator has ever been at this broker since it was started", mend)
    try:
        status = codec.decode(CoordinatorStatus, payload)
    except MalformedMessage as error:
        return wrong("coordinator", f"it says of itself what this version does not understand: {error}", mend)
    if status.state is CoordinatorState.OFFLINE:
        return wrong("coordinator", "it was there, and is not any more", mend)
    return status


def _as_agent(patient: Patient, status: CoordinatorStatus, said: Mapping[str, bytes]) -> list[Finding]:
    """How the coordinator sees the agent of this machine, as far as it is public."""
    name = patient.principal.name
    start = f"start it: `ffmesh-agent --config '{patient.file}'`"
    try:
        seen = codec.decode(PublicAgent, said[Topics(patient.cluster).agent(name)])
    except KeyError:
        return [note("agents", f"{name} has not taken part since the broker was started", start)]
    except MalformedMessage as error:
        return [note("agents", f"the coordinator says of {name} what is not understood: {error}", SAME_VERSION)]
    if seen.state is AgentState.OFFLINE:
        return [note("agents", f"the coordinator does not see {name} now", start)]
    now = datetime.now(UTC)
    return [
        fine("agents", f"the coordinator sees {name}: it is {seen.state.value}"),
        versions([seen], ours=VERSION, coordinators=status.version),
        *clock([seen], now),
    ]


async def _answers(config: client_config.ClientConfig, status: CoordinatorStatus) -> list[Finding]:
    """A signed question and its signed answer."""
    try:
        async with asyncio.timeout(PATIENCE), Mesh.connected(config) as mesh:
            agents = await mesh.agents()
    except (Unreachable, TimeoutError):
        finding = wrong(
            "keys",
            "the coordinator does not answer us: it is stuck, or does not know our key",
            f"look at its log; on its machine `ffmesh principal remove {config.name}` and `ffmesh principal add "
            f"{config.name} --role client` make a new key, for `ffmesh join` here",
        )
    except FfmeshError as error:
        finding = wrong("keys", f"{error}", "try again in a moment; if that does not help, join with a new token")
    else:
        roots = {name: nonces_seen(config.roots).get(name) for name in config.roots}
        more = told(agents, ours=VERSION, coordinators=status.version, now=datetime.now(UTC), roots=roots)
        return [fine("keys", "the coordinator answers what we sign"), _agents(agents), _fences(agents), *more]
    return [finding, *not_made(["agents", "fences"], "no answer")]


def _agents(agents: Sequence[AgentView]) -> Finding:
    there = [agent for agent in agents if agent.state is not AgentState.OFFLINE]
    taking = [agent for agent in there if agent.state is AgentState.ONLINE]
    if not there:
        known = f"all {len(agents)} of them are offline" if agents else "there is none"
        return wrong(
            "agents",
            f"nobody could run a job: {known}",
            "start `ffmesh-agent` on their machines; a new one is made with `ffmesh principal add NAME --role agent`",
        )
    if not taking:
        told = next((agent for agent in there if agent.manner is not None), None)
        mend = (
            f"`ffmesh resume {told.name}`"
            if told is not None
            else f"`ffmesh agent {there[0].name}` says what it minds; [manners] in its agent.toml says so"
        )
        return wrong("agents", f"nobody takes a job: {', '.join(map(_unwilling, there))}", mend)
    if not any("ffmpeg" in agent.programs for agent in taking):
        return wrong("agents", "none of those that are online has ffmpeg", f"on their machines: {HOW_TO_INSTALL}")
    return fine("agents", f"{len(taking)} of {len(agents)} take jobs: {', '.join(agent.name for agent in taking)}")


def _unwilling(agent: AgentView) -> str:
    minded = [each for each in agent.conditions if each.in_force and each.manner is not Manner.SLOW]
    if agent.manner is not None or not minded:
        return f"{agent.name} was told not to"
    return f"{agent.name} minds its {minded[0].name} ({minded[0].reason})"


def _fences(agents: Sequence[AgentView]) -> Finding:
    seen = fences_told(agents)
    return Finding(check="fences", ok=seen.ok, message=seen.message, mend=seen.mend)


def _after_login(patient: Patient) -> list[str]:
    return ["access", "coordinator", *(["agents"] if patient.client is None else ["keys", "agents"])]


# This machine


async def _of_machine(patient: Patient) -> list[Finding]:
    here = [*mosquitto_here(patient.host), _programs(patient), await _roots(patient)]
    if patient.client is not None:
        return here
    return [*here, _fence(patient), _user(patient), *await agent_checked(patient.file)]


def _programs(patient: Patient) -> Finding:
    if patient.client is not None:
        # The agents have it; a client that lacks it only cannot run anything by itself.
        here = "is here too" if is_there("ffmpeg", IN_PATH) else "is not on this machine, and need not be"
        return fine("programs", f"ffmpeg {here}")
    absent = [path or name for name, path in patient.programs.items() if not is_there(name, path)]
    if absent:
        return wrong(
            "programs",
            f"not on this machine: {', '.join(absent)}",
            HOW_TO_INSTALL if set(absent) <= set(ALWAYS) else f"install them, or correct [programs] in {patient.file}",
        )
    return fine("programs", f"all are here: {', '.join(patient.programs)}")


async def _roots(patient: Patient) -> Finding:
    if patient.client is None:
        seen = await as_the_agent_sees_them(patient.file)
    else:
        seen = as_this_machine_sees_them(patient.roots, patient.file)
    return Finding(check="roots", ok=seen.mend is None, message=seen.message, mend=seen.mend)


def _fence(patient: Patient) -> Finding:
    seen = fence_seen(patient.fence)
    return Finding(check="fence", ok=seen.ok, message=seen.message, mend=seen.mend)


def _user(patient: Patient) -> Finding:
    """Whoever runs it owns its file, which is for the owner alone; root may read any."""
    if Path(patient.file).stat().st_uid != ROOT:
        return fine("user", "it does not run as root")
    return Finding(
        check="user",
        ok=True,
        message="it runs as root, whose its file is, and so do the programs of jobs: what a fence misses is worse then",
        mend="make a user for it (`useradd --system ffmesh`), give that one its folder (`chown -R`), and start it as "
        "that user (`User=` in a systemd unit); only roots with `owner` or `group` of others need root",
    )
