"""Numbers of bytes as people read them: `734.0 MB`. Powers of 1000, as disks are sold and `df -H` says."""

from typing import Final

_PREFIXES: Final = ("k", "M", "G", "T", "P", "E")


def size_shown(count: int) -> str:
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    value = float(count)
    for prefix in _PREFIXES:
        value /= 1000
        if value < 999.95 or prefix == _PREFIXES[-1]:
            break
    return f"{value:.1f} {prefix}B"
