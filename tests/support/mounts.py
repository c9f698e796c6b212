"""Real mounts for tests that are root, and a file system that never answers. Elsewhere these tests are skipped.

Whatever becomes of a test, nothing stays mounted: each is taken away at the end of its block, also from under those who
still use it or hang on it.
"""

import ctypes
import os
import select
import struct
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

import pytest

_libc: Final = ctypes.CDLL(None, use_errno=True)

_REQUEST_BYTES: Final = 1 << 17
_IN_HEADER: Final = struct.Struct("=IIQQIIII")
_OUT_HEADER: Final = struct.Struct("=IiQ")
_INIT_OUT: Final = struct.Struct("=IIIIHHIIHHI28x")
_FUSE_INIT: Final = 26
_HELLO_SECONDS: Final = 20.0
_NOSUID_NODEV: Final = 2 | 4


def mount_tmpfs(place: Path, *options: str) -> None:
    """Until somebody unmounts it: see `mountable`."""
    _mount("-t", "tmpfs", "-o", ",".join(("size=4m", "mode=0777", *options)), "tmpfs", place)


def bind(folder: Path, place: Path) -> None:
    _mount("--bind", folder, place)


def remount(place: Path, options: str) -> None:
    _mount("-o", f"remount,{options}", place)


def unmount(place: Path, *, at_once: bool = True) -> None:
    """`at_once`: also while it is used; it stays there for those who have something open in it."""
    subprocess.run(["umount", *(["-l"] if at_once else []), place], check=True, capture_output=True, timeout=20)


def _mount(*words: str | Path) -> None:
    done = subprocess.run(["mount", *words], check=False, capture_output=True, timeout=20)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode().strip()}")


@contextmanager
def mountable(place: Path) -> Generator[Path, None, None]:
    """A folder, made if it is not there; what the block mounts on it is gone after it, and nothing else."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    place.mkdir(exist_ok=True)
    before = _mounts_on(place)
    try:
        yield place
    finally:
        while _mounts_on(place) > before:
            unmount(place)


def _mounts_on(place: Path) -> int:
    points = [line.split(b" ")[4] for line in Path("/proc/self/mountinfo").read_bytes().splitlines()]
    return points.count(os.fsencode(place))


@contextmanager
def silent_mount(place: Path, *, takes_requests: bool = False) -> Generator[None, None, None]:
    """In the block, whoever asks for anything in this folder waits for ever: a FUSE file system that has said that it
    is there, and says nothing else.

    Those who wait can be killed; with `takes_requests` the kernel does not let go of them either (the state D).
    """
    with mountable(place):
        before = _mounts_on(place)
        device = _fuse_device()
        try:
            options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
            if _libc.mount(b"silent", os.fsencode(place), b"fuse.silent", _NOSUID_NODEV, options.encode()) != 0:
                pytest.skip(f"no FUSE here: {os.strerror(ctypes.get_errno())}")
            _say_hello(device)
            with _taking_requests(device) if takes_requests else nullcontext():
                yield
        finally:
            # First the mount: once the device is closed, all who wait are told that nobody is there.
            while _mounts_on(place) > before:
                unmount(place)
            os.close(device)


def _fuse_device() -> int:
    try:
        return os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        pytest.skip(f"no FUSE here: {error.strerror}")


def _say_hello(device: int) -> None:
    assert select.select([device], [], [], _HELLO_SECONDS)[0], "the kernel does not greet"
    request = os.read(device, _REQUEST_BYTES)
    _, opcode, number, *_ = _IN_HEADER.unpack_from(request)
    assert opcode == _FUSE_INIT
    body = _INIT_OUT.pack(7, 31, 0, 0, 12, 9, 4096, 1, 1, 0, 0)
    os.write(device, _OUT_HEADER.pack(_OUT_HEADER.size + len(body), 0, number) + body)


@contextmanager
def _taking_requests(device: int) -> Generator[None, None, None]:
    enough, says_enough = os.pipe()

    def take() -> None:
        while enough not in select.select([device, enough], [], [])[0]:
            with suppress(BlockingIOError):  # who asked was killed before it was read
                os.read(device, _REQUEST_BYTES)

    taker = threading.Thread(target=take)
    taker.start()
    try:
        yield
    finally:
        os.close(says_enough)
        taker.join()  # while it reads, the device is not closed
        os.close(enough)
