"""Which Mosquitto is installed on this machine, and whether it is one that ffmesh is for."""

import re
import subprocess
from typing import Final

from ffmesh_broker.errors import MosquittoMissing
from ffmesh_broker.private import mosquitto_program
from ffmesh_protocol.finding import Finding, fine, wrong

OLDEST: Final = (2, 0, 11)
"""Debian 12's, with which ffmesh is tested. What 1.x is not told it does differently, and more openly."""

ANSWER_SECONDS: Final = 10.0
_version: Final = re.compile(r"^mosquitto version (\d+(?:\.\d+)*)", re.MULTILINE)


def mosquitto_version() -> str | None:
    """As it says itself; None: it says nothing that is understood. `MosquittoMissing`."""
    try:
        said = subprocess.run(
            [mosquitto_program(), "-h"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _version.search(said)
    return found[1] if found else None


def mosquitto_found() -> Finding:
    try:
        version = mosquitto_version()
    except MosquittoMissing as error:
        sentence, _, mend = f"{error}".partition("; ")
        return wrong("mosquitto", sentence, mend)
    if version is None:
        return wrong("mosquitto", "it does not say which version it is", "install it again, and see `mosquitto -h`")
    return judged(version)


def judged(version: str) -> Finding:
    oldest = ".".join(map(str, OLDEST))
    if tuple(map(int, version.split("."))) < OLDEST:
        return wrong("mosquitto", f"version {version} is older than {oldest}", "install a newer one")
    return fine("mosquitto", f"version {version}")
