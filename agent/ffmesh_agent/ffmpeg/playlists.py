"""Files that name other files: playlists, manifests, lists of segments. Pure, and no more than a staged ladder needs.

Who reads a playlist opens what it names, so what is named takes its place first: segments, then playlists, then what
names playlists.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

LIST_BYTES: Final = 8 * 1024 * 1024
"""A day of two-second segments. What is larger is read no further."""

_HLS: Final = (".m3u8", ".m3u")
_DASH: Final = ".mpd"
_LISTS: Final = (*_HLS, _DASH, ".ffconcat", ".ffcat", ".csv")
_OF_VARIANTS: Final = (b"#EXT-X-STREAM-INF", b"#EXT-X-MEDIA:")
_quoted = re.compile(r"""["']([^"']+)["']""")


def is_list(name: str) -> bool:
    return name.lower().endswith(_LISTS)


def names_all(name: str) -> bool:
    """Whether such a list has the name of each file. A manifest may have templates instead."""
    return is_list(name) and not name.lower().endswith(_DASH)


def rank(name: str, content: bytes) -> int:
    """The order in which files take their places: what is named before what names it."""
    lower = name.lower()
    if not is_list(lower):
        return 0
    is_master = lower.endswith(_DASH) or (lower.endswith(_HLS) and any(tag in content for tag in _OF_VARIANTS))
    return 2 if is_master else 1


def named_in(content: bytes) -> frozenset[str]:
    """All that it names, as it stands there, and a few words besides that are no names."""
    return frozenset(_words(content.decode(errors="surrogateescape")))


def named_from(playlist: str, name: str) -> str:
    """Where a name in a playlist leads, both relative to one folder. Of a URL and of a whole path, which are about
    places that nobody knows here, the last name counts."""
    if "://" in name or name.startswith("/"):
        name = posixpath.basename(name)
    return posixpath.normpath(posixpath.join(posixpath.dirname(playlist), name))


def says_no_folder(name: str) -> bool:
    return "/" not in name or "://" in name or name.startswith("/")


def _words(text: str) -> Iterator[str]:
    for line in map(str.strip, text.splitlines()):
        if not line.startswith("#"):
            yield line
            yield line.partition(",")[0]
        yield from _quoted.findall(line)
