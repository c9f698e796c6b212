"""What is wrong with a mesh by what its agents say of themselves: versions, clocks, encoders, roots, room. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from ffmesh_client.storages import differing
from ffmesh_protocol.finding import Finding, fine, note, wrong
from ffmesh_protocol.messages.capability import AgentView, PublicAgent
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.sizes import size_shown

CLOCK_SECONDS: Final = 15.0
"""So old may be what the coordinator has said of an agent that is there; what differs by less cannot be told."""

LITTLE_ROOM: Final = 1_000_000_000

HARDWARE: Final = (
    *("_amf", "_mediacodec", "_mf", "_nvenc", "_omx", "_qsv"),
    *("_rkmpp", "_v4l2m2m", "_vaapi", "_videotoolbox", "_vulkan"),
)
"""How ffmpeg's encoders that need hardware end."""

_WITH: Final = "ffmpeg"


def told(
    agents: Sequence[AgentView], *, ours: str, coordinators: str, now: datetime, roots: Mapping[str, str | None]
) -> list[Finding]:
    """`roots`: those of the client that asks, with the nonce that lies in each here."""
    here = [agent for agent in agents if agent.state is not AgentState.OFFLINE]
    return [
        versions(here, ours=ours, coordinators=coordinators),
        *clock(here, now),
        *_encoders(here),
        *_mounts(here, roots),
        *_room(here),
        *limits(agents),
        *_storages(here, roots),
    ]


def versions(agents: Sequence[PublicAgent], *, ours: str, coordinators: str) -> Finding:
    others = {f"agent {agent.name}": agent.version for agent in agents if agent.version is not None}
    differ = {who: version for who, version in {"the coordinator": coordinators, **others}.items() if version != ours}
    if not differ:
        return fine("versions", f"all are {ours}")
    said = ", ".join(f"{who} is {version}" for who, version in differ.items())
    mend = "bring all to the same one when it suits; what one of them does not know yet is left out meanwhile"
    return note("versions", f"this is {ours}, {said}", mend)


def clock(agents: Sequence[PublicAgent], now: datetime) -> list[Finding]:
    """By what the coordinator, which has the clock that counts, has just said of those that are there."""
    seen = [datetime.fromisoformat(agent.last_seen_at) for agent in agents if agent.last_seen_at is not None]
    if not seen:
        return []
    ahead = (now - max(seen)).total_seconds()
    if abs(ahead) <= CLOCK_SECONDS:
        return [fine("clock", "this machine's agrees with the coordinator's, as far as can be told")]
    how = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the coordinator's"
    return [
        note(
            "clock",
            f"this machine's is {how}; nothing rests on it, but the times that are shown are the coordinator's",
            "let both be set by the network: `timedatectl set-ntp true`",
        )
    ]


def limits(agents: Sequence[PublicAgent]) -> list[Finding]:
    unkept = [
        f"{agent.name}: {agent.unavailable['limits']}"
        for agent in agents
        if isinstance(agent, AgentView) and "limits" in agent.unavailable
    ]
    mend = (
        "give what they need, or take them out of [limits] in that agent.toml; the agents work without them meanwhile"
    )
    return [note("limits", "; ".join(unkept), mend)] if unkept else []


def _encoders(agents: Sequence[AgentView]) -> Iterator[Finding]:
    able = [agent for agent in agents if _WITH in agent.programs]
    if not able:
        return
    broken = [f"{agent.name}: {name}: {why}" for agent in able for name, why in _broken(agent)]
    none = [agent.name for agent in able if agent.tried and not agent.encoders]
    if none:
        yield wrong("encoders", f"none works on {', '.join(none)}", f"install ffmpeg again there: {_see(none[0])}")
    elif broken:
        yield note("encoders", "; ".join(broken), f"install an ffmpeg there that has them: {_see(able[0].name)}")
    else:
        yield fine("encoders", "; ".join(f"{agent.name}: {_encoders_of(agent)}" for agent in able))


def _see(name: str) -> str:
    return f"`ffmesh agent {name}` says why each does not work"


def _broken(agent: AgentView) -> Iterator[tuple[str, str]]:
    """What needs no hardware and does not work all the same."""
    for subject, why in agent.unavailable.items():
        kind, _, name = subject.partition("/")
        if kind == "encoder" and not name.endswith(HARDWARE):
            yield name, why


def _encoders_of(agent: AgentView) -> str:
    of_hardware = [name for name in agent.encoders if name.endswith(HARDWARE)]
    not_yet = "" if agent.tried else ", not all tried yet"
    return f"{len(agent.encoders)}, of hardware {', '.join(of_hardware) or 'none'}{not_yet}"


def _mounts(agents: Sequence[AgentView], roots: Mapping[str, str | None]) -> Iterator[Finding]:
    away = [
        f"{name} on {agent.name}: {state.why or 'it takes no new output'}"
        for agent in agents
        for name, state in sorted(agent.roots.items())
        if not state.mounted or (state.writable is False and state.why is not None)
    ]
    nowhere = [name for name in roots if not any(name in agent.roots for agent in agents)]
    if nowhere and agents:
        mend = "name them in [roots] of an agent.toml: a job that names a file there waits for such an agent"
        yield wrong("mounts", f"no agent that is there has the root {', '.join(nowhere)}", mend)
    elif away:
        yield note("mounts", "; ".join(away), "mount them there; `ffmesh doctor` on that machine says more")
    else:
        yield fine("mounts", "what the agents name as roots is there")


def _room(agents: Sequence[AgentView]) -> Iterator[Finding]:
    little = [
        f"{name} on {agent.name}: {size_shown(state.free_bytes)}"
        for agent in agents
        for name, state in sorted(agent.roots.items())
        if state.writable and state.free_bytes is not None and state.free_bytes < LITTLE_ROOM
    ]
    if little:
        yield note("room", f"little is free in {'; '.join(little)}", "make room there, or jobs that write there wait")
    else:
        yield fine("room", "the agents' roots have room")


def _storages(agents: Sequence[AgentView], roots: Mapping[str, str | None]) -> list[Finding]:
    """Most roots keep no nonce, and there is nothing to say of them."""
    strangers = differing(agents) + [
        f"root {name} is not the same storage here as on {agent.name}"
        for agent in agents
        for name, state in sorted(agent.roots.items())
        if state.storage is not None and roots.get(name) is not None and roots[name] != state.storage
    ]
    if not strangers:
        return []
    mend = "mount the same one on both machines, or give one of the roots another name where it is configured"
    return [wrong("storage", "; ".join(strangers), mend)]
