"""Puts a fence around the calling process: files by its kind, sockets and powers for both alike."""

from __future__ import annotations

import errno
import sys

from ffmesh_warden import bubblewrap, calls, landlock, powers

TYPE_CHECKING = False  # see wire.py
if TYPE_CHECKING:
    from ffmesh_warden.wire import Message


class CannotEnclose(Exception):  # it is turned into a sentence, in the child's report or in `Found.missing`
    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(sentence)
        self.errno = number
        self.sentence = sentence


def enclose(fence: Message, environment: dict[bytes, bytes] | None = None) -> None:
    """Returns when the fence stands. If it raises, part of it may: the process is then good for nothing.

    `environment` is for what has to be run for it.
    """
    if sys.platform != "linux":
        raise CannotEnclose(errno.ENOSYS, "this is not Linux")
    cuts_are_fenced = marks_are_fenced = True
    match fence["kind"]:
        case "landlock":
            cuts_are_fenced, marks_are_fenced = _by_landlock(fence), False
        case "bubblewrap":
            _by_bubblewrap(fence, environment or {})
        case kind:
            raise CannotEnclose(errno.EINVAL, f"there is no fence called {kind}")
    try:
        if calls.can_be_limited():
            calls.limit(network=fence["network"], cuts=cuts_are_fenced, marks=marks_are_fenced)
        powers.give_up()
    except OSError as error:
        raise CannotEnclose(
            error.errno or errno.EIO, f"system calls cannot be filtered here: {error.strerror}"
        ) from None


def _by_landlock(fence: Message) -> bool:
    """Whether it sees to it, too, that nothing outside is cut off."""
    if not calls.can_be_limited():
        raise CannotEnclose(errno.ENOSYS, f"there is no filter of sockets for {calls.MACHINE} processors yet")
    try:
        return landlock.put_up(fence) >= landlock.CUTS_SINCE
    except OSError as error:
        match error.errno:
            case errno.ENOSYS:
                sentence = "this kernel has no Landlock"
            case errno.EOPNOTSUPP:
                sentence = "Landlock is not switched on in this kernel (its start needs landlock in lsm=)"
            case _:
                sentence = f"Landlock is not allowed here: {error.strerror}"
        raise CannotEnclose(error.errno or errno.EIO, sentence) from None


def _by_bubblewrap(fence: Message, environment: dict[bytes, bytes]) -> None:
    try:
        bubblewrap.enter(fence, environment)
    except bubblewrap.NoRoom as refusal:
        raise CannotEnclose(errno.EPERM, str(refusal)) from None
    except OSError as error:
        raise CannotEnclose(
            error.errno or errno.EIO, f"the room that bwrap built cannot be entered: {error.strerror}"
        ) from None
