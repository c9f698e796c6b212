"""Join tokens: all that a machine needs to take part, as one word to paste.

Whoever holds one is that principal: it is a secret.
"""

import base64
from typing import Annotated, Final

import msgspec

from ffmesh_protocol import codec
from ffmesh_protocol.errors import BadToken, MalformedMessage
from ffmesh_protocol.keys import SECRET_BYTES
from ffmesh_protocol.limits import NUMBER_MAX
from ffmesh_protocol.names import Name, Role
from ffmesh_protocol.wire import Told

PREFIX: Final = "ffmesh1."
"""Says what the word is, and which kind of token. Pairing and TLS will bring another."""


class JoinToken(Told, frozen=True):
    cluster: Name
    role: Role
    name: Name
    secret: bytes
    host: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    kid: Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)] = 1

    def __repr__(self) -> str:
        """Without the secret, which has no business in a log."""
        return f"JoinToken({self.cluster}, {self.role}/{self.name}, {self.host}:{self.port})"


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
    except (MalformedMessage, ValueError) as error:
        raise BadToken("this join token is cut off or mistyped; copy the whole line again") from error
    if len(token.secret) != SECRET_BYTES:
        raise BadToken("this join token is cut off or mistyped; copy the whole line again")
    return token
