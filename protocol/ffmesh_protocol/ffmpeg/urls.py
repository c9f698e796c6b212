"""What a name that ffmpeg opens means: a file, a stream of the process, a part of the network or of the machine.

Protocols that wrap others are taken off, and what is left is told with the place where it stands. A protocol that is
known nowhere is a doubt: ffmpeg would refuse it, or know better.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import structs

from ffmesh_protocol.ffmpeg.places import FOLDER, READ, WRITTEN, Place
from ffmesh_protocol.ffmpeg.quoting import CONCAT, NONE, joined
from ffmesh_protocol.media import is_same_everywhere, printable
from ffmesh_protocol.wire import Told

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2

NETWORK: Final = frozenset(
    {
        *("amqp", "dtls", "ffrtmpcrypt", "ffrtmphttp", "ftp", "gopher", "gophers", "http", "httpproxy", "https"),
        *("icecast", "ipfs", "ipns", "ipfs_gateway", "libsrt", "libssh", "mms", "mmsh", "mmst", "prompeg", "rist"),
        *("rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts", "rtp", "rtsp", "rtsps", "satip", "sap"),
        *("sctp", "sftp", "smb", "srt", "srtp", "tcp", "tls", "udp", "udplite", "ws", "wss", "whip", "zmq"),
    }
)
_NOTHING_OPENED: Final = frozenset({"data"})
_WRAPPERS: Final = frozenset({"async", "cache", "crypto"})
_WRAPPERS_WITH_PLUS: Final = frozenset({"crypto", "hls"})
_DEEPEST: Final = 8
"""Wrappers around one name. What is wrapped deeper, nobody has written by hand."""

_scheme = re.compile(r"[A-Za-z0-9+.-]*(?=:)")
_number = re.compile(r" *[0-9]{1,9}\Z")
_own_stream = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})\Z")
_DEVICES: Final = "/dev/"
_MEMORY: Final = "/dev/shm"  # noqa: S108 - a folder like any other
_STANDARD: Final = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}


class Address(Told, frozen=True):
    """`places` have their positions in the text that was read; `streams` are descriptors of the process."""

    places: tuple[Place, ...] = ()
    streams: tuple[int, ...] = ()
    urls: tuple[str, ...] = ()
    """What is opened over the network."""
    is_list: bool = False
    """What is opened names what else is opened."""
    doubt: str | None = None


_NOTHING: Final = Address()


def read_url(text: str, use: str = READ) -> Address:
    """`-` is the standard stream: ffmpeg makes it one wherever a file may be named on its command line."""
    return _read(text, 0, use, (), _DEEPEST)


def read_file(text: str, use: str = READ) -> Address:
    """A name on the disk, with no protocol before it."""
    return _path(text, 0, use, ())


def _read(text: str, start: int, use: str, levels: tuple[str, ...], depth: int) -> Address:
    """The rest of the text from `start` on."""
    rest = text[start:]
    if not rest:
        return _NOTHING
    if depth == 0:
        return Address(doubt=f"{_shown(text)} is wrapped in too many protocols")
    if rest == "-":
        return Address(streams=(_standard(use),))
    if rest.startswith("subfile,"):
        return _subfile(text, start, use, levels, depth)
    found = _scheme.match(rest)
    if found is None:
        return _path(text, start, use, levels)
    scheme, inside = found[0], start + found.end() + 1
    outer, plus, _ = scheme.partition("+")
    if scheme == "file":
        return _path(text, inside, use, levels)
    if scheme in ("pipe", "fd"):
        return Address(streams=(_descriptor(text[inside:], use),))
    if scheme in _WRAPPERS:
        return _read(text, inside, use, levels, depth - 1)
    if plus and outer in _WRAPPERS_WITH_PLUS:
        inner = _read(text, start + len(outer) + 1, use, levels, depth - 1)
        return structs.replace(inner, is_list=inner.is_list or outer == "hls")
    if scheme == "concat":
        return _together(_parts(text, inside, use, levels, depth))
    if scheme == "concatf":
        return structs.replace(_read(text, inside, use, levels, depth - 1), is_list=True)
    if scheme == "bluray":
        return _path(text, inside, FOLDER, levels)
    if scheme == "md5":
        return _read(text, inside, WRITTEN, levels, depth - 1) if text[inside:] else Address(streams=(STDOUT,))
    if scheme in NETWORK or outer in NETWORK:
        return Address(urls=(rest,))
    if scheme in _NOTHING_OPENED:
        return _NOTHING
    if scheme == "unix":
        return Address(doubt=f"{_shown(rest)} is a socket of this machine")
    return Address(doubt=f"{_shown(rest)} begins with no protocol that is known; a file may be called file:NAME")


def _subfile(text: str, start: int, use: str, levels: tuple[str, ...], depth: int) -> Address:
    """`subfile,,start,0,end,0,,:NAME`: pairs between separators, which are the character behind the first comma."""
    at = start + len("subfile,")
    separator, at = text[at : at + 1], at + 1
    while separator:
        key = text.find(separator, at)
        value = text.find(separator, key + 1) if key > at else -1
        if value < 0:
            if key == at and text[key + 1 : key + 2] == ":":
                return _read(text, key + 2, use, levels, depth - 1)
            break
        at = value + 1
    return Address(doubt=f"{_shown(text[start:])} is no part of a file that could be read")


def _parts(text: str, start: int, use: str, levels: tuple[str, ...], depth: int) -> Iterator[Address]:
    """There are no escapes for a bar, and several are one."""
    at = start
    for part in text[start:].split("|"):
        if part:
            yield shifted(_read(part, 0, use, (CONCAT, *levels), depth - 1), at)
        at += len(part) + 1


def _together(addresses: Iterator[Address]) -> Address:
    each = tuple(addresses)
    return Address(
        places=tuple(place for address in each for place in address.places),
        streams=tuple(stream for address in each for stream in address.streams),
        urls=tuple(url for address in each for url in address.urls),
        is_list=any(address.is_list for address in each),
        doubt=next((address.doubt for address in each if address.doubt is not None), None),
    )


def _path(text: str, start: int, use: str, levels: tuple[str, ...]) -> Address:
    path = text[start:]
    if not path:
        return _NOTHING
    own = _STANDARD.get(path)
    if own is None and (found := _own_stream.match(path)):
        own = int(found[1])
    if own is not None:
        return Address(streams=(own,))
    if path.startswith(_DEVICES) and not is_below(path, _MEMORY):
        return _NOTHING if is_same_everywhere(path) else Address(doubt=f"{_shown(path)} is a device of this machine")
    quoting = joined(*levels) if levels else NONE
    return Address(places=(Place(start=start, end=len(text), path=path, quoting=quoting, use=use),))


def shifted(address: Address, by: int) -> Address:
    """Its places in a text that begins so many characters earlier."""
    moved = (structs.replace(place, start=place.start + by, end=place.end + by) for place in address.places)
    return structs.replace(address, places=tuple(moved))


def is_below(path: str, folder: str) -> bool:
    """By its letters alone."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _standard(use: str) -> int:
    return STDOUT if use == WRITTEN else STDIN


def _descriptor(number: str, use: str) -> int:
    return int(number) if _number.match(number) else _standard(use)


def _shown(text: str) -> str:
    return printable(text[:80])
