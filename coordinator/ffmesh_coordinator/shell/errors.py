"""What can go wrong with a coordinator's home, as a tree. `exit_code` is what the command ends with.

FfmeshError
├── AnotherIsAlive          another coordinator of this cluster is at work
├── BrokerCannotBe          its own broker cannot be started, or be kept
└── HomeError
    ├── HomeInUse           another process has it; names that process
    ├── HomeUnusable        a folder or file in it that cannot be used as it is
    │   ├── StoreUnusable   the database: gone, or of a newer version
    │   │   └── StoreDamaged    … or not what was written
    │   └── KeyUnusable     the master key: gone, damaged, or open to others
    ├── StoreFailed         the database could not be read or written now: the disk is full, or fails
    │   └── RecordUnreadable    one record in it is not what was written
    ├── InitRefused         the home is there, and is another than was asked for
    ├── BackupRefused       the file is there already, or is the database itself
    └── EnrolmentRefused    no such principal, or the name is taken
"""

from pathlib import Path
from typing import ClassVar, Final

from ffmesh_protocol.errors import FfmeshError

RAN_AND_FAILED: Final = 1
WRONG_USAGE: Final = 2
UNREACHABLE: Final = 69
STAY_DOWN: Final = 78
"""Whoever keeps us running is not to start us again."""


class AnotherIsAlive(FfmeshError):
    """Another coordinator of this cluster is at work."""

    exit_code: ClassVar[int] = STAY_DOWN

    def __init__(self, life: str) -> None:
        super().__init__(
            f"another coordinator of this cluster is at work (life {life}); "
            "stop that one first, or give this one a cluster of its own"
        )


class BrokerCannotBe(FfmeshError):
    """Its own broker cannot be started, or be kept. Whoever keeps us running may try again."""


class HomeError(FfmeshError):
    """A coordinator's home, or something in it."""

    exit_code: ClassVar[int] = WRONG_USAGE


class HomeInUse(HomeError):
    """Another process has it."""

    def __init__(self, sentence: str, *, by_service: bool) -> None:
        super().__init__(sentence)
        self.by_service = by_service


class HomeUnusable(HomeError):
    """A folder or file in it that cannot be used as it is."""


class StoreUnusable(HomeUnusable):
    """The database is damaged, gone, or of a newer version. Nothing was changed."""


class StoreDamaged(StoreUnusable):
    """It is not what was written."""

    def __init__(self, path: Path, how: str, *, set_aside: Path | None = None) -> None:
        then = f"was set aside as {set_aside}" if set_aside else "will be set aside when the coordinator starts"
        super().__init__(
            f"{path} is damaged ({how}) and {then}; "
            f"bring a backup back: ffmesh-coordinator restore FILE --home {path.parent}"
        )
        self.how = how


class KeyUnusable(HomeUnusable):
    """The master key is gone, damaged, or open to others."""


class NotAnswered(HomeError):
    """The coordinator that has it says nothing, or went away over the question."""

    exit_code = UNREACHABLE


class StoreFailed(HomeError):
    """The database could not be read or written now."""

    exit_code = RAN_AND_FAILED


class RecordUnreadable(StoreFailed):
    """One record in it is not what was written; the others may be."""


class InitRefused(HomeError):
    """The home is there, and is another than was asked for."""


class BackupRefused(HomeError):
    """The file is there already, or is the database itself."""

    exit_code = RAN_AND_FAILED


class EnrolmentRefused(HomeError):
    """No such principal, or the name is taken."""

    exit_code = RAN_AND_FAILED


class WrongRole(EnrolmentRefused):
    """The name belongs to somebody of another role than the one that was asked for."""

    exit_code = WRONG_USAGE
