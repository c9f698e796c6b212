"""Files that appear whole or not at all; those that hold secrets are their owner's alone from their first moment.

What root writes into the folder of somebody else belongs to them, or they could not use what was made for them.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ffmesh_protocol.errors import BadConfig

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


def write_toml(path: Path, table: Mapping[str, Any], *, comment: str) -> bool:  # Any: what TOML can say
    """Returns whether the file has changed; one that says the same already is left alone. The comment is its head."""
    import tomli_w

    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return write(path, f"{head}\n{tomli_w.dumps(table)}")


def write(path: Path, content: str) -> bool:
    """Returns whether the file has changed, its mode included."""
    try:
        if _says(path, content):
            return False
        replace(path, content.encode())
    except OSError as error:
        raise BadConfig(f"{path} cannot be written: {error.strerror or error}") from error
    return True


def replace(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Whatever is there, in one step: who reads meanwhile finds one or the other. `OSError`."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # for its owner alone
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        give(unfinished, path.parent)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink()
        raise


def made_folder(path: Path) -> Path:
    """A folder for its owner alone. One that is there keeps its mode; those above are made too, as others are."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=PRIVATE_FOLDER)
        give(path, path.parent)
    except FileExistsError:
        if not path.is_dir():
            raise BadConfig(f"{path} cannot be a folder: there is a file in its place") from None
    except OSError as error:
        raise BadConfig(f"{path} cannot be made: {error.strerror or error}") from error
    return path


def is_private(path: Path) -> bool:
    """Whether it is there, and its owner's alone."""
    try:
        return path.stat().st_mode & 0o777 == PRIVATE_FILE
    except OSError:
        return False


def _says(path: Path, content: str) -> bool:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mode & 0o777 == PRIVATE_FILE and file.read() == content.encode()
    except FileNotFoundError:
        return False


def give(file: Path | int, above: Path) -> None:
    """To the owner of the folder that it lies in, if we are root and that is somebody else."""
    owner = above.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(file, owner.st_uid, owner.st_gid)
