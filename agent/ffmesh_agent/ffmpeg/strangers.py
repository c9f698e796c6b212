"""Sentences for what ffmpeg's words reach outside the roots: absolute paths and URLs inside arguments.

ffmpeg would be stopped by its fence, and say something puzzling. This looks at words as far as one can without a model
of ffmpeg's command line, and only where a file can stand: at inputs, outputs and the options that take a file, behind
the names of protocols that wrap others, and at the values inside filters, tees and lists of options. What it cannot see
the fence holds; it should refuse nothing that is harmless. `PathRefused` says which word, and why.

A word may be as long as a message: each is read once, from its beginning to its end.
"""

import re
from collections.abc import Iterator
from typing import Final

from ffmesh_agent.ffmpeg.command_line import takes_no_value
from ffmesh_agent.ffmpeg.opened import NOTHING_MORE, Opened
from ffmesh_agent.ffmpeg.reach import UNDERSTOOD
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, RawBytes, RootPath
from ffmesh_protocol.messages.orders import Grant

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
_MOST_WRAPPERS: Final = 16
"""Around one name. What is wrapped deeper, nobody has written by hand."""

_FILES: Final = frozenset(
    {
        *("i", "o", "attach", "dump_attachment", "filter_script", "filter_complex_script", "fpre", "progress"),
        *("vstats_file", "passlogfile", "print_graphs_file", "sdp_file", "stats", "hls_segment_filename"),
        *("hls_key_info_file", "hls_fmp4_init_filename", "segment_list", "segment_header_filename", "init_seg_name"),
        *("media_seg_name", "ca_file", "cafile", "cert_file", "key_file"),
    }
)
"""Options whose value is a file."""

_LISTS: Final = frozenset({"vf", "af", "filter", "filter_complex", "lavfi", "init_hw_device", "x264opts"})
_PARAMETERS: Final = ("-params", "_params")
"""Options (the latter by their ends) whose values have values in them: filters, settings of an encoder, a device."""

_FORMATS_OF_LISTS: Final = frozenset({"lavfi", "tee"})

_FILE_KEYS: Final = frozenset(
    {
        *("filename", "f", "file", "textfile", "fontfile", "fontsdir", "stats_file", "stats", "log_path", "psfile"),
        *("result", "axisfile", "sofa", "custom_shader_path", "movie", "amovie", "subtitles", "ass", "lut3d", "lut1d"),
        *("removelogo", "arnndn", "vidstabdetect", "vidstabtransform"),
    }
)
"""In such a list: names of options whose value is a file, and of filters whose first value is one."""

_TEXT_KEYS: Final = frozenset(
    {
        *("text", "value", "metadata", "headers", "user_agent", "user-agent", "referer", "cookies", "content_type"),
        *("hls_base_url", "segment_list_entry_prefix", "base_url", "utc_timing_url", "http_proxy", "force_style"),
        *("timecode", "expr", "e", "encryption_key", "decryption_key", "comment", "title"),
    }
)
"""Their values are text for others, or sums: nothing is opened."""

_protocol = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,63}):|(subfile),")
_url = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,63}://")
_escaped = re.compile(r"\\+(.)", re.DOTALL)
_quoted = re.compile(r"'([^']*)'")
_between = re.compile(r":(?!//)|[;,|\[\]]")
_keys = re.compile(r"\s*((?:[A-Za-z0-9_@.-]{1,64}=\s*)*)")
_SHOWN_CHARS: Final = 80

_ROOT: Final = "\x01"
"""Stands for a path that is a piece: it begins with a root, and has been looked at already."""
_NO_END: Final = "\x02"
"""Stands for what would end a value, did it not stand in quotes or behind a backslash."""
_COLON: Final = "\x03"
"""A colon that ends none."""

_HIDDEN: Final = {":": _COLON, **dict.fromkeys(";,|[]'\"", _NO_END)}
_IN_QUOTES: Final = str.maketrans(dict.fromkeys(";,[]", _NO_END))


