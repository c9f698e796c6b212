"""The owner's side of a warden, for asyncio.

    async with Warden.started() as warden:
        program = await warden.start(["ffmpeg", "-i", name], env=environment, cwd=folder, stdout=write_end)
        ended = await program.ended()

Promises: every program that was started is told ended exactly once, and when it is told, nothing of it runs. A
cancelled `start` leaves no program behind. Leaving the block, in whatever way, ends all programs.

It has no task: the loop calls it when the socket is readable. The owner must not fork without exec (a copy of
our end of the socket would keep the warden from seeing the owner's death).
"""

from __future__ import annotations

import asyncio
import errno
import functools
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ffmesh_warden import cgroup as cgroups
from ffmesh_warden import strays
from ffmesh_warden.errors import NotStarted, WardenDied
from ffmesh_warden.link import Link
from ffmesh_warden.program import Ended, Program, Record, Starting, checked
from ffmesh_warden.wire import DESCRIPTORS_AT_ONCE, as_text, boottime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from ffmesh_warden.fence import Fence
    from ffmesh_warden.wire import Message

__all__ = ["Ended", "Guards", "NotStarted", "Program", "Warden", "WardenDied", "boottime"]

Name: TypeAlias = str | bytes | os.PathLike[str]

START_SECONDS = 30.0
"""For the warden itself, which takes a fiftieth of a second. Not a limit for programs."""

END_SECONDS = 5.0
"""How long leaving the block waits for the warden. Only a program that the kernel itself cannot kill now (it waits
for a dead disk or mount) takes longer; the warden then stays with it alone."""

NAMES_REMEMBERED = 256
"""Of what fences name, as text: most of it is the same for every program."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Guards:
    """Which of the kernel's help this machine has; without it the README says what is not promised."""

    dies_with_warden: bool
    adopts_orphans: bool


