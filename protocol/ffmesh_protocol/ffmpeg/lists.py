"""What lists, playlists and graphs in files name. Pure: their content is handed in.

Such a file is read on the machine where the program runs, so what it names must be there by the same name: relative,
and no further up than the file itself.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from ffmesh_protocol.ffmpeg.escapes import spelled, take_token
from ffmesh_protocol.ffmpeg.graphs import read_graph
from ffmesh_protocol.media import printable

_PLAYLISTS: Final = (".m3u8", ".m3u")
_MANIFESTS: Final = (".mpd",)
_in_playlist = re.compile(r'URI="([^"]*)"')
_in_manifest = re.compile(
    r"""<BaseURL[^>]*>\s*([^<]*?)\s*</BaseURL>|\s(?:initialization|media|sourceURL|xlink:href)\s*=\s*["']([^"']*)["']"""
)
_elsewhere = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_URLS: Final = ("http://", "https://", "data:")
_SHOWN: Final = 120


def wrong_in_list(path: str, content: str) -> str | None:
    """Why another machine would not find what this list names, as a sentence."""
    for name in _names(path.lower(), content):
        why = _wrong(name)
        if why is not None:
            return f"{_shown(path)} names {_shown(name)}, which {why}"
    return None


def wrong_in_graph(path: str, content: str) -> str | None:
    graph = read_graph(content)
    if graph.doubt is not None:
        return f"{_shown(path)}: {graph.doubt}"
    for place in graph.places:
        if place.path.startswith("/"):
            return f"{_shown(path)} names {_shown(place.path)}, which stands there as it is called on this machine"
    return None


def _names(path: str, content: str) -> Iterator[str]:
    if path.endswith(_PLAYLISTS):
        for line in map(str.strip, content.splitlines()):
            if line.startswith("#"):
                yield from _in_playlist.findall(line)
            elif line:
                yield line
    elif path.endswith(_MANIFESTS):
        for found in _in_manifest.finditer(content):
            yield found[1] or found[2] or ""
    else:
        yield from _of_concat(content)


def _of_concat(content: str) -> Iterator[str]:
    """Lines as `file 'NAME'`; a list without them has a name a line."""
    lines = [line.strip() for line in content.splitlines()]
    directives = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    if not any(words[0] in ("file", "ffconcat") for words in directives):
        yield from (line for line in lines if line and not line.startswith("#"))
        return
    for words in directives:
        if words[0] == "file" and len(words) > 1:
            yield take_token(spelled(words[1]), 0, " \n\t\r").token.text


def _wrong(name: str) -> str | None:
    if name.startswith(_URLS) or not name:
        return None
    if name.startswith("/") or _elsewhere.match(name):
        return "stands there as it is called on this machine"
    if posixpath.normpath(name).split("/")[0] == "..":
        return "leads out of its folder"
    return None


def _shown(text: str) -> str:
    return printable(text[:_SHOWN])
