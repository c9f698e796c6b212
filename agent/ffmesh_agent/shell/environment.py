"""The environment of a program: little of ours, and of the caller's only names that are harmless.

Not the agent's own environment as a whole: a service manager's, a desktop's or a virtual environment's variables change
what programs do. Not the caller's PATH, LD_LIBRARY_PATH or FFREPORT: those make a program run or write something else.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_OF_THIS_MACHINE: Final = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("CUDA_VISIBLE_DEVICES", "LIBVA_DRIVER_NAME", "LIBVA_DRIVERS_PATH", "VDPAU_DRIVER", "XDG_RUNTIME_DIR"),
    }
)
_OF_THE_CALLER: Final = frozenset(
    {
        *("LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "NO_COLOR"),
        *("AV_LOG_FORCE_COLOR", "AV_LOG_FORCE_256COLOR", "AV_LOG_FORCE_NOCOLOR"),
    }
)
_LOCALE: Final = "LC_"


def of_this_machine(own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every program is given: read once, and nothing reads the environment later."""
    base = {name: value for name, value in own.items() if name in _OF_THIS_MACHINE or name.startswith(_LOCALE)}
    return {"PATH": os.defpath} | base


def environment(base: Mapping[str, str], asked: Mapping[str, str], private: Path) -> dict[str, str]:
    """For a program whose private folder this is: its home and its place for temporary files."""
    allowed = {name: value for name, value in asked.items() if name in _OF_THE_CALLER or name.startswith(_LOCALE)}
    return {**base, **allowed, "HOME": str(private), "TMPDIR": str(private)}
