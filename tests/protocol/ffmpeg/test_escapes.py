"""ffmpeg's scanner, and where in the argument its letters stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.ffmpeg.escapes import spelled, take_pair, take_token
from support.spelling import names, spellings


@pytest.mark.parametrize(
    ("text", "token", "rest"),
    [
        ("", "", ""),
        ("a", "a", ""),
        ("a:b", "a", ":b"),
        (" \ta b\n:", "a b", ":"),
        (r"\ a\ :", " a ", ":"),
        ("' a ':", " a ", ":"),
        ("'a  '  :", "a  ", ":"),
        (r"a\:b:c", "a:b", ":c"),
        ("'a:b':c", "a:b", ":c"),
        (r"'a\':b", "a\\", ":b"),
        (r"'It'\''s'", "It's", ""),
        ("a\\", "a\\", ""),
        ("\\\\", "\\", ""),
        ("'a:b", "a:b", ""),
        ("'a b  ", "a b", ""),
        ("''", "", ""),
        (":a", "", ":a"),
    ],
    ids=repr,
)
def test_a_token_ends_at_a_delimiter_that_is_neither_quoted_nor_escaped(text: str, token: str, rest: str) -> None:
    taken = take_token(spelled(text), 0, ":")
    assert (taken.token.text, text[taken.at :]) == (token, rest)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("f=/a", "f", "/a"),
        (" f = /a ", "f", "/a"),
        ("/a", None, "/a"),
        ("/a/b=c", "/a/b", "c"),
        (r"/a\=c", None, "/a=c"),
        ("'f=/a'", None, "f=/a"),
        ("a b=c", None, "a b=c"),
        ("=c", "", "c"),
        ("f=", "f", ""),
        ("f=a=b", "f", "a=b"),
        (r"é=c", None, "é=c"),
    ],
    ids=repr,
)
def test_only_letters_of_keys_before_an_equals_sign_are_a_key(text: str, key: str | None, value: str) -> None:
    pair = take_pair(spelled(text), 0, ":")
    assert (pair.key, pair.value.text) == (key, value)


@pytest.mark.parametrize(
    ("text", "spelling", "quotes"),
    [
        ("f=/a:g=1", "/a", 0),
        ("f='/a':g=1", "'/a'", 0),
        ("'f=/a:g=1'", "/a", 1),
        ("'f=/a'", "/a", 1),
        ("'f=/a'/b", "", None),
        ("'x=1:f=/a", "/a", 1),
        (r"f=\'/a\'", r"\'/a\'", 0),
        (r"'f='\'/a\'", "/a", 2),
        ("f= /a ", " /a ", 0),
        ("f=", "", 0),
    ],
    ids=repr,
)
def test_what_replaces_a_text_stands_in_the_same_quotes_at_both_ends(
    text: str, spelling: str, quotes: int | None
) -> None:
    options = take_token(spelled(text), 0, "").token
    pair = take_pair(options, 0, ":")
    if pair.key != "f":
        pair = take_pair(options, pair.at + 1, ":")
    edges = pair.value.edges()
    if quotes is None:
        assert edges is None
    else:
        assert edges is not None
        assert (text[edges[0].at : edges[1].at], edges[0].quotes, edges[1].quotes) == (spelling, quotes, quotes)


@given(st.data(), names)
def test_every_spelling_of_a_text_is_read_as_that_text(data: st.DataObject, text: str) -> None:
    spelling = data.draw(spellings(text, ":"))
    around = data.draw(st.sampled_from([("", ""), (" ", ":x"), ("\n", " :"), ("", ":")]))
    taken = take_token(spelled(spelling.join(around)), 0, ":")
    assert taken.token.text == text
    assert spelling.join(around)[taken.at :] == around[1].lstrip()


@given(st.data(), names)
def test_every_letter_knows_where_it_stands(data: st.DataObject, text: str) -> None:
    inner = data.draw(spellings(text, ":"))
    outer = data.draw(spellings(inner, ","))
    once = take_token(spelled(outer), 0, ",").token
    twice = take_token(once, 0, ":").token
    for letter, at in zip(twice.text, twice.letters, strict=True):
        standing = outer[at.begins.at : at.ends.at]
        assert letter in standing
    assert [at.begins.at for at in twice.letters] == sorted(at.begins.at for at in twice.letters)
