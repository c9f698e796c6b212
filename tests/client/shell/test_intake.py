"""Standard input is read when it was asked for, and no further."""

import os
import queue
import select
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ffmesh_client.core.events import InputRead
from ffmesh_client.shell.intake import Intake


class Ends:
    """A pipe, its reader, and what that has told."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()
        self.told: queue.SimpleQueue[InputRead] = queue.SimpleQueue()
        self.intake = Intake(self.reads, self.told.put)

    def next(self) -> bytes:
        return self.told.get(timeout=60).content

    @property
    def left(self) -> bytes:
        ready, _, _ = select.select([self.reads], [], [], 0)
        return os.read(self.reads, 1000) if ready else b""


@contextmanager
def ends() -> Generator[Ends, None, None]:
    made = Ends()
    try:
        yield made
    finally:
        made.intake.stop()


def test_nothing_is_taken_that_was_not_asked_for() -> None:
    with ends() as here:
        os.write(here.writes, b"abcdef")
        here.intake.read(4)
        assert here.next() == b"abcd"
        assert here.left == b"ef"


def test_what_comes_later_is_taken_when_it_comes() -> None:
    with ends() as here:
        here.intake.read(10)
        os.write(here.writes, b"ab")
        assert here.next() == b"ab"
        here.intake.read(10)
        os.write(here.writes, b"c")
        assert here.next() == b"c"


def test_the_end_is_told() -> None:
    with ends() as here:
        os.close(here.writes)
        here.intake.read(10)
        assert here.next() == b""


def test_what_cannot_be_read_is_at_its_end(tmp_path: Path) -> None:
    told: queue.SimpleQueue[InputRead] = queue.SimpleQueue()
    with (tmp_path / "written").open("wb") as file:
        intake = Intake(file.fileno(), told.put)
        intake.read(10)
        assert told.get(timeout=60).content == b""
        intake.stop()


def test_a_number_that_is_another_files_by_now_is_not_read() -> None:
    """Its caller closes its own when it is done, and the next caller's gets the same number."""
    with ends() as here:
        here.intake.read(10)
        reads, writes = os.pipe()
        os.dup2(reads, here.reads)
        os.write(writes, b"for the next call")
        os.write(here.writes, b"for this")
        assert here.next() == b"for this"
        assert here.left == b"for the next call"


@pytest.mark.parametrize("is_read", [False, True])
def test_its_own_descriptor_is_closed_when_it_is_over(is_read: bool) -> None:
    before = threading.enumerate()
    reads, writes = os.pipe()
    intake = Intake(reads, queue.SimpleQueue[InputRead]().put)
    if is_read:
        intake.read(10)
    intake.stop()
    os.close(reads)
    for thread in threading.enumerate():
        if thread not in before:
            thread.join(60)
    with pytest.raises(BrokenPipeError):
        os.write(writes, b"nobody reads it any more")
    os.close(writes)


def test_after_the_stop_nothing_is_taken_though_it_was_asked_for() -> None:
    before = threading.enumerate()
    with ends() as here:
        here.intake.read(10)
        (thread,) = [each for each in threading.enumerate() if each.name == "read stdin" and each not in before]
        here.intake.stop()
        thread.join(60)
        os.write(here.writes, b"for somebody else")
        assert here.left == b"for somebody else"
        assert here.told.empty()
