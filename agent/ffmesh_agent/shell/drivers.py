"""By which devices and drivers encoders reach the hardware of this machine. Cheap to ask: a few names and small files.

What a trial has shown holds as long as all of that is what it was. The cache of the dynamic linker stands for the part
of a driver that is a library: it is written anew whenever one is installed.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ffmesh_agent.ffmpeg.trials import Nodes

EVERYTHING: Final = Path("/")

_RENDER: Final = "dev/dri/renderD*"
_NVIDIA: Final = "dev/nvidia[0-9]*"
_OTHERS: Final = ("dev/video*", "dev/dri/card*", "dev/mpp_service", "dev/rga", "dev/vchiq", "dev/kfd", "dev/dxg")
_MODULES: Final = (
    *("nvidia", "nouveau", "i915", "xe", "amdgpu", "radeon", "v3d", "vc4", "bcm2835_codec", "panfrost", "panthor"),
    *("rockchip_vpu", "hantro_vpu", "rockchip_vdec", "mpp_service"),
)
_VERSIONS: Final = ("proc/driver/nvidia/version", *(f"sys/module/{name}/version" for name in _MODULES))
_LIBRARIES: Final = "etc/ld.so.cache"


def nodes(root: Path = EVERYTHING) -> Nodes:
    return Nodes(
        render=_named(root, (_RENDER,)),
        nvidia=_named(root, (_NVIDIA,)),
        others=_named(root, _OTHERS),
        is_linux=sys.platform == "linux",
    )


def identity(root: Path = EVERYTHING) -> str:
    """Another one when a driver, the kernel or a device is another one, or open to us where it was not."""
    found = nodes(root)
    return "\n".join(
        [
            f"{os.uname().sysname} {os.uname().release}",
            *(f"{node} {_is_open_to_us(root, node)}" for node in (*found.render, *found.nvidia, *found.others)),
            *_versions(root),
            f"{_LIBRARIES} {_modified(root / _LIBRARIES)}",
        ]
    )


def _named(root: Path, patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        f"/{each.relative_to(root)}" for pattern in patterns for each in sorted(root.glob(pattern), key=_order)
    )


def _order(place: Path) -> tuple[int, str]:
    """`video2` before `video10`."""
    return len(place.name), place.name


def _versions(root: Path) -> Iterator[str]:
    for name in _VERSIONS:
        try:
            yield f"{name} {(root / name).read_text(errors='replace').strip()}"
        except OSError:
            continue  # there is no such driver, or it does not say


def _is_open_to_us(root: Path, node: str) -> bool:
    return os.access(root / node.lstrip("/"), os.R_OK | os.W_OK)


def _modified(file: Path) -> int | None:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None
