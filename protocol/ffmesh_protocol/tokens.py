"""Join tokens: all that a machine needs to take part, as one word to paste.

Whoever holds one is that principal: it is a secret.
"""

import base64
import binascii
from typing import Final

import msgspec

from ffmesh_protocol import codec
from ffmesh_protocol.errors import BadToken, MalformedMessage
from ffmesh_protocol.keys import SECRET_BYTES
from ffmesh_protocol.names import Name, Role
from ffmesh_protocol.wire import Told

PREFIX: Final = "ffmesh1."
"""Says what the word is, and which kind of token. Pairing and TLS will bring another."""


class JoinToken(Told, frozen=True):
    cluster: Name
    role: Role
    name: Name
    secret: bytes
    host: str
    port: int
    kid: int = 1


def spoken(token: JoinToken) -> str:
    return PREFIX + base64.urlsafe_b64encode(codec.encode(token)).decode().rstrip("=")


def understood(word: str) -> JoinToken:
    word = "".join(word.split())
    if not word.startswith(PREFIX):
        raise BadToken(f"this is no join token: one begins with {PREFIX} and comes from `ffmesh principal add`")
    coded = word.removeprefix(PREFIX)
    try:
        token = codec.decode(
            JoinToken, base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
        )
    except (MalformedMessage, binascii.Error, msgspec.MsgspecError) as error:
        raise BadToken("this join token is cut off or mistyped; copy the whole line again") from error
    if len(token.secret) != SECRET_BYTES or not 0 < token.port < 65536:
        raise BadToken("this join token is cut off or mistyped; copy the whole line again")
    return token
