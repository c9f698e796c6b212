"""The pauses between attempts to connect: none, then 0.2 to 1 s, and up to 5 s after half a minute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.reconnecting import Backoff
from ffmesh_protocol.times import RECONNECT_EARLY, RECONNECT_EARLY_FOR, RECONNECT_LATE

NEARLY_ONE = 0.999999

dice = st.floats(0, 1, exclude_max=True)


def after_failures(count: int, *, at: float = 0.0) -> Backoff:
    backoff = Backoff()
    for _ in range(count):
        backoff = backoff.failed(at=at)
    return backoff


@pytest.mark.parametrize(
    ("failures", "shortest", "longest"),
    [(0, 0, 0), (1, 0, 0), (2, 0.2, 0.4), (3, 0.2, 0.8), (4, 0.2, 1), (5, 0.2, 1), (100_000, 0.2, 1)],
)
def test_the_pauses_of_the_first_half_minute(failures: int, shortest: float, longest: float) -> None:
    backoff = Backoff(failures=failures)
    assert backoff.pause(0.0) == pytest.approx(shortest)
    assert backoff.pause(NEARLY_ONE) == pytest.approx(longest, rel=1e-4)


def test_the_pauses_after_half_a_minute_are_longer() -> None:
    backoff = after_failures(2, at=100.0).failed(at=100.0 + RECONNECT_EARLY_FOR)
    assert backoff.pause(0.0) == RECONNECT_EARLY[1]
    assert backoff.pause(NEARLY_ONE) == pytest.approx(RECONNECT_LATE, rel=1e-4)


def test_after_a_connection_that_lasted_the_next_attempt_is_at_once_again() -> None:
    backoff = after_failures(50).failed(at=1_000.0, lasted=RECONNECT_LATE)
    assert backoff == Backoff(failures=1, began=1_000.0, latest=1_000.0)
    assert backoff.pause(NEARLY_ONE) == 0


def test_connections_that_end_at_once_do_not_make_it_hurry() -> None:
    backoff = Backoff()
    pauses: list[float] = []
    for second in range(60):
        backoff = backoff.failed(at=float(second), lasted=0.01)
        pauses.append(backoff.pause(0.5))
    assert pauses[0] == 0
    assert min(pauses[1:]) > 0.2
    assert pauses[-1] == pytest.approx(3.0)


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 10), dice), min_size=1, max_size=60))
def test_no_row_of_failures_waits_longer_than_the_longest_pause_or_less_than_the_shortest(
    rows: list[tuple[float, float, float]],
) -> None:
    backoff, now = Backoff(), 0.0
    for passed, lasted, thrown in rows:
        now += passed
        backoff = backoff.failed(at=now, lasted=lasted)
        pause = backoff.pause(thrown)
        assert pause == 0 if backoff.failures == 1 else RECONNECT_EARLY[0] <= pause <= RECONNECT_LATE
