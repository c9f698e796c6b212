import time

from ulid import ULID

from ffmesh_agent.shell.life import fresh_life
from ffmesh_protocol.names import is_ulid


def test_a_life_is_a_ulid_of_now_and_no_two_are_equal() -> None:
    lives = [fresh_life() for _ in range(1000)]
    assert len(set(lives)) == 1000
    assert all(is_ulid(life) for life in lives)
    assert abs(ULID.from_str(lives[0]).timestamp - time.time()) < 60