class Warden:
    """Made by `started` only."""

    def __init__(self, process: subprocess.Popen[bytes], link: Link) -> None:
        self._process = process
        self._link = link
        self._mark = ""
        self._guards = Guards(dies_with_warden=False, adopts_orphans=False)
        self._numbers = itertools.count(1)
        self._starting: dict[str, asyncio.Future[Program]] = {}
        self._records: dict[str, Record] = {}
        self._cgroups: dict[str, bytes] = {}
        self._ready = asyncio.Event()
        self._gone = asyncio.Event()
        self._leaving = False

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncGenerator[Warden, None]:
        """Starts a warden process, in a session of its own, and ends it with everything it started."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                process = _spawn(theirs.fileno())
            except BaseException:
                ours.close()
                raise
        warden = cls(process, Link(ours))
        loop.add_reader(ours, warden._on_readable)
        try:
            await warden._is_ready()
            yield warden
        finally:
            await warden._leave()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def name(self) -> str:
        """Stands in the mark of every program that it starts: see strays.py."""
        return self._mark

    @property
    def guards(self) -> Guards:
        return self._guards

    @property
    def alive(self) -> bool:
        return not self._gone.is_set()

    async def died(self) -> None:
        """Returns when the warden is gone. Inside the block that is a misfortune: nothing can be started any more."""
        await self._gone.wait()

    async def start(
        self,
        argv: Sequence[Name],
        *,
        env: Mapping[str, str] | Mapping[bytes, bytes],
        cwd: Name,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        extra: Mapping[int, int] | None = None,
        umask: int | None = None,
        nice: int | None = None,
        ionice: str | None = None,
        cpus: Sequence[int] | None = None,
        cgroup: Name | None = None,
        user: str | int | None = None,
        group: str | int | None = None,
        kill_at: float | None = None,
        fence: Fence | None = None,
        program_called: str | None = None,
        folder_called: str | None = None,
        ordered: Callable[[Starting], None] | None = None,
    ) -> Program:
        """Returns when the program runs; raises `NotStarted` with a sentence, or `WardenDied`.

        A program without a slash is looked up in the PATH of `env`, a relative one in `cwd`. `env` is the whole
        environment; only FFMESH_PROGRAM is added. Descriptors stay the caller's, who may close them when this
        returns; `None` is /dev/null, `extra` maps numbers in the program to descriptors. `umask` None is ours.
        `ionice` is `idle`, or `best-effort:0` to `best-effort:7`. `cpus` are the processors that it may
        use, where the system has such a thing. `cgroup` is the folder of a cgroup of version 2 that
        is this program's alone: the program runs in it, all that is in it ends with it, and then it is removed.
        `user` is for root; its groups are the user's own. `kill_at` is a deadline as for `Program.kill_at`, in force
        from the first moment. `fence` is what the program and all it starts may touch; where it cannot be put up,
        nothing is started. What the program and its folder are called stands in the sentence of `NotStarted` where
        their paths would stand otherwise: for owners who pass it on to others than their own people. `ordered` is told
        as soon as the order is on its way: what is to stand still at once need not run before it is known to.
        """
        wanted = {0: stdin, 1: stdout, 2: stderr} | dict(extra or {})
        places = {place: descriptor for place, descriptor in wanted.items() if descriptor is not None}
        _check(argv, places)
        name = str(next(self._numbers))
        message: Message = {
            "verb": "start",
            "id": name,
            "argv": [_text(argument) for argument in argv],
            "env": {_text(key): _text(value) for key, value in env.items()},
            "cwd": _text(cwd),
            "called": [program_called, folder_called],
            "umask": umask,
            "nice": nice,
            "ionice": ionice,
            "cpus": list(cpus) if cpus is not None else None,
            "cgroup": _text(cgroup) if cgroup is not None else None,
            "user": user,
            "group": group,
            "deadline": checked(kill_at),
            "fence": None if fence is None else _told(fence),
            "descriptors": list(places),
        }
        if cgroup is not None:
            self._cgroups[name] = os.fsencode(cgroup)
        return await self._started(name, message, list(places.values()), ordered)

    async def _started(
        self, name: str, message: Message, descriptors: list[int], ordered: Callable[[Starting], None] | None
    ) -> Program:
        if self._leaving or self._gone.is_set():
            raise WardenDied
        try:
            self._link.post(message, descriptors)
        except OSError as error:
            self._cgroups.pop(name, None)
            raise NotStarted(
                error.errno or errno.EBADF, f"a descriptor cannot be handed over: {error.strerror}"
            ) from None
        answer: asyncio.Future[Program] = asyncio.get_running_loop().create_future()
        self._starting[name] = answer
        if ordered is not None:
            ordered(Starting(self._link, name))
        try:
            return await answer
        except asyncio.CancelledError:
            # Orders arrive in order: whatever the start becomes, this comes after it.
            self._link.post({"verb": "signal", "id": name, "number": int(signal.SIGKILL)})
            raise
        finally:
            self._starting.pop(name, None)

    async def _is_ready(self) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            raise WardenDied(f"the warden process did not say ready within {START_SECONDS:.0f} s") from None
        if self._gone.is_set():
            raise WardenDied("the warden process ended before it was ready; why stands in our standard error")

    async def _leave(self) -> None:
        self._leaving = True
        self._link.say_no_more()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._gone.wait()
                # It has closed its socket, only its last steps are left: no event is worth its wiring.
                while self._process.poll() is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
        except TimeoutError:
            _log.warning("warden %d waits for a program that the kernel does not end yet: left to it", self.pid)
        finally:
            self._lose()

    # What the warden says

    def _on_readable(self) -> None:
        messages, more = self._link.received()
        for message in messages:
            self._heed(message)
        if not more:
            self._lose()

    def _heed(self, message: Message) -> None:
        match message["verb"]:
            case "ready":
                self._mark = message["name"]
                self._guards = Guards(message["dies_with_warden"], message["adopts_orphans"])
                self._ready.set()
            case "started":
                record = self._records[message["id"]] = Record(message["pid"])
                self._answer(message["id"], Program(self._link, message["id"], record))
            case "not_started":
                self._cgroups.pop(message["id"], None)
                self._answer(message["id"], NotStarted(message["errno"], message["sentence"]))
            case "ended":
                self._cgroups.pop(message["id"], None)
                end = Ended(
                    message["exit_code"],
                    message["signal"],
                    by_deadline=message["by_deadline"],
                    memory_limit_reached=message["memory_limit_reached"],
                )
                self._records.pop(message["id"]).conclude(end)
            case verb:
                raise ValueError(f"the warden said {verb!r}")

    def _answer(self, name: str, answer: Program | Exception) -> None:
        waiting = self._starting.pop(name, None)
        if waiting is None or waiting.done():
            return  # cancelled meanwhile, and killed
        if isinstance(answer, Program):
            waiting.set_result(answer)
        else:
            waiting.set_exception(answer)

    def _lose(self) -> None:
        """The socket has ended. What the warden, killed by somebody, could not do is done here."""
        if self._gone.is_set():
            return
        asyncio.get_running_loop().remove_reader(self._link)
        self._link.close()
        self._gone.set()
        self._ready.set()
        if self._starting or self._records or self._cgroups:
            self._kill_what_is_left()
        for name in list(self._starting):
            self._answer(name, WardenDied())
        for record in self._records.values():
            record.conclude(Ended(None, int(signal.SIGKILL), warden_died=True))
        self._records.clear()

    def _kill_what_is_left(self) -> None:
        for record in self._records.values():
            record.kill_group()
        for folder in self._cgroups.values():
            cgroups.kill(folder)
        if self._mark:
            strays.kill_marked(self._mark)


def _spawn(descriptor: int) -> subprocess.Popen[bytes]:
    # The interpreter itself and not a virtual environment's link to it: the warden needs the standard library only.
    python = Path(sys.executable).resolve()
    main = Path(__file__).resolve().with_name("__main__.py")
    return subprocess.Popen(
        [python, "-S", "-I", "-E", main, str(descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[descriptor],
        start_new_session=True,
    )


def _check(argv: Sequence[Name], places: Mapping[int, int]) -> None:
    if not argv:
        raise NotStarted(errno.EINVAL, "no program is named")
    if len(places) > DESCRIPTORS_AT_ONCE:
        raise NotStarted(errno.EMFILE, f"more than {DESCRIPTORS_AT_ONCE} descriptors for one program")
    if min(places, default=0) < 0:
        raise NotStarted(errno.EBADF, "a descriptor cannot have a number below 0")


def _told(fence: Fence) -> Message:
    for name in (*fence.read, *fence.write, *fence.devices):
        if not name.startswith(b"/"):
            raise NotStarted(errno.EINVAL, f"a fence needs names from the root on, and {name!r} is none")
    return {
        "kind": fence.kind,
        "read": _texts(fence.read),
        "write": _texts(fence.write),
        "devices": _texts(fence.devices),
        "network": fence.network,
        "leads": {_text(name): _text(place) for name, place in fence.leads},
    }


def _texts(names: Sequence[bytes]) -> list[str]:
    return [_text_again(name) for name in names]


def _text(name: Name) -> str:
    try:
        text = as_text(name)
    except UnicodeEncodeError:
        raise NotStarted(errno.EILSEQ, f"{name!r} is no text that this machine can write as bytes") from None
    if "\0" in text:
        raise NotStarted(errno.EINVAL, f"{name!r} contains a zero byte, which ends every argument")
    return text


_text_again = functools.lru_cache(NAMES_REMEMBERED)(_text)
