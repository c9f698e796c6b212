"""Which addresses a broker could listen at, here."""

import errno
import socket

import pytest

from ffmesh_broker.errors import CannotListen
from ffmesh_broker.listening import check_can_listen

OF_NOBODY = "192.0.2.1"
"""Kept free for examples by RFC 5737."""


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "localhost"])
def test_an_address_of_this_machine_will_do(address: str) -> None:
    check_can_listen(address)


def test_an_address_at_which_others_listen_will_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        check_can_listen("127.0.0.1")


@pytest.mark.parametrize("address", ["", " ", "a b", "127.0.0.1\n", "no\0address", "x" * 300, "a..b", OF_NOBODY])
def test_what_is_no_address_of_this_machine_is_refused_in_one_line(address: str) -> None:
    with pytest.raises(CannotListen) as refused:
        check_can_listen(address)
    assert len(str(refused.value).splitlines()) == 1


def test_an_address_of_another_machine_is_named_with_what_to_do() -> None:
    with pytest.raises(CannotListen, match=OF_NOBODY) as refused:
        check_can_listen(OF_NOBODY)
    assert isinstance(refused.value.__cause__, OSError)
    assert refused.value.__cause__.errno == errno.EADDRNOTAVAIL
    assert "127.0.0.1" in str(refused.value)
