"""Logins and client ids that ffmesh never makes. Whatever is in them, nobody gets more than a stranger may have.

(One kind does: a login that is not a role and a name. `ffmesh_broker.passwords` lets none into the file.)
"""

from collections.abc import Iterator

import pytest

from broker.access import ACCESS, EVERYONE, PASSWORD, PI, P
from broker.peer import NOT_AUTHORIZED, Peer, connected, dialling
from support.broker import PrivateBroker, broker_in_the_background

ODD = (
    "agents/ä ö ü",
    "agents/日本",
    "agents/a b",
    "agents/..",
    "agents/../pi",
    "agents/%u",
    "agents/%c",
    "agents/%",
    "agents/pi%",
    "agents/p",
    "agents/pi-",
    "agents/PI",
    "agents/x/pi",
    "agents//pi",
    "clients/to",
    "clients/$SYS",
    "$SYS/broker",
    "$share/group",
    "agents/" + "x" * 2_000,
)
WITH_WILDCARDS = ("agents/+", "agents/#", "+/pi", "+", "agents/pi+")

OBSERVER = "observer"
PUBLIC = {topic for topic, (_, readers) in ACCESS.items() if readers == EVERYONE}
FOR_ALL_TO_WRITE = {topic for topic, (writers, _) in ACCESS.items() if writers == EVERYONE}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBroker]:
    folder = tmp_path_factory.mktemp("odd")
    logins = dict.fromkeys([*ODD, *WITH_WILDCARDS, PI, OBSERVER], PASSWORD)
    with broker_in_the_background(folder, logins=logins, extra_acl=f"user {OBSERVER}\ntopic readwrite #") as broker:
        yield broker


def heard_of_everything(broker: PrivateBroker, peer: Peer, *further: str) -> set[str]:
    """What a peer that asks for everything gets, when everything is said."""
    peer.subscribe("#")
    with connected(broker.port, OBSERVER, PASSWORD) as observer:
        observer.publish_all((*ACCESS, *further), b"live")
    return {message.topic for message in peer.heard_until_now()}


@pytest.mark.parametrize("login", ODD)
def test_a_login_with_odd_characters_is_a_stranger_to_all_but_its_own_name(broker: PrivateBroker, login: str) -> None:
    own, for_it = f"{P}/{login}/x", f"{P}/agents/pi/to/{login}/x"
    with connected(broker.port, login, PASSWORD) as peer:
        assert peer.allowed_to_publish((*ACCESS, own, for_it)) == {own, *FOR_ALL_TO_WRITE}
        assert heard_of_everything(broker, peer, own, for_it) == {for_it, *PUBLIC}


@pytest.mark.parametrize("login", WITH_WILDCARDS)
def test_a_login_with_a_wildcard_may_do_nothing_at_all(broker: PrivateBroker, login: str) -> None:
    with connected(broker.port, login, PASSWORD) as peer:
        assert peer.allowed_to_publish(ACCESS) == set()
        assert heard_of_everything(broker, peer) == set()


@pytest.mark.parametrize("client_id", ["agents/+", "#", "agents/pi/+"])
def test_a_client_id_with_a_wildcard_may_do_nothing_at_all(broker: PrivateBroker, client_id: str) -> None:
    with connected(broker.port, PI, PASSWORD, client_id=client_id) as peer:
        assert peer.allowed_to_publish(ACCESS) == set()
        assert heard_of_everything(broker, peer) == set()


@pytest.mark.parametrize(
    "client_id", ["coordinator", "agents/pi", "pi", "%u", "agents/pi/01J00000000000000000000000-x"]
)
def test_a_client_id_gives_no_rights(broker: PrivateBroker, client_id: str) -> None:
    # Not even to the login that would have them if its own name were filled in a second time.
    with connected(broker.port, "agents/%c", PASSWORD, client_id=client_id) as peer:
        assert peer.allowed_to_publish(ACCESS) == FOR_ALL_TO_WRITE
        assert heard_of_everything(broker, peer) == PUBLIC


@pytest.mark.parametrize(("login", "password"), [("", ""), (PI, ""), (PI, "wrong"), ("agents/nobody", PASSWORD)])
def test_who_has_no_login_or_not_its_password_gets_no_connection(
    broker: PrivateBroker, login: str, password: str
) -> None:
    with dialling(broker.port, login, password) as peer:
        assert peer.connack()[0] == NOT_AUTHORIZED
