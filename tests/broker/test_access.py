"""Who may say and hear what: the access list against the real Mosquitto, for every role and every topic family.

That something is not delivered is shown by a marker that was published after it and has arrived: messages to one
receiver keep their order.
"""

import itertools
from collections.abc import Generator, Iterator

import pytest

from broker.access import ACCESS, EVERYONE, LIFE, PASSWORD, PI, TOWER, TV, P, readable_by, writable_by
from broker.peer import Heard, Peer, connected
from ffmesh_protocol.topics import Family, parse
from support.broker import PrivateBroker, broker_in_the_background

#: A topic that everyone may read, for markers. No filter below but the widest matches it by chance.
MARKED = "homeassistant/marker"

OBSERVER = "observer"
"""It may do everything: it publishes what the others may read, and sees what they have published."""

_markers = itertools.count()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateBroker]:
    folder = tmp_path_factory.mktemp("access")
    logins = dict.fromkeys([*EVERYONE, OBSERVER], PASSWORD)
    with broker_in_the_background(folder, logins=logins, extra_acl=f"user {OBSERVER}\ntopic readwrite #") as broker:
        yield broker


@pytest.fixture(scope="module")
def observer(broker: PrivateBroker) -> Generator[Peer, None, None]:
    with connected(broker.port, OBSERVER, PASSWORD) as observer:
        yield observer


@pytest.fixture(params=sorted(EVERYONE))
def login(request: pytest.FixtureRequest) -> str:
    login = request.param
    assert isinstance(login, str)
    return login


@pytest.fixture
def peer(broker: PrivateBroker, login: str) -> Generator[Peer, None, None]:
    with connected(broker.port, login, PASSWORD) as peer:
        yield peer


def marked(observer: Peer, *receivers: Peer) -> list[list[Heard]]:
    """What each of them heard up to now; all have subscribed to MARKED."""
    marker = f"marker {next(_markers)}".encode()
    observer.publish(MARKED, marker)
    return [receiver.heard_before(marker) for receiver in receivers]


def test_a_publish_is_accepted_or_refused_as_the_table_says(peer: Peer, login: str) -> None:
    assert peer.allowed_to_publish(ACCESS) == writable_by(login)


def test_what_was_refused_reaches_nobody_and_what_was_accepted_does(
    peer: Peer, observer: Peer, broker: PrivateBroker, login: str
) -> None:
    with connected(broker.port, OBSERVER, PASSWORD) as witness:
        witness.subscribe("#")
        peer.publish_all(ACCESS, login.encode())
        (heard,) = marked(observer, witness)
    assert {message.topic for message in heard if message.payload == login.encode()} == writable_by(login)


def test_a_will_is_published_only_where_its_owner_may_write(broker: PrivateBroker, observer: Peer, login: str) -> None:
    with connected(broker.port, OBSERVER, PASSWORD) as witness:
        witness.subscribe("#")
        for topic in ACCESS:
            # The second connection takes over the first, whose will is published before the CONNACK.
            with (
                connected(broker.port, login, PASSWORD, client_id=f"will of {login}", will=(topic, b"will")),
                connected(broker.port, login, PASSWORD, client_id=f"will of {login}"),
            ):
                pass
        (heard,) = marked(observer, witness)
    assert {message.topic for message in heard} == writable_by(login)


def test_the_will_of_a_process_that_was_killed_is_published_at_once(broker: PrivateBroker) -> None:
    with connected(broker.port, TV, PASSWORD) as reader:
        reader.subscribe(f"{P}/agents/+/status")
        with connected(broker.port, PI, PASSWORD, will=(f"{P}/agents/pi/status", b"offline")) as agent:
            agent.vanish()
            assert reader.heard_before(b"offline") == []


#: Sets of filters, each with its name.
FILTERS = {
    "each topic by its name": tuple(ACCESS),
    "#": ("#",),
    "ffmesh/#": ("ffmesh/#",),
    "the cluster": (f"{P}/#",),
    "any number of +": tuple("/".join(["+"] * depth) for depth in range(1, 10)),
    "+/+/#": ("+/+/#",),
    "what is sent to others": (f"{P}/+/+/to/#", f"{P}/coordinator/to/#", f"{P}/+/+/to/+/+/+/+"),
    "another's own": (f"{P}/agents/pi/#", f"{P}/clients/tv/#", f"{P}/controllers/#", f"{P}/watchers/#"),
    "another cluster": ("ffmesh/other/#", "ffmesh/+/agents/#"),
    "the broker's own": ("$SYS/#",),
}


@pytest.mark.parametrize("name", FILTERS)
def test_only_what_may_be_read_is_delivered(peer: Peer, observer: Peer, login: str, name: str) -> None:
    filters = FILTERS[name]
    granted = peer.subscribe(MARKED, *filters)
    assert set(granted) == {1}, "a SUBACK grants everything, which is why it proves nothing"
    observer.publish_all(ACCESS, b"live")
    (heard,) = marked(observer, peer)
    assert {message.topic for message in heard} == readable_by(login, *filters)


@pytest.mark.parametrize("name", FILTERS)
def test_a_group_of_subscribers_hears_no_more_than_its_members_may(
    peer: Peer, observer: Peer, login: str, name: str
) -> None:
    filters = FILTERS[name]
    peer.subscribe(MARKED, *(f"$share/group/{topic_filter}" for topic_filter in filters))
    observer.publish_all(ACCESS, b"live")
    (heard,) = marked(observer, peer)
    assert {message.topic for message in heard} == readable_by(login, *filters)


def test_a_stranger_in_a_group_hears_nothing_of_it(broker: PrivateBroker, observer: Peer) -> None:
    topic = f"{P}/coordinator/to/agents/pi/{LIFE}/grant"
    with connected(broker.port, PI, PASSWORD) as agent, connected(broker.port, TOWER, PASSWORD) as stranger:
        for member in (agent, stranger):
            member.subscribe(MARKED, f"$share/group/{topic}")
        for _ in range(10):
            observer.publish(topic, b"live")
        _, overheard = marked(observer, agent, stranger)
    assert overheard == []


@pytest.fixture
def _everything_retained(observer: Peer) -> Generator[None, None, None]:
    observer.publish_all(ACCESS, b"kept", retain=True)
    yield
    observer.publish_all(ACCESS, b"", retain=True)


@pytest.mark.usefixtures("_everything_retained")
@pytest.mark.parametrize("name", FILTERS)
def test_only_what_may_be_read_is_delivered_of_what_was_retained(
    peer: Peer, observer: Peer, login: str, name: str
) -> None:
    filters = FILTERS[name]
    peer.subscribe(MARKED, *filters)
    (heard,) = marked(observer, peer)
    assert all(message.retained and message.payload == b"kept" for message in heard)
    assert {message.topic for message in heard} == readable_by(login, *filters)


def test_the_table_has_every_family_of_topics() -> None:
    places = [parse(topic) for topic in ACCESS]
    assert {place.family for place in places if place} == set(Family)
