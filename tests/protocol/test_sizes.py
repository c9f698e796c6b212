"""Numbers of bytes, for people."""

import pytest

from ffmesh_protocol.sizes import size_shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (12_345, "12.3 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (3_100_000_000, "3.1 GB"),
        (10**30, "1000000000000.0 EB"),
    ],
)
def test_a_size_has_one_digit_after_the_point_and_the_unit_that_fits(count: int, shown: str) -> None:
    assert size_shown(count) == shown
