"""The warden process: one thread, one owner, standard library only.

Promises: a program runs only while its owner's end of the socket is open and its deadline has not passed, whatever
the owner does or fails to do. `ended` is said when nothing of the program runs any more: not the program, not its
process group, not what left the group and carries its mark.

Refuses to wait: for the owner to read, for a program to start (a dead network mount may take for ever), for one
program while another's deadline passes.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import socket
import struct
import sys

from ffmesh_warden import cgroup, child, kernel, strays
from ffmesh_warden.wire import BYTES_AT_ONCE, DESCRIPTORS_AT_ONCE, Frames, boottime, packed

TYPE_CHECKING = False  # see wire.py
if TYPE_CHECKING:
    from types import FrameType

    from ffmesh_warden.wire import Message

LONGEST_SLEEP_SECONDS = 0.25
MESSAGES_AT_ONCE = 256
"""While a deadline is open. poll() does not count the machine's sleep, CLOCK_BOOTTIME does: so long may a program
run past its deadline after the lid is opened. (A timer descriptor would be exact, but Python has it from 3.13.)"""

SETTLING_SECONDS = 0.01
"""How soon to look again whether what was killed is gone. A signal tells only of our own children, and a group may
have other members: until we have adopted them, or where nobody adopts."""

UNKNOWN_SECONDS = 2.0
"""How long the end of a program waits for a dying process that may be its own or another's. Not for ever: one that
hangs on a dead mount must not hold back the ends of all others."""

_ANCILLARY_BYTES = socket.CMSG_SPACE(DESCRIPTORS_AT_ONCE * 4)
_CLOSE_ON_EXEC: int = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class _Program:
    """One that was forked and whose end was not told yet."""

    def __init__(self, order: child.Order, pid: int, report: int, deadline: float | None) -> None:
        self.id = order.id
        self.pid = pid
        self.cgroup = order.cgroup
        self.report: int | None = report  # open until we know whether it started
        self.refused = False
        self.deadline = deadline
        self.deadline_passed = False
        self.memory_limit_reached = False
        self.status: int | None = None  # as wait() says; None while it runs
        self.ended_at = 0.0

    @property
    def runs(self) -> bool:
        return self.status is None

    def kill(self, number: int = signal.SIGKILL) -> None:
        # Its number cannot be another's: until its status is known, nobody but us can free it.
        if self.runs and not _signal_group(self.pid, number):
            with contextlib.suppress(OSError):  # forked, and not yet in a session of its own
                os.kill(self.pid, number)
        if number == signal.SIGKILL:
            self.kill_the_rest()

    def kill_the_rest(self) -> None:
        """Of its cgroup, if it has one."""
        if self.cgroup is not None:
            cgroup.kill(self.cgroup)

    @property
    def has_left_something(self) -> bool:
        return _group_is_there(self.pid) or (self.cgroup is not None and cgroup.is_inhabited(self.cgroup))


class Warden:
    def __init__(self, owner: socket.socket) -> None:
        self._owner = owner
        self._owner_listens = True
        self._owner_gone = False
        self._frames = Frames()
        self._handed_over: list[list[int]] = []  # descriptors, one list for each message that carried some
        self._unsent = bytearray()
        self._name = os.urandom(4).hex()
        self._outer_mark = os.environ.get(strays.MARK, "")
        self._programs: dict[str, _Program] = {}
        self._look_for_strays = False
        self._unmarked: set[int] = set()  # children of ours that showed no mark when last looked at
        self._nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._woken = _wake_on_child()
        self._signals = child.signals_of_ours()
        self._poll = select.poll()
        self._poll.register(self._woken, select.POLLIN)
        self._poll.register(owner, select.POLLIN)
        self._pid = os.getpid()
        self._adopts = kernel.adopt_orphans()

    # The loop

    def run(self) -> None:
        try:
            self._say_ready()
            while not self._owner_gone:
                self._wait()
                self._look()
        finally:
            self._end_everything()

    def _wait(self) -> None:
        if not self._owner_gone:
            self._poll.modify(self._owner, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        seconds = self._sleep_seconds()
        ready = dict(self._poll.poll(None if seconds is None else seconds * 1000))
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)
        if self._owner.fileno() in ready:
            self._flush()
            self._receive()
        for program in list(self._programs.values()):
            if program.report in ready:
                self._learn_whether_started(program)

    def _sleep_seconds(self) -> float | None:
        if self._look_for_strays or self._owner_gone or not all(program.runs for program in self._programs.values()):
            return SETTLING_SECONDS
        deadlines = [program.deadline for program in self._programs.values() if program.deadline is not None]
        if not deadlines:
            return None
        return min(max(0.0, min(deadlines) - boottime()), LONGEST_SLEEP_SECONDS)

    def _look(self) -> None:
        self._reap()
        self._keep_deadlines()
        self._conclude(self._kill_strays())
        self._flush()

    # What the owner says

    def _receive(self) -> None:
        """All that has been said by now: what is already called off again is not begun first."""
        messages: list[Message] = []
        while not self._owner_gone and len(messages) < MESSAGES_AT_ONCE:
            try:
                data, ancillary, flags, _ = self._owner.recvmsg(BYTES_AT_ONCE, _ANCILLARY_BYTES, _CLOSE_ON_EXEC)
            except BlockingIOError:
                break
            except ConnectionError:
                data, ancillary, flags = b"", [], 0
            self._take_descriptors(ancillary, flags)
            if not data:
                self._owner_is_gone()
            messages += self._frames.feed(data)
        killed = {each["id"] for each in messages if each["verb"] == "signal" and each["number"] == signal.SIGKILL}
        for message in messages:
            if message["verb"] == "start" and message["id"] in killed:
                self._call_off(message)
            else:
                self._obey(message)

    def _owner_is_gone(self) -> None:
        if not self._owner_gone:
            self._owner_gone = True
            self._poll.unregister(self._owner)

    def _take_descriptors(self, ancillary: list[tuple[int, int, bytes]], flags: int) -> None:
        taken: list[int] = []
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                taken += [number for (number,) in struct.iter_unpack("i", payload[: len(payload) // 4 * 4])]
        for descriptor in taken:
            os.set_inheritable(descriptor, False)  # where MSG_CMSG_CLOEXEC is unknown
        if taken or flags & socket.MSG_CTRUNC:
            self._handed_over.append(taken)

    def _obey(self, message: Message) -> None:
        program = self._programs.get(message["id"])
        match message["verb"]:
            case "start":
                self._start(message)
            case "signal" if program is not None:
                program.kill(message["number"])
            case "deadline" if program is not None:
                program.deadline = message["at"]
            case "signal" | "deadline":
                pass  # it ended before the owner heard so
            case verb:
                raise ValueError(f"the owner said {verb!r}")

    def _call_off(self, start: Message) -> None:
        for descriptor in self._handed_over.pop(0) if start["descriptors"] else []:
            os.close(descriptor)
        self._say_not_started(start["id"], errno.ECANCELED, "it was called off")

    def _start(self, message: Message) -> None:
        places: list[int] = message["descriptors"]
        sources = self._handed_over.pop(0) if places else []
        try:
            if len(sources) != len(places):
                self._say_not_started(message["id"], errno.EMFILE, "too many open files in the warden")
                return
            standard = dict.fromkeys((0, 1, 2), self._nothing)
            mark = strays.marked(self._outer_mark, self._name, message["id"])
            order = child.Order(
                message | {"env": message["env"] | {strays.MARK: mark}},
                standard | dict(zip(places, sources, strict=True)),
            )
            self._fork(order, message["deadline"])
        finally:
            for descriptor in sources:
                os.close(descriptor)

    def _fork(self, order: child.Order, deadline: float | None) -> None:
        try:
            report, told = os.pipe()
        except OSError as error:
            self._say_not_started(order.id, error.errno or errno.EMFILE, "too many open files in the warden")
            return
        os.set_blocking(report, False)
        # Blocked, so that nothing reaches the child before it behaves as a program does.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        try:
            pid = child.forked(order)
            if pid == 0:
                child.become(order, told, self._pid, self._signals)
            self._programs[order.id] = _Program(order, pid, report, deadline)
            self._poll.register(report, select.POLLIN)
        except OSError as error:
            os.close(report)
            self._say_not_started(order.id, error.errno or errno.EAGAIN, f"no further process: {error.strerror}")
        finally:
            os.close(told)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    # What becomes of programs

    def _learn_whether_started(self, program: _Program) -> None:
        if program.report is None:
            return
        try:
            told = os.read(program.report, 8192)
        except BlockingIOError:
            return
        self._poll.unregister(program.report)
        os.close(program.report)
        program.report = None
        if told:
            program.refused = True
            self._say_not_started(program.id, *child.refusal(told))
        else:
            self._say({"verb": "started", "id": program.id, "pid": program.pid})

    def _reap(self) -> None:
        by_pid = {program.pid: program for program in self._programs.values() if program.runs}
        while (ended := _reap_one()) is not None:
            pid, status = ended
            self._look_for_strays = True
            if pid in by_pid:
                by_pid[pid].status = status
                by_pid[pid].ended_at = boottime()
                by_pid[pid].kill_the_rest()
                self._learn_whether_started(by_pid[pid])

    def _keep_deadlines(self) -> None:
        for program in self._programs.values():
            if program.runs and program.deadline is not None and program.deadline <= boottime():
                program.deadline = None
                program.deadline_passed = True
                program.kill()

    def _kill_strays(self) -> set[str | None]:
        """Kills what left the group of an ended program, and says whose there was; `None` is not known whose.

        What has no mark may belong to a program that still runs, and is killed when none does.
        """
        ending = not all(program.runs for program in self._programs.values())
        if not self._adopts or not (ending or self._look_for_strays or self._owner_gone):
            return set()
        self._look_for_strays = False
        running = {program.id: program.pid for program in self._programs.values() if program.runs}
        found: set[str | None] = set()
        unmarked: set[int] = set()
        for pid in strays.children() - set(running.values()):
            program = strays.program_of(pid, self._name)
            if program is None and running and not self._owner_gone:
                unmarked.add(pid)
                # One that ends, or that is at this moment within exec, shows no mark though it has one: look again.
                if strays.is_ending(pid):
                    found.add(None)
                elif pid not in self._unmarked:
                    found.add(None)
                    self._look_for_strays = True
            elif program not in running or self._owner_gone:
                with contextlib.suppress(PermissionError):  # not ours to kill: it has changed its user
                    os.kill(pid, signal.SIGKILL)
                    found.add(program)
        self._unmarked = unmarked
        return found

    def _conclude(self, strays_of: set[str | None]) -> None:
        for program in [program for program in self._programs.values() if not program.runs]:
            if program.id in strays_of or program.has_left_something:
                program.kill_the_rest()
                continue
            if None in strays_of and boottime() < program.ended_at + UNKNOWN_SECONDS:
                continue
            del self._programs[program.id]
            if program.cgroup is not None:
                program.memory_limit_reached = cgroup.has_been_killed_by_its_limit(program.cgroup)
                cgroup.remove(program.cgroup)
            if not program.refused:
                self._say_ended(program)

    def _end_everything(self) -> None:
        self._owner_is_gone()
        for program in self._programs.values():
            program.kill()
        self._look()
        while self._programs or (self._adopts and strays.children()):
            self._wait()
            self._look()
        self._owner.settimeout(1)
        with contextlib.suppress(OSError):  # an owner that only closed its half wants to hear of the ends
            self._owner.sendall(self._unsent)

    # What we say

    def _say(self, message: Message) -> None:
        self._unsent += packed(message)

    def _say_ready(self) -> None:
        guards = {"dies_with_warden": kernel.die_with_parent(0), "adopts_orphans": self._adopts}
        self._say({"verb": "ready", "name": self._name, **guards})
        self._flush()

    def _say_not_started(self, program: str, number: int, sentence: str) -> None:
        self._say({"verb": "not_started", "id": program, "errno": number, "sentence": sentence})

    def _say_ended(self, program: _Program) -> None:
        assert program.status is not None
        code = os.waitstatus_to_exitcode(program.status)
        self._say(
            {
                "verb": "ended",
                "id": program.id,
                "exit_code": code if code >= 0 else None,
                "signal": -code if code < 0 else None,
                "by_deadline": program.deadline_passed and code == -signal.SIGKILL,
                "memory_limit_reached": program.memory_limit_reached,
            }
        )

    def _flush(self) -> None:
        while self._unsent and self._owner_listens:
            try:
                del self._unsent[: self._owner.send(self._unsent)]
            except BlockingIOError:
                return
            except OSError:
                self._owner_listens = False
                self._unsent.clear()


def _signal_group(leader: int, number: int) -> bool:
    """Whether there was a group that we may signal."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _group_is_there(leader: int) -> bool:
    """Asked after it was killed, until it is not. Its number is its own only as long as it has a member."""
    return _signal_group(leader, 0)


def _reap_one() -> tuple[int, int] | None:
    """A child that ended, and its status. What is left of its group is killed before its number is freed."""
    try:
        if sys.platform == "darwin":  # no waitid: a moment in which the number could be another's
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return None
            _signal_group(pid, signal.SIGKILL)
            return pid, status
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return None
        _signal_group(ended.si_pid, signal.SIGKILL)
        return os.waitpid(ended.si_pid, 0)
    except ChildProcessError:
        return None


def _wake_on_child() -> int:
    """A descriptor that is readable after a child ended."""
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    # Only a signal with a handler is written to the pipe.
    signal.signal(signal.SIGCHLD, _nothing_else)
    return woken


def _nothing_else(number: int, frame: FrameType | None) -> None:
    del number, frame


def serve(descriptor: int) -> None:
    # Its owner's end is what ends a warden: not a Ctrl-C meant for the owner, not a service manager's SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    kernel.be_called(b"ffmesh-warden")
    os.set_inheritable(descriptor, False)
    os.chdir("/")  # a mount that we sit in could not be unmounted
    owner = socket.socket(fileno=descriptor)
    owner.setblocking(False)
    gc.freeze()  # or a child that looks for garbage copies all that it marks
    Warden(owner).run()
