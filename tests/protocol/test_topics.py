"""The grammar of topics: what is built is understood, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.names import COORDINATOR, NAME_PATTERN, ULID_PATTERN, Principal, Role, agent, client, is_name
from ffmesh_protocol.topics import (
    DELIVERY,
    EXPIRY_OF_VERB,
    RESERVED_VERBS,
    STREAM_VERBS,
    Family,
    Place,
    Topics,
    Verb,
    parse,
)

names = st.from_regex(NAME_PATTERN).filter(is_name)
lives = st.from_regex(ULID_PATTERN)
paths = st.lists(st.text(alphabet="abc_-0", min_size=1, max_size=5), min_size=1, max_size=3).map("/".join)
ULID = "01JD00000000000000000000AA"


def built(cluster: str, name: str, ulid: str, path: str) -> list[tuple[str, Place]]:
    """Every family's topic, and what it means."""
    topics = Topics(cluster)

    def place(family: Family, sender: Principal, detail: str | None = None) -> Place:
        return Place(cluster=cluster, family=family, sender=sender, detail=detail)

    pi, tv = agent(name), client(name)
    return [
        (topics.coordinator_status(), place(Family.COORDINATOR_STATUS, COORDINATOR)),
        (topics.summary(), place(Family.SUMMARY, COORDINATOR)),
        (topics.events(), place(Family.EVENTS, COORDINATOR)),
        (topics.job(ulid), place(Family.JOB, COORDINATOR, ulid)),
        (topics.agent(name), place(Family.AGENT, COORDINATOR, name)),
        (topics.control(path), place(Family.CONTROL, COORDINATOR, path)),
        (topics.agent_status(name), place(Family.AGENT_STATUS, pi)),
        (topics.advert(name), place(Family.ADVERT, pi)),
        (topics.programs(name), place(Family.PROGRAMS, pi)),
        (topics.heartbeat(name), place(Family.HEARTBEAT, pi)),
        (topics.progress(name, ulid), place(Family.PROGRESS, pi, ulid)),
        (topics.client_status(name, ulid), place(Family.CLIENT_STATUS, tv, ulid)),
        (topics.setting(name, path), place(Family.SET, Principal(role=Role.CONTROLLERS, name=name), path)),
        *[
            (
                topics.directed(sender, receiver, ulid, verb),
                Place(cluster=cluster, family=Family.DIRECTED, sender=sender, receiver=receiver, life=ulid, verb=verb),
            )
            for sender in (COORDINATOR, pi, tv)
            for receiver in (COORDINATOR, pi, tv)
            for verb in ("offer", "some-later-verb")
        ],
    ]


@given(names, names, lives, paths)
def test_what_is_built_is_understood(cluster: str, name: str, ulid: str, path: str) -> None:
    for topic, meaning in built(cluster, name, ulid, path):
        assert parse(topic) == meaning


def test_every_family_is_built_and_has_its_delivery() -> None:
    assert {meaning.family for _, meaning in built("home", "pi-1", ULID, "x")} == set(Family)
    assert set(DELIVERY) == set(Family)


def matches(subscription: str, topic: str) -> bool:
    wanted, given_ = subscription.split("/"), topic.split("/")
    if wanted[-1] == "#":
        return given_[: len(wanted) - 1] == wanted[:-1]
    return len(wanted) == len(given_) and all(each in ("+", level) for each, level in zip(wanted, given_, strict=True))


@given(names, lives)
def test_a_life_subscribes_to_all_that_is_meant_for_it_and_to_nothing_of_another(name: str, life: str) -> None:
    topics = Topics("home")
    other = "0" * 26 if life != "0" * 26 else "1" * 26
    for me in (agent(name), client(name)):
        mine = topics.to_me(me, life)
        for sender in (COORDINATOR, agent("pi"), client("tv")):
            assert any(matches(each, topics.directed(sender, me, life, "offer")) for each in mine)
            assert not any(matches(each, topics.directed(sender, me, other, "offer")) for each in mine)
            assert not any(matches(each, topics.directed(sender, COORDINATOR, life, "offer")) for each in mine)


@given(names, names, lives, paths)
def test_the_coordinator_hears_everything_of_its_cluster(cluster: str, name: str, ulid: str, path: str) -> None:
    for topic, _ in built(cluster, name, ulid, path):
        assert matches(Topics(cluster).everything(), topic)
        assert matches(Topics(cluster).everything(), Topics(cluster).canary())


def test_watchers_of_progress_and_of_clients_match_what_is_published() -> None:
    topics = Topics("home")
    assert matches(topics.progress_of_anyone(ULID), topics.progress("pi-1", ULID))
    assert matches(topics.client_statuses(), topics.client_status("tv", ULID))


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            [
                "ffmesh",
                "home",
                "agents",
                "clients",
                "coordinator",
                "to",
                "",
                "+",
                "#",
                ULID,
                "status",
                "set",
                "controllers",
                "advert",
                "\0",
                "\udc80",
            ]
        )
    ).map("/".join)
)
def test_no_text_is_more_than_no_topic_of_ours(text: str) -> None:
    place = parse(text)
    if place is not None:
        assert text.startswith(f"ffmesh/{place.cluster}/{place.sender.login}/")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "ffmesh",
        "ffmesh/home",
        "ffmesh/home/coordinator",
        "ffmesh/home/coordinator/status/",
        "ffmesh/home/coordinator/nothing",
        "ffmesh/home/coordinator/jobs/01jd00000000000000000000aa",
        "ffmesh/home/coordinator/agents/to",
        "ffmesh/to/coordinator/status",
        "other/home/coordinator/status",
        "/ffmesh/home/coordinator/status",
        "ffmesh/home/agents/pi-1",
        "ffmesh/home/agents/pi 1/status",
        "ffmesh/home/agents/to/status",
        "ffmesh/home/agents/pi-1/advert/other",
        f"ffmesh/home/agents/pi-1/to/coordinator/{ULID}",
        f"ffmesh/home/agents/pi-1/to/coordinator/{ULID}/",
        f"ffmesh/home/agents/pi-1/to/coordinator/{ULID}/hello/more",
        f"ffmesh/home/agents/pi-1/to/watchers/ha/{ULID}/hello",
        f"ffmesh/home/agents/pi-1/to/clients/coordinator/{ULID}/stdout",
        f"ffmesh/home/watchers/ha/to/coordinator/{ULID}/submit",
        f"ffmesh/home/controllers/ha/to/coordinator/{ULID}/submit",
        "ffmesh/home/controllers/ha/set",
        "ffmesh/home/clients/tv/status",
        Topics("home").canary(),
    ],
)
def test_what_is_no_topic_of_ours(topic: str) -> None:
    assert parse(topic) is None


def test_commands_are_never_retained_and_presence_is() -> None:
    retained = {family for family, delivery in DELIVERY.items() if delivery.retain}
    assert retained == {
        Family.COORDINATOR_STATUS,
        Family.SUMMARY,
        Family.JOB,
        Family.AGENT,
        Family.CONTROL,
        Family.AGENT_STATUS,
        Family.ADVERT,
        Family.PROGRAMS,
        Family.PROGRESS,
    }


def test_what_is_retained_of_a_dead_agent_expires_where_it_would_mislead() -> None:
    assert {family for family, delivery in DELIVERY.items() if delivery.expiry_seconds} == {Family.PROGRESS}
    assert EXPIRY_OF_VERB == {Verb.OFFER: 3}


def test_a_reserved_verb_is_not_yet_one() -> None:
    assert RESERVED_VERBS.isdisjoint(set(Verb))
    assert set(Verb) >= STREAM_VERBS
