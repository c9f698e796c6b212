"""No key serves two purposes, and a sealed key opens for exactly what it was sealed for."""

import hashlib
import hmac
import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.errors import Forged
from ffmesh_protocol.keys import (
    NONCE_BYTES,
    TAG_DIGITS,
    Label,
    SealedFor,
    StreamKeys,
    broker_password,
    client_id_tag,
    derived,
    sealed,
    stream_keys,
    unsealed,
)
from ffmesh_protocol.names import COORDINATOR, agent, client

SECRET = bytes(range(32))
JOB, ATTEMPT, LIFE = (f"01JD0000000000000000000{end}" for end in ("JOB", "ATT", "AAA"))
BOUND_TO = SealedFor(job=JOB, attempt=ATTEMPT, agent="pi-1", life=LIFE)
KEYS = StreamKeys(to_client=b"c" * 32, to_agent=b"a" * 32)
SEAL_KEY = derived(SECRET, "home", agent("pi-1"), Label.SEAL)
BOX = sealed(KEYS, SEAL_KEY, BOUND_TO, nonce=b"n" * NONCE_BYTES)


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 for one block of SHA-256, written down a second time."""
    extracted = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


@pytest.mark.parametrize("label", list(Label))
def test_a_key_is_hkdf_of_cluster_role_name_and_label(label: Label) -> None:
    assert derived(SECRET, "home", agent("pi-1"), label) == hkdf(SECRET, b"home", f"agents/pi-1/{label}".encode())
    assert derived(SECRET, "home", COORDINATOR, label) == hkdf(
        SECRET, b"home", f"coordinator/coordinator/{label}".encode()
    )


def test_a_stream_has_a_key_for_each_direction() -> None:
    keys = stream_keys(SECRET, "home", JOB, ATTEMPT)
    assert keys.to_client == hkdf(SECRET, b"home", f"stream/{JOB}/{ATTEMPT}/to-client".encode())
    assert keys.to_agent == hkdf(SECRET, b"home", f"stream/{JOB}/{ATTEMPT}/to-agent".encode())


def test_no_two_keys_are_the_same() -> None:
    secrets = (SECRET, SECRET[::-1])
    keys = [
        derived(secret, cluster, principal, label)
        for secret, cluster, principal, label in itertools.product(
            secrets, ("home", "studio"), (agent("pi-1"), client("pi-1"), agent("pi-2")), Label
        )
    ]
    for secret, cluster, job, attempt in itertools.product(secrets, ("home", "studio"), (JOB, LIFE), (ATTEMPT, LIFE)):
        both = stream_keys(secret, cluster, job, attempt)
        keys += [both.to_client, both.to_agent]

    assert len(set(keys)) == len(keys)


def test_what_the_broker_learns_is_no_key() -> None:
    assert (
        broker_password(SECRET, "home", agent("pi-1")) == derived(SECRET, "home", agent("pi-1"), Label.PASSWORD).hex()
    )


def test_the_tag_of_a_client_id_is_another_for_every_life() -> None:
    tag = client_id_tag(SECRET, "home", agent("pi-1"), LIFE)
    assert tag == hkdf(SECRET, b"home", f"agents/pi-1/client-id/{LIFE}".encode()).hex()[:16]
    assert len(tag) == TAG_DIGITS
    assert tag != client_id_tag(SECRET, "home", agent("pi-1"), JOB)
    assert tag != client_id_tag(SECRET[::-1], "home", agent("pi-1"), LIFE)


@given(st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES))
def test_what_was_sealed_opens_for_what_it_was_sealed_for(nonce: bytes) -> None:
    assert unsealed(sealed(KEYS, SEAL_KEY, BOUND_TO, nonce), SEAL_KEY, BOUND_TO) == KEYS


@pytest.mark.parametrize(
    "other",
    [{"job": ATTEMPT}, {"attempt": JOB}, {"agent": "pi-2"}, {"life": JOB}],
    ids=lambda other: next(iter(other)),
)
def test_a_sealed_key_opens_for_nothing_else(other: dict[str, str]) -> None:
    with pytest.raises(Forged):
        unsealed(BOX, SEAL_KEY, msgspec.structs.replace(BOUND_TO, **other))


def test_nobody_else_opens_a_sealed_key() -> None:
    for secret, cluster, principal, label in [
        (SECRET[::-1], "home", agent("pi-1"), Label.SEAL),
        (SECRET, "studio", agent("pi-1"), Label.SEAL),
        (SECRET, "home", agent("pi-2"), Label.SEAL),
        (SECRET, "home", agent("pi-1"), Label.PASSWORD),
    ]:
        with pytest.raises(Forged):
            unsealed(BOX, derived(secret, cluster, principal, label), BOUND_TO)


def test_one_flipped_bit_of_a_sealed_key_is_noticed() -> None:
    for at in range(len(BOX) * 8):
        box = bytearray(BOX)
        box[at // 8] ^= 1 << at % 8
        with pytest.raises(Forged):
            unsealed(bytes(box), SEAL_KEY, BOUND_TO)


@given(st.binary(max_size=120))
def test_any_other_bytes_are_forged_and_nothing_worse(box: bytes) -> None:
    with pytest.raises(Forged):
        unsealed(box, SEAL_KEY, BOUND_TO)


def test_a_box_with_anything_but_two_keys_is_forged() -> None:
    for keys in (StreamKeys(to_client=b"", to_agent=b"x" * 32), StreamKeys(to_client=b"x" * 33, to_agent=b"x" * 32)):
        with pytest.raises(Forged):
            unsealed(sealed(keys, SEAL_KEY, BOUND_TO, nonce=b"n" * NONCE_BYTES), SEAL_KEY, BOUND_TO)


def test_keys_have_no_business_in_a_log() -> None:
    assert "ccc" not in repr(KEYS)
