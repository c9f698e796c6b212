"""What all tests find, whoever has started them."""

import signal
from collections.abc import Generator
from types import FrameType

import pytest

GIVEN_BACK = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them by itself, and `subprocess` undoes that in a child."""


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
