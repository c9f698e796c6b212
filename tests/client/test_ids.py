"""Ids are ULIDs."""

import time

from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from ffmesh_client.ids import fresh_ulid, spelled
from ffmesh_protocol.names import is_ulid


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_is_spelled_as_python_ulid_spells_it(milliseconds: int, dice: bytes) -> None:
    assert spelled(milliseconds, dice) == str(ULID(milliseconds.to_bytes(6, "big") + dice))


def test_fresh_ids_differ_and_carry_the_time() -> None:
    ids = {fresh_ulid() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(is_ulid(each) for each in ids)
    assert abs(ULID.from_str(ids.pop()).timestamp - time.time()) < 5
