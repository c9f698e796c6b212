"""The configuration files of a mesh on one machine, from its options and its principals.

`coordinator.toml` and each `agent.toml` are also the user's: what stands there besides what `up` says itself stays, and
so does a root's table while it says the path that `up` says. The others are made anew at each start, from `up.toml`.
"""

import base64
import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from ffmesh_client.places import with_their_tables
from ffmesh_client.supervisor.door import Member
from ffmesh_client.supervisor.home import MeshHome
from ffmesh_client.supervisor.options import Options
from ffmesh_client.writing import is_private, made_folder, write_toml
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.names import DEFAULT_CLUSTER

CLIENT: Final = "local"
WATCHER: Final = "watcher"

MADE_BY_UP: Final = "Written by `ffmesh up` at each start: say its options to change this, or edit up.toml."
OF_AGENT: Final = (
    "`ffmesh up` sets name, secret, broker, programs, slots and the paths of the roots at each start;\n"
    "what stands here besides is yours, also in the table of a root."
)
OF_COORDINATOR: Final = "`ffmesh up` sets `listen` and `broker` at each start; what stands here besides is yours."
OF_WATCHER: Final = "A broker login that reads the public topics: for mosquitto_sub, Home Assistant, Node-RED."

Table = dict[str, Any]
"""What TOML can say."""


class Known(msgspec.Struct, frozen=True):
    """What an agent.toml of an earlier start tells: enough to start that agent before anybody was asked."""

    secret: bytes
    kid: int


class Files:
    def __init__(self, home: MeshHome, options: Options) -> None:
        self._home = home
        self._options = options
        self._coordinator = _table(home.coordinator)
        self.cluster = str(self._coordinator.get("cluster", DEFAULT_CLUSTER))
        """A wrong one is refused by all who use it."""
        try:
            self._broker = msgspec.convert(self._coordinator.get("broker", {}), Table)
        except msgspec.ValidationError as error:
            raise BadConfig(f"{home.coordinator}: broker: {error}; mend it, or leave it out") from error
        if self._broker.get("run"):
            raise BadConfig(
                f"{home.folder} is of a coordinator that runs its own broker (`ffmesh-coordinator init`): start it "
                f"with `ffmesh-coordinator --config {home.coordinator}`, or choose another --home"
            )

    def write_coordinator(self, port: int) -> None:
        broker = self._broker | {
            "host": self._options.host,
            "port": port,
            "passwords": "broker/passwords",
            "pid_file": "run/broker.pid",
        }
        table = self._coordinator | {"listen": self._options.listen, "broker": broker}
        if table != self._coordinator:
            write_toml(self._home.coordinator, table, comment=OF_COORDINATOR)

    def write_agent(self, name: str, member: Member | Known, port: int) -> bool:
        """Returns whether an agent that runs with what was there before must be started anew."""
        file = self._home.agent(name)
        made_folder(file.parent)
        there = _table(file)
        table = there | self._with_us(name, member, port)
        table |= {
            "roots": with_their_tables(self._options.roots_of(name), there.get("roots")),
            "programs": self._options.all_programs,
            "slots": {"cpu": self._options.slots},
        }
        if table == there and is_private(file):
            return False  # with the comments that a person may have written
        return write_toml(file, table, comment=OF_AGENT)

    def agent_is_known(self, name: str) -> Known | None:
        """Its secret as it was, if there is one and a coordinator that should know it."""
        if not self._home.database.exists():
            return None
        try:
            table = tomllib.loads(self._home.agent(name).read_bytes().decode())
            return msgspec.convert(table, Known) if table.get("cluster") == self.cluster else None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError):
            return None

    def write_client(self, member: Member, port: int) -> None:
        table = self._with_us(CLIENT, member, port) | {"roots": self._options.roots}
        write_toml(self._home.client, table, comment=MADE_BY_UP)

    def write_watcher(self, member: Member) -> None:
        assert member.login is not None, "a watcher has a login"
        write_toml(self._home.watcher, msgspec.to_builtins(member.login), comment=OF_WATCHER)

    def _with_us(self, name: str, member: Member | Known, port: int) -> Table:
        return {
            "cluster": self.cluster,
            "name": name,
            "secret": base64.b64encode(member.secret).decode(),
            "kid": member.kid,
            "broker": {"host": self._options.host, "port": port},
        }


def _table(file: Path) -> Table:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(f"{file} is not TOML: {error}; mend it, or remove it") from error
