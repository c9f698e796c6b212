"""What `ffmesh doctor` looks at, one finding a check, in the order in which one rests on the other.

A check that rests on one that failed says so and is not made. Nothing is changed, and nobody who takes part is
disturbed: the login is tried with a life of its own.

Not here yet: whether encoders work, which the agents do not try themselves yet.
"""

import asyncio
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from ffmesh_client import config as client_config
from ffmesh_client.errors import Unreachable
from ffmesh_client.fence_seen import OFF, fence_seen, fences_told
from ffmesh_client.ids import fresh_ulid
from ffmesh_client.mesh import Mesh
from ffmesh_client.places import ALWAYS, HOW_TO_INSTALL, IN_PATH, is_there
from ffmesh_client.roots_seen import as_the_agent_sees_them, as_this_machine_sees_them
from ffmesh_client.storages import differing
from ffmesh_protocol import codec, keys
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
from ffmesh_protocol.messages.capability import AgentView
from ffmesh_protocol.messages.presence import AgentState, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.names import Principal, Role, checked_name, checked_principal
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.topics import Topics
from ffmesh_protocol.wire import Told

PATIENCE: Final = 3.0
"""Seconds for each thing that somebody else has to answer. Who calls the doctor wants to know now."""

FIRST_THE_OTHERS: Final = "mend what was found before this first"
"""How to mend what could not be looked at."""

NOT_AUTHORIZED: Final = 135
ROOT: Final = 0
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Finding(Told, frozen=True):
    """One that is `ok` and has something to mend all the same works as it is, and would be better otherwise."""

    check: str
    ok: bool
    message: str
    mend: str | None


class Patient(Told, frozen=True):
    """Who takes part from this machine, as its file says. `client` is None for an agent."""

    file: str
    principal: Principal
    cluster: str
    secret: bytes
    host: str
    port: int
    roots: Mapping[str, str]
    programs: Mapping[str, str]
    client: client_config.ClientConfig | None
    fence: str = OFF

    def __repr__(self) -> str:
        return f"Patient({self.principal.login})"  # without the secret, which has no business in a log


class _BrokerPlace(msgspec.Struct, frozen=True):
    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]


class _RootPlace(msgspec.Struct, frozen=True, kw_only=True):
    path: str


class _AgentFile(msgspec.Struct, frozen=True, kw_only=True):
    """As much of an agent.toml as is looked at here; the agent itself is stricter."""

    cluster: str
    name: str
    secret: bytes
    broker: _BrokerPlace
    roots: dict[str, str | _RootPlace] = {}
    programs: dict[str, str] = msgspec.field(default_factory=lambda: dict.fromkeys(ALWAYS, IN_PATH))
    fence: str = "on"


async def examined(file: Path) -> list[Finding]:
    """All findings about who takes part with this file."""
    try:
        patient = read(file)
    except (BadConfig, BadName) as error:
        return [_wrong("configuration", f"{error}", "mend the file, or write it anew with `ffmesh join TOKEN`")]
    who = f"{patient.principal.role.singular} {patient.principal.name}"
    findings = [_fine("configuration", f"{file} makes this machine {who} in the mesh {patient.cluster}")]
    findings.append(_permissions(file))
    findings += await _of_broker(patient)
    findings += await _of_machine(patient)
    return findings