def refuse_strangers(grant: Grant, *, network: bool, opened: Opened = NOTHING_MORE) -> None:
    if grant.program not in UNDERSTOOD:
        return
    form = ""
    words = map(_masked, grant.args)
    for word in words:
        if not word.startswith("-") or word == "-":
            option, text = "", word
        elif takes_no_value(grant.program, word[1:]):
            continue
        else:
            option, text = word[1:], next(words, "")
        name = option.partition(":")[0]
        look = _Word(text, grant.cwd, network=network, opened=opened)
        if name == "f":
            form = text
        elif name in {"", "i"} and form in _FORMATS_OF_LISTS:
            look.check_list()
        elif name in _FILES or name.startswith("/") or not name:
            look.check_file()
        elif name in _LISTS or name.endswith(_PARAMETERS):
            look.check_list()
        if name in {"", "i"}:
            form = ""


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


class _Word:
    def __init__(self, text: str, cwd: RootPath | None, *, network: bool, opened: Opened) -> None:
        self._text = text
        self._cwd = cwd
        self._network = network
        self._opened = opened

    def check_file(self) -> None:
        self._check_protocol(self._text)
        if not _is_url(self._text):  # else it is a server's, whatever stands in it
            for name in _unwrapped(self._text):
                if name != self._text:
                    self._check_name(name)

    def check_list(self) -> None:
        for keys, value in _values(self._text):
            if not _TEXT_KEYS.isdisjoint(keys):
                continue
            is_file = not keys or not _FILE_KEYS.isdisjoint(keys)
            if is_file and _url.match(value):
                self._check_protocol(value)
            elif value.startswith("/"):
                if (keys and is_file) or "/" in value[1:]:
                    self._check_absolute(value)
            elif is_file:
                self._check_name(value)

    def _check_name(self, name: str) -> None:
        self._check_protocol(name)
        self._check_absolute(name)
        if media.leads_out(name, self._cwd):
            self._refuse(f"{media.printable(name[:_SHOWN_CHARS])} leads out of the folder that it belongs to")

    def _check_absolute(self, name: str) -> None:
        if name.startswith("/") and not self._opened.has(name):
            self._refuse(f"{media.printable(name[:_SHOWN_CHARS])} is an absolute path under no root")

    def _check_protocol(self, name: str) -> None:
        for protocol in _protocols(name):
            if protocol == _UNIX:
                self._refuse("sockets of this machine are not for jobs")
            if protocol in _NETWORK and not self._network:
                self._refuse(f"it would open the network ({protocol}:), which its agent does not let this program do")

    def _refuse(self, why: str) -> None:
        word = self._text.replace(_ROOT, "$")[:_SHOWN_CHARS]
        raise PathRefused(f"{why}: in {media.printable(word)}" if word not in why else why)


def _protocols(name: str) -> list[str]:
    found = _protocol.match(name)
    return found[1].lower().split("+") if found and found[1] else []


def _is_url(text: str) -> bool:
    return not _NETWORK.isdisjoint(_protocols(text))


def _values(text: str) -> Iterator[tuple[list[str], str]]:
    """Each value of a list, with what stands before it: `drawtext=text=a:x=1` has (drawtext, text) a and (x) 1."""
    plain = _escaped.sub(lambda found: _HIDDEN.get(found[1], found[1]), text)
    plain = _quoted.sub(lambda found: found[1].translate(_IN_QUOTES), plain)
    for part in _between.split(plain.replace('"', "")):
        found = _keys.match(part)
        keys = [key.strip().partition("@")[0] for key in found[1].split("=")[:-1]] if found else []
        yield keys, part[found.end() if found else 0 :].strip().replace(_COLON, ":")


def _unwrapped(name: str) -> Iterator[str]:
    """The names inside `concat:a|b`, `subfile,,start,1,end,2,,:a`, `crypto+file:a` and their like."""
    names = [name]
    for _ in range(_MOST_WRAPPERS):
        wrapped = [each for each in names if _is_wrapper(each)]
        yield from (each for each in names if not _is_wrapper(each))
        names = [inner for each in wrapped for inner in _inner(each)]


def _is_wrapper(name: str) -> bool:
    found = _protocol.match(name)
    return found is not None and (found[1] or found[2]).lower().split("+")[0] in _WRAPPERS


def _inner(name: str) -> list[str]:
    before, _, rest = name.partition(":")
    return rest.split("|") if before.lower().startswith("concat") else [rest]
