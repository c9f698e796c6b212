"""What `ffmesh-agent --config FILE --check` finds: what this agent would advertise, and what is wrong, a finding each.

Nothing is changed, not even a cache, and a running agent is not disturbed. The programs are asked for what they list,
as the agent asks them; what hardware can do is told as far as earlier trials have shown it, and tried by the agent
alone.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ffmesh_agent.config import AgentConfig, loaded
from ffmesh_agent.shell.capability import Capability
from ffmesh_agent.shell.capture import Asker
from ffmesh_agent.shell.cgroups import NoCgroup, own, settings_of
from ffmesh_agent.shell.environment import environment, of_this_machine
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.in_force import InForce, in_force
from ffmesh_agent.shell.inspection import Inspected, inspected
from ffmesh_agent.shell.life import fresh_life
from ffmesh_agent.shell.limits import kept
from ffmesh_agent.shell.owners import unheeded
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.ffmpeg.tables import FFMPEG
from ffmesh_protocol.finding import Finding, fine, note, wrong
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms
from ffmesh_protocol.sizes import size_shown
from ffmesh_protocol.wire import Told
from ffmesh_warden.handle import Warden

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

ROOM_BYTES: Final = 100_000_000
"""What the agent's own folder should have at least: results and logs are kept there, and what they need is little."""

REMEMBERED: Final = ("lists.json", "trials.json")
"""What an agent that ran here has learned of its programs."""

_INSTALL: Final = "install it (Debian, Ubuntu, Raspberry Pi OS: apt install ffmpeg), or correct [programs]"
_FENCE: Final = (
    "a kernel from 5.13 on has Landlock (`cat /sys/kernel/security/lsm` names it); or install the package bubblewrap; "
    'or say fence = "off"'
)


class Checked(Told, frozen=True):
    """`advert` and `programs` are as they would go out; null: the configuration cannot be used."""

    findings: tuple[Finding, ...]
    advert: Advert | None = None
    programs: AdvertPrograms | None = None
    usable: bool = True

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)


async def checked(file: Path) -> Checked:
    try:
        config = loaded(file)
    except BadConfig as error:
        mend = "correct the file (docs/configuration.md has every key), or write it anew with `ffmesh join TOKEN`"
        return Checked(findings=(wrong("configuration", f"{error}", mend),), usable=False)
    home = file.absolute().parent
    roots = await inspected(config, home)
    force = in_force(config)
    async with Warden.started() as warden:
        limits = [*(await kept(config.limits, None, warden)).unkept, *_without_cgroup(config)]
        with tempfile.TemporaryDirectory(prefix="ffmesh-check-") as folder:
            seen = await _capability(config, home, Path(folder), warden, force).foreseen(
                {name: root.state for name, root in roots.items()}
            )
    assert seen.programs is not None, "all of it was foreseen"
    findings = [
        fine("configuration", f"{file} makes this machine agent {config.name} in the mesh {config.cluster}"),
        _permissions(file),
        *_programs(config, seen.advert, seen.programs),
        *([_encoders(seen.advert, seen.programs)] if FFMPEG in seen.advert.programs else []),
        _fence(config, force),
        *(_root(name, root) for name, root in roots.items()),
        *_places(config, home),
        _slots(config),
        *(_limit(sentence) for sentence in limits),
        *(
            note("owner", sentence, "start it as root, or take it out of the root")
            for sentence in unheeded(config.root_places)
        ),
        _room(home),
    ]
    return Checked(findings=tuple(findings), advert=seen.advert, programs=seen.programs)


def _capability(config: AgentConfig, home: Path, folder: Path, warden: Warden, force: InForce) -> Capability:
    for name in REMEMBERED:
        try:
            shutil.copyfile(home / name, folder / name)
        except OSError:
            continue  # no agent has run here, or it is another user's
    surroundings = of_this_machine()
    asker = Asker(warden, environment(surroundings, {}, folder), folder)
    return Capability(config, fresh_life(), folder, asker, Fencing(config, force, surroundings["PATH"]))


