"""`agent.toml`: who this agent is, where its broker is, and what it may use here.

Parsed once and strictly: a key that is misspelt is an error with the key's name, never a default in silence. The
file's folder is the agent's home. `ffmesh join` and `ffmesh up` write it.

    cluster = "home"
    name = "pi-1"
    secret = "…"                    # 32 bytes in base64
    kid = 1                         # generation of the secret

    [broker]
    host = "192.168.1.10"
    port = 1883

    [roots]
    Movies = "/media/movies"        # or a table that says more about it, see roots.py beside this file

    [programs]
    ffmpeg = ""                     # "" is looked up in PATH
    ffprobe = "/opt/ffmpeg/bin/ffprobe"

    [slots]
    cpu = 2

    # What follows may be left out.
    weight = 1.0                    # work goes to the agent with the largest share of free slots times this
    fence = "on"                    # around each program, by the kernel, the best there is; "required": none, no work;
                                    # "landlock", "bubblewrap": not this one, no work; "off"
    network = ["ffmpeg"]            # programs that may open network connections; none unless said
    reads = "roots"                 # all of the roots that a job names; "inputs": only the folders of its inputs
    readable = ["/opt/luts"]        # what every program may read besides
    scratch = "/var/tmp/ffmesh"     # where roots with `scratch = true` have their outputs made

    [limits]                        # of each program
    nice = 10
    ionice = "idle"                 # or "best-effort:0" … "best-effort:7"
    memory = "2 GB"                 # these two need a cgroup of version 2 that is the agent's (systemd: Delegate=yes)
    cpus = 1.5

    [trials]
    run = true                      # try what ffmpeg lists, in the background; false: believe the list

    [manners]                       # towards the people of this machine; see manners/minds.py beside this file
    slow_cpus = 2
    inhibit_sleep = true

Any key may be said by the environment instead (overlay.py); `FFMESH_TRIALS=on` and `=off` go before `run`.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, get_args, get_type_hints

import msgspec
from msgspec import structs

from ffmesh_agent import overlay
from ffmesh_agent.manners import minds
from ffmesh_agent.manners.minds import Manners, Minded, NoManners
from ffmesh_agent.roots import RootPlace, Size, Strict
from ffmesh_protocol.errors import BadConfig, BadName
from ffmesh_protocol.keys import SECRET_BYTES
from ffmesh_protocol.limits import HEAVIEST, LIGHTEST, NUMBER_MAX, SLOTS, WORD_CHARS
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.names import Principal, Role, checked_name, checked_principal

TRIALS: Final = "FFMESH_TRIALS"


class BrokerPlace(Strict, frozen=True):
    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]


def _ffmpeg_and_ffprobe() -> dict[str, str]:
    return {"ffmpeg": "", "ffprobe": ""}


def _one_at_a_time() -> dict[str, int]:
    return {"cpu": 1}


class Limits(Strict, frozen=True):
    """Of each program that is started for a job."""

    nice: Annotated[int, msgspec.Meta(ge=-20, le=19)] | None = None
    ionice: Annotated[str, msgspec.Meta(pattern=r"^(idle|best-effort(:[0-7])?)\Z")] | None = None
    memory: Size | None = None
    cpus: Annotated[float, msgspec.Meta(gt=0, le=4096)] | None = None


class Trials(Strict, frozen=True):
    """Of encoders and accelerators, while the machine has a slot that nobody uses."""

    run: bool = True


class AgentConfig(Strict, frozen=True):
    cluster: str
    name: str
    secret: bytes
    broker: BrokerPlace
    kid: Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)] = 1
    roots: dict[str, str | RootPlace] = msgspec.field(default_factory=dict[str, str | RootPlace])
    programs: dict[str, str] = msgspec.field(default_factory=_ffmpeg_and_ffprobe)
    slots: dict[str, Annotated[int, msgspec.Meta(ge=0, le=SLOTS)]] = msgspec.field(default_factory=_one_at_a_time)
    weight: Annotated[float, msgspec.Meta(ge=LIGHTEST, le=HEAVIEST)] = 1.0
    fence: Literal["on", "required", "landlock", "bubblewrap", "off"] = "on"
    network: tuple[str, ...] = ()
    reads: Literal["roots", "inputs"] = "roots"
    readable: tuple[str, ...] = ()
    scratch: str | None = None
    limits: Limits = Limits()
    trials: Trials = Trials()
    manners: Manners = Manners()

    @property
    def root_places(self) -> dict[str, RootPlace]:
        return {
            name: place if isinstance(place, RootPlace) else RootPlace(path=place) for name, place in self.roots.items()
        }

    @property
    def root_paths(self) -> dict[str, str]:
        return {name: place.path for name, place in self.root_places.items()}

    @property
    def principal(self) -> Principal:
        return Principal(role=Role.AGENTS, name=self.name)

    def __repr__(self) -> str:
        return f"AgentConfig({self.cluster}/{self.name})"  # never the secret: this ends up in logs


def loaded(file: Path, environment: Mapping[str, str] = os.environ) -> AgentConfig:
    """What the file says, and the environment; `BadConfig` with file, key and what to do."""
    variables = overlay.said(environment)
    where = f"{file}, with {', '.join(variables)} in the environment" if variables else f"{file}"
    try:
        table = tomllib.loads(file.read_bytes().decode())
        config = msgspec.convert(overlay.overlaid(table, environment), AgentConfig)
        _check(config)
    except FileNotFoundError as error:
        raise BadConfig(f"there is no file {file}; `ffmesh join TOKEN` writes one") from error
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{file} is no TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise BadConfig(f"{where}: {_with_key(str(error))}") from error
    except (BadName, NoManners, _Wrong) as error:
        raise BadConfig(f"{where}: {error}") from error
    return _with_environment(config, environment)


def _with_environment(config: AgentConfig, environment: Mapping[str, str]) -> AgentConfig:
    """For who starts many agents at once, as `ffmesh up` does, and would have to change each file."""
    match environment.get(TRIALS):
        case None | "":
            return config
        case "on" | "off" as said:
            return structs.replace(config, trials=Trials(run=said == "on"))
        case other:
            raise BadConfig(f"{TRIALS}={other[:80]} in the environment says nothing; say on or off, or leave it out")


_CHOICES: Final = {
    **{key: ", ".join(get_args(get_type_hints(AgentConfig)[key])) for key in ("fence", "reads")},
    "then": ", ".join(Manner),
    "unknown": ", ".join(get_args(get_type_hints(Minded)["unknown"])),
}
"""By the last part of a key."""

_LENGTHS: Final = {"idle", "begins_after", "ends_after", "every"}


class _Wrong(Exception):
    """What msgspec's types cannot say."""


