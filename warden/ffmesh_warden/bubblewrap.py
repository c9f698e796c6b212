"""A fence by bubblewrap, where the kernel has no Landlock: a room in which nothing else is there.

`bwrap` builds the room: namespaces of its own for files, System V's shared memory and, without `network`, the network,
and in them what the fence names, each at its own place. Then the calling process enters it, and bwrap is gone. So the
program is the very process that would have been it without a fence: same parent, group, session and number, its own
exit code and signal. (Under a bwrap that stays, all of these are bwrap's, and the group's SIGTERM ends it first.)

Promises what landlock.py does, by other means. What differs is in the README: files of other users than the program's
own are nobody's, nothing is renamed or linked from one named place to another, and /proc can be read.

Refuses to guess: the room is entered only if bwrap came to the very end of building it.
"""

from __future__ import annotations

import errno
import json
import os

from ffmesh_warden import libc
from ffmesh_warden.landlock import HARMLESS, NOWHERE, chosen, leads_to
from ffmesh_warden.wire import as_bytes

TYPE_CHECKING = False  # see wire.py
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ffmesh_warden.wire import Message

_NOT_THERE = b"/dev/null/the-room-is-ready"
"""What bwrap shall run when the room stands: nothing. Below what is no folder, nothing can be; its last word is that it
did not find it, and nothing but a finished room leads to that word."""

_ALWAYS = (b"/proc", b"/etc/alternatives")
"""/proc for /dev/stdin and its like, which lead there. The other holds nothing but links, by which a Debian's libraries
find each other; Landlock lets links be followed anywhere."""

_SHARED_MEMORY = b"/dev/shm"
"""Where named memory and semaphores of POSIX are. A room has its own: nobody else sees it, and it goes with it."""

_LINKS = {
    b"/dev/fd": b"/proc/self/fd",
    b"/dev/stdin": b"/proc/self/fd/0",
    b"/dev/stdout": b"/proc/self/fd/1",
    b"/dev/stderr": b"/proc/self/fd/2",
}

_MOST_LINKS = 40
"""On the way to one name; the kernel's own limit."""

_READ, _WRITE, _DEVICE = b"--ro-bind-try", b"--bind-try", b"--dev-bind-try"


class NoRoom(Exception):  # errors say what happened
    """bwrap is not there or cannot build a room; the message says why."""


def enter(fence: Message, environment: dict[bytes, bytes]) -> None:
    """The calling process is in the room when this returns, in its topmost folder, with all powers over it.

    `environment` is bwrap's own. With a program's mark in it, a bwrap that hangs is found when we are killed meanwhile.
    """
    namespaces = ["user", "ipc", "mnt"] if fence["network"] else ["user", "ipc", "net", "mnt"]
    held = _held(fence)
    for namespace in _built([*_options(fence), *_furniture(fence, held)], environment, namespaces):
        libc.enter_namespace(namespace)
        os.close(namespace)
    for place, descriptor in held.items():
        if not _is_the_same(place, descriptor):
            raise NoRoom("a folder in it was swapped for another while the room was built")
        os.close(descriptor)


def _held(fence: Message) -> dict[bytes, int]:
    """The places that its names were chosen for, open: bwrap asks for them by name, and might be led elsewhere."""
    held: dict[bytes, int] = {}
    for name, place in chosen(fence).items():
        if place in held or _real(name, {}) != place:
            continue
        try:
            held[place] = os.open(place, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        if not leads_to(held[place], place):
            os.close(held.pop(place))
    return held


def _is_the_same(place: bytes, descriptor: int) -> bool:
    try:
        there = os.stat(place)  # noqa: PTH116  # bytes
    except OSError:
        return False
    here = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _bwrap() -> bytes:
    folders = os.environb.get(b"PATH", os.defpath.encode()).split(b":")
    for candidate in (folder + b"/bwrap" for folder in folders if folder.startswith(b"/")):
        if os.access(candidate, os.X_OK):
            return candidate
    raise NoRoom("bwrap is not installed (the package is called bubblewrap)")


def _options(fence: Message) -> list[bytes]:
    return [b"--unshare-user", b"--unshare-ipc", *([] if fence["network"] else [b"--unshare-net"])]


def _built(room: list[bytes], environment: dict[bytes, bytes], names: list[str]) -> list[int]:
    """Descriptors of the namespaces, the user's first: it is what gives the right to enter the others."""
    status, tells = os.pipe()
    waits, go = os.pipe()
    complaint, complains = os.pipe()
    # It holds the reading end too, so that it comes to its end by itself if we are killed meanwhile. One that fails to
    # tell its status, or that dies with its parent, leaves a child behind that waits for it for ever.
    for descriptor in (status, tells, waits):
        os.set_inheritable(descriptor, True)
    talk = [b"--json-status-fd", b"%d" % tells, b"--block-fd", b"%d" % waits]
    arguments = [b"bwrap", *room, *talk, b"--", _NOT_THERE]
    pid = os.posix_spawn(_bwrap(), arguments, environment, file_actions=[(os.POSIX_SPAWN_DUP2, complains, 2)])
    for descriptor in (tells, waits, complains):
        os.close(descriptor)
    builder = _builder(status)
    os.close(status)
    # It waits for us, so that its namespaces are there when we look.
    namespaces = [_namespace(builder, name) for name in names if builder]
    os.close(go)
    last = _all_of(complaint).strip().rpartition(b"\n")[2]
    os.waitpid(pid, 0)
    if not namespaces or _NOT_THERE not in last:
        raise NoRoom(_why_not(last.decode("utf-8", "backslashreplace")))
    return namespaces


def _builder(status: int) -> int | None:
    """The number of bwrap's child, in whose namespaces the room arises."""
    said = b""
    while b"}" not in said:
        more = os.read(status, 4096)
        if not more:
            return None
        said += more
    return int(json.loads(said.partition(b"}")[0] + b"}")["child-pid"])


def _namespace(process: int, name: str) -> int:
    return os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)


