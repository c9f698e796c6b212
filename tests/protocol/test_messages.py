"""Every struct of messages/*: what is said arrives as it was said, and nothing else makes trouble."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffmesh_protocol import codec
from ffmesh_protocol.errors import MalformedMessage
from ffmesh_protocol.limits import LIST_ITEMS, NUMBER_MAX
from ffmesh_protocol.messages.answers import Answer
from ffmesh_protocol.messages.capability import Heartbeat, Load
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.messages.orders import Drain, Settled
from ffmesh_protocol.messages.reports import Hello, Holding
from ffmesh_protocol.messages.requests import ListJobs, StreamCredit, Submit
from ffmesh_protocol.wire import Directed
from support.told import message_kinds, values

KINDS: list[Any] = [*message_kinds(), Answer]
ULID = "01JD00000000000000000000AA"

HOSTILE_TOKENS = [
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-1",
    b"1" * 400,
    str(2**63).encode(),
    str(2**64).encode(),
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\\u0000"',
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"[" * 17 + b"]" * 17,
    b"[" * 5_000,
    b'{"kind":"input","n":0}',
    b'{"kind":"path","kind":"bytes"}',
]


def decoded_or_refused(kind: Any, payload: bytes) -> None:
    """What decodes is whole: it can be said again. All else is `MalformedMessage`; another exception fails the test."""
    try:
        message = codec.decode(kind, payload)
    except MalformedMessage:
        return
    assert codec.decode(kind, codec.encode(message)) == message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: getattr(kind, "__name__", "Answer"))
@given(data=st.data())
@settings(max_examples=25)
def test_what_is_decoded_is_what_was_encoded(kind: Any, data: st.DataObject) -> None:
    message = data.draw(values(kind))

    assert codec.decode(kind, codec.encode(message)) == message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: getattr(kind, "__name__", "Answer"))
@given(data=st.data())
@settings(max_examples=10)
def test_every_key_is_always_present(kind: Any, data: st.DataObject) -> None:
    message = data.draw(values(kind))

    told = json.loads(codec.encode(message))

    config: msgspec.structs.StructConfig = message.__struct_config__
    tag = [config.tag_field] if config.tag_field else []
    assert set(told) == {*message.__struct_encode_fields__, *tag}


@given(payload=st.binary(max_size=200))
@settings(max_examples=200)
def test_random_bytes_are_malformed_and_nothing_worse(payload: bytes) -> None:
    for kind in KINDS:
        decoded_or_refused(kind, payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just(ULID),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(sorted({name for kind in KINDS[:-1] for name in kind.__struct_encode_fields__}))
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(document=json_values)
@settings(max_examples=150)
def test_json_of_any_shape_is_malformed_and_nothing_worse(document: Any) -> None:
    payload = json.dumps(document).encode()
    for kind in KINDS:
        decoded_or_refused(kind, payload)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid message with a few injuries: bits, cuts, doubled parts, and hostile words in place of bytes."""
    payload = bytearray(codec.encode(draw(values(draw(st.sampled_from(KINDS))))))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(payload) - 1)))
        until = min(len(payload), at + draw(st.integers(0, 12)))
        match draw(st.sampled_from(["flip", "cut", "double", "replace", "value"])):
            case "flip" if payload:
                payload[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del payload[at:until]
            case "double":
                payload[at:at] = payload[at:until]
            case "replace":
                payload[at:until] = draw(st.sampled_from(HOSTILE_TOKENS))
            case _:
                colon = payload.find(b":", at)
                comma = payload.find(b",", colon)
                if 0 < colon < comma:
                    payload[colon + 1 : comma] = draw(st.sampled_from(HOSTILE_TOKENS))
    return bytes(payload)


@given(payload=damaged())
@settings(max_examples=400)
def test_damaged_messages_are_malformed_and_nothing_worse(payload: bytes) -> None:
    for kind in KINDS:
        decoded_or_refused(kind, payload)


@pytest.mark.parametrize("kind", KINDS[:-1], ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=3)
def test_hostile_words_in_any_field_are_malformed_and_nothing_worse(kind: Any, data: st.DataObject) -> None:
    fields = msgspec.json.decode(codec.encode(data.draw(values(kind))), type=dict[str, msgspec.Raw])
    for name in fields:
        for token in HOSTILE_TOKENS:
            decoded_or_refused(
                kind,
                b"{%s}"
                % b",".join(
                    b'"%s":%s' % (each.encode(), token if each == name else value) for each, value in fields.items()
                ),
            )


def test_an_unknown_field_is_ignored() -> None:
    assert codec.decode(Drain, b'{"requires":[],"draining":true,"from_a_later_version":{"deep":[1]}}') == Drain(
        draining=True
    )


def test_a_missing_field_without_a_default_is_an_error() -> None:
    with pytest.raises(MalformedMessage):
        codec.decode(Drain, b'{"requires":[]}')


def test_a_missing_requires_requires_nothing() -> None:
    assert codec.decode(Drain, b'{"draining":false}').requires == ()


@pytest.mark.parametrize("answer", [b'{"answer":"accepted2"}', b'{"job":"%s"}' % ULID.encode()])
def test_an_unknown_kind_of_answer_is_an_error(answer: bytes) -> None:
    with pytest.raises(MalformedMessage):
        codec.decode(Answer, answer)  # type: ignore[arg-type]  # a union is no class to mypy


@pytest.mark.parametrize(
    "piece",
    [
        {"kind": "input", "n": 0},
        {"kind": "output", "n": 0},
        {"kind": "nobody knows"},
        {"root": "Movies", "path": "x"},
        {"kind": "bytes", "base64": "no base64!"},
        {"kind": "bytes", "base64": "QQ"},
        {"kind": "path", "root": "a/b", "path": "x"},
        7,
        None,
        ["nested"],
    ],
)
def test_an_unknown_kind_of_piece_is_an_error(piece: Any) -> None:
    told = json.loads(codec.encode(submit()))
    told["args"] = [[piece]]

    with pytest.raises(MalformedMessage):
        codec.decode(Submit, json.dumps(told).encode())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("env", {"A=B": "c"}),
        ("env", {"": "c"}),
        ("env", {"A": "zero\0byte"}),
        ("env", {f"V{number}": "" for number in range(65)}),
        ("timeout_seconds", 0),
        ("timeout_seconds", 1e300),
        ("umask", 0o1000),
        ("umask", -1),
        ("priority", 1_000_001),
        ("args", [["x"]] * 8193),
        ("args", [["x"] * 1025]),
        ("args", [["x" * (128 * 1024 + 1)]]),
        ("labels", {"k": "v" * 513}),
        ("labels", {str(number): "" for number in range(33)}),
        ("job", ULID.lower()),
        ("job", f"{ULID}\n"),
        ("program", ""),
        ("cwd", {"kind": "path", "root": "Movies", "path": "x" * 4097}),
        ("after", [ULID] * 257),
        ("after", ["no id"]),
        ("max_attempts", 0),
        ("max_attempts", 101),
        ("outputs", [{"kind": "path", "root": "Movies", "path": f"{number}.mkv"} for number in range(257)]),
        ("outputs", ["a.mkv"]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_exceeds_a_limit_of_a_submit_is_malformed(name: str, value: Any) -> None:
    told = json.loads(codec.encode(submit()))
    codec.decode(Submit, json.dumps(told).encode())
    told[name] = value

    with pytest.raises(MalformedMessage):
        codec.decode(Submit, json.dumps(told).encode())


@pytest.mark.parametrize("number", [-1, NUMBER_MAX + 1, 2**80, 0.5, "7", None])
def test_no_credit_with_numbers_that_cannot_be(number: Any) -> None:
    for field in ("received", "allowed"):
        told = {"attempt": ULID, "received": {"stdout": 0}, "allowed": {"stdout": 0}}
        told[field] = {"stdout": number}
        with pytest.raises(MalformedMessage):
            codec.decode(StreamCredit, json.dumps(told).encode())


def test_no_number_that_a_database_cannot_keep() -> None:
    codec.decode(Holding, b'{"beat":1,"heard":9223372036854775807,"draining":false,"held":[]}')
    with pytest.raises(MalformedMessage):
        codec.decode(Holding, b'{"beat":1,"heard":9223372036854775808,"draining":false,"held":[]}')


def test_who_says_no_more_is_tried_once_after_nobody_and_stages_nothing() -> None:
    asked = submit()
    assert (asked.after, asked.max_attempts, asked.outputs) == ((), 1, ())


@pytest.mark.parametrize("kind", [Holding, Hello, Heartbeat], ids=lambda kind: kind.__name__)
def test_no_sign_of_life_without_its_beat(kind: Any) -> None:
    """Without it nobody could say which one was answered, and a lease would count from a wrong moment."""
    load = {"cpu_percent": None, "memory_percent": None, "temperature_c": None}
    told: dict[str, Any] = {"beat": 1, "heard": 0, "draining": False, "held": [], "boot": "", "spool": ""}
    told |= {"version": "", "features": [], "life": ULID, "load": load, "slots": {}, "running": []}
    codec.decode(kind, json.dumps(told).encode())
    del told["beat"]

    with pytest.raises(MalformedMessage):
        codec.decode(kind, json.dumps(told).encode())


def test_a_list_ends_at_its_limit() -> None:
    one_too_many = ",".join([f'"{ULID}"'] * (LIST_ITEMS + 1))
    with pytest.raises(MalformedMessage):
        codec.decode(Settled, f'{{"attempts":[{one_too_many}]}}'.encode())


def test_lists_ask_for_a_page_of_fifty_unless_said() -> None:
    assert codec.decode(ListJobs, b"{}") == ListJobs(states=(), labels={}, limit=50, cursor=None)


def test_every_field_of_a_load_may_be_unknown() -> None:
    assert codec.decode(Load, b'{"cpu_percent":null,"memory_percent":null,"temperature_c":null}').cpu_percent is None


def test_three_states_of_a_job_are_ends() -> None:
    assert {state for state in JobState if state.is_end} == {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
    }


def test_messages_are_frozen_and_so_is_what_they_are_made_of() -> None:
    assert [kind for kind in message_kinds() if not kind.__struct_config__.frozen] == []


def test_every_directed_message_may_require_features() -> None:
    directed = [kind for kind in message_kinds() if issubclass(kind, Directed)]
    assert len(directed) > 30
    for kind in directed:
        assert "requires" in kind.__struct_encode_fields__


def submit() -> Submit:
    kept: Any = msgspec.json.decode(
        b'{"job":"%s","kind":"direct","program":"ffmpeg","args":[["-i"]],"cwd":null,"env":{},"umask":18,'
        b'"stdin_is_terminal":false,"needs":{"program":"ffmpeg"},"priority":0,"timeout_seconds":null,"labels":{}}'
        % ULID.encode(),
        type=Submit,
    )
    assert isinstance(kept, Submit)
    return kept
