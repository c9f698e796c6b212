"""Numbers of bytes as people read them: `734.0 MB`. Powers of 1000, as disks are sold and `df -H` says."""

from typing import Final

_PREFIXES: Final = ("k", "M", "G", "T", "P", "E")


def size_shown(count: int) -> str:
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    value, power = count / 1000, 0
    while value >= 999.95 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.1f} {_PREFIXES[power]}B"
