#!/usr/bin/env python3
"""Writes protocol/vectors.json: worked examples of everything on the wire that is not plain JSON.

    python protocol/make_vectors.py

Whoever writes a part of ffmesh in another language checks it with them. They change only when the wire does, so a
difference in the file is one that others would notice: `tests/protocol/test_vectors.py` compares, and computes the
keys and MACs a second time without this package.
"""

import base64
import json
from pathlib import Path
from typing import Any, Final, TypeAlias

from ffmesh_protocol import codec
from ffmesh_protocol.errors import FfmeshError
from ffmesh_protocol.keys import Label, SealedFor, broker_password, client_id_tag, derived, sealed, stream_keys
from ffmesh_protocol.limits import NUMBER_MAX, NUMBERS_WINDOW
from ffmesh_protocol.media import Argument, RawBytes, RootPath, argument_of, shown, written
from ffmesh_protocol.names import COORDINATOR, Principal, Role, agent, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Stamp, Window, mac_input, signed
from ffmesh_protocol.streams import Chunk, packed
from ffmesh_protocol.tokens import JoinToken, spoken
from ffmesh_protocol.topics import DELIVERY, Topics, parse

FILE: Final = Path(__file__).parent / "vectors.json"

Vector: TypeAlias = dict[str, Any]

CLUSTER: Final = "home"
TOPICS: Final = Topics(CLUSTER)
PI, TV = agent("pi-1"), client("tv")
SECRETS: Final = {PI: bytes(range(32)), TV: bytes(range(32, 64))}
COORDINATOR_LIFE, AGENT_LIFE, CLIENT_LIFE, JOB, ATTEMPT = (
    f"01JD000000000000000000{name}" for name in ("C00R", "AGNT", "C11E", "00J0", "ATT0")
)
NONCE: Final = bytes(range(100, 112))
ROOTS: Final = {"Movies": "/media/movies", "New": "/media/movies/new"}
AGENT_ROOTS: Final = {"Movies": "/mnt/films", "New": "/srv/new films"}


def vectors() -> Vector:
    return {
        "about": "Made by protocol/make_vectors.py. Bytes are in hexadecimal unless a key ends in _text or _base64.",
        "keys": _keys(),
        "client_ids": _client_ids(),
        "stream_keys": _stream_keys(),
        "sealed": _sealed(),
        "messages": _messages(),
        "numbers": _numbers(),
        "chunks": _chunks(),
        "tokens": _tokens(),
        "arguments": [*map(_argument, _ARGUMENTS), *map(_refused_argument, _REFUSED_ARGUMENTS)],
        "pieces": list(map(_pieces, _PIECES)),
        "topics": list(map(_topic, _TOPICS)),
    }


def _keys() -> list[Vector]:
    return [
        {
            "secret": secret.hex(),
            "salt_text": CLUSTER,
            "info_text": f"{principal.role}/{principal.name}/{label}",
            "key": derived(secret, CLUSTER, principal, label).hex(),
            **(
                {"broker_password_text": broker_password(secret, CLUSTER, principal)} if label is Label.PASSWORD else {}
            ),
        }
        for principal, secret in SECRETS.items()
        for label in (Label.PASSWORD, Label.TO_COORDINATOR, Label.FROM_COORDINATOR, Label.SEAL)
    ]


def _client_ids() -> list[Vector]:
    return [
        {
            "secret": secret.hex(),
            "salt_text": CLUSTER,
            "info_text": f"{principal.role}/{principal.name}/{Label.CLIENT_ID}/{life}",
            "client_id_text": f"{principal.login}/{life}-{client_id_tag(secret, CLUSTER, principal, life)}",
        }
        for (principal, secret), life in zip(SECRETS.items(), (AGENT_LIFE, CLIENT_LIFE), strict=True)
    ]


def _stream_keys() -> list[Vector]:
    keys = stream_keys(SECRETS[TV], CLUSTER, JOB, ATTEMPT)
    return [
        {
            "client_secret": SECRETS[TV].hex(),
            "salt_text": CLUSTER,
            "info_text": f"stream/{JOB}/{ATTEMPT}/{direction}",
            "key": key.hex(),
        }
        for direction, key in (("to-client", keys.to_client), ("to-agent", keys.to_agent))
    ]


def _sealed() -> list[Vector]:
    keys = stream_keys(SECRETS[TV], CLUSTER, JOB, ATTEMPT)
    seal_key = derived(SECRETS[PI], CLUSTER, PI, Label.SEAL)
    bound_to = SealedFor(job=JOB, attempt=ATTEMPT, agent=PI.name, life=AGENT_LIFE)
    box = sealed(keys, seal_key, bound_to, NONCE)
    return [
        {
            "seal_key": seal_key.hex(),
            "nonce": NONCE.hex(),
            "associated_data_text": bound_to.associated_data.decode(),
            "plain": (keys.to_client + keys.to_agent).hex(),
            "box": box.hex(),
            "sealed_keys_base64": base64.b64encode(box).decode(),
        }
    ]


