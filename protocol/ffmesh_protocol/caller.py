"""What of a caller's environment goes with a job: how the program speaks, never where it looks or what it loads."""

from collections.abc import Mapping
from typing import Final

NAMES: Final = frozenset(
    {
        *("LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "NO_COLOR"),
        *("AV_LOG_FORCE_COLOR", "AV_LOG_FORCE_256COLOR", "AV_LOG_FORCE_NOCOLOR"),
    }
)
PREFIX: Final = "LC_"


def harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Client and agent both ask: neither relies on the other. Not PATH, LD_LIBRARY_PATH or FFREPORT: those make a
    program run or write something else."""
    return {name: value for name, value in environment.items() if name in NAMES or name.startswith(PREFIX)}
