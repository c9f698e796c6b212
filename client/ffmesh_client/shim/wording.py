"""What a shim and its helper say to each other on their socket. Pure.

A call comes first, with the descriptors that it names: `ffmesh 1 LENGTH`, a line end, and so many bytes. Those are
separated by zero bytes: umask (in decimals), which of 0, 1 and 2 are open, working folder, program of this machine,
name that was called, count of variables, the variables, the arguments. Then `s` and a number for each signal.

The helper answers in lines, a letter and a text (front.py says which).
"""

import os
from enum import StrEnum
from typing import Final

from ffmesh_protocol.errors import MalformedMessage
from ffmesh_protocol.wire import Told

MAGIC: Final = b"ffmesh 1 "
HEAD_BYTES: Final = 32
CALL_BYTES_MAX: Final = 4 * 1024 * 1024
"""More than the kernel gives to a program."""

STREAMS: Final = ("stdin", "stdout", "stderr")


class Call(Told, frozen=True):
    """What was called, where and how. Texts may hold surrogate escapes for bytes that are no UTF-8."""

    umask: int
    open: tuple[int, ...]
    """Of the standard streams those that the caller gave."""
    folder: str
    real: str
    name: str
    environment: dict[str, str]
    arguments: tuple[str, ...]
    stdin_is_terminal: bool = False


class Word(StrEnum):
    WAIT = "w"
    MESH = "m"
    LOCAL = "l"
    COMPLAINT = "c"
    EXIT = "x"
    KILLED = "k"


def said(word: Word, text: str | int = "") -> bytes:
    return f"{word}{text}".replace("\n", " ").encode(errors="surrogateescape") + b"\n"


def length_of(begun: bytes) -> tuple[int, int] | None:
    """Where a call that has come so far begins and ends; None as long as that has not come. `MalformedMessage`."""
    line, end, _ = begun[:HEAD_BYTES].partition(b"\n")
    if not end:
        if len(begun) >= HEAD_BYTES or not MAGIC.startswith(line[: len(MAGIC)]):
            raise MalformedMessage("this is no call of a shim")
        return None
    number = line.removeprefix(MAGIC)
    if number == line or not number.isdigit() or int(number) > CALL_BYTES_MAX:
        raise MalformedMessage("this is no call of a shim")
    return len(line) + 1, len(line) + 1 + int(number)


def call_in(body: bytes) -> Call:
    """`MalformedMessage`."""
    try:
        umask, streams, folder, real, name, count, *rest = map(os.fsdecode, body.split(b"\0"))
        variables = [each.partition("=") for each in rest[: int(count)]]
        return Call(
            umask=int(umask),
            open=tuple(map(int, streams)),
            folder=folder,
            real=real,
            name=name,
            environment={name: value for name, _, value in variables},
            arguments=tuple(rest[int(count) :]),
        )
    except (ValueError, IndexError) as error:
        raise MalformedMessage("a call of a shim that cannot be read") from error


def signals_in(words: bytes) -> tuple[list[int], bytes]:
    """The signals that were handed on, and what of the next word has come."""
    *lines, rest = words.split(b"\n")
    return [int(line[1:]) for line in lines if line[:1] == b"s" and line[1:].isdigit()], rest
