"""client.toml: which mesh this is, who we are in it, and where our files are. Read once, strictly, and passed down.

It lies where `--config` says, else where `$FFMESH_CONFIG` says, else in the user's configuration folder
(`$XDG_CONFIG_HOME/ffmesh/client.toml`), else in `/etc/ffmesh/client.toml`. Writing it is the work of `up` and `join`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from ffmesh_protocol.errors import BadConfig, FfmeshError
from ffmesh_protocol.keys import SECRET_BYTES
from ffmesh_protocol.limits import NUMBER_MAX, SECONDS_MAX
from ffmesh_protocol.names import DEFAULT_CLUSTER, Principal, Role, checked_name, checked_principal

VARIABLE: Final = "FFMESH_CONFIG"
FILE_NAME: Final = "client.toml"
FOR_ALL: Final = Path("/etc/ffmesh") / FILE_NAME

NONE_FOUND: Final = "no client.toml found: `ffmesh up` makes one, or `ffmesh join TOKEN`"


class BrokerPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883


class ShimConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the shim does with a call. `send` names rules that do not hold: what they would keep here may be sent."""

    wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)] = 5.0
    fallback: bool = True
    send: tuple[Literal["ffprobe", "no-output", "picture", "probe"], ...] = ()


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`kid` is the generation of the secret."""

    name: str
    secret: bytes
    broker: BrokerPlace
    cluster: str = DEFAULT_CLUSTER
    kid: Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)] = 1
    roots: dict[str, str] = {}
    shim: ShimConfig = ShimConfig()

    @property
    def principal(self) -> Principal:
        return Principal(role=Role.CLIENTS, name=self.name)

    def __repr__(self) -> str:
        """Without the secret, which has no business in a log."""
        return f"ClientConfig({self.cluster}, {self.principal.login}, {self.broker.host}:{self.broker.port})"


def found(option: str | None, environment: Mapping[str, str], home: Path, for_all: Path = FOR_ALL) -> Path:
    """The file to read. One that is named must be there; of the usual places the first that has one counts."""
    named = option or environment.get(VARIABLE)
    if named:
        return Path(named)
    folder = environment.get("XDG_CONFIG_HOME", "")
    # What is not absolute is to be ignored, says the standard of those folders.
    users = Path(folder) if folder.startswith("/") else home / ".config"
    for place in (users / "ffmesh" / FILE_NAME, for_all):
        if place.exists():
            return place
    raise BadConfig(NONE_FOUND)


def load(path: Path) -> ClientConfig:
    import tomllib  # `--help` needs none

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadConfig(f"{path} does not exist: `ffmesh up` makes a client.toml, or `ffmesh join TOKEN`") from None
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadConfig(
            f"{path} is no text in UTF-8; restore it, or make a new one with `ffmesh join TOKEN`"
        ) from error
    try:
        return _checked(msgspec.convert(tomllib.loads(text), ClientConfig))
    except (tomllib.TOMLDecodeError, msgspec.MsgspecError, FfmeshError) as error:
        raise BadConfig(f"{path}: {error}; mend that line, or make the file anew with `ffmesh join TOKEN`") from error


def _checked(config: ClientConfig) -> ClientConfig:
    checked_name("cluster", config.cluster, lower_case=True)
    checked_principal(Role.CLIENTS, config.name)
    if len(config.secret) != SECRET_BYTES:
        raise BadConfig(f"`secret` is not the base64 of {SECRET_BYTES} bytes")
    for name, place in config.roots.items():
        checked_name("root", name)
        if not place.startswith("/"):
            raise BadConfig(f"the root {name} is at “{place}”, which is not absolute")
    return config
