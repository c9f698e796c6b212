"""vectors.json: true today, and computed a second time with nothing but hashlib and AES."""

import base64
import hashlib
import hmac
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ffmesh_protocol import media, tokens
from ffmesh_protocol.errors import PathRefused, Repeated
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Window, checked_mac, stamp_of
from ffmesh_protocol.streams import packed, unpacked
from ffmesh_protocol.topics import Family, parse

PROTOCOL = Path(__file__).parents[2] / "protocol"
VECTORS: dict[str, Any] = json.loads((PROTOCOL / "vectors.json").read_text(encoding="utf-8"))


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_vectors", PROTOCOL / "make_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_what_its_generator_writes() -> None:
    assert (PROTOCOL / "vectors.json").read_text(encoding="utf-8") == generator().text()


@pytest.mark.parametrize("vector", [*VECTORS["keys"], *VECTORS["stream_keys"]], ids=lambda vector: vector["info_text"])
def test_keys_are_hkdf(vector: dict[str, str]) -> None:
    secret = bytes.fromhex(vector.get("secret") or vector["client_secret"])
    assert hkdf(secret, vector["salt_text"], vector["info_text"]).hex() == vector["key"]
    assert vector.get("broker_password_text", vector["key"]) == vector["key"]


@pytest.mark.parametrize("vector", VECTORS["client_ids"], ids=lambda vector: vector["info_text"])
def test_client_ids_end_in_their_tag(vector: dict[str, str]) -> None:
    role, name, _, life = vector["info_text"].split("/")
    tag = hkdf(bytes.fromhex(vector["secret"]), vector["salt_text"], vector["info_text"]).hex()[:16]
    assert vector["client_id_text"] == f"{role}/{name}/{life}-{tag}"


@pytest.mark.parametrize("vector", VECTORS["sealed"], ids=lambda vector: vector["associated_data_text"])
def test_sealed_keys_open(vector: dict[str, str]) -> None:
    box = bytes.fromhex(vector["box"])
    assert box[:12].hex() == vector["nonce"]
    assert base64.b64decode(vector["sealed_keys_base64"]) == box
    plain = AESGCM(bytes.fromhex(vector["seal_key"])).decrypt(
        box[:12], box[12:], vector["associated_data_text"].encode()
    )
    assert plain.hex() == vector["plain"]
    assert plain.hex() == "".join(each["key"] for each in VECTORS["stream_keys"])


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["about"])
def test_macs_cover_what_they_say(vector: dict[str, Any]) -> None:
    properties = dict(vector["properties"])
    parts = [
        *(
            properties["v"],
            properties["kid"],
            vector["topic_text"],
            properties["from"],
            properties["to"],
            properties["n"],
        ),
        vector["response_topic_text"] or "",
    ]
    raw = [
        *(part.encode() for part in parts),
        bytes.fromhex(vector["correlation"] or ""),
        bytes.fromhex(vector["payload"]),
    ]
    covered = b"".join(len(part).to_bytes(4, "big") + part for part in raw)
    assert covered.hex() == vector["covered"]
    assert hmac.new(bytes.fromhex(vector["key"]), covered, hashlib.sha256).hexdigest() == properties["mac"]

    packet = Packet(
        topic=vector["topic_text"],
        payload=bytes.fromhex(vector["payload"]),
        response_topic=vector["response_topic_text"],
        correlation=None if vector["correlation"] is None else bytes.fromhex(vector["correlation"]),
        properties=tuple((name, value) for name, value in vector["properties"]),
    )
    checked_mac(packet, stamp_of(packet), bytes.fromhex(vector["key"]))


@pytest.mark.parametrize("vector", VECTORS["numbers"], ids=lambda vector: vector["about"])
def test_numbers_are_taken_and_refused(vector: dict[str, Any]) -> None:
    window = Window()
    for word in vector["arrived"]:
        number, outcome = word.split()
        if outcome == "taken":
            window.take(int(number))
        else:
            with pytest.raises(Repeated):
                window.take(int(number))


@pytest.mark.parametrize("vector", VECTORS["chunks"], ids=lambda vector: vector["payload"])
def test_chunks_are_packed(vector: dict[str, Any]) -> None:
    chunk = unpacked(bytes.fromhex(vector["payload"]))
    assert (chunk.attempt, chunk.offset, chunk.content.hex()) == (
        vector["attempt_text"],
        vector["offset"],
        vector["content"],
    )
    assert packed(chunk).hex() == vector["payload"]


@pytest.mark.parametrize("vector", VECTORS["tokens"], ids=["token"])
def test_tokens_are_json_in_base64(vector: dict[str, str]) -> None:
    coded = vector["token_text"].removeprefix("ffmesh1.")
    assert base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode() == vector["json_text"]
    assert tokens.understood(vector["token_text"]).name == json.loads(vector["json_text"])["name"]


@pytest.mark.parametrize("vector", [*VECTORS["arguments"], *VECTORS["pieces"]], ids=repr)
def test_arguments_are_written_or_refused(vector: dict[str, Any]) -> None:
    if vector["pieces"] == "refused":
        with pytest.raises(PathRefused):
            media.argument_of(bytes.fromhex(vector["argument"]).decode(), vector["caller_roots"], None)
        return
    pieces = generator().codec.decode(media.Argument, json.dumps(vector["pieces"]).encode())
    if "argument" in vector:
        text = bytes.fromhex(vector["argument"]).decode(errors="surrogateescape")
        assert media.argument_of(text, vector["caller_roots"], None) == pieces
        assert media.shown(pieces) == vector["shown_text"]
    if vector["written"] == "refused":
        with pytest.raises(PathRefused):
            media.written(pieces, vector["agent_roots"], None)
    else:
        assert media.written(pieces, vector["agent_roots"], None).hex() == vector["written"]


def test_topics_of_every_family_are_there() -> None:
    assert {vector["family"] for vector in VECTORS["topics"]} == set(Family)
    for vector in VECTORS["topics"]:
        place = parse(vector["topic_text"])
        assert place is not None
        assert (place.sender.login, place.verb, place.life) == (vector["sender"], vector["verb"], vector["life"])


def hkdf(secret: bytes, salt: str, info: str) -> bytes:
    extracted = hmac.digest(salt.encode(), secret, hashlib.sha256)
    return hmac.digest(extracted, info.encode() + b"\x01", hashlib.sha256)