def _all_of(descriptor: int) -> bytes:
    said = b"".join(iter(lambda: os.read(descriptor, 4096), b""))
    os.close(descriptor)
    return said


def _why_not(last: str) -> str:
    said = last.removeprefix("bwrap: ") or "it said nothing"
    if "namespace" in said or "uid map" in said:
        return f"user namespaces are not allowed here (bwrap: {said})"
    return f"bwrap cannot build a room: {said}"


def _furniture(fence: Message, held: Collection[bytes]) -> Iterator[bytes]:
    """What is in the room, each at its real place, and the links by which other names lead there."""
    links: dict[bytes, bytes] = {}
    leads = {name: place if place in held else b"" for name, place in chosen(fence).items()}
    places = dict(_real_places(map(as_bytes, fence["read"]), _READ, links, leads))
    places |= _real_places(_ALWAYS, _READ, links)
    places |= _real_places(map(as_bytes, fence["write"]), _WRITE, links, leads)
    places |= _real_places((*HARMLESS, *map(as_bytes, fence["devices"])), _DEVICE, links)
    links |= _LINKS | _links_at_the_top()
    within: list[bytes] = []
    for place in sorted(places):
        # What is named twice has the wider of both rights, as with Landlock: a folder's for all below it, or its own.
        if not (places[place] == _READ and _is_below(place, within)):
            within.append(place)
            yield from (places[place], place, place)
    if _SHARED_MEMORY not in places and not _is_below(_SHARED_MEMORY, within):
        yield from (b"--tmpfs", _SHARED_MEMORY)
    for link in sorted(links):
        if not _is_below(link, within):
            yield from (b"--symlink", links[link], link)
    if places.get(b"/") != _WRITE:
        # Else what is written outside of the fence would be there, and be lost with the room.
        yield from (b"--remount-ro", b"/")


def _real_places(
    names: Iterable[bytes], how: bytes, links: dict[bytes, bytes], leads: Mapping[bytes, bytes] = NOWHERE
) -> Iterator[tuple[bytes, bytes]]:
    for name in names:
        place = _real(name, links)
        if place is not None and leads.get(name, place) == place:
            yield place, how


def _real(name: bytes, links: dict[bytes, bytes]) -> bytes | None:
    """Where a name leads, if it leads anywhere. The links on its way are added to `links`."""
    at, rest, followed = b"", name.split(b"/")[::-1], 0
    while rest:
        part = rest.pop()
        if part in {b"", b"."}:
            continue
        if part == b"..":
            at = at.rpartition(b"/")[0]
            continue
        try:
            target = os.readlink(at + b"/" + part)  # noqa: PTH115  # bytes
        except OSError as error:
            if error.errno != errno.EINVAL:
                return None
            at += b"/" + part
            continue
        followed += 1
        if followed > _MOST_LINKS:
            return None
        links[at + b"/" + part] = target
        rest += target.split(b"/")[::-1]
        at = b"" if target.startswith(b"/") else at
    return at or b"/"


def _links_at_the_top() -> dict[bytes, bytes]:
    """/lib, /lib64, /bin on most systems of today: a program's loader is called by such a name."""
    with os.scandir(b"/") as entries:
        return {entry.path: os.readlink(entry.path) for entry in entries if entry.is_symlink()}  # noqa: PTH115


def _is_below(place: bytes, folders: list[bytes]) -> bool:
    return any(place.startswith(folder.rstrip(b"/") + b"/") for folder in folders)