def _with_key(message: str) -> str:
    """msgspec's “Expected `int`, got `str` - at `$.broker.port`” with the key in front."""
    what, _, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    what = what.replace("Object", "the file") if not key else what.replace("Object", "this table")
    last = key.rpartition(".")[2]
    if last in _CHOICES:
        what = f"{what}; say one of {_CHOICES[last]}"
    elif last in _LENGTHS:
        what = f"{what}; write a number and s, min or h, as in 10 min"
    return f"{key}: {what}" if key else what


def _check(config: AgentConfig) -> None:
    checked_name("cluster", config.cluster, lower_case=True)
    checked_principal(Role.AGENTS, config.name)
    if len(config.secret) != SECRET_BYTES:
        raise _Wrong(
            f"secret: {len(config.secret)} bytes instead of {SECRET_BYTES}; copy it again, or join with a new token"
        )
    for name, root in config.root_places.items():
        _check_root(name, root, config)
    _check_chain_of_needs(config)
    minds.check(config.manners)
    for name, place in config.programs.items():
        if not name or "/" in name or "\0" in name or len(name) > WORD_CHARS:
            raise _Wrong(
                f"programs: “{name[:80]}” cannot name a program; write its name here and its path as the value"
            )
        if place and not place.startswith("/"):
            raise _Wrong(f'programs.{name}: “{place}” is not absolute; write the whole path, or "" to look in PATH')
    for kind in config.slots:
        checked_name("kind of slot", kind)
    for key, paths in (("readable", config.readable), ("scratch", filter(None, (config.scratch,)))):
        for path in paths:
            if not path.startswith("/"):
                raise _Wrong(f"{key}: “{path}” is not absolute; write the whole path")
    for program in config.network:
        if program not in config.programs:
            raise _Wrong(f"network: {program} is not one of [programs]")


def _check_root(name: str, place: RootPlace, config: AgentConfig) -> None:
    checked_name("root", name)
    if not place.path.startswith("/"):
        raise _Wrong(f"roots.{name}: “{place.path}” is not absolute; write the whole path of the folder")
    if "\0" in place.path or "\0" in (place.sentinel or "") or place.recover[:1] == ("",):
        raise _Wrong(f"roots.{name}: a path that cannot be; write those of a folder, a file and a program")
    for other in place.needs:
        if other not in config.roots:
            raise _Wrong(f"roots.{name}.needs: there is no root {other}")
    if place.sentinel is not None and (place.sentinel.startswith("/") or ".." in place.sentinel.split("/")):
        raise _Wrong(f"roots.{name}.sentinel: “{place.sentinel}” is not below the root; write its path from there")
    if place.scratch and config.scratch is None:
        raise _Wrong(f"roots.{name}.scratch: say with the key `scratch`, at the top, which folder to use")


def _check_chain_of_needs(config: AgentConfig) -> None:
    """A root that is there only when it is there never is."""
    places = config.root_places

    def follow(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " needs ".join((*path[path.index(name) :], name))
            raise _Wrong(
                f"roots.{name}.needs: {circle}, so that none of them would ever be there; leave one of these out"
            )
        for other in places[name].needs:
            follow(other, (*path, name))

    for name in places:
        follow(name, ())
