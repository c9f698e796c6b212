"""What all tests find, whoever has started them."""

import os
import signal
import zlib
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Final

import pytest

os.environ["FFMESH_TRIALS"] = "off"
"""For all agents that tests start: their machine has other things to do. Tests of trials say otherwise."""

GIVEN_BACK = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them by itself, and `subprocess` undoes that in a child."""

TESTS: Final = Path(__file__).parent
LONGEST: Final = (
    "agent/shell/test_crashes.py",
    "agent/shell/test_ladder_kills.py",
    "agent/shell/test_swaps.py",
    "client/test_up.py",
    "end_to_end/test_deaths.py",
    "end_to_end/test_faults_leases.py",
    "end_to_end/test_faults_many.py",
    "end_to_end/test_forgery.py",
    "end_to_end/test_principals.py",
    "end_to_end/test_retry.py",
    "end_to_end/test_rotation.py",
    "end_to_end/test_run_ends.py",
    "end_to_end/test_shim_deaths.py",
    "end_to_end/test_shim_jellyfin.py",
    "end_to_end/test_shim_lines.py",
    "simulation/test_mutations.py",
)
"""Files that take 20 seconds and more: see `--durations`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers: the longest files first, lest one is left with them in the end while the others have
    nothing to do. Otherwise mixed, so that those that wait run beside those that compute."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    longest = {TESTS / name for name in LONGEST}
    if gone := [str(path) for path in longest if not path.is_file()]:
        raise pytest.UsageError(f"LONGEST names what is not there: {', '.join(gone)}")
    items.sort(key=lambda item: (item.path not in longest, zlib.crc32(os.fsencode(item.path.relative_to(TESTS)))))


@pytest.fixture(scope="session", autouse=True)
def children_ignore_no_signal() -> Generator[None, None, None]:
    """As when started from a terminal. A script's `&` ignores SIGINT, nohup SIGHUP, and every child would inherit it.

    The tests themselves go on ignoring them, with a handler that does nothing: what is handled does not pass to what is
    executed.
    """
    ignored = [
        number
        for number in signal.valid_signals()
        if number not in GIVEN_BACK and signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, _stay)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


def _stay(number: int, frame: FrameType | None) -> None:
    pass
