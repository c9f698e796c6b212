"""What `ffmesh-coordinator --config FILE --check` finds: a finding each, and how to mend what is wrong.

Nothing is changed or started, and a coordinator that runs is not disturbed.
"""

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from ffmesh_broker.errors import CannotListen
from ffmesh_broker.listening import is_free
from ffmesh_broker.version import mosquitto_found
from ffmesh_coordinator.config import Config, load
from ffmesh_coordinator.shell.enrolment import address_for_others
from ffmesh_coordinator.shell.errors import KeyUnusable
from ffmesh_coordinator.shell.home import Home
from ffmesh_coordinator.shell.vault import read_master_key
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.finding import Finding, fine, note, wrong
from ffmesh_protocol.sizes import size_shown
from ffmesh_protocol.wire import Told

if sys.platform != "win32":
    import fcntl

ROOM_BYTES: Final = 100_000_000
"""For the database, which grows by some kilobytes a job, and forgets what ended long ago."""

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Checked(Told, frozen=True):
    findings: tuple[Finding, ...]
    usable: bool = True

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)


def checked(file: Path) -> Checked:
    try:
        config = load(file)
    except BadConfig as error:
        mend = "correct the file (docs/configuration.md has every key); `ffmesh-coordinator init` makes one"
        return Checked(findings=(wrong("configuration", f"{error}", mend),), usable=False)
    home = Home(file.absolute().parent)
    holder = _holder(home)
    return Checked(
        findings=(
            fine("configuration", f"{file} makes this machine the coordinator of the mesh {config.cluster}"),
            _folder(home),
            fine("process", f"{holder} has it now" if holder else "nothing runs in it now"),
            *_secrets(home, is_running=holder is not None),
            *(_broker(config, is_running=holder is not None) if config.broker.run else _others_broker(home, config)),
            _address(config),
            _room(home),
        )
    )


def _folder(home: Home) -> Finding:
    if os.access(home.folder, os.R_OK | os.W_OK | os.X_OK):
        return fine("home", f"{home.folder} can be written")
    message = f"{home.folder} cannot be written by user {os.geteuid()}: it belongs to user {home.folder.stat().st_uid}"
    return wrong("home", message, "start it as its owner, or give that user the folder (chown -R)")


def _holder(home: Home) -> str | None:
    """Who has the lock; it is looked at, and not taken."""
    try:
        descriptor = os.open(home.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        pid, _, who = os.pread(descriptor, 256, 0).decode(errors="replace").strip().partition(" ")
        return f"{who} (process {pid})" if pid else "another process"
    finally:
        os.close(descriptor)
    return None


def _secrets(home: Home, *, is_running: bool) -> Iterator[Finding]:
    if not home.database.exists() and not home.master_key.exists():
        yield fine("database", "there is none yet: it is made at the first start")
        return
    try:
        read_master_key(home.master_key)
    except KeyUnusable as error:
        yield wrong("key", f"{error}", "bring master.key back from your copy of it, with mode 600")
    else:
        yield fine("key", f"{home.master_key} can be read; keep a copy of it, apart from the database")
    # Where nobody has it open, SQLite would make files beside it only to read.
    how = "mode=ro" if is_running else "immutable=1"
    try:
        with closing(sqlite3.connect(f"{home.database.as_uri()}?{how}", uri=True)) as database:
            database.execute("PRAGMA schema_version").fetchone()
    except sqlite3.Error as error:
        mend = f"bring a backup back: ffmesh-coordinator restore FILE --home {home.folder}"
        yield wrong("database", f"{home.database} cannot be read: {error}", mend)
    else:
        yield fine("database", f"{home.database} can be read")


def _broker(config: Config, *, is_running: bool) -> Iterator[Finding]:
    yield mosquitto_found()
    place = f"{config.listen}, port {config.broker.port}"
    mend = "correct `listen` and `port`, or end what listens there (`systemctl disable --now mosquitto`)"
    try:
        is_ours = is_running or is_free(config.listen, config.broker.port)
    except CannotListen as error:
        yield wrong("listen", f"{error}", "correct `listen`")
        return
    if is_ours:
        yield fine("listen", f"its broker listens on {place}")
    else:
        yield wrong("listen", f"another program listens on {place}", mend)


def _others_broker(home: Home, config: Config) -> Iterator[Finding]:
    passwords = home.path(config.broker.passwords)
    if passwords.exists() and not os.access(passwords, os.W_OK):
        yield wrong("passwords", f"{passwords} cannot be written", "give it to the user of the coordinator")
    else:
        yield fine("passwords", f"others run the broker at {config.broker.host}, port {config.broker.port}")


def _address(config: Config) -> Finding:
    address = address_for_others(config)
    if address in _THIS_MACHINE:
        return note(
            "address",
            f"tokens say {address}: no other machine can join",
            "`listen` on an address that others reach, or name one with `public_host`",
        )
    return fine("address", f"tokens say {address}, port {config.broker.port}")


def _room(home: Home) -> Finding:
    free = shutil.disk_usage(home.folder).free
    if free < ROOM_BYTES:
        return wrong("room", f"{size_shown(free)} are free in {home.folder}, for the database", "make room there")
    return fine("room", f"{size_shown(free)} are free in {home.folder}")
