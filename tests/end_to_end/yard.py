"""A root with a film, and beside it a place that no job may touch: files that tell when they are opened, and sockets.

    with Yard.made(folder, film) as yard:
        …
        assert yard.touched() == []

Whatever is opened, made, changed or removed outside is told by the kernel (inotify), and every connection and datagram
waits in its socket, so that a look afterwards sees all there was.
"""

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from ffmesh_agent.ffmpeg.argv import Command
from ffmesh_agent.shell.checks import Checks
from ffmesh_protocol.media import Argument, RawBytes, RootPath, raw_bytes
from ffmesh_protocol.messages.orders import Grant

ROOT: Final = "Movies"
SECRET: Final = "The canary sings."

_OPEN, _MODIFY, _ATTRIB, _MOVED, _CREATE, _DELETE = 0x20, 0x2, 0x4, 0xC0, 0x100, 0x200
_EVENT: Final = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)

SUBTITLES: Final = f"1\n00:00:00,000 --> 00:00:01,000\n{SECRET}\n"
CUBE: Final = "LUT_3D_SIZE 2\n" + "".join(f"{r} {g} {b}\n" for b in (0, 1) for g in (0, 1) for r in (0, 1))


def film_made(folder: Path) -> Path:
    """Two films, as small as they can be: one in Matroska, one in MPEG-TS."""
    film = folder / "film.mkv"
    _ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x64:r=5:d=0.4", "-c:v", "mpeg2video", str(film))
    _ffmpeg("-i", str(film), "-c", "copy", str(folder / "film.ts"))
    _ffmpeg("-i", str(film), "-frames:v", "1", str(folder / "1.png"))
    words = folder / "words.txt"
    words.write_text("words", encoding="ascii")
    attached = ("-attach", str(words), "-metadata:s:t", "mimetype=text/plain")
    _ffmpeg("-i", str(film), "-c", "copy", *attached, str(folder / "attached.mkv"))
    return film


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True, timeout=60)


class Yard:
    def __init__(self, folder: Path, films: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.outside = folder / "outside"
        for place in (self.root, self.outside):
            place.mkdir(parents=True)
            for name in ("film.mkv", "film.ts", "1.png"):
                shutil.copy(films / name, place / name)
            (place / "words.srt").write_text(SUBTITLES, encoding="utf-8")
            (place / "colours.cube").write_text(CUBE, encoding="ascii")
        (self.outside / "graph").write_text("null", encoding="ascii")
        (self.outside / "canary.txt").write_text(f"{SECRET}\n", encoding="utf-8")
        shutil.copy(films / "attached.mkv", self.root)
        self._open = ExitStack()
        self._visitors: list[str] = []
        self.tcp = self._listening(socket.AF_INET, ("127.0.0.1", 0))
        self.unix = self._listening(socket.AF_UNIX, str(folder / "socket"))
        self.udp = self._open.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("127.0.0.1", 0))
        self.udp.setblocking(False)
        self._inotify = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._inotify >= 0
        self._open.callback(os.close, self._inotify)
        self._watch(self.outside)
        self._watch(self.outside / "canary.txt")  # by whatever name
        self.held = self._open.enter_context((self.outside / "canary.txt").open("rb")).fileno()
        self.pid = os.getpid()
        self._events()

    @classmethod
    @contextmanager
    def made(cls, folder: Path, films: Path) -> Generator["Yard", None, None]:
        yard = cls(folder, films)
        with yard._open:
            yield yard

    def _listening(self, family: int, address: str | tuple[str, int]) -> socket.socket:
        made = self._open.enter_context(socket.socket(family))
        made.bind(address)
        made.listen(16)
        welcome = threading.Thread(target=self._welcome, args=(made, f"family {family}"), daemon=True)
        welcome.start()
        self._open.callback(welcome.join)
        self._open.callback(made.shutdown, socket.SHUT_RDWR)
        return made

    def _welcome(self, listening: socket.socket, name: str) -> None:
        """Says nothing to whoever comes, and goodbye, so that nobody waits."""
        with suppress(OSError):  # the end of the yard
            while True:
                visitor = listening.accept()[0]
                self._visitors.append(name)
                visitor.close()

    def _watch(self, folder: Path) -> None:
        kinds = _OPEN | _MODIFY | _ATTRIB | _MOVED | _CREATE | _DELETE
        assert _libc.inotify_add_watch(self._inotify, os.fsencode(folder), kinds) >= 0

    # --- what escapes use ---------------------------------------------------------------------------------------------

    def out(self, name: str = "canary.txt") -> str:
        return str(self.outside / name)

    @property
    def port(self) -> int:
        return int(self.tcp.getsockname()[1])

    @property
    def udp_port(self) -> int:
        return int(self.udp.getsockname()[1])

    @property
    def socket(self) -> str:
        return str(self.folder / "socket")

    def note(self, name: str, *lines: str) -> None:
        """A file in the root."""
        (self.root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def link(self, name: str, target: str) -> None:
        (self.root / name).symlink_to(target)

    # --- what came of them --------------------------------------------------------------------------------------------

    def touched(self) -> list[str]:
        """All that was done outside, each in a word."""
        return [*self._events(), *self._visitors, *self._datagrams()]

    def _events(self) -> list[str]:
        try:
            told = os.read(self._inotify, 65536)
        except BlockingIOError:
            return []
        events: list[str] = []
        while told:
            _, mask, _, length = _EVENT.unpack_from(told)
            name = told[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode()
            told = told[_EVENT.size + length :]
            events.append(f"{name or 'the folder'} ({mask:#x})")
        return events

    def _datagrams(self) -> list[str]:
        try:
            self.udp.recv(65536)
        except BlockingIOError:
            return []
        return ["a datagram"]

    def secret_is_out(self, *others: Path) -> bool:
        """Whether the canary's words stand in anything that the job has left."""
        return any(
            SECRET.encode() in file.read_bytes()
            for place in (self.root, *others)
            for file in place.rglob("*")
            if file.is_file() and not file.is_symlink() and file.name != "words.srt"
        )


class Unchecked(Checks):
    """Looks at nothing: what stands in the grant is what the program is given."""

    def command(self, grant: Grant, roots: Mapping[str, str] | None = None) -> Command:
        del roots
        folder = self._path(grant.cwd) if grant.cwd is not None else None
        return Command(
            argv=(grant.program.encode(), *map(self._written, grant.args)), folder=folder, reports_progress=False
        )

    def looking(self, grant: Grant) -> None:
        del grant

    def _written(self, argument: Argument) -> bytes:
        return b"".join(
            self._path(piece)
            if isinstance(piece, RootPath)
            else raw_bytes(piece)
            if isinstance(piece, RawBytes)
            else piece.encode()
            for piece in argument
        )

    def _path(self, path: RootPath) -> bytes:
        return os.fsencode("/".join(filter(None, (self._roots[path.root], path.path))))
