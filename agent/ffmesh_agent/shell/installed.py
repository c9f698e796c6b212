"""What every program needs of this machine: libraries, fonts, what the kernel tells, devices; and its own files.

Readable for every program behind a fence: nothing of a person's, and of `/etc` only what says how programs are loaded,
speak and draw. Of `/proc` a program has itself and what is true of the whole machine, not other processes: their
command lines, and of a root's agent the memory of the machine, would lie open otherwise.

A program outside the folders of the system brings its own: the file, libraries beside it, `lib` beside its `bin`, and
so does the interpreter that a script's first line names. Not its folder as a whole, which may be somebody's home.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LIBRARIES: Final = (
    *("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/libexec", "/bin", "/sbin"),
    *("/nix/store", "/gnu/store", "/run/current-system", "/run/opengl-driver", "/run/opengl-driver-32", "/snap"),
    *("/opt/amdgpu", "/opt/amf", "/opt/intel", "/opt/mesa", "/opt/rocm*", "/opt/vc", "/var/cache/fontconfig"),
)
_SETTINGS: Final = tuple(
    f"/etc/{name}"
    for name in (
        *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "ld-musl-*.path", "alternatives", "static"),
        *("localtime", "timezone", "locale.alias", "fonts", "OpenCL", "vulkan", "glvnd", "egl", "drirc", "amd"),
        *("ssl/openssl.cnf", "crypto-policies", "gnutls", "ladspa*", "vdpau_wrapper.cfg", "libva.conf", "igfx_user*"),
    )
)
_OF_THE_NETWORK: Final = (
    *("/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services"),
    *("/etc/protocols", "/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/pki/tls", "/etc/pki/ca-trust"),
    *("/etc/ca-certificates", "/run/systemd/resolve/stub-resolv.conf", "/run/systemd/resolve/resolv.conf"),
)
_OF_THE_KERNEL: Final = (
    *(
        f"/proc/{name}"
        for name in (
            *("self", "cpuinfo", "meminfo", "stat", "version", "uptime", "loadavg", "devices", "filesystems"),
            *("modules", "driver", "sys", "device-tree", "bus", "vmstat", "zoneinfo"),
        )
    ),
    *("/sys/devices", "/sys/class", "/sys/bus", "/sys/dev", "/sys/module", "/sys/firmware/devicetree"),
)
DEVICES: Final = tuple(
    f"/dev/{name}"
    for name in (
        *("null", "zero", "full", "random", "urandom"),
        *("dri", "nvidia*", "kfd", "video*", "media*", "dma_heap", "mpp_service", "rga", "iep", "vchiq", "vcsm-cma"),
    )
)
"""Of NVIDIA, of AMD, of Intel, of boards with V4L2, Rockchip and Raspberry Pi. No sound, no terminals, no disks."""

_OPT: Final = Path("/opt")
_FIRST_LINE: Final = 256
_ENV: Final = "env"


def readable(*, network: bool) -> list[str]:
    places = (*_LIBRARIES, *_SETTINGS, *_OF_THE_KERNEL, *(_OF_THE_NETWORK if network else ()))
    return list(_there(places))


def devices() -> list[str]:
    return list(_there(DEVICES))


def _there(places: tuple[str, ...]) -> Iterator[str]:
    for place in places:
        if "*" in place:
            yield from sorted(str(each) for each in Path("/").glob(place.lstrip("/")))
        elif os.path.lexists(place):
            yield place


def of_program(place: str, search: str) -> list[str]:
    """What this program (a path, or a name looked up in `search`) brings; nothing if it is not there."""
    found = shutil.which(place, path=search)
    return list(dict.fromkeys(_brought(found, search))) if found is not None else []


def _brought(found: str, search: str) -> Iterator[str]:
    yield from _beside(found)
    for word in _interpreter(found):
        interpreter = shutil.which(word, path=search)
        if interpreter is not None:
            yield from _beside(interpreter)


def _beside(found: str) -> Iterator[str]:
    """A link is a name in a folder that brings something too: that of a virtual environment."""
    yield found
    for each in dict.fromkeys((Path(found).absolute(), Path(found).resolve())):
        yield str(each)
        if each.is_relative_to(_OPT):
            yield str(_OPT / each.relative_to(_OPT).parts[0])
        elif not each.is_relative_to("/usr") and not each.is_relative_to("/nix/store"):
            yield from (str(library) for library in each.parent.glob("*.so*"))
            yield from (str(each.parent / name) for name in ("lib", "lib64") if (each.parent / name).is_dir())
            if each.parent.name in {"bin", "sbin"}:
                yield from _of_prefix(each.parent.parent, each.name)


def _of_prefix(prefix: Path, name: str) -> Iterator[str]:
    for place in (prefix / "lib", prefix / "lib64", prefix / "libexec", prefix / "share" / name):
        if place.is_dir():
            yield str(place)
    made_from = prefix / "pyvenv.cfg"
    if made_from.is_file():
        yield str(made_from)
        yield str(prefix / "bin")


def _interpreter(script: str) -> list[str]:
    """The programs that its first line names: `#!/usr/bin/env python3` names two."""
    try:
        with Path(script).open("rb") as file:
            line = file.read(_FIRST_LINE).partition(b"\n")[0]
    except OSError:
        return []
    if not line.startswith(b"#!"):
        return []
    words = os.fsdecode(line[2:]).split()
    if words and Path(words[0]).name == _ENV:
        return [words[0], *(word for word in words[1:] if "=" not in word and not word.startswith("-"))][:2]
    return words[:1]
