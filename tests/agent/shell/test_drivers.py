"""What tells one state of the machine's devices and drivers from another, and which GPUs it has."""

import os
from pathlib import Path

import pytest

from ffmesh_agent.shell.drivers import identity, nodes
from ffmesh_agent.shell.gpus import Gpu, gpus


def _file(root: Path, name: str, content: str = "") -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def test_devices_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("dri/renderD129", "dri/renderD128", "dri/card0", "nvidia10", "nvidia2", "nvidiactl", "video0"):
        _file(tmp_path, f"dev/{name}")
    found = nodes(tmp_path)
    assert found.render == ("/dev/dri/renderD128", "/dev/dri/renderD129")
    assert found.nvidia == ("/dev/nvidia2", "/dev/nvidia10")
    assert found.others == ("/dev/video0", "/dev/dri/card0")


@pytest.mark.parametrize(
    "changed", ["dev/dri/renderD128", "proc/driver/nvidia/version", "sys/module/i915/version", "etc/ld.so.cache"]
)
def test_another_device_or_driver_is_another_identity(changed: str, tmp_path: Path) -> None:
    before = identity(tmp_path)
    assert identity(tmp_path) == before
    _file(tmp_path, changed, "1")
    after = identity(tmp_path)
    assert after != before
    (tmp_path / changed).unlink()
    assert identity(tmp_path) == before


def test_a_device_that_is_opened_to_us_is_another_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _file(tmp_path, "dev/dri/renderD128")
    before = identity(tmp_path)

    def access(_place: Path, _mode: int) -> bool:
        return False

    monkeypatch.setattr(os, "access", access)
    assert identity(tmp_path) != before


def test_gpus_are_told_by_maker_and_name(tmp_path: Path) -> None:
    assert gpus(tmp_path) == ()
    _file(tmp_path, "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t NVIDIA H200\nIRQ: 1\n")
    for number, (vendor, model) in enumerate([("0x8086", "0x9a49"), ("0x1002", "0xffff")], 128):
        device = f"sys/class/drm/renderD{number}/device"
        _file(tmp_path, f"{device}/vendor", f"{vendor}\n")
        _file(tmp_path, f"{device}/device", f"{model}\n")
    _file(tmp_path, "sys/class/drm/renderD130/device/of_node/compatible", "brcm,2711-v3d\0other\0")
    (tmp_path / "drivers" / "v3d").mkdir(parents=True)
    (tmp_path / "sys/class/drm/renderD130/device/driver").symlink_to(tmp_path / "drivers" / "v3d")
    known = "# numbers\n1002  AMD\n\tfffe  Other\n8086  Intel Corporation\n\t9a49  Iris Xe\n\t\t1 2  Sub\n9999  X\n"
    _file(tmp_path, "usr/share/misc/pci.ids", known)
    assert gpus(tmp_path) == (
        Gpu(maker="nvidia", name="NVIDIA H200"),
        Gpu(maker="intel", name="Intel Corporation Iris Xe"),
        Gpu(maker="amd", name="1002:ffff"),
        Gpu(maker="broadcom", name="brcm,2711-v3d"),
    )


def test_a_card_of_nvidias_own_driver_is_told_once(tmp_path: Path) -> None:
    _file(tmp_path, "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: NVIDIA H200\n")
    _file(tmp_path, "sys/class/drm/renderD128/device/vendor", "0x10de\n")
    (tmp_path / "drivers" / "nvidia").mkdir(parents=True)
    (tmp_path / "sys/class/drm/renderD128/device/driver").symlink_to(tmp_path / "drivers" / "nvidia")
    assert gpus(tmp_path) == (Gpu(maker="nvidia", name="NVIDIA H200"),)