def _messages() -> list[Vector]:
    stream = stream_keys(SECRETS[TV], CLUSTER, JOB, ATTEMPT)
    hello = TOPICS.directed(PI, COORDINATOR, COORDINATOR_LIFE, "hello")
    submit = TOPICS.directed(TV, COORDINATOR, COORDINATOR_LIFE, "job")
    settled = TOPICS.directed(COORDINATOR, PI, AGENT_LIFE, "settled")
    stdout = TOPICS.directed(PI, TV, CLIENT_LIFE, "stdout")
    answer = TOPICS.directed(COORDINATOR, TV, CLIENT_LIFE, "answer")
    return [
        _message(
            "an agent says goodbye: no response topic, no correlation data",
            Packet(topic=hello.replace("hello", "bye"), payload=b'{"requires":[]}'),
            derived(SECRETS[PI], CLUSTER, PI, Label.TO_COORDINATOR),
            Stamp(kid=1, sender_life=AGENT_LIFE, receiver_life=COORDINATOR_LIFE, number=1),
        ),
        _message(
            "a client asks: a response topic in its own place, and correlation data that is no text",
            Packet(
                topic=submit,
                payload=f'{{"requires":[],"jobs":["{JOB}"]}}'.encode(),
                response_topic=answer,
                correlation=bytes([0, 1, 254, 255]),
            ),
            derived(SECRETS[TV], CLUSTER, TV, Label.TO_COORDINATOR),
            Stamp(kid=1, sender_life=CLIENT_LIFE, receiver_life=COORDINATOR_LIFE, number=1025),
        ),
        _message(
            "the coordinator tells an agent, under the second generation of its secret",
            Packet(topic=settled, payload=f'{{"requires":[],"attempts":["{ATTEMPT}"]}}'.encode()),
            derived(SECRETS[PI], CLUSTER, PI, Label.FROM_COORDINATOR),
            Stamp(kid=2, sender_life=COORDINATOR_LIFE, receiver_life=AGENT_LIFE, number=NUMBER_MAX),
        ),
        _message(
            "a chunk of standard output from agent to client: raw bytes, under the key of the stream",
            Packet(topic=stdout, payload=packed(Chunk(attempt=ATTEMPT, offset=262_120, content=b"\x00frame=1\r\xff"))),
            stream.to_client,
            Stamp(kid=1, sender_life=AGENT_LIFE, receiver_life=CLIENT_LIFE, number=7),
        ),
    ]


def _message(about: str, packet: Packet, key: bytes, stamp: Stamp) -> Vector:
    return {
        "about": about,
        "topic_text": packet.topic,
        "payload": packet.payload.hex(),
        "response_topic_text": packet.response_topic,
        "correlation": None if packet.correlation is None else packet.correlation.hex(),
        "key": key.hex(),
        "covered": mac_input(packet, stamp).hex(),
        "properties": [list(each) for each in signed(packet, key, stamp).properties],
    }


def _numbers() -> list[Vector]:
    return [
        _row("each number once", [1, 2, 3, 2, 3, 1, 4]),
        _row("they may overtake each other", [5, 1, 4, 2, 3, 5]),
        _row(
            "the window reaches 1,023 below the highest", [1, 2_000, 2_000 - NUMBERS_WINDOW + 1, 2_000 - NUMBERS_WINDOW]
        ),
        _row("a jump forgets what lies too far below", [1, 1_024, 2, 1_025, 1, 2**62, 2**62 - 1, 1_026]),
        _row("the last number there is", [NUMBER_MAX, NUMBER_MAX, NUMBER_MAX - 1]),
    ]


def _row(about: str, numbers: list[int]) -> Vector:
    window = Window()

    def takes(number: int) -> bool:
        try:
            window.take(number)
        except FfmeshError:
            return False
        return True

    return {"about": about, "arrived": [f"{number} {'taken' if takes(number) else 'repeated'}" for number in numbers]}


def _chunks() -> list[Vector]:
    return [
        {"attempt_text": attempt, "offset": offset, "content": content.hex(), "payload": packed(chunk).hex()}
        for attempt, offset, content in [
            (ATTEMPT, 0, b"abc"),
            (ATTEMPT, 2**40 + 1, bytes([0, 13, 255])),
            (ATTEMPT, 3, b""),
            ("7" + "Z" * 25, 1, b"x"),
            ("0" * 26, 1, b"x"),
        ]
        for chunk in [Chunk(attempt=attempt, offset=offset, content=content)]
    ]


def _tokens() -> list[Vector]:
    token = JoinToken(cluster=CLUSTER, role=Role.AGENTS, name="pi-1", secret=SECRETS[PI], host="10.0.0.2", port=1883)
    return [{"token_text": spoken(token), "json_text": codec.encode(token).decode()}]


