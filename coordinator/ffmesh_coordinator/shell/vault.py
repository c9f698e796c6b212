"""Secrets at rest: each is sealed under the master key, which lies in a file that only its owner can read.

A sealed secret is bound to its principal and generation; moved to another row it does not open. A copy of the database
without the key gives nobody's secret away, so a backup needs both files.
"""

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ffmesh_coordinator.shell.errors import KeyUnusable
from ffmesh_coordinator.shell.home import PRIVATE_FILE, give_to_owner, sync_folder
from ffmesh_protocol.keys import NONCE_BYTES
from ffmesh_protocol.names import Principal

KEY_BYTES: Final = 32
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Vault:
    def __init__(self, master_key: bytes) -> None:
        self._cipher = AESGCM(master_key)

    def sealed(self, principal: Principal, kid: int, secret: bytes) -> bytes:
        """nonce ‖ ciphertext ‖ tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, _bound_to(principal, kid))

    def opened(self, principal: Principal, kid: int, box: bytes) -> bytes:
        try:
            return self._cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], _bound_to(principal, kid))
        except (InvalidTag, ValueError):
            raise KeyUnusable(
                f"the secret of {principal.login} does not open: master.key and coordinator.db do not belong together; "
                f"restore both from one backup"
            ) from None


def _bound_to(principal: Principal, kid: int) -> bytes:
    return f"{principal.role}/{principal.name}/{kid}".encode()


def made_master_key(path: Path) -> bytes:
    """A new key. The file appears whole or not at all, and never takes the place of another. The home is locked."""
    key = os.urandom(KEY_BYTES)
    unfinished = path.with_name(f".{path.name}.new")
    try:
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            give_to_owner(file.fileno(), of=path.parent)
            file.write(f"{key.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(unfinished)
        unfinished.unlink()
        sync_folder(path.parent)
    except OSError as error:
        raise KeyUnusable(f"{path} cannot be made: {error.strerror}") from error
    return key


def read_master_key(path: Path) -> bytes:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4 * KEY_BYTES).strip()
    except FileNotFoundError:
        raise KeyUnusable(
            f"{path} is missing: nobody's secret can be read without it; restore it from a backup"
        ) from None
    except OSError as error:
        raise KeyUnusable(f"{path} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise KeyUnusable(f"{path} is not a plain file")
    if mode & _OTHERS:
        raise KeyUnusable(f"{path} can be read or changed by others (mode {stat.S_IMODE(mode):o}); chmod 600 it")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnusable(
            f"{path} is damaged: it holds no {2 * KEY_BYTES} hexadecimal digits; restore it from a backup"
        )
    return key
