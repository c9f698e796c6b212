"""Which fences this machine can put up, and why not the others. For the owner's side.

Nothing is read off version numbers: each kind is tried once, in a process of its own, by the code that will fence
programs. A kernel may have Landlock and not let a container use it; bwrap may be installed and not allowed to work.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ffmesh_warden.fence import Kind

BEST_FIRST: Final[tuple[Kind, ...]] = ("landlock", "bubblewrap")

TRIAL_SECONDS = 20.0
"""It takes a twentieth of a second, on a Pi a few times that."""


@dataclass(frozen=True, slots=True)
class Found:
    kinds: tuple[Kind, ...]
    """Those that work here, best first."""
    missing: dict[Kind, str]
    """The others, each with a sentence why."""


def found() -> Found:
    """Blocks for a tenth of a second. What it finds holds until the machine is changed: once in a process is enough."""
    trial = Path(__file__).resolve().with_name("trial.py")
    try:
        ended = subprocess.run(
            [Path(sys.executable).resolve(), "-S", "-I", "-E", trial],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRIAL_SECONDS,
            check=True,
        )
        why: dict[Kind, str | None] = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        why = dict.fromkeys(BEST_FIRST, f"its trial took longer than {TRIAL_SECONDS:.0f} s")
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        why = dict.fromkeys(BEST_FIRST, f"it cannot be tried: {error}")
    missing: dict[Kind, str] = {kind: sentence for kind, sentence in why.items() if sentence is not None}
    return Found(tuple(kind for kind in BEST_FIRST if kind not in missing), missing)
