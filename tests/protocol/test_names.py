"""What may be called what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.errors import BadName
from ffmesh_protocol.names import (
    COORDINATOR,
    SPOKEN_ROLES,
    Role,
    agent,
    checked_name,
    checked_principal,
    client,
    is_name,
    is_ulid,
)

ULID = "01JD00000000000000000000AA"


@pytest.mark.parametrize("text", ["a", "7", "pi-1", "Movies", "a_b-C", "x" * 63, "To", "0-_"])
def test_names_that_may_be(text: str) -> None:
    assert checked_name("root", text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "1 to 63"),
        ("-a", "beginning with a letter or digit"),
        ("_a", "beginning with a letter or digit"),
        ("x" * 64, "1 to 63"),
        ("a b", "1 to 63"),
        ("a/b", "1 to 63"),
        ("a+", "1 to 63"),
        ("#", "1 to 63"),
        ("ä", "1 to 63"),
        ("a\n", "1 to 63"),
        ("a\0", "1 to 63"),
        ("٣", "1 to 63"),
        ("to", "reserved"),
        ("coordinator", "reserved"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(BadName, match=says) as refused:
        checked_name("root", text)
    assert "root" in str(refused.value)


@pytest.mark.parametrize("what", ["agent", "cluster"])
def test_where_only_lower_case_will_do_the_sentence_says_what_would(what: str) -> None:
    with pytest.raises(BadName, match="“pi-one” would do"):
        checked_name(what, "Pi-One", lower_case=True)


def test_agents_are_lower_case_and_clients_need_not_be() -> None:
    assert checked_principal(Role.CLIENTS, "Kitchen").login == "clients/Kitchen"
    with pytest.raises(BadName):
        checked_principal(Role.AGENTS, "Kitchen")


def test_a_refused_name_says_what_it_was_to_name_in_plain_english() -> None:
    for text in ("to", "a b"):
        with pytest.raises(BadName, match="cannot name an agent"):
            checked_name("agent", text)
        with pytest.raises(BadName, match="cannot name a root"):
            checked_name("root", text)


@given(st.text())
def test_every_text_is_a_name_or_refused_in_one_line(text: str) -> None:
    if is_name(text):
        assert checked_name("agent", text) == text
        return
    with pytest.raises(BadName) as refused:
        checked_name("agent", text)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        ULID.lower(),
        ULID[:-1],
        ULID + "A",
        "8" + ULID[1:],
        ULID + "\n",
        ULID.replace("A", "I"),
        ULID.replace("A", "U"),
        "",
    ],
)
def test_a_life_has_one_spelling_only(text: str) -> None:
    assert is_ulid(ULID)
    assert not is_ulid(text)


def test_logins_are_places_in_topics() -> None:
    assert agent("pi-1").login == "agents/pi-1"
    assert client("tv").login == "clients/tv"
    assert COORDINATOR.login == "coordinator"


def test_people_say_roles_in_the_singular_and_give_no_second_coordinator() -> None:
    assert SPOKEN_ROLES == {
        "agent": Role.AGENTS,
        "client": Role.CLIENTS,
        "watcher": Role.WATCHERS,
        "controller": Role.CONTROLLERS,
    }