_ARGUMENTS: Final = [
    "-i",
    "",
    "out.mkv",
    "/media/movies/A film's end.mkv",
    "/media/movies/new/x.mkv",
    "/media/movies/newer/x.mkv",
    "//media/movies/./a/../b.mkv",
    "/media/movies",
    "/media/movies/caf\udce9.mkv",
    "caf\udce9.mkv",
    "/dev/null",
    "/dev/fd/3",
]
_REFUSED_ARGUMENTS: Final = [
    "/etc/passwd",
    "/media/moviesX/a",
    "/media/movies/../a",
    "../a",
    "a/../../b",
    "/dev/fd/../../etc/passwd",
]
_PIECES: Final[list[Argument]] = [
    ("concat:", RootPath(root="Movies", path="a.ts"), "|", RootPath(root="New", path="b.ts")),
    (RootPath(root="Movies", path="part"), "-1.mkv"),
    (RootPath(root="Movies", path=""), RawBytes(base64="Y2Fm6Q==")),
    (RootPath(root="Movies", path="a/../b"),),
    (RootPath(root="Movies", path="/etc/passwd"),),
    (RootPath(root="Movies", path="a"), "b/../../x"),
    (RootPath(root="Movies", path=""), "/../x"),
    (RootPath(root="Nowhere", path="a"),),
    ("subtitles=f=", RootPath(root="New", path="It's [1]: é.srt", quoting="filter"), ":si=1"),
    ("ass='", RootPath(root="Movies", path="It's.ass", quoting="option+quoted"), "':x=1"),
    ("[f=mpegts]", RootPath(root="Movies", path="a|b.ts", quoting="tee"), "|", RootPath(root="New", path="c")),
    ("concat:", RootPath(root="Movies", path="a.ts", quoting="concat"), "|b.ts"),
    (RootPath(root="New", path="%03d.png", quoting="pattern"),),
    ("f=", RootPath(root="Movies", path="a", quoting="filter"), "/../../x"),
    ("f=", RootPath(root="Movies", path="a", quoting="filter"), "\\:/../../x"),
    ("concat:", RootPath(root="Movies", path="a|b", quoting="concat")),
    (RootPath(root="Movies", path="a", quoting="unheard-of"),),
    ("/etc/passwd",),
    ("a\0b",),
]


def _argument(text: str) -> Vector:
    argument = argument_of(text, ROOTS, None)
    return {
        "caller_roots": ROOTS,
        "argument": text.encode(errors="surrogateescape").hex(),
        "pieces": json.loads(codec.encode(argument)),
        "shown_text": shown(argument),
        "agent_roots": AGENT_ROOTS,
        "written": written(argument, AGENT_ROOTS, None).hex(),
    }


def _refused_argument(text: str) -> Vector:
    return {"caller_roots": ROOTS, "argument": text.encode().hex(), "pieces": "refused"}


def _pieces(argument: Argument) -> Vector:
    try:
        outcome = written(argument, AGENT_ROOTS, None).hex()
    except FfmeshError:
        outcome = "refused"
    return {"pieces": json.loads(codec.encode(argument)), "agent_roots": AGENT_ROOTS, "written": outcome}


_TOPICS: Final = [
    TOPICS.coordinator_status(),
    TOPICS.summary(),
    TOPICS.events(),
    TOPICS.job(JOB),
    TOPICS.agent("pi-1"),
    TOPICS.control("pause"),
    TOPICS.agent_status("pi-1"),
    TOPICS.advert("pi-1"),
    TOPICS.programs("pi-1"),
    TOPICS.heartbeat("pi-1"),
    TOPICS.progress("pi-1", JOB),
    TOPICS.client_status("tv", CLIENT_LIFE),
    TOPICS.setting("ha", "agents/pi-1/slots"),
    TOPICS.directed(COORDINATOR, PI, AGENT_LIFE, "grant"),
    TOPICS.directed(PI, COORDINATOR, COORDINATOR_LIFE, "hello"),
    TOPICS.directed(PI, COORDINATOR, COORDINATOR_LIFE, "may-commit"),
    TOPICS.directed(PI, TV, CLIENT_LIFE, "stdout"),
    TOPICS.directed(TV, COORDINATOR, COORDINATOR_LIFE, "submit"),
    TOPICS.directed(TV, PI, AGENT_LIFE, "credit"),
    TOPICS.directed(PI, TV, CLIENT_LIFE, "credit"),
    TOPICS.directed(TV, PI, AGENT_LIFE, "stdin"),
    TOPICS.directed(TV, PI, AGENT_LIFE, "signal"),
]


def _topic(topic: str) -> Vector:
    place = parse(topic)
    assert place is not None
    delivery = DELIVERY[place.family]

    def login(principal: Principal | None) -> str | None:
        return principal.login if principal else None

    return {
        "topic_text": topic,
        "family": place.family,
        "sender": login(place.sender),
        "detail": place.detail,
        "receiver": login(place.receiver),
        "life": place.life,
        "verb": place.verb,
        "qos": delivery.qos,
        "retain": delivery.retain,
        "expiry_seconds": delivery.expiry_seconds,
    }


def text() -> str:
    return json.dumps(vectors(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
