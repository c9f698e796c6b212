"""Join tokens: what was spoken is understood, and a slip of the hand is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol import codec
from ffmesh_protocol.errors import BadToken
from ffmesh_protocol.names import NAME_PATTERN, Role
from ffmesh_protocol.tokens import PREFIX, JoinToken, spoken, understood

names = st.from_regex(NAME_PATTERN)
tokens = st.builds(
    JoinToken,
    cluster=names,
    role=st.sampled_from([Role.AGENTS, Role.CLIENTS]),
    name=names,
    secret=st.binary(min_size=32, max_size=32),
    host=st.text(min_size=1, max_size=255),
    port=st.integers(1, 65535),
    kid=st.integers(1, 2**63 - 1),
)
TOKEN = JoinToken(
    cluster="home", role=Role.AGENTS, name="pi-1", secret=bytes(range(32)), host="mesh.local", port=1883, kid=1
)


@given(tokens)
def test_what_was_spoken_is_understood(token: JoinToken) -> None:
    assert understood(spoken(token)) == token


@given(tokens, st.integers(1, 60))
def test_a_token_survives_line_ends_and_spaces_of_a_mail(token: JoinToken, width: int) -> None:
    word = spoken(token)
    folded = "  \r\n".join(word[at : at + width] for at in range(0, len(word), width))
    assert understood(f" {folded}\n") == token


@given(st.text() | st.text().map(PREFIX.__add__) | st.text(alphabet=st.characters()).map(PREFIX.__add__))
def test_no_text_is_worse_than_no_token(text: str) -> None:
    with pytest.raises(BadToken):
        understood(text)


@pytest.mark.parametrize("text", ["ü", "\udc80", "=", "====", "A", "e30", "bnVsbA", "W10", "e30=\0"])
def test_odd_letters_are_no_token(text: str) -> None:
    with pytest.raises(BadToken):
        understood(PREFIX + text)


def test_a_token_that_was_cut_off_anywhere_is_noticed() -> None:
    word = spoken(TOKEN)
    for at in range(len(word)):
        with pytest.raises(BadToken):
            understood(word[:at])


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "AAAA"},
        {"secret": "not base64!"},
        {"port": 0},
        {"port": 65536},
        {"host": ""},
        {"role": "emperor"},
        {"name": "a/b"},
        {"cluster": ""},
        {"kid": 0},
    ],
)
def test_a_token_with_a_part_that_cannot_be_is_no_token(change: dict[str, object]) -> None:
    import base64
    import json

    parts = {**json.loads(codec.encode(TOKEN)), **change}
    word = PREFIX + base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")
    with pytest.raises(BadToken):
        understood(word)


def test_a_secret_has_no_business_in_a_log() -> None:
    assert "secret" not in repr(TOKEN)
    assert repr(TOKEN.secret) not in repr(TOKEN)
