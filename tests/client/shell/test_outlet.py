"""Bytes on their way to a descriptor that may block."""

import os
import socket
import threading
from collections.abc import Generator
from pathlib import Path
from queue import Queue

import pytest

from ffmesh_client.core.events import ReaderGone, Written
from ffmesh_client.shell.outlet import Outlet

PIPE_HOLDS = 65536
PATIENCE = 10.0


@pytest.fixture
def pipe() -> Generator[tuple[int, int], None, None]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(writer)


def outlet(descriptor: int, stream: str = "stdout") -> tuple[Outlet, "Queue[Written | ReaderGone]"]:
    told: Queue[Written | ReaderGone] = Queue()
    return Outlet(stream, descriptor, told.put), told


def test_what_was_written_is_told_and_arrives(pipe: tuple[int, int]) -> None:
    out, told = outlet(pipe[1])
    out.write(b"abc")
    assert told.get(timeout=PATIENCE) == Written(stream="stdout", count=3)
    assert os.read(pipe[0], 9) == b"abc"
    os.close(pipe[0])


def test_what_the_reader_has_not_taken_is_not_told(pipe: tuple[int, int]) -> None:
    out, told = outlet(pipe[1])
    content = os.urandom(3 * PIPE_HOLDS)
    out.write(content)
    out.write(b"the end")
    first = told.get(timeout=PATIENCE)
    assert isinstance(first, Written)
    assert first.count <= PIPE_HOLDS
    assert told.empty()
    arrived = b""
    while len(arrived) < len(content) + 7:
        arrived += os.read(pipe[0], PIPE_HOLDS)
    assert arrived == content + b"the end"
    count = first.count
    while count < len(arrived):
        event = told.get(timeout=PATIENCE)
        assert isinstance(event, Written)
        count += event.count
    os.close(pipe[0])


def test_a_descriptor_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    out, told = outlet(pipe[1])
    content = os.urandom(3 * PIPE_HOLDS)
    out.write(content)
    arrived = b""
    while len(arrived) < len(content):
        arrived += os.read(pipe[0], PIPE_HOLDS)
    assert arrived == content
    assert isinstance(told.get(timeout=PATIENCE), Written)
    os.close(pipe[0])


def test_a_closed_pipe_is_told_without_a_sentence(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    out, told = outlet(pipe[1])
    out.write(b"abc")
    assert told.get(timeout=PATIENCE) == ReaderGone(stream="stdout", sentence=None)


def test_a_full_disk_is_told_with_a_sentence() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    out, told = outlet(full)
    out.write(b"abc")
    event = told.get(timeout=PATIENCE)
    assert isinstance(event, ReaderGone)
    assert "No space left" in (event.sentence or "")
    os.close(full)


@pytest.mark.parametrize(("place", "way"), [("/dev/full", os.O_WRONLY), (os.devnull, os.O_RDONLY)])
def test_messages_that_cannot_be_written_are_dropped(place: str, way: int) -> None:
    """On a full disk, and where standard error was closed: then something stands in its place that only reads."""
    broken = os.open(place, way)
    out, told = outlet(broken, "stderr")
    out.write(b"lost")
    assert told.get(timeout=PATIENCE) == Written(stream="stderr", count=4)
    out.write(b"as well")
    assert told.get(timeout=PATIENCE) == Written(stream="stderr", count=7)
    os.close(broken)


def test_after_messages_that_were_dropped_the_next_one_is_tried_again(tmp_path: Path) -> None:
    """A socket that nobody is connected to yet."""
    with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX) as ours:
        door.bind(str(tmp_path / "door"))
        door.listen()
        out, told = outlet(ours.fileno(), "stderr")
        out.write(b"lost")
        assert told.get(timeout=PATIENCE) == Written(stream="stderr", count=4)
        ours.connect(str(tmp_path / "door"))
        out.write(b"found")
        assert told.get(timeout=PATIENCE) == Written(stream="stderr", count=5)


def test_a_closed_pipe_ends_the_messages_too(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    out, told = outlet(pipe[1], "stderr")
    out.write(b"abc")
    assert told.get(timeout=PATIENCE) == ReaderGone(stream="stderr", sentence=None)


def test_who_stops_waiting_for_a_reader_is_done_at_once_and_leaves_the_descriptor_as_it_was(
    pipe: tuple[int, int],
) -> None:
    out, told = outlet(pipe[1])
    out.write(bytes(3 * PIPE_HOLDS))
    assert isinstance(told.get(timeout=PATIENCE), Written)  # the pipe is full now
    out.close()
    assert os.get_blocking(pipe[1])
    os.close(pipe[0])


def test_a_terminal_that_nobody_reads_is_waited_for_and_can_be_left() -> None:
    """As after Ctrl-S. The thread ends: a helper of many calls would soon have many."""
    before = threading.enumerate()
    ours, theirs = os.openpty()
    out, told = outlet(theirs)
    content = os.urandom(3 * PIPE_HOLDS)
    out.write(content)
    assert isinstance(told.get(timeout=PATIENCE), Written)
    (thread,) = [each for each in threading.enumerate() if each not in before]
    out.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert os.get_blocking(theirs)
    for descriptor in (ours, theirs):
        os.close(descriptor)


def test_nobody_waits_for_a_thread_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file on a mount that is gone. Whoever closes it has other calls to see to."""

    def join(*_: object) -> None:
        raise AssertionError("waited for")

    let_go, begun = threading.Event(), threading.Event()

    def hangs(*_: object) -> int:
        begun.set()
        let_go.wait()
        return 1

    with (tmp_path / "file").open("wb") as file:
        out, _ = outlet(file.fileno())
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", hangs)
            patch.setattr(threading.Thread, "join", join)
            out.write(b"a")
            assert begun.wait(PATIENCE)
            out.close()
            let_go.set()


def test_a_number_that_is_another_files_by_now_is_not_written(tmp_path: Path) -> None:
    """Its caller closes its own when it is done, and the next caller's gets the same number."""
    with (tmp_path / "this").open("wb") as this, (tmp_path / "next").open("wb") as another:
        number = os.dup(this.fileno())
        out, told = outlet(number)
        out.write(b"a")
        assert told.get(timeout=PATIENCE) == Written(stream="stdout", count=1)
        os.dup2(another.fileno(), number)
        out.write(b"b")
        assert told.get(timeout=PATIENCE) == Written(stream="stdout", count=1)
        out.close()
        os.close(number)
    assert (tmp_path / "this").read_bytes() == b"ab"
    assert (tmp_path / "next").read_bytes() == b""


def test_a_socket_whose_reader_stands_still_is_waited_for_and_can_be_left() -> None:
    """As some callers make them for a program's streams."""
    reader, writer = socket.socketpair()
    with reader, writer:
        out, told = outlet(writer.fileno())
        content = os.urandom(1_000_000)
        out.write(content)
        arrived = b""
        while len(arrived) < len(content):
            arrived += reader.recv(PIPE_HOLDS)
        assert arrived == content
        out.write(content)
        assert isinstance(told.get(timeout=PATIENCE), Written)
        out.close()
        assert writer.getblocking()
