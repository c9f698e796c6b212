"""The files in a broker's folder, and how they come to be there.

mosquitto.conf    written at each start, when the port is known
acl.conf          who may read and write what; written by `prepare`, never while the broker runs
passwords         the logins; see `passwords.py`
mosquitto.log     what Mosquitto says
"""

import os
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from ffmesh_broker.errors import BrokerFailed
from ffmesh_broker.files import PRIVATE_FOLDER, replace_file
from ffmesh_broker.listening import one_word
from ffmesh_protocol.names import checked_name

if sys.platform != "win32":
    import pwd


@dataclass(frozen=True, slots=True)
class BrokerFolder:
    """Made by `prepare`; by its path alone where that was done before."""

    path: Path

    @property
    def conf(self) -> Path:
        return self.path / "mosquitto.conf"

    @property
    def acl(self) -> Path:
        return self.path / "acl.conf"

    @property
    def passwords(self) -> Path:
        return self.path / "passwords"

    @property
    def log(self) -> Path:
        return self.path / "mosquitto.log"


def prepare(path: Path, *, cluster: str) -> BrokerFolder:
    """Makes the folder of a broker, or brings an old one up to date. No broker may run in it.

    The folder and all in it are for its owner alone. Logins that are there stay.
    """
    checked_name("cluster", cluster, lower_case=True)
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        folder = BrokerFolder(path.resolve())
        _make_private(folder.path)
    except OSError as error:
        raise BrokerFailed(f"{path} cannot be the folder of a broker: {error.strerror}") from error
    one_line(folder.path)  # now, and not each time that it is started
    replace_file(folder.acl, _rendered("acl.conf", cluster=cluster))
    if not folder.passwords.exists():
        replace_file(folder.passwords, "")
    return folder


def write_conf(folder: BrokerFolder, *, addresses: Iterable[str], port: int) -> None:
    """The configuration for a Mosquitto that listens there; for one that others start too."""
    listeners = "\n".join(f"listener {port} {one_word(address)}" for address in addresses)
    text = _rendered(
        "mosquitto.conf",
        listeners=listeners,
        user=_owner_name(folder.path),
        passwords=one_line(folder.passwords),
        acl=one_line(folder.acl),
    )
    replace_file(folder.conf, text)


def _rendered(name: str, **values: str) -> str:
    template = resources.files("ffmesh_broker").joinpath(name).read_text(encoding="utf-8")
    return Template(template).substitute(values)


def _make_private(path: Path) -> None:
    there = path.stat()
    if os.geteuid() not in {0, there.st_uid}:
        raise BrokerFailed(f"{path} belongs to user {there.st_uid}; only they or root can run a broker in it")
    if stat.S_IMODE(there.st_mode) != PRIVATE_FOLDER:
        path.chmod(PRIVATE_FOLDER)


def _owner_name(path: Path) -> str:
    """The user that Mosquitto is to become if it is started as root.

    A number without a name stays a number: Mosquitto then refuses to start as root, and that is better than to run so.
    """
    user = path.stat().st_uid
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def one_line(path: Path) -> str:
    """As it stands in Mosquitto's configuration; `BrokerFailed` for a path that no line of text can say."""
    text = str(path)
    if not text.isprintable():
        raise BrokerFailed(f"{text!r} cannot stand in Mosquitto's configuration; choose a folder with a plainer name")
    return text
