"""Which GPUs this machine has: what the kernel says, without asking any driver's library. Read once.

A GPU is what has a render node, or what NVIDIA's driver lists: a plain screen is none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ffmesh_protocol.limits import WORD_CHARS
from ffmesh_protocol.wire import Told

EVERYTHING: Final = Path("/")

_MAKERS: Final = {"0x10de": "nvidia", "0x8086": "intel", "0x1002": "amd", "0x1af4": "virtio"}
_MAKERS_BY_DRIVER: Final = {
    "nvidia": "nvidia",
    "nouveau": "nvidia",
    "i915": "intel",
    "xe": "intel",
    "amdgpu": "amd",
    "radeon": "amd",
    "v3d": "broadcom",
    "vc4": "broadcom",
    "panfrost": "arm",
    "panthor": "arm",
    "lima": "arm",
    "msm": "qualcomm",
    "etnaviv": "vivante",
    "rockchip-drm": "rockchip",
}
_PCI_NAMES: Final = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids")


class Gpu(Told, frozen=True):
    maker: str
    name: str


def gpus(root: Path = EVERYTHING) -> tuple[Gpu, ...]:
    return (*_of_nvidias_driver(root), *_of_the_kernel(root))


def _of_nvidias_driver(root: Path) -> Iterator[Gpu]:
    for file in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        for line in _text(file).splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "Model" and value.strip():
                yield Gpu(maker="nvidia", name=value.strip()[:WORD_CHARS])


def _of_the_kernel(root: Path) -> Iterator[Gpu]:
    for device in sorted(root.glob("sys/class/drm/renderD*/device")):
        driver = _driver(device)
        if driver == "nvidia":
            continue  # its own list has it by name
        vendor, model = _text(device / "vendor"), _text(device / "device")
        maker = _MAKERS.get(vendor) or _MAKERS_BY_DRIVER.get(driver) or driver or "unknown"
        name = _pci_name(root, vendor, model) if vendor and model else _in_device_tree(device)
        yield Gpu(maker=maker[:WORD_CHARS], name=(name or f"{maker} {driver}".strip())[:WORD_CHARS])


def _driver(device: Path) -> str:
    link = device / "driver"
    return link.resolve().name if link.exists() else ""


def _in_device_tree(device: Path) -> str | None:
    """`brcm,2711-v3d`: the first of those that it is compatible with."""
    return _text(device / "of_node" / "compatible").split("\0")[0] or None


def _pci_name(root: Path, vendor: str, model: str) -> str | None:
    """As the list of the PCI's numbers has it, else the numbers."""
    wanted_vendor, wanted_model = vendor.removeprefix("0x"), model.removeprefix("0x")
    for place in _PCI_NAMES:
        maker: str | None = None
        for line in _text(root / place).splitlines():
            if not line.startswith(("\t", "#")):
                if maker is not None:
                    break
                number, _, name = line.partition("  ")
                maker = name if number == wanted_vendor else None
            elif maker is not None and line.startswith(f"\t{wanted_model}  "):
                return f"{maker} {line.partition('  ')[2]}"
    return f"{wanted_vendor}:{wanted_model}"


def _text(file: Path) -> str:
    """Nothing, where there is nothing to read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""
