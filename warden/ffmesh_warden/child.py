"""From fork to exec: what a program is given, in which order, and the sentence when that fails.

Runs in the child of a process with one thread. `become` never returns. Everything that may hang
on a dead network mount (folder, program) happens here and not in the warden, which has others to look after.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys

from ffmesh_warden import cgroup, kernel
from ffmesh_warden.strays import MARK
from ffmesh_warden.wire import as_bytes

if sys.platform != "win32":
    import fcntl
    import resource

TYPE_CHECKING = False  # see wire.py
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from ffmesh_warden.wire import Message


class Order:
    """A program to be started, as the owner described it. `descriptors`: number in the child → ours.

    `called` is what a sentence calls program and folder; None is by their paths.
    """

    __slots__ = (
        "argv",
        "called",
        "cgroup",
        "cpus",
        "cwd",
        "descriptors",
        "env",
        "fence",
        "fenced",
        "group",
        "id",
        "ionice",
        "is_in_cgroup",
        "nice",
        "umask",
        "user",
    )

    def __init__(self, message: Message, descriptors: dict[int, int]) -> None:
        self.id: str = message["id"]
        self.argv = [as_bytes(argument) for argument in message["argv"]]
        self.env = {as_bytes(name): as_bytes(value) for name, value in message["env"].items()}
        self.cwd = as_bytes(message["cwd"])
        self.called: list[str | None] = message["called"]
        self.umask: int | None = message["umask"]
        self.nice: int | None = message["nice"]
        self.ionice: str | None = message["ionice"]
        self.cpus: list[int] | None = message["cpus"]
        self.cgroup = as_bytes(message["cgroup"]) if message["cgroup"] is not None else None
        self.is_in_cgroup = False
        self.user: str | int | None = message["user"]
        self.group: str | int | None = message["group"]
        self.descriptors = descriptors
        self.fence: Message | None = message["fence"]
        self.fenced = False
        if self.fence is not None:
            _load_fences()


def _load_fences() -> None:
    """In the warden, once, so that no child needs to."""
    with contextlib.suppress(ImportError):  # a Python without ctypes: each child says so
        __import__("ffmesh_warden.enclosing")  # nothing is called by it here


class _Refused(Exception):  # it never leaves this file
    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(sentence)
        self.errno = number
        self.sentence = sentence


def signals_of_ours() -> set[int]:
    """Those that are not at their defaults in the calling process: a handler, or ignored, also as its owner left them.

    Asked once and not in each child: Python has an object for each signal that it names, and there are sixty of them.
    """
    settable = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    return {number for number in settable if signal.getsignal(number) is not signal.SIG_DFL}


def forked(order: Order) -> int:
    """As `os.fork`; the child is for this order."""
    pid = cgroup.forked_into(order.cgroup) if order.cgroup is not None else None
    order.is_in_cgroup = pid is not None
    return os.fork() if pid is None else pid


def become(order: Order, report: int, warden: int, signals: Iterable[int]) -> NoReturn:
    """Turns the calling process into the program. If that fails, tells `report` (a pipe that exec closes) why.

    `signals` are blocked, and the only ones that are not at their defaults.
    """
    try:
        report = _out_of_the_way(report, order)
        os.setsid()
        _enter_cgroup(order)
        _place_descriptors(order)
        _limit(order)
        _change_user(order)
        _die_with(warden)
        _enter_folder(order)
        # After all that needs rights, before the program.
        _put_up_fence(order, warden)
        _plain_signals(signals)
        _execute(order)
    except _Refused as refusal:
        _tell(report, refusal.errno, refusal.sentence)
    except OSError as error:
        _tell(report, error.errno or errno.EIO, f"{_name(order)} cannot be started: {error.strerror}")
    except Exception as error:  # noqa: BLE001  # a process's edge: a number out of range, a zero byte in an argument
        _tell(report, errno.EINVAL, f"{_name(order)} cannot be started: {error}")
    finally:
        # Whatever happened: two wardens in one tree would both answer the owner.
        os._exit(127)


def _tell(report: int, number: int, sentence: str) -> None:
    os.write(report, f"{number} {sentence}".encode("utf-8", "backslashreplace")[:4096])


def refusal(told: bytes) -> tuple[int, str]:
    """What `become` wrote, read in the warden."""
    number, _, sentence = told.decode("utf-8", "replace").partition(" ")
    return int(number), sentence


def _out_of_the_way(descriptor: int, order: Order) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, max(order.descriptors) + 1)


def _place_descriptors(order: Order) -> None:
    # First all above the highest place, then each to its own: a place may be another one's source.
    moved = {place: _out_of_the_way(source, order) for place, source in order.descriptors.items()}
    for place, source in moved.items():
        os.dup2(source, place, inheritable=True)


def _enter_cgroup(order: Order) -> None:
    if order.cgroup is None or order.is_in_cgroup:
        return
    try:
        cgroup.enter(order.cgroup)
    except OSError as error:
        sentence = f"the cgroup of {_name(order)} cannot be entered: {error.strerror}"
        raise _Refused(error.errno or errno.EIO, sentence) from None


def _limit(order: Order) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order.umask is not None:
        os.umask(order.umask)
    if order.nice is not None:
        os.setpriority(os.PRIO_PROCESS, 0, order.nice)
        # A session of its own is a scheduling group of its own (autogroup), between which the line above means nothing.
        with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(str(order.nice))

    if order.cpus is not None:
        # Before there are threads, which inherit it. One that was switched off meanwhile is no reason not to start.
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setaffinity(0, order.cpus)
    if order.ionice is not None:
        kind, _, level = order.ionice.partition(":")
        kernel.set_io_priority(kind, int(level or kernel.IO_LEVEL))


def _change_user(order: Order) -> None:
    if order.user is None and order.group is None:
        return
    name, user, group = _account(order)
    try:
        if name is None:
            os.setgroups([group])
        else:
            os.initgroups(name, group)
        os.setgid(group)
        os.setuid(user)
    except PermissionError:
        raise _Refused(errno.EPERM, "only root may start a program as another user") from None


def _account(order: Order) -> tuple[str | None, int, int]:
    """Name (where there is one), user and group. A number needs no entry in /etc/passwd if the group is said too."""
    import grp  # hardly ever needed
    import pwd

    wanted = os.getuid() if order.user is None else order.user
    try:
        entry = pwd.getpwnam(wanted) if isinstance(wanted, str) else pwd.getpwuid(wanted)
    except KeyError:
        entry = None
    if entry is None and isinstance(wanted, str):
        raise _Refused(errno.EINVAL, f"no user {wanted}")
    group = order.group
    if isinstance(group, str):
        try:
            group = grp.getgrnam(group).gr_gid
        except KeyError:
            raise _Refused(errno.EINVAL, f"no group {group}") from None
    if entry is not None:
        return entry.pw_name, entry.pw_uid, entry.pw_gid if group is None else group
    if group is None:
        raise _Refused(errno.EINVAL, f"user {wanted} has no group of its own: say which")
    return None, int(wanted), group


def _die_with(warden: int) -> None:
    # After the change of user, which would lift it; and looked at afterwards, for a warden that died in between.
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != warden:
        os.kill(os.getpid(), signal.SIGKILL)


def _enter_folder(order: Order) -> None:
    _, called = order.called
    folder = called or order.cwd.decode("utf-8", "backslashreplace")
    try:
        os.chdir(order.cwd)
    except FileNotFoundError:
        raise _Refused(errno.ENOENT, f"no folder {folder}{_within(order)}") from None
    except NotADirectoryError:
        raise _Refused(errno.ENOTDIR, f"{folder} is not a folder") from None
    except PermissionError:
        raise _Refused(errno.EACCES, f"the folder {folder} may not be entered") from None


def _put_up_fence(order: Order, warden: int) -> None:
    if order.fence is None:
        return
    try:
        from ffmesh_warden import enclosing
    except ImportError as error:
        sentence = f"{_name(order)} gets no fence: this Python cannot call the kernel ({error})"
        raise _Refused(errno.ENOSYS, sentence) from None
    try:
        enclosing.enclose(order.fence, _mark(order))
    except enclosing.CannotEnclose as refusal:
        raise _Refused(refusal.errno, f"{_name(order)} gets no fence: {refusal.sentence}") from None
    order.fenced = True
    if order.fence["kind"] == "bubblewrap":
        _enter_folder(order)  # the same one, where the room has it
    _die_with(warden)  # again: a change of rights lifts it


def _plain_signals(signals: Iterable[int]) -> None:
    # Also what the owner inherited as ignored (nohup, SIGPIPE of every Python): a program expects the default.
    for number in signals:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _execute(order: Order) -> None:
    program = order.argv[0]
    if b"/" in program:
        _try(order, program)
    # As a shell does: the first that can be run, else the first that is there, for the sake of a good sentence.
    folders = order.env.get(b"PATH", os.defpath.encode()).split(b":")
    there = [path for path in (b"/".join([folder or b".", program]) for folder in folders) if os.path.lexists(path)]
    for path in [path for path in there if os.access(path, os.X_OK) and not os.path.isdir(path)] or there:  # noqa: PTH112
        _try(order, path)
    raise _Refused(errno.ENOENT, f"no program {_name(order)} in PATH{_within(order)}")


def _try(order: Order, candidate: bytes) -> NoReturn:
    try:
        os.execve(candidate, order.argv, order.env)  # noqa: S606  # no shell is the point
    except OSError as error:
        raise _Refused(error.errno or errno.EIO, _why_not(order, candidate, error)) from None


def _why_not(order: Order, candidate: bytes, error: OSError) -> str:
    called, _ = order.called
    name = called or candidate.decode("utf-8", "backslashreplace")
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR if os.path.lexists(candidate):
            return f"{name} is there, but not the interpreter or the file that it points to"
        case errno.ENOENT | errno.ENOTDIR:
            return f"no program {name}{_within(order)}"
        case errno.EACCES if os.path.isdir(candidate):  # noqa: PTH112  # bytes
            return f"{name} is a folder, not a program"
        case errno.EACCES if order.fenced and os.access(candidate, os.X_OK):
            return f"{name}, or the interpreter or the file that it points to, is outside of its fence"
        case errno.EACCES:
            return f"{name} is not executable"
        case errno.ENOEXEC:
            return f"{name} is not a program that this machine can run"
        case errno.E2BIG:
            return f"the arguments and environment of {name} are longer than this system allows"
        case _:
            return f"{name} cannot be started: {error.strerror}"


def _mark(order: Order) -> dict[bytes, bytes]:
    name = MARK.encode()
    return {name: order.env[name]} if name in order.env else {}


def _within(order: Order) -> str:
    # By Landlock, what is outside can be seen, and not touched; in a room, it is not there.
    return " within its fence" if order.fenced and order.fence and order.fence["kind"] == "bubblewrap" else ""


def _name(order: Order) -> str:
    called, _ = order.called
    if called:
        return called
    return order.argv[0].decode("utf-8", "backslashreplace") if order.argv else "a program without a name"
