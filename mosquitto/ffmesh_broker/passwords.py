"""The broker's logins: Mosquitto's password file, written without a shell and without `mosquitto_passwd`.

A line is `<login>:$7$<iterations>$<salt>$<hash>`, PBKDF2 with SHA-512, both in base64. What is unchanged keeps its
line; nothing is written when nothing changes. Functions that change the file say whether they did: only then has the
broker to read it again (SIGHUP), which takes a removed login's connections away at once and leaves all others alone.

A login is `coordinator` or `<role>/<name>`, and nothing else gets in: the access list builds topics from it. (The login
`agents` would be allowed to speak for every agent.)

One process writes at a time. The coordinator does, or who holds its database's lock.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ffmesh_broker.files import replace_file
from ffmesh_protocol.errors import BadName
from ffmesh_protocol.names import COORDINATOR, Role, checked_principal

ITERATIONS: Final = 1
"""Iterations slow down the guessing of passwords that people choose. Ours are 256 random bits, which nobody guesses.

At each SIGHUP Mosquitto hashes the password of every connected client again while all others wait: 80 clients with
10,000 iterations stopped it for 430 ms, with one for less than can be told.
"""

SALT_BYTES: Final = 12
"""As many as `mosquitto_passwd` takes. 2.0.11 reads salts of other lengths too, older ones do not."""


def set_login(path: Path, login: str, password: str) -> bool:
    """Adds a login or changes its password; returns whether the file has changed."""
    lines = _read(path)
    return _write(path, lines, lines | {checked_login(login): _kept_or_new(lines.get(login), password)})


def remove_login(path: Path, login: str) -> bool:
    """Returns whether the file has changed. Until the broker has read it again, the login still works."""
    lines = _read(path)
    return _write(path, lines, {name: hashed for name, hashed in lines.items() if name != login})


def replace_all(path: Path, passwords: Mapping[str, str]) -> bool:
    """Makes these the only logins; returns whether the file has changed."""
    lines = _read(path)
    wanted = {checked_login(login): _kept_or_new(lines.get(login), password) for login, password in passwords.items()}
    return _write(path, lines, wanted)


def checked_login(login: str) -> str:
    """The login itself, or `BadName` with a sentence."""
    if login == COORDINATOR.login:
        return login
    place, _, name = login.partition("/")
    if place == Role.COORDINATOR or place not in set(Role):
        raise BadName(f"“{login[:80]}” is no login: it is “coordinator”, or a role and a name, as in “agents/pi-1”")
    return checked_principal(Role(place), name).login


def hashed_password(password: str) -> str:
    """As it stands behind the colon."""
    salt = os.urandom(SALT_BYTES)
    return f"$7${ITERATIONS}${_base64(salt)}${_base64(_digest(password, salt, ITERATIONS))}"


def is_hash_of(hashed: str, password: str) -> bool:
    """False also for a hash of another kind, or that is none."""
    match hashed.split("$"):
        case ["", "7", iterations, salt, digest] if iterations.isdecimal() and int(iterations) > 0:
            try:
                raw_salt = base64.b64decode(salt, validate=True)
            except binascii.Error:
                return False
            return hmac.compare_digest(digest.encode(), _base64(_digest(password, raw_salt, int(iterations))).encode())
        case _:
            return False


def _kept_or_new(hashed: str | None, password: str) -> str:
    return hashed if hashed is not None and is_hash_of(hashed, password) else hashed_password(password)


def _digest(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _read(path: Path) -> dict[str, str]:
    """Login → hash. What is no line of a password file is dropped with the next change; Mosquitto ignores it too."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {login: hashed for login, colon, hashed in pairs if colon}


def _write(path: Path, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    if before == after and path.exists():
        return False
    replace_file(path, "".join(f"{login}:{hashed}\n" for login, hashed in sorted(after.items())))
    return True
