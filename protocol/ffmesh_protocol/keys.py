"""One secret a principal; every key is derived from it with HKDF-SHA256, so that no key serves two purposes.

    salt  the cluster's name
    info  role ‖ "/" ‖ name ‖ "/" ‖ label        for a principal's own keys
    info  role ‖ "/" ‖ name ‖ "/client-id/" ‖ life        for the tag of a client id
    info  "stream/" ‖ job ‖ "/" ‖ attempt ‖ "/" ‖ direction        for a job's stream

(A name has no slash, so nothing is ambiguous.)
"""

import hashlib
import hmac
from enum import StrEnum
from typing import Final

from ffmesh_protocol.errors import Forged
from ffmesh_protocol.names import Principal
from ffmesh_protocol.wire import Told

SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_DIGITS: Final = 16


class Label(StrEnum):
    """What a derived key is for. Directions have keys of their own: no message can be reflected to its sender."""

    PASSWORD = "broker-password"
    TO_COORDINATOR = "to-coordinator"
    FROM_COORDINATOR = "from-coordinator"
    SEAL = "seal"
    CLIENT_ID = "client-id"


class Direction(StrEnum):
    """Of a stream between an agent and a client."""

    TO_CLIENT = "to-client"
    TO_AGENT = "to-agent"


class StreamKeys(Told, frozen=True):
    """What signs the messages between the agent of an attempt and its client, who share no secret."""

    to_client: bytes
    to_agent: bytes

    def __repr__(self) -> str:
        """Without the keys, which have no business in a log."""
        return "StreamKeys(…)"


def derived(secret: bytes, cluster: str, principal: Principal, label: Label) -> bytes:
    return _hkdf(secret, cluster, f"{principal.role}/{principal.name}/{label}")


def broker_password(secret: bytes, cluster: str, principal: Principal) -> str:
    return derived(secret, cluster, principal, Label.PASSWORD).hex()


def client_id_tag(secret: bytes, cluster: str, principal: Principal, life: str) -> str:
    """The end of this life's client id: another login that could guess the id would throw its owner off the broker."""
    return _hkdf(secret, cluster, f"{principal.role}/{principal.name}/{Label.CLIENT_ID}/{life}").hex()[:TAG_DIGITS]


def stream_keys(client_secret: bytes, cluster: str, job: str, attempt: str) -> StreamKeys:
    def key(direction: Direction) -> bytes:
        return _hkdf(client_secret, cluster, f"stream/{job}/{attempt}/{direction}")

    return StreamKeys(to_client=key(Direction.TO_CLIENT), to_agent=key(Direction.TO_AGENT))


class SealedFor(Told, frozen=True):
    """What a sealed key is bound to: it opens for this attempt, on this life of this agent, and for nothing else."""

    job: str
    attempt: str
    agent: str
    life: str

    @property
    def associated_data(self) -> bytes:
        return f"{self.job}/{self.attempt}/{self.agent}/{self.life}".encode()


def sealed(keys: StreamKeys, seal_key: bytes, bound_to: SealedFor, nonce: bytes) -> bytes:
    """AES-256-GCM: nonce ‖ ciphertext ‖ tag. The nonce is random and never used again."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # clients never seal, and it takes 30 ms

    return nonce + AESGCM(seal_key).encrypt(nonce, keys.to_client + keys.to_agent, bound_to.associated_data)


def unsealed(box: bytes, seal_key: bytes, bound_to: SealedFor) -> StreamKeys:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        both = AESGCM(seal_key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], bound_to.associated_data)
    except (InvalidTag, ValueError) as error:
        raise Forged("a sealed stream key that was not sealed for this attempt") from error
    if len(both) != 2 * SECRET_BYTES:
        raise Forged("what was sealed is not two stream keys")
    return StreamKeys(to_client=both[:SECRET_BYTES], to_agent=both[SECRET_BYTES:])


def _hkdf(secret: bytes, cluster: str, info: str) -> bytes:
    """HKDF-SHA256 (RFC 5869) of one block, which is all that a key of 32 bytes needs.

    Not by the library: it would be the only thing that every client imports it for, at 20 ms and 7 MB a start.
    """
    extracted = hmac.digest(cluster.encode(), secret, hashlib.sha256)
    return hmac.digest(extracted, info.encode() + b"\x01", hashlib.sha256)
