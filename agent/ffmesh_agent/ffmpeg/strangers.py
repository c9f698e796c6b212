"""Sentences for what ffmpeg's words reach outside the roots: absolute paths and URLs inside arguments.

ffmpeg would be stopped by its fence, and say something puzzling. This looks at words as far as one can without a model
of ffmpeg's command line: at the beginning of an argument, behind the names of protocols that wrap others, and at the
values inside filters and option lists. What it cannot see the fence holds; it should refuse nothing that is harmless.
`PathRefused` says which word, and why.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from ffmesh_agent.ffmpeg.reach import UNDERSTOOD
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, RawBytes, RootPath
from ffmesh_protocol.messages.orders import Grant

OPEN_TO_ALL: Final = ("/usr/share/", "/usr/local/share/", "/dev/dri/", "/dev/nvidia", "/dev/video", "/dev/null")
"""Fonts, profiles and devices: absolute, and the same on every machine."""

_NETWORK: Final = frozenset(
    {
        *("amqp", "ffrtmpcrypt", "ffrtmphttp", "ftp", "gopher", "gophers", "http", "httpproxy", "https", "icecast"),
        *("ipfs", "ipns", "mmsh", "mmst", "prompeg", "rist", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte", "rtmpts"),
        *("rtp", "rtsp", "rtsps", "sap", "sctp", "sftp", "smb", "srt", "srtp", "tcp", "tls", "udp", "udplite", "zmq"),
        *("dtls", "mms", "libssh", "libsrt", "ws", "wss"),
    }
)
_UNIX: Final = "unix"
_WRAPPERS: Final = frozenset({"async", "bluray", "cache", "concat", "concatf", "crypto", "file", "subfile", "hls"})
_TEXT_OPTIONS: Final = frozenset(
    {
        *("metadata", "headers", "user_agent", "user-agent", "referer", "cookies", "content_type", "http_proxy"),
        *("hls_base_url", "segment_list_entry_prefix", "base_url", "utc_timing_url", "timestamp", "disposition"),
        *("protocol_whitelist", "protocol_blacklist", "format_whitelist", "encryption_key", "decryption_key"),
        *("mpeg_service_name", "lhls", "extra_window_size", "adaptation_sets"),
    }
)
"""Their values are text for others, or lists of names: nothing is opened."""

_PROTOCOL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)([:,])")
_QUOTES: Final = r"(?:['\"\\]\s*)*"
_ABSOLUTE_VALUE: Final = re.compile(rf"(?:[=;|@\]]|(?<=[a-z0-9_]):(?!//))\s*{_QUOTES}(/[^\s:;,'\"|\]]+)")
_URL_VALUE: Final = re.compile(rf"(?:([A-Za-z0-9_]+)\s*=|[\]|])\s*{_QUOTES}([a-z][a-z0-9+.-]*)\\*:\\*/\\*/")
_UP_VALUE: Final = re.compile(
    rf"(?:[=:;|@\]])\s*{_QUOTES}((?:[^\s:;,'\"|\]=]*/)?\.\.(?:/[^\s:;,'\"|\]]*)?)(?=$|[:;,'\"|\]])"
)
_SHOWN_CHARS: Final = 80

_ROOT: Final = "\x01"
"""Stands for a path that is a piece: it begins with a root, and has been looked at already."""


def refuse_strangers(grant: Grant, *, network: bool, readable: Collection[str] = ()) -> None:
    """`readable`: places of this machine that its owner has opened to every program."""
    if grant.program not in UNDERSTOOD:
        return
    open_to_all = (*OPEN_TO_ALL, *(f"{place.rstrip('/')}/" for place in readable))
    before = ""
    for argument in grant.args:
        text = _masked(argument)
        if not text.startswith("-") and not _is_text_option(before):
            _Word(text, before, grant.cwd, network=network, open_to_all=open_to_all).check()
        before = text


def _masked(argument: Argument) -> str:
    return "".join(_text(piece) for piece in argument)


def _text(piece: str | RootPath | RawBytes) -> str:
    match piece:
        case str():
            return piece
        case RawBytes():
            return media.raw_bytes(piece).decode(errors="surrogateescape")
        case RootPath():
            return _ROOT


def _is_text_option(option: str) -> bool:
    return option.startswith("-") and option.lstrip("-").partition(":")[0] in _TEXT_OPTIONS


class _Word:
    def __init__(
        self, text: str, option: str, cwd: RootPath | None, *, network: bool, open_to_all: Sequence[str]
    ) -> None:
        self._text = text
        self._option = option
        self._cwd = cwd
        self._network = network
        self._open_to_all = tuple(open_to_all)

    def check(self) -> None:
        text = self._text
        self._check_protocol(text)
        if _is_url(text):
            return  # of a server's, whatever stands in it
        if _PROTOCOL.match(text) and (names := list(_unwrapped(text))) != [text]:
            for name in names:
                self._check_name(name)
        for found in _ABSOLUTE_VALUE.finditer(text):
            self._check_absolute(found[1].replace("\\", ""))
        for found in _URL_VALUE.finditer(text):
            if found[1] != "text":
                self._check_protocol(f"{found[2]}:")
        for found in _UP_VALUE.finditer(text):
            self._check_name(found[1].replace("\\", ""))

    def _check_name(self, name: str) -> None:
        self._check_protocol(name)
        self._check_absolute(name)
        if media.leads_out(name, self._cwd):
            self._refuse(f"{media.printable(name[:_SHOWN_CHARS])} leads out of the folder that it belongs to")

    def _check_absolute(self, name: str) -> None:
        if not name.startswith("/") or media.is_descriptor(name):
            return
        if name.startswith(self._open_to_all) and ".." not in name:
            return
        self._refuse(f"{media.printable(name[:_SHOWN_CHARS])} is an absolute path under no root")

    def _check_protocol(self, name: str) -> None:
        found = _PROTOCOL.match(name)
        protocols = found[1].lower().split("+") if found else []
        for protocol in protocols:
            if protocol == _UNIX:
                self._refuse("sockets of this machine are not for jobs")
            if protocol in _NETWORK and not self._network:
                self._refuse(f"it would open the network ({protocol}:), which its agent does not let this program do")

    def _refuse(self, why: str) -> None:
        word = self._text.replace(_ROOT, "$")[:_SHOWN_CHARS]
        raise PathRefused(f"{why}: in {media.printable(word)}" if word not in why else why)


def _is_url(text: str) -> bool:
    found = _PROTOCOL.match(text)
    return found is not None and not _NETWORK.isdisjoint(found[1].lower().split("+"))


def _unwrapped(name: str) -> Iterator[str]:
    """The names inside `concat:a|b`, `subfile,,start,1,end,2,,:a`, `crypto+file:a` and their like."""
    found = _PROTOCOL.match(name)
    wrapper = found[1].lower().split("+")[0] if found else None
    if found is None or wrapper not in _WRAPPERS:
        yield name
        return
    rest = name[found.end() :]
    if found[2] == ",":
        rest = rest.partition(":")[2]
    for each in rest.split("|") if wrapper == "concat" else (rest,):
        yield from _unwrapped(each)
