"""Who takes part, and the keys derived from their secrets. The only place of the core that holds secrets."""

import base64
from collections.abc import Callable
from typing import Final

from ffmesh_protocol import keys
from ffmesh_protocol.errors import Forged
from ffmesh_protocol.keys import Label, SealedFor
from ffmesh_protocol.messages.orders import Audience
from ffmesh_protocol.names import Principal

FIRST_KID: Final = 1


class Keyring:
    """Principals with the generation of their secret. `nonces` gives 12 fresh random bytes at each call."""

    def __init__(self, cluster: str, nonces: Callable[[], bytes]) -> None:
        self._cluster = cluster
        self._nonces = nonces
        self._secrets: dict[Principal, tuple[int, bytes]] = {}
        self._derived: dict[tuple[Principal, Label], bytes] = {}

    def add(self, principal: Principal, kid: int, secret: bytes) -> None:
        self.remove(principal)
        self._secrets[principal] = (kid, secret)

    def remove(self, principal: Principal) -> None:
        self._secrets.pop(principal, None)
        for label in Label:
            self._derived.pop((principal, label), None)

    def principals(self) -> frozenset[Principal]:
        return frozenset(self._secrets)

    def knows(self, principal: Principal) -> bool:
        return principal in self._secrets

    def kid(self, principal: Principal) -> int:
        return self._secrets[principal][0]

    def verifying(self, principal: Principal, kid: int) -> bytes:
        """The key of what the principal says to us, or `Forged`: nobody has that key."""
        if principal not in self._secrets or self.kid(principal) != kid:
            raise Forged(f"nobody is called {principal.login} with a secret of generation {kid}")
        return self._key(principal, Label.TO_COORDINATOR)

    def signing(self, principal: Principal) -> bytes:
        """The key of what we say to the principal."""
        return self._key(principal, Label.FROM_COORDINATOR)

    def audience(self, client: Principal, client_life: str, agent: Principal, bound_to: SealedFor) -> Audience:
        """The stream keys of an attempt, sealed for the life of the agent that it is granted to."""
        kid, secret = self._secrets[client]
        stream_keys = keys.stream_keys(secret, self._cluster, bound_to.job, bound_to.attempt)
        box = keys.sealed(stream_keys, self._key(agent, Label.SEAL), bound_to, self._nonces())
        return Audience(client=client.name, life=client_life, kid=kid, sealed_keys=base64.b64encode(box).decode())

    def _key(self, principal: Principal, label: Label) -> bytes:
        key = self._derived.get((principal, label))
        if key is None:
            key = keys.derived(self._secrets[principal][1], self._cluster, principal, label)
            self._derived[principal, label] = key
        return key