def _permissions(file: Path) -> Finding:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & OTHERS:
        message = f"others on this machine may read or change {file} (mode {mode:o}), and with it they are this agent"
        return wrong("permissions", message, f"chmod 600 '{file}', and make a new token if others may have read it")
    return fine("permissions", f"{file} is for its owner alone")


def _programs(config: AgentConfig, advert: Advert, programs: AdvertPrograms) -> Iterator[Finding]:
    for name in config.programs:
        if name in advert.programs:
            version = advert.programs[name]
            yield fine("program", f"{name} {version}" if version else f"{name} is here")
        else:
            yield wrong("program", programs.unavailable.get(f"program/{name}", f"{name} is not here"), _INSTALL)


def _encoders(advert: Advert, programs: AdvertPrograms) -> Finding:
    if not programs.encoders:
        return wrong("encoders", "no encoder would be advertised", "see what `ffmpeg -encoders` says")
    failed = [name for name in programs.unavailable if name.startswith(("encoder/", "hwaccel/"))]
    said = f"{len(programs.encoders)} encoders; accelerators: {', '.join(advert.hwaccels) or 'none'}"
    not_now = f"; {len(failed)} that are listed are not advertised, and --json says why" if failed else ""
    when = "" if programs.tried else "; what needs hardware is tried when the agent runs"
    return fine("encoders", f"{said}{not_now}{when}")


def _fence(config: AgentConfig, force: InForce) -> Finding:
    if force.kind is not None:
        return fine("fence", f"{force.kind} stands around programs")
    if config.fence == "off":
        return fine("fence", "none stands around programs: it is switched off")
    what = "none stands around programs" if force.takes_work else "it would take no work without a fence, and has none"
    return wrong("fence", f"{what} ({force.why_none})", _FENCE)


def _root(name: str, root: Inspected) -> Finding:
    state = root.state
    if root.is_well:
        free = f", {size_shown(state.free_bytes)} free" if state.free_bytes is not None else ""
        return fine("root", f"{name} is {root.path}{free}")
    why = state.why or ("it takes no new output" if state.mounted else "it is not there")
    return wrong("root", f"{name} ({root.path}): {why}", "mount it, let the agent write there, or correct [roots]")


def _places(config: AgentConfig, home: Path) -> Iterator[Finding]:
    for name, place in config.root_paths.items():
        if home.is_relative_to(place):
            message = f"root {name} holds the agent's own folder, {home}: jobs can read its secret there"
            yield note("home", message, "keep the agent's folder outside of all roots")
    if config.scratch is not None and not (
        Path(config.scratch).is_dir() and os.access(config.scratch, os.W_OK | os.X_OK)
    ):
        yield wrong("scratch", f"{config.scratch} is no folder that can be written", "make it, or correct `scratch`")
    for path in config.readable:
        if not Path(path).exists():
            yield note("readable", f"{path} is not there", "correct `readable`")


def _slots(config: AgentConfig) -> Finding:
    said = ", ".join(f"{kind} {total}" for kind, total in config.slots.items())
    if not any(config.slots.values()):
        return wrong(
            "slots", "it would take no job: there is no slot", "say how many at once, as in cpu = 1 of [slots]"
        )
    return fine("slots", f"so many jobs at once: {said}")


def _without_cgroup(config: AgentConfig) -> Iterator[str]:
    wanted = settings_of(config.limits)
    try:
        if wanted and not os.access(own(), os.W_OK):
            yield "[limits] memory and cpus: not in force from here, because this process may make no cgroup"
    except NoCgroup as error:
        yield f"[limits] memory and cpus: not in force from here, because {error}"


def _limit(sentence: str) -> Finding:
    return note("limits", sentence, "start it by a unit of systemd with Delegate=yes, or take it out of [limits]")


def _room(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    if free < ROOM_BYTES:
        return wrong("room", f"{size_shown(free)} are free in {home}, for results and logs", "make room there")
    return fine("room", f"{size_shown(free)} are free in {home}")
