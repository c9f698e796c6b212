"""`coordinator.toml`: what the coordinator is told by the people who run it. Its folder is the coordinator's home.
`ffmesh-coordinator init` and `ffmesh up` write one.

    cluster = "home"                # the name of the mesh; lower case
    public_details = false          # true: arguments, outputs, labels and owners of jobs are on public topics too
    listen = "127.0.0.1"            # where the broker listens; join tokens name an address that follows from it
    public_host = "mesh.example"    # … or this one, if it is said
    keep_finished_days = 30         # what has ended is forgotten when it is older than that …
    keep_finished_jobs = 10000      # … or when so many have ended after it

    [broker]
    host = "127.0.0.1"              # where the coordinator itself finds the broker
    port = 1883
    passwords = "broker/passwords"  # Mosquitto's password file; relative to the home
    run = false                     # true: the coordinator starts this Mosquitto, and keeps it running
    pid_file = "run/broker.pid"     # else: whose Mosquitto is told when the password file has changed

Every key may be left out. A key that nobody knows is an error: it is a typing mistake more often than not.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from ffmesh_protocol.errors import BadConfig, BadName
from ffmesh_protocol.names import DEFAULT_CLUSTER, checked_name
from ffmesh_protocol.wire import Told

FILE_NAME: Final = "coordinator.toml"
ROOTS_HOME: Final = Path("/var/lib/ffmesh")

Host = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Days = Annotated[float, msgspec.Meta(ge=0, le=100_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]

_sentence_and_place = re.compile(r"^(?P<sentence>.*?)(?: - at `\$\.?(?P<place>.*)`)?\Z", re.DOTALL)
_unknown_key = re.compile(r"unknown field `(?P<key>.*)`")


class BrokerConfig(Told, frozen=True, forbid_unknown_fields=True):
    host: Host = "127.0.0.1"
    port: Port = 1883
    passwords: PathText = "broker/passwords"
    run: bool = False
    pid_file: PathText = "run/broker.pid"


class Config(Told, frozen=True, forbid_unknown_fields=True):
    cluster: str = DEFAULT_CLUSTER
    public_details: bool = False
    listen: Host = "127.0.0.1"
    public_host: Host | None = None
    keep_finished_days: Days = 30.0
    keep_finished_jobs: Count = 10_000
    broker: BrokerConfig = BrokerConfig()


def load(file: Path) -> Config:
    """The configuration, or `BadConfig`, which names file and key and says what to do."""
    try:
        table = tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        raise BadConfig(
            f"{file} does not exist; `ffmesh-coordinator init` or `ffmesh up` makes one, and --home or --config say "
            "where it is"
        ) from None
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"{file} is not UTF-8 (byte {error.start}); save it again as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{file} is not TOML: {error}") from error
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{file}: {_explained(str(error))}") from error
    try:
        checked_name("cluster", config.cluster, lower_case=True)
    except BadName as error:
        raise BadConfig(f"{file}: cluster: {error}") from error
    if config.broker.run and config.broker.passwords != BrokerConfig().passwords:
        raise BadConfig(f"{file}: broker.passwords is for a broker that others run; leave it out, or say run = false")
    return config


def default_home(environment: Mapping[str, str], user: int) -> Path:
    """Where a coordinator's home is when nobody says; the same folder that `ffmesh up` takes."""
    if user == 0:
        return ROOTS_HOME
    states = environment.get("XDG_STATE_HOME", "")
    # The specification of these variables says that a relative path is to be ignored.
    folder = Path(states) if states.startswith("/") else Path(environment.get("HOME", "/")) / ".local" / "state"
    return folder / "ffmesh"


def _explained(error: str) -> str:
    """Which key is wrong, how, and what to do, from msgspec's words."""
    match = _sentence_and_place.match(error)
    sentence, place = (match["sentence"], match["place"] or "") if match else (error, "")
    unknown = _unknown_key.search(sentence)
    if unknown is None:
        return f"{place}: {sentence[:1].lower()}{sentence[1:].replace('`', '')}; correct it, or leave the key out"
    section = BrokerConfig if place == "broker" else Config
    key = f"{place}.{unknown['key']}" if place else unknown["key"]
    return f"there is no key {key}; the keys here are {', '.join(section.__struct_fields__)}"
