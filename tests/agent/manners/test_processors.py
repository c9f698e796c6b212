from hypothesis import given
from hypothesis import strategies as st

from ffmesh_agent.manners.processors import few


def test_half_of_them_are_left_the_last_ones() -> None:
    assert few({0, 1, 2, 3}, None) == {2, 3}
    assert few({4, 0, 2}, None) == {4}
    assert few({0, 1, 2, 3}, 3) == {1, 2, 3}


@given(st.sets(st.integers(0, 63), min_size=1), st.none() | st.integers(1, 100))
def test_one_at_least_is_left_and_none_that_was_not_usable(usable: set[int], wanted: int | None) -> None:
    left = few(usable, wanted)
    assert left <= usable
    assert len(left) == min(len(usable), wanted if wanted is not None else max(1, len(usable) // 2))