def read(file: Path) -> Patient:
    """Whoever the file is of: agent.toml has what no client.toml has, or that name."""
    try:
        table = tomllib.loads(file.read_bytes().decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        table = {}  # the loader has the sentence
    if file.name == "agent.toml" or not {"programs", "slots"}.isdisjoint(table):
        return _agent(file)
    config = client_config.load(file)
    return Patient(
        file=str(file),
        principal=config.principal,
        cluster=config.cluster,
        secret=config.secret,
        host=config.broker.host,
        port=config.broker.port,
        roots=config.roots,
        programs={},
        client=config,
    )


def _agent(file: Path) -> Patient:
    try:
        agent = msgspec.convert(tomllib.loads(file.read_bytes().decode()), _AgentFile)
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadConfig(f"{file}: {error}") from error
    checked_name("cluster", agent.cluster, lower_case=True)
    return Patient(
        file=str(file),
        principal=checked_principal(Role.AGENTS, agent.name),
        cluster=agent.cluster,
        secret=agent.secret,
        host=agent.broker.host,
        port=agent.broker.port,
        roots={name: place if isinstance(place, str) else place.path for name, place in agent.roots.items()},
        programs=agent.programs,
        fence=agent.fence,
        client=None,
    )


def _permissions(file: Path) -> Finding:
    there = file.stat()
    if there.st_mode & OTHERS:
        return _wrong(
            "permissions",
            f"others on this machine may read or change {file} (mode {stat.S_IMODE(there.st_mode):o}), and with it "
            "they are you",
            f"chmod 600 '{file}', and make a new token if others may have read it",
        )
    return _fine("permissions", f"{file} is for its owner alone")


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
    status = Subscription(topic=Topics(patient.cluster).coordinator_status())
    answers = _fine("broker", f"it answers at {address}")
    try:
        async with asyncio.timeout(PATIENCE) as limit:
            async with connected(address, client_id=f"{login}/{life}-{tag}", subscriptions=[status]) as bus:
                limit.reschedule(None)  # what follows has limits of its own
                return [answers, _fine("login", f"the broker lets {login} in"), *await _inside(patient, bus)]
    except LoginRefused:
        return [answers, _no_login(patient), *_not_made(_after_login(patient), "no login")]
    except TimeoutError:
        sentence = f"nobody answers at {address}"
    except BrokerError as error:
        sentence = f"{error}"
    mend = (
        f"start `ffmesh up` there, or correct [broker] in {patient.file}; between two machines look at the firewall, "
        "and at --listen of `ffmesh up`"
    )
    return [_wrong("broker", sentence, mend), *_not_made(["login", *_after_login(patient)], "no broker")]


def _no_login(patient: Patient) -> Finding:
    name = patient.principal.name
    return _wrong(
        "login",
        f"the broker does not let {patient.principal.login} in: it was removed, or this file is an old one",
        f"on the coordinator's machine: `ffmesh principal list`; if {name} is missing there, `ffmesh principal add "
        f"{name} --role {patient.principal.role.singular}`, then `ffmesh join` here with that token",
    )


async def _inside(patient: Patient, bus: Bus) -> list[Finding]:
    access = await _access(patient, bus)
    coordinator = await _coordinator(bus)
    if patient.client is None:
        return [access, coordinator]
    if not coordinator.ok:
        return [access, coordinator, *_not_made(["keys", "agents", "fences"], "no coordinator")]
    return [access, coordinator, *await _answers(patient.client)]


async def _access(patient: Patient, bus: Bus) -> Finding:
    """A grant of a subscription proves nothing; only a refused message shows that the access list is in force."""
    mend = "make the broker use the acl.conf in its folder, written by ffmesh, and start it again"
    try:
        async with asyncio.timeout(PATIENCE):
            await bus.publish(Packet(topic=Topics(patient.cluster).canary(), payload=b"", qos=1))
    except PublishRefused as error:
        if error.reason_code == NOT_AUTHORIZED:
            return _fine("access", "the broker refuses what nobody may say")
        return _wrong("access", f"{error}, where 135 was due", mend)
    except (BrokerError, TimeoutError) as error:
        return _wrong("access", f"the broker did not answer to what it has to refuse: {error or 'no answer'}", mend)
    return _wrong("access", "the broker takes what nobody may say: its access list is not in force", mend)


async def _coordinator(bus: Bus) -> Finding:
    mend = "start it: `ffmesh up` on its machine, or look at its log there"
    try:
        async with asyncio.timeout(PATIENCE):
            packet = (await bus.received())[-1]
        status = codec.decode(CoordinatorStatus, packet.payload)
    except (BrokerError, TimeoutError):
        return _wrong("coordinator", "no coordinator has ever been at this broker since it was started", mend)
    except MalformedMessage as error:
        return _wrong("coordinator", f"it says of itself what this version does not understand: {error}", mend)
    if status.state is CoordinatorState.OFFLINE:
        return _wrong("coordinator", "it was there, and is not any more", mend)
    return _fine("coordinator", f"it is {status.state.value}, version {status.version}")


async def _answers(config: client_config.ClientConfig) -> list[Finding]:
    """A signed question and its signed answer."""
    try:
        async with asyncio.timeout(PATIENCE), Mesh.connected(config) as mesh:
            agents = await mesh.agents()
    except (Unreachable, TimeoutError):
        finding = _wrong(
            "keys",
            "the coordinator does not answer us: it is stuck, or does not know our key",
            f"look at its log; on its machine `ffmesh principal remove {config.name}` and `ffmesh principal add "
            f"{config.name} --role client` make a new key, for `ffmesh join` here",
        )
    except FfmeshError as error:
        finding = _wrong("keys", f"{error}", "try again in a moment; if that does not help, join with a new token")
    else:
        return [_fine("keys", "the coordinator answers what we sign"), _agents(agents), _fences(agents), *_more(agents)]
    return [finding, *_not_made(["agents", "fences"], "no answer")]


def _agents(agents: Sequence[AgentView]) -> Finding:
    there = [agent for agent in agents if agent.state is not AgentState.OFFLINE]
    taking = [agent for agent in there if agent.state is AgentState.ONLINE]
    if not there:
        known = f"all {len(agents)} of them are offline" if agents else "there is none"
        return _wrong(
            "agents",
            f"nobody could run a job: {known}",
            "start `ffmesh-agent` on their machines; a new one is made with `ffmesh principal add NAME --role agent`",
        )
    if not taking:
        names = ", ".join(agent.name for agent in there)
        return _wrong("agents", f"nobody takes a job: {names} are drained", f"`ffmesh resume {there[0].name}`")
    if not any("ffmpeg" in agent.programs for agent in taking):
        return _wrong("agents", "none of those that are online has ffmpeg", f"on their machines: {HOW_TO_INSTALL}")
    return _fine("agents", f"{len(taking)} of {len(agents)} take jobs: {', '.join(agent.name for agent in taking)}")


def _fences(agents: Sequence[AgentView]) -> Finding:
    seen = fences_told(agents)
    return Finding(check="fences", ok=seen.ok, message=seen.message, mend=seen.mend)


def _more(agents: Sequence[AgentView]) -> list[Finding]:
    """Nothing, where all is well."""
    return [*limits_told(agents), *_storages(agents)]


def limits_told(agents: Sequence[AgentView]) -> list[Finding]:
    unkept = [f"{agent.name}: {agent.unavailable['limits']}" for agent in agents if "limits" in agent.unavailable]
    mend = (
        "give what they need, or take them out of [limits] in that agent.toml; the agents work without them meanwhile"
    )
    return [Finding(check="limits", ok=True, message="; ".join(unkept), mend=mend)] if unkept else []


def _storages(agents: Sequence[AgentView]) -> list[Finding]:
    """Most roots keep no nonce, and there is nothing to say of them."""
    strangers = differing(agents)
    if not strangers:
        return []
    mend = "mount the same one on both machines, or give one of the roots another name in its agent.toml"
    return [_wrong("storage", "; ".join(strangers), mend)]


def _after_login(patient: Patient) -> list[str]:
    return ["access", "coordinator", *([] if patient.client is None else ["keys", "agents"])]


# This machine


async def _of_machine(patient: Patient) -> list[Finding]:
    of_agents = [] if patient.client is not None else [_fence(patient), _user(patient)]
    return [_programs(patient), await _roots(patient), *of_agents]


def _programs(patient: Patient) -> Finding:
    if patient.client is not None:
        # The agents have it; a client that lacks it only cannot run anything by itself.
        here = "is here too" if is_there("ffmpeg", IN_PATH) else "is not on this machine, and need not be"
        return _fine("programs", f"ffmpeg {here}")
    absent = [path or name for name, path in patient.programs.items() if not is_there(name, path)]
    if absent:
        return _wrong(
            "programs",
            f"not on this machine: {', '.join(absent)}",
            HOW_TO_INSTALL if set(absent) <= set(ALWAYS) else f"install them, or correct [programs] in {patient.file}",
        )
    return _fine("programs", f"all are here: {', '.join(patient.programs)}")


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
        return _fine("user", "it does not run as root")
    return Finding(
        check="user",
        ok=True,
        message="it runs as root, whose its file is, and so do the programs of jobs: what a fence misses is worse then",
        mend="make a user for it (`useradd --system ffmesh`), give that one its folder (`chown -R`), and start it as "
        "that user (`User=` in a systemd unit); only roots with `owner` or `group` of others need root",
    )


# Findings


def _fine(check: str, message: str) -> Finding:
    return Finding(check=check, ok=True, message=message, mend=None)


def _wrong(check: str, message: str, mend: str) -> Finding:
    return Finding(check=check, ok=False, message=message, mend=mend)


def _not_made(checks: Sequence[str], why: str) -> list[Finding]:
    return [_wrong(check, f"not checked: {why}", FIRST_THE_OTHERS) for check in checks]
