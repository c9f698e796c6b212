"""Who takes part from this machine, as its file says: what `doctor` looks at."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from ffmesh_client import config as client_config
from ffmesh_client.fence_seen import OFF
from ffmesh_client.places import ALWAYS, IN_PATH
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.names import Principal, Role, checked_name, checked_principal
from ffmesh_protocol.wire import Told


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
