"""How busy and how warm this machine is. Cheap: it is asked every beat."""

import sys
from pathlib import Path
from typing import Final

import psutil

from ffmesh_protocol.messages.capability import Load

_OF_THE_PROCESSOR: Final = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal", "acpitz")
"""Chips whose temperature is the processor's, the best first; any other is better than none."""

_TEMPERATURE_EVERY: Final = 5
"""Beats. Reading sensors may take milliseconds, and none changes in ten seconds as a load does."""


_THOUSANDTHS: Final = 1000


class Sensors:
    def __init__(self) -> None:
        psutil.cpu_percent()  # the first call has nothing to compare with
        self._beats = 0
        self._temperature: float | None = None

    def load(self) -> Load:
        if self._beats % _TEMPERATURE_EVERY == 0:
            self._temperature = temperature()
        self._beats += 1
        return Load(
            cpu_percent=psutil.cpu_percent(),
            memory_percent=psutil.virtual_memory().percent,
            temperature_c=self._temperature,
        )


def temperature_in(file: str) -> float:
    """As the kernel writes it, in thousandths of a degree, or in degrees."""
    found = float(Path(file).read_bytes())
    return found / 1000 if abs(found) >= _THOUSANDTHS else found


def temperature() -> float | None:
    """None: there is no sensor that could be read."""
    if sys.platform != "linux":
        return None
    try:
        chips = psutil.sensors_temperatures()
    except OSError:
        return None
    for chip in (*_OF_THE_PROCESSOR, *chips):
        if values := [each.current for each in chips.get(chip, [])]:
            return round(max(values), 1)
    return None
