"""What `up` was told, now or before: kept in `up.toml`, where an option said now takes the place of the one kept.

`--root` and `--program` are one option each: saying one of them anew replaces all that were said before.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from ffmesh_client.errors import WrongUsage
from ffmesh_client.places import ALWAYS, IN_PATH, RootSaid, once_each
from ffmesh_client.writing import write_toml
from ffmesh_protocol.errors import BadConfig, BadName
from ffmesh_protocol.limits import SLOTS
from ffmesh_protocol.names import Role, checked_name, checked_principal

AGENTS_MAX: Final = 1000
"""Of one `up`. Each is a process of some 50 MB: nobody means more."""

LOOPBACK: Final = "127.0.0.1"

COMMENT: Final = """\
The options of `ffmesh up` in this folder, as they were said last. `port` is there if one was demanded;
`last_port` is where the broker was, and is taken again if it is free."""

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that a mesh on one machine is made from. Every path is absolute."""

    agents: Annotated[int, msgspec.Meta(ge=1, le=AGENTS_MAX)] = 1
    slots: Annotated[int, msgspec.Meta(ge=1, le=SLOTS)] = 1
    listen: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] = LOOPBACK
    port: Port | None = None
    last_port: Port | None = None
    roots: dict[str, str] = {}
    agent_roots: dict[str, dict[str, str]] = {}
    programs: dict[str, str] = {}

    @property
    def agent_names(self) -> list[str]:
        return [f"agent-{number}" for number in range(1, self.agents + 1)]

    @property
    def host(self) -> str:
        """Where this machine finds its own broker."""
        return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self.listen, self.listen)  # noqa: S104 - asked for by --listen

    def roots_of(self, agent: str) -> dict[str, str]:
        return self.roots | self.agent_roots.get(agent, {})

    @property
    def all_programs(self) -> dict[str, str]:
        return dict.fromkeys(ALWAYS, IN_PATH) | self.programs


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The options of this one start; None is one that was not said."""

    agents: int | None = None
    slots: int | None = None
    listen: str | None = None
    port: int | None = None
    roots: Sequence[RootSaid] | None = None
    programs: dict[str, str] | None = None


def kept(file: Path) -> Options:
    try:
        options = msgspec.convert(tomllib.loads(file.read_bytes().decode()), Options)
        _check(options)
    except FileNotFoundError:
        return Options()
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, BadName) as error:
        raise BadConfig(f"{file}: {error}; mend it, or remove it and say the options anew") from error
    return options


def keep(options: Options, file: Path) -> None:
    write_toml(file, msgspec.to_builtins(options), comment=COMMENT)


def merged(before: Options, said: Said) -> Options:
    """What holds from now on; `WrongUsage` if that cannot be."""
    plain = {name: getattr(said, name) for name in ("agents", "slots", "listen", "port", "programs")}
    options = msgspec.structs.replace(before, **{name: value for name, value in plain.items() if value is not None})
    if said.roots is not None:
        options = msgspec.structs.replace(options, **_by_agent(said.roots, options.agent_names))
    return options


def _by_agent(said: Sequence[RootSaid], agents: Sequence[str]) -> dict[str, dict[str, str] | dict[str, dict[str, str]]]:
    everybodys: dict[str, str] = {}
    of_agents: dict[str, dict[str, str]] = {}
    for root in once_each(said):
        if root.agent is None:
            everybodys[root.name] = root.path
        elif root.agent in agents:
            of_agents.setdefault(root.agent, {})[root.name] = root.path
        else:
            raise WrongUsage(
                f"--root {root.agent}:{root.name}={root.path}: there is no such agent; "
                f"with --agents {len(agents)} there is {_listed(agents)}"
            )
    return {"roots": everybodys, "agent_roots": of_agents}


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"


def _check(options: Options) -> None:
    for roots in (options.roots, *options.agent_roots.values()):
        for name in roots:
            checked_name("root", name)
    for agent in options.agent_roots:
        checked_principal(Role.AGENTS, agent)
