"""What ffmpeg prints about itself, parsed: `-version`, `-encoders`, `-decoders`, `-hwaccels`, `-filters`.

A list says what was compiled in, not what works on this machine: see trials.py.
"""

import re
from collections.abc import Iterable
from typing import Final

_version = re.compile(r"^ff[a-z]+ version (\S+)")
_coder = re.compile(r"^ [VASDT.][A-Z.]{4,7} ([^\s=]+)(?:\s|$)")
_codec = re.compile(r"^ [VASDT.][A-Z.]{4,7} (?P<coder>[^\s=]+) .*\(codec (?P<codec>\S+)\)$")
_filter = re.compile(r"^ [TSC.|]{2,4} (\S+) +[AVN|]+->[AVN|]+(?:\s|$)")
_HWACCELS: Final = "Hardware acceleration methods:"


def version(printed: str) -> str | None:
    """`5.1.9-0+deb12u1`, or None: this is no ffmpeg."""
    found = _version.match(printed)
    return found.group(1) if found else None


def coders(printed: str) -> tuple[str, ...]:
    """The names of `-encoders` or `-decoders`. Its legend ends with a line of dashes."""
    return _names(_coder.match(line) for line in printed.splitlines())


def codecs(printed: str) -> dict[str, str]:
    """What those make that are not called so themselves: `libx264` makes `h264`."""
    found = (_codec.match(line) for line in printed.splitlines())
    return {match["coder"]: match["codec"] for match in found if match and match["coder"] != match["codec"]}


def filters(printed: str) -> tuple[str, ...]:
    return _names(_filter.match(line) for line in printed.splitlines())


def hwaccels(printed: str) -> tuple[str, ...]:
    _, _, listed = printed.partition(_HWACCELS)
    return tuple(sorted({line.strip() for line in listed.splitlines() if len(line.split()) == 1}))


def _names(found: Iterable[re.Match[str] | None]) -> tuple[str, ...]:
    return tuple(sorted({match.group(1) for match in found if match}))
