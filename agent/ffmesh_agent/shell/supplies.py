"""Whether this machine runs on mains power, as the kernel's power supplies say.

A machine without a battery does. So does one whose battery is full or charging, whatever its adapter says of itself;
batteries of mice and keyboards are none of the machine's. Where the kernel has no such folder (macOS), psutil is asked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from ffmesh_agent.manners.readings import Seen

SUPPLIES: Final = Path("/sys/class/power_supply")


def power(folder: Path = SUPPLIES) -> Seen:
    if not folder.is_dir():
        return _elsewhere()
    of_the_machine = [each for each in sorted(folder.iterdir()) if _word(each, "scope") != "Device"]
    batteries = [each for each in of_the_machine if _word(each, "type") == "Battery"]
    adapters = [each for each in of_the_machine if _word(each, "type") in {"Mains", "USB", "Wireless"}]
    if not batteries or any(_word(each, "online") == "1" for each in adapters):
        return _seen(on_mains=True)
    discharging = any(_word(each, "status") == "Discharging" for each in batteries)
    return _seen(on_mains=not discharging, percent=next(_percents(batteries), None))


def _percents(batteries: list[Path]) -> Iterator[float]:
    for each in batteries:
        word = _word(each, "capacity")
        if word.isdecimal():
            yield float(word)


def _elsewhere() -> Seen:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None or battery.power_plugged is not False:
        return _seen(on_mains=True)
    return _seen(on_mains=False, percent=battery.percent)


def _seen(*, on_mains: bool, percent: float | None = None) -> Seen:
    if on_mains:
        return Seen(value=1, said="on mains power")
    return Seen(value=0, said="on battery" if percent is None else f"on battery, {percent:.0f} %")


def _word(supply: Path, name: str) -> str:
    try:
        return (supply / name).read_text(errors="replace").strip()
    except OSError:
        return ""  # not each supply has each file
