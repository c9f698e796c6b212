"""`ffmesh-coordinator init`: a coordinator's home, and the broker's files in it, for a server without `ffmesh up`.

What is there is never overwritten: said again, it changes nothing, and said otherwise, it is refused by the key that
differs.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import tomli_w

from ffmesh_broker.configuration import prepare, write_conf
from ffmesh_broker.errors import CannotListen
from ffmesh_broker.files import replace_file
from ffmesh_broker.listening import check_can_listen, is_free
from ffmesh_coordinator.config import FILE_NAME, BrokerConfig, Config, load
from ffmesh_coordinator.shell.enrolment import address_for_others
from ffmesh_coordinator.shell.errors import HomeInUse, HomeUnusable, InitRefused
from ffmesh_coordinator.shell.home import Home, made_folder
from ffmesh_protocol.names import checked_name
from ffmesh_protocol.wire import Told

COMMAND: Final = "ffmesh-coordinator init"
COMMENT: Final = (
    "# Written by `ffmesh-coordinator init`, and yours from then on: docs/configuration.md has all keys.\n\n"
)

USUAL_PORT: Final = 1883
PORTS_TRIED: Final = 100
"""From the usual one on. Debian's own Mosquitto has that one where it was installed and left as it is."""

_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked for by --listen
"""Where this machine itself finds what listens on all its addresses."""


class Wishes(Told, frozen=True):
    """The options; None is one that was not said."""

    cluster: str | None = None
    listen: str | None = None
    port: int | None = None
    advertise: str | None = None


class Founded(Told, frozen=True):
    """`address` is where other machines find the broker."""

    config: str
    created: bool
    cluster: str
    listen: str
    port: int
    address: str


def founded(folder: Path, wishes: Wishes) -> Founded:
    home = Home(folder)
    _make(home.folder)
    file = home.folder / FILE_NAME
    try:
        with home.locked(COMMAND):
            created = not file.exists()
            if created:
                replace_file(file, COMMENT + tomli_w.dumps(_table(_wanted(wishes))))
            config = _agreed(file, wishes)
            _prepare_broker(home, config)
    except HomeInUse as error:
        if not (error.by_service and file.exists()):
            raise
        created, config = False, _agreed(file, wishes)  # it runs, and so is prepared
    return Founded(
        config=str(file),
        created=created,
        cluster=config.cluster,
        listen=config.listen,
        port=config.broker.port,
        address=address_for_others(config),
    )


def _make(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeUnusable(f"{folder} cannot be made: {error.strerror}") from error
    made_folder(folder)
    if not folder.is_dir():
        raise HomeUnusable(f"{folder} is no folder; choose another --home")


def _wanted(wishes: Wishes) -> Config:
    config = Config()
    cluster = checked_name("cluster", wishes.cluster or config.cluster, lower_case=True)
    listen = wishes.listen or config.listen
    check_can_listen(listen)
    broker = BrokerConfig(host=_EVERYWHERE.get(listen, listen), port=wishes.port or _free_port(listen), run=True)
    return Config(cluster=cluster, listen=listen, public_host=wishes.advertise, broker=broker)


def _free_port(listen: str) -> int:
    last = USUAL_PORT + PORTS_TRIED
    free = (port for port in range(USUAL_PORT, last) if is_free(listen, port))
    port = next(free, None)
    if port is None:
        raise CannotListen(f"no port from {USUAL_PORT} to {last - 1} is free on {listen}; choose one with --port")
    return port


def _table(config: Config) -> dict[str, Any]:  # Any: what TOML can say
    """What follows from the options; for the rest the defaults hold, also those of later versions."""
    broker = config.broker
    table: dict[str, Any] = {"cluster": config.cluster, "listen": config.listen}
    if config.public_host is not None:
        table["public_host"] = config.public_host
    return table | {"broker": {"host": broker.host, "port": broker.port, "run": broker.run}}


def _agreed(file: Path, wishes: Wishes) -> Config:
    """What the file says, if nothing else was asked for."""
    config = load(file)
    if not config.broker.run:
        raise InitRefused(
            f"{file} is there, and others run its broker (as `ffmesh up` does); choose another --home, or say "
            "run = true in its [broker]"
        )
    says = {
        "cluster": config.cluster,
        "listen": config.listen,
        "port": config.broker.port,
        "advertise": config.public_host,
    }
    for key, wish in msgspec.structs.asdict(wishes).items():
        if wish is not None and wish != says[key]:
            raise InitRefused(
                f"{file} is there, and says {says[key]} where --{key} says {wish}; correct it there and start the "
                "coordinator again, or choose another --home"
            )
    return config


def _prepare_broker(home: Home, config: Config) -> None:
    made_folder(home.broker)
    folder = prepare(home.broker, cluster=config.cluster)
    write_conf(folder, addresses=(config.listen,), port=config.broker.port)
