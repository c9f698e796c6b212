"""The environment of a program: little of ours, and of the caller's only names that are harmless.

Not the agent's own environment as a whole: a service manager's, a desktop's or a virtual environment's variables change
what programs do.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ffmesh_protocol.caller import harmless

_OF_THIS_MACHINE: Final = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("CUDA_VISIBLE_DEVICES", "LIBVA_DRIVER_NAME", "LIBVA_DRIVERS_PATH", "VDPAU_DRIVER", "XDG_RUNTIME_DIR"),
    }
)
_LOCALE: Final = "LC_"


def of_this_machine(own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What every program is given: read once, and nothing reads the environment later."""
    base = {name: value for name, value in own.items() if name in _OF_THIS_MACHINE or name.startswith(_LOCALE)}
    return {"PATH": os.defpath} | base


def environment(base: Mapping[str, str], asked: Mapping[str, str], private: Path) -> dict[str, str]:
    """For a program whose private folder this is: its home and its place for temporary files."""
    return {**base, **harmless(asked), "HOME": str(private), "TMPDIR": str(private)}
